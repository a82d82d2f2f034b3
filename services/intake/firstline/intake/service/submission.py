"""Taking a request: judged under the policy, numbered and stored with its first message and event (clauses 4.1-4.5)."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Final, cast

from firstline.common.addresses import new_number
from firstline.common.answers import STORE, Answer, Retry, answer_row, stored_answer
from firstline.common.errors import Conflict, Fault, Unavailable
from firstline.common.events import (
    Actor,
    Author,
    Origin,
)
from firstline.common.log import APPEND, CHANNEL
from firstline.common.paging import etag_of
from firstline.common.permissions import Access
from firstline.common.policy.model import EntitlementState
from firstline.common.store.port import Insertion, Sql, Unit, Value
from firstline.intake.detector import Masked
from firstline.intake.scope import Hint, Judgement, Recovery, Submission, judge
from firstline.intake.service.articles import Use, suggestions, uses_of
from firstline.intake.service.attachments import usable_attachments
from firstline.intake.service.change import row_of
from firstline.intake.service.desk import Desk
from firstline.intake.service.first_message import first_message, submitted
from firstline.intake.service.holding import Cleaned, Holding, seems_secret
from firstline.intake.service.licences import last_four, licence_for, state_of
from firstline.intake.service.looking import looked_at
from firstline.intake.service.words import first_words
from firstline.intake.store.articles import NOTE_USE
from firstline.intake.store.directory import Licence
from firstline.intake.store.held_texts import INSERT_HELD_TEXT
from firstline.intake.store.messages import ATTACH, INSERT_MESSAGE, Attachment
from firstline.intake.store.tickets import (
    INSERT_PARTICIPANT,
    INSERT_TICKET,
    PARTICIPANTS,
    TICKET_BY_OWN_REF,
    TICKET_BY_REF,
    Participant,
)
from firstline.intake.store.words import INSERT_WORDS
from firstline.intake.suggestions import Candidate
from firstline.intake.ticket import Side, Ticket, values_not_told

NUMBER_TRIES = 5
PASTED: Final = "pasted_secret"
SEARCHED_CHARS = 5_000
Row = tuple[Sql[None], Mapping[str, Value]]


class ExternalRefTaken(Conflict):
    """The organisation has a request with this external_ref; `ticket_id` and `number` name it where it is in reach."""

    title = "This external_ref is in use"


@dataclass(frozen=True, slots=True)
class Requester:
    """Whose request it is; `email` in lower case."""

    email: str
    name: str | None = None
    id: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class NewTicket:
    """A request as it comes in, by whichever channel; times and people are known, nothing is judged yet.

    `author` wrote the first message where that is not who sends the request now; `split_from` is whose message it was;
    `cleared` says that its texts were looked at for secrets before.
    """

    subject: str
    body: str
    requester: Requester
    origin: Origin
    actor: Actor
    received_at: datetime
    side: Side = "client"
    author_name: str | None = None
    copied: tuple[Requester, ...] = ()
    uploader: str = ""
    organization_id: str | None = None
    topic: str | None = None
    urgency_claim: str | None = None
    recovery: Recovery = "none"
    product: str | None = None
    version: str | None = None
    licence_key: str | None = None
    licence_id: str | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    doc_refs: list[Any] = field(default_factory=list)
    attachment_ids: tuple[str, ...] = ()
    external_ref: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    follows: str | None = None
    author: Author | None = None
    split_from: Ticket | None = None
    cleared: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    """What the policy says of a new request, with what was found for it: licence, files, documentation and its use."""

    judgement: Judgement
    licence: Licence | None
    attachments: tuple[Attachment, ...] = ()
    suggested: tuple[Candidate, ...] = ()
    uses: tuple[Use, ...] = ()
    body: Masked | None = None


@dataclass(frozen=True, slots=True)
class Composed:
    """A request ready to be stored: the ticket, its first message's ID, the rows of all that belongs to it.

    `held` says how many of its texts are held back.
    """

    ticket: Ticket
    message_id: str
    rows: tuple[Row, ...]
    held: int


async def check(desk: Desk, unit: Unit, new: NewTicket) -> Judged:
    """Say what the policy makes of a request; nothing is stored.

    Raises:
        Invalid: topic, urgency, channel or an attachment can't be taken, or the policy registers no such request.

    """
    # Masked here already, since a key that stands in the text tells the licence, and with it the entitlement.
    body = None if new.cleared else looked_at(desk.policies.detector, new.body)
    licence = await _licence(unit, new, body)
    judgement = judge(
        desk.policies.rules,
        Submission(
            channel=new.origin.channel,
            topic=new.topic,
            urgency_claim=new.urgency_claim,
            recovery=new.recovery,
            entitlement=_entitlement(new, licence, desk.now()),
            fields=new.fields,
            members=_members(new, licence),
            text=new.body,
        ),
    )
    attachments = await usable_attachments(desk, unit, new.uploader, new.attachment_ids)
    language = new.requester.language
    found = await suggestions(unit, new.subject, new.body[:SEARCHED_CHARS], topic=new.topic, language=language)
    if (body and body.marks) or (not new.cleared and seems_secret(desk, new.subject, new.fields)):
        warning = Hint(PASTED, desk.policies.current.pasted_secrets.warning)
        judgement = replace(judgement, hints=(*judgement.hints, warning))
    return Judged(judgement, licence, attachments, tuple(found), await uses_of(unit, found, new.doc_refs), body)


async def _licence(unit: Unit, new: NewTicket, body: Masked | None) -> Licence | None:
    """Return the licence that covers the request: by the key given, by one that stands in the text, by the others."""
    for key in licence_keys_of(body) if body and not new.licence_key else ():
        known = await licence_for(unit, key=key, organization_id=None)
        if known is not None:
            return known
    return await licence_for(unit, key=new.licence_key, licence_id=new.licence_id, organization_id=new.organization_id)


def licence_keys_of(text: Masked) -> tuple[str, ...]:
    """Return what stood in a text and looked like a licence key."""
    pairs = zip(text.marks, text.secrets, strict=True)
    return tuple(secret for mark, secret in pairs if mark.kind == "licence_key")


def _entitlement(new: NewTicket, licence: Licence | None, now: datetime) -> EntitlementState:
    """Return what the licence entitles to; a part of a request whose licence is not known by now counts as it did."""
    if licence is None and new.split_from is not None:
        return cast("EntitlementState", new.split_from.entitlement)
    return state_of(licence, now)


def _members(new: NewTicket, licence: Licence | None) -> dict[str, object]:
    """Return what answers questions besides `fields`; the licence that was found tells the product too."""
    return {
        "subject": new.subject,
        "body": new.body,
        "product": new.product or (licence.product if licence else None),
        "version": new.version,
        "licence_key": new.licence_key or (licence.last4 if licence else None),
        "doc_refs": new.doc_refs,
    }


Describe = Callable[[Unit], Awaitable[NewTicket]]
"""Says what comes in, with what it has to look up for that."""

Render = Callable[[NewTicket, Ticket], str]
"""Makes the answer's text."""


async def submit(desk: Desk, access: Access, describe: Describe, retry: Retry | None, render: Render) -> Answer:
    """Store a request durably; return the answer made by `render`, or the one given before to the same retry.

    Raises:
        Invalid: see `check`.
        ExternalRefTaken: the organisation, or the client without one, has a request with this reference.
        IdempotencyKeyReused: the key came with another body before.

    """

    async def look(unit: Unit) -> Answer | tuple[NewTicket, Composed]:
        known = await stored_answer(unit, retry) if retry else None
        if known is not None:
            return known
        # On the same view of the store as the answer: between two views a retry's own request may appear.
        new = await describe(unit)
        judged = await check(desk, unit, new)
        await _check_reference(unit, access, new)
        # In here too, since only a unit of work may come to a long text (ADR 24).
        return new, compose(desk, new, judged)

    for _ in range(NUMBER_TRIES):
        # Judged on a read and stored as rows: only rows can share a commit with other callers' (ADR 2).
        found = await desk.store.read(look)
        if isinstance(found, Answer):
            return found
        new, composed = found
        body, etag = render(new, composed.ticket), etag_of(composed.ticket.version)
        rows = composed.rows
        if retry is not None:
            rows = ((STORE, answer_row(retry, 201, body, etag, desk.now())), *rows)
        if await desk.store.insert(Insertion(rows, (CHANNEL,))):
            desk.held[new.origin.channel, "text"] += composed.held
            return Answer("", 201, body, etag)
        # A key was taken meanwhile: the retry's, the reference's, a file's or the number's. Another look tells.
    raise Unavailable("No free number was found; nothing was stored. Try again.", retry_after=1)


async def _check_reference(unit: Unit, access: Access, new: NewTicket) -> None:
    """Refuse a reference that is taken, and name the request that has it to whoever may see that one."""
    taken = await _with_reference(unit, new) if new.external_ref else None
    if taken is None:
        return
    people = frozenset(person.address for person in await unit.all(PARTICIPANTS, ticket_id=taken.id))
    seen = access.covers(people, taken.organization_id)
    raise ExternalRefTaken(
        f"{taken.number if seen else 'Another request'} has this external_ref already; send another reference.",
        faults=(Fault("/external_ref", "Use a reference once in your organisation."),),
        extra={"ticket_id": taken.id, "number": taken.number} if seen else None,
    )


async def _with_reference(unit: Unit, new: NewTicket) -> Ticket | None:
    """Return the request that has the reference: of the organisation, or of the client without one."""
    if new.organization_id is not None:
        return await unit.one(TICKET_BY_REF, organization_id=new.organization_id, external_ref=new.external_ref)
    return await unit.one(TICKET_BY_OWN_REF, requester_email=new.requester.email, external_ref=new.external_ref)


def compose(desk: Desk, new: NewTicket, judged: Judged) -> Composed:
    """Return a request with its number, participants, first message and event, as rows to insert."""
    ticket_id, message_id = desk.ports.ids.new(), desk.ports.ids.new()
    holding = Holding(desk, ticket_id, new.origin.channel)
    new, judged, body = _without_secrets(desk, new, judged, holding, message_id)
    ticket = _ticket(desk, new, judged, ticket_id)
    # The requester last: who is named twice stands there by what is known of them as requester.
    people = {person.email: person for person in (*new.copied, new.requester)}
    participants = [Participant(ticket.id, p.email, p.name, p.language or ticket.language) for p in people.values()]
    event = submitted(new, judged, ticket, participants, message_id, body)
    # Events alone must be able to tell the request anew, so what no member says goes along as a change.
    event = event.model_copy(update={"changes": values_not_told(ticket, event.model_dump())})
    rows: list[Row] = [(INSERT_TICKET, row_of(ticket))]
    rows += [
        (INSERT_PARTICIPANT, {"ticket_id": p.ticket_id, "address": p.address, "name": p.name, "language": p.language})
        for p in participants
    ]
    rows.append((INSERT_MESSAGE, first_message(new, ticket, message_id)))
    rows.append((INSERT_WORDS, first_words(ticket.id, new.subject, new.body)))
    rows += [
        (ATTACH, {"attachment_id": a.id, "message_id": message_id, "ticket_id": ticket.id}) for a in judged.attachments
    ]
    rows += [
        (NOTE_USE, {"kind": kind, "article_id": article_id, "ticket_id": ticket.id}) for kind, article_id in judged.uses
    ]
    rows += [(INSERT_HELD_TEXT, row) for row in holding.rows]
    rows += [(APPEND, row) for row in desk.log.rows(f"ticket/{ticket.id}", 1, event)]
    return Composed(ticket, message_id, tuple(rows), len(holding.rows))


def _without_secrets(
    desk: Desk, new: NewTicket, judged: Judged, holding: Holding, message_id: str
) -> tuple[NewTicket, Judged, Cleaned]:
    """Return a request without the secrets in it, and its body; its sender is told once, with the acknowledgement."""
    if new.cleared:
        return new, judged, Cleaned(new.body, [])
    body = holding.text(new.body, "body", message_id, judged.body)
    clean = replace(
        new,
        subject=holding.text(new.subject, "subject").text,
        body=body.text,
        product=holding.text(new.product, "product").text if new.product else new.product,
        version=holding.text(new.version, "version").text if new.version else new.version,
        fields=holding.values(new.fields, "fields"),
        doc_refs=holding.values(new.doc_refs, "doc_refs"),
        metadata=holding.values(new.metadata, "metadata"),
    )
    if not holding.rows:
        return clean, judged, body
    told = Hint(PASTED, desk.policies.current.pasted_secrets.told)
    others = tuple(hint for hint in judged.judgement.hints if hint.code != PASTED)
    return clean, replace(judged, judgement=replace(judged.judgement, hints=(*others, told))), body


def _ticket(desk: Desk, new: NewTicket, judged: Judged, ticket_id: str) -> Ticket:
    """Return the ticket as it begins."""
    now, licence = desk.now(), judged.licence
    return Ticket(
        id=ticket_id,
        number=new_number(desk.ports.random),
        version=1,
        status="new",
        waiting_cause=None,
        circumstance=None,
        close_reason=None,
        urgency_reason=None,
        complexity=None,
        language=new.requester.language or "en",
        doc_required=False,
        policy_version=desk.policies.current.version,
        requester_id=new.requester.id,
        requester_email=new.requester.email,
        requester_name=new.requester.name,
        organization_id=new.organization_id,
        suggested_articles=[{"id": one.id, "title": one.title, "url": one.url} for one in judged.suggested],
        product=new.product or (licence.product if licence else None),
        licence_last4=licence.last4 if licence else last_four(new.licence_key),
        licence_id=licence.id if licence else None,
        reopen_count=0,
        created_at=now,
        updated_at=now,
        resolved_at=None,
        closed_at=None,
        merged_into=None,
        owed={} if new.origin.automatic else {ticket_id: new.received_at.isoformat()},
        **_as_sent(new),
        **_as_judged(judged.judgement),
    )


def _as_sent(new: NewTicket) -> dict[str, Any]:
    """Return what a ticket keeps as it was sent."""
    return {
        "subject": new.subject,
        "topic": new.topic,
        "urgency_claim": new.urgency_claim,
        "recovery": new.recovery,
        "product_version": new.version,
        "fields": new.fields,
        "doc_refs": new.doc_refs,
        "external_ref": new.external_ref,
        "metadata": new.metadata,
        "channel": new.origin.channel,
        "verified": new.origin.verified,
        "follows": new.follows,
        "split_from": new.split_from.id if new.split_from else None,
        "received_at": new.received_at,
    }


def _as_judged(judgement: Judgement) -> dict[str, Any]:
    """Return what a ticket holds of the policy's judgement."""
    return {
        "tier": judgement.tier,
        "urgency": judgement.urgency,
        "urgency_provisional": judgement.urgency_provisional,
        "scope": asdict(judgement.scope),
        "entitlement": judgement.entitlement,
        "missing_information": [asdict(missing) for missing in judgement.missing_information],
        "hints": [asdict(hint) for hint in judgement.hints],
    }

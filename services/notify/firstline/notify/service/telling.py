"""Which event asks for which mails to the client's side, and what they say (clauses 2.3, 4.4, 4.8).

One act gives one mail: a reply that comes with a resolution or a closing goes out with that notice.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from firstline.common.addresses import normal_address
from firstline.common.envelope import Envelope
from firstline.common.events import (
    Recipient,
    TicketClosed,
    TicketEvent,
    TicketHandedOver,
    TicketReleased,
    TicketReleasePlanned,
    TicketReminded,
    TicketReplied,
    TicketResolved,
    TicketSubmitted,
    TicketSupervisorAnswered,
    TicketSupervisorRequested,
    TicketTriaged,
    TicketWaiting,
)
from firstline.common.permissions import STAFF
from firstline.common.policy.model import EntitlementState
from firstline.common.policy.wording import TextKind
from firstline.common.releases import term
from firstline.common.store.port import Unit
from firstline.notify.service import access, refused_files
from firstline.notify.service.desk import Book, Desk
from firstline.notify.service.judging import advice, judged, questions
from firstline.notify.service.mails import STRANGERS, Notice, heard, link_to, tell_all, write_mail
from firstline.notify.store.directory import INSERT_TICKET, PERSON_BY_EMAIL, TICKET_TO_CHANGE, UPDATE_TICKET, Ticket
from firstline.notify.wording import Value

MAIL_CHANNEL = "email"
MOST_REFERENCES = 10
ENDS = ("resolved", "closed")
REOPENED: TextKind = "reopened"
Telling = Callable[[Desk, Unit, Envelope, Ticket], Awaitable[Ticket]]


async def submitted(desk: Desk, unit: Unit, event: Envelope) -> None:
    """Keep what later mails need, and acknowledge the request, once."""
    data = event.payload(TicketSubmitted)
    origin = data.origin
    ids = [*origin.references[-MOST_REFERENCES:], *filter(None, [origin.message_id])]
    ticket = Ticket(
        id=event.subject or "",
        number=data.number,
        status=data.status,
        subject=data.subject,
        requester_email=normal_address(data.requester.email),
        language=data.language,
        policy_version=data.policy_version,
        conversation=[],
        parting=None,
    )
    ticket = heard(ticket, ids)
    book = await desk.books.of(unit, ticket.policy_version)
    known = _speaks_for(data) or await _is_known(unit, ticket.requester_email)
    # Who splits a mail off answers no mail.
    by_mail = origin.channel == MAIL_CHANNEL and data.split_from is None
    files = refused_files.refused(data.attachments) if by_mail else []
    told = {**_acknowledged(desk, book, data, known=known), **refused_files.named(files, names=known)}
    notice = Notice(
        kind="acknowledgement" if known else STRANGERS,
        to=Recipient(address=data.requester.email, name=data.requester.name, language=data.requester.language),
        values={**told, "split_from": data.split_from_number},
        answers=True,
        automatic=origin.automatic,
        by_mail=by_mail,
    )
    ticket = await write_mail(desk, unit, event, ticket, notice)
    if known and not origin.automatic:
        ticket = await refused_files.tell_refused(desk, unit, event, ticket, [notice.to], files, notice.kind)
    # After the mail, whose Message-ID belongs to the conversation that is kept.
    await unit.run(INSERT_TICKET, **{name: getattr(ticket, name) for name in Ticket.__slots__})


def _speaks_for(data: TicketSubmitted) -> bool:
    """Say whether the address is surely that of who sent the request: a checked mail, the caller's own, or by staff.

    A partner may name anybody: the desk must not carry a partner's words to addresses that nobody here knows.
    """
    if data.origin.channel == MAIL_CHANNEL:
        return data.origin.verified
    return data.actor.role in STAFF or data.requester.id == data.actor.id


async def _is_known(unit: Unit, address: str) -> bool:
    """Say whether accounts know somebody by that address."""
    return await unit.one(PERSON_BY_EMAIL, email=address) is not None


def _acknowledged(desk: Desk, book: Book, data: TicketSubmitted, *, known: bool) -> dict[str, Value]:
    """Return what a known sender reads: questions, scope with a referral, licence, opening hours (1.3, 4.2, A14).

    An unknown one reads the questions alone, which are the policy's own words.
    """
    asked = questions(data.missing_information)
    if not known:
        return {"questions": asked}
    policy = book.policy
    out = data.scope.verdict == "out"
    return {
        "questions": asked,
        "scope_reason": data.scope.reason,
        "referral": advice(book, data.scope.refer_to) if out else None,
        "consult_only": data.scope.support_mode == "consult_only",
        "hints": tuple(hint.text for hint in data.hints),
        "entitlement_notice": policy.entitlement.rule(cast("EntitlementState", data.entitlement)).notice,
        "open_now": book.calendar.open_at(desk.now()).open,
    }


async def ticket_changed(desk: Desk, unit: Unit, event: Envelope) -> None:
    """Tell the client's side what happened, where it concerns them, and know the request's new status."""
    assert event.subject is not None
    data = event.payload(TicketEvent)
    # Locked: two events of a request are applied one after the other anyhow, but an erasure changes it too.
    ticket = await unit.one(TICKET_TO_CHANGE, id=event.subject)
    assert ticket is not None  # its stream began with ticket.submitted
    tell = TELLINGS.get(event.type)
    if tell is not None:
        ticket = await tell(desk, unit, event, ticket)
    await unit.run(
        UPDATE_TICKET,
        id=ticket.id,
        status=data.status,
        language=ticket.language,
        conversation=ticket.conversation,
        parting=ticket.parting,
    )


async def replied(desk: Desk, unit: Unit, event: Envelope, ticket: Ticket) -> Ticket:
    """Send a public message to everybody on the client's side but its author; a machine's goes to nobody.

    An author whose message opened the request again hears that it did.
    """
    data = event.payload(TicketReplied)
    if data.origin.automatic and data.author.side == "staff":
        return ticket  # a remark of the desk's own, about what another event tells
    words: dict[str, Value] = {"body": data.body, "specialist": data.author.name}
    if data.author.side == "staff" and data.status in ENDS and data.status != ticket.status:
        return replace(ticket, parting=words)  # the next event of this act tells the ending
    if data.author.side == "client":
        ticket = heard(ticket, list(filter(None, [data.origin.message_id])))
    if data.origin.automatic:
        return ticket
    author = normal_address(data.author.address or "")
    others = [one for one in data.recipients if normal_address(one.address) != author]
    authors = [one for one in data.recipients if normal_address(one.address) == author]
    if data.author.side == "client":
        ticket = await _answer_author(desk, unit, event, ticket, authors)
    return await tell_all(desk, unit, event, ticket, others, "reply", words)


async def _answer_author(
    desk: Desk, unit: Unit, event: Envelope, ticket: Ticket, authors: Sequence[Recipient]
) -> Ticket:
    """Tell who wrote that the request is open again, and which files of their mail were not taken, in one mail."""
    data = event.payload(TicketReplied)
    by_mail = data.origin.channel == MAIL_CHANNEL
    files, kind = refused_files.refused(data.attachments) if by_mail else [], None
    if ticket.status in ENDS and data.status == "open":
        kind = REOPENED
        values = refused_files.named(files)
        ticket = await tell_all(desk, unit, event, ticket, authors, kind, values, answers=True, by_mail=by_mail)
    return await refused_files.tell_refused(desk, unit, event, ticket, authors, files, kind)


async def handed_over(desk: Desk, unit: Unit, event: Envelope, ticket: Ticket) -> Ticket:
    """Say that development has it, and for which release the solution is planned (clause 2.2)."""
    data = event.payload(TicketHandedOver)
    book = await desk.books.of(unit, ticket.policy_version)
    if not book.writer.knows("handed_over"):
        return ticket  # an older policy tells it as waiting
    values: dict[str, Value] = {**_planned(data.planned_release)}
    return await tell_all(desk, unit, event, ticket, data.recipients, "handed_over", values)


async def release_planned(desk: Desk, unit: Unit, event: Envelope, ticket: Ticket) -> Ticket:
    """Say that the planned release has changed, and what it was before (clause 2.2)."""
    data = event.payload(TicketReleasePlanned)
    before = {f"{name}_before": value for name, value in _planned(data.before).items()}
    values: dict[str, Value] = {**_planned(data.planned_release), **before}
    return await tell_all(desk, unit, event, ticket, data.recipients, "release_planned", values)


def _planned(plan: Mapping[str, Any] | None) -> dict[str, str | None]:
    """Return what texts print of a planned release."""
    return {"version": plan["version"] if plan else None, "term": term(plan)}


async def released(desk: Desk, unit: Unit, event: Envelope, ticket: Ticket) -> Ticket:
    """Say that the release is out and that the request is taken up again (clause 2.2)."""
    data = event.payload(TicketReleased)
    values: dict[str, Value] = {"version": data.version, "note": data.note}
    return await tell_all(desk, unit, event, ticket, data.recipients, "released", values)


async def supervisor_requested(desk: Desk, unit: Unit, event: Envelope, ticket: Ticket) -> Ticket:
    """Tell the supervisors what the client asks them (closing paragraph)."""
    data = event.payload(TicketSupervisorRequested)
    values: dict[str, Value] = {
        "body": data.body,
        "asked_by": data.asked_by,
        "accelerate": data.kind == "accelerate",
    }
    return await tell_all(desk, unit, event, ticket, data.supervisors, "supervisor_requested", values)


async def supervisor_answered(desk: Desk, unit: Unit, event: Envelope, ticket: Ticket) -> Ticket:
    """Tell the client's side what the supervisor answered (closing paragraph)."""
    data = event.payload(TicketSupervisorAnswered)
    values: dict[str, Value] = {"body": data.body, "supervisor": data.answered_by}
    return await tell_all(desk, unit, event, ticket, data.recipients, "supervisor_answered", values)


async def waiting(desk: Desk, unit: Unit, event: Envelope, ticket: Ticket) -> Ticket:
    """Say whom the request waits for, and why (clauses 2.3, 4.8)."""
    data = event.payload(TicketWaiting)
    book = await desk.books.of(unit, ticket.policy_version)
    # Only a hand-over lets a request wait that waits or has just been told to: its mail said it all.
    if ticket.status == "waiting" and data.cause == "release" and book.writer.knows("handed_over"):
        return ticket
    values: dict[str, Value] = {
        "circumstance": await _circumstance(desk, unit, ticket, data.circumstance),
        "waits_for_client": data.cause == "client",
        "questions": questions(data.missing_information),
        "closes_at": book.instant(data.closes_at) if data.closes_at else None,
    }
    return await tell_all(desk, unit, event, ticket, data.recipients, "waiting", values)


async def reminded(desk: Desk, unit: Unit, event: Envelope, ticket: Ticket) -> Ticket:
    """Say what we still wait for, or that the solution stands, and when the request closes by that (4.2, 4.8)."""
    data = event.payload(TicketReminded)
    book = await desk.books.of(unit, ticket.policy_version)
    values: dict[str, Value] = {
        "closes_at": book.instant(data.closes_at) if data.closes_at else None,
        "questions": questions(data.missing_information),
        "resolved": data.kind == "resolved",
    }
    return await tell_all(desk, unit, event, ticket, data.recipients, "reminder", values)


async def resolved(desk: Desk, unit: Unit, event: Envelope, ticket: Ticket) -> Ticket:
    """Say that it is solved and how to take it up again, with the specialist's last words."""
    book = await desk.books.of(unit, ticket.policy_version)
    closes_at = event.payload(TicketResolved).closes_at
    values: dict[str, Value] = {
        "reopen_days": book.policy.closing.reopen_window_days,
        "closes_at": book.instant(closes_at) if closes_at else None,
    }
    return await _part(desk, unit, event, ticket, "resolved", values)


async def closed(desk: Desk, unit: Unit, event: Envelope, ticket: Ticket) -> Ticket:
    """Say that it is closed, why, and how to take it up again; a sender of spam hears nothing."""
    data = event.payload(TicketClosed)
    if data.reason == "spam":
        # An answer would tell a spammer that the address is read.
        return replace(ticket, parting=None)
    book = await desk.books.of(unit, ticket.policy_version)
    closing = book.policy.closing
    values: dict[str, Value] = {
        "reason": next((known.title for known in closing.reasons if known.code == data.reason), data.reason),
        "circumstance": await _circumstance(desk, unit, ticket, data.circumstance),
        "reopen_days": closing.reopen_window_days,
        "referral": advice(book, data.refer_to),
        "goes_on_in": data.into_number,
        "goes_on_at": link_to(desk, data.into_number) if data.into_number else None,
    }
    return await _part(desk, unit, event, ticket, "closed", values)


async def unmerged(desk: Desk, unit: Unit, event: Envelope, ticket: Ticket) -> Ticket:
    """Say that a request which went on in another one is open again; whose own message opened it knows already."""
    data = event.payload(TicketEvent)
    recipients = data.recipients if data.actor.role in STAFF else []
    return await tell_all(desk, unit, event, ticket, recipients, "reopened", {})


async def triaged(desk: Desk, unit: Unit, event: Envelope, ticket: Ticket) -> Ticket:
    """Know the language that later mails are written in; tell of scope, a returned urgency, and what is now missing."""
    data = event.payload(TicketTriaged)
    if "language" in data.changes:
        ticket = replace(ticket, language=data.changes["language"][1])
    book = await desk.books.of(unit, ticket.policy_version)
    # One mail a judgement where the policy can: three in a row for one act of a specialist would be noise.
    for kind, values in judged(book, data):
        ticket = await tell_all(desk, unit, event, ticket, data.recipients, kind, values)
    return ticket


async def _part(
    desk: Desk, unit: Unit, event: Envelope, ticket: Ticket, kind: TextKind, values: Mapping[str, Value]
) -> Ticket:
    """Tell an ending together with the words left for it; where the policy's text takes none, the words win."""
    words = ticket.parting or {}
    book = await desk.books.of(unit, ticket.policy_version)
    recipients = event.payload(TicketEvent).recipients
    # A specialist's words are never dropped for want of a place in the policy's text.
    told = kind if not words or book.writer.prints(kind, "body") else "reply"
    ticket = await tell_all(desk, unit, event, ticket, recipients, told, {**values, **words})
    return replace(ticket, parting=None)


async def _circumstance(desk: Desk, unit: Unit, ticket: Ticket, code: str | None) -> str | None:
    """Return the policy's words for a circumstance (clause 4.8)."""
    book = await desk.books.of(unit, ticket.policy_version)
    known = book.policy.circumstance(code) if code else None
    return known.text if known else None


TELLINGS: Mapping[str, Telling] = {
    "ticket.replied": replied,
    "ticket.waiting": waiting,
    "ticket.supervisor_requested": supervisor_requested,
    "ticket.supervisor_answered": supervisor_answered,
    "ticket.reminded": reminded,
    "ticket.handed_over": handed_over,
    "ticket.release_planned": release_planned,
    "ticket.released": released,
    "ticket.resolved": resolved,
    "ticket.closed": closed,
    "ticket.triaged": triaged,
    "ticket.unmerged": unmerged,
    "ticket.access_requested": access.requested,
    "ticket.access_revealed": access.revealed,
    "ticket.access_purged": access.purged,
    "ticket.access_change_due": access.change_due,
}
"""What the client's side hears of; every other event of a request only moves its status."""

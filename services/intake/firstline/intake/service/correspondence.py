"""Messages and notes (clauses 4.4, 4.7): what a message from either side does to its request."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from firstline.common.addresses import normal_address
from firstline.common.events import (
    Author,
    Changes,
    Origin,
    OwedAnswer,
    TicketDuplicateLeft,
    TicketNoted,
    TicketReopened,
    TicketReplied,
    TicketResumed,
    TicketUnmerged,
)
from firstline.common.permissions import Access, Principal
from firstline.common.store.port import Unit
from firstline.intake.owing import Owed, owed_since, without
from firstline.intake.service.articles import linked, note_reading
from firstline.intake.service.attachments import attachment_refs, usable_attachments
from firstline.intake.service.change import Change
from firstline.intake.service.desk import SYSTEM
from firstline.intake.service.holding import Cleaned
from firstline.intake.service.information import fill, take_licence, together
from firstline.intake.service.licences import without_key
from firstline.intake.service.submission import NewTicket, Requester, check, compose
from firstline.intake.service.words import add_words
from firstline.intake.store.held_texts import ANY_HELD_TEXT
from firstline.intake.store.messages import ATTACH, INSERT_MESSAGE, Attachment
from firstline.intake.store.relations import DROP_MERGED_PARTICIPANTS, FORGET_MERGED_PARTICIPANTS, MERGED_INTO
from firstline.intake.store.tickets import OPEN_FOLLOWER, PARTICIPANTS, TICKET_TO_CHANGE, Participant
from firstline.intake.ticket import Side, Ticket, demand_text, within_window


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message as it comes in; `uploader` is who uploaded its attachments.

    Attributes:
        body: its text.
        author: who wrote it, and on which side.
        origin: by which channel, and what proves that.
        received_at: when it came; its place in the queue goes by that.
        attachment_ids: files that the uploader has sent before.
        article_ids: pages of documentation whose links go below the text (clause 4.7).
        fields: answers to questions for what is missing (clause 4.2).

    """

    body: str
    author: Author
    origin: Origin
    received_at: datetime
    uploader: str = ""
    attachment_ids: tuple[str, ...] = ()
    article_ids: tuple[str, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a message: its ID, the request that has it now, and the one it was written to, where not the same.

    That is either the one that it `follows`, having ended too long ago, or one that was `merged_from` into this one.
    """

    message_id: str
    ticket: Ticket
    participants: list[Participant]
    follows: str | None = None
    merged_from: str | None = None


def author_of(principal: Principal, side: Side) -> Author:
    """Return the caller as the author of a message."""
    return Author(id=principal.id, address=principal.email, name=principal.name, role=principal.role.value, side=side)


async def reply(change: Change, message: NewMessage, access: Access | None = None) -> Told:
    """Add a public message and let it have its effect.

    What the client's side writes to a merged request goes to the one that it goes on in, if the writer may read that
    one: takes part in it, or reaches it by `access`. Else the request is taken up again like any that was closed.

    Staff open a new request by answering it. A client's message ends waiting for the client, reopens what ended within
    the policy's window and starts a following request after it, or goes to the one that is open. Automatic mail has no
    effect but to be kept.

    Raises:
        IllegalTransition: staff can't write on a closed request.
        Invalid: no text, or an attachment that can't be used.

    """
    change.demand("messages", message.author.side)
    change.holding.channel = message.origin.channel
    if message.author.side == "client" and not message.origin.automatic:
        onward = await _onward(change, message, access) if change.ticket.merged_into else None
        if onward is not None:
            return replace(await reply(onward, message, access), merged_from=change.ticket.id)
        # Too late for this one: what follows it takes the message, or begins with it.
        if change.ticket.status in ("resolved", "closed") and not _may_reopen(change):
            following = await change.unit.one(OPEN_FOLLOWER, ticket_id=change.ticket.id)
            onward = await _reached(change, following, message, access) if following else None
            return await (reply(onward, message, access) if onward else _follow(change, message))
        return await take_client_message(change, message)
    if message.author.side == "staff" and change.ticket.status == "new":
        change.become(status="open")
    message_id = await add_message(change, message)
    if message.author.side == "staff":
        change.listen()  # something new to answer, with the whole time for it
    return Told(message_id, await change.save(), change.participants)


async def _onward(change: Change, message: NewMessage, access: Access | None) -> Change | None:
    """Return the request that a merged one goes on in, if the writer may read that one."""
    return await _reached(change, await end_of_merges(change), message, access)


async def _reached(change: Change, ticket: Ticket, message: NewMessage, access: Access | None) -> Change | None:
    """Return the change of another request, if the writer takes part in that one or reaches it."""
    participants = await change.unit.all(PARTICIPANTS, ticket_id=ticket.id)
    addresses = frozenset(person.address for person in participants)
    takes_part = normal_address(message.author.address or "") in addresses
    if not takes_part and not (access and access.covers(addresses, ticket.organization_id)):
        return None
    return Change(change.desk, change.unit, ticket, participants, change.actor)


async def end_of_merges(change: Change) -> Ticket:
    """Return the last of a chain of merged requests, locked; none is merged into one that is merged, so it ends."""
    ticket = change.ticket
    while ticket.merged_into is not None:
        following = await change.unit.one(TICKET_TO_CHANGE, id=ticket.merged_into)
        assert following is not None  # requests are never deleted
        ticket = following
    return ticket


def _may_reopen(change: Change) -> bool:
    """Say whether an ended request may still be taken up, by the policy that it was taken under."""
    policy, _ = change.desk.policies.of(change.ticket.policy_version)
    return within_window(change.ticket, policy.closing.reopen_window, change.now)


async def take_client_message(change: Change, message: NewMessage) -> Told:
    """Add a client's message to the request itself: it ends waiting for the client, or opens the request again.

    Raises:
        Invalid: no text, or an attachment that can't be used.

    """
    before = change.ticket
    # The answers in it are filled in first, so that the event of the message tells what it changed.
    message_id = await add_message(change, message, await fill(change, message.fields))
    if change.ticket.doc_refs != before.doc_refs:
        await note_reading(change.unit, change.ticket)
    if before.status in ("resolved", "closed"):
        await reopened(change, "client", message.received_at)
    elif before.status == "waiting" and before.waiting_cause == "client":
        change.go_open()
        change.say(TicketResumed, cause="client")
    return Told(message_id, await change.save(), change.participants)


async def reopened(change: Change, side: Side, at: datetime) -> None:
    """Open an ended request again and say so; `at` counts for its place in the queue. A merge ends by that.

    What was unanswered when it was merged and still is counts from its receipt.
    """
    if change.ticket.merged_into:
        change.become(owed=await _leave(change, side))
        at = min(at, owed_since(change.ticket.owed) or at)
        change.say(TicketUnmerged)
    change.go_open()
    change.become(reopen_count=change.ticket.reopen_count + 1)
    change.say(TicketReopened, side=side, received_at=at)


async def _leave(change: Change, side: Side) -> Owed:
    """Take a request out of all that it goes on in; return which answers it is owed again.

    Who took part there only because of it, or of what was merged into it, no longer does.
    """
    away, owed = await with_merged(change.unit, change.ticket.id), dict(change.ticket.owed)
    # Who doesn't take part there isn't named there; a system still knows what it caused.
    actor = change.actor if side == "staff" else SYSTEM.model_copy(update={"client_id": change.actor.client_id})
    into_id = change.ticket.merged_into
    # All along the chain: what is merged on owes its answers at the end of it too.
    while into_id is not None:
        ticket = await change.unit.one(TICKET_TO_CHANGE, id=into_id)
        assert ticket is not None  # requests are never deleted
        await change.unit.run(FORGET_MERGED_PARTICIPANTS, ticket_id=into_id, merged_from=away)
        await change.unit.run(DROP_MERGED_PARTICIPANTS, ticket_id=into_id)
        people = await change.unit.all(PARTICIPANTS, ticket_id=into_id)
        into = Change(change.desk, change.unit, ticket, people, actor)
        owed |= await _give_back(into, change.ticket, away)
        into_id = ticket.merged_into
    return owed


async def with_merged(unit: Unit, ticket_id: str) -> list[str]:
    """Return the IDs of a request and of all that go on in it."""
    found = level = [ticket_id]
    while level := await unit.all(MERGED_INTO, ticket_ids=level):
        found = [*found, *level]
    return sorted(found)


async def _give_back(into: Change, duplicate: Ticket, away: list[str]) -> Owed:
    """Tell a request that a duplicate goes its own way; return the answers that are owed there from now on."""
    policy, _ = into.desk.policies.of(into.ticket.policy_version)
    await remark(into, policy.relations.text("unmerged", duplicate.number))
    left = without(into.ticket.owed, away)
    owed = without(into.ticket.owed, [*left])
    into.say(
        TicketDuplicateLeft,
        duplicate=duplicate.id,
        duplicate_number=duplicate.number,
        owed=[OwedAnswer.model_validate({"ticket_id": one, "since": since}) for one, since in owed.items()],
        owed_since=owed_since(left),
    )
    await into.save()
    return owed


async def add_message(change: Change, message: NewMessage, changes: Changes | None = None) -> str:
    """Store a public message and note its event, with what the message changed; return its ID.

    Raises:
        Invalid: no text, or an attachment that can't be used.

    """
    links = await linked(change.unit, message.article_ids)
    body = demand_text(f"{message.body.rstrip()}\n\n{links}" if links else message.body)
    attachments = await usable_attachments(change.desk, change.unit, message.uploader, message.attachment_ids)
    message_id, clean = await _store(change, message, body, "public")
    await _attach(change, message_id, attachments)
    change.say(
        TicketReplied,
        message_id=message_id,
        author=message.author,
        body=clean.text,
        masked=clean.masks,
        attachments=attachment_refs(attachments),
        received_at=message.received_at,
        origin=message.origin,
        changes=changes or {},
        licence_id=change.ticket.licence_id,
        entitlement=change.ticket.entitlement,
    )
    if clean.masks and message.author.side == "client" and not message.origin.automatic:
        await _tell_once(change)
    return message_id


async def _tell_once(change: Change) -> None:
    """Tell whoever pasted a secret what became of it: the first time in a request, in its correspondence."""
    if await change.unit.one(ANY_HELD_TEXT, ticket_id=change.ticket.id) is None:
        await remark(change, change.desk.policies.current.pasted_secrets.told)


async def remark(change: Change, text: str) -> None:
    """Write into the correspondence what the desk did with the request; it answers nothing and is mailed to nobody."""
    actor = change.actor
    author = Author(id=actor.id, role=actor.role, side="staff")
    await add_message(change, NewMessage(text, author, Origin(channel="api", automatic=True), change.now))


async def note(change: Change, message: NewMessage) -> Told:
    """Add an internal note: clients never see it, and it counts for nothing."""
    change.holding.channel = message.origin.channel
    message_id, clean = await _store(change, message, demand_text(message.body), "internal")
    change.say(TicketNoted, message_id=message_id, masked=clean.masks)
    return Told(message_id, await change.save(), change.participants)


async def _store(change: Change, message: NewMessage, body: str, audience: str) -> tuple[str, Cleaned]:
    """Store a message without the secrets in it; return its ID and its text as it stands now."""
    message_id = change.desk.ports.ids.new()
    clean = change.holding.text(body, "body", message_id)
    # A key in a client's text tells the licence before it is masked; in a specialist's it proves nothing.
    if message.author.side == "client":
        for key in clean.keys:
            await take_licence(change, key, known_only=True)
    await change.unit.run(
        INSERT_MESSAGE,
        id=message_id,
        ticket_id=change.ticket.id,
        audience=audience,
        side=message.author.side,
        author_id=message.author.id,
        author_name=message.author.name,
        author_role=message.author.role,
        body=clean.text,
        channel=message.origin.channel,
        automatic=message.origin.automatic,
        verified=message.origin.verified,
        mail_id=message.origin.mail_id,
        received_at=message.received_at,
        created_at=change.now,
    )
    await add_words(change.unit, change.ticket.id, audience, clean.text)
    return message_id, clean


async def _attach(change: Change, message_id: str, attachments: tuple[Attachment, ...]) -> None:
    """Bind files to a message."""
    rows = [
        {"attachment_id": attachment.id, "message_id": message_id, "ticket_id": change.ticket.id}
        for attachment in attachments
    ]
    await change.unit.many(ATTACH, rows)


async def _follow(change: Change, message: NewMessage) -> Told:
    """Start a new request that follows one which ended too long ago (POLICY reading A9)."""
    old = change.ticket
    fields, key = without_key(message.fields)
    new = NewTicket(
        subject=old.subject,
        body=demand_text(message.body),
        requester=Requester(old.requester_email, old.requester_name, old.requester_id, old.language),
        copied=tuple(Requester(p.address, p.name, None, p.language) for p in change.participants),
        origin=message.origin,
        actor=change.actor,
        received_at=message.received_at,
        author_name=message.author.name,
        uploader=message.uploader,
        organization_id=old.organization_id,
        # The policy in force may have dropped the topic since.
        topic=old.topic if old.topic in change.desk.policies.rules.topics else None,
        product=old.product,
        licence_key=key,
        licence_id=old.licence_id,
        version=old.product_version,
        fields=together(old.fields, fields),
        attachment_ids=message.attachment_ids,
        follows=old.id,
    )
    # Under the old request's lock: a second message at the same moment waits, and then finds this one as its follower.
    composed = compose(change.desk, new, await check(change.desk, change.unit, new))
    for sql, given in composed.rows:
        await change.unit.run(sql, **given)
    change.unit.announce("log")
    return Told(composed.message_id, composed.ticket, change.participants, follows=old.id)

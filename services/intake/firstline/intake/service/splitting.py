"""Splitting: a client's message that holds a question of its own becomes a request of its own (clause 2.4).

The new request keeps the message's receipt time for its place in the queue; its clocks start at the split.
"""

from dataclasses import dataclass, replace

from firstline.common.errors import Conflict, Fault, Invalid
from firstline.common.events import Author, Origin, TicketSplit
from firstline.intake.service.attachments import attachment_row
from firstline.intake.service.change import Change, find
from firstline.intake.service.correspondence import remark
from firstline.intake.service.submission import Judged, NewTicket, Requester, check, compose
from firstline.intake.store.mails import MAIL
from firstline.intake.store.messages import (
    ATTACHMENTS_OF_MESSAGE,
    INSERT_ATTACHMENT,
    MESSAGE,
    SPLIT_OFF,
    Attachment,
    Message,
)
from firstline.intake.ticket import Side, Ticket, demand_text


class AlreadySplit(Conflict):
    """The message has a request of its own; `ticket_id` and `number` name it."""

    title = "The message was split off before"


@dataclass(frozen=True, slots=True)
class Part:
    """What is split off: a message, the new request's subject, and the part of the text (None: all of it)."""

    message_id: str
    subject: str
    body: str | None = None


async def split(change: Change, part: Part) -> Ticket:
    """Make a request of a client's message, with its files and all who take part; return the new one.

    Raises:
        Invalid: it is no message of a client in this request, or the text can't be taken.
        AlreadySplit: it has a request of its own.

    """
    change.demand("split", "staff")
    message = await _message(change, part.message_id)
    new = await _new(change, message, part)
    # Under the policy in force, like any new request: it is one, though its message is older.
    judged = await _judged(change, new)
    copies = await _copied_attachments(change, message)
    composed = compose(change.desk, new, replace(judged, attachments=copies))
    for sql, given in composed.rows:
        await change.unit.run(sql, **given)
    await change.unit.run(SPLIT_OFF, id=message.id, into=composed.ticket.id)
    await _tell_old(change, message, composed.ticket)
    return await _tell_new(change, composed.ticket)


async def _message(change: Change, message_id: str) -> Message:
    """Return the client's message that is to be split off."""
    message = await change.unit.one(MESSAGE, id=message_id)
    if message is None or message.ticket_id != change.ticket.id:
        fault = Fault("/message_id", "Use the ID of a message of this request.")
        raise Invalid("This request has no such message.", faults=(fault,))
    if message.audience != "public" or message.side != "client":
        fault = Fault("/message_id", "Use the ID of a message from the client's side.")
        raise Invalid("Only what a client wrote can become a request of its own.", faults=(fault,), clause="2.4")
    if message.split_into is not None:
        into = await find(change.unit, message.split_into)
        raise AlreadySplit(
            f"This message has a request of its own, {into.number}. If it holds a third question, split it off there.",
            extra={"ticket_id": into.id, "number": into.number},
        )
    return message


async def _new(change: Change, message: Message, part: Part) -> NewTicket:
    """Return the new request: the people, organisation and product of the old one, the message's author and time.

    The topic is left open: it is another problem.
    """
    old = change.ticket
    side: Side = "client"
    return NewTicket(
        subject=change.clean(part.subject, "subject") or part.subject,
        # The message was looked at when it came; a specialist may have restored what is no secret.
        body=change.clean(demand_text(part.body), "body") or ""
        if part.body not in (None, message.body)
        else message.body,
        cleared=True,
        requester=Requester(old.requester_email, old.requester_name, old.requester_id, old.language),
        copied=tuple(Requester(p.address, p.name, None, p.language) for p in change.participants),
        origin=await _origin(change, message),
        actor=change.actor,
        received_at=message.received_at,
        author=Author(id=message.author_id, name=message.author_name, role=message.author_role, side=side),
        organization_id=old.organization_id,
        product=old.product,
        licence_id=old.licence_id,
        version=old.product_version,
        split_from=old,
    )


async def _origin(change: Change, message: Message) -> Origin:
    """Return how the message came in; who splits off what a robot wrote takes it for a person's question."""
    mail = await change.unit.one(MAIL, id=message.mail_id) if message.mail_id else None
    return Origin(
        channel=message.channel,
        verified=message.verified,
        mail_id=message.mail_id,
        message_id=mail.message_id if mail else None,
    )


async def _judged(change: Change, new: NewTicket) -> Judged:
    """Judge the new request; nobody is told to take it apart."""
    judged = await check(change.desk, change.unit, new)
    return replace(judged, judgement=replace(judged.judgement, hints=()))


async def _copied_attachments(change: Change, message: Message) -> tuple[Attachment, ...]:
    """Give the new request rows of its own for the message's files; the bytes are shared."""
    found = await change.unit.all(ATTACHMENTS_OF_MESSAGE, ticket_id=message.ticket_id, message_id=message.id)
    ids = change.desk.ports.ids
    # Rows of their own, because an attachment comes with one message only and each request answers for its own files.
    copies = tuple(replace(attachment, id=ids.new(), created_at=change.now) for attachment in found)
    await change.unit.many(INSERT_ATTACHMENT, [attachment_row(copy) for copy in copies])
    return copies


async def _tell_old(change: Change, message: Message, new: Ticket) -> None:
    """Say in the old request that a part of it goes on elsewhere."""
    policy, _ = change.desk.policies.of(change.ticket.policy_version)
    await remark(change, policy.relations.text("split_off", new.number))
    change.say(TicketSplit, message_id=message.id, into=new.id, into_number=new.number)
    await change.save()


async def _tell_new(old: Change, new: Ticket) -> Ticket:
    """Say in the new request where it comes from; return it."""
    change = Change(old.desk, old.unit, new, old.participants, old.actor)
    policy, _ = change.desk.policies.of(new.policy_version)
    await remark(change, policy.relations.text("split_from", old.ticket.number))
    return await change.save()

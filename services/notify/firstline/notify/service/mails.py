"""Writing mails: one delivery a recipient, put down in the transaction that applies the event (clause 4.4).

A mail is composed once; every attempt sends the same bytes with the same Message-ID. What isn't sent leaves a reason.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from firstline.common.addresses import message_id, normal_address, read_reply_address, reply_address
from firstline.common.envelope import Envelope
from firstline.common.errors import FirstlineError
from firstline.common.events import DeliveryFailed, Recipient
from firstline.common.log import current_traceparent
from firstline.common.mail import BadAddress, Mailbox, OutgoingMail, compose
from firstline.common.policy.wording import TextKind
from firstline.common.store.port import Unit
from firstline.common.store.port import Value as Stored
from firstline.notify.service.desk import MAIL, SYSTEM, Book, Desk
from firstline.notify.store.deliveries import ANSWERS_ON_TICKET, ANSWERS_TO, ANSWERS_TO_STRANGERS, INSERT_DELIVERY
from firstline.notify.store.directory import PERSON_BY_EMAIL, Ticket
from firstline.notify.wording import Value

MOST_ANSWERS_ON_TICKET = 2
# A known machine that loses the ID opens a new request with each answer, which the cap per request does not see.
MOST_ANSWERS_AN_HOUR = 60
# The header that names them must not grow with the correspondence; programs thread by the last few.
KEPT_MESSAGE_IDS = 40
HOUR = timedelta(hours=1)
STRANGERS: TextKind = "acknowledgement_unknown_sender"

REASONS = {
    "automatic": "The message came from a machine; machines get no answer.",
    "own_address": "The address is the desk's own.",
    "loop_guard": f"{MOST_ANSWERS_ON_TICKET} answers to messages on this request went to this address already.",
    "no_text": "The policy version of the request has no text for this.",
    "rate_cap_address": "This address got as many answers within the last hour as it may.",
    "rate_cap_strangers": "Unknown senders together got as many acknowledgements within the last hour as they may.",
}
"""Why a mail was not written, as deliveries tell it."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A mail to write.

    Attributes:
        kind: which of the policy's texts.
        to: whom.
        values: what the text may print beside what every text may.
        answers: whether a client's message caused it, so that a machine at the other end could make a loop of it.
        automatic: whether that message is known to come from a machine.
        by_mail: whether it came by mail.

    """

    kind: TextKind
    to: Recipient
    values: Mapping[str, Value]
    answers: bool = False
    automatic: bool = False
    by_mail: bool = False


async def write_mail(desk: Desk, unit: Unit, event: Envelope, ticket: Ticket, notice: Notice) -> Ticket:
    """Put down one mail to be sent, or the reason why it is not; return the ticket with its conversation."""
    book = await desk.books.of(unit, ticket.policy_version)
    address = normal_address(notice.to.address)
    reason = await _why_not(desk, unit, book, ticket, address, notice)
    if reason is not None:
        await _put_down(desk, unit, event, ticket, notice, state="suppressed", reason=reason)
        return ticket
    delivery_id = desk.ports.ids.new()
    # Made before anything is sent and kept with the delivery:
    # every attempt has it, and receivers drop repetitions by it.
    mark = message_id(desk.mail_key, ticket.number, delivery_id, desk.address.rpartition("@")[2])
    # Nothing is put down before the address is known to be usable, so that a failure leaves exactly one delivery.
    try:
        payload = compose(await _mail(desk, unit, book, ticket, notice, mark))
    except BadAddress as error:
        await _fail(desk, unit, event, ticket, notice, error)
        return ticket
    await _put_down(desk, unit, event, ticket, notice, id=delivery_id, message_id=mark, payload=payload)
    unit.announce(MAIL)
    return heard(ticket, [mark], address)


async def tell_all(
    desk: Desk,
    unit: Unit,
    event: Envelope,
    ticket: Ticket,
    recipients: Sequence[Recipient],
    kind: TextKind,
    values: Mapping[str, Value],
    *,
    answers: bool = False,
    by_mail: bool = False,
) -> Ticket:
    """Write one mail to each recipient; return the ticket with its conversation."""
    for recipient in recipients:
        notice = Notice(kind, recipient, values, answers=answers, by_mail=by_mail)
        ticket = await write_mail(desk, unit, event, ticket, notice)
    return ticket


def link_to(desk: Desk, number: str) -> str:
    """Return the address of a request's page."""
    return f"{desk.public_url}/requests/{number}"


def heard(ticket: Ticket, message_ids: list[str], address: str | None = None) -> Ticket:
    """Return the ticket with Message-IDs added to its conversation: received, or sent to an address."""
    added: list[list[str | None]] = [[one, address] for one in message_ids]
    return replace(ticket, conversation=[*ticket.conversation, *added][-KEPT_MESSAGE_IDS:])


def thread(conversation: list[list[str | None]], address: str) -> tuple[str | None, tuple[str, ...]]:
    """Return the Message-ID that a mail to an address answers, and those of its thread, that one last (RFC 5322).

    It answers the client's last mail, else our last one to that address.
    """
    seen = [(one, to) for one, to in conversation if one and to in (None, address)]
    if not seen:
        return None, ()
    # Whose program threads by the parent shows our mail under the
    # client's own; older ones of ours come along as references.
    parent = ([one for one, to in seen if to is None] or [one for one, _ in seen])[-1]
    others = dict.fromkeys(one for one, _ in seen if one != parent)
    return parent, (*others, parent)


async def _why_not(desk: Desk, unit: Unit, book: Book, ticket: Ticket, address: str, notice: Notice) -> str | None:
    """Return a key of REASONS, or None when the mail is to be written."""
    if notice.automatic:
        return "automatic"
    if address == normal_address(desk.address) or read_reply_address(desk.mail_key, address) is not None:
        return "own_address"
    # A request keeps the policy that it was taken under, which may be older than this text.
    if not book.writer.knows(notice.kind):
        return "no_text"
    return await _over_the_cap(desk, unit, book, ticket, address, notice) if notice.answers else None


async def _over_the_cap(desk: Desk, unit: Unit, book: Book, ticket: Ticket, address: str, notice: Notice) -> str | None:
    """Bound what leaves without a person's doing: two machines could answer each other for ever (P14)."""
    if (await unit.one(ANSWERS_ON_TICKET, ticket_id=ticket.id, recipient=address) or 0) >= MOST_ANSWERS_ON_TICKET:
        return "loop_guard"
    # Who writes in the portal is signed in, and no machine answers there.
    stranger = notice.kind == STRANGERS
    if not (notice.by_mail or stranger):
        return None
    caps, since = book.policy.mail.acknowledgements_per_hour, desk.now() - HOUR
    most = caps.per_address if stranger else MOST_ANSWERS_AN_HOUR
    if (await unit.one(ANSWERS_TO, recipient=address, since=since) or 0) >= most:
        return "rate_cap_address"
    if stranger and (await unit.one(ANSWERS_TO_STRANGERS, since=since) or 0) >= caps.all_unknown:
        return "rate_cap_strangers"
    return None


async def _mail(desk: Desk, unit: Unit, book: Book, ticket: Ticket, notice: Notice, mark: str) -> OutgoingMail:
    """Return the mail in the recipient's language; a stranger gets nothing that the stranger wrote."""
    now, to = desk.now(), notice.to
    person = await unit.one(PERSON_BY_EMAIL, email=normal_address(to.address))
    # What the event says is the nearest to the request; the person's own wish is next.
    language = to.language or (person.language if person else None) or ticket.language
    name = (to.name or (person.name if person else None) or "") if notice.kind != STRANGERS else ""
    values: dict[str, Value] = {
        "desk": book.policy.title,
        "number": ticket.number,
        "link": link_to(desk, ticket.number),
        "hours": book.hours(now),
        "next_opening": book.next_opening(now),
        "name": name,
        "subject": ticket.subject,
        **notice.values,
    }
    letter = book.writer.letter(notice.kind, language, values)
    parent, references = thread(ticket.conversation, normal_address(to.address))
    return OutgoingMail(
        message_id=mark,
        date=now,
        sender=Mailbox(desk.address, book.policy.title),
        to=(Mailbox(to.address, name),),
        subject=letter.subject,
        text=letter.text,
        reply_to=Mailbox(reply_address(desk.mail_key, ticket.number, desk.address)),
        in_reply_to=parent,
        references=references,
        automatic="auto-replied" if notice.answers else "auto-generated",
    )


async def _fail(desk: Desk, unit: Unit, event: Envelope, ticket: Ticket, notice: Notice, error: FirstlineError) -> None:
    """Tell the specialists of a mail that can't even be addressed."""
    delivery_id = desk.ports.ids.new()
    await _put_down(desk, unit, event, ticket, notice, id=delivery_id, state="failed", reason=error.detail)
    failed = DeliveryFailed(
        actor=SYSTEM,
        organization_id=event.data.get("organization_id"),
        delivery_id=delivery_id,
        channel=MAIL,
        ticket_id=ticket.id,
        reason=error.detail,
    )
    desk.log.tell(unit, f"delivery/{delivery_id}", failed)


async def _put_down(desk: Desk, unit: Unit, event: Envelope, ticket: Ticket, notice: Notice, **values: Stored) -> None:
    """Insert the delivery; an answer through which a machine is answered goes out under the null sender (RFC 3834)."""
    now: datetime = desk.now()
    row: dict[str, Stored] = {
        "id": values.get("id") or desk.ports.ids.new(),
        "channel": MAIL,
        "kind": notice.kind,
        "event_id": event.id,
        "ticket_id": ticket.id,
        "number": ticket.number,
        "endpoint_id": None,
        "recipient": normal_address(notice.to.address),
        # What bounces of an answer comes back to nobody, and two machines can't keep each other busy; all else comes
        # back to the request, whose specialist then hears that a mail didn't arrive.
        "mail_from": "" if notice.answers else reply_address(desk.mail_key, ticket.number, desk.address),
        "message_id": None,
        "state": "pending",
        "reason": "",
        "payload": None,
        "created_at": now,
        "traceparent": current_traceparent(),
    }
    row |= values
    waiting = row["state"] == "pending"
    row |= {"automatic": waiting and notice.answers, "next_at": now if waiting else None}
    await unit.run(INSERT_DELIVERY, **row, finished_at=None if waiting else now)

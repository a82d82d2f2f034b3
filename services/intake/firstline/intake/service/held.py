"""Held mail: a specialist lets it into a request, opens one of it, or rejects it (clause 4.4, reading A11).

It counts from its receipt, however late it is judged. Its raw bytes are read anew, so that nothing of it is cut short.
"""

from dataclasses import dataclass, replace

from firstline.common.addresses import normal_address
from firstline.common.errors import Conflict, Fault, Invalid, NotFound
from firstline.common.events import Actor, Recipient, TicketHeldMail, TicketParticipantAdded
from firstline.common.permissions import STAFF, Principal, Role
from firstline.common.store.port import Unit
from firstline.intake.inbound import UNREADABLE, Decision, Outcome, let_in
from firstline.intake.parser import Parser
from firstline.intake.service.attachments import drop_unused
from firstline.intake.service.change import Change, actor_of, find
from firstline.intake.service.correspondence import reply
from firstline.intake.service.desk import Desk
from firstline.intake.service.holding import without_secrets
from firstline.intake.service.inbound import MailSettings, Read, change_of, message_of, open_request, raw_of, read_mail
from firstline.intake.service.submission import Requester
from firstline.intake.store.directory import PERSON_BY_EMAIL, Person
from firstline.intake.store.mails import HELD, HELD_TO_JUDGE, JUDGE, MAIL, Mail
from firstline.intake.store.relations import OWN_PARTICIPANT
from firstline.intake.store.tickets import INSERT_PARTICIPANT, Participant


class MailJudged(Conflict):
    """Only held mail can be judged; `outcome` and `ticket_id` say what has become of this one."""

    title = "The mail is not held (any more)"


class MailUnreadable(Conflict):
    """Nothing can be read in the mail: reject it, and ask its sender by another way to write again."""

    title = "The mail can't be read"


class NoSender(Invalid):
    """The mail names nobody, so a request of it needs a requester."""

    title = "The mail names no sender"


@dataclass(frozen=True, slots=True)
class MailRoom:
    """What reading a held mail takes: the desk, what parses, and the settings that it was held under."""

    desk: Desk
    parser: Parser
    settings: MailSettings

    async def read(self, mail_id: str) -> Read | None:
        """Return a held mail with its files judged and kept; None if it isn't held (any more).

        Raises:
            NotFound: no mail has this ID.
            MailUnreadable: the parser makes nothing of it.

        """
        held = await self.desk.store.read(lambda unit: unit.one(HELD, id=mail_id))
        if held is None:
            # Only for the error: no mail at all is another answer than one that was judged.
            await self.desk.store.read(lambda unit: mail_of(unit, mail_id))
            return None
        raw = await raw_of(self.desk, held.id, held.file_key)
        mail, payloads = await self.parser.parse(raw)
        if UNREADABLE.intersection(mail.problems):
            raise MailUnreadable("Nothing can be read in this mail. Reject it, and ask its sender to write again.")
        return await read_mail(self.desk, held, mail, payloads)

    async def tidy(self, read: Read | None) -> None:
        """Delete the bytes of files that came into no request."""
        if read is not None:
            await drop_unused(self.desk, read.attachments)


async def mail_of(unit: Unit, mail_id: str) -> Mail:
    """Return a mail that came in.

    Raises:
        NotFound: no mail has this ID.

    """
    mail = await unit.one(MAIL, id=mail_id)
    if mail is None:
        raise NotFound("No mail with this ID came in. Check the ID.")
    return mail


async def accept(
    room: MailRoom,
    unit: Unit,
    principal: Principal,
    mail_id: str,
    read: Read | None,
    ticket: str | None = None,
    *,
    takes_part: bool = False,
) -> Mail:
    """Add a held mail to the request that it names, or to another; it has the effect of any message of a client's.

    Args:
        room: reads and knows mail.
        unit: the transaction.
        principal: the specialist.
        mail_id: the mail.
        read: what stands in it, None where it wasn't held when it was to be read.
        ticket: ID or number of another request than the one that it names.
        takes_part: its sender takes part in the request from now on.

    Raises:
        MailJudged: it isn't held (any more).
        Invalid: it names no request and none is given, or its sender can't take part.
        NotFound: there is no such request.

    """
    mail, read = await _to_judge(unit, mail_id, read)
    if ticket is None and mail.ticket_id is None:
        raise Invalid("The mail names no request.", faults=(Fault("/ticket_id", "Say which request it belongs to."),))
    found = await find(unit, ticket or mail.ticket_id or "")
    while found.merged_into is not None:  # what a specialist lets in goes on where the request does
        found = await find(unit, found.merged_into)
    change = await change_of(room.desk, unit, found.id, actor_of(principal))
    sender = await _sender(unit, read.mail.from_address)
    if takes_part:
        await _add_sender(change, read, sender)
    # Receipt and proof are the mail's own; only the judgement is the specialist's.
    decision = let_in(read.mail, read.envelope, room.settings.rules, room.settings.key)
    told = await reply(change, await message_of(change, read, decision, sender))
    outcome = Outcome.NEW_TICKET if told.follows else Outcome.APPENDED
    return await _judged(room.desk, unit, mail, principal, replace(decision, outcome=outcome, ticket_id=told.ticket.id))


async def _add_sender(change: Change, read: Read, sender: Person | None) -> None:
    """Let a mail's sender take part in the request.

    Raises:
        Invalid: the mail names none, or it is one of the staff, who answer requests and take part in none.

    """
    address = read.mail.from_address
    if address is None or _is_staff(sender):
        fault = Fault("/participant", "Leave it out: the mail names no sender, or one of the staff.")
        raise Invalid("The sender can't take part.", faults=(fault,))
    # They take part already, perhaps by a merge alone: from now on in their own right, whatever becomes of the merge.
    if any(person.address == address for person in change.participants):
        await change.unit.run(OWN_PARTICIPANT, ticket_id=change.ticket.id, address=address)
        return
    name, language = read.mail.from_name or (sender.name if sender else None), sender.language if sender else None
    added = Participant(change.ticket.id, address, name, language or change.ticket.language)
    await change.unit.run(
        INSERT_PARTICIPANT, ticket_id=added.ticket_id, address=address, name=name, language=added.language
    )
    change.participants.append(added)
    recipient = Recipient(address=address, name=name, language=added.language)
    change.say(TicketParticipantAdded, participant=recipient)


async def open_new(
    room: MailRoom, unit: Unit, principal: Principal, mail_id: str, read: Read | None, requester: Requester | None
) -> Mail:
    """Open a new request of a held mail, for its sender unless another requester is named.

    Raises:
        MailJudged: it isn't held (any more).
        NoSender: it names no sender, and no requester is given.
        ChannelNotOfficial: the policy registers nothing by mail.
        LicenceNotActive: it registers no request in this state of the licence.

    """
    mail, read = await _to_judge(unit, mail_id, read)
    address = normal_address(requester.email) if requester else read.mail.from_address
    if address is None:
        fault = Fault("/requester", "Name the person whom the acknowledgement and the answers go to.")
        raise NoSender("The mail names no sender. Say whose request it is.", faults=(fault,))
    sender = await _sender(unit, address)
    # What was given counts before what the mail says, and that before what accounts know.
    whose = Requester(
        address,
        (requester.name if requester else read.mail.from_name) or (sender.name if sender else None),
        sender.id if sender else None,
        (requester.language if requester else None) or (sender.language if sender else None),
    )
    known = let_in(read.mail, read.envelope, room.settings.rules, room.settings.key)
    decision = replace(known, outcome=Outcome.NEW_TICKET, reason="opened")
    organization_id = sender.organization_id if sender else None
    actor = actor_of(principal)
    ticket_id = await open_request(room.desk, unit, read, decision, whose, organization_id, actor)
    await _tell_beside(room.desk, unit, mail, actor, decision)
    return await _judged(room.desk, unit, mail, principal, replace(decision, ticket_id=ticket_id))


async def reject(desk: Desk, unit: Unit, principal: Principal, mail_id: str, remark: str) -> Mail:
    """Refuse a held mail for good; nobody is told, for its sender may be anybody.

    Raises:
        NotFound: no mail has this ID.
        MailJudged: it isn't held (any more).

    """
    if await unit.one(HELD_TO_JUDGE, id=mail_id) is None:
        raise _what_became(await mail_of(unit, mail_id))
    mail = await mail_of(unit, mail_id)
    decision = Decision(Outcome.REFUSED, "rejected", mail.ticket_id)
    await _tell_beside(desk, unit, mail, actor_of(principal), decision)
    return await _judged(desk, unit, mail, principal, decision, without_secrets(desk, remark))


async def _to_judge(unit: Unit, mail_id: str, read: Read | None) -> tuple[Mail, Read]:
    """Return a held mail, locked against a second specialist who judges it at the same moment."""
    held = await unit.one(HELD_TO_JUDGE, id=mail_id)
    mail = await mail_of(unit, mail_id)
    if held is None or read is None:
        raise _what_became(mail)
    return mail, read


def _what_became(mail: Mail) -> MailJudged:
    """Return the error that says what became of a mail that isn't held."""
    state = f"It is {mail.outcome} ({mail.reason})" if mail.outcome else "It waits to be judged by itself"
    extra = {"outcome": mail.outcome, "ticket_id": mail.ticket_id}
    return MailJudged(f"{state}; only held mail can be judged. Read it again.", extra=extra)


async def _sender(unit: Unit, address: str | None) -> Person | None:
    """Return whom accounts know by an address."""
    return await unit.one(PERSON_BY_EMAIL, email=address) if address else None


def _is_staff(sender: Person | None) -> bool:
    """Say whether somebody answers requests."""
    return sender is not None and sender.active and Role(sender.role) in STAFF


async def _tell_beside(desk: Desk, unit: Unit, mail: Mail, actor: Actor, decision: Decision) -> None:
    """Say in the history of the request that a mail was held beside that it won't come into it."""
    if mail.ticket_id is not None:
        change = await change_of(desk, unit, mail.ticket_id, actor)
        change.say(TicketHeldMail, mail_id=mail.id, reason=decision.reason, outcome=decision.outcome.value)
        await change.save()


async def _judged(
    desk: Desk, unit: Unit, mail: Mail, principal: Principal, decision: Decision, remark: str | None = None
) -> Mail:
    """Write down what became of a held mail, and return it as it is now."""
    await unit.run(
        JUDGE,
        id=mail.id,
        outcome=decision.outcome.value,
        reason=decision.reason,
        ticket_id=decision.ticket_id,
        decided_by=principal.id,
        decided_at=desk.now(),
        remark=remark,
    )
    return await mail_of(unit, mail.id)

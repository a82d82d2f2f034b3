"""Mail that comes in (clauses 4.1, 4.4): kept before it is accepted, then judged once, with exactly one outcome."""

import hashlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from firstline.common.errors import NotFound, OutcomeUnknown
from firstline.common.events import Actor, Author, Origin, TicketHeldMail
from firstline.common.log import CHANNEL
from firstline.common.permissions import STAFF, Role
from firstline.common.raw_mail import MAIL_BYTES, read_raw_mail, sealed_mail
from firstline.common.store.port import Insertion, Unit, Value
from firstline.intake.inbound import (
    Candidate,
    Decision,
    Envelope,
    MailRules,
    Outcome,
    decide,
    fingerprint,
    proposals,
    ticket_subject,
)
from firstline.intake.mail import ParsedMail
from firstline.intake.service.attachments import Upload, attachment_row, keep_mailed
from firstline.intake.service.change import Change
from firstline.intake.service.correspondence import NewMessage, note, reply
from firstline.intake.service.desk import SYSTEM, Desk
from firstline.intake.service.holding import without_secrets
from firstline.intake.service.information import mailed
from firstline.intake.service.licences import without_key
from firstline.intake.service.submission import NewTicket, Requester, check, compose
from firstline.intake.store.directory import PERSON_BY_EMAIL, Person
from firstline.intake.store.mails import DECIDE, INSERT_MAIL, SAME_MAIL, STILL_PENDING, PendingMail
from firstline.intake.store.messages import INSERT_ATTACHMENT, Attachment
from firstline.intake.store.sealed import MAIL_FILE
from firstline.intake.store.tickets import PARTICIPANTS, TICKET_BY_NUMBER, TICKET_TO_CHANGE
from firstline.intake.ticket import BODY_LIMIT

MAIL_CHANNEL = "mail"
TEXT_SHOWN = 20_000
NO_TEXT = "(The mail has no text.)"


@dataclass(frozen=True, slots=True)
class MailSettings:
    """The desk's addresses and sender check, and the key behind its signed addresses and Message-IDs."""

    rules: MailRules
    key: bytes


@dataclass(frozen=True, slots=True)
class Read:
    """A mail that has been read, with its files judged and kept."""

    pending: PendingMail
    mail: ParsedMail
    attachments: tuple[Attachment, ...]

    @property
    def envelope(self) -> Envelope:
        """How it came."""
        return Envelope(self.pending.mail_from, tuple(self.pending.rcpt_to))

    @property
    def uploader(self) -> str:
        """The name under which its files are kept."""
        return f"mail:{self.pending.id}"


async def keep_mail(desk: Desk, raw: bytes, mail_from: str, rcpt_to: tuple[str, ...]) -> str:
    """Keep a mail durably as it came; once this returns, SMTP may say 250. Return its ID.

    Raises:
        Unavailable: nothing was kept, because the vault is locked among other reasons; the peer may try again.

    """
    mail_id = desk.ports.ids.new()
    # Away from the event loop, since a mail may have 25 MiB.
    sealed = await desk.ports.offload(lambda: sealed_mail(desk.vault, mail_id, raw))
    stored = await desk.files.put(_once(sealed.to_bytes()), MAIL_BYTES)
    try:
        return await _keep_row(desk, mail_id, raw, stored.key, sealed.key_id, mail_from, rcpt_to)
    except OutcomeUnknown:  # the row may be there, so its file stays
        raise
    except Exception:
        await desk.files.delete(stored.key)  # a peer that tries again for days must not fill the disk
        raise


async def _keep_row(
    desk: Desk, mail_id: str, raw: bytes, file_key: str, key_id: str, mail_from: str, rcpt_to: tuple[str, ...]
) -> str:
    """Store the row of a mail whose bytes are durable; return its ID."""
    row: dict[str, Value] = {
        "id": mail_id,
        # Of the mail as it came, so that it can be told from any other whatever seals it.
        "sha256": hashlib.sha256(raw).hexdigest(),
        "size": len(raw),
        "file_key": file_key,
        "key_id": key_id,
        "mail_from": mail_from,
        "rcpt_to": list(rcpt_to),
        "received_at": desk.now(),
    }
    await desk.store.insert(Insertion(((INSERT_MAIL, row),), (MAIL_CHANNEL,)))
    return mail_id


async def raw_of(desk: Desk, mail_id: str, file_key: str) -> bytes:
    """Return a raw mail, also where it came under a new key of the vault, in a new file, since its row was read.

    Raises:
        NotFound: its file is gone.
        VaultLocked: the key that sealed it is not here.
        SealBroken: it was changed, or is another mail's.

    """
    try:
        return await read_raw_mail(desk.files, desk.vault, mail_id, file_key)
    except NotFound:
        now = await desk.store.read(lambda unit: unit.one(MAIL_FILE, id=mail_id))
        if now is None or now == file_key:
            raise
        return await read_raw_mail(desk.files, desk.vault, mail_id, now)


async def _once(content: bytes) -> AsyncIterator[bytes]:
    """Yield a content as one chunk."""
    yield content


async def read_mail(desk: Desk, pending: PendingMail, mail: ParsedMail, payloads: list[bytes]) -> Read:
    """Judge and keep the files of a mail that has been parsed."""
    most = desk.policies.current.attachments.max_count
    uploader = f"mail:{pending.id}"
    kept: list[Attachment] = []
    try:
        for file in mail.attachments:
            # Counted by what was kept: a refused file takes no one's place.
            room = sum(attachment.file_key is not None for attachment in kept) < most
            named = Upload(file.name, file.declared_type)
            kept.append(await keep_mailed(desk, uploader, named, payloads[file.index], file.sha256, room=room))
    except Exception:
        await discard_files(desk, kept)
        raise
    return Read(pending, mail, tuple(kept))


async def discard_files(desk: Desk, attachments: Iterable[Attachment]) -> None:
    """Delete the bytes of attachments that came into no request."""
    for attachment in attachments:
        if attachment.file_key is not None:
            await desk.files.delete(attachment.file_key)


async def settle_mail(desk: Desk, unit: Unit, settings: MailSettings, read: Read) -> Decision | None:
    """Decide what becomes of a mail and do it, all in one transaction; None if it has its outcome already.

    Raises:
        ChannelNotOfficial: the policy registers nothing by mail.
        LicenceNotActive: it registers no request in this state of the licence.

    """
    if await unit.one(STILL_PENDING, id=read.pending.id) is None:
        return None
    mail, print_ = read.mail, fingerprint(read.mail)
    # Reliable because one replica judges at a time: two copies judged at once would be two requests (ADR 8).
    same = await unit.one(SAME_MAIL, fingerprint=print_) if print_ else None
    # Whoever uses a specialist's address by mail is held: mail proves nothing, and a specialist's word moves requests.
    sender = await unit.one(PERSON_BY_EMAIL, email=mail.from_address) if mail.from_address else None
    strict = desk.policies.current.mail.sender_check == "strict"
    decision = decide(
        mail,
        read.envelope,
        await _candidates(unit, proposals(mail, read.envelope, settings.key)),
        replace(settings.rules, strict=strict),
        key=settings.key,
        duplicate=same is not None,
        staff=sender is not None and sender.active and Role(sender.role) in STAFF,
    )
    decision = await _carry_out(desk, unit, read, decision, sender)
    await record(desk, unit, read, decision, print_, same)
    return decision


async def _candidates(unit: Unit, proposed: tuple[Any, ...]) -> tuple[Candidate, ...]:
    """Return the tickets that exist under proposed numbers, in their order."""
    found = []
    for proposal in proposed:
        ticket = await unit.one(TICKET_BY_NUMBER, number=proposal.number)
        if ticket is not None:
            people = await unit.all(PARTICIPANTS, ticket_id=ticket.id)
            found.append(Candidate(proposal, ticket.id, frozenset(person.address for person in people)))
    return tuple(found)


async def _carry_out(desk: Desk, unit: Unit, read: Read, decision: Decision, sender: Person | None) -> Decision:
    """Do what was decided; return the decision with the request that the mail came into."""
    match decision.outcome:
        case Outcome.NEW_TICKET:
            return await _open(desk, unit, read, decision, sender)
        case Outcome.APPENDED:
            return await _append(desk, unit, read, decision, sender)
        case Outcome.QUARANTINED if decision.ticket_id:
            change = await change_of(desk, unit, decision.ticket_id, SYSTEM)
            change.say(TicketHeldMail, mail_id=read.pending.id, reason=decision.reason)
            await change.save()
    return decision


async def change_of(desk: Desk, unit: Unit, ticket_id: str, actor: Actor) -> Change:
    """Begin a change of the ticket that a mail names, locking it."""
    ticket = await unit.one(TICKET_TO_CHANGE, id=ticket_id)
    assert ticket is not None  # requests are never deleted
    return Change(desk, unit, ticket, await unit.all(PARTICIPANTS, ticket_id=ticket_id), actor)


def origin_of(read: Read, decision: Decision) -> Origin:
    """Return how a mail came in, as its message says it."""
    return Origin(
        channel="email",
        automatic=decision.automatic is not None,
        verified=decision.verified,
        mail_id=read.pending.id,
        message_id=read.mail.message_id,
        references=list(read.mail.references),
    )


def _actor(read: Read, sender: Person | None) -> Actor:
    """Return a mail's sender as events name them."""
    return Actor(id=sender.id if sender else read.mail.from_address or "unknown", role=Role.CLIENT.value)


async def keep_attachments(unit: Unit, read: Read) -> tuple[str, ...]:
    """Store a mail's files and return their IDs."""
    await unit.many(INSERT_ATTACHMENT, [attachment_row(attachment) for attachment in read.attachments])
    return tuple(attachment.id for attachment in read.attachments)


async def _open(desk: Desk, unit: Unit, read: Read, decision: Decision, sender: Person | None) -> Decision:
    """Make a new request of a mail."""
    name = read.mail.from_name or (sender.name if sender else None)
    requester = Requester(
        read.mail.from_address or "", name, sender.id if sender else None, sender.language if sender else None
    )
    organization_id = sender.organization_id if sender else None
    ticket_id = await open_request(desk, unit, read, decision, requester, organization_id, _actor(read, sender))
    return replace(decision, ticket_id=ticket_id)


async def open_request(
    desk: Desk,
    unit: Unit,
    read: Read,
    decision: Decision,
    requester: Requester,
    organization_id: str | None,
    actor: Actor,
) -> str:
    """Make a new request of a mail, received when the mail was; return its ID.

    Raises:
        ChannelNotOfficial: the policy registers nothing by mail.
        LicenceNotActive: it registers no request in this state of the licence.

    """
    policy, rules = desk.policies.current, desk.policies.rules
    _, answers = mailed(read.mail, policy, [asdict(asked) for asked in rules.topics[None].required])
    fields, licence_key = without_key(answers)
    new = NewTicket(
        subject=ticket_subject(read.mail),
        body=(read.mail.text.strip() or NO_TEXT)[:BODY_LIMIT],
        fields=fields,
        licence_key=licence_key,
        requester=requester,
        organization_id=organization_id,
        origin=origin_of(read, decision),
        actor=actor,
        author_name=requester.name,
        received_at=read.pending.received_at,
        uploader=read.uploader,
        attachment_ids=await keep_attachments(unit, read),
    )
    composed = compose(desk, new, await check(desk, unit, new))
    for sql, given in composed.rows:
        await unit.run(sql, **given)
    unit.announce(CHANNEL)
    return composed.ticket.id


async def message_of(change: Change, read: Read, decision: Decision, sender: Person | None) -> NewMessage:
    """Return a mail as a message from the client's side, its files stored, with the answers that stand in it."""
    policy, _ = change.desk.policies.of(change.ticket.policy_version)
    text, fields = mailed(read.mail, policy, change.ticket.missing_information)
    return NewMessage(
        # Cut and not refused: the mail was accepted with 250, and as a whole it is kept.
        body=(text or NO_TEXT)[:BODY_LIMIT],
        fields=fields,
        author=Author(
            id=sender.id if sender else None,
            address=read.mail.from_address,
            name=read.mail.from_name or (sender.name if sender else None) or read.mail.from_address,
            role=Role.CLIENT.value,
            side="client",
        ),
        origin=origin_of(read, decision),
        received_at=read.pending.received_at,
        uploader=read.uploader,
        attachment_ids=await keep_attachments(change.unit, read),
    )


async def _append(desk: Desk, unit: Unit, read: Read, decision: Decision, sender: Person | None) -> Decision:
    """Add a mail to the request it belongs to; one that proves nothing of its author is for staff only."""
    assert decision.ticket_id is not None
    change = await change_of(desk, unit, decision.ticket_id, _actor(read, sender))
    message = await message_of(change, read, decision, sender)
    if decision.staff_only:
        change.listen()
        await note(change, message)
        return decision
    told = await reply(change, message)
    outcome = Outcome.NEW_TICKET if told.follows is not None else decision.outcome
    return replace(decision, outcome=outcome, ticket_id=told.ticket.id)


async def record(
    desk: Desk, unit: Unit, read: Read, decision: Decision, print_: str | None = None, duplicate_of: str | None = None
) -> None:
    """Write down a mail's outcome."""
    mail = read.mail
    await unit.run(
        DECIDE,
        id=read.pending.id,
        outcome=decision.outcome.value,
        reason=decision.reason,
        ticket_id=decision.ticket_id,
        duplicate_of=duplicate_of,
        message_id=mail.message_id,
        fingerprint=print_,
        from_address=mail.from_address,
        subject=without_secrets(desk, mail.subject[:500]),
        # For the list of held mails; the mail itself is kept sealed.
        text=without_secrets(desk, mail.text[:TEXT_SHOWN]),
        attachments=[{"name": a.name, "type": a.type, "size": a.size, "status": a.status} for a in read.attachments],
        automatic=decision.automatic,
    )

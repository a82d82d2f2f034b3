"""Timed work of intake: mails, other replicas' policies, releases, the client's silence, access data that end."""

from datetime import datetime, timedelta

import structlog

from firstline.common.errors import OutcomeUnknown, Unavailable
from firstline.common.lease import Lease, LeaseLost
from firstline.common.raw_mail import read_raw_mail
from firstline.common.store.port import Unit
from firstline.common.worker import Worker
from firstline.intake.inbound import Decision, Outcome, Reason, fingerprint
from firstline.intake.mail import ParsedMail
from firstline.intake.parser import Parser
from firstline.intake.scope import ChannelNotOfficial, LicenceNotActive
from firstline.intake.service.access_ending import ACCESS_CHANNEL, act_on_due
from firstline.intake.service.change import HELD_CHANNEL, SILENCE_CHANNEL, Change
from firstline.intake.service.desk import POLICY_CHANNEL, SYSTEM, Desk, PolicyNotHere, learn_policies
from firstline.intake.service.held_texts import purge_held_texts
from firstline.intake.service.inbound import (
    MAIL_CHANNEL,
    MailSettings,
    Read,
    discard_files,
    read_mail,
    record,
    settle_mail,
)
from firstline.intake.service.incidents import INCIDENT_CHANNEL, give_or_refuse
from firstline.intake.service.releases import RELEASE_CHANNEL, bring_back
from firstline.intake.service.rotation import rewrap_some
from firstline.intake.service.scanning import scan_held
from firstline.intake.service.silence import act_on_silence
from firstline.intake.service.sweeping import SWEEP_SECONDS, Sweeper
from firstline.intake.silence import Act
from firstline.intake.store.access import ACCESS_DUE, NEXT_ACCESS_DUE, PUT_OFF_ACCESS, DueAccess
from firstline.intake.store.due import DUE, NEXT_DUE, SAVE_DUE
from firstline.intake.store.held_texts import NEXT_HELD_TEXT
from firstline.intake.store.incidents import PENDING_REPLIES
from firstline.intake.store.mails import PENDING, PendingMail
from firstline.intake.store.tickets import PARTICIPANTS, TICKET_TO_CHANGE

MAILS_A_STEP = 10
REQUESTS_A_STEP = 20
# What fails is looked at again this much later, so that a mistake in one request doesn't fill the log or stop others.
PUT_OFF = timedelta(hours=1)
POLL_SECONDS = 30.0
REWRAP_SECONDS = 3600.0
POLICY_POLL_SECONDS = 5.0

_log = structlog.get_logger(__name__)


def mail_worker(desk: Desk, parser: Parser, mail: MailSettings, lease: Lease) -> Worker:
    """Return the worker that judges mails as they come: one replica at a time, or two copies would be two requests."""
    return Worker(
        "intake: mail",
        lambda: judge_mails(desk, parser, mail, lease),
        desk.ports,
        wake=desk.store.listen(MAIL_CHANNEL),
        poll_seconds=POLL_SECONDS,
        lease=lease,
    )


def file_worker(desk: Desk) -> Worker:
    """Return the worker that has files scanned which waited for the virus scanner; twice does no harm."""

    async def step() -> int:
        await scan_held(desk)
        # Nothing waits for more: what is still held waits for the scanner, and would be asked for without a pause.
        return 0

    return Worker("intake: files", step, desk.ports, poll_seconds=POLL_SECONDS)


def sweep_worker(desk: Desk, lease: Lease) -> Worker:
    """Return the worker that removes files which nobody needs."""
    return Worker("intake: sweep", Sweeper(desk).step, desk.ports, poll_seconds=SWEEP_SECONDS, lease=lease)


def policy_worker(desk: Desk) -> Worker:
    """Return the worker that learns policy versions."""

    async def step() -> int:
        await desk.store.read(lambda unit: learn_policies(desk, unit))
        return 0

    wake = desk.store.listen(POLICY_CHANNEL)
    return Worker("intake: policies", step, desk.ports, wake=wake, poll_seconds=POLICY_POLL_SECONDS)


def release_worker(desk: Desk) -> Worker:
    """Return the worker that brings requests back whose release is out; replicas share it by the rows' locks."""
    return Worker(
        "intake: releases",
        lambda: desk.store.write(lambda unit: bring_back(desk, unit)),
        desk.ports,
        wake=desk.store.listen(RELEASE_CHANNEL),
        poll_seconds=POLL_SECONDS,
    )


def held_text_worker(desk: Desk) -> Worker:
    """Return the worker that deletes texts which were held back, after their days; replicas may share it."""

    async def next_due() -> datetime | None:
        return await desk.store.read(lambda unit: unit.one(NEXT_HELD_TEXT))

    return Worker(
        "intake: held texts",
        lambda: desk.store.write(lambda unit: purge_held_texts(desk, unit)),
        desk.ports,
        wake=desk.store.listen(HELD_CHANNEL),
        next_due=next_due,
        poll_seconds=POLL_SECONDS,
    )


def incident_worker(desk: Desk) -> Worker:
    """Return the worker that gives each request of an incident its part of an answer; replicas share it by the rows."""
    return Worker(
        "intake: incidents",
        lambda: answer_incidents(desk),
        desk.ports,
        wake=desk.store.listen(INCIDENT_CHANNEL),
        poll_seconds=POLL_SECONDS,
    )


async def answer_incidents(desk: Desk) -> int:
    """Give some requests their part of an answer, each in a transaction of its own; return how many."""
    # Read without locks: each is taken by its own lock when its turn comes.
    pending = await desk.store.read(lambda unit: unit.all(PENDING_REPLIES, limit=REQUESTS_A_STEP))
    for one in pending:
        await give_or_refuse(desk, one)
    return len(pending)


def silence_worker(desk: Desk, lease: Lease) -> Worker:
    """Return the worker that reminds clients of what is for them to say, and closes on their silence."""

    async def next_due() -> datetime | None:
        return await desk.store.read(lambda unit: unit.one(NEXT_DUE))

    return Worker(
        "intake: silence",
        lambda: end_silences(desk, lease),
        desk.ports,
        wake=desk.store.listen(SILENCE_CHANNEL),
        next_due=next_due,
        poll_seconds=POLL_SECONDS,
        lease=lease,
    )


def access_worker(desk: Desk, lease: Lease) -> Worker:
    """Return the worker that purges access data after their days, and reminds clients to change them."""

    async def next_due() -> datetime | None:
        return await desk.store.read(lambda unit: unit.one(NEXT_ACCESS_DUE))

    return Worker(
        "intake: access data",
        lambda: end_access(desk, lease),
        desk.ports,
        wake=desk.store.listen(ACCESS_CHANNEL),
        next_due=next_due,
        poll_seconds=POLL_SECONDS,
        lease=lease,
    )


def vault_worker(desk: Desk, lease: Lease) -> Worker:
    """Return the worker that puts what is sealed with older keys under the vault's newest one."""
    return Worker("intake: vault", lambda: rewrap_some(desk), desk.ports, poll_seconds=REWRAP_SECONDS, lease=lease)


async def end_access(desk: Desk, lease: Lease) -> int:
    """Do what is due on access requests; return for how many requests. One that fails is put off, blocking no other.

    Raises:
        LeaseLost: another replica does it now.

    """
    now = desk.now()
    due = await desk.store.read(lambda unit: unit.all(ACCESS_DUE, now=now, limit=REQUESTS_A_STEP))
    # Each request once, in the order of its earliest day.
    tickets = dict.fromkeys(one.ticket_id for one in due)
    return sum([await _end_access(desk, lease, ticket_id, due) for ticket_id in tickets])


async def _end_access(desk: Desk, lease: Lease, ticket_id: str, due: list[DueAccess]) -> bool:
    """Do what is due on one request's access data; return whether anything was done."""

    async def work(unit: Unit) -> bool:
        # In the same transaction: a process that was stopped for longer than its lease changes nothing when it wakes.
        await lease.guard(unit)
        await learn_policies(desk, unit)
        ticket = await unit.one(TICKET_TO_CHANGE, id=ticket_id)
        assert ticket is not None  # requests are never deleted
        participants = await unit.all(PARTICIPANTS, ticket_id=ticket_id)
        return await act_on_due(Change(desk, unit, ticket, participants, SYSTEM))

    try:
        return await desk.store.write(work)
    # No fault of this request: who looks next finds it due as before.
    except (LeaseLost, Unavailable):
        raise
    except Exception:
        _log.exception("what is due on access data could not be done and is put off", ticket_id=ticket_id)
        later = desk.now() + PUT_OFF
        for one in due:
            if one.ticket_id == ticket_id:
                await desk.store.write(lambda unit: unit.run(PUT_OFF_ACCESS, id=one.id, due_at=later))  # noqa: B023
        return True


async def end_silences(desk: Desk, lease: Lease) -> int:
    """Do what silence asks for by now; return for how many requests. One that fails is put off and blocks no other.

    Raises:
        LeaseLost: another replica does it now.

    """
    now = desk.now()
    due = await desk.store.read(lambda unit: unit.all(DUE, now=now, limit=REQUESTS_A_STEP))
    return sum([await _end_silence(desk, lease, ticket_id) for ticket_id in due])


async def _end_silence(desk: Desk, lease: Lease, ticket_id: str) -> bool:
    """Do what silence asks for on one request; return whether anything was done."""

    async def work(unit: Unit) -> Act | None:
        await lease.guard(unit)
        await learn_policies(desk, unit)
        return await act_on_silence(desk, unit, ticket_id)

    try:
        act = await desk.store.write(work)
    except (LeaseLost, Unavailable):
        raise
    except Exception:
        _log.exception("what silence asks for could not be done and is put off", ticket_id=ticket_id)
        later = desk.now() + PUT_OFF
        await desk.store.write(lambda unit: unit.run(SAVE_DUE, ticket_id=ticket_id, due_at=later))
        return True
    if act is not None:
        _log.info("the client was silent", ticket_id=ticket_id, act=act)
    return act is not None


async def judge_mails(desk: Desk, parser: Parser, settings: MailSettings, lease: Lease) -> int:
    """Judge mails in the order of their receipt; return how many. One that fails is held and blocks no other.

    Raises:
        LeaseLost: another replica judges now; the mail at hand is left to it.

    """
    pending = await desk.store.read(lambda unit: unit.all(PENDING, limit=MAILS_A_STEP))
    # One after the other and in the order of receipt: an answer must not be judged before the mail it answers.
    for mail in pending:
        decision = await _judge(desk, parser, settings, mail, lease)
        if decision is not None:
            what = {"outcome": decision.outcome.value, "reason": decision.reason, "ticket_id": decision.ticket_id}
            _log.info("mail judged", mail_id=mail.id, **what)
    return len(pending)


async def _judge(
    desk: Desk, parser: Parser, settings: MailSettings, pending: PendingMail, lease: Lease
) -> Decision | None:
    """Judge one mail; None if somebody else has done so meanwhile."""
    try:
        raw = await read_raw_mail(desk.files, desk.vault, pending.id, pending.file_key)
        read = await read_mail(desk, pending, *await parser.parse(raw))
        decision = await _settle(desk, settings, read, lease)
    except LeaseLost:
        raise
    except Exception as error:
        if isinstance(error, OSError):  # the folder of files is away or full: no fault of this mail
            raise Unavailable("The files can't be read or written now.") from error
        if isinstance(error, Unavailable) and not isinstance(error, PolicyNotHere):
            raise
        _log.exception("a mail could not be judged and is held", mail_id=pending.id)
        # A specialist looks at what no program can: nothing is thrown away, and the next mail's turn comes.
        decision = Decision(Outcome.QUARANTINED, "unreadable")
        nothing = Read(pending, ParsedMail(digest=pending.sha256, problems=("unreadable",)), ())
        await desk.store.write(lambda unit: record(desk, unit, nothing, decision))
    return decision


async def _settle(desk: Desk, settings: MailSettings, read: Read, lease: Lease) -> Decision | None:
    """Settle a mail that was read, and keep its files only where they came into a request."""

    async def settle(unit: Unit) -> Decision | None:
        await lease.guard(unit)
        await learn_policies(desk, unit)  # a version that nobody knows must not hold up the mails behind this one
        return await settle_mail(desk, unit, settings, read)

    try:
        decision = await desk.store.write(settle)
    except (ChannelNotOfficial, LicenceNotActive) as refusal:
        reason: Reason = "channel_not_official" if isinstance(refusal, ChannelNotOfficial) else "licence_not_active"
        # In a transaction of its own: the one that found it out has been rolled back.
        decision = Decision(Outcome.REFUSED, reason)
        await desk.store.write(lambda unit: record(desk, unit, read, decision, fingerprint(read.mail)))
    except OutcomeUnknown:  # the transaction may have come through, so its files stay
        raise
    except Exception:
        await discard_files(desk, read.attachments)
        raise
    if decision is None or decision.outcome not in (Outcome.NEW_TICKET, Outcome.APPENDED):
        await discard_files(desk, read.attachments)
    return decision

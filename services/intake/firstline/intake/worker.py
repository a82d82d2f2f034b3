"""Timed work of intake: judging the mails that came in."""

import structlog

from firstline.common.errors import Unavailable
from firstline.intake.inbound import Decision, Outcome, Reason, fingerprint
from firstline.intake.mail import ParsedMail
from firstline.intake.parser import Parser
from firstline.intake.scope import ChannelNotOfficial, LicenceNotActive
from firstline.intake.service.desk import Desk
from firstline.intake.service.inbound import MailSettings, Read, discard_files, read_mail, record, settle_mail
from firstline.intake.store.mails import PENDING, PendingMail

MAILS_A_STEP = 10

_log = structlog.get_logger(__name__)


async def judge_mails(desk: Desk, parser: Parser, settings: MailSettings) -> int:
    """Judge mails in the order of their receipt; return how many. One that fails is held and blocks no other."""
    pending = await desk.store.read(lambda unit: unit.all(PENDING, limit=MAILS_A_STEP))
    for mail in pending:
        decision = await _judge(desk, parser, settings, mail)
        if decision is not None:
            what = {"outcome": decision.outcome.value, "reason": decision.reason, "ticket_id": decision.ticket_id}
            _log.info("mail judged", mail_id=mail.id, **what)
    return len(pending)


async def _judge(desk: Desk, parser: Parser, settings: MailSettings, pending: PendingMail) -> Decision | None:
    """Judge one mail; None if somebody else has done so meanwhile."""
    try:
        raw = b"".join([chunk async for chunk in await desk.files.open(pending.file_key)])
        read = await read_mail(desk, pending, *await parser.parse(raw))
        decision = await _settle(desk, settings, read)
    except Unavailable:
        raise
    except Exception:
        _log.exception("a mail could not be judged and is held", mail_id=pending.id)
        decision = Decision(Outcome.QUARANTINED, "unreadable")
        nothing = Read(pending, ParsedMail(digest=pending.sha256, problems=("unreadable",)), ())
        await desk.store.write(lambda unit: record(unit, nothing, decision))
    return decision


async def _settle(desk: Desk, settings: MailSettings, read: Read) -> Decision | None:
    """Settle a mail that was read, and keep its files only where they came into a request."""
    try:
        decision = await desk.store.write(lambda unit: settle_mail(desk, unit, settings, read))
    except (ChannelNotOfficial, LicenceNotActive) as refusal:
        reason: Reason = "channel_not_official" if isinstance(refusal, ChannelNotOfficial) else "licence_not_active"
        decision = Decision(Outcome.REFUSED, reason)
        await desk.store.write(lambda unit: record(unit, read, decision, fingerprint(read.mail)))
    except Unavailable:  # whether the transaction came through is not known, so its files stay
        raise
    except Exception:
        await discard_files(desk, read.attachments)
        raise
    if decision is None or decision.outcome not in (Outcome.NEW_TICKET, Outcome.APPENDED):
        await discard_files(desk, read.attachments)
    return decision

"""Queries on raw mail."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from firstline.common.store.port import Sql, Unit, Value


@dataclass(frozen=True, slots=True)
class PendingMail:
    """A mail that waits to be judged."""

    id: str
    sha256: str
    file_key: str
    mail_from: str
    rcpt_to: list[str]
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail with its outcome (None: not judged yet).

    Of one that was held and then judged by a specialist, `held_reason` says why it was held, `decided_by` who judged it
    and `remark` why it was rejected; `number` is that of its ticket.
    """

    id: str
    sha256: str
    size: int
    mail_from: str
    rcpt_to: list[str]
    received_at: datetime
    outcome: str | None
    reason: str | None
    ticket_id: str | None
    duplicate_of: str | None
    message_id: str | None
    from_address: str | None
    subject: str | None
    text: str | None
    attachments: list[Any] | None
    automatic: str | None
    held_reason: str | None
    decided_by: str | None
    decided_at: datetime | None
    remark: str | None
    number: str | None


INSERT_MAIL: Sql[None] = Sql(
    "INSERT INTO mail (id, sha256, size, file_key, mail_from, rcpt_to, received_at, key_id)"
    " VALUES (:id, :sha256, :size, :file_key, :mail_from, :rcpt_to, :received_at, :key_id)",
    type(None),
)
PENDING = Sql(
    "SELECT id, sha256, file_key, mail_from, rcpt_to, received_at FROM mail WHERE outcome IS NULL ORDER BY id"
    " LIMIT :limit",
    PendingMail,
)
# Locked and looked at once more: a mail gets one outcome, whoever judges it.
STILL_PENDING = Sql("SELECT id FROM mail WHERE id = :id AND outcome IS NULL FOR UPDATE", str)
SAME_MAIL = Sql("SELECT id FROM mail WHERE fingerprint = :fingerprint ORDER BY id LIMIT 1", str)
DECIDE: Sql[None] = Sql(
    "UPDATE mail SET outcome = :outcome, reason = :reason, ticket_id = :ticket_id, duplicate_of = :duplicate_of,"
    " message_id = :message_id, fingerprint = :fingerprint, from_address = :from_address, subject = :subject,"
    " text = :text, attachments = :attachments, automatic = :automatic WHERE id = :id AND outcome IS NULL",
    type(None),
)
HELD = Sql(
    "SELECT id, sha256, file_key, mail_from, rcpt_to, received_at FROM mail WHERE id = :id AND outcome = 'quarantined'",
    PendingMail,
)
HELD_BESIDE = Sql("SELECT id FROM mail WHERE ticket_id = ANY(:ticket_ids) AND outcome = 'quarantined' LIMIT 1", str)
# One of two specialists who judge a held mail at once waits here for the other, and then sees what became of it.
HELD_TO_JUDGE = Sql("SELECT id FROM mail WHERE id = :id AND outcome = 'quarantined' FOR UPDATE", str)
JUDGE: Sql[None] = Sql(
    "UPDATE mail SET outcome = :outcome, held_reason = reason, reason = :reason, ticket_id = :ticket_id,"
    " decided_by = :decided_by, decided_at = :decided_at, remark = :remark"
    " WHERE id = :id AND outcome = 'quarantined'",
    type(None),
)
_MAIL = (
    "SELECT m.id, m.sha256, m.size, m.mail_from, m.rcpt_to, m.received_at, m.outcome, m.reason, m.ticket_id,"
    " m.duplicate_of, m.message_id, m.from_address, m.subject, m.text, m.attachments, m.automatic, m.held_reason,"
    " m.decided_by, m.decided_at, m.remark, t.number FROM mail m LEFT JOIN ticket t ON t.id = m.ticket_id"
)
MAIL = Sql(f"{_MAIL} WHERE m.id = :id", Mail)


async def list_mails(
    unit: Unit, outcome: str | None, ticket_id: str | None, after: str | None, limit: int
) -> list[Mail]:
    """Return mails, newest first, of one outcome and one ticket or of any, along that index or the primary key."""
    sql, given = listing(outcome, ticket_id, after)
    return await unit.all(sql, **given, limit=limit)


def listing(outcome: str | None, ticket_id: str | None, after: str | None) -> tuple[Sql[Mail], dict[str, Value]]:
    """Return the statement of a list of mails and its parameters but the limit."""
    wanted = {"m.outcome = :outcome": outcome, "m.ticket_id = :ticket_id": ticket_id, "m.id < :after": after}
    conditions = [condition for condition, value in wanted.items() if value is not None]
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    values: dict[str, Value] = {"outcome": outcome, "ticket_id": ticket_id, "after": after}
    given = {name: value for name, value in values.items() if f":{name}" in where}
    return Sql(f"{_MAIL}{where} ORDER BY m.id DESC LIMIT :limit", Mail), given

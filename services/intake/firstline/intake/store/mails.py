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
    """A mail with its outcome (None: not judged yet)."""

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


INSERT_MAIL: Sql[None] = Sql(
    "INSERT INTO mail (id, sha256, size, file_key, mail_from, rcpt_to, received_at)"
    " VALUES (:id, :sha256, :size, :file_key, :mail_from, :rcpt_to, :received_at)",
    type(None),
)
PENDING = Sql(
    "SELECT id, sha256, file_key, mail_from, rcpt_to, received_at FROM mail WHERE outcome IS NULL ORDER BY id"
    " LIMIT :limit",
    PendingMail,
)
STILL_PENDING = Sql("SELECT id FROM mail WHERE id = :id AND outcome IS NULL FOR UPDATE", str)
SAME_MAIL = Sql("SELECT id FROM mail WHERE fingerprint = :fingerprint ORDER BY id LIMIT 1", str)
DECIDE: Sql[None] = Sql(
    "UPDATE mail SET outcome = :outcome, reason = :reason, ticket_id = :ticket_id, duplicate_of = :duplicate_of,"
    " message_id = :message_id, fingerprint = :fingerprint, from_address = :from_address, subject = :subject,"
    " text = :text, attachments = :attachments, automatic = :automatic WHERE id = :id AND outcome IS NULL",
    type(None),
)
_MAIL = (
    "SELECT id, sha256, size, mail_from, rcpt_to, received_at, outcome, reason, ticket_id, duplicate_of, message_id,"
    " from_address, subject, text, attachments, automatic FROM mail"
)
MAIL = Sql(f"{_MAIL} WHERE id = :id", Mail)


async def list_mails(unit: Unit, outcome: str | None, after: str | None, limit: int) -> list[Mail]:
    """Return mails, newest first, of one outcome or of any, along that index or the primary key."""
    given: dict[str, Value] = {"limit": limit}
    conditions = []
    if outcome is not None:
        conditions.append("outcome = :outcome")
        given["outcome"] = outcome
    if after is not None:
        conditions.append("id < :after")
        given["after"] = after
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return await unit.all(Sql(f"{_MAIL}{where} ORDER BY id DESC LIMIT :limit", Mail), **given)

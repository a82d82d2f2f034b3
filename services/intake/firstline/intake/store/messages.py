"""Queries on messages and files."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from firstline.common.store.port import Sql


@dataclass(frozen=True, slots=True)
class Message:
    """A message (audience public) or note (internal); `split_into` is the request that was made of it (clause 2.4).

    Attributes:
        audience: `public`, or `internal` for staff alone.
        side: `client` or `staff`, whoever used the verb.
        author_id: None for somebody whom accounts don't know.
        author_role: the role at that time.
        channel: how it came in.
        automatic: a robot wrote it, or the desk itself: it asks nothing and answers nothing.
        verified: whether its sender was proved.
        mail_id: the mail that it came in.
        received_at: when it came in; `created_at` is when it was judged and stored.

    """

    id: str
    ticket_id: str
    audience: str
    side: str
    author_id: str | None
    author_name: str | None
    author_role: str
    body: str
    channel: str
    automatic: bool
    verified: bool
    mail_id: str | None
    received_at: datetime
    created_at: datetime
    split_into: str | None = None


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file and the verdict on it; `file_key` is None where the bytes were not kept.

    Attributes:
        uploader: who may put it into a message, and read it until then.
        name: made safe: no path, nothing invisible.
        declared_type: the media type that its sender named.
        type: the media type that its content shows.
        size: in bytes.
        status: `held` while the virus scanner has not looked at it.
        reason: why it was not kept, for its sender.

    """

    id: str
    uploader: str
    name: str
    declared_type: str
    type: str
    size: int
    sha256: str
    file_key: str | None
    status: Literal["ok", "held", "rejected", "erased"]
    reason: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Attached:
    """A file of a message, as lists show it."""

    message_id: str
    id: str
    name: str
    type: str
    size: int
    status: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class AttachmentPlace:
    """Where an attachment belongs."""

    ticket_id: str
    message_id: str
    audience: str


@dataclass(frozen=True, slots=True)
class Unused:
    """An attachment, and whether it came with a message."""

    id: str
    used: bool


INSERT_MESSAGE: Sql[None] = Sql(
    "INSERT INTO message (id, ticket_id, audience, side, author_id, author_name, author_role, body, channel, automatic,"
    " verified, mail_id, received_at, created_at) VALUES (:id, :ticket_id, :audience, :side, :author_id, :author_name,"
    " :author_role, :body, :channel, :automatic, :verified, :mail_id, :received_at, :created_at)",
    type(None),
)
_MESSAGE = (
    "SELECT id, ticket_id, audience, side, author_id, author_name, author_role, body, channel, automatic, verified,"
    " mail_id, received_at, created_at, split_into FROM message"
)
_OF_TICKET = f"{_MESSAGE} WHERE ticket_id = :ticket_id AND id > :after"
MESSAGE = Sql(f"{_MESSAGE} WHERE id = :id", Message)
MESSAGES = Sql(f"{_OF_TICKET} ORDER BY id LIMIT :limit", Message)
PUBLIC_MESSAGES = Sql(f"{_OF_TICKET} AND audience = 'public' ORDER BY id LIMIT :limit", Message)
SPLIT_OFF: Sql[None] = Sql("UPDATE message SET split_into = :into WHERE id = :id", type(None))
INSERT_ATTACHMENT: Sql[None] = Sql(
    "INSERT INTO attachment (id, uploader, name, declared_type, type, size, sha256, file_key, status, reason,"
    " created_at) VALUES (:id, :uploader, :name, :declared_type, :type, :size, :sha256, :file_key, :status, :reason,"
    " :created_at)",
    type(None),
)
_ATTACHMENT = (
    "SELECT id, uploader, name, declared_type, type, size, sha256, file_key, status, reason, created_at FROM attachment"
)
ATTACHMENT = Sql(f"{_ATTACHMENT} WHERE id = :id", Attachment)
ATTACHMENTS = Sql(f"{_ATTACHMENT} WHERE id = ANY(:ids) ORDER BY id", Attachment)
ATTACH: Sql[None] = Sql(
    "INSERT INTO message_attachment (attachment_id, message_id, ticket_id)"
    " VALUES (:attachment_id, :message_id, :ticket_id)",
    type(None),
)
ATTACHMENTS_OF_MESSAGE = Sql(
    "SELECT a.id, a.uploader, a.name, a.declared_type, a.type, a.size, a.sha256, a.file_key, a.status, a.reason,"
    " a.created_at FROM message_attachment m JOIN attachment a ON a.id = m.attachment_id"
    " WHERE m.ticket_id = :ticket_id AND m.message_id = :message_id ORDER BY a.id",
    Attachment,
)
ATTACHED = Sql(
    "SELECT m.message_id, a.id, a.name, a.type, a.size, a.status, a.reason FROM message_attachment m"
    " JOIN attachment a ON a.id = m.attachment_id"
    " WHERE m.ticket_id = :ticket_id AND m.message_id = ANY(:message_ids) ORDER BY m.message_id, a.id",
    Attached,
)
ATTACHMENT_PLACE = Sql(
    "SELECT m.ticket_id, m.message_id, t.audience FROM message_attachment m JOIN message t ON t.id = m.message_id"
    " WHERE m.attachment_id = :id",
    AttachmentPlace,
)
ALREADY_ATTACHED = Sql("SELECT attachment_id FROM message_attachment WHERE attachment_id = ANY(:ids)", str)
HELD_FILES = Sql(
    f"{_ATTACHMENT} WHERE status = 'held' AND file_key IS NOT NULL AND id > :after ORDER BY id LIMIT :limit", Attachment
)
# By the file and not by the row: a split shares the bytes, and one scan speaks for all rows that name them.
RELEASE_FILE: Sql[None] = Sql(
    "UPDATE attachment SET status = 'ok', reason = NULL WHERE status = 'held' AND file_key = :file_key", type(None)
)
REFUSE_FILE: Sql[None] = Sql(
    "UPDATE attachment SET status = 'rejected', reason = :reason, file_key = NULL"
    " WHERE status = 'held' AND file_key = :file_key",
    type(None),
)
UNUSED_UPLOADS = Sql(
    "SELECT a.id, EXISTS (SELECT 1 FROM message_attachment m WHERE m.attachment_id = a.id) AS used FROM attachment a"
    " WHERE a.id > :after AND a.created_at < :before ORDER BY a.id LIMIT :limit",
    Unused,
)
"""Attachments that are older; an ID grows with time, so that a round ends where the next one begins."""
# Only if it is still in no message: one may come for it at this moment.
DROP_UNUSED: Sql[None] = Sql(
    "DELETE FROM attachment WHERE id = :id AND NOT EXISTS"
    " (SELECT 1 FROM message_attachment m WHERE m.attachment_id = attachment.id)",
    type(None),
)
NAMED_FILES = Sql(
    "SELECT file_key FROM attachment WHERE file_key = ANY(:keys)"
    " UNION SELECT file_key FROM mail WHERE file_key = ANY(:keys) ORDER BY file_key",
    str,
)

"""Queries on what the vault has sealed, by the key that sealed it: access data, texts held back, raw mails."""

from dataclasses import dataclass

from firstline.common.store.port import Sql


@dataclass(frozen=True, slots=True)
class SecretPlace:
    """Where a secret belongs, with its own key: all that re-wrapping needs."""

    id: str
    ticket_id: str
    organization_id: str | None
    kind: str
    version: int
    key_id: str
    data_key: bytes


@dataclass(frozen=True, slots=True)
class TextPlace:
    """Where a text that was held back belongs, with its own key."""

    id: str
    ticket_id: str
    key_id: str
    data_key: bytes


@dataclass(frozen=True, slots=True)
class MailPlace:
    """A mail and its file, which begins with the key of its own."""

    id: str
    file_key: str
    key_id: str | None


NEXT_SECRET_KEY = Sql(
    "SELECT key_id FROM access_secret WHERE key_id > :after ORDER BY key_id LIMIT 1",
    str,
)
NEXT_TEXT_KEY = Sql(
    "SELECT key_id FROM held_text WHERE status = 'held' AND key_id > :after ORDER BY key_id LIMIT 1",
    str,
)
NEXT_MAIL_KEY = Sql("SELECT key_id FROM mail WHERE key_id > :after ORDER BY key_id LIMIT 1", str)
"""The name that follows another among the keys in use: one look into an index for each, however many rows there are."""

SECRETS_UNDER = Sql(
    "SELECT s.id, r.ticket_id, t.organization_id, s.kind, s.version, s.key_id, s.data_key FROM access_secret s"
    " JOIN access_request r ON r.id = s.request_id JOIN ticket t ON t.id = r.ticket_id"
    " WHERE s.key_id = :key_id AND s.id > :after ORDER BY s.id LIMIT :limit",
    SecretPlace,
)
REWRAP_SECRET: Sql[None] = Sql(
    "UPDATE access_secret SET key_id = :key_id, data_key = :data_key WHERE id = :id AND key_id = :before", type(None)
)
TEXTS_UNDER = Sql(
    "SELECT id, ticket_id, key_id, data_key FROM held_text WHERE status = 'held' AND key_id = :key_id AND id > :after"
    " ORDER BY id LIMIT :limit",
    TextPlace,
)
REWRAP_TEXT: Sql[None] = Sql(
    "UPDATE held_text SET key_id = :key_id, data_key = :data_key"
    " WHERE id = :id AND status = 'held' AND key_id = :before",
    type(None),
)
# A mail that waits to be judged keeps its file: who judges it has read its name already.
MAILS_UNDER = Sql(
    "SELECT id, file_key, key_id FROM mail WHERE key_id = :key_id AND id > :after AND outcome IS NOT NULL"
    " ORDER BY id LIMIT :limit",
    MailPlace,
)
REWRAP_MAIL: Sql[None] = Sql(
    "UPDATE mail SET file_key = :file_key, key_id = :key_id WHERE id = :id AND file_key = :before", type(None)
)
MAILS_UNKNOWN = Sql(
    "SELECT id, file_key, key_id FROM mail WHERE key_id IS NULL AND id > :after ORDER BY id LIMIT :limit", MailPlace
)
"""Mails that came before the column did."""
MARK_MAIL: Sql[None] = Sql("UPDATE mail SET key_id = :key_id WHERE id = :id AND key_id IS NULL", type(None))
MAIL_FILE = Sql("SELECT file_key FROM mail WHERE id = :id", str)

"""Queries on texts that seemed to hold a secret, kept sealed until somebody decides (clause 4.3)."""

from dataclasses import dataclass
from datetime import datetime

from firstline.common.policy.pasted import SecretKind
from firstline.common.store.port import Sql
from firstline.common.vault import Sealed


@dataclass(frozen=True, slots=True)
class HeldText:
    """A text as it came, sealed; what it seemed to hold, where it stands masked, and what became of it.

    `message_id` is None where it is no message's; `status` is `held`, `released`, `moved` or `purged`.
    """

    id: str
    ticket_id: str
    message_id: str | None
    place: str
    kinds: list[SecretKind]
    key_id: str
    data_key: bytes
    content: bytes
    status: str
    held_at: datetime
    purge_at: datetime
    decided_by: str | None
    decided_at: datetime | None

    @property
    def sealed(self) -> Sealed:
        """The sealed original; empty once it is gone."""
        return Sealed(self.key_id, self.data_key, self.content)


@dataclass(frozen=True, slots=True)
class DueText:
    """A sealed text that is to be deleted, and its size in the row."""

    id: str
    data_key: int
    content: int


INSERT_HELD_TEXT: Sql[None] = Sql(
    "INSERT INTO held_text (id, ticket_id, message_id, place, kinds, key_id, data_key, content, status, held_at,"
    " purge_at) VALUES (:id, :ticket_id, :message_id, :place, :kinds, :key_id, :data_key, :content, :status, :held_at,"
    " :purge_at)",
    type(None),
)
_HELD = (
    "SELECT id, ticket_id, message_id, place, kinds, key_id, data_key, content, status, held_at, purge_at, decided_by,"
    " decided_at FROM held_text"
)
# Locked: a text is restored or purged, and not both.
HELD_TEXT = Sql(f"{_HELD} WHERE id = :id FOR UPDATE", HeldText)
HELD_TEXTS = Sql(f"{_HELD} WHERE ticket_id = :ticket_id ORDER BY id LIMIT :limit", HeldText)
ANY_HELD_TEXT = Sql("SELECT id FROM held_text WHERE ticket_id = :ticket_id LIMIT 1", str)
END_HELD_TEXT: Sql[None] = Sql(
    "UPDATE held_text SET status = :status, data_key = :data_key, content = :content, decided_by = :decided_by,"
    " decided_at = :decided_at WHERE id = :id",
    type(None),
)
# Sizes in place of contents: as many zeros take their place, and nobody has to read them for that.
_SIZES = "SELECT id, length(data_key) AS data_key, length(content) AS content FROM held_text"
HELD_TEXTS_OF_TICKET = Sql(f"{_SIZES} WHERE ticket_id = :ticket_id AND status = 'held'", DueText)
HELD_TEXTS_DUE = Sql(
    f"{_SIZES} WHERE status = 'held' AND purge_at <= :now ORDER BY purge_at LIMIT :limit",
    DueText,
)
NEXT_HELD_TEXT = Sql("SELECT purge_at FROM held_text WHERE status = 'held' ORDER BY purge_at LIMIT 1", datetime)
EDIT_BODY: Sql[None] = Sql("UPDATE message SET body = :body WHERE id = :id", type(None))

"""Queries on access requests, and on what the vault keeps (clause 4.3)."""

from dataclasses import dataclass
from datetime import datetime

from firstline.common.store.port import Sql
from firstline.common.vault import Sealed
from firstline.intake.access import AccessRequest

_NAMES = tuple(AccessRequest.__slots__)
_COLUMNS = ", ".join(_NAMES)
_CHANGING = ("status", "given", "provided_by", "provided_at", "reveals", "ended_at", "cause")
_FOLLOWING = ("told_at", "reminded", "changed_by", "changed_at", "due_at")


@dataclass(frozen=True, slots=True)
class Secret:
    """What a client gave, of one kind, as it is kept."""

    id: str
    request_id: str
    kind: str
    version: int
    key_id: str
    data_key: bytes
    content: bytes

    @property
    def sealed(self) -> Sealed:
        """The sealed value."""
        return Sealed(self.key_id, self.data_key, self.content)


@dataclass(frozen=True, slots=True)
class SecretSize:
    """How many bytes a secret takes in its row."""

    id: str
    data_key: int
    content: int


@dataclass(frozen=True, slots=True)
class DueAccess:
    """An access request that has to be looked at."""

    id: str
    ticket_id: str


INSERT_ACCESS: Sql[None] = Sql(
    f"INSERT INTO access_request ({_COLUMNS}) VALUES ({', '.join(':' + name for name in _NAMES)})",  # noqa: S608
    type(None),
)
UPDATE_ACCESS: Sql[None] = Sql(
    f"UPDATE access_request SET {', '.join(f'{name} = :{name}' for name in (*_CHANGING, *_FOLLOWING))}"  # noqa: S608
    " WHERE id = :id",
    type(None),
)
CHANGE_ACCESS_WORDS: Sql[None] = Sql(
    "UPDATE access_request SET host = :host, reason = :reason, provided_by = :provided_by, changed_by = :changed_by,"
    " reveals = :reveals WHERE id = :id",
    type(None),
)
PUT_OFF_ACCESS: Sql[None] = Sql("UPDATE access_request SET due_at = :due_at WHERE id = :id", type(None))
ACCESS_REQUEST = Sql(f"SELECT {_COLUMNS} FROM access_request WHERE id = :id", AccessRequest)  # noqa: S608
ACCESS_REQUESTS = Sql(
    f"SELECT {_COLUMNS} FROM access_request WHERE ticket_id = :ticket_id AND id > :after"  # noqa: S608
    " ORDER BY id LIMIT :limit",
    AccessRequest,
)
ACCESS_OF_TICKET = Sql(
    f"SELECT {_COLUMNS} FROM access_request WHERE ticket_id = :ticket_id ORDER BY id",  # noqa: S608
    AccessRequest,
)
ACCESS_DUE = Sql(
    "SELECT id, ticket_id FROM access_request WHERE due_at <= :now ORDER BY due_at LIMIT :limit", DueAccess
)
NEXT_ACCESS_DUE = Sql("SELECT due_at FROM access_request WHERE due_at IS NOT NULL ORDER BY due_at LIMIT 1", datetime)

INSERT_SECRET: Sql[None] = Sql(
    "INSERT INTO access_secret (id, request_id, kind, version, key_id, data_key, content)"
    " VALUES (:id, :request_id, :kind, :version, :key_id, :data_key, :content)",
    type(None),
)
SECRETS = Sql(
    "SELECT id, request_id, kind, version, key_id, data_key, content FROM access_secret"
    " WHERE request_id = :request_id ORDER BY kind",
    Secret,
)
SECRET_SIZES = Sql(
    "SELECT id, length(data_key) AS data_key, length(content) AS content FROM access_secret"
    " WHERE request_id = :request_id",
    SecretSize,
)
OVERWRITE_SECRET: Sql[None] = Sql(
    "UPDATE access_secret SET data_key = :data_key, content = :content WHERE id = :id", type(None)
)
DELETE_SECRETS: Sql[None] = Sql("DELETE FROM access_secret WHERE request_id = :request_id", type(None))

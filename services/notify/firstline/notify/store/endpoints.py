"""Queries on webhook endpoints."""

from dataclasses import dataclass
from datetime import datetime

from firstline.common.store.port import Sql, Unit


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A webhook receiver; `organization_id` None hears of every request, `secrets` is encrypted.

    Attributes:
        url: where events are sent.
        types: which ones: types or their prefixes; none: all public ones.
        content: whether texts go along.
        state: `enabled` or `disabled`.
        reason: why it was disabled, for its owner.
        version: counts the changes.
        last_success_at: when it last took an event.

    """

    id: str
    organization_id: str | None
    url: str
    types: list[str]
    content: bool
    description: str
    state: str
    reason: str
    secrets: str
    version: int
    created_at: datetime
    updated_at: datetime
    last_success_at: datetime | None


_ENDPOINT = (
    "SELECT id, organization_id, url, types, content, description, state, reason, secrets, version, created_at,"
    " updated_at, last_success_at FROM endpoint"
)
ENDPOINT = Sql(f"{_ENDPOINT} WHERE id = :id", Endpoint)
ENDPOINT_TO_CHANGE = Sql(f"{_ENDPOINT} WHERE id = :id FOR UPDATE", Endpoint)
ENDPOINTS = Sql(f"{_ENDPOINT} WHERE id > :after ORDER BY id LIMIT :limit", Endpoint)
ENDPOINTS_OF = Sql(
    f"{_ENDPOINT} WHERE organization_id = :organization_id AND id > :after ORDER BY id LIMIT :limit", Endpoint
)
HEARING_OF = Sql(
    f"{_ENDPOINT} WHERE state = 'enabled' AND organization_id = :organization_id ORDER BY organization_id, id", Endpoint
)
HEARING_ALL = Sql(
    f"{_ENDPOINT} WHERE state = 'enabled' AND organization_id IS NULL ORDER BY organization_id, id", Endpoint
)
INSERT_ENDPOINT: Sql[None] = Sql(
    "INSERT INTO endpoint (id, organization_id, url, types, content, description, state, reason, secrets, version,"
    " created_at, updated_at, last_success_at) VALUES (:id, :organization_id, :url, :types, :content, :description,"
    " :state, :reason, :secrets, :version, :created_at, :updated_at, :last_success_at)",
    type(None),
)
UPDATE_ENDPOINT: Sql[None] = Sql(
    "UPDATE endpoint SET url = :url, types = :types, content = :content, description = :description, state = :state,"
    " reason = :reason, secrets = :secrets, version = :version, updated_at = :updated_at WHERE id = :id",
    type(None),
)
# Without a new version: deliveries would else turn every If-Match of an owner's change stale.
NOTE_SUCCESS: Sql[None] = Sql("UPDATE endpoint SET last_success_at = :at WHERE id = :id", type(None))
DELETE_ENDPOINT: Sql[None] = Sql("DELETE FROM endpoint WHERE id = :id", type(None))


async def save_endpoint(unit: Unit, endpoint: Endpoint) -> None:
    """Store an endpoint as it is now."""
    await unit.run(UPDATE_ENDPOINT, **{name: getattr(endpoint, name) for name in Endpoint.__slots__})

"""Queries on what lets somebody in: API keys, sign-in links and refresh tokens, all found by the hash of the secret.

A lookup by hash takes no longer for a nearly right secret than for a wrong one, so nothing is compared in the open.
"""

from dataclasses import dataclass
from datetime import datetime

from firstline.common.store.port import Sql


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its secret; `person_id` None: it acts for the organisation.

    `role` and `organization_id` are the owner's at the time when the key was made; `last4` are the secret's last four
    characters, by which people tell their keys apart.
    """

    id: str
    sha256: str
    last4: str
    name: str
    person_id: str | None
    organization_id: str | None
    role: str
    created_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A refresh token without its secret; `family` is the sign-in it descends from, times are wall time."""

    person_id: str
    family: str
    expires_at: datetime
    rotated_at: datetime | None


_KEY = "SELECT id, sha256, last4, name, person_id, organization_id, role, created_at, revoked_at FROM api_key"
KEY_TO_CHANGE = Sql(f"{_KEY} WHERE id = :id FOR UPDATE", ApiKey)
KEY_BY_SECRET = Sql(f"{_KEY} WHERE sha256 = :sha256 AND revoked_at IS NULL", ApiKey)
KEYS = Sql(f"{_KEY} WHERE id > :after ORDER BY id LIMIT :limit", ApiKey)
KEYS_OF_ORGANIZATION = Sql(
    f"{_KEY} WHERE organization_id = :organization_id AND id > :after ORDER BY id LIMIT :limit", ApiKey
)
ADD_KEY: Sql[None] = Sql(
    "INSERT INTO api_key (id, sha256, last4, name, person_id, organization_id, role, created_at, revoked_at)"
    " VALUES (:id, :sha256, :last4, :name, :person_id, :organization_id, :role, :created_at, :revoked_at)",
    type(None),
)
REVOKE_KEY: Sql[None] = Sql("UPDATE api_key SET revoked_at = :revoked_at WHERE id = :id", type(None))

ADD_LINK: Sql[None] = Sql(
    "INSERT INTO sign_in_link (sha256, person_id, expires_at, uses_left)"
    " VALUES (:sha256, :person_id, :expires_at, :uses_left)",
    type(None),
)
# one statement, so that a link for one use signs in one of many at once; without a number NULL - 1 stays NULL
USE_LINK = Sql(
    "UPDATE sign_in_link SET uses_left = uses_left - 1"
    " WHERE sha256 = :sha256 AND expires_at > :now AND (uses_left IS NULL OR uses_left > 0) RETURNING person_id",
    str,
)

REFRESH_TOKEN = Sql(
    "SELECT person_id, family, expires_at, rotated_at FROM refresh_token WHERE sha256 = :sha256 FOR UPDATE",
    RefreshToken,
)
ADD_REFRESH_TOKEN: Sql[None] = Sql(
    "INSERT INTO refresh_token (sha256, person_id, family, expires_at, rotated_at)"
    " VALUES (:sha256, :person_id, :family, :expires_at, NULL)",
    type(None),
)
MARK_ROTATED: Sql[None] = Sql(
    "UPDATE refresh_token SET rotated_at = :now WHERE sha256 = :sha256 AND rotated_at IS NULL", type(None)
)
END_FAMILY: Sql[None] = Sql("DELETE FROM refresh_token WHERE family = :family", type(None))
END_SESSIONS: Sql[None] = Sql("DELETE FROM refresh_token WHERE person_id = :person_id", type(None))
# by portions, so that a store long left alone doesn't hold its writer for seconds
FORGET_REFRESH_TOKENS: Sql[None] = Sql(
    "DELETE FROM refresh_token WHERE sha256 IN"
    " (SELECT sha256 FROM refresh_token WHERE expires_at < :now ORDER BY expires_at LIMIT :limit)",
    type(None),
)
FORGET_LINKS: Sql[None] = Sql(
    "DELETE FROM sign_in_link WHERE sha256 IN"
    " (SELECT sha256 FROM sign_in_link WHERE expires_at < :now ORDER BY expires_at LIMIT :limit)",
    type(None),
)
DROP_LINKS: Sql[None] = Sql("DELETE FROM sign_in_link WHERE person_id = :person_id", type(None))
DROP_KEYS: Sql[None] = Sql("DELETE FROM api_key WHERE person_id = :person_id", type(None))

"""Queries on policy versions and on the copies of people and licences."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from firstline.common.store.port import Sql


@dataclass(frozen=True, slots=True)
class Person:
    """A person, as accounts last said."""

    id: str
    email: str
    name: str | None
    language: str | None
    role: str
    organization_id: str | None
    active: bool


@dataclass(frozen=True, slots=True)
class Licence:
    """A licence, as accounts last said; `active_until` None means without end."""

    id: str
    last4: str
    organization_id: str | None
    product: str
    active_until: datetime | None


@dataclass(frozen=True, slots=True)
class StoredPolicy:
    """A published policy version."""

    version: str
    document: dict[str, Any]
    published_at: datetime


# The active one first: an address may have had somebody else before.
PERSON_BY_EMAIL = Sql(
    "SELECT id, email, name, language, role, organization_id, active FROM person WHERE email = :email"
    " ORDER BY active DESC, id LIMIT 1",
    Person,
)
SAVE_PERSON: Sql[None] = Sql(
    "INSERT INTO person (id, email, name, language, role, organization_id, active)"
    " VALUES (:id, :email, :name, :language, :role, :organization_id, :active)"
    " ON CONFLICT (id) DO UPDATE SET email = excluded.email, name = excluded.name, language = excluded.language,"
    " role = excluded.role, organization_id = excluded.organization_id, active = excluded.active",
    type(None),
)
ERASE_PERSON: Sql[None] = Sql("DELETE FROM person WHERE id = :id", type(None))
_LICENCE = "SELECT id, last4, organization_id, product, active_until FROM licence"
LICENCE = Sql(f"{_LICENCE} WHERE id = :id", Licence)
LICENCE_BY_KEY = Sql(f"{_LICENCE} WHERE key_sha256 = :key_sha256", Licence)
# Without end before all others, said so: the databases sort NULL at different ends.
LICENCE_OF_ORGANIZATION = Sql(
    f"{_LICENCE} WHERE organization_id = :organization_id"
    " ORDER BY active_until IS NULL DESC, active_until DESC LIMIT 1",
    Licence,
)
SAVE_LICENCE: Sql[None] = Sql(
    "INSERT INTO licence (id, key_sha256, last4, organization_id, product, active_until)"
    " VALUES (:id, :key_sha256, :last4, :organization_id, :product, :active_until)"
    " ON CONFLICT (id) DO UPDATE SET key_sha256 = excluded.key_sha256, last4 = excluded.last4,"
    " organization_id = excluded.organization_id, product = excluded.product, active_until = excluded.active_until",
    type(None),
)
POLICIES = Sql("SELECT version, document, published_at FROM policy ORDER BY published_at, version", StoredPolicy)
# A row of its own to lock, so that of replicas that start together one publishes and the others see that it did.
HOLD_POLICIES = Sql(
    "INSERT INTO lease (name, owner, fence, renewed_at) VALUES ('policies', '', 1, :now)"
    " ON CONFLICT (name) DO UPDATE SET fence = lease.fence RETURNING fence",
    int,
)
FURTHER_POLICIES = Sql(
    "SELECT version, document, published_at FROM policy WHERE NOT (version = ANY(:known))", StoredPolicy
)
SAVE_POLICY: Sql[None] = Sql(
    "INSERT INTO policy (version, name, document, published_at) VALUES (:version, :name, :document, :published_at)"
    " ON CONFLICT (version) DO UPDATE SET published_at = excluded.published_at",
    type(None),
)

"""Queries on people, organisations and licences."""

from dataclasses import dataclass
from datetime import datetime

from firstline.common.store.port import Sql


@dataclass(frozen=True, slots=True)
class Organization:
    """A company; `kind` is customer or partner."""

    id: str
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may sign in; `email` is in lower case, `version` counts the changes.

    Attributes:
        id: theirs for good.
        name: how they are called; None until somebody says so.
        language: code of the language that they are written to.
        role: what they may do.
        organization_id: whose people they are.
        tier: the tier that a specialist serves.
        skills: the topics that a specialist serves.
        active: whether they may sign in; tokens that were given out end with their life.

    """

    id: str
    email: str
    name: str | None
    language: str | None
    role: str
    organization_id: str | None
    tier: str | None
    skills: tuple[str, ...]
    active: bool
    version: int


@dataclass(frozen=True, slots=True)
class Licence:
    """A licence; `active_until` None means without end. Of the key only its hash and its end are known."""

    id: str
    key_sha256: str
    last4: str
    organization_id: str | None
    product: str
    edition: str | None
    active_until: datetime | None
    version: int


_ORGANIZATION = "SELECT id, name, kind FROM organization"
ORGANIZATION = Sql(f"{_ORGANIZATION} WHERE id = :id", Organization)
# The oldest, since names are not unique.
ORGANIZATION_BY_NAME = Sql(
    f"{_ORGANIZATION} WHERE name = :name AND kind = :kind ORDER BY id LIMIT 1",
    Organization,
)
ORGANIZATIONS = Sql(f"{_ORGANIZATION} WHERE id > :after ORDER BY id LIMIT :limit", Organization)
ADD_ORGANIZATION: Sql[None] = Sql("INSERT INTO organization (id, name, kind) VALUES (:id, :name, :kind)", type(None))

_PERSON = "SELECT id, email, name, language, role, organization_id, tier, skills, active, version FROM person"
PERSON = Sql(f"{_PERSON} WHERE id = :id", Person)
PERSON_TO_CHANGE = Sql(f"{_PERSON} WHERE id = :id FOR UPDATE", Person)
PERSON_BY_EMAIL = Sql(f"{_PERSON} WHERE email = :email", Person)
# For all that lets somebody in: who is inactive is nobody there.
ACTIVE_PERSON = Sql(f"{_PERSON} WHERE id = :id AND active", Person)
PEOPLE = Sql(f"{_PERSON} WHERE id > :after ORDER BY id LIMIT :limit", Person)
PEOPLE_OF_ORGANIZATION = Sql(
    f"{_PERSON} WHERE organization_id = :organization_id AND id > :after ORDER BY id LIMIT :limit", Person
)
# of two who add the same address or key at once the unique index lets one through; the other hears of 0 rows
ADD_PERSON: Sql[None] = Sql(
    "INSERT INTO person (id, email, name, language, role, organization_id, tier, skills, active, version)"
    " VALUES (:id, :email, :name, :language, :role, :organization_id, :tier, :skills, :active, :version)"
    " ON CONFLICT (email) DO NOTHING",
    type(None),
)
CHANGE_PERSON: Sql[None] = Sql(
    "UPDATE person SET name = :name, language = :language, role = :role, organization_id = :organization_id,"
    " tier = :tier, skills = :skills, active = :active, version = :version WHERE id = :id",
    type(None),
)

_LICENCE = "SELECT id, key_sha256, last4, organization_id, product, edition, active_until, version FROM licence"
LICENCE = Sql(f"{_LICENCE} WHERE id = :id", Licence)
LICENCE_TO_CHANGE = Sql(f"{_LICENCE} WHERE id = :id FOR UPDATE", Licence)
LICENCE_BY_KEY = Sql(f"{_LICENCE} WHERE key_sha256 = :key_sha256", Licence)
LICENCES = Sql(f"{_LICENCE} WHERE id > :after ORDER BY id LIMIT :limit", Licence)
LICENCES_OF_ORGANIZATION = Sql(
    f"{_LICENCE} WHERE organization_id = :organization_id AND id > :after ORDER BY id LIMIT :limit", Licence
)
ADD_LICENCE: Sql[None] = Sql(
    "INSERT INTO licence (id, key_sha256, last4, organization_id, product, edition, active_until, version)"
    " VALUES (:id, :key_sha256, :last4, :organization_id, :product, :edition, :active_until, :version)"
    " ON CONFLICT (key_sha256) DO NOTHING",
    type(None),
)
CHANGE_LICENCE: Sql[None] = Sql(
    "UPDATE licence SET organization_id = :organization_id, product = :product, edition = :edition,"
    " active_until = :active_until, version = :version WHERE id = :id",
    type(None),
)

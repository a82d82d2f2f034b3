"""The tables of accounts. Of keys, links and refresh tokens only SHA-256 hashes are kept, never the secrets."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from firstline.common.store.tables import (
    NAMING,
    JsonText,
    UtcTime,
    add_answer_table,
    add_erasure_table,
    add_inbox_tables,
    add_log_tables,
)

METADATA = sa.MetaData(naming_convention=NAMING)
add_log_tables(METADATA)
add_answer_table(METADATA)
add_erasure_table(METADATA)
add_inbox_tables(METADATA)


class AccountsTable(SQLModel, registry=registry(metadata=METADATA)):
    """Base of this service's tables, with metadata of its own."""


class OrganizationTable(AccountsTable, table=True):
    """A customer or partner company."""

    __tablename__ = "organization"
    __table_args__ = (sa.Index("ix_organization_name", "name", "kind", "id"),)
    id: str = Field(primary_key=True, sa_type=sa.Text)
    name: str = Field(sa_type=sa.Text)
    kind: str = Field(sa_type=sa.Text)


class PersonTable(AccountsTable, table=True):
    """Somebody who may sign in, on the client's side or on staff; known by the mail address."""

    __tablename__ = "person"
    __table_args__ = (sa.Index("ix_person_organization", "organization_id", "id"),)
    id: str = Field(primary_key=True, sa_type=sa.Text)
    # In lower case; unique, because who owns the mailbox signs in as this person.
    email: str = Field(unique=True, sa_type=sa.Text)
    name: str | None = Field(sa_type=sa.Text)
    language: str | None = Field(sa_type=sa.Text)
    role: str = Field(sa_type=sa.Text)
    organization_id: str | None = Field(foreign_key="organization.id", sa_type=sa.Text)
    tier: str | None = Field(sa_type=sa.Text)
    skills: str = Field(sa_type=JsonText)
    active: bool
    version: int


class LicenceTable(AccountsTable, table=True):
    """A licence, found by the hash of its key."""

    __tablename__ = "licence"
    __table_args__ = (sa.Index("ix_licence_organization", "organization_id", "id"),)
    id: str = Field(primary_key=True, sa_type=sa.Text)
    key_sha256: str = Field(unique=True, sa_type=sa.Text)
    last4: str = Field(sa_type=sa.Text)
    organization_id: str | None = Field(foreign_key="organization.id", sa_type=sa.Text)
    product: str = Field(sa_type=sa.Text)
    edition: str | None = Field(sa_type=sa.Text)
    active_until: datetime | None = Field(sa_type=UtcTime)
    version: int


class ApiKeyTable(AccountsTable, table=True):
    """A key for a program; role and organisation are what it was made for and must still hold."""

    __tablename__ = "api_key"
    __table_args__ = (sa.Index("ix_api_key_organization", "organization_id", "id"),)
    id: str = Field(primary_key=True, sa_type=sa.Text)
    sha256: str = Field(unique=True, sa_type=sa.Text)
    last4: str = Field(sa_type=sa.Text)
    name: str = Field(sa_type=sa.Text)
    person_id: str | None = Field(foreign_key="person.id", index=True, sa_type=sa.Text)
    organization_id: str | None = Field(foreign_key="organization.id", sa_type=sa.Text)
    role: str = Field(sa_type=sa.Text)  # as it was when the key was made: a later promotion lifts no old key
    created_at: datetime = Field(sa_type=UtcTime)
    revoked_at: datetime | None = Field(sa_type=UtcTime)


class SignInLinkTable(AccountsTable, table=True):
    """A link that signs a person in; `uses_left` null: as often as they like until it expires (wall time)."""

    __tablename__ = "sign_in_link"
    sha256: str = Field(primary_key=True, sa_type=sa.Text)
    person_id: str = Field(foreign_key="person.id", index=True, sa_type=sa.Text)
    expires_at: datetime = Field(index=True, sa_type=UtcTime)
    uses_left: int | None


class RefreshTokenTable(AccountsTable, table=True):
    """A refresh token; those of one sign-in are a family, and `rotated_at` tells that a successor was given out."""

    __tablename__ = "refresh_token"
    sha256: str = Field(primary_key=True, sa_type=sa.Text)
    person_id: str = Field(foreign_key="person.id", index=True, sa_type=sa.Text)
    # old tokens stay until they expire, because only a known one can be recognised when it comes back
    family: str = Field(index=True, sa_type=sa.Text)
    expires_at: datetime = Field(index=True, sa_type=UtcTime)
    # A token that comes back after this, its moment of grace aside, may be stolen: its whole family ends.
    rotated_at: datetime | None = Field(sa_type=UtcTime)


class CertificateTable(AccountsTable, table=True):
    """What was erased of a person: `reports` by service, complete once every service has answered."""

    __tablename__ = "certificate"
    person_id: str = Field(primary_key=True, sa_type=sa.Text)
    asked_by: str = Field(sa_type=sa.Text)
    asked_at: datetime = Field(sa_type=UtcTime)
    reports: str = Field(sa_type=JsonText)
    completed_at: datetime | None = Field(sa_type=UtcTime)

"""Tables of access requests, and of the vault (clause 4.3)."""

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field

from firstline.common.store.tables import JsonText, UtcTime
from firstline.intake.store.tables import IntakeTable

WAITS = sa.text("due_at IS NOT NULL")


class AccessRequestTable(IntakeTable, table=True):
    """What staff asked a client for, what became of it, who read it, and when it has to be looked at next."""

    __tablename__ = "access_request"
    __table_args__ = (
        sa.Index("ix_access_request_ticket", "ticket_id", "id"),
        sa.Index("ix_access_request_due", "due_at", sqlite_where=WAITS, postgresql_where=WAITS),
    )
    id: str = Field(primary_key=True, sa_type=sa.Text)
    ticket_id: str = Field(foreign_key="ticket.id", sa_type=sa.Text)
    kinds: str = Field(sa_type=JsonText)
    host: str | None = Field(sa_type=sa.Text)
    reason: str = Field(sa_type=sa.Text)
    status: str = Field(sa_type=sa.Text)
    requested_by: str = Field(sa_type=sa.Text)
    requested_at: datetime = Field(sa_type=UtcTime)
    expires_at: datetime = Field(sa_type=UtcTime)
    given: str = Field(sa_type=JsonText)
    provided_by: str | None = Field(sa_type=sa.Text)
    provided_at: datetime | None = Field(sa_type=UtcTime)
    reveals: str = Field(sa_type=JsonText)
    ended_at: datetime | None = Field(sa_type=UtcTime)
    cause: str | None = Field(sa_type=sa.Text)
    told_at: datetime | None = Field(sa_type=UtcTime)
    reminded: int
    changed_by: str | None = Field(sa_type=sa.Text)
    changed_at: datetime | None = Field(sa_type=UtcTime)
    due_at: datetime | None = Field(sa_type=UtcTime)


class AccessSecretTable(IntakeTable, table=True):
    """What a client entrusted to the desk, of one kind, sealed under a key of its own; a purge takes the row."""

    __tablename__ = "access_secret"
    __table_args__ = (
        sa.UniqueConstraint("request_id", "kind"),
        sa.Index("ix_access_secret_key", "key_id", "id"),
    )
    id: str = Field(primary_key=True, sa_type=sa.Text)
    request_id: str = Field(foreign_key="access_request.id", sa_type=sa.Text)
    kind: str = Field(sa_type=sa.Text)
    version: int
    key_id: str = Field(sa_type=sa.Text)
    data_key: bytes = Field(sa_type=sa.LargeBinary)
    content: bytes = Field(sa_type=sa.LargeBinary)

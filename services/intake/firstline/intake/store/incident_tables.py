"""Intake's tables of incidents."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field

from firstline.common.store.tables import JsonText, UtcTime
from firstline.intake.store.tables import IntakeTable


def _where(condition: str) -> dict[str, Any]:
    """Return what makes an index hold only the rows of a condition, on every database."""
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


class IncidentTable(IntakeTable, table=True):
    """A cause that several requests have in common; `tickets` counts those that are linked."""

    __tablename__ = "incident"
    __table_args__ = (
        sa.Index("ix_incident_status", "status", "id"),
        # Banners are asked for often, and few incidents have one.
        sa.Index("ix_incident_banner", "id", **_where("status = 'open' AND banner IS NOT NULL")),
    )
    id: str = Field(primary_key=True, sa_type=sa.Text)
    title: str = Field(sa_type=sa.Text)
    status: str = Field(sa_type=sa.Text)
    version: int
    tickets: int
    banner: str | None = Field(sa_type=JsonText)
    opened_by: str = Field(sa_type=sa.Text)
    opened_at: datetime = Field(sa_type=UtcTime)
    updated_at: datetime = Field(sa_type=UtcTime)
    resolved_at: datetime | None = Field(sa_type=UtcTime)


class IncidentTicketTable(IntakeTable, table=True):
    """A request that is linked to an incident."""

    __tablename__ = "incident_ticket"
    # The key goes from incidents to requests; this one goes back.
    __table_args__ = (sa.Index("ix_incident_ticket_ticket", "ticket_id", "incident_id"),)
    incident_id: str = Field(primary_key=True, foreign_key="incident.id", sa_type=sa.Text)
    ticket_id: str = Field(primary_key=True, foreign_key="ticket.id", sa_type=sa.Text)
    linked_by: str = Field(sa_type=sa.Text)
    linked_at: datetime = Field(sa_type=UtcTime)


class IncidentAnswerTable(IntakeTable, table=True):
    """An answer to all requests of an incident; counts how many got it, and how many could not."""

    __tablename__ = "incident_answer"
    __table_args__ = (sa.Index("ix_incident_answer_incident", "incident_id", "id"),)
    id: str = Field(primary_key=True, sa_type=sa.Text)
    incident_id: str = Field(foreign_key="incident.id", sa_type=sa.Text)
    body: str = Field(sa_type=sa.Text)
    resolve: bool
    author: str = Field(sa_type=JsonText)
    total: int
    sent: int
    refused: int
    created_at: datetime = Field(sa_type=UtcTime)


class IncidentReplyTable(IntakeTable, table=True):
    """One request's part of an answer; done in the transaction that replies, or with the reason why it can't be."""

    __tablename__ = "incident_reply"
    # What is done stays as the answer's account, and must not slow down who looks for what is not.
    __table_args__ = (sa.Index("ix_incident_reply_pending", "answer_id", "ticket_id", **_where("done_at IS NULL")),)
    answer_id: str = Field(primary_key=True, foreign_key="incident_answer.id", sa_type=sa.Text)
    ticket_id: str = Field(primary_key=True, foreign_key="ticket.id", sa_type=sa.Text)
    done_at: datetime | None = Field(sa_type=UtcTime)
    problem: str | None = Field(sa_type=sa.Text)

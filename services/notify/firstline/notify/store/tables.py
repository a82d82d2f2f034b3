"""Notify's tables: deliveries and their attempts, endpoints, the feed, and copies of what other services say."""

from datetime import datetime
from typing import Any

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
add_inbox_tables(METADATA)
add_answer_table(METADATA)
add_erasure_table(METADATA)


class NotifyTable(SQLModel, registry=registry(metadata=METADATA)):
    """Base of this service's tables, with metadata of its own."""


def _partial(name: str, columns: tuple[str, ...], condition: str) -> sa.Index:
    """Return an index of the rows that a condition names."""
    where: dict[str, Any] = {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}
    return sa.Index(name, *columns, **where)


class PolicyTable(NotifyTable, table=True):
    """A published policy version."""

    __tablename__ = "policy"
    version: str = Field(primary_key=True, sa_type=sa.Text)
    document: str = Field(sa_type=JsonText)


class PersonTable(NotifyTable, table=True):
    """A copy of a person, as accounts last said; `email` in lower case."""

    __tablename__ = "person"
    __table_args__ = (sa.Index("ix_person_email", "email", "id"),)
    id: str = Field(primary_key=True, sa_type=sa.Text)
    email: str = Field(sa_type=sa.Text)
    name: str | None = Field(sa_type=sa.Text)
    language: str | None = Field(sa_type=sa.Text)


class TicketTable(NotifyTable, table=True):
    """What mails about a request need; `parting` is a reply that waits for the ending told right after it."""

    __tablename__ = "ticket"
    __table_args__ = (sa.Index("ix_ticket_requester_email", "requester_email"),)
    id: str = Field(primary_key=True, sa_type=sa.Text)
    number: str = Field(sa_type=sa.Text)
    status: str = Field(sa_type=sa.Text)
    subject: str = Field(sa_type=sa.Text)
    requester_email: str = Field(sa_type=sa.Text)
    language: str = Field(sa_type=sa.Text)
    policy_version: str = Field(sa_type=sa.Text)
    conversation: str = Field(sa_type=JsonText)
    parting: str | None = Field(sa_type=JsonText)


class DeliveryTable(NotifyTable, table=True):
    """One mail to one recipient, or one event to one endpoint; `payload` is what goes out, byte for byte."""

    __tablename__ = "delivery"
    __table_args__ = (
        # Of what is pending only: deliveries stay for ever, and looking for what is due must not grow with them.
        _partial("ix_delivery_due", ("channel", "next_at", "id"), "state = 'pending'"),
        _partial("ix_delivery_endpoint_due", ("endpoint_id", "next_at", "id"), "state = 'pending'"),
        # Loops of robots are broken by counting what was sent by itself: to strangers, about a request, to an address.
        _partial("ix_delivery_stranger", ("created_at",), "automatic AND kind = 'acknowledgement_unknown_sender'"),
        _partial("ix_delivery_answer", ("ticket_id", "recipient"), "automatic"),
        sa.Index("ix_delivery_recipient", "recipient", "created_at"),
        # For lists, with the ID in whose order pages follow one another.
        sa.Index("ix_delivery_ticket", "ticket_id", "id"),
        sa.Index("ix_delivery_state", "state", "id"),
        sa.Index("ix_delivery_channel", "channel", "id"),
    )
    id: str = Field(primary_key=True, sa_type=sa.Text)
    channel: str = Field(sa_type=sa.Text)
    kind: str = Field(sa_type=sa.Text)
    event_id: str = Field(sa_type=sa.Text)
    ticket_id: str | None = Field(sa_type=sa.Text)
    number: str | None = Field(sa_type=sa.Text)
    endpoint_id: str | None = Field(sa_type=sa.Text)
    recipient: str | None = Field(sa_type=sa.Text)
    mail_from: str = Field(sa_type=sa.Text)
    # Made once and sent again with each attempt, so that a mail that arrives twice is seen to be one.
    message_id: str | None = Field(sa_type=sa.Text)
    automatic: bool
    state: str = Field(sa_type=sa.Text)
    reason: str = Field(sa_type=sa.Text)
    payload: bytes | None = Field(sa_type=sa.LargeBinary)
    attempts: int
    attempts_before: int
    created_at: datetime = Field(sa_type=UtcTime)
    first_at: datetime | None = Field(sa_type=UtcTime)
    next_at: datetime | None = Field(sa_type=UtcTime)
    finished_at: datetime | None = Field(sa_type=UtcTime)
    traceparent: str | None = Field(sa_type=sa.Text)


class AttemptTable(NotifyTable, table=True):
    """One try to deliver; `status` is the HTTP status or SMTP code, where there was an answer."""

    __tablename__ = "attempt"
    delivery_id: str = Field(primary_key=True, foreign_key="delivery.id", sa_type=sa.Text)
    number: int = Field(primary_key=True)
    at: datetime = Field(sa_type=UtcTime)
    took_ms: int
    outcome: str = Field(sa_type=sa.Text)
    status: int | None
    detail: str = Field(sa_type=sa.Text)
    excerpt: str = Field(sa_type=sa.Text)


class EndpointTable(NotifyTable, table=True):
    """A webhook receiver; `organization_id` None hears of every request, `secrets` is encrypted."""

    __tablename__ = "endpoint"
    __table_args__ = (
        # Asked with each event that outsiders may hear of.
        _partial("ix_endpoint_enabled", ("organization_id", "id"), "state = 'enabled'"),
        sa.Index("ix_endpoint_organization", "organization_id", "id"),
    )
    id: str = Field(primary_key=True, sa_type=sa.Text)
    organization_id: str | None = Field(sa_type=sa.Text)
    url: str = Field(sa_type=sa.Text)
    types: str = Field(sa_type=JsonText)
    content: bool
    description: str = Field(sa_type=sa.Text)
    state: str = Field(sa_type=sa.Text)
    reason: str = Field(sa_type=sa.Text)
    secrets: str = Field(sa_type=sa.Text)
    version: int
    created_at: datetime = Field(sa_type=UtcTime)
    updated_at: datetime = Field(sa_type=UtcTime)
    last_success_at: datetime | None = Field(sa_type=UtcTime)


class FeedTable(NotifyTable, table=True):
    """An event as outsiders see it; staff alone see those that are not public."""

    __tablename__ = "feed"
    position: int = Field(primary_key=True, sa_type=sa.BigInteger, sa_column_kwargs={"autoincrement": False})
    type: str = Field(sa_type=sa.Text)
    body: str = Field(sa_type=JsonText)


class FeedReaderTable(NotifyTable, table=True):
    """Who may read a public event: `address:<mail address>` or `organization:<id>`."""

    __tablename__ = "feed_reader"
    reader: str = Field(primary_key=True, sa_type=sa.Text)
    position: int = Field(primary_key=True, foreign_key="feed.position", sa_type=sa.BigInteger)


class FeedHeadTable(NotifyTable, table=True):
    """The feed's last position, in one row, so that positions follow one another in the order of commits."""

    __tablename__ = "feed_head"
    id: int = Field(primary_key=True)
    position: int = Field(sa_type=sa.BigInteger)

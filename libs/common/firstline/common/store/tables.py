"""Column types and the tables that every service has: the log, the relay's state, the inbox, answers kept for retries.

Tables and migrations are SQLModel's and Alembic's; at run time only the SQL constants are used.
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

NAMING = {
    # Names that follow from the columns: SQLite gives constraints
    # none, and what has no name can't be dropped by a later migration.
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcTime(TypeDecorator[datetime]):
    """An instant: timestamptz on PostgreSQL, fixed-width text on SQLite (whose own type would be numeric)."""

    impl = sa.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the column type of the database at hand."""
        kind: TypeEngine[Any] = sa.Text() if dialect.name == "sqlite" else sa.DateTime(timezone=True)
        return dialect.type_descriptor(kind)


class JsonText(TypeDecorator[Any]):
    """An object or array as text: a policy's order of members has a meaning, which jsonb would not keep."""

    impl = sa.Text
    cache_ok = True


Serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""An integer primary key that counts up by itself."""


def add_log_tables(metadata: sa.MetaData) -> None:
    """Define the log, its relay's state, and the leases by which replicas share work such as the relay's."""
    sa.Table(
        "lease",
        metadata,
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("fence", sa.BigInteger, nullable=False),
        sa.Column("renewed_at", UtcTime, nullable=False),
    )
    sa.Table(
        "log_event",
        metadata,
        sa.Column("seq", Serial, primary_key=True, autoincrement=True),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("stream", sa.Text, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("time", UtcTime, nullable=False),
        sa.Column("subject", sa.Text),
        sa.Column("data", sa.Text),
        sa.Column("salt", sa.Text),
        sa.Column("data_hash", sa.Text, nullable=False),
        sa.Column("traceparent", sa.Text),
        sa.Column("position", sa.BigInteger),
        sa.Column("hash", sa.Text),
        sa.UniqueConstraint("stream", "version"),
        sqlite_autoincrement=True,
    )
    log = metadata.tables["log_event"].c
    sa.Index("ix_log_event_position", log.position, unique=True, **_where(log.position.is_not(None)))
    sa.Index("ix_log_event_unnumbered", log.seq, **_where(log.position.is_(None)))
    sa.Table(
        "log_relay",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("log", sa.Text, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("published", sa.BigInteger, nullable=False),
    )


def _where(condition: sa.ColumnElement[bool]) -> dict[str, Any]:
    """Return what makes an index hold only the rows of a condition, on every database."""
    return {"sqlite_where": condition, "postgresql_where": condition}


def add_inbox_tables(metadata: sa.MetaData) -> None:
    """Define the inbox: heads of the streams seen, events that wait or are parked, and the pull's place."""
    sa.Table(
        "inbox_stream",
        metadata,
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("stream", sa.Text, primary_key=True),
        sa.Column("log", sa.Text, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
    )
    sa.Table(
        "inbox_event",
        metadata,
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("stream", sa.Text, primary_key=True),
        sa.Column("version", sa.BigInteger, primary_key=True),
        sa.Column("log", sa.Text, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("envelope", sa.Text, nullable=False),
        sa.Column("received_at", UtcTime, nullable=False),
    )
    sa.Index("ix_inbox_event_state", metadata.tables["inbox_event"].c.state)
    sa.Table(
        "inbox_source",
        metadata,
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("log", sa.Text, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
    )


def add_answer_table(metadata: sa.MetaData) -> None:
    """Define the answers kept for a retried request (Idempotency-Key)."""
    sa.Table(
        "answer",
        metadata,
        sa.Column("scope", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("etag", sa.Text),
        sa.Column("stored_at", UtcTime, nullable=False),
    )
    sa.Index("ix_answer_stored_at", metadata.tables["answer"].c.stored_at)


def add_erasure_table(metadata: sa.MetaData) -> None:
    """Define whom the service is erasing, and how far it has come; the row goes when all is done."""
    sa.Table(
        "erasure",
        metadata,
        sa.Column("person_id", sa.Text, primary_key=True),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("names", JsonText, nullable=False),
        sa.Column("tickets", JsonText, nullable=False),
        sa.Column("stage", sa.Integer, nullable=False),
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("erased", JsonText, nullable=False),
    )

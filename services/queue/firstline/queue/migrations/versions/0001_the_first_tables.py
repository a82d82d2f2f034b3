"""The first tables: entries, copies of what the order needs to know, log, inbox and answers."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from firstline.common.store.tables import JsonText, UtcTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = (
    "answer",
    "inbox_event",
    "inbox_source",
    "inbox_stream",
    "log_event",
    "log_relay",
    "queue_entry",
    "queue_participant",
    "queue_person",
    "queue_policy",
    "queue_streak",
)


def upgrade() -> None:
    _answers()
    _inbox()
    _log()
    _entries()
    _order()


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def _answers() -> None:
    op.create_table(
        "answer",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text(), nullable=True),
        sa.Column("stored_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "key", name=op.f("pk_answer")),
    )
    op.create_index("ix_answer_stored_at", "answer", ["stored_at"])


def _inbox() -> None:
    op.create_table(
        "inbox_event",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("log", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("envelope", sa.Text(), nullable=False),
        sa.Column("received_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("source", "stream", "version", "log", name=op.f("pk_inbox_event")),
    )
    op.create_index("ix_inbox_event_state", "inbox_event", ["state"])

    op.create_table(
        "inbox_source",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("log", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_inbox_source")),
    )
    op.create_table(
        "inbox_stream",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("log", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("source", "stream", name=op.f("pk_inbox_stream")),
    )


def _log() -> None:
    op.create_table(
        "log_event",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("time", UtcTime(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("data", sa.Text(), nullable=True),
        sa.Column("salt", sa.Text(), nullable=True),
        sa.Column("data_hash", sa.Text(), nullable=False),
        sa.Column("traceparent", sa.Text(), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("hash", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_log_event")),
        sa.UniqueConstraint("stream", "version", name=op.f("uq_log_event_stream_version")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_log_event_position", "log_event", ["position"], unique=True, **_where("position IS NOT NULL"))
    op.create_index("ix_log_event_unnumbered", "log_event", ["seq"], **_where("position IS NULL"))

    op.create_table(
        "log_relay",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("log", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("published", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_log_relay")),
    )


def _entries() -> None:
    op.create_table(
        "queue_entry",
        sa.Column("ticket_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("urgency", sa.Text(), nullable=False),
        sa.Column("urgency_provisional", sa.Boolean(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=True),
        sa.Column("tier", sa.Text(), nullable=False),
        sa.Column("out_of_turn", sa.Boolean(), nullable=False),
        sa.Column("turn", sa.SmallInteger(), nullable=True),
        sa.Column("free_turn", sa.SmallInteger(), nullable=True),
        sa.Column("since", UtcTime(), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("agent", sa.Text(), nullable=True),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("lease_expires_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("ticket_id", name=op.f("pk_queue_entry")),
        sa.UniqueConstraint("number", name=op.f("uq_queue_entry_number")),
    )
    op.create_index("ix_queue_entry_agent", "queue_entry", ["agent"], **_where("agent IS NOT NULL"))
    op.create_index(
        "ix_queue_entry_free", "queue_entry", ["free_turn", "since", "position"], **_where("free_turn IS NOT NULL")
    )
    op.create_index(
        "ix_queue_entry_free_tier",
        "queue_entry",
        ["tier", "free_turn", "since", "position"],
        **_where("free_turn IS NOT NULL"),
    )
    op.create_index(
        "ix_queue_entry_lease", "queue_entry", ["lease_expires_at"], **_where("lease_expires_at IS NOT NULL")
    )
    op.create_index(
        "ix_queue_entry_waiting", "queue_entry", ["turn", "since", "position"], **_where("turn IS NOT NULL")
    )
    op.create_index(
        "ix_queue_entry_waiting_tier",
        "queue_entry",
        ["tier", "turn", "since", "position"],
        **_where("turn IS NOT NULL"),
    )

    op.create_table(
        "queue_participant",
        sa.Column("ticket_id", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("ticket_id", "address", name=op.f("pk_queue_participant")),
    )
    op.create_index("ix_queue_participant_address", "queue_participant", ["address"])


def _order() -> None:
    op.create_table(
        "queue_person",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("serves", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_queue_person")),
    )
    op.create_table(
        "queue_policy",
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("effective_from", UtcTime(), nullable=False),
        sa.Column("levels", JsonText(), nullable=False),
        sa.Column("max_in_a_row", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_queue_policy")),
    )
    op.create_index("ix_queue_policy_effective_from", "queue_policy", ["effective_from", "version"])

    op.create_table(
        "queue_streak",
        sa.Column("wish", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("wish", name=op.f("pk_queue_streak")),
    )

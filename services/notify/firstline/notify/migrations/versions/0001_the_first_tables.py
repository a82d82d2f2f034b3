"""The first tables: log, inbox and answers, deliveries, endpoints, the feed, and copies."""

import sqlalchemy as sa
from alembic import op

from firstline.common.store.tables import JsonText, Serial, UtcTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = (
    "answer",
    "delivery",
    "endpoint",
    "feed",
    "feed_head",
    "inbox_event",
    "inbox_source",
    "inbox_stream",
    "log_event",
    "log_relay",
    "person",
    "policy",
    "ticket",
    "attempt",
    "feed_reader",
)


def upgrade() -> None:
    op.create_table(
        "answer",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text()),
        sa.Column("stored_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "key", name="pk_answer"),
    )
    op.create_index("ix_answer_stored_at", "answer", ["stored_at"])

    op.create_table(
        "delivery",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("ticket_id", sa.Text()),
        sa.Column("number", sa.Text()),
        sa.Column("endpoint_id", sa.Text()),
        sa.Column("recipient", sa.Text()),
        sa.Column("mail_from", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text()),
        sa.Column("automatic", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("payload", sa.LargeBinary()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("attempts_before", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("first_at", UtcTime()),
        sa.Column("next_at", UtcTime()),
        sa.Column("finished_at", UtcTime()),
        sa.PrimaryKeyConstraint("id", name="pk_delivery"),
    )
    op.create_index(
        "ix_delivery_answer",
        "delivery",
        ["ticket_id", "recipient"],
        sqlite_where=sa.text("automatic"),
        postgresql_where=sa.text("automatic"),
    )
    op.create_index("ix_delivery_channel", "delivery", ["channel", "id"])
    op.create_index(
        "ix_delivery_due",
        "delivery",
        ["channel", "next_at", "id"],
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        "ix_delivery_endpoint_due",
        "delivery",
        ["endpoint_id", "next_at", "id"],
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index("ix_delivery_recipient", "delivery", ["recipient", "created_at"])
    op.create_index("ix_delivery_state", "delivery", ["state", "id"])
    op.create_index(
        "ix_delivery_stranger",
        "delivery",
        ["created_at"],
        sqlite_where=sa.text("automatic AND kind = 'acknowledgement_unknown_sender'"),
        postgresql_where=sa.text("automatic AND kind = 'acknowledgement_unknown_sender'"),
    )
    op.create_index("ix_delivery_ticket", "delivery", ["ticket_id", "id"])

    op.create_table(
        "endpoint",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text()),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("types", JsonText(), nullable=False),
        sa.Column("content", sa.Boolean(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("secrets", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.Column("last_success_at", UtcTime()),
        sa.PrimaryKeyConstraint("id", name="pk_endpoint"),
    )
    op.create_index(
        "ix_endpoint_enabled",
        "endpoint",
        ["organization_id", "id"],
        sqlite_where=sa.text("state = 'enabled'"),
        postgresql_where=sa.text("state = 'enabled'"),
    )
    op.create_index("ix_endpoint_organization", "endpoint", ["organization_id", "id"])

    op.create_table(
        "feed",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("body", JsonText(), nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_feed"),
    )
    op.create_table(
        "feed_head",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_feed_head"),
    )
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
        sa.PrimaryKeyConstraint("source", "stream", "version", "log", name="pk_inbox_event"),
    )
    op.create_index("ix_inbox_event_state", "inbox_event", ["state"])

    op.create_table(
        "inbox_source",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("log", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", name="pk_inbox_source"),
    )
    op.create_table(
        "inbox_stream",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("log", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("source", "stream", name="pk_inbox_stream"),
    )
    op.create_table(
        "log_event",
        sa.Column("seq", Serial, autoincrement=True, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("time", UtcTime(), nullable=False),
        sa.Column("subject", sa.Text()),
        sa.Column("data", sa.Text()),
        sa.Column("salt", sa.Text()),
        sa.Column("data_hash", sa.Text(), nullable=False),
        sa.Column("traceparent", sa.Text()),
        sa.Column("position", sa.BigInteger()),
        sa.Column("hash", sa.Text()),
        sa.PrimaryKeyConstraint("seq", name="pk_log_event"),
        sa.UniqueConstraint("stream", "version", name="uq_log_event_stream_version"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_log_event_position",
        "log_event",
        ["position"],
        unique=True,
        sqlite_where=sa.text("position IS NOT NULL"),
        postgresql_where=sa.text("position IS NOT NULL"),
    )
    op.create_index(
        "ix_log_event_unnumbered",
        "log_event",
        ["seq"],
        sqlite_where=sa.text("position IS NULL"),
        postgresql_where=sa.text("position IS NULL"),
    )

    op.create_table(
        "log_relay",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("log", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("published", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_log_relay"),
    )
    op.create_table(
        "person",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text()),
        sa.Column("language", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_person"),
    )
    op.create_index("ix_person_email", "person", ["email", "id"])

    op.create_table(
        "policy",
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("document", JsonText(), nullable=False),
        sa.PrimaryKeyConstraint("version", name="pk_policy"),
    )
    op.create_table(
        "ticket",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("requester_email", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("policy_version", sa.Text(), nullable=False),
        sa.Column("conversation", JsonText(), nullable=False),
        sa.Column("parting", JsonText()),
        sa.PrimaryKeyConstraint("id", name="pk_ticket"),
    )
    op.create_index("ix_ticket_requester_email", "ticket", ["requester_email"])

    op.create_table(
        "attempt",
        sa.Column("delivery_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("took_ms", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("excerpt", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.id"], name="fk_attempt_delivery_id"),
        sa.PrimaryKeyConstraint("delivery_id", "number", name="pk_attempt"),
    )
    op.create_table(
        "feed_reader",
        sa.Column("reader", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["position"], ["feed.position"], name="fk_feed_reader_position"),
        sa.PrimaryKeyConstraint("reader", "position", name="pk_feed_reader"),
    )


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)

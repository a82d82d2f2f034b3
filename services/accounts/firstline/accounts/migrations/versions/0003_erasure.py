"""Erasure: whom accounts is erasing, what each service reports of it, and the inbox that takes the reports."""

import sqlalchemy as sa
from alembic import op

from firstline.common.store.tables import JsonText, UtcTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "erasure",
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("names", JsonText(), nullable=False),
        sa.Column("tickets", JsonText(), nullable=False),
        sa.Column("stage", sa.Integer(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("erased", JsonText(), nullable=False),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_erasure")),
    )
    op.create_table(
        "certificate",
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("asked_at", UtcTime(), nullable=False),
        sa.Column("reports", JsonText(), nullable=False),
        sa.Column("completed_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_certificate")),
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
    op.create_index("ix_api_key_person_id", "api_key", ["person_id"])
    op.create_index("ix_sign_in_link_person_id", "sign_in_link", ["person_id"])


def downgrade() -> None:
    op.drop_index("ix_sign_in_link_person_id", "sign_in_link")
    op.drop_index("ix_api_key_person_id", "api_key")
    for table in ("inbox_stream", "inbox_source", "inbox_event", "certificate", "erasure"):
        op.drop_table(table)

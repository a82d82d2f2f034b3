"""Texts that seemed to hold a secret, sealed (clause 4.3)."""

import sqlalchemy as sa
from alembic import op

from firstline.common.store.tables import JsonText, UtcTime

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "held_text",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("ticket_id", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=True),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("kinds", JsonText(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("data_key", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("held_at", UtcTime(), nullable=False),
        sa.Column("purge_at", UtcTime(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", UtcTime(), nullable=True),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_held_text_ticket_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_held_text")),
    )
    op.create_index("ix_held_text_ticket", "held_text", ["ticket_id", "id"])
    held = sa.text("status = 'held'")
    op.create_index("ix_held_text_purge_at", "held_text", ["purge_at"], sqlite_where=held, postgresql_where=held)


def downgrade() -> None:
    op.drop_table("held_text")

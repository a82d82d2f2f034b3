"""Requests that were merged or linked, and what each of them belongs to (clause 2.4)."""

import sqlalchemy as sa
from alembic import op

from firstline.common.store.tables import UtcTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BACKWARDS = ("split_from", "merged_into", "follows")


def upgrade() -> None:
    op.add_column("ticket", sa.Column("merged_into", sa.Text(), nullable=True))
    op.add_column("participant", sa.Column("merged_from", sa.Text(), nullable=True))
    for column in BACKWARDS:
        there = sa.text(f"{column} IS NOT NULL")
        op.create_index(f"ix_ticket_{column}", "ticket", [column], sqlite_where=there, postgresql_where=there)
    op.create_table(
        "ticket_link",
        sa.Column("ticket_id", sa.Text(), nullable=False),
        sa.Column("other_id", sa.Text(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_ticket_link_ticket_id_ticket")),
        sa.ForeignKeyConstraint(["other_id"], ["ticket.id"], name=op.f("fk_ticket_link_other_id_ticket")),
        sa.PrimaryKeyConstraint("ticket_id", "other_id", name=op.f("pk_ticket_link")),
    )


def downgrade() -> None:
    op.drop_table("ticket_link")
    for column in BACKWARDS:
        op.drop_index(f"ix_ticket_{column}", table_name="ticket")
    op.drop_column("participant", "merged_from")
    op.drop_column("ticket", "merged_into")

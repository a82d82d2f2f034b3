"""Releases that requests wait for, and since when a request waits."""

import sqlalchemy as sa
from alembic import op

from firstline.common.store.tables import JsonText, UtcTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

COLUMNS = ("waiting_since", "defect_ref", "planned_release", "awaited_release", "released_in")


def upgrade() -> None:
    op.add_column("ticket", sa.Column("waiting_since", UtcTime(), nullable=True))
    op.add_column("ticket", sa.Column("defect_ref", sa.Text(), nullable=True))
    op.add_column("ticket", sa.Column("planned_release", JsonText(), nullable=True))
    op.add_column("ticket", sa.Column("awaited_release", sa.Text(), nullable=True))
    op.add_column("ticket", sa.Column("released_in", sa.Text(), nullable=True))
    # Nothing but its end changed a request while it waited, so its last change began the wait.
    op.execute("UPDATE ticket SET waiting_since = updated_at WHERE status = 'waiting'")
    planned = sa.text("awaited_release IS NOT NULL")
    op.create_index(
        "ix_ticket_awaited_release",
        "ticket",
        ["awaited_release", "id"],
        sqlite_where=planned,
        postgresql_where=planned,
    )
    op.create_table(
        "release",
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("shipped_by", sa.Text(), nullable=True),
        sa.Column("shipped_by_role", sa.Text(), nullable=True),
        sa.Column("shipped_at", UtcTime(), nullable=True),
        sa.Column("settled_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_release")),
    )
    unshipped = sa.text("shipped_at IS NULL")
    op.create_index("ix_release_planned", "release", ["version"], sqlite_where=unshipped, postgresql_where=unshipped)
    unsettled = sa.text("settled_at IS NULL AND shipped_at IS NOT NULL")
    op.create_index(
        "ix_release_unsettled", "release", ["shipped_at"], sqlite_where=unsettled, postgresql_where=unsettled
    )


def downgrade() -> None:
    op.drop_table("release")
    op.drop_index("ix_ticket_awaited_release", table_name="ticket")
    for name in COLUMNS:
        op.drop_column("ticket", name)

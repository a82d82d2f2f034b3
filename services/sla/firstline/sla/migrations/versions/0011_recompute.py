"""Recomputes, what they change, and the versions that a request is timed by after one."""

import sqlalchemy as sa
from alembic import op

from firstline.common.store.tables import Serial, UtcTime

revision = "0011"
down_revision = "0009"
branch_labels = None
depends_on = None

COUNTS = ("requests", "clocks", "changed", "later", "earlier", "breached", "relieved", "failed")
ALIVE = "state IN ('running', 'paused')"
RUNNING = "state = 'running'"


def upgrade() -> None:
    op.add_column("ticket", sa.Column("calendar_version", sa.Text(), nullable=True))
    op.add_column("ticket", sa.Column("targets_version", sa.Text(), nullable=True))
    op.create_index(
        "ix_clock_alive", "clock", ["ticket_id"], sqlite_where=sa.text(ALIVE), postgresql_where=sa.text(ALIVE)
    )
    op.create_table(
        "recompute",
        sa.Column("seq", Serial, autoincrement=True, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("policy_version", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("dry_run", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("started_at", UtcTime(), nullable=False),
        sa.Column("ended_at", UtcTime(), nullable=True),
        sa.Column("after", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in COUNTS),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_recompute")),
        sa.UniqueConstraint("id", name=op.f("uq_recompute_id")),
    )
    op.create_index(
        "ix_recompute_running", "recompute", ["seq"], sqlite_where=sa.text(RUNNING), postgresql_where=sa.text(RUNNING)
    )
    op.create_table(
        "recompute_change",
        sa.Column("recompute_id", sa.Text(), nullable=False),
        sa.Column("ticket_id", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("due_before", UtcTime(), nullable=True),
        sa.Column("due_after", UtcTime(), nullable=True),
        sa.Column("breached_before", sa.Boolean(), nullable=False),
        sa.Column("breached_after", sa.Boolean(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("recompute_id", "ticket_id", "target", name=op.f("pk_recompute_change")),
    )


def downgrade() -> None:
    op.drop_table("recompute_change")
    op.drop_table("recompute")
    op.drop_index("ix_clock_alive", "clock")
    for column in ("targets_version", "calendar_version"):
        op.drop_column("ticket", column)

"""What reports read: the requests that were taken, the ended runs of their clocks, and clocks that are late now."""

import sqlalchemy as sa
from alembic import op

from firstline.common.store.tables import UtcTime

revision = "0009"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "taken",
        sa.Column("ticket_id", sa.Text(), nullable=False),
        sa.Column("taken_at", UtcTime(), nullable=False),
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=True),
        sa.Column("topic", sa.Text(), nullable=True),
        sa.Column("tier", sa.Text(), nullable=True),
        sa.Column("urgency", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("split_off", sa.Boolean(), nullable=False),
        sa.Column("out_of_turn", sa.Boolean(), nullable=False),
        sa.Column("reopened", sa.Integer(), nullable=False),
        sa.Column("mark", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("ticket_id", name=op.f("pk_taken")),
    )
    op.create_index("ix_taken_taken_at", "taken", ["taken_at", "ticket_id"])
    op.create_table(
        "run",
        sa.Column("ticket_id", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("ended_by", sa.Text(), nullable=False),
        sa.Column("started_at", UtcTime(), nullable=False),
        sa.Column("ended_at", UtcTime(), nullable=False),
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("late", sa.Boolean(), nullable=True),
        sa.Column("target_minutes", sa.Float(), nullable=True),
        sa.Column("minutes", sa.Float(), nullable=False),
        sa.Column("gross", sa.Float(), nullable=False),
        sa.Column("client", sa.Float(), nullable=False),
        sa.Column("third_party", sa.Float(), nullable=False),
        sa.Column("release", sa.Float(), nullable=False),
        sa.Column("owed", sa.Float(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=True),
        sa.Column("topic", sa.Text(), nullable=True),
        sa.Column("tier", sa.Text(), nullable=True),
        sa.Column("organization_id", sa.Text(), nullable=True),
        sa.Column("urgency", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("ticket_id", "target", "ended_by", name=op.f("pk_run")),
    )
    op.create_index("ix_run_ended_at", "run", ["ended_at", "ticket_id", "target", "ended_by"])
    op.create_table(
        "name",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_name")),
    )
    op.create_index(
        "ix_clock_late",
        "clock",
        ["target", "state"],
        sqlite_where=sa.text("breached"),
        postgresql_where=sa.text("breached"),
    )


def downgrade() -> None:
    op.drop_index("ix_clock_late", "clock")
    op.drop_table("name")
    op.drop_table("run")
    op.drop_table("taken")

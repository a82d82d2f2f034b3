"""What-if: what was asked of it and how far it has come, and what the first urgency of a request depended on."""

import sqlalchemy as sa
from alembic import op

from firstline.common.store.tables import JsonText, UtcTime

revision = "0010"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("taken") as taken:
        taken.add_column(sa.Column("first_topic", sa.Text(), nullable=True))
        taken.add_column(sa.Column("recovery", sa.Text(), nullable=True))
        taken.add_column(sa.Column("claim", sa.Text(), nullable=True))
        taken.add_column(sa.Column("covered", sa.Boolean(), nullable=True))
    with op.batch_alter_table("run") as run:
        run.add_column(sa.Column("hours_version", sa.Text(), nullable=True))
        run.add_column(sa.Column("targets_version", sa.Text(), nullable=True))
    op.create_table(
        "simulation",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("made_at", UtcTime(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("changes", JsonText(), nullable=False),
        sa.Column("start", UtcTime(), nullable=False),
        sa.Column("until", UtcTime(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("place", JsonText(), nullable=True),
        sa.Column("tally", JsonText(), nullable=False),
        sa.Column("finished_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_simulation")),
    )
    op.create_index("ix_simulation_made_at", "simulation", ["made_at", "id"])
    op.create_index(
        "ix_simulation_unfinished",
        "simulation",
        ["made_at"],
        sqlite_where=sa.text("finished_at IS NULL"),
        postgresql_where=sa.text("finished_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_table("simulation")
    with op.batch_alter_table("run") as run:
        run.drop_column("targets_version")
        run.drop_column("hours_version")
    with op.batch_alter_table("taken") as taken:
        for name in ("covered", "claim", "recovery", "first_topic"):
            taken.drop_column(name)

"""What forecasts are told from: the queue as it was told, how long answers took; and who may ask."""

import sqlalchemy as sa
from alembic import op

from firstline.common.store.tables import Serial, UtcTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "waiting",
        sa.Column("ticket_id", sa.Text(), nullable=False),
        sa.Column("turn", sa.SmallInteger(), nullable=False),
        sa.Column("since", UtcTime(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("entered_at", UtcTime(), nullable=False),
        sa.Column("ahead", sa.Integer(), nullable=False),
        sa.Column("p50_at", UtcTime(), nullable=True),
        sa.Column("p90_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("ticket_id", name=op.f("pk_waiting")),
    )
    op.create_index("ix_waiting_order", "waiting", ["turn", "since", "position"])
    op.create_table(
        "waited",
        sa.Column("seq", Serial, autoincrement=True, nullable=False),
        sa.Column("ticket_id", sa.Text(), nullable=False),
        sa.Column("entered_at", UtcTime(), nullable=False),
        sa.Column("answered_at", UtcTime(), nullable=False),
        sa.Column("minutes", sa.Float(), nullable=False),
        sa.Column("ahead", sa.Integer(), nullable=False),
        sa.Column("p50_at", UtcTime(), nullable=True),
        sa.Column("p90_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_waited")),
    )
    op.create_table(
        "participant",
        sa.Column("ticket_id", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("ticket_id", "address", name=op.f("pk_participant")),
    )
    op.create_index("ix_participant_address", "participant", ["address"])
    op.create_table(
        "person",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person")),
    )


def downgrade() -> None:
    for table in ("person", "participant", "waited", "waiting"):
        op.drop_table(table)

"""Requests that were split off, and the messages that they were made of (clause 2.4)."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("ticket", sa.Column("split_from", sa.Text(), nullable=True))
    op.add_column("message", sa.Column("split_into", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("message", "split_into")
    op.drop_column("ticket", "split_from")

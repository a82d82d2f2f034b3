"""Of what a duplicate was owed when it was merged: whose it is."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("fact", sa.Column("origin", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("fact", "origin")

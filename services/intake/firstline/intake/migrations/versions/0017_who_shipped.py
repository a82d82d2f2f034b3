"""Which system shipped a release, so that it knows the events that follow as its own."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("release", sa.Column("shipped_by_client", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("release", "shipped_by_client")

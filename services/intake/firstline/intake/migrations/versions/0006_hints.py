"""What the policy remarks about a request, such as several questions in one (clause 2.4)."""

import sqlalchemy as sa
from alembic import op

from firstline.common.store.tables import JsonText

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("ticket", sa.Column("hints", JsonText(), nullable=False, server_default="[]"))


def downgrade() -> None:
    op.drop_column("ticket", "hints")

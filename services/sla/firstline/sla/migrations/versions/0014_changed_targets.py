"""What a recompute changes of a clock's target: one that is paused has no deadline to tell it by."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for when in ("before", "after"):
        op.add_column("recompute_change", sa.Column(f"minutes_{when}", sa.Float(), nullable=True))
        op.add_column("recompute_change", sa.Column(f"rule_{when}", sa.Text(), nullable=True))


def downgrade() -> None:
    for when in ("after", "before"):
        op.drop_column("recompute_change", f"rule_{when}")
        op.drop_column("recompute_change", f"minutes_{when}")

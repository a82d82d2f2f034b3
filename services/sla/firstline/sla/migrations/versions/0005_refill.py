"""What forecasts were not told of requests that waited before they came is read from the logs; old answers go."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

KEPT = 10_000


def upgrade() -> None:
    op.create_table(
        "refill",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_refill")),
    )
    for source in ("intake", "queue"):
        # A new desk has nothing to fill.
        op.execute(f"INSERT INTO refill (source, position) SELECT '{source}', 0 FROM ticket LIMIT 1")  # noqa: S608
    op.execute(f"DELETE FROM waited WHERE seq <= (SELECT MAX(seq) FROM waited) - {KEPT}")  # noqa: S608


def downgrade() -> None:
    op.drop_table("refill")

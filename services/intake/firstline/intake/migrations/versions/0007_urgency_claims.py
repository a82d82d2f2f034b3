"""What clients claimed of urgency, and what became of it for each organisation (clause 2.1)."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("ticket", sa.Column("urgency_claim", sa.Text(), nullable=True))
    op.create_table(
        "urgency_claim_count",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("confirmed", sa.BigInteger(), nullable=False),
        sa.Column("returned", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", name=op.f("pk_urgency_claim_count")),
    )


def downgrade() -> None:
    op.drop_table("urgency_claim_count")
    op.drop_column("ticket", "urgency_claim")

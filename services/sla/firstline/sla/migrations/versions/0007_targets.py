"""What a request is like, which rule gave its targets, its warnings, and the editions of licences."""

import sqlalchemy as sa
from alembic import op

from firstline.common.store.tables import JsonText

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

REREAD = ("accounts", "intake")


def upgrade() -> None:
    op.add_column("fact", sa.Column("traits", JsonText(), nullable=True))
    op.add_column("clock", sa.Column("rule", sa.Text(), nullable=True))
    op.add_column("clock", sa.Column("target_minutes", sa.Float(), nullable=True))
    op.add_column("clock", sa.Column("warnings", JsonText(), nullable=True))
    op.add_column("clock", sa.Column("told", sa.Integer(), server_default="0", nullable=False))
    op.create_table(
        "licence",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("edition", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_licence")),
    )
    for source in REREAD:
        # What earlier releases did not keep is read from the logs; a new desk has nothing to fill.
        op.execute(f"DELETE FROM refill WHERE source = '{source}'")  # noqa: S608
        op.execute(f"INSERT INTO refill (source, position) SELECT '{source}', 0 FROM ticket LIMIT 1")  # noqa: S608


def downgrade() -> None:
    op.execute("DELETE FROM refill WHERE source = 'accounts'")
    op.drop_table("licence")
    for column in ("told", "warnings", "target_minutes", "rule"):
        op.drop_column("clock", column)
    op.drop_column("fact", "traits")

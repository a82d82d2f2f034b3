"""Which policy version was published last; its hours count for all open requests, those of before the upgrade too."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0010"
branch_labels = None
depends_on = None

COUNTS = ("requests", "clocks", "changed", "later", "earlier", "breached", "relieved", "failed")
NEWEST = "SELECT version FROM policy ORDER BY seq DESC LIMIT 1"


def upgrade() -> None:
    op.create_table(
        "in_force",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_in_force")),
    )
    op.execute(f"INSERT INTO in_force (id, version, position) SELECT 1, version, 0 FROM ({NEWEST}) AS newest")  # noqa: S608
    # Open requests kept the hours that they were taken under until now. By the last fact's time, for a migration does
    # not know the desk's.
    op.execute(
        "INSERT INTO recompute (id, policy_version, scope, dry_run, state, asked_by, started_at, after,"  # noqa: S608
        f" {', '.join(COUNTS)}) SELECT 'hours-after-an-upgrade', version, 'calendar', false, 'running',"
        f" 'policy.published', (SELECT MAX(at) FROM fact), '', {', '.join('0' for _ in COUNTS)} FROM in_force"
        " WHERE EXISTS (SELECT 1 FROM fact)"
    )


def downgrade() -> None:
    op.execute("DELETE FROM recompute WHERE asked_by = 'policy.published'")
    op.drop_table("in_force")

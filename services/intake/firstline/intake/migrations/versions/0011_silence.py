"""What comes of the client's silence, and when."""

import sqlalchemy as sa
from alembic import op

from firstline.common.store.tables import UtcTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

SPREAD = {
    "sqlite": "strftime('%Y-%m-%dT%H:%M:%f000Z', 'now', '+' || (row_number() OVER (ORDER BY id) % 10080) || ' minutes')",
    "postgresql": "now() + (row_number() OVER (ORDER BY id) % 10080) * interval '1 minute'",
}
"""Dialect → an instant in the coming week, a minute after the one before: all at once would flood clients with mail."""

COLUMNS = ("silent_since", "reminded_at", "closes_at")


def upgrade() -> None:
    for name in COLUMNS:
        op.add_column("ticket", sa.Column(name, UtcTime(), nullable=True))
    op.create_table(
        "due",
        sa.Column("ticket_id", sa.Text(), nullable=False),
        sa.Column("due_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_due_ticket_id")),
        sa.PrimaryKeyConstraint("ticket_id", name=op.f("pk_due")),
    )
    op.create_index("ix_due_due_at", "due", ["due_at"])
    due_at = SPREAD[op.get_bind().dialect.name]
    # Requests whose client has to say something are looked at; none of them was told yet when it would be closed.
    silent = "status = 'resolved' OR (status = 'waiting' AND waiting_cause = 'client')"
    op.execute(f"UPDATE ticket SET silent_since = updated_at WHERE {silent}")  # noqa: S608 (no values of others)
    op.execute(f"INSERT INTO due (ticket_id, due_at) SELECT id, {due_at} FROM ticket WHERE {silent}")  # noqa: S608


def downgrade() -> None:
    op.drop_table("due")
    for name in COLUMNS:
        op.drop_column("ticket", name)

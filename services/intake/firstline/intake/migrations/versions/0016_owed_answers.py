"""What is owed to whom, so that a merge carries it along, and the merges by which people take part."""

import sqlalchemy as sa
from alembic import op

from firstline.common.store.tables import JsonText

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

ISO = {
    "sqlite": "MIN(m.received_at)",
    "postgresql": "to_char(MIN(m.received_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24\\:MI\\:SS.US\"Z\"')",
}
"""Dialect → the earliest receipt as ISO text; its colons begin no parameters."""

PUBLIC = "m.ticket_id = ticket.id AND m.audience = 'public' AND NOT m.automatic"


def upgrade() -> None:
    op.add_column("ticket", sa.Column("owed", JsonText(), server_default="{}", nullable=False))
    _fill_owed(ISO[op.get_bind().dialect.name])
    op.create_table(
        "participant_merge",
        sa.Column("ticket_id", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("merged_from", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_participant_merge_ticket_id_ticket")),
        sa.ForeignKeyConstraint(["merged_from"], ["ticket.id"], name=op.f("fk_participant_merge_merged_from_ticket")),
        sa.PrimaryKeyConstraint("ticket_id", "address", "merged_from", name=op.f("pk_participant_merge")),
    )
    # Whoever takes part in both does so by this merge too, though the row in `participant` names one merge only.
    op.execute(
        "INSERT INTO participant_merge (ticket_id, address, merged_from)"
        " SELECT ticket_id, address, merged_from FROM participant WHERE merged_from IS NOT NULL"
        " UNION SELECT there.ticket_id, there.address, COALESCE(here.merged_from, t.id) FROM ticket t"
        " JOIN participant here ON here.ticket_id = t.id"
        " JOIN participant there ON there.ticket_id = t.merged_into AND there.address = here.address"
        " WHERE t.merged_into IS NOT NULL"
    )


def _fill_owed(earliest: str) -> None:
    """Take for owed what a client wrote after the last answer; a return from a release is known only to the queue."""
    answered = f"SELECT COALESCE(MAX(m.id), '') FROM message m WHERE {PUBLIC} AND m.side = 'staff'"  # noqa: S608
    asked = f"FROM message m WHERE {PUBLIC} AND m.side = 'client' AND m.id > ({answered})"
    op.execute(
        f"UPDATE ticket SET owed = (SELECT '{{\"' || ticket.id || '\":\"' || {earliest} || '\"}}' {asked})"  # noqa: S608
        f" WHERE status IN ('new', 'open', 'waiting') AND EXISTS (SELECT 1 {asked})"
    )


def downgrade() -> None:
    op.drop_table("participant_merge")
    op.drop_column("ticket", "owed")

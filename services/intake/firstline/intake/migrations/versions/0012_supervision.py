"""What clients ask the supervisor, and what they think of the handling."""

import sqlalchemy as sa
from alembic import op

from firstline.common.store.tables import JsonText, UtcTime

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("ticket", sa.Column("supervisor_request", JsonText(), nullable=True))
    op.add_column("ticket", sa.Column("rating", JsonText(), nullable=True))
    op.create_table(
        "supervisor_request",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("ticket_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("asked_at", UtcTime(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("answered_by", sa.Text(), nullable=True),
        sa.Column("answered_at", UtcTime(), nullable=True),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_supervisor_request_ticket_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_supervisor_request")),
    )
    op.create_index("ix_supervisor_request_ticket", "supervisor_request", ["ticket_id", "id"])
    unanswered = sa.text("answered_at IS NULL")
    for name, column, unique in (("open", "ticket_id", True), ("unanswered", "id", False)):
        op.create_index(
            f"ix_supervisor_request_{name}",
            "supervisor_request",
            [column],
            unique=unique,
            sqlite_where=unanswered,
            postgresql_where=unanswered,
        )
    serves = sa.text("role = 'supervisor' AND active")
    op.create_index("ix_person_supervisor", "person", ["id"], sqlite_where=serves, postgresql_where=serves)


def downgrade() -> None:
    op.drop_index("ix_person_supervisor", table_name="person")
    op.drop_table("supervisor_request")
    for name in ("supervisor_request", "rating"):
        op.drop_column("ticket", name)

"""Access requests, and the vault that keeps what clients give (clause 4.3)."""

import sqlalchemy as sa
from alembic import op

from firstline.common.store.tables import JsonText, UtcTime

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "access_request",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("ticket_id", sa.Text(), nullable=False),
        sa.Column("kinds", JsonText(), nullable=False),
        sa.Column("host", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("requested_at", UtcTime(), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=False),
        sa.Column("given", JsonText(), nullable=False),
        sa.Column("provided_by", sa.Text(), nullable=True),
        sa.Column("provided_at", UtcTime(), nullable=True),
        sa.Column("reveals", JsonText(), nullable=False),
        sa.Column("ended_at", UtcTime(), nullable=True),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.Column("told_at", UtcTime(), nullable=True),
        sa.Column("reminded", sa.Integer(), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=True),
        sa.Column("changed_at", UtcTime(), nullable=True),
        sa.Column("due_at", UtcTime(), nullable=True),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_access_request_ticket_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_request")),
    )
    op.create_index("ix_access_request_ticket", "access_request", ["ticket_id", "id"])
    due = sa.text("due_at IS NOT NULL")
    op.create_index("ix_access_request_due", "access_request", ["due_at"], sqlite_where=due, postgresql_where=due)
    op.create_table(
        "access_secret",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("data_key", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["request_id"], ["access_request.id"], name=op.f("fk_access_secret_request_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_secret")),
        sa.UniqueConstraint("request_id", "kind", name=op.f("uq_access_secret_request_id_kind")),
    )
    op.create_index("ix_access_secret_key", "access_secret", ["key_id", "id"])


def downgrade() -> None:
    op.drop_table("access_secret")
    op.drop_table("access_request")

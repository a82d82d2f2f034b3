"""Incidents, the requests that they concern, and answers to all of these."""

import sqlalchemy as sa
from alembic import op

from firstline.common.store.tables import JsonText, UtcTime

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def time(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, UtcTime(), nullable=nullable)


def number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False)


def upgrade() -> None:
    op.create_table(
        "incident",
        *(text("id"), text("title"), text("status"), number("version"), number("tickets")),
        sa.Column("banner", JsonText(), nullable=True),
        *(text("opened_by"), time("opened_at"), time("updated_at"), time("resolved_at", nullable=True)),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident")),
    )
    op.create_index("ix_incident_status", "incident", ["status", "id"])
    shown = sa.text("status = 'open' AND banner IS NOT NULL")
    op.create_index("ix_incident_banner", "incident", ["id"], sqlite_where=shown, postgresql_where=shown)
    op.create_table(
        "incident_ticket",
        *(text("incident_id"), text("ticket_id"), text("linked_by"), time("linked_at")),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name=op.f("fk_incident_ticket_incident_id")),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_incident_ticket_ticket_id")),
        sa.PrimaryKeyConstraint("incident_id", "ticket_id", name=op.f("pk_incident_ticket")),
    )
    op.create_index("ix_incident_ticket_ticket", "incident_ticket", ["ticket_id", "incident_id"])
    op.create_table(
        "incident_answer",
        *(text("id"), text("incident_id"), text("body"), sa.Column("resolve", sa.Boolean(), nullable=False)),
        sa.Column("author", JsonText(), nullable=False),
        *(number("total"), number("sent"), number("refused"), time("created_at")),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name=op.f("fk_incident_answer_incident_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident_answer")),
    )
    op.create_index("ix_incident_answer_incident", "incident_answer", ["incident_id", "id"])
    op.create_table(
        "incident_reply",
        *(text("answer_id"), text("ticket_id"), time("done_at", nullable=True), text("problem", nullable=True)),
        sa.ForeignKeyConstraint(["answer_id"], ["incident_answer.id"], name=op.f("fk_incident_reply_answer_id")),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_incident_reply_ticket_id")),
        sa.PrimaryKeyConstraint("answer_id", "ticket_id", name=op.f("pk_incident_reply")),
    )
    pending = sa.text("done_at IS NULL")
    op.create_index(
        "ix_incident_reply_pending",
        "incident_reply",
        ["answer_id", "ticket_id"],
        sqlite_where=pending,
        postgresql_where=pending,
    )


def downgrade() -> None:
    for table in ("incident_reply", "incident_answer", "incident_ticket", "incident"):
        op.drop_table(table)

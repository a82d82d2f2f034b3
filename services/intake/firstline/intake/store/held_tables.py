"""The table of texts that seemed to hold a secret (clause 4.3)."""

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field

from firstline.common.store.tables import JsonText, UtcTime
from firstline.intake.store.tables import IntakeTable

HELD = sa.text("status = 'held'")


class HeldTextTable(IntakeTable, table=True):
    """A text that seemed to hold a secret, as it came: sealed, until it is decided on or its days are over."""

    __tablename__ = "held_text"
    __table_args__ = (
        sa.Index("ix_held_text_ticket", "ticket_id", "id"),
        sa.Index("ix_held_text_key", "key_id", "id", sqlite_where=HELD, postgresql_where=HELD),
        sa.Index("ix_held_text_purge_at", "purge_at", sqlite_where=HELD, postgresql_where=HELD),
    )
    id: str = Field(primary_key=True, sa_type=sa.Text)
    ticket_id: str = Field(foreign_key="ticket.id", sa_type=sa.Text)
    message_id: str | None = Field(sa_type=sa.Text)
    place: str = Field(sa_type=sa.Text)
    kinds: str = Field(sa_type=JsonText)
    key_id: str = Field(sa_type=sa.Text)
    # This text's own key, sealed: to overwrite it is to purge, for nothing else opens the content.
    data_key: bytes = Field(sa_type=sa.LargeBinary)
    content: bytes = Field(sa_type=sa.LargeBinary)
    status: str = Field(sa_type=sa.Text)
    held_at: datetime = Field(sa_type=UtcTime)
    purge_at: datetime = Field(sa_type=UtcTime)
    decided_by: str | None = Field(sa_type=sa.Text)
    decided_at: datetime | None = Field(sa_type=UtcTime)

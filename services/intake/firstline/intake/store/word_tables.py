"""The table of the words by which requests are found."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlmodel import Field

from firstline.common.store.tables import Serial
from firstline.intake.store.tables import IntakeTable

Words = sa.Text().with_variant(TSVECTOR(), "postgresql")
"""Words as each database searches them: apart by spaces on SQLite, a vector on PostgreSQL."""


class TicketWordsTable(IntakeTable, table=True):
    """The words by which a request is found: those that all who may read it may find it by, and the internal notes'.

    Beside it stands its full-text index: on SQLite the table `ticket_fts`, on PostgreSQL an index of both columns.
    """

    __tablename__ = "ticket_words"
    seq: int = Field(sa_column=sa.Column("seq", Serial, primary_key=True, autoincrement=True))
    ticket_id: str = Field(unique=True, sa_type=sa.Text)
    words: str = Field(sa_column=sa.Column("words", Words, nullable=False))
    notes: str = Field(sa_column=sa.Column("notes", Words, nullable=False))

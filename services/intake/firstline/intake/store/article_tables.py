"""Intake's tables of the documentation and of ready-made answers, beside the others (clauses 1.2, 4.7)."""

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field

from firstline.common.store.tables import JsonText, Serial, UtcTime
from firstline.intake.store.tables import IntakeTable, partial

ByteText = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Text that is compared by its bytes on every database."""


class ArticleTable(IntakeTable, table=True):
    """A page of the documentation.

    Beside it stands its full-text index: on SQLite the table `article_fts`, on PostgreSQL the column `words`.
    """

    __tablename__ = "article"
    seq: int = Field(sa_column=sa.Column("seq", Serial, primary_key=True, autoincrement=True))
    id: str = Field(unique=True, sa_type=sa.Text)
    url: str = Field(unique=True, sa_type=sa.Text)
    title: str = Field(sa_type=sa.Text)
    text: str = Field(sa_type=sa.Text)
    topic: str | None = Field(sa_type=sa.Text)
    language: str | None = Field(sa_type=sa.Text)
    created_at: datetime = Field(sa_type=UtcTime)
    updated_at: datetime = Field(sa_type=UtcTime)


class ArticleWordTable(IntakeTable, table=True):
    """A word, and on how many pages it stands; compared by its bytes, so that words that begin alike lie together."""

    __tablename__ = "article_word"
    word: str = Field(primary_key=True, sa_type=ByteText)
    articles: int = Field(sa_type=sa.Integer)


class ArticleUseTable(IntakeTable, table=True):
    """A page that was suggested for a request, or read before it was sent, and did not answer it."""

    __tablename__ = "article_use"
    # Only what was not added up yet is counted row by row.
    __table_args__ = (sa.Index("ix_article_use_uncounted", "article_id", "kind", **partial("NOT counted")),)
    article_id: str = Field(primary_key=True, sa_type=sa.Text)
    kind: str = Field(primary_key=True, sa_type=sa.Text)
    ticket_id: str = Field(primary_key=True, sa_type=sa.Text)
    counted: bool = Field(sa_column_kwargs={"server_default": sa.false()})


class ArticleUseCountTable(IntakeTable, table=True):
    """How many uses of a page of documentation were counted so far."""

    __tablename__ = "article_use_count"
    article_id: str = Field(primary_key=True, sa_type=sa.Text)
    kind: str = Field(primary_key=True, sa_type=sa.Text)
    uses: int = Field(sa_type=sa.BigInteger)


class CannedAnswerArticleTable(IntakeTable, table=True):
    """A page of documentation that a ready-made answer links; it can't be forgotten meanwhile."""

    __tablename__ = "canned_answer_article"
    __table_args__ = (sa.Index("ix_canned_answer_article", "article_id", "code"),)
    code: str = Field(primary_key=True, sa_type=sa.Text)
    article_id: str = Field(primary_key=True, sa_type=sa.Text)


class CannedAnswerTable(IntakeTable, table=True):
    """A ready-made answer, named by its code."""

    __tablename__ = "canned_answer"
    id: str = Field(primary_key=True, sa_type=sa.Text)
    code: str = Field(unique=True, sa_type=sa.Text)
    title: str = Field(sa_type=sa.Text)
    text: str = Field(sa_type=sa.Text)
    topic: str | None = Field(sa_type=sa.Text)
    article_ids: str = Field(sa_type=JsonText)
    updated_at: datetime = Field(sa_type=UtcTime)
    version: int = Field(sa_type=sa.BigInteger, sa_column_kwargs={"server_default": "1"})

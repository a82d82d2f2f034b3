"""Bodies and documents of documentation and canned answers (clauses 1.2, 4.7)."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from firstline.intake.schemas.given import ArticleIds, Body, Line, NoNul, Short
from firstline.intake.store.articles import Article, ArticleUse, CannedAnswer
from firstline.intake.suggestions import Candidate

TEXT_LIMIT = 200_000
Address = Annotated[str, StringConstraints(pattern=r"^https?://[^\s<>\"']+$", max_length=2000), NoNul]
PageText = Annotated[str, StringConstraints(max_length=TEXT_LIMIT), NoNul]
Code = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Language = Annotated[str, StringConstraints(pattern="^[a-z]{2}(-[A-Z]{2})?$")]


class ArticleIn(Body):
    """A page of the documentation; the same address again takes the place of what was there."""

    url: Address = Field(examples=["https://docs.example/updates/restore"])
    title: Line
    text: PageText = Field("", description="Its words, by which it is found; plain text.")
    topic: Short | None = Field(None, description="A topic of the policy that it is about.")
    language: Language | None = None


class ArticleOut(BaseModel):
    """A page of the documentation."""

    id: str
    url: str
    title: str
    topic: str | None
    language: str | None


class ArticleFull(ArticleOut):
    """A page of the documentation with its text."""

    text: str
    created_at: datetime
    updated_at: datetime


class ArticleUseOut(BaseModel):
    """How many requests were sent although a page was suggested, or had been read."""

    id: str
    url: str
    title: str
    suggested: int
    read: int


class CannedIn(Body):
    """A ready-made answer."""

    title: Line
    text: Annotated[str, StringConstraints(min_length=1, max_length=20_000), NoNul]
    topic: Short | None = None
    article_ids: ArticleIds = Field([])
    code: Code | None = Field(
        None, description="Another code for it from now on; null: it keeps the one of the address."
    )


class CannedOut(BaseModel):
    """A ready-made answer, and the pages that are linked below it."""

    code: str
    title: str
    text: str
    topic: str | None
    article_ids: list[str]
    updated_at: datetime


def article_out(article: Article | Candidate) -> ArticleOut:
    """Return a page without its text."""
    return ArticleOut(**{name: getattr(article, name) for name in ArticleOut.model_fields})


def article_full(article: Article) -> ArticleFull:
    """Return a page with its text."""
    return ArticleFull(**{name: getattr(article, name) for name in ArticleFull.model_fields})


def use_out(use: ArticleUse) -> ArticleUseOut:
    """Return how a page was used."""
    return ArticleUseOut(**{name: getattr(use, name) for name in ArticleUseOut.model_fields})


def canned_out(answer: CannedAnswer) -> CannedOut:
    """Return a ready-made answer."""
    return CannedOut(**{name: getattr(answer, name) for name in CannedOut.model_fields})

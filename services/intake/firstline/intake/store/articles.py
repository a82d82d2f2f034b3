"""Queries on documentation, on its use, and on canned answers (clauses 1.2, 4.7)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from firstline.common.store.port import Sql
from firstline.intake.suggestions import Candidate

SHOWN_CHARS = 5_000
"""Characters of a page's text that its order among suggestions is made from."""


@dataclass(frozen=True, slots=True)
class Article:
    """A page of the documentation; `topic` and `language` None: of any."""

    id: str
    url: str
    title: str
    text: str
    topic: str | None
    language: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ArticleUse:
    """How many requests were sent although a page was suggested (`suggested`) or read (`read`)."""

    seq: int
    id: str
    url: str
    title: str
    suggested: int
    read: int


@dataclass(frozen=True, slots=True)
class CannedAnswer:
    """A ready-made answer; the pages are given with it as links."""

    id: str
    code: str
    title: str
    text: str
    topic: str | None
    article_ids: list[Any]
    updated_at: datetime


_ARTICLE = "SELECT id, url, title, text, topic, language, created_at, updated_at FROM article"
ARTICLE = Sql(f"{_ARTICLE} WHERE id = :id", Article)
ARTICLE_BY_URL = Sql(f"{_ARTICLE} WHERE url = :url", Article)
ARTICLES = Sql(f"{_ARTICLE} WHERE id = ANY(:ids) ORDER BY id", Article)
ARTICLES_BY_URL = Sql(f"{_ARTICLE} WHERE url = ANY(:urls)", Article)
ARTICLE_LIST = Sql(f"{_ARTICLE} WHERE id > :after ORDER BY id LIMIT :limit", Article)
SAVE_ARTICLE: Sql[None] = Sql(
    "INSERT INTO article (id, url, title, text, topic, language, created_at, updated_at)"
    " VALUES (:id, :url, :title, :text, :topic, :language, :now, :now)"
    " ON CONFLICT (url) DO UPDATE SET title = excluded.title, text = excluded.text, topic = excluded.topic,"
    " language = excluded.language, updated_at = excluded.updated_at",
    type(None),
)
DELETE_ARTICLE: Sql[None] = Sql("DELETE FROM article WHERE id = :id", type(None))
_FOUND = f"SELECT a.id, a.title, a.url, a.topic, a.language, substr(a.text, 1, {SHOWN_CHARS}) AS text"
# The two databases have no words in common for this. Each finds by its own index; the last order is made by a rule.
ARTICLES_WITH_WORDS = Sql(
    f"{_FOUND} FROM article a WHERE a.words @@ to_tsquery('simple', :postgres_query)"
    " ORDER BY ts_rank(a.words, to_tsquery('simple', :postgres_query)) DESC, a.seq LIMIT :limit",
    Candidate,
    sqlite=f"{_FOUND} FROM article_fts JOIN article a ON a.seq = article_fts.rowid"
    " WHERE article_fts MATCH :sqlite_query ORDER BY article_fts.rank LIMIT :limit",
)
NOTE_USE: Sql[None] = Sql(
    "INSERT INTO article_use (article_id, kind, ticket_id) VALUES (:article_id, :kind, :ticket_id)"
    " ON CONFLICT (article_id, kind, ticket_id) DO NOTHING",
    type(None),
)
ARTICLE_USES = Sql(
    "SELECT a.seq, a.id, a.url, a.title,"
    " (SELECT COUNT(*) FROM article_use u WHERE u.article_id = a.id AND u.kind = 'suggested') AS suggested,"
    " (SELECT COUNT(*) FROM article_use u WHERE u.article_id = a.id AND u.kind = 'read') AS read"
    " FROM article a WHERE a.seq > :after ORDER BY a.seq LIMIT :limit",
    ArticleUse,
)

_CANNED = "SELECT id, code, title, text, topic, article_ids, updated_at FROM canned_answer"
CANNED = Sql(f"{_CANNED} WHERE code = :code", CannedAnswer)
CANNED_LIST = Sql(f"{_CANNED} WHERE code > :after ORDER BY code LIMIT :limit", CannedAnswer)
SAVE_CANNED: Sql[None] = Sql(
    "INSERT INTO canned_answer (id, code, title, text, topic, article_ids, updated_at)"
    " VALUES (:id, :code, :title, :text, :topic, :article_ids, :updated_at)"
    " ON CONFLICT (code) DO UPDATE SET title = excluded.title, text = excluded.text, topic = excluded.topic,"
    " article_ids = excluded.article_ids, updated_at = excluded.updated_at",
    type(None),
)
DELETE_CANNED: Sql[None] = Sql("DELETE FROM canned_answer WHERE code = :code", type(None))


def sqlite_query(stems: tuple[str, ...]) -> str:
    """Return what finds pages with any of these beginnings of words, as SQLite's full-text search writes it."""
    return " OR ".join(f'"{one}"*' for one in stems)


def postgres_query(stems: tuple[str, ...]) -> str:
    """Return the same as PostgreSQL writes it."""
    return " | ".join(f"'{one}':*" for one in stems)

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
class CountedUse:
    """A use that has just been counted."""

    article_id: str
    kind: str


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
    version: int


@dataclass(frozen=True, slots=True)
class StemPages:
    """How many pages have words that begin with a stem; a page with two such words counts twice."""

    stem: str
    pages: int


LAST = "\U0010ffff"
"""Behind every letter, so that a stem with it comes after all words that begin with the stem."""

_ARTICLE = "SELECT id, url, title, text, topic, language, created_at, updated_at FROM article"
ARTICLE = Sql(f"{_ARTICLE} WHERE id = :id", Article)
ARTICLE_TO_CHANGE = Sql(f"{_ARTICLE} WHERE id = :id FOR UPDATE", Article)
ARTICLE_BY_URL_TO_CHANGE = Sql(f"{_ARTICLE} WHERE url = :url FOR UPDATE", Article)
ARTICLE_BY_URL = Sql(f"{_ARTICLE} WHERE url = :url", Article)
ARTICLES = Sql(f"{_ARTICLE} WHERE id = ANY(:ids) ORDER BY id", Article)
ARTICLES_BY_URL = Sql(f"{_ARTICLE} WHERE url = ANY(:urls)", Article)
ARTICLE_LIST = Sql(f"{_ARTICLE} WHERE id > :after ORDER BY id LIMIT :limit", Article)
# By its address: documentation that is sent again replaces itself, and keeps the ID under which it was suggested.
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
# PostgreSQL reads every page that it ranks, so it ranks no more than :most.
ARTICLES_WITH_WORDS = Sql(
    f"{_FOUND} FROM (SELECT * FROM article WHERE words @@ to_tsquery('simple', :postgres_query) LIMIT :most) a"  # noqa: S608 (no values of others)
    " ORDER BY ts_rank(a.words, to_tsquery('simple', :postgres_query)) DESC, a.seq LIMIT :limit",
    Candidate,
    sqlite=f"{_FOUND} FROM article_fts JOIN article a ON a.seq = article_fts.rowid"
    " WHERE article_fts MATCH :sqlite_query ORDER BY article_fts.rank LIMIT :limit",
)
PAGES_WITH_STEMS = Sql(
    "SELECT s.stem, CAST(COALESCE((SELECT SUM(articles) FROM article_word"
    " WHERE word >= s.stem AND word < s.stem || :last), 0) AS bigint) AS pages"
    " FROM json_array_elements_text(CAST(CAST(:stems AS text) AS json)) AS s (stem)",
    StemPages,
    sqlite="SELECT value AS stem, COALESCE((SELECT SUM(articles) FROM article_word"
    " WHERE word >= value AND word < value || :last), 0) AS pages FROM json_each(:stems)",
)
_COUNT = "ON CONFLICT (word) DO UPDATE SET articles = article_word.articles + excluded.articles"
COUNT_WORDS: Sql[None] = Sql(
    "INSERT INTO article_word (word, articles) SELECT w.word, CAST(:more AS integer)"  # noqa: S608 (no values of others)
    f" FROM json_array_elements_text(CAST(CAST(:words AS text) AS json)) AS w (word) ORDER BY 1 {_COUNT}",
    type(None),
    sqlite="INSERT INTO article_word (word, articles) SELECT value, :more"  # noqa: S608 (no values of others)
    f" FROM json_each(:words) WHERE true ORDER BY 1 {_COUNT}",
)
# The count decides, and not the page that lost the word: others may still have it.
DROP_WORDS: Sql[None] = Sql("DELETE FROM article_word WHERE word = ANY(:words) AND articles <= 0", type(None))
# Locked in one order, so that two answers that link the same pages never wait for each other in a circle.
ARTICLES_TO_LINK = Sql("SELECT id FROM article WHERE id = ANY(:ids) ORDER BY id FOR UPDATE", str)
NOTE_USE: Sql[None] = Sql(
    "INSERT INTO article_use (article_id, kind, ticket_id) VALUES (:article_id, :kind, :ticket_id)"
    " ON CONFLICT (article_id, kind, ticket_id) DO NOTHING",
    type(None),
)
# Each use is counted once: a request that comes in only adds its row, whoever reads the report adds up what is new.
COUNT_USES = Sql(
    "UPDATE article_use SET counted = TRUE WHERE NOT counted AND (article_id, kind, ticket_id) IN"
    " (SELECT article_id, kind, ticket_id FROM article_use WHERE NOT counted LIMIT :limit)"
    " RETURNING article_id, kind",
    CountedUse,
)
ADD_USES: Sql[None] = Sql(
    "INSERT INTO article_use_count (article_id, kind, uses) VALUES (:article_id, :kind, :uses)"
    " ON CONFLICT (article_id, kind) DO UPDATE SET uses = article_use_count.uses + excluded.uses",
    type(None),
)
_USES = (
    "CAST(COALESCE((SELECT c.uses FROM article_use_count c WHERE c.article_id = a.id AND c.kind = '{kind}'), 0)"
    " + (SELECT COUNT(*) FROM article_use u WHERE u.article_id = a.id AND u.kind = '{kind}' AND NOT u.counted)"
    " AS bigint) AS {kind}"
)
ARTICLE_USES = Sql(
    f"SELECT a.seq, a.id, a.url, a.title, {_USES.format(kind='suggested')}, {_USES.format(kind='read')}"  # noqa: S608
    " FROM article a WHERE a.seq > :after ORDER BY a.seq LIMIT :limit",
    ArticleUse,
)

_CANNED = "SELECT id, code, title, text, topic, article_ids, updated_at, version FROM canned_answer"
CANNED = Sql(f"{_CANNED} WHERE code = :code", CannedAnswer)
CANNED_TO_CHANGE = Sql(f"{_CANNED} WHERE code = :code FOR UPDATE", CannedAnswer)
CANNED_LIST = Sql(f"{_CANNED} WHERE code > :after ORDER BY code LIMIT :limit", CannedAnswer)
INSERT_CANNED: Sql[None] = Sql(
    "INSERT INTO canned_answer (id, code, title, text, topic, article_ids, updated_at, version)"
    " VALUES (:id, :code, :title, :text, :topic, :article_ids, :updated_at, 1)",
    type(None),
)
CHANGE_CANNED: Sql[None] = Sql(
    "UPDATE canned_answer SET code = :code, title = :title, text = :text, topic = :topic, article_ids = :article_ids,"
    " updated_at = :updated_at, version = version + 1 WHERE id = :id",
    type(None),
)
CANNED_THAT_LINK = Sql(
    "SELECT code FROM canned_answer_article WHERE article_id = :article_id ORDER BY code LIMIT :limit", str
)
LINK_CANNED: Sql[None] = Sql(
    "INSERT INTO canned_answer_article (code, article_id) VALUES (:code, :article_id)", type(None)
)
UNLINK_CANNED: Sql[None] = Sql("DELETE FROM canned_answer_article WHERE code = :code", type(None))
DELETE_CANNED: Sql[None] = Sql("DELETE FROM canned_answer WHERE code = :code", type(None))


def sqlite_query(stems: tuple[str, ...]) -> str:
    """Return what finds pages with any of these beginnings of words, as SQLite's full-text search writes it."""
    return " OR ".join(f'"{one}"*' for one in stems)


def postgres_query(stems: tuple[str, ...]) -> str:
    """Return the same as PostgreSQL writes it."""
    return " | ".join(f"'{one}':*" for one in stems)

"""Queries on the words of requests: kept with each text, found again in the order of a list.

The databases have no words in common for this: SQLite has a full-text table that is read in the order of its rows,
PostgreSQL a vector a request and an index of its words.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from firstline.common.store.port import Sql
from firstline.intake.search import MOST_CHARS, MOST_OF_ONE, Term

SHOWN_CHARS, SHOWN_MESSAGES = 5_000, 200
"""How much of the correspondence of a page's requests is looked at for the place where words were found."""

_VECTOR = "array_to_tsvector(string_to_array(CAST(:terms AS text), ' '))"


@dataclass(frozen=True, slots=True)
class Text:
    """A message's text, or its beginning."""

    ticket_id: str
    message_id: str
    audience: str
    text: str


INSERT_WORDS: Sql[None] = Sql(
    f"INSERT INTO ticket_words (ticket_id, words, notes) VALUES (:ticket_id, {_VECTOR}, CAST('' AS tsvector))",  # noqa: S608
    type(None),
    sqlite="INSERT INTO ticket_words (ticket_id, words, notes) VALUES (:ticket_id, :terms, '')",
)


def _add(column: str) -> Sql[None]:
    """Return the statement that adds words to a column, up to the most that a request may have."""
    where = "WHERE ticket_id = :ticket_id AND length"
    return Sql(
        f"UPDATE ticket_words SET {column} = {column} || {_VECTOR} {where}({column}) < {MOST_OF_ONE}",  # noqa: S608
        type(None),
        sqlite=f"UPDATE ticket_words SET {column} = {column} || ' ' || :terms"  # noqa: S608
        f" {where}({column}) < {MOST_OF_ONE * 10}",
    )


ADD_WORDS, ADD_NOTES = _add("words"), _add("notes")
REPLACE_WORDS: Sql[None] = Sql(
    f"UPDATE ticket_words SET words = {_VECTOR}, notes = {_VECTOR.replace(':terms', ':notes')}"  # noqa: S608
    " WHERE ticket_id = :ticket_id",
    type(None),
    sqlite="UPDATE ticket_words SET words = :terms, notes = :notes WHERE ticket_id = :ticket_id",
)
TEXTS_OF_TICKET = Sql(
    f"SELECT ticket_id, id AS message_id, audience, substr(body, 1, {MOST_CHARS}) AS text FROM message"  # noqa: S608
    " WHERE ticket_id = :ticket_id ORDER BY id",
    Text,
)
_TEXTS = (
    f"SELECT ticket_id, id AS message_id, audience, substr(body, 1, {SHOWN_CHARS}) AS text FROM message"  # noqa: S608
    " WHERE ticket_id = ANY(:ticket_ids)"
)
_IN_ORDER = f"ORDER BY ticket_id, id LIMIT {SHOWN_MESSAGES}"
TEXTS = Sql(f"{_TEXTS} {_IN_ORDER}", Text)
PUBLIC_TEXTS = Sql(f"{_TEXTS} AND audience = 'public' {_IN_ORDER}", Text)


def sqlite_query(terms: Sequence[Term], *, notes: bool) -> str:
    """Return what finds requests with all of these words, as SQLite's full-text search writes it.

    `notes`: whether they may stand in the internal notes, too.
    """
    asked = " AND ".join(_either(term, '"{}"', '"{}"*', " OR ") for term in terms)
    return f"(words : ({asked})) OR (notes : ({asked}))" if notes else f"words : ({asked})"


def postgres_query(terms: Sequence[Term]) -> str:
    """Return the same words as PostgreSQL writes them."""
    return " & ".join(_either(term, "'{}'", "'{}':*", " | ") for term in terms)


def _either(term: Term, whole: str, beginning: str, either: str) -> str:
    """Return a word as a database writes it, perhaps with its shorter form."""
    longer = (whole if term.whole else beginning).format(term.text)
    return f"({longer}{either}{whole.format(term.shorter)})" if term.shorter else longer

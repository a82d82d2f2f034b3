"""Words of requests for the search, and an index for each filter of lists."""

import re
import unicodedata
from itertools import pairwise

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TSVECTOR

from firstline.common.store.tables import Serial

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

WORDS = sa.Text().with_variant(TSVECTOR(), "postgresql")
SQLITE_INDEX = (
    """
    CREATE VIRTUAL TABLE ticket_fts USING fts5(
        words, notes, content='ticket_words', content_rowid='seq', detail='column', tokenize='ascii'
    )
    """,
    """
    CREATE TRIGGER ticket_words_added AFTER INSERT ON ticket_words BEGIN
        INSERT INTO ticket_fts (rowid, words, notes) VALUES (new.seq, new.words, new.notes);
    END
    """,
    """
    CREATE TRIGGER ticket_words_changed AFTER UPDATE ON ticket_words BEGIN
        INSERT INTO ticket_fts (ticket_fts, rowid, words, notes) VALUES ('delete', old.seq, old.words, old.notes);
        INSERT INTO ticket_fts (rowid, words, notes) VALUES (new.seq, new.words, new.notes);
    END
    """,
)
# Inserts leave their words in a list that is taken into the index bit by bit: short, so that no insert waits for long.
POSTGRES_INDEX = (
    "CREATE INDEX ix_ticket_words ON ticket_words USING gin (words, notes) WITH (gin_pending_list_limit = 512)"
)
FILTERS = {"tier": None, "urgency": None, "topic": "topic IS NOT NULL", "waiting_cause": "waiting_cause IS NOT NULL"}
PORTION = 500


def upgrade() -> None:
    op.create_table(
        "ticket_words",
        sa.Column("seq", Serial, autoincrement=True, nullable=False),
        sa.Column("ticket_id", sa.Text(), nullable=False),
        sa.Column("words", WORDS, nullable=False),
        sa.Column("notes", WORDS, nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_ticket_words")),
        sa.UniqueConstraint("ticket_id", name=op.f("uq_ticket_words_ticket_id")),
    )
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in SQLITE_INDEX if on_sqlite else ():
        op.execute(statement)
    fill("" if on_sqlite else "array_to_tsvector(string_to_array(CAST({} AS text), ' '))")
    if not on_sqlite:
        op.execute(POSTGRES_INDEX)
    for column, condition in FILTERS.items():
        where = sa.text(condition) if condition else None
        op.create_index(f"ix_ticket_{column}", "ticket", [column, "id"], sqlite_where=where, postgresql_where=where)


def fill(vector: str) -> None:
    """Keep the words of the requests that are there."""
    words, notes = (vector.format(name) if vector else name for name in (":words", ":notes"))
    connection, after = op.get_bind(), ""
    insert = sa.text(f"INSERT INTO ticket_words (ticket_id, words, notes) VALUES (:ticket_id, {words}, {notes})")  # noqa: S608
    page = sa.text("SELECT id, subject FROM ticket WHERE id > :after ORDER BY id LIMIT :limit")
    texts = sa.text(
        "SELECT ticket_id, audience, substr(body, 1, 50000) FROM message"
        " WHERE ticket_id >= :first AND ticket_id <= :last ORDER BY ticket_id, id"
    )
    while tickets := connection.execute(page, {"after": after, "limit": PORTION}).all():
        after = tickets[-1][0]
        public = {ticket_id: [subject] for ticket_id, subject in tickets}
        internal: dict[str, list[str]] = {ticket_id: [] for ticket_id, _ in tickets}
        for ticket_id, audience, text in connection.execute(texts, {"first": tickets[0][0], "last": after}):
            (public if audience == "public" else internal)[ticket_id].append(text)
        rows = [{"ticket_id": one, "words": terms(public[one]), "notes": terms(internal[one])} for one, _ in tickets]
        connection.execute(insert, rows)


SIGN = r"\u0e00-\u0eff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
SHORT = 2
RUN = re.compile(rf"[{SIGN}]+|[^\W_{SIGN}]+")


def terms(texts: list[str]) -> str:
    """Return the words of texts as the search keeps them."""
    found: dict[str, None] = {}
    for text in texts:
        apart = unicodedata.normalize("NFKD", text.casefold())
        folded = unicodedata.normalize("NFC", "".join(sign for sign in apart if not unicodedata.combining(sign)))
        for run in RUN.findall(folded):
            if re.match(f"[{SIGN}]", run):
                found |= dict.fromkeys([run] if len(run) == 1 else [a + b for a, b in pairwise(run)])
            elif not run.isalpha() and len(run) > 1:
                found[run[:24]] = None
            elif run.isalpha() and len(run) > SHORT:
                found[run[: len(run) - sum(len(run) >= length for length in (5, 7, 8))][:24]] = None
    return " ".join(list(found)[:2000])


def downgrade() -> None:
    for column in FILTERS:
        op.drop_index(f"ix_ticket_{column}", table_name="ticket")
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE ticket_fts")
    op.drop_table("ticket_words")

"""Six ways to give the log's rows gap-free positions on PostgreSQL, as tables and statements of their own.

The first updates the row of the log, as SQLite does. The others keep the positions in a table beside it, and differ in
how they find what has none: by a table of pending rows, which the writer fills, or by looking for what is missing.
"""

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from asyncpg import Connection
from firstline.common.log import LogRow, chained_hash

BATCH = 200
LAG = 1_000
FILLED = int(os.environ.get("FIRSTLINE_BENCH_EVENTS", "1000000"))

Placed = tuple[int, str, int, int, str]
"""A row's place: seq, stream, version, position, hash."""

FACTS = "e.seq, e.id, e.stream, e.version, e.type, e.time, e.subject, e.data, e.data_hash, e.traceparent"
COLUMNS = (
    "seq bigserial, id char(36) NOT NULL, stream text NOT NULL, version bigint NOT NULL, type text NOT NULL,"
    " time timestamptz NOT NULL, subject text, data text, salt text, data_hash text NOT NULL, traceparent text"
)
STREAM_OF = "'ticket/01900000-0000-7000-8000-' || lpad(to_hex(i / 4), 12, '0')"
FILL_EVENTS = (
    "INSERT INTO log_event (id, stream, version, type, time, subject, data, salt, data_hash{more})"
    f" SELECT '01900000-0000-7000-9000-' || lpad(to_hex(i), 12, '0'), {STREAM_OF}, i % 4 + 1, 'ticket.replied', now(),"
    " '01900000-0000-7000-8000-' || lpad(to_hex(i / 4), 12, '0'),"
    " '{{\"body\":\"' || repeat(md5(i::text), 37) || '\"}}', md5(i::text), repeat(md5(i::text), 2){values}"
    f" FROM generate_series(1, {FILLED}) AS i"
)
HEAD_TABLE = """
CREATE TABLE log_relay (id int PRIMARY KEY, position bigint NOT NULL, hash text NOT NULL, mark bigint NOT NULL);
INSERT INTO log_relay VALUES (1, (SELECT max(position) FROM {table}), 'first', (SELECT max(seq) FROM log_event));
"""
COMMON_KEYS = "ALTER TABLE log_event ADD PRIMARY KEY (seq), ADD UNIQUE (stream, version);"
UPDATED = [
    f"CREATE TABLE log_event ({COLUMNS}, position bigint, hash text)",
    FILL_EVENTS.format(more=", position, hash", values=", i, repeat(md5(i::text), 2)"),
    COMMON_KEYS
    + "CREATE UNIQUE INDEX ix_log_event_position ON log_event (position) WHERE position IS NOT NULL;"
    + "CREATE INDEX ix_log_event_unnumbered ON log_event (seq) WHERE position IS NULL;",
    HEAD_TABLE.format(table="log_event"),
]
BESIDE = [
    f"CREATE TABLE log_event ({COLUMNS})",
    FILL_EVENTS.format(more="", values=""),
    COMMON_KEYS,
    "CREATE TABLE log_position (position bigint, seq bigint NOT NULL, hash text NOT NULL)",
    "INSERT INTO log_position SELECT seq, seq, repeat(md5(seq::text), 2) FROM log_event",
    "ALTER TABLE log_position ADD PRIMARY KEY (position), ADD UNIQUE (seq)",
    "CREATE TABLE log_pending (seq bigint PRIMARY KEY)",
    HEAD_TABLE.format(table="log_position"),
]
PEND = (
    "CREATE FUNCTION log_pend() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN INSERT INTO log_pending VALUES (NEW.seq); RETURN NULL; END $$"
)
TRIGGERED = [
    *BESIDE,
    PEND,
    "CREATE TRIGGER log_pend AFTER INSERT ON log_event FOR EACH ROW EXECUTE FUNCTION log_pend()",
]
APPEND = (
    "INSERT INTO log_event (id, stream, version, type, time, subject, data, salt, data_hash, traceparent)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
)
APPEND_PENDING = f"WITH event AS ({APPEND} RETURNING seq) INSERT INTO log_pending SELECT seq FROM event"
PAGE_UPDATED = f"SELECT {FACTS}, position, hash FROM log_event e WHERE position > $1 ORDER BY position LIMIT 500"
# the limit stands inside: joined first and limited afterwards, the planner may read the whole log for a batch
PAGE_BESIDE = (
    f"SELECT {FACTS}, p.position, p.hash"
    " FROM (SELECT * FROM log_position WHERE position > $1 ORDER BY position LIMIT 500) p"
    " JOIN log_event e USING (seq) ORDER BY p.position"
)
UNNUMBERED = f"SELECT {FACTS} FROM log_event e WHERE position IS NULL ORDER BY seq LIMIT {BATCH}"
PENDING = (
    f"SELECT {FACTS} FROM (SELECT seq FROM log_pending ORDER BY seq LIMIT {BATCH}) p"
    " JOIN log_event e USING (seq) ORDER BY p.seq"
)
MISSING = (
    f"SELECT {FACTS} FROM log_event e WHERE seq > $1"
    f" AND NOT EXISTS (SELECT FROM log_position p WHERE p.seq = e.seq AND p.seq > $1) ORDER BY seq LIMIT {BATCH}"
)


async def update_many(connection: Connection, placed: list[Placed]) -> None:
    """Update row after row, as one executemany."""
    await connection.executemany(
        "UPDATE log_event SET position = $1, hash = $2 WHERE stream = $3 AND version = $4",
        [(position, hash_, stream, version) for _, stream, version, position, hash_ in placed],
    )


async def update_together(connection: Connection, placed: list[Placed]) -> None:
    """Update a batch in one statement."""
    await connection.execute(
        "UPDATE log_event e SET position = n.position, hash = n.hash"
        " FROM unnest($1::bigint[], $2::bigint[], $3::text[]) AS n(seq, position, hash) WHERE e.seq = n.seq",
        *columns(placed),
    )


async def insert_together(connection: Connection, placed: list[Placed]) -> None:
    """Insert the positions of a batch in one statement."""
    await connection.execute(
        "INSERT INTO log_position (seq, position, hash) SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[])",
        *columns(placed),
    )


async def insert_and_clear(connection: Connection, placed: list[Placed]) -> None:
    """Insert the positions of a batch and delete its pending rows, one statement each."""
    await insert_together(connection, placed)
    await connection.execute("DELETE FROM log_pending WHERE seq = ANY($1::bigint[])", columns(placed)[0])


async def insert_and_clear_many(connection: Connection, placed: list[Placed]) -> None:
    """Insert the positions and delete the pending rows row by row, as two executemany."""
    await connection.executemany(
        "INSERT INTO log_position (seq, position, hash) VALUES ($1, $2, $3)",
        list(zip(*columns(placed), strict=True)),
    )
    await connection.executemany("DELETE FROM log_pending WHERE seq = $1", [(row[0],) for row in placed])


def columns(placed: list[Placed]) -> tuple[list[int], list[int], list[str]]:
    """Return seq, position and hash of the rows as lists."""
    return [row[0] for row in placed], [row[3] for row in placed], [row[4] for row in placed]


@dataclass(frozen=True, slots=True)
class Way:
    """A way to number the log.

    Attributes:
        name: of the way, and of its database.
        tables: statements that make and fill the tables.
        append: the writer's statement for one event.
        find: the statement that finds a batch of rows without a position.
        by_mark: whether `find` takes the mark below which every row has one.
        place: writes the positions of a batch.
        page: reads 500 rows after a position.

    """

    name: str
    tables: list[str]
    append: str
    find: str
    by_mark: bool
    place: Callable[[Connection, list[Placed]], Awaitable[None]]
    page: str


WAYS = [
    Way("update_many", UPDATED, APPEND, UNNUMBERED, False, update_many, PAGE_UPDATED),
    Way("update_unnest", UPDATED, APPEND, UNNUMBERED, False, update_together, PAGE_UPDATED),
    Way("pending_many", BESIDE, APPEND_PENDING, PENDING, False, insert_and_clear_many, PAGE_BESIDE),
    Way("pending_unnest", BESIDE, APPEND_PENDING, PENDING, False, insert_and_clear, PAGE_BESIDE),
    Way("pending_trigger", TRIGGERED, APPEND, PENDING, False, insert_and_clear, PAGE_BESIDE),
    Way("missing_unnest", BESIDE, APPEND, MISSING, True, insert_together, PAGE_BESIDE),
]


async def number_batch(connection: Connection, way: Way) -> int:
    """Find, chain and place one batch in a transaction, the head's row locked; return its size."""
    async with connection.transaction():
        head = await connection.fetchrow("SELECT position, hash, mark FROM log_relay WHERE id = 1 FOR UPDATE")
        found = await connection.fetch(way.find, *([head["mark"]] if way.by_mark else []))
        if not found:
            return 0
        position, last = head["position"], head["hash"]
        placed: list[Placed] = []
        for seq, *facts in found:
            position += 1
            row = LogRow(*(*facts, None, None))
            last = chained_hash(last, row, position)
            placed.append((seq, row.stream, row.version, position, last))
        await way.place(connection, placed)
        mark = max(head["mark"], placed[-1][0] - LAG)
        await connection.execute(
            "UPDATE log_relay SET position = $1, hash = $2, mark = $3 WHERE id = 1", position, last, mark
        )
    return len(found)


def event(number: int, now: datetime) -> tuple[object, ...]:
    """Return the values of one new event, of a stream of its own."""
    identity = f"01a00000-0000-7000-8000-{number:012x}"
    body = f'{{"body":"{number:032x}' + "0123456789abcdef" * 72 + '"}'
    return (identity, f"ticket/{identity}", 1, "ticket.submitted", now, identity, body, "5" * 32, "d" * 64, None)

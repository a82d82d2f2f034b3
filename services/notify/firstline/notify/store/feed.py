"""Queries on the feed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from firstline.common.store.port import Sql, Unit, Value


@dataclass(frozen=True, slots=True)
class FeedRow:
    """An event of the feed, ready to be shown."""

    position: int
    body: dict[str, Any]


# The row's lock makes positions follow one another in the order of commits, so that readers never see one late.
NEXT_POSITION = Sql(
    "INSERT INTO feed_head (id, position) VALUES (1, 1)"
    " ON CONFLICT (id) DO UPDATE SET position = feed_head.position + 1 RETURNING position",
    int,
)
# Taken before an endpoint is disabled: an event that is being
# applied has this lock, so its deliveries are there already.
HOLD_FEED = Sql("SELECT position FROM feed_head WHERE id = 1 FOR UPDATE", int)
INSERT_EVENT: Sql[None] = Sql("INSERT INTO feed (position, type, body) VALUES (:position, :type, :body)", type(None))
INSERT_READER: Sql[None] = Sql("INSERT INTO feed_reader (reader, position) VALUES (:reader, :position)", type(None))
FORGET_READER: Sql[None] = Sql("DELETE FROM feed_reader WHERE reader = :reader", type(None))
ALL_EVENTS = Sql("SELECT position, body FROM feed WHERE position > :after ORDER BY position LIMIT :limit", FeedRow)
ALL_OF_TYPES = Sql(
    "SELECT position, body FROM feed WHERE position > :after AND type = ANY(:types) ORDER BY position LIMIT :limit",
    FeedRow,
)
# Along the reader's own rows, so that a client with three requests doesn't walk over everybody's events.
EVENTS_FOR = Sql(
    "SELECT f.position, f.body FROM feed_reader r JOIN feed f ON f.position = r.position"
    " WHERE r.reader = :reader AND r.position > :after ORDER BY r.position LIMIT :limit",
    FeedRow,
)
OF_TYPES_FOR = Sql(
    "SELECT f.position, f.body FROM feed_reader r JOIN feed f ON f.position = r.position"
    " WHERE r.reader = :reader AND r.position > :after AND f.type = ANY(:types) ORDER BY r.position LIMIT :limit",
    FeedRow,
)


async def read_feed(
    unit: Unit, readers: Sequence[str] | None, types: Sequence[str] | None, after: int, limit: int
) -> list[FeedRow]:
    """Return events after a position: all of them (readers None), or those that any of the readers may see.

    Each reader's page is read along its index and the pages are merged: an OR of readers would read and sort all they
    ever had. A caller reads as two at most.
    """
    given: dict[str, Value] = {"after": after, "limit": limit}
    if types is not None:
        given["types"] = types
    if readers is None:
        return await unit.all(ALL_EVENTS if types is None else ALL_OF_TYPES, **given)
    statement = EVENTS_FOR if types is None else OF_TYPES_FOR
    found = {row.position: row for reader in readers for row in await unit.all(statement, reader=reader, **given)}
    return [found[position] for position in sorted(found)][:limit]

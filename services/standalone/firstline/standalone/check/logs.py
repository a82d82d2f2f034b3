"""Whether the logs are whole (P9), published (P8) and applied by everybody who takes them (P7, P10)."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime

from firstline.common import chain
from firstline.common.bus import BINDINGS, SOURCES
from firstline.common.chain import SaltedRow
from firstline.common.envelope import bound_by
from firstline.common.relay import HEAD
from firstline.common.store.port import Sql
from firstline.standalone.check.books import Books, Finding


@dataclass(frozen=True, slots=True)
class Last:
    """The last row of a stream, without what it says."""

    type: str
    version: int
    hash: str | None
    time: datetime


Heads = dict[str, Last]
"""The last row of each stream."""

LIMIT = 1000
"""Of rows that are wrong in one way, so many are told at most."""


@dataclass(frozen=True, slots=True)
class Unsent:
    """A row that has no position yet."""

    stream: str
    version: int


@dataclass(frozen=True, slots=True)
class Applied:
    """Up to where a consumer has applied a stream."""

    stream: str
    version: int
    hash: str


@dataclass(frozen=True, slots=True)
class Aside:
    """An event that a consumer has put aside.

    Attributes:
        source: the service that told it.
        stream: what it happened to.
        version: its place there.
        state: `waiting` or `parked`.
        reason: why.
        received_at: when it was put aside; from this on it has to settle.

    """

    source: str
    stream: str
    version: int
    state: str
    reason: str
    received_at: datetime


UNSENT = Sql(
    "SELECT stream, version FROM log_event WHERE position IS NULL AND time < :before ORDER BY stream, version"
    " LIMIT :limit",
    Unsent,
)
AT = Sql("SELECT hash FROM log_event WHERE position = :position", str)
APPLIED = Sql(
    "SELECT stream, version, hash FROM inbox_stream WHERE source = :source AND stream > :after ORDER BY stream"
    " LIMIT :limit",
    Applied,
)
ASIDE = Sql(
    "SELECT source, stream, version, state, reason, received_at FROM inbox_event ORDER BY source, stream, version"
    " LIMIT :limit",
    Aside,
)


class Chain:
    """Follows a log row by row: positions without a gap, versions without a gap, and the chain of hashes."""

    def __init__(self, service: str, log: str) -> None:
        self.heads: Heads = {}
        self._chain = chain.Chain(log)
        self._service = service
        self.rows = 0

    def read(self, row: SaltedRow) -> Iterator[Finding]:
        """Take the next row."""
        self.rows += 1
        before = self.heads.get(row.stream)
        expected = before.version + 1 if before else 1
        if row.version != expected:
            place = f"position {row.position}, {row.stream} version {row.version}"
            yield Finding("P9", self._service, place, f"version {expected} was to follow")
        yield from map(self._finding, self._chain.read(row))
        self.heads[row.stream] = Last(row.type, row.version, row.hash, row.time)

    def unattested(self) -> list[Finding]:
        """Return the rows whose data was replaced though nobody erased anything of them."""
        return [self._finding(wrong) for wrong in self._chain.unattested()]

    def _finding(self, wrong: chain.Wrong) -> Finding:
        """Return what the chain found as a finding of P9."""
        return Finding("P9", self._service, f"position {wrong.position}, {wrong.place}", wrong.what)


async def name_of(books: Books, service: str) -> str:
    """Return the name of a service's log; none while it has no head."""
    head = await books.stores[service].read(lambda unit: unit.one(HEAD))
    return head.log if head else ""


async def unpublished(books: Books, service: str) -> AsyncIterator[Finding]:
    """Yield the rows that nobody has numbered in time, and a head that is no row of the log."""
    store = books.stores[service]
    for row in await store.read(lambda unit: unit.all(UNSENT, before=books.settled_before, limit=LIMIT)):
        yield Finding("P8", service, f"{row.stream} version {row.version}", "it has no position and reaches nobody")
    head = await store.read(lambda unit: unit.one(HEAD))
    if head is not None and head.position:
        # One row is enough here: whether all those before it are whole, the chain says.
        last = await store.read(lambda unit: unit.one(AT, position=head.position))
        if last != head.hash:
            yield Finding("P9", service, "the log's head", f"position {head.position} is not the row it was")


async def unapplied(books: Books, consumer: str, heads: dict[str, Heads]) -> AsyncIterator[Finding]:
    """Yield the streams of which a consumer has not applied what its producers' logs hold, or something else."""
    takes = bound_by(BINDINGS[consumer])
    for source in SOURCES[consumer]:
        # A consumer hears only of types that it takes, so a stream without any of them is missing nothing.
        missing = {stream: last for stream, last in heads[source].items() if takes(last.type)}
        async for page in books.rows(consumer, APPLIED, lambda applied: applied.stream, source=source):
            for applied in page:
                books.looked["P7"] += 1
                last = missing.pop(applied.stream, None)
                if last is not None and last.version > applied.version and last.time > books.settled_before:
                    continue  # under way
                if last is None or (last.version, last.hash) != (applied.version, applied.hash):
                    place = f"{source}: {applied.stream}, applied up to version {applied.version}"
                    yield Finding("P7", consumer, place, f"the log holds {last.version if last else 0}")
        for stream, last in missing.items():
            if last.time < books.settled_before:
                yield Finding("P7", consumer, f"{source}: {stream}", "nothing of it was applied")


async def put_aside(books: Books, consumer: str) -> AsyncIterator[Finding]:
    """Yield the events that are parked, or have waited for longer than it takes to settle."""
    store = books.stores[consumer]
    for event in await store.read(lambda unit: unit.all(ASIDE, limit=LIMIT)):
        books.looked["P10"] += 1
        if event.state == "parked" or event.received_at < books.settled_before:
            place = f"{event.source}: {event.stream} version {event.version}"
            yield Finding("P10", consumer, place, f"{event.state}: {event.reason}")

"""What a service may ask of its store, whichever database is behind it.

SQL stands in plain constants, written once: PostgreSQL's dialect with `:name` parameters, `= ANY(:list)` for lists and
`FOR UPDATE SKIP LOCKED` where rows are taken. An adapter rewrites the few words that its database spells otherwise.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
T = TypeVar("T")

Value = str | int | float | bytes | datetime | Mapping[str, object] | Sequence[object] | None
"""What a parameter may be; mappings and sequences are stored as JSON, datetimes must be aware."""


@dataclass(frozen=True, slots=True)
class Sql(Generic[R_co]):
    """One statement and the class of its rows: a dataclass with a field per column in order, or a scalar type.

    Columns annotated `datetime`, `bool`, `dict` or `list` are converted from what the database holds. `sqlite` is the
    statement for SQLite where the two databases have no words in common; it returns the same rows.

    Statements are compared and cached by value, so a text that is put together at run time must have few forms: the
    filters that are present, never the values.
    """

    text: str
    into: type[R_co]
    sqlite: str | None = None


class Unit(Protocol):
    """One transaction. A unit of work awaits nothing but these, has no side effects and may be run again.

    On PostgreSQL a unit is run again when another got in its way, on SQLite units of many callers share a transaction
    under savepoints: a side effect would happen twice, or for something that was rolled back.
    """

    async def one(self, sql: Sql[R], **given: Value) -> R | None:
        """Return the first row, or None."""

    async def all(self, sql: Sql[R], **given: Value) -> list[R]:
        """Return every row."""

    async def run(self, sql: Sql[None], **given: Value) -> int:
        """Execute a statement; return the number of rows it touched.

        A conditional UPDATE and this number are how a change is made only if the row is still as it was seen.
        """

    async def many(self, sql: Sql[None], rows: Sequence[Mapping[str, Value]]) -> None:
        """Execute a statement once for each row of parameters."""

    async def send(self, sql: Sql[None], rows: Sequence[Mapping[str, Value]]) -> None:
        """Do as `many`, but the database may still be at it when this returns, so that a unit can calculate meanwhile.

        The unit's next statement and its commit wait for the end, and raise what went wrong.
        """

    def later(self, sql: Sql[None], **given: Value) -> None:
        """Execute a statement when the unit has done all else, in one exchange with the others of its kind.

        Nothing that the unit does itself sees its effect.
        """

    def announce(self, channel: str) -> None:
        """Wake the listeners of the channel once this transaction is committed."""


Work = Callable[[Unit], Awaitable[T]]


@dataclass(frozen=True, slots=True)
class Insertion:
    """Rows that go in together or not at all, in the order given, and the channels to announce then."""

    rows: tuple[tuple[Sql[None], Mapping[str, Value]], ...]
    channels: tuple[str, ...] = ()


class Store(Protocol):
    """A service's database."""

    async def open(self) -> None:
        """Connect and start what the store needs to run.

        Raises:
            Unavailable: the database can't be reached.

        """

    async def close(self) -> None:
        """Finish what was begun and disconnect."""

    async def write(self, work: Work[T]) -> T:
        """Run `work` in one transaction and return its result once that is durable.

        Raises:
            Unavailable: nothing was stored.

        Units that decide by what they read must read it FOR UPDATE, or lean on a unique key: on PostgreSQL others write
        at the same time (read committed, ADR 7).
        """

    async def read(self, work: Work[T]) -> T:
        """Run `work`, which only reads, on one consistent view.

        Raises:
            Unavailable: the database can't be reached.

        On SQLite it runs in the event loop, so a long one holds up everything: page, or leave the loop.
        """

    async def insert(self, insertion: Insertion) -> bool:
        """Insert rows durably, grouped with other callers' into one commit.

        Returns:
            False, with nothing stored, when one of the rows' unique keys is taken.

        Raises:
            Unavailable: nothing was stored.

        """

    async def scrub(self) -> None:
        """Let nothing that was deleted or overwritten stay readable in what the store writes beside its tables.

        Raises:
            Unavailable: it can't be done now.

        """

    def listen(self, channel: str) -> asyncio.Event:
        """Return an event of the caller's own that is set after each commit that announced the channel.

        The event may be set without any news, and news of another process may be lost: it says "look", not "there is".
        """

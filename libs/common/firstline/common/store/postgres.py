"""The store on PostgreSQL: one transaction a unit, run again where others got in its way; inserts go in by groups."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

import asyncpg

from firstline.common.errors import OutcomeUnknown, Unavailable
from firstline.common.ports import Ports
from firstline.common.store.grouping import Groups
from firstline.common.store.later import Later, PutOff
from firstline.common.store.notices import Notices
from firstline.common.store.port import Insertion, Sql, Value, Work
from firstline.common.store.stuck import StuckSessions
from firstline.common.store.values import ADAPTERS_FOR_POSTGRES, Reader, reader_for, to_postgres

R = TypeVar("R")
T = TypeVar("T")

STATEMENT_SECONDS = 30.0
ACQUIRE_SECONDS = 5.0
CONNECT_SECONDS = 5.0
"""How long a statement, a free connection and a new connection are waited for."""

REST_SECONDS = 8.0
"""How long a transaction may rest between two statements: a process that is stopped in the middle of one would keep its
rows, and with them everybody's lease, for as long as it is stopped."""

TRIES = 12
FIRST_PAUSE, LONGEST_PAUSE = 0.002, 0.25
"""How often a unit is run that others get in the way of, and the seconds of rest in between, each time doubled."""

IN_THE_WAY = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError, asyncpg.InvalidCachedStatementError)
"""Nothing was stored because of what somebody else did at the same time."""

AGAIN = (*IN_THE_WAY, asyncpg.UniqueViolationError)
"""The same for a unit: somebody stored what it had looked for in vain; when it looks again, it finds that."""

_OUT_OF_REACH = (
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresSystemError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InternalClientError,  # the server has said goodbye, and the driver has yet to see the connection's end
)
REST = {"idle_in_transaction_session_timeout": f"{REST_SECONDS * 1000:.0f}"}
# Not after a second colon, which is a cast.
_NAME = re.compile(r"(?<!:):([a-z_]\w*)")
_ANY = re.compile(r"= ANY\(:(\w+)\)")


class Prepared(NamedTuple):
    """A statement in the driver's form: parameters are $1, $2 ... by the order of `names`; some of them are lists."""

    text: str
    names: tuple[str, ...]
    lists: frozenset[str]
    read: Reader

    def arguments(self, given: Mapping[str, Value]) -> list[Any]:
        """Return the parameters as the driver takes them."""
        if self.lists:
            return [_list(given[name]) if name in self.lists else to_postgres(given[name]) for name in self.names]
        return [ADAPTERS_FOR_POSTGRES[type(value)](value) for value in map(given.__getitem__, self.names)]


def _list(value: Any) -> list[Any]:
    """Return a list as the driver takes it."""
    return [to_postgres(item) for item in value]


@lru_cache(maxsize=1024)
def prepare(sql: Sql[Any]) -> Prepared:
    """Return a statement in the driver's form.

    Each of the few hundred constants is taken apart once.
    """
    names = tuple(dict.fromkeys(_NAME.findall(sql.text)))
    numbers = {name: f"${number}" for number, name in enumerate(names, start=1)}
    text = _NAME.sub(lambda found: numbers[found[1]], sql.text)
    return Prepared(text, names, frozenset(_ANY.findall(sql.text)), reader_for(sql.into, native=True))


class Statements(PutOff):
    """The unit of work on one connection."""

    def __init__(self, connection: Any, ports: Ports) -> None:
        super().__init__()
        self._connection = connection
        self._ports = ports
        self._under_way: asyncio.Task[None] | None = None

    async def one(self, sql: Sql[R], **given: Value) -> R | None:
        """Return the first row, or None."""
        await self._arrived()
        prepared = prepare(sql)
        row = await self._connection.fetchrow(prepared.text, *prepared.arguments(given))
        return None if row is None else prepared.read(row)

    async def all(self, sql: Sql[R], **given: Value) -> list[R]:
        """Return every row."""
        await self._arrived()
        prepared = prepare(sql)
        rows = await self._connection.fetch(prepared.text, *prepared.arguments(given))
        return [prepared.read(row) for row in rows]

    async def run(self, sql: Sql[None], **given: Value) -> int:
        """Execute a statement; return the number of rows it touched."""
        await self._arrived()
        prepared = prepare(sql)
        status: str = await self._connection.execute(prepared.text, *prepared.arguments(given))
        count = status.rpartition(" ")[2]
        return int(count) if count.isdecimal() else 0

    async def many(self, sql: Sql[None], rows: Sequence[Mapping[str, Value]]) -> None:
        """Execute a statement once for each row of parameters, all in one exchange with the database."""
        await self._arrived()
        await self._execute_many(sql, rows)

    async def send(self, sql: Sql[None], rows: Sequence[Mapping[str, Value]]) -> None:
        """Execute a statement once for each row of parameters, and go on while the server does it."""
        await self._arrived()
        if rows:
            self._under_way = self._ports.spawn(self._execute_many(sql, rows), name="store: sent")
            # So that the rows leave now, and not when this unit waits next.
            await self._ports.clock.sleep(0)

    async def finish(self) -> None:
        """Execute what was put off, once all that was sent is done."""
        await super().finish()
        await self._arrived()

    async def give_up(self) -> None:
        """Let what is under way come to its end, however it ends: the connection can't be rolled back before."""
        if self._under_way is not None:
            await asyncio.gather(self._under_way, return_exceptions=True)

    async def _execute_many(self, sql: Sql[None], rows: Sequence[Mapping[str, Value]]) -> None:
        """Execute a statement for rows, if there are any."""
        if rows:
            prepared = prepare(sql)
            await self._connection.executemany(prepared.text, [prepared.arguments(row) for row in rows])

    async def _arrived(self) -> None:
        """Wait until the server is done with what was sent."""
        sent, self._under_way = self._under_way, None
        if sent is not None:
            await sent


class PostgresStore:
    """One service's database."""

    def __init__(
        self, url: str, ports: Ports, *, pooler: bool = False, listen_url: str | None = None, connections: int = 10
    ) -> None:
        """Describe the database; nothing is connected yet.

        Args:
            url: postgresql://user:password@host:port/database.
            ports: time, tasks and ids.
            pooler: whether `url` leads to a pooler in transaction mode, where nothing stays on a connection.
            listen_url: where notifications are heard; None: at `url`, or nowhere behind a pooler.
            connections: how many are opened at most.

        """
        self._url = url
        self._ports = ports
        self._pooler = pooler
        self._connections = connections
        direct = listen_url or (None if pooler else url)
        self._notices = Notices(direct, ports)
        self._stuck = StuckSessions(self._connection, REST_SECONDS, ports)
        self._groups = Groups(self._insert_group, self._insert_one, ports)
        self._pool: Any = None

    async def open(self) -> None:
        """Make ready to connect; the database is sought when it is first needed, and again whenever it was away."""
        if self._pool is not None:
            return
        self._pool = await asyncpg.create_pool(
            self._url,
            min_size=0,
            max_size=self._connections,
            timeout=CONNECT_SECONDS,
            command_timeout=STATEMENT_SECONDS,
            # A pooler deals each transaction to any connection: statements prepared on one are unknown on the next, and
            # settings sent at its start are refused or stay with a stranger.
            statement_cache_size=0 if self._pooler else 512,
            max_cached_statement_lifetime=0,
            server_settings=None if self._pooler else REST,
            reset=_leave,
        )
        self._notices.start()
        self._stuck.start()

    async def close(self) -> None:
        """Commit what waits, then disconnect."""
        await self._groups.finish()
        pool, self._pool = self._pool, None
        if pool is None:
            return
        await self._notices.stop()
        await self._stuck.stop()
        try:
            await asyncio.wait_for(pool.close(), STATEMENT_SECONDS)
        except TimeoutError:
            pool.terminate()

    async def write(self, work: Work[T]) -> T:
        """Run `work` in one transaction and return its result once that is durable."""
        result, channels = await self._again(lambda: self._write_once(work), AGAIN)
        # Here and not in the unit: a try that was rolled back has nothing to announce.
        self._notices.announce(channels)
        return result

    async def _again(self, attempt: Callable[[], Awaitable[R]], errors: tuple[type[Exception], ...]) -> R:
        """Return what `attempt` returns, trying again after these errors.

        Only errors of which the database says that nothing was stored are tried again. A connection lost in the commit
        is none of them: it may have been stored, and a second try could do it twice (`OutcomeUnknown`).
        """
        pause, clock = FIRST_PAUSE, self._ports.clock
        for left in reversed(range(TRIES)):
            try:
                return await attempt()
            except errors as error:
                if not left and isinstance(error, asyncpg.UniqueViolationError):
                    raise  # a mistake and not a race: it stays, however often one looks
                if not left:
                    raise Unavailable("Too many changes at once; nothing was stored. Try again.") from error
            # Those who met once would meet again after equal pauses.
            chance = self._ports.random.bytes(1)[0] / 255
            await clock.sleep(pause * (0.5 + chance))
            pause = min(pause * 2, LONGEST_PAUSE)
        raise AssertionError("the last try returns or raises")

    async def _write_once(self, work: Work[T]) -> tuple[T, list[str]]:
        """Run a unit in a transaction; return its result with the channels to announce."""
        async with self._connection() as connection, connection.transaction():
            unit = Statements(connection, self._ports)
            try:
                result = await work(unit)
                await unit.finish()
            finally:
                await unit.give_up()
        return result, unit.channels

    async def read(self, work: Work[T]) -> T:
        """Run `work` on one consistent view."""
        try:
            return await self._again(lambda: self._read(work), IN_THE_WAY)
        except Unavailable as error:
            if isinstance(error.__cause__, asyncpg.ReadOnlySQLTransactionError):
                raise error.__cause__ from None  # not the server's state, but a unit that writes in here
            raise

    async def _read(self, work: Work[T]) -> T:
        """Run a unit that only reads, once, in a transaction of its own.

        Repeatable read: under read committed each statement sees another state, and a list could disagree with its own
        count.
        """
        async with (
            self._connection() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            unit = Statements(connection, self._ports)
            result = await work(unit)
            await unit.finish()
        return result

    async def insert(self, insertion: Insertion) -> bool:
        """Insert rows, in one commit with other callers'; False when a unique key is taken."""
        stored = await self._groups.add(insertion)
        if stored:
            self._notices.announce(insertion.channels)
        return stored

    async def _insert_group(self, insertions: Sequence[Insertion]) -> None:
        """Insert the rows of all in one transaction, those of one statement together.

        Raises:
            asyncpg.IntegrityConstraintViolationError: one of them can't go in, so none did.

        """
        rows = Later()
        for insertion in insertions:
            for sql, given in insertion.rows:
                rows.add(sql, given)
        # IN_THE_WAY and not AGAIN: rows are data, so a key that is taken stays taken, however often they are tried.
        await self._again(lambda: self._insert_rows(rows), IN_THE_WAY)

    async def _insert_rows(self, rows: Later) -> None:
        """Insert a group's rows in one transaction, those of one statement together."""
        async with self._connection() as connection, connection.transaction():
            unit = Statements(connection, self._ports)
            for sql, given in rows.taken():
                await unit.many(sql, given)

    async def _insert_one(self, insertion: Insertion) -> bool:
        """Insert the rows of one caller in a transaction of their own; False when a unique key is taken."""
        try:
            await self._insert_group([insertion])
        except asyncpg.UniqueViolationError:
            return False
        return True

    async def scrub(self) -> None:
        """Do nothing: old row versions are the server's, and go by its vacuum."""

    def listen(self, channel: str) -> asyncio.Event:
        """Return an event that is set after each commit that announced the channel, here or in another process."""
        return self._notices.listen(channel)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        """Lend a connection for one transaction.

        Raises Unavailable where the database can't be reached or all connections stay in use, and OutcomeUnknown where
        the connection is lost once work on it may have begun.
        """
        pool = self._pool
        if pool is None:
            raise Unavailable("The store is closed. Try again in a moment.", retry_after=2)
        with _reaching():
            connection = await pool.acquire(timeout=ACQUIRE_SECONDS)
        try:
            with _reaching(connection):
                yield connection
        finally:
            with _reaching(connection):
                await pool.release(connection)


async def _leave(_connection: Any) -> None:
    """Do nothing to a connection that comes back: units leave nothing on it but their transaction, which has ended.

    The driver's own reset would cost a round trip for each transaction.
    """


@contextmanager
def _reaching(connection: Any = None) -> Iterator[None]:
    """Turn the ways in which a database is out of reach into the one that callers know."""
    try:
        yield
    except _OUT_OF_REACH as error:
        raise _out_of_reach(error, begun=connection is not None) from error
    except (OSError, asyncpg.InterfaceError) as error:
        if connection is not None and not _is_lost(connection):
            raise  # the unit's own, or a mistake of ours such as a missing parameter
        raise _out_of_reach(error, begun=connection is not None) from error


def _is_lost(connection: Any) -> bool:
    """Say whether a connection has ended; the pool takes one that has from whoever works with it."""
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:
        return True


def _out_of_reach(error: Exception, *, begun: bool) -> Unavailable:
    """Return what callers are told; a connection that was lost may have been lost after the commit."""
    kind = OutcomeUnknown if begun else Unavailable
    reason = kind("The store can't be reached. Try again in a moment.", retry_after=2)
    reason.__cause__ = error
    return reason

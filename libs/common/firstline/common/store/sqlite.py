"""The store on one SQLite file.

Statements run inline in the event loop; units of concurrent callers are gathered into one transaction, each under its
own savepoint, and only the commit with its fsync leaves the loop. A caller hears of success after that fsync.
"""

import asyncio
import contextlib
import contextvars
import re
import sqlite3
from collections import deque
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, cast

import structlog

from firstline.common.errors import Unavailable
from firstline.common.ports import Ports
from firstline.common.store.later import PutOff
from firstline.common.store.port import Insertion, Sql, Unit, Value, Work
from firstline.common.store.values import Reader, reader_for, to_sqlite

R = TypeVar("R")
T = TypeVar("T")

# One fsync takes some milliseconds, whatever it covers, so it is shared; the time bound is there because units run in
# the event loop, which has requests and timers to serve besides.
GROUP_LIMIT = 256
GROUP_SECONDS = 0.005
"""A group of units is committed when it has this many members or has run this long, whichever comes first."""

LOCK_SECONDS, LOCK_PAUSE = 5.0, 0.02
"""How long a group waits for another process that writes, and how often it looks; the event loop goes on meanwhile."""

_PRAGMAS = (
    # Readers go on while a group is written, and a commit is one fsync of the log; FULL, since NORMAL may lose what was
    # acknowledged when the power fails.
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA secure_delete = ON",  # what is erased must not stay readable in pages that are free
)
_FAILURES = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_READONLY,
    }
)
"""Primary result codes that mean the database failed; all others are mistakes of the one statement."""
_ANY = re.compile(r"= ANY\((:\w+)\)")
_LOCKING = re.compile(r"\s+FOR (?:UPDATE(?: SKIP LOCKED)?|SHARE)\b")

_log = structlog.get_logger(__name__)


def sqlite_text(text: str) -> str:
    """Return a statement in SQLite's words: lists by json_each; row locks are not needed under one writer."""
    return _LOCKING.sub("", _ANY.sub(r"IN (SELECT value FROM json_each(\1))", text))


@lru_cache(maxsize=1024)
def _prepare(sql: Sql[Any]) -> tuple[str, Reader]:
    """Return a statement's text for SQLite, and what reads its rows."""
    return sqlite_text(sql.sqlite or sql.text), reader_for(sql.into)


class Statements(PutOff):
    """The unit of work on one SQLite connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__()
        self._connection = connection

    async def one(self, sql: Sql[R], **given: Value) -> R | None:
        """Return the first row, or None."""
        rows = await self.all(sql, **given)
        return rows[0] if rows else None

    async def all(self, sql: Sql[R], **given: Value) -> list[R]:
        """Return every row."""
        text, read = _prepare(sql)
        # All rows at once: a cursor left open would keep a read transaction, and the log could not be emptied.
        cursor = self._connection.execute(text, _adapt(given))
        return [read(row) for row in cursor.fetchall()]

    async def run(self, sql: Sql[None], **given: Value) -> int:
        """Execute a statement; return the number of rows it touched."""
        return self._connection.execute(_prepare(sql)[0], _adapt(given)).rowcount

    async def many(self, sql: Sql[None], rows: Sequence[Mapping[str, Value]]) -> None:
        """Execute a statement once for each row of parameters."""
        self._connection.executemany(_prepare(sql)[0], [_adapt(row) for row in rows])

    async def send(self, sql: Sql[None], rows: Sequence[Mapping[str, Value]]) -> None:
        """Execute a statement once for each row of parameters; the database works in this very thread."""
        await self.many(sql, rows)


def _adapt(given: Mapping[str, Value]) -> dict[str, Any]:
    """Return parameters as SQLite takes them."""
    return {name: to_sqlite(value) for name, value in given.items()}


@dataclass(slots=True)
class _Job:
    """A unit of work that waits for its turn, in the context of its caller."""

    work: Work[Any]
    done: "asyncio.Future[Any]"
    context: contextvars.Context
    result: Any = None
    channels: list[str] = field(default_factory=list)


async def _whole(work: Work[T], unit: Statements) -> T:
    """Run a unit with all that it left for the end."""
    result = await work(unit)
    await unit.finish()
    return result


def _drive(work: Work[T], unit: Statements) -> T:
    """Run a unit to its end without giving way to the event loop.

    A unit that waited for something else would hold the write lock, and everybody's commit, for as long as that takes;
    so the first real await is an error and never a slow transaction.
    """
    coroutine = cast("Coroutine[Any, Any, T]", _whole(work, unit))
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return cast("T", stop.value)
    coroutine.close()
    raise RuntimeError("a unit of work awaited something other than its statements")


class SqliteStore:
    """One SQLite file with one writing and one reading connection."""

    def __init__(self, path: Path, ports: Ports) -> None:
        self._path = path
        self._ports = ports
        self._jobs: deque[_Job] = deque()
        self._work = asyncio.Event()
        self._listeners: dict[str, list[asyncio.Event]] = {}
        self._writer: asyncio.Task[None] | None = None
        self._closing = False
        self._write_connection: sqlite3.Connection | None = None
        self._read_connection: sqlite3.Connection | None = None

    async def open(self) -> None:
        """Connect and start the writer; an open store stays as it is.

        Raises:
            Unavailable: the file can't be opened.

        """
        if self._writer is not None:
            return
        try:
            self._write_connection = _connect(self._path)
            # SQLite would wait inside the call and hold up the event loop; `_begin` waits instead.
            self._write_connection.execute("PRAGMA busy_timeout = 0")
            self._read_connection = _connect(self._path)
            # A unit given to `read` that writes fails here as it does on PostgreSQL.
            self._read_connection.execute("PRAGMA query_only = ON")
        except sqlite3.Error as error:
            self._disconnect()
            raise _out_of_reach(error) from error
        self._closing = False
        self._writer = self._ports.spawn(self._write_groups(), name=f"store {self._path.name}")

    async def close(self) -> None:
        """Commit what waits, then disconnect."""
        self._closing = True
        self._work.set()
        if self._writer is not None:
            await self._writer
        self._writer = None
        self._disconnect()

    def _disconnect(self) -> None:
        """Close both connections."""
        for connection in (self._read_connection, self._write_connection):
            if connection is not None:
                connection.close()
        self._read_connection = self._write_connection = None

    async def write(self, work: Work[T]) -> T:
        """Run `work` in one transaction and return its result once the commit is on disk."""
        if self._closing or self._writer is None:
            raise Unavailable("The store is closed. Try again in a moment.", retry_after=2)
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs.append(_Job(work, done, contextvars.copy_context()))
        self._work.set()
        try:
            return await done
        finally:
            done.cancel()  # no effect once done; a unit that called in here, which it must not, is taken back

    async def read(self, work: Work[T]) -> T:
        """Run `work` on one consistent view, at once."""
        connection = self._read_connection
        if connection is None:
            raise Unavailable("The store is closed. Try again in a moment.", retry_after=2)
        try:
            connection.execute("BEGIN")
            try:
                return _drive(work, Statements(connection))
            finally:
                _undo(connection)
        except sqlite3.Error as error:
            if not _failed(error) or error.sqlite_errorcode == sqlite3.SQLITE_READONLY:  # a unit that writes in here
                raise
            raise _out_of_reach(error) from error

    async def insert(self, insertion: Insertion) -> bool:
        """Insert rows; False when a unique key is taken."""

        async def rows(unit: Unit) -> None:
            for sql, given in insertion.rows:
                await unit.run(sql, **given)
            for channel in insertion.channels:
                unit.announce(channel)

        try:
            await self.write(rows)
        except sqlite3.IntegrityError as error:
            if error.sqlite_errorcode in (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY):
                return False
            raise
        return True

    async def scrub(self) -> None:
        """Bring the write-ahead log into the file, where free space is overwritten, and empty it."""
        try:
            busy = await self._ports.offload(lambda: _checkpoint(self._path))
        except sqlite3.Error as error:
            raise _out_of_reach(error) from error
        if busy:
            raise Unavailable("The write-ahead log is in use. Try again in a moment.")

    def listen(self, channel: str) -> asyncio.Event:
        """Return an event that is set after each commit that announced the channel."""
        event = asyncio.Event()
        self._listeners.setdefault(channel, []).append(event)
        return event

    async def _write_groups(self) -> None:
        """Write group after group, until closed and nothing waits."""
        while True:
            if not self._jobs:
                if self._closing:
                    return
                self._work.clear()
                await self._work.wait()
                continue
            await self._write_group()

    async def _write_group(self) -> None:
        """Write one group in one transaction; whatever fails, its callers are told."""
        connection = cast("sqlite3.Connection", self._write_connection)
        group: list[_Job] = []
        try:
            await self._begin(connection)
            self._run_group(connection, group)
            # The fsync leaves the loop: meanwhile reads go on, and units gather for the next group.
            await self._ports.offload(connection.commit)
        except Exception as error:  # of any kind: a dead writer would let its callers wait for ever
            _undo(connection)
            self._refuse(group or self._taken_all(), error)
            return
        for job in group:
            self._tell(job)

    async def _begin(self, connection: sqlite3.Connection) -> None:
        """Take the write lock, waiting a while for another process that has it."""
        clock = self._ports.clock
        end = clock.monotonic() + LOCK_SECONDS
        while True:
            try:
                # IMMEDIATE takes the write lock before anything is read. A transaction that begins as a reader and then
                # writes fails, or worse, decides by what is no longer so (ADR 2: 160 of 200 updates were lost).
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or clock.monotonic() >= end:
                    raise
                await clock.sleep(LOCK_PAUSE)
            else:
                return

    def _run_group(self, connection: sqlite3.Connection, group: list[_Job]) -> None:
        """Run waiting units, each under its savepoint, until the group is full or has taken its time."""
        clock = self._ports.clock
        end = clock.monotonic() + GROUP_SECONDS
        while self._jobs and len(group) < GROUP_LIMIT and (not group or clock.monotonic() < end):
            job = self._jobs.popleft()
            if job.done.cancelled():
                continue
            group.append(job)
            if not self._run_one(connection, job):
                group.pop()

    def _run_one(self, connection: sqlite3.Connection, job: _Job) -> bool:
        """Run one unit; False when it failed alone and its caller has been told."""
        unit = Statements(connection)
        connection.execute("SAVEPOINT unit")
        try:
            # In the caller's context, so that spans and log lines of the unit carry its request and not the writer's.
            job.result = job.context.run(_drive, job.work, unit)
        except Exception as error:
            # Some failures (disk full, I/O) end the whole transaction on SQLite's own account, savepoints and all.
            if _failed(error) or not connection.in_transaction:  # then nobody's unit survives
                raise
            # ROLLBACK TO keeps the savepoint itself; without RELEASE they would nest deeper with each failure.
            connection.execute("ROLLBACK TO unit")
            connection.execute("RELEASE unit")
            if not job.done.done():
                job.done.set_exception(error)
            return False
        connection.execute("RELEASE unit")
        job.channels = unit.channels
        return True

    def _tell(self, job: _Job) -> None:
        """Give a caller the result, and wake whoever listens."""
        if not job.done.done():
            job.done.set_result(job.result)
        # Also where the caller has gone away: its change is on disk.
        for channel in job.channels:
            for event in self._listeners.get(channel, ()):
                event.set()

    def _taken_all(self) -> list[_Job]:
        """Return all jobs that wait, and let none of them wait longer."""
        jobs = list(self._jobs)
        self._jobs.clear()
        return jobs

    def _refuse(self, jobs: list[_Job], error: Exception) -> None:
        """Tell callers that nothing of theirs was stored; one line of the log for the whole group."""
        _log.error("the store refused units of work", store=self._path.name, units=len(jobs), reason=str(error))
        for job in jobs:
            if not job.done.done():
                job.done.set_exception(_out_of_reach(error))


def _checkpoint(path: Path) -> bool:
    """Empty the write-ahead log; say whether somebody was in the way."""
    with contextlib.closing(_connect(path)) as connection:
        # Whoever waited here would hold up every writer meanwhile; whoever calls tries again.
        connection.execute("PRAGMA busy_timeout = 0")
        return bool(connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0])


def _connect(path: Path) -> sqlite3.Connection:
    """Return a connection with the pragmas set, or close it and raise."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=512)
    try:
        for pragma in _PRAGMAS:
            connection.execute(pragma)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _failed(error: Exception) -> bool:
    """Say whether the database itself failed, and not one statement."""
    # Extended codes, such as IOERR_FSYNC, carry the primary one in their lowest byte.
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _FAILURES


def _undo(connection: sqlite3.Connection) -> None:
    """End the transaction at hand, if there is one; where even that fails, the next group is refused too."""
    with contextlib.suppress(sqlite3.Error):
        connection.rollback()


def _out_of_reach(error: Exception) -> Unavailable:
    """Return what callers are told when the file can't be written."""
    reason = Unavailable("The store can't be reached; nothing was stored. Try again in a moment.", retry_after=2)
    reason.__cause__ = error
    return reason

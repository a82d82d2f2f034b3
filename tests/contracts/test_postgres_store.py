"""The store on PostgreSQL when the server, other processes or a pooler make it hard."""

import asyncio
import os
import struct
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from firstline.common.errors import Unavailable
from firstline.common.ports import system_ports
from firstline.common.store import postgres as postgres_store
from firstline.common.store import stuck
from firstline.common.store.migrate import is_migrated
from firstline.common.store.port import Insertion, Sql, Store, Unit
from firstline.common.store.postgres import PostgresStore
from servers import PgBouncer, PostgresServer

CREATE: Sql[None] = Sql("CREATE TABLE fact (name TEXT PRIMARY KEY, number INTEGER NOT NULL)", type(None))
WIDEN: Sql[None] = Sql("ALTER TABLE fact ALTER COLUMN number TYPE BIGINT", type(None))
ADD: Sql[None] = Sql("INSERT INTO fact (name, number) VALUES (:name, :number)", type(None))
UP = Sql("UPDATE fact SET number = number + :by WHERE name = :name RETURNING number", int)
NUMBER = Sql("SELECT number FROM fact WHERE name = :name", int)
MIGRATE = (sys.executable, "-m", "firstline.standalone.cli", "migrate", "queue")
DATABASE = "FIRSTLINE_DATABASE_URL"
SLEEP = Sql("SELECT 1 FROM (SELECT pg_sleep(10)) AS slept", int)
COUNT = Sql("SELECT count(*) FROM fact", int)


@asynccontextmanager
async def opened(url: str, **more: object) -> AsyncIterator[PostgresStore]:
    """Open a store with a table of facts and close it."""
    store = PostgresStore(url, system_ports(), **more)  # type: ignore[arg-type]
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def add(store: Store, name: str, number: int = 0) -> None:
    """Add a fact."""
    await store.write(lambda unit: unit.run(ADD, name=name, number=number))


async def heals(store: Store, seconds: float = 30) -> None:
    """Wait until the store takes writes again."""
    async with asyncio.timeout(seconds):
        number = 0
        while True:
            number += 1
            try:
                return await add(store, f"healed-{number}")
            except Unavailable:
                await asyncio.sleep(0.1)


async def test_a_killed_server_is_out_of_reach_and_comes_back(killable_postgres: PostgresServer) -> None:
    """While the server is dead every verb answers that it is out of reach; afterwards the same store works on."""
    url = killable_postgres.create("dying")
    async with opened(url) as store:
        await store.write(lambda unit: unit.run(CREATE))
        await add(store, "before")
        killable_postgres.kill()
        attempts = (
            add(store, "lost"),
            store.read(lambda unit: unit.one(COUNT)),
            store.insert(Insertion(((ADD, {"name": "lost", "number": 1}),))),
        )
        for attempt in attempts:
            with pytest.raises(Unavailable) as refusal:
                await attempt
            assert refusal.value.retry_after is not None
        killable_postgres.start()
        await heals(store)
        assert await store.read(lambda unit: unit.one(NUMBER, name="before")) == 0
        assert await store.read(lambda unit: unit.one(NUMBER, name="lost")) is None
    killable_postgres.drop("dying")


async def test_a_cut_connection_is_replaced(database: str, postgres: PostgresServer) -> None:
    """When the server cuts its connections, units fail once as out of reach, and the next ones get new connections."""
    async with opened(database) as store:
        await store.write(lambda unit: unit.run(CREATE))
        await cut(postgres, database)
        await heals(store, 10)


async def cut(postgres: PostgresServer, database: str) -> None:
    """Let the server end every connection to a database."""
    boss = await asyncpg.connect(postgres.url())
    statement = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1"
    await boss.fetch(statement, database.partition("://")[2].partition(":")[0])
    await boss.close()


@pytest.mark.parametrize("rest", [0.0, 0.3])
async def test_a_unit_that_is_cut_in_the_middle_is_out_of_reach(
    database: str, postgres: PostgresServer, rest: float
) -> None:
    """A connection that ends between two statements, or during one, is out of reach and nobody's mistake."""

    async def between(unit: Unit) -> None:
        await unit.run(ADD, name="half", number=1)
        await cut(postgres, database)
        await asyncio.sleep(rest)
        await unit.run(ADD, name="whole", number=1)

    async with opened(database) as store:
        await store.write(lambda unit: unit.run(CREATE))
        with pytest.raises(Unavailable):
            await store.write(between)
        await heals(store, 10)
        during = asyncio.ensure_future(store.read(lambda unit: unit.one(SLEEP)))
        await asyncio.sleep(0.2)
        await cut(postgres, database)
        with pytest.raises(Unavailable):
            await during
        assert await store.read(lambda unit: unit.one(NUMBER, name="half")) is None


async def test_a_process_that_stopped_within_an_exchange_keeps_no_rows(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever was stopped between preparing a statement and running it is cut off, and its rows are free."""
    monkeypatch.setattr(postgres_store, "REST_SECONDS", 0.5)
    monkeypatch.setattr(stuck, "LOOK_SECONDS", 0.2)
    async with opened(database) as store:
        await store.write(lambda unit: unit.run(CREATE))
        await add(store, "counter")
        stopped = await asyncpg.connect(database)
        await stopped.execute("BEGIN; UPDATE fact SET number = 7")
        prepared = b"again\0SELECT 1\0" + struct.pack("!h", 0)
        stopped._transport.write(_message(b"P", prepared) + _message(b"H", b""))  # parse and flush, and no more
        async with asyncio.timeout(20):
            assert await store.write(lambda unit: unit.one(UP, name="counter", by=1)) == 1
        stopped.terminate()


def _message(kind: bytes, body: bytes) -> bytes:
    """Return a message of the server's protocol."""
    return kind + struct.pack("!i", len(body) + 4) + body


async def test_two_processes_lose_no_update(database: str) -> None:
    """Units of two processes that add to one number at once are each counted."""
    async with opened(database) as one, opened(database) as other:
        await one.write(lambda unit: unit.run(CREATE))
        await add(one, "counter")
        units = [store.write(lambda unit: unit.one(UP, name="counter", by=1)) for store in (one, other) * 50]
        await asyncio.gather(*units)
        assert await one.read(lambda unit: unit.one(NUMBER, name="counter")) == 100


async def test_another_process_hears_of_a_commit(database: str) -> None:
    """What one process announces wakes the listeners of another, and of no other channel."""
    async with opened(database) as one, opened(database) as other:
        await one.write(lambda unit: unit.run(CREATE))
        log, mail = other.listen("log"), other.listen("mail")
        await asyncio.sleep(0.3)
        log.clear()
        mail.clear()

        async def work(unit: Unit) -> None:
            await unit.run(ADD, name="a", number=1)
            unit.announce("log")

        await one.write(work)
        async with asyncio.timeout(5):
            await log.wait()
        assert not mail.is_set()


async def test_notices_survive_the_server(killable_postgres: PostgresServer) -> None:
    """After the server's restart announcements reach other processes again, and what was missed wakes them too."""
    url = killable_postgres.create("noticing")
    async with opened(url) as one, opened(url) as other:
        await one.write(lambda unit: unit.run(CREATE))
        log = other.listen("log")
        await asyncio.sleep(0.3)
        log.clear()
        killable_postgres.kill()
        killable_postgres.start()
        async with asyncio.timeout(15):
            await log.wait()  # the listener looks for itself as soon as it hears again
    killable_postgres.drop("noticing")


async def test_a_change_of_the_schema_is_taken_in(database: str) -> None:
    """A statement prepared before a column changed its type is prepared anew; nobody sees an error."""
    async with opened(database) as store, opened(database) as migrating:
        await store.write(lambda unit: unit.run(CREATE))
        await add(store, "a", 1)
        assert await store.read(lambda unit: unit.one(NUMBER, name="a")) == 1
        await store.write(lambda unit: unit.one(UP, name="a", by=1))
        await migrating.write(lambda unit: unit.run(WIDEN))
        assert await store.write(lambda unit: unit.one(UP, name="a", by=1)) == 3
        assert await store.write(lambda unit: unit.one(UP, name="a", by=2**40)) == 2**40 + 3
        assert await store.read(lambda unit: unit.one(NUMBER, name="a")) == 2**40 + 3


async def test_it_works_through_a_pooler(database: str, pgbouncer: PgBouncer) -> None:
    """Behind a pooler in transaction mode 400 units and insertions at once succeed, more than it has connections."""
    url = pgbouncer.url(database.rpartition("/")[2])
    async with opened(database) as direct:
        await direct.write(lambda unit: unit.run(CREATE))
    async with opened(url, pooler=True, connections=40) as store:
        await add(store, "counter")
        counted = asyncio.gather(*(store.write(lambda unit: unit.one(UP, name="counter", by=1)) for _ in range(200)))
        rows = [Insertion(((ADD, {"name": f"n{i}", "number": i}),), ("log",)) for i in range(200)]
        assert await asyncio.gather(*(store.insert(row) for row in rows)) == [True] * 200
        assert set(await counted) == set(range(1, 201))
        assert await store.read(lambda unit: unit.one(COUNT)) == 201


async def test_notices_go_round_a_pooler(database: str, pgbouncer: PgBouncer) -> None:
    """Behind a pooler one process hears of another's commits where both know the way to the server itself."""
    url = pgbouncer.url(database.rpartition("/")[2])
    async with (
        opened(url, pooler=True, listen_url=database) as one,
        opened(url, pooler=True, listen_url=database) as other,
    ):
        await one.write(lambda unit: unit.run(CREATE))
        log = other.listen("log")
        await asyncio.sleep(0.3)
        log.clear()
        await one.insert(Insertion(((ADD, {"name": "a", "number": 1}),), ("log",)))
        async with asyncio.timeout(5):
            await log.wait()


async def test_migrations_know_how_far_they_are(database: str) -> None:
    """A database without tables, and one of an older release, is not up to date; after migrating it is, twice too."""
    async with opened(database) as store:
        assert not await is_migrated("queue", store)
        both = [
            await asyncio.create_subprocess_exec(*MIGRATE, env={**os.environ, DATABASE: database}) for _ in range(2)
        ]
        assert [await process.wait() for process in both] == [0, 0]
        assert await is_migrated("queue", store)
        older: Sql[None] = Sql("UPDATE alembic_version_queue SET version_num = '0001'", type(None))
        newer: Sql[None] = Sql("UPDATE alembic_version_queue SET version_num = '9999'", type(None))
        await store.write(lambda unit: unit.run(older))
        assert not await is_migrated("queue", store)
        await store.write(lambda unit: unit.run(newer))
        assert await is_migrated("queue", store), "a later release has been here: its tables hold ours"

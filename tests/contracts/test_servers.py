"""The servers that other tests rely on keep what they confirmed, are killed and started at will, and go away."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aio_pika
import asyncpg
import pytest
from aio_pika.abc import AbstractChannel
from aiormq.exceptions import AMQPError
from owned_process import alive
from servers import PgBouncer, PostgresServer, RabbitServer, postgres_server

pytestmark = [pytest.mark.process, pytest.mark.slow]

PATIENCE_SECONDS = 90
QUEUE_LASTS_AFTER = 1.0
"""Seconds after its declaration from which on a quorum queue outlives a kill (see `RabbitServer.kill`)."""


async def sql(url: str, *statements: str) -> object:
    """Run statements, each committed by itself, and return the last one's first value."""
    connection = await asyncpg.connect(url, statement_cache_size=0)
    try:
        for statement in statements[:-1]:
            await connection.execute(statement)
        return await connection.fetchval(statements[-1])
    finally:
        await connection.close()


@asynccontextmanager
async def channel(server: RabbitServer) -> AsyncIterator[AbstractChannel]:
    """Open a channel, whose publications are confirmed, and close its connection afterwards."""
    async with await aio_pika.connect(server.url, timeout=PATIENCE_SECONDS) as connection:
        yield await connection.channel()


async def publish(server: RabbitServer, queue: str, *bodies: bytes) -> None:
    """Publish lasting messages to a lasting queue, and wait for each confirmation."""
    async with channel(server) as open_channel:
        await open_channel.declare_queue(queue, durable=True, arguments={"x-queue-type": "quorum"})
        for body in bodies:
            message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            await open_channel.default_exchange.publish(message, queue, timeout=PATIENCE_SECONDS)


async def take(server: RabbitServer, queue: str) -> bytes:
    """Take one message out of a queue for good."""
    async with channel(server) as open_channel:
        message = await (await open_channel.get_queue(queue)).get(timeout=PATIENCE_SECONDS)
        assert message is not None
        await message.ack()
        return message.body


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds; fail when it doesn't for a while, which the broker's counts of messages may take."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not holds():
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("end", [PostgresServer.kill, PostgresServer.stop])
async def test_postgres_keeps_what_is_committed(
    killable_postgres: PostgresServer, end: Callable[[PostgresServer], None]
) -> None:
    """A committed row is there at the same address after the server was killed or stopped, and started."""
    url = killable_postgres.create("kept")
    await sql(url, "CREATE TABLE thing (name text)", "INSERT INTO thing VALUES ('kept') RETURNING name")
    end(killable_postgres)
    with pytest.raises(ConnectionRefusedError):
        await sql(url, "SELECT 1")
    killable_postgres.start()
    assert await sql(url, "SELECT name FROM thing") == "kept"
    killable_postgres.drop("kept")


async def test_killing_postgres_cuts_a_transaction(killable_postgres: PostgresServer) -> None:
    """What was not committed is gone after a kill, with a connection in the middle of its transaction."""
    url = killable_postgres.create("cut")
    await sql(url, "CREATE TABLE thing (name text)", "SELECT 1")
    connection = await asyncpg.connect(url)
    await connection.execute("BEGIN")
    await connection.execute("INSERT INTO thing VALUES ('lost')")
    killable_postgres.kill()
    with pytest.raises((OSError, asyncpg.PostgresError, asyncpg.InterfaceError)):
        await connection.execute("COMMIT")
    connection.terminate()
    killable_postgres.start()
    assert await sql(url, "SELECT count(*) FROM thing") == 0
    killable_postgres.drop("cut")


async def test_a_fresh_database_belongs_to_its_role(database: str) -> None:
    """A new database is empty, in UTF-8, sorts by code points, and its role, no superuser, may make tables in it."""
    count = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    assert await sql(database, "SHOW server_encoding") == "UTF8"
    assert await sql(database, "SELECT 'a' > 'B'") is True
    assert await sql(database, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
    assert await sql(database, count) == 0
    assert await sql(database, "CREATE TABLE thing (id int)", count) == 1


async def test_drop_removes_a_database_that_is_in_use(postgres: PostgresServer) -> None:
    """A database goes although somebody is connected to it, and its name is free again."""
    connection = await asyncpg.connect(postgres.create("used"))
    postgres.drop("used")
    connection.terminate()
    assert await sql(postgres.create("used"), "SELECT 1") == 1
    postgres.drop("used")


async def test_private_postgres_is_durable(killable_postgres: PostgresServer) -> None:
    """The private server waits for the disk before it says that something is committed."""
    assert await sql(killable_postgres.url(), "SHOW fsync") == "on"
    assert await sql(killable_postgres.url(), "SHOW synchronous_commit") == "on"


async def test_nothing_is_left_of_a_server(tmp_path: Path, killable_postgres: PostgresServer) -> None:
    """A private server's folder and processes are gone after its block, also after an error."""
    with suppress(KeyboardInterrupt), postgres_server(tmp_path) as server:
        folder = Path(str(await sql(server.url(), "SHOW data_directory"))).parent
        process = await sql(server.url(), "SELECT pg_backend_pid()")
        server.kill()
        raise KeyboardInterrupt
    assert not folder.exists()
    assert not alive(int(str(process)))
    assert [path.name for path in tmp_path.iterdir()] == ["postgresql.log"]


@pytest.mark.parametrize("end", [RabbitServer.kill, RabbitServer.stop])
async def test_rabbit_keeps_what_is_confirmed(
    killable_rabbit: RabbitServer, end: Callable[[RabbitServer], None]
) -> None:
    """A confirmed message is in its queue after the server was killed or stopped, and started at the same address."""
    await publish(killable_rabbit, "kept")
    await asyncio.sleep(QUEUE_LASTS_AFTER)
    await publish(killable_rabbit, "kept", b"kept")
    end(killable_rabbit)
    with pytest.raises((OSError, AMQPError)):
        await publish(killable_rabbit, "kept", b"lost")
    killable_rabbit.start()
    assert await take(killable_rabbit, "kept") == b"kept"
    killable_rabbit.delete("kept")


async def test_queues_are_counted_emptied_and_removed(killable_rabbit: RabbitServer) -> None:
    """The list of queues tells how many messages each holds; a queue can be emptied and removed."""
    await publish(killable_rabbit, "some", b"1", b"2", b"3")
    await until(lambda: killable_rabbit.queues().get("some") == 3)
    killable_rabbit.purge("some")
    await until(lambda: killable_rabbit.queues().get("some") == 0)
    killable_rabbit.delete("some")
    await until(lambda: "some" not in killable_rabbit.queues())


async def test_full_disk_blocks_publishers(killable_rabbit: RabbitServer) -> None:
    """Under the alarm of a full disk nothing is confirmed; after it, what was sent is."""
    await publish(killable_rabbit, "full", b"before")
    killable_rabbit.set_disk_alarm(on=True)
    sending = asyncio.create_task(publish(killable_rabbit, "full", b"during"))
    try:
        await asyncio.sleep(1)
        assert not sending.done()
    finally:
        killable_rabbit.set_disk_alarm(on=False)
    await sending
    assert [await take(killable_rabbit, "full") for _ in range(2)] == [b"before", b"during"]
    killable_rabbit.delete("full")


async def test_hanging_rabbit_goes_on(killable_rabbit: RabbitServer) -> None:
    """While the server hangs nothing is confirmed; when it goes on, what was sent is."""
    killable_rabbit.pause()
    sending = asyncio.create_task(publish(killable_rabbit, "hanging", b"sent"))
    try:
        await asyncio.sleep(1)
        assert not sending.done()
    finally:
        killable_rabbit.resume()
    await sending
    killable_rabbit.delete("hanging")


async def test_pooler_forwards_queries(pgbouncer: PgBouncer, postgres: PostgresServer) -> None:
    """A query through the pooler reaches the database that its address names, as the role of that name."""
    postgres.create("pooled")
    url = pgbouncer.url("pooled")
    assert await sql(url, "SELECT current_database() || ' ' || current_user") == "pooled pooled"
    postgres.drop("pooled")


async def test_pooler_shares_connections_between_transactions(pgbouncer: PgBouncer, postgres: PostgresServer) -> None:
    """More clients than the pooler has connections take turns, a transaction each."""
    postgres.create("crowd")
    url = pgbouncer.url("crowd")
    clients = [await asyncpg.connect(url, statement_cache_size=0) for _ in range(30)]
    served = {await client.fetchval("SELECT pg_backend_pid()") for client in clients}
    for client in clients:
        await client.close()
    assert len(served) < len(clients)
    postgres.drop("crowd")

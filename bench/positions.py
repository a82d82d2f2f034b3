"""Gap-free positions for the log on PostgreSQL, at a million rows that have theirs: which tables cost least.

Each way has a database of its own. They take turns: rows are written (many in a commit, then one in a commit by eight
clients), then numbered by one relay in batches of 200. What the relay's rows, indexes and dead rows take is counted
afterwards, and what a snapshot held open (a backup) does to it. Takes 14 GB of disk for a million rows;
FIRSTLINE_BENCH_EVENTS sets another number.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from random import Random

import asyncpg
import uvloop
from asyncpg import Connection
from load import cpu_seconds
from position_schemas import FILLED, WAYS, Way, event, number_batch
from report import Figure, publish
from servers_here import PostgresServer, private_postgres

ROUNDS = 5
GROUPED = 16_000
GROUP = 64
SINGLE = 4_000
CLIENTS = 8
HELD = 20_000
NEW = ROUNDS * (GROUPED + 2 * SINGLE)
"""How many rows all rounds together number."""

Measured = dict[str, list[float]]
numbers = count()


async def prepare(cluster: PostgresServer) -> None:
    """Make the databases: one filled for each set of tables, the others as copies."""
    server = await asyncpg.connect(cluster.url())
    made: dict[int, str] = {}
    for way in WAYS:
        template = made.get(id(way.tables))
        await server.execute(f"CREATE DATABASE {way.name} TEMPLATE {template or 'template1'} STRATEGY file_copy")
        if template is None:
            made[id(way.tables)] = way.name
            await fill(cluster.url(way.name), way)
    await server.execute("CHECKPOINT")
    await server.close()


async def fill(url: str, way: Way) -> None:
    """Make and fill a way's tables."""
    connection = await asyncpg.connect(url)
    for statement in way.tables:
        await connection.execute(statement)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


async def timed(work: Callable[[], Awaitable[object]], connection: Connection) -> tuple[float, int]:
    """Do the work; return its seconds and the bytes of WAL it wrote."""
    before = await connection.fetchval("SELECT pg_current_wal_insert_lsn()")
    began = time.perf_counter()
    await work()
    took = time.perf_counter() - began
    return took, int(await connection.fetchval("SELECT pg_current_wal_insert_lsn() - $1::pg_lsn", before))


async def write_grouped(connections: list[Connection], way: Way, total: int) -> None:
    """Append events, a group of them in each commit, on one connection."""
    now = datetime.now(UTC)
    for _ in range(total // GROUP):
        await connections[0].executemany(way.append, [event(next(numbers), now) for _ in range(GROUP)])


async def write_single(connections: list[Connection], way: Way, total: int) -> None:
    """Append events, one in each commit, by several clients."""
    now = datetime.now(UTC)
    left = iter(range(total))

    async def client(connection: Connection) -> None:
        for _ in left:
            await connection.execute(way.append, *event(next(numbers), now))

    await asyncio.gather(*(client(connection) for connection in connections))


async def number_all(connection: Connection, way: Way) -> list[float]:
    """Number until nothing is left; return the seconds of each batch."""
    took, size = [], 1
    while size:
        began = time.perf_counter()
        size = await number_batch(connection, way)
        took.append(time.perf_counter() - began)
    return took


async def one_round(way: Way, connections: list[Connection], measured: Measured) -> None:
    """Write and number once."""
    steps: list[tuple[str, int, Callable[[], Awaitable[object]]]] = [
        ("write, grouped", GROUPED, lambda: write_grouped(connections, way, GROUPED)),
        ("write, single", SINGLE, lambda: write_single(connections, way, SINGLE)),
        ("number", GROUPED + SINGLE, lambda: number_all(connections[0], way)),
        ("both at once", SINGLE, lambda: at_once(way, connections)),
    ]
    for name, events, work in steps:
        used = server_cpu(connections)
        took, wal = await timed(work, connections[0])
        measured[name].append(events / took)
        measured[f"{name}: server CPU"].append((server_cpu(connections) - used) / events * 1e6)
        measured[f"{name}: WAL"].append(wal / events)


def server_cpu(connections: list[Connection]) -> float:
    """Return the CPU seconds that the server's processes behind the connections have used."""
    return sum(cpu_seconds(connection.get_server_pid()) for connection in connections)


async def at_once(way: Way, connections: list[Connection]) -> None:
    """Append one by one while the relay numbers, until all are numbered."""
    writing = asyncio.create_task(write_single(connections[1:], way, SINGLE))
    while not writing.done():
        if not await number_batch(connections[0], way):
            await asyncio.sleep(0.005)
    await writing
    await number_all(connections[0], way)


async def read_pages(way: Way, connection: Connection, measured: Measured) -> None:
    """Read pages of 500 at random places, old and new."""
    pick = Random(len(measured["page, new"]))
    for name, low, high in (("page, old", 0, FILLED - 500), ("page, new", FILLED, FILLED + NEW - 500)):
        for _ in range(30):
            began = time.perf_counter()
            await connection.fetch(way.page, pick.randrange(low, high))
            measured[name].append((time.perf_counter() - began) * 1000)


async def sizes(connection: Connection) -> tuple[float, float]:
    """Return megabytes of tables and indexes, and dead rows."""
    await asyncio.sleep(1)  # statistics are sent when a backend has been idle for a second
    row = await connection.fetchrow(
        "SELECT sum(pg_total_relation_size(relid)) / 1e6, sum(n_dead_tup) FROM pg_stat_user_tables"
    )
    return float(row[0]), float(row[1])


async def held_snapshot(way: Way, connection: Connection, holder: Connection, measured: Measured) -> None:
    """Number rows while another transaction holds a snapshot; compare the last batches with the first."""
    await write_grouped([connection], way, HELD)
    async with holder.transaction(isolation="repeatable_read"):
        await holder.fetchval("SELECT count(*) FROM log_relay")
        took = await number_all(connection, way)
    measured["held, first batches"] += [second * 1000 for second in took[:10]]
    measured["held, last batches"] += [second * 1000 for second in took[-11:-1]]


async def after(way: Way, connections: list[Connection], measured: Measured, before: float) -> None:
    """Measure what is left behind: size, dead rows, a vacuum."""
    connection = connections[0]
    size, dead = await sizes(connection)
    measured["grown by"].append(size - before)
    measured["dead rows"].append(dead)
    await held_snapshot(way, connection, connections[1], measured)
    took, wal = await timed(lambda: connection.execute("VACUUM"), connection)
    measured["vacuum"].append(took)
    measured["vacuum's WAL"].append(wal / 1e6)


STEPS = ("write, grouped", "write, single", "number", "both at once")
UNITS = {
    **dict.fromkeys(STEPS, "events/s"),
    **{f"{name}: server CPU": "us an event" for name in STEPS},
    **{f"{name}: WAL": "bytes an event" for name in STEPS},
    "page, old": "ms",
    "page, new": "ms",
    "grown by": "MB",
    "dead rows": "rows",
    "held, first batches": "ms",
    "held, last batches": "ms",
    "vacuum": "s",
    "vacuum's WAL": "MB",
}


async def measure(server: PostgresServer) -> None:
    """Measure all ways in turn and report."""
    await prepare(server)
    pools = {way.name: [await asyncpg.connect(server.url(way.name)) for _ in range(CLIENTS)] for way in WAYS}
    before = {way.name: (await sizes(pools[way.name][0]))[0] for way in WAYS}
    measured: dict[str, Measured] = {way.name: {name: [] for name in UNITS} for way in WAYS}
    for number in range(ROUNDS):
        for way in WAYS[number % len(WAYS) :] + WAYS[: number % len(WAYS)]:
            await one_round(way, pools[way.name], measured[way.name])
    for _ in range(ROUNDS):
        for way in WAYS:
            await read_pages(way, pools[way.name][0], measured[way.name])
    for way in WAYS:
        await after(way, pools[way.name], measured[way.name], before[way.name])
    for connection in (connection for pool in pools.values() for connection in pool):
        await connection.close()
    publish("positions", [figure for name in UNITS for figure in figures(name, measured)])


def figures(name: str, measured: dict[str, Measured]) -> list[Figure]:
    """Return a figure for each way, against the first."""
    medians = {way.name: statistics.median(measured[way.name][name]) for way in WAYS}
    first = medians[WAYS[0].name]
    return [
        Figure(f"{name}: {way}", value, UNITS[name], None, value / first if first else None)
        for way, value in medians.items()
    ]


def main() -> None:
    """Measure on a server of its own."""
    folder = os.environ.get("BENCH_DIR")
    with tempfile.TemporaryDirectory(dir=folder) as own, private_postgres(Path(own)) as server:
        uvloop.run(measure(server))


if __name__ == "__main__":
    main()

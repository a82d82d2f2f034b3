"""What a durable request costs at intake as a service of its own, beside the least that could keep it.

Intake runs alone, on PostgreSQL and RabbitMQ, as `firstline serve intake` starts it: tokens are verified, retries are
recognised, the policy judges, every answer is logged, and its relay publishes meanwhile. The yardstick is an
application that keeps the same ten fields and an event by one statement. They take turns; figures are medians of five.
Last comes what it gains, at the store itself, that submissions at one time share a commit.
"""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from statistics import median
from typing import Any

import asyncpg
import uvloop
from firstline.common.answers import STORE
from firstline.common.log import APPEND
from firstline.common.ports import system_ports
from firstline.common.store import grouping
from firstline.common.store.port import Insertion, Unit, Value
from firstline.common.store.postgres import PostgresStore
from load import Load, cpu_seconds, drive, post
from report import Figure, publish
from servers_here import Place, place, server_cpu
from standalone_intake import BODY
from yardsticks import make_tables, served

CONNECTIONS = 32
REQUESTS, ALONE, ROWS, WARM = 3000, 400, 5000, 300
ROUNDS = 5
RATE_MUST, P50_MOST, P99_MOST = 0.2, 8.0, 16.0
PROCESSES = ("service", "postgres", "rabbit")

Measured = defaultdict[str, list[float]]
numbers = count()


class Side:
    """One of the two that take turns, and what was measured of it."""

    def __init__(self, server: tuple[int, int], request: Callable[[], bytes]) -> None:
        self._pid, self._port = server
        self._request = request
        self.measured: Measured = defaultdict(list)

    def load(self, requests: int, connections: int) -> Load:
        """Send requests, none of which may be refused."""
        load = uvloop.run(drive(self._port, lambda _: self._request(), requests, connections))
        assert not load.failed, f"{load.failed} of {requests} requests were refused"
        return load

    def crowd(self, rest: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Measure the rate with many connections, and the CPU until what is left over has been done by `rest`."""
        before = self._cpu()
        load = self.load(REQUESTS, CONNECTIONS)
        began = time.perf_counter()
        asyncio.run(rest())
        after = self._cpu()
        found = {"rate": load.rate, "crowd p99": load.p99, "rest": time.perf_counter() - began}
        found |= {name: (after[name] - before[name]) / REQUESTS * 1000 for name in PROCESSES}
        self._note(found)

    def alone(self) -> None:
        """Measure what one caller waits."""
        load = self.load(ALONE, 1)
        self._note({"p50": load.p50, "p99": load.p99})

    def _cpu(self) -> dict[str, float]:
        return {name: server_cpu(name) for name in PROCESSES[1:]} | {"service": cpu_seconds(self._pid)}

    def _note(self, found: dict[str, float]) -> None:
        for name, value in found.items():
            self.measured[name].append(value)

    def __getitem__(self, name: str) -> float:
        return median(self.measured[name])


def measure(here: Place) -> None:
    """Measure all and report."""
    database, plain = here.migrated("intake", "intake"), here.postgres.create("yardstick")
    asyncio.run(make_tables(plain))
    replica = here.serve("intake", database)
    assert replica.process is not None
    token, body = here.token("client", "bench"), json.dumps(BODY).encode()

    def keyed() -> bytes:
        return post("/v1/tickets", body, Authorization=f"Bearer {token}", Idempotency_Key=f"bench-{next(numbers)}")

    with served(plain) as server:
        yardstick = Side(server, lambda: post("/requests", body))
        intake = Side((replica.process.pid, replica.port), keyed)
        take_turns(yardstick, intake, database)
    shared = asyncio.run(value(database, SHARED.format(skip=WARM)))
    replica.stop()
    found = figures(yardstick, intake, shared)
    publish("distributed_intake", [*found, *uvloop.run(store_figures(here.migrated("store", "intake")))])


def take_turns(yardstick: Side, intake: Side, database: str) -> None:
    """Load both in turn, by many callers and then by one."""

    async def nothing() -> None:
        return

    async def published() -> None:
        while await value(database, "SELECT count(*) FROM log_event WHERE position IS NULL"):
            await asyncio.sleep(0.02)

    for side in (yardstick, intake):
        side.load(WARM, CONNECTIONS)
    asyncio.run(published())
    for _ in range(ROUNDS):
        yardstick.crowd(nothing)
        intake.crowd(published)
    for _ in range(ROUNDS):
        yardstick.alone()
        intake.alone()


SHARED = (
    "SELECT count(*)::float / count(DISTINCT xmin::text)"
    f" FROM (SELECT xmin FROM ticket ORDER BY id OFFSET {{skip}} LIMIT {REQUESTS * ROUNDS}) AS taken"
)
"""How many submissions went into one commit; the rows still say by which transaction they came."""


async def value(database: str, sql: str) -> float:
    """Return the one value that a query gives."""
    connection = await asyncpg.connect(database)
    found = await connection.fetchval(sql)
    await connection.close()
    return float(found)


def figures(yardstick: Side, intake: Side, shared: float) -> list[Figure]:
    """Return the figures over HTTP."""
    crowd = f"c={CONNECTIONS}"
    found = [
        Figure("yardstick", yardstick["rate"], "requests/s", note=f"one statement, FastAPI and asyncpg, {crowd}"),
        Figure("intake", intake["rate"], "requests/s", RATE_MUST, intake["rate"] / yardstick["rate"], "aim 0.8"),
        Figure("yardstick p99", yardstick["crowd p99"], "ms", note=crowd),
        Figure("intake p99", intake["crowd p99"], "ms", note=crowd),
        Figure("intake, publishing left", intake["rest"], "s", note="after the last answer"),
        Figure("submissions a commit", shared, "requests", note=crowd),
    ]
    for name in PROCESSES:
        found.append(Figure(f"yardstick, CPU of {name}", yardstick[name], "ms", note="a request"))
        found.append(Figure(f"intake, CPU of {name}", intake[name], "ms", note="a request, publishing included"))
    for name, most in (("p50", P50_MOST), ("p99", P99_MOST)):
        ratio = intake[name] / yardstick[name]
        found.append(Figure(f"yardstick alone, {name}", yardstick[name], "ms", note="c=1"))
        found.append(Figure(f"intake alone, {name}", intake[name], "ms", most, ratio, "c=1; floor: at most"))
    return found


def insertion() -> Insertion:
    """Return the rows of an answer and of an event, as a submission has them among others."""
    number, now, text = next(numbers), datetime.now(UTC), "0123456789abcdef" * 64
    stream = f"ticket/{number}"
    answer: dict[str, Value] = {
        "scope": "bench",
        "key": stream,
        "digest": "d" * 64,
        "status": 201,
        "body": text,
        "etag": None,
    }
    event: dict[str, Value] = {
        "id": f"{number:036}",
        "stream": stream,
        "version": 1,
        "type": "ticket.submitted",
        "time": now,
    }
    more: dict[str, Value] = {
        "subject": stream,
        "data": text,
        "salt": "5" * 32,
        "data_hash": "d" * 64,
        "traceparent": None,
    }
    return Insertion(((STORE, {**answer, "stored_at": now}), (APPEND, {**event, **more})))


async def store_figures(database: str) -> list[Figure]:
    """Measure the store alone: commits that are shared, commits of one each, and transactions of one each."""
    store = PostgresStore(database, system_ports())
    await store.open()

    async def transaction() -> None:
        rows = insertion().rows

        async def work(unit: Unit) -> None:
            for sql, given in rows:
                await unit.run(sql, **given)

        await store.write(work)

    async def inserted() -> None:
        assert await store.insert(insertion())

    rates: Measured = defaultdict(list)
    for _ in range(ROUNDS):
        rates["a transaction each"].append(await rate_of(transaction))
        with groups_of(1, at_once=10):
            rates["a commit each"].append(await rate_of(inserted))
        rates["shared commits"].append(await rate_of(inserted))
    await store.close()
    first = median(rates["a transaction each"])
    unit, note = "submissions/s", f"store alone, two rows each, c={CONNECTIONS}; of a transaction each"
    return [Figure(name, median(found), unit, None, median(found) / first, note) for name, found in rates.items()]


@contextmanager
def groups_of(limit: int, at_once: int) -> Iterator[None]:
    """Let the store put so many insertions into a commit, and run so many commits at once."""
    usual = grouping.GROUP_LIMIT, grouping.GROUPS_AT_ONCE
    grouping.GROUP_LIMIT, grouping.GROUPS_AT_ONCE = limit, at_once
    yield
    grouping.GROUP_LIMIT, grouping.GROUPS_AT_ONCE = usual


async def rate_of(work: Callable[[], Awaitable[Any]]) -> float:
    """Return how often a second many callers get a piece of work done."""
    left = iter(range(ROWS))

    async def caller() -> None:
        for _ in left:
            await work()

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(CONNECTIONS)))
    return ROWS / (time.perf_counter() - began)


if __name__ == "__main__":
    with place() as here:
        measure(here)

"""What a claim over HTTP costs, and that it costs no more when a million entries wait.

Two processes of `firstline serve queue` have a database each, one with a thousand waiting entries, one with a million.
The yardstick is the statement that takes the next entry, run alone by as many callers on the larger database. The three
take turns; before each turn as many entries arrive as will be claimed, so that the numbers stay.
"""

import asyncio
import os
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from statistics import median

import asyncpg
import uvloop
from asyncpg import Connection
from firstline.common.store.port import Value
from firstline.common.store.postgres import prepare
from firstline.queue.store import TAKE
from load import cpu_seconds, drive, post
from report import Figure, publish
from servers_here import Place, Replica, free_port, place, server_cpu

FEW, MANY = 1_000, int(os.environ.get("FIRSTLINE_BENCH_ENTRIES", "1000000"))
CONNECTIONS = 32
CLAIMS = 1_000
ROUNDS = 5
SIZE_MUST, STATEMENT_MUST = 0.3, 0.125
ARRIVE = """
INSERT INTO queue_entry (ticket_id, number, subject, organization_id, status, urgency, urgency_provisional, topic, tier,
    out_of_turn, turn, free_turn, since, position, owner, agent, fence, lease_expires_at)
SELECT '01900000-0000-7000-8000-' || lpad(to_hex(i), 12, '0'), 'FL-' || lpad(i::text, 8, '0'), 'White page',
    NULL, 'new', 'normal', false, 'updates', 'helpdesk', false, 1, 1,
    timestamptz '2026-11-01 00:00:00Z' + i * interval '1 second', i, NULL, NULL, 0, NULL
FROM generate_series($1::bigint, $2::bigint) AS i
"""
CLAIMED = "SELECT count(*) FROM queue_entry WHERE agent IS NOT NULL"
TAKE_NEXT = prepare(TAKE[False, False, False])

Measured = defaultdict[str, list[float]]


class Queue:
    """A database of entries: some wait, more arrive, and each claim takes one."""

    def __init__(self, database: str) -> None:
        self.database = database
        self._arrived = 0

    async def fill(self, waiting: int) -> None:
        """Let so many entries wait, and as many as a turn claims."""
        connection = await asyncpg.connect(self.database)
        await self._arrive(connection, waiting)
        await connection.execute("VACUUM ANALYZE queue_entry")
        await connection.close()

    async def _arrive(self, connection: Connection, entries: int) -> None:
        await connection.execute(ARRIVE, self._arrived + 1, self._arrived + entries, timeout=300)
        self._arrived += entries

    async def replenish(self) -> int:
        """Let as many entries arrive as will be claimed; return how many have been claimed so far."""
        connection = await asyncpg.connect(self.database)
        await self._arrive(connection, CLAIMS)
        claimed = await connection.fetchval(CLAIMED)
        await connection.close()
        return int(claimed)

    async def count(self, sql: str) -> int:
        """Return the number that a query counts."""
        connection = await asyncpg.connect(self.database)
        found = await connection.fetchval(sql)
        await connection.close()
        return int(found)


async def over_http(replica: Replica, request: bytes) -> tuple[float, float, float]:
    """Claim over HTTP; return the rate, and the milliseconds of the median and of the slowest hundredth."""
    load = await drive(replica.port, lambda _: request, CLAIMS, CONNECTIONS)
    assert not load.failed, f"{load.failed} of {CLAIMS} claims were refused"
    return load.rate, load.p50, load.p99


async def bare(queue: Queue) -> float:
    """Claim by the statement alone; return the rate."""
    left = iter(range(CLAIMS))
    given: dict[str, Value] = {"agent": "bench", "until": datetime.now(UTC) + timedelta(minutes=30)}
    async with asyncpg.create_pool(queue.database, min_size=CONNECTIONS, max_size=CONNECTIONS) as pool:

        async def caller() -> None:
            async with pool.acquire() as connection:
                for _ in left:
                    assert await connection.fetchrow(TAKE_NEXT.text, *TAKE_NEXT.arguments(given))

        began = time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(CONNECTIONS)))
        return CLAIMS / (time.perf_counter() - began)


def measure(here: Place) -> None:
    """Let the three take turns and report."""
    few, many = (Queue(here.migrated(name, "queue")) for name in ("few", "many"))
    asyncio.run(few.fill(FEW - CLAIMS // 2))
    asyncio.run(many.fill(MANY - CLAIMS // 2))
    desks = {
        "few": (few, here.serve("queue", few.database)),
        "many": (many, here.serve("queue", many.database, free_port())),
    }
    request = post("/v1/queue/claims", b"{}", Authorization=f"Bearer {here.token('agent', 'bench')}")
    measured: Measured = defaultdict(list)
    for number in range(-1, ROUNDS):
        found: Measured = measured if number >= 0 else defaultdict(list)  # the first turn warms up
        for name, (queue, replica) in desks.items():
            one_turn(name, queue, replica, request, found)
        before = asyncio.run(many.replenish())
        found["statement"].append(uvloop.run(bare(many)))
        assert asyncio.run(many.count(CLAIMED)) == before + CLAIMS
    publish("claims", figures({name: median(values) for name, values in measured.items()}))


def one_turn(name: str, queue: Queue, replica: Replica, request: bytes, measured: Measured) -> None:
    """Measure claims over HTTP at one process, each of which must take an entry."""
    assert replica.process is not None
    before = asyncio.run(queue.replenish())
    used, stored = cpu_seconds(replica.process.pid), server_cpu("postgres")
    rate, p50, p99 = uvloop.run(over_http(replica, request))
    measured[f"{name}, CPU of service"].append((cpu_seconds(replica.process.pid) - used) / CLAIMS * 1000)
    measured[f"{name}, CPU of postgres"].append((server_cpu("postgres") - stored) / CLAIMS * 1000)
    for figure, value in (("rate", rate), ("p50", p50), ("p99", p99)):
        measured[f"{name}, {figure}"].append(value)
    taken = asyncio.run(queue.count(CLAIMED)) - before
    assert taken == CLAIMS, f"{CLAIMS} claims took {taken} entries"


def figures(found: dict[str, float]) -> list[Figure]:
    """Return the rates with what they are measured against, latencies and CPU."""
    few, many, statement = found["few, rate"], found["many, rate"], found["statement"]
    size = {"few": f"{FEW:,} waiting", "many": f"{MANY:,} waiting"}
    unit, how = "claims/s", f"over HTTP, c={CONNECTIONS}"
    result = [
        Figure("statement", statement, unit, note=f"alone, c={CONNECTIONS}, {size['many']}"),
        Figure("claims, few", few, unit, None, few / statement, f"{how}, {size['few']}; of the statement"),
        Figure("claims, many", many, unit, SIZE_MUST, many / few, f"{how}, {size['many']}; of few; aim 0.9"),
        Figure("claims, many", many, unit, STATEMENT_MUST, many / statement, f"{how}; of the statement; aim 0.45"),
    ]
    parts = {"p50": how, "p99": how, "CPU of service": "a claim", "CPU of postgres": "a claim"}
    names = [f"{name}, {part}" for name in size for part in parts]
    return result + [
        Figure(f"claims, {name}", found[name], "ms", note=parts[name.partition(", ")[2]]) for name in names
    ]


if __name__ == "__main__":
    with place() as here:
        measure(here)

"""How long an event takes from its commit at intake to queue's store, and how fast queue works off what has piled up.

Requests come in over HTTP, fifty a second at random moments. Both databases lie in one cluster, which notes the instant
of each commit: an event's is that of its request, its arrival that of the entry. Then queue is stopped while requests
come in, and started again. The yardstick is a relay and a consumer that do nothing with what they carry; they work off
what waits for the relay, which is more than queue has to do.
"""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from random import Random
from statistics import median
from typing import Any

import asyncpg
import uvloop
from asyncpg import Connection
from load import cpu_seconds, drive, post
from report import Figure, publish
from servers_here import Place, Replica, place, server_cpu
from standalone_intake import BODY, Ten
from yardsticks import KEEP, kept, make_tables, running_pipeline

A_SECOND, SECONDS = 50, 5
PILE = 2_000
CONNECTIONS = 32
ROUNDS = 5
P95_MOST, DRAIN_MUST = 50.0, 0.2
COMMITS = "SELECT {id} AS id, pg_xact_commit_timestamp(xmin) AS at FROM {table}"
PATIENCE_SECONDS = 120

Measured = defaultdict[str, list[float]]
Commits = dict[str, datetime]
Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]
numbers = count()


@dataclass(frozen=True, slots=True)
class Pair:
    """Rows of a producer and of a consumer that belong together by their IDs; neither is changed after its commit."""

    producer: Connection
    begun: str
    consumer: Connection
    ended: str
    id_ended: str

    async def commits(self) -> tuple[Commits, Commits]:
        """Return when each row was committed here and there."""
        begun = await self.producer.fetch(COMMITS.format(id="id", table=self.begun))
        ended = await self.consumer.fetch(COMMITS.format(id=self.id_ended, table=self.ended))
        return {row["id"]: row["at"] for row in begun}, {row["id"]: row["at"] for row in ended}

    async def settled(self, number: int | None = None) -> None:
        """Wait until every row has arrived, or so many."""
        give_up = time.monotonic() + PATIENCE_SECONDS
        number = number or await self.producer.fetchval(f"SELECT count(*) FROM {self.begun}")
        while await self.consumer.fetchval(f"SELECT count(*) FROM {self.ended}") < number:
            assert time.monotonic() < give_up, "events are missing"
            await asyncio.sleep(0.02)

    async def delays(self, known: Commits) -> list[float]:
        """Return the milliseconds from commit to commit of what isn't known, in order."""
        begun, ended = await self.commits()
        return sorted((ended[one] - begun[one]).total_seconds() * 1000 for one in ended if one not in known)


async def at_random(send: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Send at random moments, so many a second on average, whether or not earlier ones have been answered."""
    chance, sending = Random(next(numbers)), []
    due = time.perf_counter()
    for _ in range(A_SECOND * SECONDS):
        due += chance.expovariate(A_SECOND)
        await asyncio.sleep(due - time.perf_counter())
        sending.append(asyncio.create_task(send()))
    await asyncio.gather(*sending)


class Yardstick:
    """The pipeline that does the least."""

    def __init__(self, pair: Pair, database: str, broker: str) -> None:
        self._pair, self._database, self._broker = pair, database, broker
        self._body = Ten.model_validate(BODY)

    async def latency(self) -> list[float]:
        """Return the delays of events that come one by one."""
        known = (await self._pair.commits())[1]
        async with (
            running_pipeline(self._database, self._broker) as pipeline,
            asyncpg.create_pool(self._database, min_size=10, max_size=10) as pool,
        ):

            async def send() -> None:
                await pool.execute(KEEP, *kept(f"event-{next(numbers)}", self._body))
                pipeline.woken.set()

            await at_random(send)
            await self._pair.settled()
        return await self._pair.delays(known)

    async def drain(self) -> float:
        """Return how many events a second arrive of those that wait for the relay, by its first and last commit."""
        rows = [kept(f"event-{next(numbers)}", self._body) for _ in range(PILE)]
        await self._pair.producer.executemany(KEEP, rows)
        known = (await self._pair.commits())[1]
        async with running_pipeline(self._database, self._broker):
            await self._pair.settled()
        return await drain_rate(self._pair, known)


async def drain_rate(pair: Pair, known: Commits) -> float:
    """Return how many entries a second were committed, from the first commit to the last."""
    at = sorted(at for one, at in (await pair.commits())[1].items() if one not in known)
    after_first = sum(1 for instant in at if instant > at[0])
    return after_first / (at[-1] - at[0]).total_seconds()


class Desk:
    """Intake and queue."""

    def __init__(self, pair: Pair, intake: Replica, queue: Replica, token: str) -> None:
        self._pair, self._intake, self._queue = pair, intake, queue
        self._token = token
        self._body = json.dumps(BODY).encode()

    async def latency(self) -> list[float]:
        """Return the delays of events that come one by one."""
        known = (await self._pair.commits())[1]
        lines: asyncio.Queue[Line] = asyncio.Queue()
        for _ in range(CONNECTIONS):
            lines.put_nowait(await asyncio.open_connection("127.0.0.1", self._intake.port))

        async def send() -> None:
            reader, writer = await lines.get()
            writer.write(self._request(0))
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 201"), head
            await reader.readexactly(int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]))
            lines.put_nowait((reader, writer))

        await at_random(send)
        while not lines.empty():
            lines.get_nowait()[1].close()
        await self._pair.settled()
        return await self._pair.delays(known)

    async def drain(self) -> tuple[float, dict[str, float]]:
        """Return how many entries a second queue makes of what has piled up, and what it takes altogether."""
        self._queue.stop()
        load = await drive(self._intake.port, self._request, PILE, CONNECTIONS)
        assert not load.failed, f"{load.failed} of {PILE} requests were refused"
        while await self._pair.producer.fetchval("SELECT count(*) FROM log_event WHERE position IS NULL"):
            await asyncio.sleep(0.05)
        known = (await self._pair.commits())[1]
        began = time.perf_counter()
        self._queue.start()
        await self._pair.settled(len(known) + 1)
        before = self._cpu()
        await self._pair.settled()
        took = time.perf_counter() - began
        cpu = {name: (used - before[name]) / PILE * 1000 for name, used in self._cpu().items()}
        return await drain_rate(self._pair, known), {"start": took, **cpu}

    def _cpu(self) -> dict[str, float]:
        assert self._queue.process is not None
        return {"service": cpu_seconds(self._queue.process.pid), "postgres": server_cpu("postgres")}

    def _request(self, _number: int = 0) -> bytes:
        key = f"bench-{next(numbers)}"
        return post("/v1/tickets", self._body, Authorization=f"Bearer {self._token}", Idempotency_Key=key)


def share(delays: list[float], part: float) -> float:
    """Return the delay that this part of all doesn't exceed."""
    return delays[int((len(delays) - 1) * part)]


async def measure(here: Place) -> None:
    """Let both take turns and report."""
    plain = here.postgres.create("yardstick")
    await make_tables(plain)
    # queue reads in the log of accounts too, and would look for it all the time
    _, intake, queue = [here.serve(role, here.migrated(role, role)) for role in ("accounts", "intake", "queue")]
    token = here.token("client", "bench")
    # not each service's own role may ask for the instants of commits
    connections = [await asyncpg.connect(here.postgres.url(name)) for name in ("yardstick", "intake", "queue")]
    yardstick = Yardstick(Pair(connections[0], "request", connections[0], "entry", "id"), plain, here.rabbit.url)
    desk = Desk(Pair(connections[1], "ticket", connections[2], "queue_entry", "ticket_id"), intake, queue, token)
    measured: Measured = defaultdict(list)
    for _ in range(ROUNDS):
        for side, delays in (("yardstick", await yardstick.latency()), ("desk", await desk.latency())):
            for part in (0.5, 0.95):
                measured[f"{side}, p{part * 100:.0f}"].append(share(delays, part))
    for _ in range(ROUNDS):
        measured["yardstick, rate"].append(await yardstick.drain())
        rate, more = await desk.drain()
        for name, value in {"rate": rate, **more}.items():
            measured[f"desk, {name}"].append(value)
    for connection in connections:
        await connection.close()
    publish("events", figures({name: median(values) for name, values in measured.items()}))


def figures(found: dict[str, float]) -> list[Figure]:
    """Return the delays and the rates with what they are measured against."""
    least, rate = found["yardstick, rate"], found["desk, rate"]
    often = f"commit to commit, {A_SECOND}/s at random moments"
    return [
        Figure("yardstick, p50", found["yardstick, p50"], "ms", note=often),
        Figure("yardstick, p95", found["yardstick, p95"], "ms", note=often),
        Figure("intake to queue, p50", found["desk, p50"], "ms", note=often),
        Figure("intake to queue, p95", found["desk, p95"], "ms", P95_MOST, None, f"floor: ms, at most; aim 8; {often}"),
        Figure("yardstick, drain", least, "events/s", note=f"relay, broker and consumer, {PILE:,} events"),
        Figure("queue, drain", rate, "events/s", DRAIN_MUST, rate / least, f"{PILE:,} events at the broker; aim 0.8"),
        Figure("queue, drain and start", found["desk, start"], "s", note="from the start of the process"),
        Figure("queue, CPU of service", found["desk, service"], "ms", note="an event"),
        Figure("queue, CPU of postgres", found["desk, postgres"], "ms", note="an event, all services"),
    ]


if __name__ == "__main__":
    with place(track_commit_timestamp="on") as here:
        uvloop.run(measure(here))

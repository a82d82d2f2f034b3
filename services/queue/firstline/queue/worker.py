"""Timed work of queue: leases that run out, and the figures for the metrics page."""

from datetime import datetime

from prometheus_client import CollectorRegistry, Gauge

from firstline.common.store.port import Unit
from firstline.common.worker import Worker
from firstline.queue.service.desk import Queue
from firstline.queue.service.keeping import expire
from firstline.queue.service.places import summary
from firstline.queue.store import LEASES, NEXT_EXPIRY

PORTION = 100
EXPIRY_POLL_SECONDS = 5.0
"""The safety net: claims come back within their lease and these seconds, even if nobody woke the worker."""

FIGURES_POLL_SECONDS = 15.0
FIGURES_COUNT = 10_000
"""The gauge of waiting entries counts up to this many (some milliseconds along an index) and stays there beyond."""


def expiry(queue: Queue) -> Worker:
    """Return the worker that gives back claims whose leases are over, at the instant when each is.

    Every replica does it, without a lease of its own: expired rows are taken with SKIP LOCKED, each by one of them (ADR
    8).
    """
    runtime = queue.runtime

    async def step() -> int:
        now = runtime.ports.clock.now()
        return await runtime.store.write(lambda unit: expire(unit, runtime.log, now, PORTION))

    async def next_due() -> datetime | None:
        return await runtime.store.read(lambda unit: unit.one(NEXT_EXPIRY))

    wake = runtime.store.listen(LEASES)
    name = "queue: leases"
    return Worker(name, step, runtime.ports, wake=wake, next_due=next_due, poll_seconds=EXPIRY_POLL_SECONDS)


def figures(queue: Queue, waiting: Gauge, oldest: Gauge) -> Worker:
    """Return the worker that sets the gauges."""
    runtime = queue.runtime

    async def step() -> int:
        now = runtime.ports.clock.now()

        async def work(unit: Unit) -> None:
            found = await summary(unit, most=FIGURES_COUNT)
            since = found.oldest_since
            waiting.set(found.waiting)
            oldest.set((now - since).total_seconds() if since else 0)

        await runtime.store.read(work)
        return 0  # nothing is ever left over: rest until the next poll

    return Worker("queue: figures", step, runtime.ports, poll_seconds=FIGURES_POLL_SECONDS)


def gauges(registry: CollectorRegistry) -> tuple[Gauge, Gauge]:
    """Return the gauges of waiting entries and of the longest waiting time, known to the metrics page."""
    return (
        Gauge("firstline_queue_waiting", "Entries that nobody holds, up to 10,000.", registry=registry),
        Gauge("firstline_queue_oldest_seconds", "How long the oldest of them has waited.", registry=registry),
    )

"""Work of sla beside the requests: warnings and breaches at their instants; filling what earlier releases left out."""

from datetime import datetime

import httpx

from firstline.common.errors import Unavailable
from firstline.common.store.port import Unit
from firstline.common.worker import Worker
from firstline.sla.service.clocks import DUE_CHANNEL, Sla
from firstline.sla.service.due import fire_due
from firstline.sla.service.recompute import RECOMPUTE_CHANNEL, forget, go_on
from firstline.sla.service.refill import refill
from firstline.sla.service.simulations import CHANNEL, Recounting
from firstline.sla.store import REFILLS
from firstline.sla.store.clocks import NEXT_DUE

CLOCKS_A_STEP = 500
POLL_SECONDS = 5.0
REFILL_POLL_SECONDS = 30.0
RECOMPUTE_POLL_SECONDS = 300.0
"""Whoever asks for a recompute wakes its worker; this is for the one that a killed process has left behind."""
SIMULATION_POLL_SECONDS = 5.0


def milestones(sla: Sla) -> Worker:
    """Return the worker that publishes warnings and breaches when they are due."""
    runtime = sla.runtime

    async def step() -> int:
        now = runtime.ports.clock.now()
        # The limit keeps a step short: after a long outage thousands may be due at once.
        return await runtime.store.write(lambda unit: fire_due(sla, unit, now, CLOCKS_A_STEP))

    async def next_due() -> datetime | None:
        return await runtime.store.read(lambda unit: unit.one(NEXT_DUE))

    return Worker(
        "sla: milestones",
        step,
        runtime.ports,
        wake=runtime.store.listen(DUE_CHANNEL),
        next_due=next_due,
        poll_seconds=POLL_SECONDS,
    )


def recomputing(sla: Sla) -> Worker:
    """Return the worker that times open requests by other terms, and forgets what is old while nothing is to be timed.

    Replicas take turns by the row's lock.
    """
    store = sla.runtime.store

    async def step(unit: Unit) -> int:
        return await go_on(sla, unit) or await forget(sla, unit)

    return Worker(
        "sla: recompute",
        lambda: store.write(step),
        sla.runtime.ports,
        wake=store.listen(RECOMPUTE_CHANNEL),
        poll_seconds=RECOMPUTE_POLL_SECONDS,
    )


def simulating(sla: Sla) -> Worker:
    """Return the worker that recounts what what-if was asked, in small portions; a restart goes on where it was."""
    runtime = sla.runtime
    lease = runtime.lease("simulations")
    return Worker(
        "sla: simulations",
        Recounting(sla, lease).step,
        runtime.ports,
        wake=runtime.store.listen(CHANNEL),
        poll_seconds=SIMULATION_POLL_SECONDS,
        lease=lease,
        may_break_off=True,
    )


def refilling(sla: Sla) -> Worker:
    """Return the worker that reads logs once more after an upgrade; at their ends its work is done."""
    runtime = sla.runtime

    async def step() -> int:
        places = await runtime.store.read(lambda unit: unit.all(REFILLS))
        known = [place for place in places if place.source in runtime.read_logs]
        try:
            return sum([await refill(runtime.store, runtime.read_logs[place.source], place) for place in known])
        except (httpx.HTTPError, Unavailable):
            return 0  # the pull says of whose log that it can't be read; the next poll reads on

    return Worker(
        "sla: refill",
        step,
        runtime.ports,
        poll_seconds=REFILL_POLL_SECONDS,
        lease=runtime.lease("refill"),
        may_break_off=True,
    )

"""Timed work of sla: warnings and breaches at their instants, found along the index of what is due."""

from datetime import datetime

from firstline.common.worker import Worker
from firstline.sla.service.clocks import DUE_CHANNEL, Sla, fire_due
from firstline.sla.store import NEXT_DUE

CLOCKS_A_STEP = 50
POLL_SECONDS = 5.0


def milestones(sla: Sla) -> Worker:
    """Return the worker that publishes warnings and breaches when they are due."""
    runtime = sla.runtime

    async def step() -> int:
        now = runtime.ports.clock.now()
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

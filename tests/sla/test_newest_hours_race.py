"""On PostgreSQL transactions go on side by side: a newer version beside a request's first clock, calls beside calls."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from firstline.common.store.migrate import migrate_postgres
from firstline.common.store.port import Unit
from firstline.common.store.postgres import PostgresStore
from firstline.sla.handlers import submitted
from firstline.sla.service import recompute, simulations
from sla_world import World, open_world

WEEK = {day: [["06:00", "16:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}
SHUT_TODAY = {"tz": "UTC", "hours": WEEK, "holidays": ["2026-11-23"]}
LONG_ENOUGH = 1.0


async def publish(world: World) -> None:
    """Publish other hours, and let what that begins come to its end."""
    await world.deliver(world.policy("test-2", calendar=SHUT_TODAY))
    await world.recomputing.drain()


async def test_a_clock_that_is_made_meanwhile_is_not_passed_over(database: str, tmp_path: Path) -> None:
    """The newer version waits for a request that is timed by the last one and is not committed, and then times it."""
    await asyncio.to_thread(migrate_postgres, "sla", database)
    async with open_world(tmp_path, open_store=lambda _path, ports: PostgresStore(database, ports)) as world:
        await world.deliver(world.policy())
        ticket, timed, go_on = world.ticket(), asyncio.Event(), asyncio.Event()
        event = world.event(ticket, "ticket.submitted")

        async def take(unit: Unit) -> None:
            await submitted(world.app.state.sla, unit, event)
            timed.set()
            await go_on.wait()

        taking = asyncio.create_task(world.runtime.store.write(take))
        await timed.wait()
        publishing = asyncio.create_task(publish(world))
        # If it went on without waiting, it would be over by then.
        await asyncio.wait({publishing}, timeout=LONG_ENOUGH)
        go_on.set()
        await asyncio.gather(taking, publishing)
        due = {clock["due_at"] for clock in (await world.clocks(ticket)).values()}
        assert due == {"2026-11-24T16:00:00Z"}


@pytest.mark.parametrize(
    ("path", "body", "worker", "most"),
    [
        ("/v1/clocks/recomputes", {"dry_run": True}, "sla: recompute", recompute.MOST_WAITING),
        ("/v1/simulations", {"set": {}}, "sla: simulations", simulations.MOST_WAITING),
    ],
)
async def test_parallel_callers_do_not_pass_a_limit(
    path: str, body: dict[str, Any], worker: str, most: int, database: str, tmp_path: Path
) -> None:
    """Of twice as many calls as may wait, at once, exactly so many are taken; the others are told to cancel one."""
    await asyncio.to_thread(migrate_postgres, "sla", database)
    async with open_world(tmp_path, open_store=lambda _path, ports: PostgresStore(database, ports)) as world:
        await world.deliver(world.policy())
        await next(one for one in world.runtime.workers if one.name == worker).stop()
        answers = await asyncio.gather(*(world.post(path, body, "supervisor") for _ in range(2 * most)))
        assert Counter(answer.status_code for answer in answers) == {202: most, 409: most}

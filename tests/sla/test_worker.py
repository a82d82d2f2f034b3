"""Warnings and breaches: each exactly once, never before they are due, whatever the clock does (invariant P20)."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from firstline.sla.service.due import fire_due
from firstline.sla.worker import CLOCKS_A_STEP, POLL_SECONDS, milestones
from sla_world import MONDAY, World, open_world

HOUR, INSTANT = timedelta(hours=1), timedelta(microseconds=1)
FIRST, NEXT = "first_response", "next_response"
WARNING, DUE = MONDAY + 7.5 * HOUR, MONDAY + 10 * HOUR
BOTH_MILESTONES = [
    ("warned", FIRST, 450),
    ("breached", FIRST, 600),
    ("warned", NEXT, 450),
    ("breached", NEXT, 600),
]


async def test_milestones_come_at_their_instants_and_not_before(world: World) -> None:
    """A microsecond before nothing is said; at the instant it is, and never again."""
    ticket = await world.submit()
    for instant, count in [(WARNING - INSTANT, 2), (WARNING, 4), (DUE - INSTANT, 4), (DUE, 6), (DUE + 90 * HOUR, 6)]:
        await world.move(instant)
        assert len(await world.told(ticket)) == count, instant
    told = await world.told(ticket, "elapsed_minutes", "due_at")
    assert told[2:] == [
        (what, name, m, DUE) for what, m in (("warned", 450), ("breached", 600)) for name in (FIRST, NEXT)
    ]


async def test_a_jump_of_a_day_says_the_warning_before_the_breach(world: World) -> None:
    """Both milestones of a clock are due at once: they come in their order, each with its own elapsed time."""
    ticket = await world.submit()
    await world.move(MONDAY + 24 * HOUR)
    await world.move(MONDAY + 48 * HOUR)
    assert (await world.told(ticket, "elapsed_minutes"))[2:] == BOTH_MILESTONES


async def test_a_clock_that_is_set_back_repeats_nothing(world: World) -> None:
    """A step of a day back and forth again says nothing twice and nothing early."""
    ticket, later = await world.submit(), await world.submit(MONDAY + 12 * HOUR)
    await world.move(MONDAY + 12 * HOUR)
    for instant in (MONDAY - 12 * HOUR, MONDAY + 12 * HOUR, MONDAY + 24 * HOUR):
        await world.move(instant)
    assert (await world.told(ticket, "elapsed_minutes"))[2:] == BOTH_MILESTONES
    assert [what for what, _ in await world.told(later)] == ["scheduled"] * 2


async def test_what_fell_due_while_the_service_was_down_comes_once_after_its_start(store_path: Path) -> None:
    """Restarts at any time lose nothing and repeat nothing."""
    async with open_world(store_path) as world:
        await world.deliver(world.policy())
        ticket = await world.submit()
    async with open_world(store_path, WARNING) as world:
        await world.runtime.settle()
        assert [what for what, _ in await world.told(ticket)] == ["scheduled"] * 2 + ["warned"] * 2
    for _ in range(2):
        async with open_world(store_path, DUE + HOUR) as world:
            await world.runtime.settle()
            told = await world.told(ticket)
            assert [what for what, _ in told] == ["scheduled"] * 2 + ["warned"] * 2 + ["breached"] * 2


async def test_more_than_a_portion_is_done_in_portions(world: World) -> None:
    """One step takes a bounded number of clocks, the longest due first, and the worker goes on until none is left."""
    await world.milestones.stop()
    tickets = [await world.submit(MONDAY + timedelta(minutes=i)) for i in range(CLOCKS_A_STEP)]
    world.clock.move(DUE + 24 * HOUR)
    now = world.clock.now()
    count = await world.runtime.store.write(lambda unit: fire_due(world.app.state.sla, unit, now, CLOCKS_A_STEP))
    half = CLOCKS_A_STEP // 2
    assert count == CLOCKS_A_STEP
    assert [len(await world.told(ticket)) for ticket in tickets] == [6] * half + [2] * half
    assert await world.milestones.drain() == CLOCKS_A_STEP
    assert [len(await world.told(ticket)) for ticket in tickets] == [6] * CLOCKS_A_STEP


async def test_two_workers_share_the_work(world: World) -> None:
    """Steps of two workers, one after the other as they come, say each milestone once."""
    tickets = [await world.submit() for _ in range(CLOCKS_A_STEP)]
    await world.milestones.stop()
    other = milestones(world.app.state.sla)
    world.clock.move(DUE)
    other.start()
    await world.milestones.drain()
    await other.drain()
    await other.stop()
    assert [(await world.told(ticket, "elapsed_minutes"))[2:] for ticket in tickets] == [BOTH_MILESTONES] * len(tickets)


async def test_a_late_answer_has_its_breach_first_though_nobody_watched(world: World) -> None:
    """The worker was down: the answer's own event brings what fell due before it, in order."""
    await world.milestones.stop()
    ticket = await world.submit()
    await world.answer(ticket, DUE + 14 * HOUR + INSTANT)
    told = [event for event in await world.told(ticket, "elapsed_minutes") if event[1] == NEXT]
    assert told == [("scheduled", NEXT, 0), ("warned", NEXT, 450), ("breached", NEXT, 600), ("met", NEXT, told[-1][2])]
    world.clock.move(DUE + 48 * HOUR)
    assert await world.milestones.drain() == 0


async def test_an_answer_at_the_very_instant_is_in_time(world: World) -> None:
    """At one instant the answer comes before the deadline, so nothing is breached."""
    await world.milestones.stop()
    ticket = await world.submit()
    await world.answer(ticket, DUE)
    told = [event for event in await world.told(ticket, "elapsed_minutes") if event[1] == FIRST]
    assert told == [("scheduled", FIRST, 0), ("warned", FIRST, 450), ("met", FIRST, 600)]


async def test_a_run_that_goes_on_is_warned_of_once(world: World) -> None:
    """Waiting after the warning doesn't bring the warning again; the breach comes when the rest is used up."""
    ticket = await world.submit()
    await world.move(MONDAY + 8 * HOUR)
    await world.tell(ticket, "ticket.waiting")
    await world.move(MONDAY + 24 * HOUR)
    await world.tell(ticket, "ticket.resumed")
    await world.move(MONDAY + 48 * HOUR)
    told = [what for what, target in await world.told(ticket) if target == FIRST]
    assert told == ["scheduled", "warned", "cancelled", "scheduled", "breached"]


async def test_a_breach_is_told_once_however_long_it_stays(world: World) -> None:
    """Waiting, resuming and further messages after a breach bring neither breach nor warning again."""
    ticket = await world.submit()
    await world.move(MONDAY + 25 * HOUR)
    for event in ("ticket.waiting", "ticket.resumed"):
        await world.tell(ticket, event)
        await world.move(world.clock.now() + HOUR)
    await world.ask(ticket)
    await world.move(MONDAY + 90 * HOUR)
    told = [what for what, target in await world.told(ticket) if target == FIRST]
    assert told == ["scheduled", "warned", "breached", "cancelled", "scheduled"]


@pytest.mark.parametrize("instant", [WARNING, DUE])
async def test_an_event_that_lags_behind_a_milestone_does_not_repeat_it(world: World, instant: datetime) -> None:
    """A message from just before a milestone that arrives after it leaves the clock and what was said as they were."""
    ticket = await world.submit()
    await world.move(instant)
    before = await world.told(ticket)
    await world.ask(ticket, instant - INSTANT)
    await world.move(instant + INSTANT)
    assert await world.told(ticket) == before


async def test_each_new_question_is_warned_of_and_breached_anew(world: World) -> None:
    """An answer ends a breach; the client's next message begins a run with milestones of its own."""
    ticket = await world.submit()
    await world.move(MONDAY + 24 * HOUR)
    await world.answer(ticket)
    await world.ask(ticket)
    await world.move(MONDAY + 48 * HOUR)
    told = [what for what, target in await world.told(ticket) if target == NEXT]
    assert told == ["scheduled", "warned", "breached", "met", "scheduled", "warned", "breached"]
    assert {name: clock["breached"] for name, clock in (await world.clocks(ticket)).items()} == {
        FIRST: False,
        NEXT: True,
    }


async def test_a_longer_target_is_warned_of_anew(world: World) -> None:
    """A warning under the shorter target says nothing of the longer one, which comes later."""
    ticket = await world.submit(urgency="high")
    await world.move(MONDAY + 2.5 * HOUR)
    await world.tell(ticket, "ticket.triaged", urgency="normal")
    await world.move(WARNING)
    told = [event for event in await world.told(ticket, "elapsed_minutes") if event[1] == FIRST]
    assert told == [("scheduled", FIRST, 0), ("warned", FIRST, 135), ("scheduled", FIRST, 150), ("warned", FIRST, 450)]


async def test_the_worker_wakes_by_itself(world: World) -> None:
    """New clocks wake it, and it sleeps until their instants: nobody has to call it, and no poll is waited for."""
    await asyncio.sleep(0.05)
    ticket = await world.submit()
    await asyncio.sleep(0.05)
    world.clock.move(WARNING)
    async with asyncio.timeout(POLL_SECONDS / 2):
        while len(await world.told(ticket)) < 4:
            await asyncio.sleep(0.01)
    assert (await world.told(ticket))[2:] == [("warned", FIRST), ("warned", NEXT)]

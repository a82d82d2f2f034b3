"""Several warnings, each once a run; and telling staff in their hours, which moves no deadline (clauses 2.1, 2.3)."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from firstline.sla.worker import POLL_SECONDS, milestones
from sla_world import MONDAY, Ticket, World, open_world

HOUR, INSTANT = timedelta(hours=1), timedelta(microseconds=1)
FIRST = "first_response"
DAYS = ("mon", "tue", "wed", "thu", "fri")
ALWAYS = {"tz": "UTC", "hours": {day: [["00:00", "24:00"]] for day in (*DAYS, "sat", "sun")}}
OFFICE = {
    "tz": "Europe/Berlin",
    "hours": {day: [["09:00", "17:00"]] for day in DAYS},
    "works_as": {"2026-11-28": "fri"},
}
THREE: dict[str, Any] = {"warn_before": [{"share": 0.5}, {"minutes": 30}]}
HELD: dict[str, Any] = {"tell_in_hours": True, "staff_calendar": OFFICE}
FRIDAY, SATURDAY = MONDAY + 105 * HOUR, MONDAY + 122 * HOUR
"""Friday 15:00, an hour before staff go, and Saturday 08:00, when they come, as that Saturday works as a Friday."""


async def begin(world: World, at: datetime = MONDAY, calendar: Any = None, **targets: Any) -> Ticket:
    """Publish a policy with these members of targets, and let a request come in under it."""
    more = {"calendar": calendar} if calendar else {}
    await world.deliver(world.policy("told", targets=targets, **more))
    world.clock.move(at)
    return await world.submit(at, policy_version="told")


async def first(world: World, ticket: Ticket) -> list[tuple[Any, ...]]:
    """Return what was told of the first response, with the minutes counted."""
    return [(what, minutes) for what, target, minutes in await world.told(ticket, "elapsed_minutes") if target == FIRST]


async def test_each_warning_comes_once_at_its_instant(world: World) -> None:
    """Half of the target, three quarters and half an hour before its end; not a microsecond earlier, never again."""
    ticket = await begin(world, **THREE)
    expected: list[tuple[Any, ...]] = [("scheduled", 0)]
    for minutes, what in ((300, "warned"), (450, "warned"), (570, "warned"), (600, "breached")):
        instant = MONDAY + minutes * HOUR / 60
        await world.move(instant - INSTANT)
        assert await first(world, ticket) == expected
        await world.move(instant)
        expected.append((what, minutes))
        assert await first(world, ticket) == expected
    for back in (-24, 48, -48, 96):
        await world.move(world.clock.now() + back * HOUR)
    assert await first(world, ticket) == expected


async def test_a_run_that_goes_on_repeats_no_warning_and_skips_none(world: World) -> None:
    """Waiting after the first warning leaves the two others, counted on from there."""
    ticket = await begin(world, **THREE)
    await world.move(MONDAY + 6 * HOUR)
    await world.tell(ticket, "ticket.waiting")
    await world.move(MONDAY + 24 * HOUR)
    await world.tell(ticket, "ticket.resumed")
    await world.move(MONDAY + 48 * HOUR)
    told = [("scheduled", 0), ("warned", 300), ("cancelled", 360), ("scheduled", 360)]
    assert await first(world, ticket) == [*told, ("warned", 450), ("warned", 570), ("breached", 600)]


async def test_another_target_warns_of_what_lies_ahead(world: World) -> None:
    """The short target's warnings say nothing of the long one's."""
    ticket = await begin(world, **THREE)
    await world.tell(ticket, "ticket.triaged", MONDAY + HOUR, urgency="high")
    await world.move(MONDAY + 2.5 * HOUR)
    await world.tell(ticket, "ticket.triaged", urgency="normal")
    await world.move(MONDAY + 9.6 * HOUR)
    warned = [minutes for what, minutes in await first(world, ticket) if what == "warned"]
    assert warned == [90, 135, 150, 300, 450, 570]


async def test_restarts_and_two_workers_warn_once(store_path: Path) -> None:
    """What fell due while nothing ran comes after the start, in order; a second worker adds nothing."""
    async with open_world(store_path) as world:
        ticket = await begin(world, **THREE)
    counts = []
    for hours in (7.4, 9, 9, 30):
        async with open_world(store_path, MONDAY + hours * HOUR) as world:
            other = milestones(world.app.state.sla)
            other.start()
            await world.runtime.settle()
            await other.drain()
            await other.stop()
            counts.append(len(await first(world, ticket)))
    assert counts == [2, 3, 3, 5]


async def test_a_policy_that_wants_no_warning_gives_none(world: World) -> None:
    """A share of 1 is the deadline itself, and a notice as long as the target is left out."""
    ticket = await begin(world, warning_share=1.0, warn_before=[{"minutes": 600}])
    await world.move(MONDAY + 24 * HOUR)
    assert await first(world, ticket) == [("scheduled", 0), ("breached", 600)]


async def test_staff_are_told_when_they_are_back(world: World) -> None:
    """A desk that never closes is late in the night and tells so on Saturday's opening; late it was at its instant."""
    ticket = await begin(world, FRIDAY, ALWAYS, **HELD)
    await world.move(SATURDAY - INSTANT)
    assert await first(world, ticket) == [("scheduled", 0)]
    shown = (await world.clocks(ticket))[FIRST]
    assert (shown["breached"], shown["due_at"]) == (True, "2026-11-28T01:00:00Z")
    await world.move(SATURDAY)
    await world.move(SATURDAY + 24 * HOUR)
    assert await first(world, ticket) == [("scheduled", 0), ("warned", 450), ("breached", 600)]
    assert {due for *_, due in await world.told(ticket, "due_at")} == {FRIDAY + 10 * HOUR}


async def test_what_falls_into_staffs_hours_is_told_at_once(world: World) -> None:
    """A deadline in the afternoon waits for nobody."""
    ticket = await begin(world, MONDAY - 2 * HOUR, ALWAYS, **HELD)
    await world.move(MONDAY + 8 * HOUR)
    assert await first(world, ticket) == [("scheduled", 0), ("warned", 450), ("breached", 600)]


@pytest.mark.parametrize(("held", "hours"), [(False, 0), (True, 14)])
async def test_a_deadline_at_the_closing_instant_is_told_at_the_next_opening(
    world: World, *, held: bool, hours: int
) -> None:
    """Hours are half-open: at closing nobody is there any more. Without the wish to wait it is told at once."""
    ticket = await begin(world, tell_in_hours=held)
    instant = MONDAY + (10 + hours) * HOUR
    await world.move(instant - INSTANT)
    assert len(await first(world, ticket)) == 2
    await world.move(instant)
    assert (await first(world, ticket))[2:] == [("breached", 600)]


ENDS = [("reply", "met"), ("ticket.waiting", "cancelled"), ("ticket.closed", "cancelled")]


@pytest.mark.parametrize(("ends", "last"), ENDS)
async def test_what_is_held_is_told_before_its_run_ends(world: World, ends: str, last: str) -> None:
    """Somebody who works in the night gets no notice of what is done, and the log still has warning and breach."""
    ticket = await begin(world, FRIDAY, ALWAYS, **HELD)
    await world.move(FRIDAY + 12 * HOUR)
    await (world.answer(ticket) if ends == "reply" else world.tell(ticket, ends))
    told = [what for what, _ in await first(world, ticket)]
    assert told == ["scheduled", "warned", "breached", last]
    await world.move(SATURDAY + HOUR)
    assert [what for what, _ in await first(world, ticket)] == told


async def test_a_clients_message_in_the_night_wakes_nobody(world: World) -> None:
    """The run goes on, so what is held stays held."""
    ticket = await begin(world, FRIDAY, ALWAYS, **HELD)
    await world.move(FRIDAY + 9 * HOUR)
    await world.ask(ticket)
    await world.move(SATURDAY - INSTANT)
    assert await first(world, ticket) == [("scheduled", 0)]
    await world.move(SATURDAY)
    assert [what for what, _ in await first(world, ticket)] == ["scheduled", "warned", "breached"]


async def test_the_worker_wakes_when_staff_are_back(world: World) -> None:
    """The due table holds the opening, so that no poll is waited for."""
    ticket = await begin(world, FRIDAY, ALWAYS, **HELD)
    world.clock.move(FRIDAY + 10 * HOUR)
    await asyncio.sleep(0.05)
    assert len(await first(world, ticket)) == 1
    world.clock.move(SATURDAY)
    async with asyncio.timeout(POLL_SECONDS / 2):
        while len(await first(world, ticket)) < 3:
            await asyncio.sleep(0.01)

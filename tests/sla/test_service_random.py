"""Random histories through the whole service: any order of delivery, and the same as a life minute by minute (P19)."""

import os
from collections import Counter
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from firstline.common.envelope import Envelope
from minute_calendar import MinuteCalendar
from minute_clock import MinuteClocks
from sla_histories import DAYS, HOURS, LEVELS, MINUTE, PLANS, RULES, SPAN, WARNINGS, history, shuffled, tell_licences
from sla_world import MONDAY, Ticket, World, open_world

HISTORIES = int(os.environ.get("FIRSTLINE_SLA_HISTORIES", "80"))


async def live(world: World, envelopes: list[Envelope]) -> None:
    """Deliver events as they happen, milestones between them at their instants."""
    for event in envelopes:
        world.clock.move(event.time - timedelta(microseconds=1))
        await world.milestones.drain()
        world.clock.move(event.time)
        await world.deliver(event)
    world.clock.move(MONDAY + SPAN * MINUTE)
    await world.milestones.drain()


async def runs(world: World, ticket: Ticket) -> dict[str, list[tuple[Any, ...]]]:
    """Return what was told of each clock of a ticket, in order."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    for what, data in await world.events(ticket):
        found.setdefault(data["target"], []).append((what, data["due_at"], data["elapsed_minutes"]))
    return found


async def prepare(world: World) -> None:
    """Let accounts tell of the licences and intake of the policy."""
    await tell_licences(world)
    targets = {"rules": RULES, "warn_before": WARNINGS}
    await world.deliver(world.policy("plans", minutes=PLANS, calendar=HOURS, targets=targets))


@pytest.fixture(scope="module")
def walk() -> MinuteCalendar:
    """Return the calendar of these tests, every minute of it."""
    return MinuteCalendar(HOURS, MONDAY, 2 * DAYS)


async def begin(world: World, seed: int) -> tuple[Ticket, list[Envelope], list[dict[str, Any]], Random]:
    """Return a random ticket, of which nothing was told yet."""
    pick, ticket = Random(seed), world.ticket()
    envelopes, said = history(world, ticket, pick)
    return ticket, envelopes, said, pick


async def test_any_delivery_ends_as_a_life_minute_by_minute(bare: World, walk: MinuteCalendar) -> None:
    """Shuffled, repeated, days late: GET /v1/clocks says at any instant what the slow oracle says."""
    await bare.milestones.stop()
    await prepare(bare)
    bare.clock.move(MONDAY + SPAN * MINUTE)
    seen: Counter[str] = Counter()
    for seed in range(HISTORIES):
        ticket, envelopes, said, pick = await begin(bare, seed)
        await shuffled(bare, envelopes, pick)
        for after in (0, pick.randrange(600)):
            as_of = MONDAY + (SPAN + after) * MINUTE
            bare.clock.move(as_of)
            lived = MinuteClocks(said, PLANS["normal"], walk, as_of, [*RULES, *LEVELS])
            clocks = await bare.clocks(ticket)
            assert sorted(clocks) == sorted(lived.targets), seed
            for name, clock in clocks.items():
                watch = lived.watches[name]
                expected = (lived.state(name), len(watch.spent), watch.late)
                assert (clock["state"], clock["elapsed_minutes"], clock["breached"]) == expected, (seed, name)
                assert (clock["rule"], clock["target_minutes"]) == (lived.rule, lived.targets[name]), (seed, name)
                seen[lived.rule or ""] += 1
                due = lived.runs_out(name, lived.targets[name]) if clock["state"] == "running" else None
                assert clock["due_at"] == (due.strftime("%Y-%m-%dT%H:%M:%SZ") if due else None), (seed, name)
                seen[clock["state"]] += 1
                seen["breached"] += clock["breached"]
    wanted = ("idle", "running", "paused", "met", "breached", "team", "updates", "lapsed", "normal", "high")
    assert all(seen[name] > 5 for name in wanted), seen


async def test_late_delivery_tells_what_live_delivery_told(store_path: Path, tmp_path: Path) -> None:
    """The events of every clock are the same, whether sla watched each minute or heard of all days later."""
    kinds: Counter[str] = Counter()
    for seed in range(HISTORIES // 4):
        folders = (tmp_path / f"{seed}-live.db", tmp_path / f"{seed}-late.db")
        for path in folders:
            path.write_bytes(store_path.read_bytes())
        async with open_world(folders[0]) as watched, open_world(folders[1]) as slept:
            for world in (watched, slept):
                await world.milestones.stop()
                await prepare(world)
            ticket, envelopes, _, _ = await begin(watched, seed)
            await live(watched, envelopes)
            same, again, _, pick = await begin(slept, seed)
            slept.clock.move(MONDAY + SPAN * MINUTE)
            await shuffled(slept, again, pick)
            await slept.milestones.drain()
            told = await runs(watched, ticket)
            assert await runs(slept, same) == told, seed
            kinds.update(what for events in told.values() for what, _, _ in events)
    assert all(kinds[name] > 5 for name in ("scheduled", "warned", "breached", "met", "cancelled")), kinds

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
from sla_world import MONDAY, Ticket, World, open_world

HISTORIES = int(os.environ.get("FIRSTLINE_SLA_HISTORIES", "80"))
DAYS, SPAN = 4, 3 * 1440
MINUTE = timedelta(minutes=1)
HOURS = {"tz": "UTC", "hours": {day: [["06:00", "12:00"], ["13:00", "16:00"]] for day in ("mon", "tue", "wed", "thu")}}
PLANS = {
    "normal": {"first_response": 240, "next_response": 120, "resolution": 600},
    "high": {"first_response": 40, "next_response": 60, "resolution": 240},
}
KINDS = [
    "client",
    "client",
    "staff",
    "staff",
    "robot",
    "waiting",
    "resumed",
    "resolved",
    "closed",
    "reopened",
    "triaged",
]
SAYS = {
    "client": "client_message",
    "staff": "staff_reply",
    "waiting": "wait",
    "resumed": "resume",
    "triaged": "targets_changed",
}


def history(world: World, ticket: Ticket, pick: Random) -> tuple[list[Envelope], list[dict[str, Any]]]:
    """Return intake's events of a ticket, and what they say to the oracle."""
    urgency = pick.choice(["normal", "high"])
    places = sorted(pick.randrange(SPAN) for _ in range(pick.randrange(1, 10)))
    envelopes = [
        world.event(ticket, "ticket.submitted", MONDAY + places[0] * MINUTE, urgency=urgency, policy_version="plans")
    ]
    said: list[dict[str, Any]] = [{"type": "created", "at": envelopes[0].time, "id": "e0", "targets": PLANS[urgency]}]
    for number, place in enumerate(places[1:], 1):
        kind, at = pick.choice(KINDS), MONDAY + place * MINUTE
        fact: dict[str, Any] = {"type": SAYS.get(kind, kind), "at": at, "id": f"e{number}"}
        if kind in ("client", "staff", "robot"):
            side = "client" if kind == "robot" else kind
            envelopes.append(world.event(ticket, "ticket.replied", at, side=side, automatic=kind == "robot"))
        elif kind == "waiting":
            fact["cause"] = pick.choice(["client", "third_party", "release"])
            envelopes.append(world.event(ticket, "ticket.waiting", at, cause=fact["cause"]))
        elif kind == "triaged":
            urgency = pick.choice(["normal", "high"])
            fact["targets"] = PLANS[urgency]
            envelopes.append(world.event(ticket, "ticket.triaged", at, urgency=urgency))
        else:
            envelopes.append(world.event(ticket, f"ticket.{kind}", at))
        said += [] if kind == "robot" else [fact]
    return envelopes, said


async def shuffled(world: World, envelopes: list[Envelope], pick: Random) -> None:
    """Deliver events in any order, some twice, one or several at a time."""
    left = envelopes + [event for event in envelopes if pick.random() < 0.3]
    pick.shuffle(left)
    while left:
        size = pick.randrange(1, 5)
        await world.deliver(*left[:size])
        left = left[size:]


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
    await bare.deliver(bare.policy("plans", minutes=PLANS, calendar=HOURS))
    bare.clock.move(MONDAY + SPAN * MINUTE)
    seen: Counter[str] = Counter()
    for seed in range(HISTORIES):
        ticket, envelopes, said, pick = await begin(bare, seed)
        await shuffled(bare, envelopes, pick)
        for after in (0, pick.randrange(600)):
            as_of = MONDAY + (SPAN + after) * MINUTE
            bare.clock.move(as_of)
            lived = MinuteClocks(said, said[0]["targets"], walk, as_of)
            clocks = await bare.clocks(ticket)
            assert sorted(clocks) == sorted(lived.watches), seed
            for name, clock in clocks.items():
                watch = lived.watches[name]
                expected = (lived.state(name), len(watch.spent), watch.late)
                assert (clock["state"], clock["elapsed_minutes"], clock["breached"]) == expected, (seed, name)
                due = lived.runs_out(name, lived.targets[name]) if clock["state"] == "running" else None
                assert clock["due_at"] == (due.strftime("%Y-%m-%dT%H:%M:%SZ") if due else None), (seed, name)
                seen[clock["state"]] += 1
                seen["breached"] += clock["breached"]
    assert all(seen[name] > 5 for name in ("idle", "running", "paused", "met", "breached")), seen


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
                await world.deliver(world.policy("plans", minutes=PLANS, calendar=HOURS))
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

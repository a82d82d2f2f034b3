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
RULES: list[dict[str, Any]] = [
    {
        "code": "team",
        "when": {"edition": ["Team"], "urgency": ["high"]},
        "minutes": {"first_response": 20, "next_response": 24},
    },
    {"code": "updates", "when": {"topic": ["updates"]}, "minutes": PLANS["normal"] | {"next_response": 80}},
    {"code": "lapsed", "when": {"entitlement": ["expired"], "tier": ["helpdesk"]}, "minutes": {"next_response": 300}},
]
EDITIONS = {"L1": "Team", "L2": None}
LEVELS = [{"code": code, "when": {"urgency": [code]}, "minutes": minutes} for code, minutes in PLANS.items()]
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
    places = sorted(pick.randrange(SPAN) for _ in range(pick.randrange(1, 10)))
    like = judged(pick) | paid(pick)
    at = MONDAY + places[0] * MINUTE
    envelopes = [world.event(ticket, "ticket.submitted", at, policy_version="plans", **like)]
    said: list[dict[str, Any]] = [{"type": "created", "at": at, "id": "e0", "traits": with_edition(like)}]
    for number, place in enumerate(places[1:], 1):
        kind, at = pick.choice(KINDS), MONDAY + place * MINUTE
        fact: dict[str, Any] = {"type": SAYS.get(kind, kind), "at": at, "id": f"e{number}"}
        if kind in ("client", "staff", "robot"):
            like = paid(pick) if pick.random() < 0.3 else {}
            data = {"side": "client" if kind == "robot" else kind, "automatic": kind == "robot", **like}
            envelopes.append(world.event(ticket, "ticket.replied", at, **data))
            fact["traits"] = with_edition(like)
        elif kind == "waiting":
            fact["cause"] = pick.choice(["client", "third_party", "release"])
            envelopes.append(world.event(ticket, "ticket.waiting", at, cause=fact["cause"]))
        elif kind == "triaged":
            fact["traits"] = judged(pick)
            envelopes.append(world.event(ticket, "ticket.triaged", at, **fact["traits"]))
        else:
            envelopes.append(world.event(ticket, f"ticket.{kind}", at))
        said += [] if kind == "robot" else [fact]
    return envelopes, said


def judged(pick: Random) -> dict[str, Any]:
    """Return what a ticket is judged to be."""
    topic = pick.choice(["updates.failed", "cloud", None])
    return {
        "urgency": pick.choice(["normal", "high"]),
        "topic": topic,
        "tier": pick.choice(["helpdesk", "development"]),
    }


def paid(pick: Random) -> dict[str, Any]:
    """Return what is told of a licence."""
    return {"entitlement": pick.choice(["active", "expired"]), "licence_id": pick.choice(sorted(EDITIONS))}


def with_edition(like: dict[str, Any]) -> dict[str, Any]:
    """Return what a ticket is like with the edition of the licence that is named."""
    return like | ({"edition": EDITIONS[like["licence_id"]]} if "licence_id" in like else {})


async def prepare(world: World) -> None:
    """Let accounts tell of the licences and intake of the policy."""
    for licence_id, edition in EDITIONS.items():
        data = {"id": licence_id, "key_sha256": licence_id, "last4": "1234", "product": "Box", "edition": edition}
        await world.deliver(world.envelope(f"licence/{licence_id}", "account.licence_changed", 1, MONDAY, data))
    targets = {"rules": RULES, "warn_before": [{"share": 0.5}, {"minutes": 10}]}
    await world.deliver(world.policy("plans", minutes=PLANS, calendar=HOURS, targets=targets))


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

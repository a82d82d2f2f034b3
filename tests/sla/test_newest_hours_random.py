"""Random histories under hours that change again and again: what runs is as if they had held from the start (P22)."""

import os
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from firstline.common.envelope import Envelope
from firstline.sla.service.recompute import go_on
from firstline.sla.store.clocks import CLOCKS_OF
from minute_calendar import MinuteCalendar
from minute_clock import MinuteClocks
from random_calendars import ZONES, random_calendar
from sla_histories import DAYS, LEVELS, MINUTE, RULES, SPAN, WARNINGS, history, shuffled, tell_licences
from sla_world import MONDAY, Ticket, World, open_world

WORLDS, TICKETS = int(os.environ.get("FIRSTLINE_SLA_HOURS", "6")), 25
QUICK = [{**rule, "minutes": {name: most // 2 for name, most in rule["minutes"].items()}} for rule in [*RULES, *LEVELS]]
PARTS: dict[str, list[dict[str, Any]]] = {"plans": [*RULES, *LEVELS], "quick": QUICK}
"""What the versions say of targets: the one or the other."""


@dataclass
class Published:
    """The versions of the policies of a world in the order of their publication, and what they say."""

    order: list[str] = field(default_factory=list)
    calendars: dict[str, dict[str, Any]] = field(default_factory=dict)
    targets: dict[str, str] = field(default_factory=dict)
    events: list[Envelope] = field(default_factory=list)
    walks: dict[str, MinuteCalendar] = field(default_factory=dict)

    def walk(self, version: str) -> MinuteCalendar:
        """Return the hours of a version, every minute of them."""
        if version not in self.walks:
            self.walks[version] = MinuteCalendar(self.calendars[version], MONDAY, 3 * DAYS)
        return self.walks[version]

    @property
    def newest(self) -> dict[str, Any]:
        """The hours that count."""
        return self.calendars[self.order[-1]]

    def publish(self, world: World, version: str, name: str) -> None:
        """Let intake publish a version of the policy of that name."""
        rules = PARTS[self.targets[version]]
        minutes = {rule["code"]: rule["minutes"] for rule in rules[len(RULES) :]}
        targets = {"rules": rules[: len(RULES)], "warn_before": WARNINGS, "tell_in_hours": False}
        given = {"minutes": minutes, "targets": targets, "calendar": self.calendars[version], "title": version}
        self.order.append(version)
        self.events.append(world.policy(version, name, **given))


def published(world: World, pick: Random) -> Published:
    """Publish some versions: with other hours, with another title alone, or the first one again."""
    found = Published()
    for number in range(pick.randrange(2, 6)):
        if number > 1 and pick.random() < 0.2:
            found.publish(world, "v0", "test")
            continue
        version = f"v{number}"
        same = found.order and pick.random() < 0.3
        found.calendars[version] = found.newest if same else hours(pick)
        found.targets[version] = pick.choice(sorted(PARTS))
        found.publish(world, version, "test" if number == 0 else pick.choice(["test", "other"]))
    return found


def hours(pick: Random) -> dict[str, Any]:
    """Return random hours that never end."""
    while True:
        data = random_calendar(pick, pick.choice(ZONES), MONDAY.date() + timedelta(days=2))
        last = data["hours_from"][max(data["hours_from"])] if data["hours_from"] else data["hours"]
        if any(last.values()):
            return data


async def live(world: World, envelopes: list[Envelope], pick: Random) -> None:
    """Deliver events in any order, or about as they happened, some of them twice, the desk's own work in between."""
    jitter = pick.choice([0.02, 0.1, 5.0])
    # What falls due is timed anew before it is told; without that it has to be right by what else happens.
    tells = pick.random() < 0.5
    left = sorted(envelopes, key=lambda event: (_place(event, pick) + pick.random() * jitter, event.id))
    now = 0
    while left:
        size = pick.randrange(1, 6)
        await shuffled(world, left[:size], pick)
        left = left[size:]
        now = min(SPAN, now + pick.randrange(SPAN // 4))
        world.clock.move(MONDAY + now * MINUTE)
        if tells and pick.random() < 0.5:
            await world.milestones.drain()
        if pick.random() < 0.6:
            await world.recomputing.drain()
        elif pick.random() < 0.3:
            await world.runtime.store.write(lambda unit: go_on(world.app.state.sla, unit, pick.randrange(1, 3)))
        if pick.random() < 0.5:
            assert world.runtime.inbox is not None
            await world.runtime.inbox.retry_waiting()


def _place(event: Envelope, pick: Random) -> float:
    """Return when an event happened, as a part of the whole span; policies may be published at any time after one."""
    if event.type != "policy.published":
        return (event.time - MONDAY) / MINUTE / SPAN
    return 0 if event.data["version"] == "v0" else pick.random()


async def settle(world: World) -> None:
    """Let everything come to its end."""
    assert world.runtime.inbox is not None
    assert await world.runtime.inbox.retry_waiting() == 0
    world.clock.move(MONDAY + SPAN * MINUTE)
    await world.recomputing.drain()


async def agrees(
    world: World, versions: Published, ticket: Ticket, version: str, said: list[dict[str, Any]], seed: int
) -> Counter[str]:
    """Compare a ticket's clocks with a life minute by minute; return what was seen."""
    clocks = await world.clocks(ticket)
    stored = await world.runtime.store.read(lambda unit: unit.all(CLOCKS_OF, ticket_ids=[ticket.id]))
    due = {clock.target: clock.due_at for clock in stored}
    (by,) = {clock["hours_version"] for clock in clocks.values()}
    runs = any(clock["state"] in ("running", "paused") for clock in clocks.values())
    # What has ended keeps the hours that it was judged by.
    assert not runs or versions.calendars[by] == versions.newest, (seed, by)
    walk = versions.walk(by)
    rules = PARTS[versions.targets[version]]
    lived = MinuteClocks(said, rules[len(RULES)]["minutes"], walk, MONDAY + SPAN * MINUTE, rules)
    assert sorted(clocks) == sorted(lived.targets), seed
    for name, clock in clocks.items():
        watch = lived.watches[name]
        assert (clock["state"], clock["elapsed_minutes"], clock["breached"]) == (
            lived.state(name), len(watch.spent), watch.late,
        ), (seed, name)  # fmt: skip
        until = lived.runs_out(name, lived.targets[name]) if clock["state"] == "running" else None
        if clock["state"] == "running" and until is None:
            assert clock["due_at"] >= walk.last_instant.isoformat(), (seed, name)
        else:
            assert clock["due_at"] == (until.strftime("%Y-%m-%dT%H:%M:%SZ") if until else None), (seed, name)
            assert due[name] == until, (seed, name)
    return Counter([clock["state"] for clock in clocks.values()] + ["moved"] * (runs and by != version))


@pytest.mark.soak
async def test_what_runs_is_as_if_the_newest_hours_had_held_from_the_start(store_path: Path, tmp_path: Path) -> None:
    """Whatever order requests and versions come in, clocks are those of a life minute by minute by the newest hours."""
    seen: Counter[str] = Counter()
    for seed in range(WORLDS):
        path, pick = tmp_path / f"{seed}.db", Random(seed)
        path.write_bytes(store_path.read_bytes())
        async with open_world(path) as world:
            await world.milestones.stop()
            await world.recomputing.stop()
            await tell_licences(world)
            versions = published(world, pick)
            told = []
            for _ in range(TICKETS):
                ticket, version = world.ticket(), pick.choice(["v0", "v0", *versions.order])
                told.append((ticket, version, *history(world, ticket, pick, version)))
            events = [event for _, _, envelopes, _ in told for event in envelopes]
            await live(world, versions.events + events, pick)
            await settle(world)
            for ticket, version, _, said in told:
                seen += await agrees(world, versions, ticket, version, said, seed)
            ended = (await world.get("/v1/clocks/recomputes", who="supervisor")).json()["items"]
            seen.update(one["state"] for one in ended)
    wanted = ("idle", "running", "paused", "met", "moved", "done")
    assert all(seen[name] for name in wanted), seen

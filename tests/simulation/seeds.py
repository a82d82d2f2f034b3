"""A campaign: one seed after another, each a world of some days with trouble, judged by every oracle at the end."""

import asyncio
import gc
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

from evidence import Evidence
from faults import Faults
from firstline.standalone.wiring import SERVICES
from front import Front
from occasions import Occasions
from oracles import ORACLES
from people import Habits, People
from stage import Stage, quiet_logs, run_world
from world import HOOK, Scene, Shape, World

DAY = 86_400.0
STARTS = (
    datetime(2026, 3, 26, tzinfo=UTC),
    datetime(2026, 6, 8, tzinfo=UTC),
    datetime(2026, 10, 22, tzinfo=UTC),
    datetime(2026, 12, 22, tzinfo=UTC),
)
"""Before clocks change in spring and autumn, in an ordinary week, and before the holidays."""

SETTLE_SECONDS = 6.2 * 3600.0
"""Longer than the longest pause between two tries of a mail, and than two looks into another's log."""

TWICE_SHARE = 0.5
"""Of the worlds of separate services, the share in which some have two replicas."""

GONE_EVERY = 10
"""In one seed of so many, the mailbox of a client is gone."""


SILENT_EVERY, SILENT_SECONDS = 4, 2.2 * DAY
"""In one seed of so many, nobody says a word for longer than it takes to close what waits for one."""


@dataclass
class Outcome:
    """What came of a seed."""

    seed: int
    digest: str
    days: float
    violations: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    did: Counter[str] = field(default_factory=Counter)
    story: list[str] = field(default_factory=list)


def scene_of(stage: Stage, seed: int) -> tuple[Scene, Habits]:
    """Draw what a seed's world is like."""
    chance = Random(f"{seed} scene")
    separate = chance.random() < 0.35
    twice = frozenset(_drawn(Random(f"{seed} replicas"), TWICE_SHARE)) if separate else frozenset()
    start = STARTS[seed % len(STARTS)] + timedelta(seconds=int(chance.random() * 4 * DAY))
    policy = stage.policies[int(chance.random() * len(stage.policies))]
    scene = Scene(seed, start, policy, stage.stores, Shape(separate, twice), disorder=chance.choice([0.0, 0.3, 1.0]))
    days = 0.25 + chance.random() * (0.5 if chance.random() < 0.8 else 2.0)
    return scene, Habits(days=days, requests_a_day=3 + chance.random() * 8)


def _drawn(chance: Random, share: float) -> list[str]:
    """Draw the services that have two replicas: none in most worlds, some of them or all in the others."""
    most = chance.random() if chance.random() < share else 0.0
    return [service for service in (*SERVICES, "web") if chance.random() < most]


def run_seed(
    stage: Stage, seed: int, *, scene: Scene | None = None, occasions: bool = True, hours: bool = True
) -> Outcome:
    """Run a seed and judge it.

    Without `occasions` people do, and draw, what they did before those were known; without `hours` these change only
    where the whole policy does, as it was at first.
    """
    drawn, habits = scene_of(stage, seed)
    world = World(scene or drawn, stage.applications)
    errors: list[str] = []
    evidence: Evidence | None = None
    gc.disable()
    with quiet_logs(errors):
        try:
            evidence = run_world(world, lambda world: _play(stage, world, habits, occasions, hours))
            violations = [*evidence.front.record.faults, *judge(evidence)]
        except Exception as error:
            violations = [f"P0: the world ended by {error!r}"]
        finally:
            world.close()
            gc.enable()
    digest = hashlib.sha256("\n".join([*world.story, *sorted(violations)]).encode()).hexdigest()
    violations += [f"complaint: {text}" for text in world.loop.complaints]
    days = world.loop.time() / DAY
    did = evidence.front.record.did if evidence else Counter[str]()
    return Outcome(seed, digest, days, violations, world.counts, did, world.story + errors)


async def _play(stage: Stage, world: World, habits: Habits, occasions: bool, hours: bool) -> Evidence:
    """Live through the days, heal what is broken, let everybody end what they began, and settle."""
    front = Front(world)
    people = People(front, stage.cast, habits)
    faults = Faults(world, world.stream("faults"), stage.policies, stage.calendars, habits.days * DAY)
    if world.scene.seed % GONE_EVERY == 0:
        world.post.unknown.add(stage.cast.clients[0].email)
    world.start()
    while len(world.processes()) < len(world.slots):
        await asyncio.sleep(1)
    faults.start(hours=hours)
    people.start()
    if occasions:
        Occasions(people).start()
    await asyncio.sleep(habits.days * DAY)
    await faults.heal()
    await people.finish()
    if world.scene.seed % SILENT_EVERY == 0:
        await asyncio.sleep(SILENT_SECONDS)
    await asyncio.sleep(SETTLE_SECONDS + faults.back.total_seconds())
    evidence = Evidence(world, front, faults, HOOK)
    await evidence.collect(stage.cast.supervisor)
    return evidence


def judge(evidence: Evidence) -> Iterable[str]:
    """Return what the oracles hold against a world that has settled."""
    for name, oracle in ORACLES.items():
        try:
            found = list(oracle(evidence))
        except Exception as error:  # evidence so broken that an oracle can't read it is a violation too
            found = [f"could not be judged: {error!r}"]
        yield from (f"{name}: {words}" for words in found[:5])


def run_seeds(stage: Stage, seeds: Iterable[int], tell: Callable[[Outcome], None]) -> Counter[str]:
    """Run seeds one after the other; return how often each fault fired."""
    counts: Counter[str] = Counter()
    for seed in seeds:
        outcome = run_seed(stage, seed)
        counts += outcome.counts
        tell(outcome)
        if seed % 20 == 0:
            gc.collect()
    return counts

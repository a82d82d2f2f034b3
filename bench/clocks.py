"""Clocks in numbers, on PostgreSQL: a recompute of 100,000, a tick among a million, 50,000 breaches at once.

Requests are written straight into sla's tables, each with one clock that runs, as its handlers would leave it. The
yardstick of the recompute is a bare loop that adds business time on the new calendar; that of the publishing is the
pipeline that does the least. The recompute is measured without telling events, and with them.
"""

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

import asyncpg

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))

from firstline.common.amqp import AmqpBus
from firstline.common.bus import LocalBus
from firstline.common.events import Actor, PolicyPublished
from firstline.common.paging import Cursors
from firstline.common.policy.loader import load_policy
from firstline.common.ports import ManualClock, SystemClock, system_ports
from firstline.common.relay import Relay
from firstline.common.runtime import Runtime
from firstline.common.store.migrate import migrate_postgres
from firstline.common.store.postgres import PostgresStore
from firstline.common.tokens import Signer, Verifier, new_key
from firstline.sla.clock import fold
from firstline.sla.history import ClockEvent
from firstline.sla.service import milestones
from firstline.sla.service.clocks import Sla
from firstline.sla.service.due import fire_due
from firstline.sla.service.publication import learn
from firstline.sla.service.recompute import go_on
from firstline.sla.service.terms import terms_of
from firstline.sla.worker import CLOCKS_A_STEP
from firstline.standalone.server import keep_what_is_loaded
from report import Figure, publish
from servers_here import Place, place
from standalone_intake import BODY, Ten
from yardsticks import KEEP, kept, make_tables, running_pipeline

RECOMPUTED = int(os.environ.get("FIRSTLINE_BENCH_RECOMPUTED", "100000"))
OPEN = int(os.environ.get("FIRSTLINE_BENCH_OPEN", "1000000"))
BREACHES = int(os.environ.get("FIRSTLINE_BENCH_BREACHES", "50000"))
EVENTS = 10_000
TICKS = 101
REPETITIONS = 5
NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
OLD, NEW = "bench-1", "bench-2"
POSITIONS = count(1)
TICKET = """
INSERT INTO ticket (id, number, policy_version, urgency)
SELECT 't' || lpad(n::text, 9, '0'), 'FL-' || lpad(n::text, 9, '0'), $2, 'normal' FROM generate_series(1, $1) n
"""
FACT = """
INSERT INTO fact (ticket_id, id, type, at, traits)
SELECT id, 'e' || id, 'created', $1::timestamptz - (random() * interval '60 minutes'), '{"urgency": "normal"}'
FROM ticket
"""
CLOCK = """
INSERT INTO clock
    (id, ticket_id, target, state, due_at, warned, breached, next_at, target_minutes, warnings, told, rule)
SELECT 'c' || f.ticket_id, f.ticket_id, 'first_response', 'running', $1, true, false, $1, 600, '[]', 0, 'normal'
FROM fact f
"""


def _say_nothing(*_told: object) -> None:
    """Tell no event."""


@cache
def _document() -> dict[str, Any]:
    """Return the default policy's document; reading it is no part of a recompute."""
    return load_policy(Path(__file__).parents[1] / "policies/bitrix24.yaml").document()


def policy(holidays: list[str]) -> dict[str, Any]:
    """Return the default policy's document with one target, and these days off."""
    document = deepcopy(_document())
    document["targets"]["minutes"] = {"normal": {"first_response": 600}}
    document["targets"]["warning_share"] = 0.8
    document["calendar"] = {**document["calendar"], "holidays": holidays}
    return document


async def service(url: str, clock: ManualClock) -> Sla:
    """Open sla's store in this process, with two versions of the policy, and nothing that works by itself."""
    ports = system_ports(clock)
    verifier = Verifier(Signer(new_key("bench"), SystemClock()).public_keys(), SystemClock())
    runtime = Runtime(
        "sla", ports=ports, store=PostgresStore(url, ports), bus=LocalBus(), verifier=verifier, read_logs={}
    )
    await runtime.store.open()
    sla = Sla(runtime, Cursors(b"bench" * 8))
    await publish_hours(sla, OLD)
    return sla


async def publish_hours(sla: Sla, version: str) -> None:
    """Let sla learn a version, after all that it knows; with other hours that begins a recompute."""
    holidays = ["2026-11-24"] if version == NEW else []
    actor = Actor(id="bench", role="service")
    data = PolicyPublished(actor=actor, version=version, document=policy(holidays), effective_from=NOW)
    place = next(POSITIONS)
    await sla.runtime.store.write(lambda unit: learn(sla, unit, data, place))


async def fill(url: str, number: int, due_at: datetime) -> None:
    """Make so many requests, each with a clock that is due at an instant."""
    connection = await asyncpg.connect(url)
    await connection.execute("TRUNCATE ticket, fact, clock")
    await connection.execute(TICKET, number, OLD)
    await connection.execute(FACT, NOW)
    await connection.execute(CLOCK, due_at)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


async def seconds(work: Callable[[], Awaitable[object]]) -> float:
    """Return how long something takes."""
    begun = time.perf_counter()
    await work()
    return time.perf_counter() - begun


async def recompute(sla: Sla, url: str) -> float:
    """Return how many clocks a second are timed anew when a version with other hours is published."""
    await publish_hours(sla, OLD)
    await fill(url, RECOMPUTED, NOW + timedelta(hours=8))

    async def work() -> None:
        await publish_hours(sla, NEW)
        while await sla.runtime.store.write(lambda unit: go_on(sla, unit)):
            pass

    return RECOMPUTED / await seconds(work)


def adds() -> float:
    """Return how many times a second business time is added on the newer calendar."""
    from firstline.common.policy.model import Policy  # noqa: PLC0415 (as the service reads it)

    calendar = terms_of(Policy.from_document(policy(["2026-11-24"]))).calendar
    starts = [NOW - timedelta(seconds=number % 3600) for number in range(RECOMPUTED)]
    amount = timedelta(minutes=600)
    begun = time.perf_counter()
    for start in starts:
        calendar.add(start, amount)
    return RECOMPUTED / (time.perf_counter() - begun)


def fold_of_100() -> tuple[float, float]:
    """Return the microseconds of a fold over 100 events, and those of 100 additions of business time."""
    from firstline.common.policy.model import Policy  # noqa: PLC0415

    terms = terms_of(Policy.from_document(policy([])))
    kinds = ("client_message", "staff_reply", "wait", "resume")
    story = [ClockEvent("created", NOW, traits={"urgency": "normal"}, id="0")]
    story += [
        ClockEvent(kinds[number % 4], NOW + timedelta(minutes=7 * number), id=str(number))  # type: ignore[arg-type]
        for number in range(1, 100)
    ]
    until, rounds = NOW + timedelta(days=3), 200
    begun = time.perf_counter()
    for _ in range(rounds):
        fold(story, terms.rules, terms.calendar, until)
    folded = time.perf_counter() - begun
    begun = time.perf_counter()
    for _ in range(rounds):
        for event in story:
            terms.calendar.add(event.at, timedelta(minutes=600))
    return folded / rounds * 1e6, (time.perf_counter() - begun) / rounds * 1e6


async def ticks(sla: Sla, url: str) -> float:
    """Return the milliseconds of a look for what is due where nothing is, among a million clocks that run."""
    await fill(url, OPEN, NOW + timedelta(hours=8))
    store = sla.runtime.store
    return median(
        [1000 * await seconds(lambda: store.write(lambda unit: fire_due(sla, unit, NOW, 500))) for _ in range(TICKS)]
    )


async def breaches(sla: Sla, url: str) -> float:
    """Return the seconds until 50,000 breaches that fall due at once are recorded, events included."""
    await fill(url, BREACHES, NOW)

    async def work() -> None:
        while await sla.runtime.store.write(lambda unit: fire_due(sla, unit, NOW, CLOCKS_A_STEP)):
            pass

    return await seconds(work)


async def published(sla: Sla, here: Place) -> float:
    """Return how many of the events that wait in the log a second are numbered, published and confirmed."""
    bus = AmqpBus(here.rabbit.url, sla.runtime.ports, name="bench")
    await bus.start()
    while not bus.connected:
        await asyncio.sleep(0.05)
    relay, done, begun = Relay("sla", sla.runtime.store, bus, sla.runtime.ports), 0, time.perf_counter()
    while done < EVENTS:
        done += await relay.step()
    took = time.perf_counter() - begun
    await bus.stop()
    return done / took


async def pipeline(here: Place) -> float:
    """Return how many events a second the least pipeline moves from its log to its consumer."""
    url = here.postgres.create("yardstick")
    await make_tables(url)
    connection = await asyncpg.connect(url)
    body = Ten.model_validate(BODY)
    await connection.executemany(KEEP, [kept(f"event-{number}", body) for number in range(EVENTS)])
    begun = time.perf_counter()
    async with running_pipeline(url, here.rabbit.url):
        while await connection.fetchval("SELECT count(*) FROM entry") < EVENTS:
            await asyncio.sleep(0.02)
        took = time.perf_counter() - begun
    await connection.close()
    return EVENTS / took


async def measure(here: Place) -> list[Figure]:
    """Measure everything on one server."""
    url = here.postgres.create("sla")
    await asyncio.to_thread(migrate_postgres, "sla", url)
    sla = await service(url, ManualClock(NOW))
    # As the process does that serves.
    keep_what_is_loaded()
    say = milestones.say
    milestones.say = _say_nothing  # type: ignore[assignment]
    pure = [(adds(), await recompute(sla, url)) for _ in range(REPETITIONS)]
    milestones.say = say
    bare, silent = median(one for one, _ in pure), median(two for _, two in pure)
    whole = await recompute(sla, url)
    tick = await ticks(sla, url)
    at_once = await breaches(sla, url)
    rate, least = await published(sla, here), await pipeline(here)
    folded, added = fold_of_100()
    await sla.runtime.store.close()
    most, least_note = "at most", f"least pipeline {least:,.0f}/s; aim 0.8"
    return [
        Figure("recompute", silent, "clocks/s", 0.02, silent / bare, f"events not counted; against {bare:,.0f} adds/s"),
        Figure("recompute, events told", whole, "clocks/s", note=f"{RECOMPUTED:,} running deadlines"),
        Figure("tick, nothing due", tick, "ms", 2.0, note=f"floor: ms, {most}; aim 0.5; {OPEN:,} clocks run"),
        Figure("breaches at once", at_once, "s", 10.0, note=f"floor: s, {most}; aim 3; {BREACHES:,}, with events"),
        Figure("publishing of breaches", rate, "events/s", 0.4, rate / least, least_note),
        Figure("fold of 100 events", folded, "us", ratio=added / folded, note=f"100 additions take {added:,.0f} us"),
    ]


if __name__ == "__main__":
    with place() as servers:
        publish("clocks", asyncio.run(measure(servers)))

"""Every report, recomputed from the log of events alone by an oracle that lives through it minute by minute (2.3)."""

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from firstline.common.store.port import Sql
from minute_calendar import MinuteCalendar
from minute_reports import Ended, attainment, rate, response_times, whose_time
from sla_stories import DAYS, HOURS, MINUTE, PLANS, UNTIL, Rows, lived, story
from sla_world import MONDAY, Ticket, World

HISTORIES = 60


@pytest.fixture(scope="module")
def walk() -> MinuteCalendar:
    """Return the calendar of these tests, every minute of it."""
    return MinuteCalendar(HOURS, MONDAY, 2 * DAYS)


def counted(requests: list[dict[str, Any]]) -> dict[str, Any]:
    """Count requests and what became of them."""
    marks = Counter(one["mark"] for one in requests if one["mark"])
    figures: dict[str, Any] = {"requests": len(requests), "rated": sum(marks.values())}
    for name, is_so in (("out_of_turn", "jumped"), ("reopened", "reopened"), ("split_off", "split")):
        figures[name] = len([one for one in requests if one[is_so]])
    figures["out_of_scope"] = len([one for one in requests if one["verdict"] == "out"])
    for name in ("out_of_turn", "reopened", "split_off", "out_of_scope"):
        figures[f"{name}_share"] = rate(figures[name], len(requests))
    return figures | {f"mark_{mark}": count for mark, count in marks.items()}


EXPECT: dict[str, Callable[[list[Ended]], dict[str, Any]]] = {
    "attainment": attainment,
    "response-times": response_times,
    "whose-time": whose_time,
}


async def compare(world: World, name: str, by: str, rows: list[Any], count: Callable[[Any], dict[str, Any]]) -> int:
    """Compare one report with what plain counting says; return how many groups it had."""
    span = {"from": (MONDAY - MINUTE).isoformat(), "until": (UNTIL + MINUTE).isoformat()}
    answer = await world.get(f"/v1/reports/{name}", "supervisor", by=by, **span)
    assert answer.status_code == 200, answer.text
    document = answer.json()
    groups: dict[Any, list[Any]] = {}
    for about, one in rows:
        groups.setdefault(about[by], []).append(one)
    expected = {key: count(found) for key, found in groups.items()}
    told = {key: figures for key, figures in expected.items() if any(figures.get(n) for n in _SHOWN)}
    assert {line["key"]: line["figures"] for line in document["lines"]} == told, (name, by)
    assert document["total"] == count([one for _, one in rows]), (name, by)
    return len(told)


_SHOWN = ("answers", "requests", "unanswered")


async def test_every_report_is_what_the_log_says(bare: World, walk: MinuteCalendar) -> None:
    """Each report by each of its groups has the figures that an oracle counts from the log of events alone."""
    await bare.milestones.stop()
    await bare.deliver(bare.policy("plans", minutes=PLANS, calendar=HOURS))
    bare.clock.move(UNTIL)
    rows: Rows = []
    requests = []
    for seed in range(HISTORIES):
        told, events = story(bare, seed)
        Random(seed).shuffle(events)
        for event in events:
            await bare.deliver(event)
        assert bare.runtime.inbox is not None
        await bare.runtime.inbox.retry_waiting()
        rows += lived(told, walk)
        requests.append((told.about | {"month": f"{told.about['at']:%Y-%m}"}, told.about))
    late = Counter(one.late for _, one in rows)
    assert min(late[True], late[False], late[None]) > 5
    groups = ("target", "topic", "tier", "agent", "organization", "urgency", "month")
    sizes = [
        await compare(bare, name, by, rows, EXPECT[name]) for name in EXPECT for by in groups[name == "whose-time" :]
    ]
    sizes += [
        await compare(bare, "requests", by, requests, counted)
        for by in ("topic", "tier", "organization", "urgency", "month")
    ]
    assert max(sizes) > 2


async def test_lateness_is_what_the_clocks_have_published(bare: World) -> None:
    """An answer is late in a report exactly when its clock had published a breach before it was met."""
    await bare.deliver(bare.policy("plans", minutes=PLANS, calendar=HOURS))
    seen: Counter[bool | None] = Counter()
    for seed in range(5 * HISTORIES):
        told, events = story(bare, seed)
        if {"ticket.resolved", "ticket.closed", "ticket.reopened"} & {event.type for event in events}:
            continue
        for event in events:
            await bare.deliver(event)
        late, published = False, []
        for what, target in await bare.told(told.ticket):
            if target == "next_response":
                late |= what == "breached"
                if what == "met":
                    published.append(late)
                    late = False
        recorded = await recorded_of(bare, told.ticket)
        assert recorded == published, seed
        seen.update(recorded)
    assert min(seen[True], seen[False]) > 3


async def recorded_of(world: World, ticket: Ticket) -> list[bool | None]:
    """Return whether each next response of a request is recorded as late, in order."""
    text = "SELECT late FROM run WHERE ticket_id = :id AND target = 'next_response' ORDER BY ended_at"
    return await world.runtime.store.read(lambda unit: unit.all(Sql(text, bool), id=ticket.id))

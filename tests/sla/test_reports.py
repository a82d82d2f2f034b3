"""Every report, recomputed from the log of events alone by an oracle that lives through it minute by minute (2.3)."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from firstline.common.envelope import Envelope
from firstline.common.store.port import Sql
from minute_calendar import MinuteCalendar
from minute_reports import Ended, Recorder, attainment, rate, response_times, whose_time
from sla_world import MONDAY, Ticket, World

HISTORIES = 60
DAYS, SPAN = 4, 3 * 1440
MINUTE = timedelta(minutes=1)
HOURS = {"tz": "UTC", "hours": {day: [["06:00", "12:00"], ["13:00", "16:00"]] for day in ("mon", "tue", "wed", "thu")}}
PLANS = {
    "normal": {"first_response": 240, "next_response": 120},
    "high": {"first_response": 40, "next_response": 60, "resolution": 240},
}
KINDS = ["client", "client", "staff", "staff", "staff", "robot", "waiting", "resumed", "resolved", "closed", "reopened"]
KINDS += ["triaged", "rated", "claimed"]
SAYS = {"client": "client_message", "staff": "staff_reply", "waiting": "wait", "resumed": "resume"}
TOPICS, TIERS, AGENTS = ("installation", "updates", None), ("helpdesk", "technical_support"), ("anna", "ben")
UNTIL = MONDAY + SPAN * MINUTE


@dataclass
class Told:
    """What the log tells of one request, as the oracle and plain counting need it."""

    ticket: Ticket
    about: dict[str, Any]
    said: list[dict[str, Any]] = field(default_factory=list)
    by: dict[Any, dict[str, Any]] = field(default_factory=dict)
    """What reports group by, at each instant at which something ended."""


def story(world: World, seed: int) -> tuple[Told, list[Envelope]]:
    """Return a random request's events, no two of one minute, and what they say."""
    pick, ticket = Random(seed), world.ticket()
    minutes = sorted(pick.sample(range(SPAN), pick.randrange(1, 12)))
    urgency, topic, tier = pick.choice(["normal", "high"]), pick.choice(TOPICS), pick.choice(TIERS)
    start = MONDAY + minutes[0] * MINUTE
    about: dict[str, Any] = {
        "topic": topic,
        "tier": tier,
        "urgency": urgency,
        "organization": pick.choice([None, "shop", "bank"]),
    }
    about |= {"split": pick.random() < 0.2, "verdict": "in", "reopened": 0, "mark": None, "jumped": False, "at": start}
    told = Told(ticket, about)
    submitted = {key: about[key] for key in ("topic", "tier", "urgency")}
    submitted |= {"organization_id": about["organization"], "policy_version": "plans"}
    submitted |= {"split_from": "another"} if about["split"] else {}
    events = [world.event(ticket, "ticket.submitted", start, **submitted)]
    told.said.append({"type": "created", "at": start, "id": "e0", "targets": PLANS[urgency]})
    for number, minute in enumerate(minutes[1:], 1):
        _next(world, told, events, pick, MONDAY + minute * MINUTE, f"e{number}")
    return told, events


def _next(world: World, told: Told, events: list[Envelope], pick: Random, at: Any, event_id: str) -> None:
    """Let something happen to the request."""
    kind, about = pick.choice(KINDS), told.about
    fact: dict[str, Any] = {"type": SAYS.get(kind, kind), "at": at, "id": event_id}
    agent, actor = pick.choice(AGENTS), {"id": "system", "role": "service"}
    if kind in ("resolved", "closed") and pick.random() < 0.8:
        actor = {"id": agent, "role": "agent"}
    ended_by = agent if kind == "staff" else actor["id"] if actor["role"] == "agent" else None
    told.by[at] = {**about, "agent": ended_by}
    if kind in ("client", "staff", "robot"):
        side = "staff" if kind == "staff" else "client"
        event = world.event(told.ticket, "ticket.replied", at, side=side, automatic=kind == "robot")
        event = event.model_copy(update={"data": event.data | {"author": event.data["author"] | {"id": agent}}})
    elif kind == "waiting":
        fact["cause"] = pick.choice(["client", "third_party", "release"])
        event = world.event(told.ticket, "ticket.waiting", at, cause=fact["cause"])
    elif kind == "triaged":
        about |= {"urgency": pick.choice(["normal", "high"]), "topic": pick.choice(TOPICS), "tier": pick.choice(TIERS)}
        changes = {}
        if pick.random() < 0.5:
            about["verdict"] = pick.choice(["in", "out"])
            changes = {"scope": [{"verdict": "in"}, {"verdict": about["verdict"]}]}
        fact |= {"type": "targets_changed", "targets": PLANS[about["urgency"]]}
        judged = {key: about[key] for key in ("urgency", "topic", "tier")}
        event = world.event(told.ticket, "ticket.triaged", at, changes=changes, **judged)
    elif kind == "rated":
        about["mark"] = pick.choice(["good", "bad"])
        event = world.event(told.ticket, "ticket.rated", at, mark=about["mark"])
    elif kind == "claimed":
        jumps = pick.random() < 0.5
        about["jumped"] |= jumps
        key = {"out_of_turn": jumps, "since": at, "position": 1}
        data = {"number": told.ticket.number, "key": key, "agent": agent}
        stream = f"entry/{told.ticket.id}"
        version = 1 + sum(event.stream == stream for event in events)
        event = world.envelope(stream, "queue.claimed", version, at, data)
    else:
        event = world.event(told.ticket, f"ticket.{kind}", at, actor=actor)
        about["reopened"] += kind == "reopened"
    events.append(event)
    if kind not in ("robot", "rated", "claimed"):
        told.said.append(fact)


@pytest.fixture(scope="module")
def walk() -> MinuteCalendar:
    """Return the calendar of these tests, every minute of it."""
    return MinuteCalendar(HOURS, MONDAY, 2 * DAYS)


Rows = list[tuple[dict[str, Any], Ended]]


def lived(told: Told, walk: MinuteCalendar) -> Rows:
    """Return what ended of a request, with what it is grouped by; what there is once by its last end."""
    recorder = Recorder(told.said, told.said[0]["targets"], walk, UNTIL)
    kept: dict[Any, tuple[dict[str, Any], Ended]] = {}
    for one in recorder.ended:
        about = told.by[one.at] | {"target": one.target, "month": f"{one.at:%Y-%m}"}
        kept[(one.target, one.at if one.target == "next_response" else None)] = (about, one)
    return list(kept.values())


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

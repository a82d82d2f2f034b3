"""Random requests as intake and queue tell of them, with what an oracle needs to live through them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any

from firstline.common.envelope import Envelope
from minute_calendar import MinuteCalendar
from minute_reports import Ended, Recorder
from sla_world import MONDAY, Ticket, World

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
    told.said.append({"type": "created", "at": start, "id": "e0", "targets": PLANS[urgency], "level": urgency})
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
        fact |= {"type": "targets_changed", "targets": PLANS[about["urgency"]], "level": about["urgency"]}
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


Rows = list[tuple[dict[str, Any], Ended]]


def lived(told: Told, walk: MinuteCalendar, plans: Mapping[str, Any] | None = None) -> Rows:
    """Return what ended of a request, with what it is grouped by; what there is once by its last end.

    `plans` are other targets than the story's own.
    """
    said = [{**fact, "targets": (plans or PLANS)[fact["level"]]} if "level" in fact else fact for fact in told.said]
    recorder = Recorder(said, said[0]["targets"], walk, UNTIL)
    kept: dict[Any, tuple[dict[str, Any], Ended]] = {}
    for one in recorder.ended:
        about = told.by[one.at] | {"target": one.target, "month": f"{one.at:%Y-%m}"}
        kept[(one.target, one.at if one.target == "next_response" else None)] = (about, one)
    return list(kept.values())

"""Random tickets as intake and accounts tell of them: their events, and what these say to an oracle of clocks."""

from datetime import timedelta
from random import Random
from typing import Any

from firstline.common.envelope import Envelope
from sla_world import MONDAY, Ticket, World

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
WARNINGS = [{"share": 0.5}, {"minutes": 10}]
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


def history(
    world: World, ticket: Ticket, pick: Random, version: str = "plans"
) -> tuple[list[Envelope], list[dict[str, Any]]]:
    """Return intake's events of a ticket, and what they say to the oracle."""
    places = sorted(pick.randrange(SPAN) for _ in range(pick.randrange(1, 10)))
    like = judged(pick) | paid(pick)
    at = MONDAY + places[0] * MINUTE
    envelopes = [world.event(ticket, "ticket.submitted", at, policy_version=version, **like)]
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


async def tell_licences(world: World) -> None:
    """Let accounts tell of the licences."""
    for licence_id, edition in EDITIONS.items():
        data = {"id": licence_id, "key_sha256": licence_id, "last4": "1234", "product": "Box", "edition": edition}
        await world.deliver(world.envelope(f"licence/{licence_id}", "account.licence_changed", 1, MONDAY, data))


async def shuffled(world: World, envelopes: list[Envelope], pick: Random) -> None:
    """Deliver events in any order, some twice, one or several at a time."""
    left = envelopes + [event for event in envelopes if pick.random() < 0.3]
    pick.shuffle(left)
    while left:
        size = pick.randrange(1, 5)
        await world.deliver(*left[:size])
        left = left[size:]

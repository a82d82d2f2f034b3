"""Random histories of tickets: likely ones, unlikely ones, and events that the status doesn't allow."""

from datetime import datetime, timedelta
from random import Random
from typing import Any

LIKELY = {
    "open": ["client_message", "staff_reply", "staff_reply", "internal_note", "wait", "wait", "resolved", "closed"],
    "waiting": ["client_message", "staff_reply", "resume", "resume", "wait", "resolved", "closed"],
    "resolved": ["client_message", "staff_reply", "closed", "reopened", "reopened"],
    "closed": ["client_message", "reopened", "reopened", "internal_note"],
}
AFTER = {"wait": "waiting", "resume": "open", "resolved": "resolved", "closed": "closed", "reopened": "open"}
ANY = sorted({name for names in LIKELY.values() for name in names} | {"created"})


def random_targets(pick: Random) -> dict[str, int]:
    """Return targets that are multiples of four minutes, so that three quarters of them are whole."""
    names = ["first_response", "next_response", "resolution"]
    chosen = [name for name in names if pick.random() < 0.9] or names
    return {name: 4 * pick.randrange(1, pick.choice([20, 100, 400])) for name in chosen}


VALUES: dict[str, list[str | None]] = {
    "urgency": ["normal", "high", "odd"],
    "topic": ["updates", "updates.failed", "cloud", "cloud.sync", None],
    "tier": ["helpdesk", "development"],
    "organization_id": ["shop", None],
    "entitlement": ["active", "expired", "unknown"],
    "edition": ["Team", "Pro", None],
}


def random_rules(pick: Random) -> list[dict[str, Any]]:
    """Return up to four rules as a policy has them, of one to three lists each."""
    rules = []
    for number in range(pick.randrange(5)):
        asked = pick.sample(sorted(VALUES), pick.choice([1, 1, 2, 3]))
        when = {name: sorted({str(pick.choice(VALUES[name][:-1])) for _ in range(2)}) for name in asked}
        rules.append({"code": f"rule_{number}", "when": when, "minutes": random_targets(pick)})
    return rules


def random_traits(pick: Random, share: float) -> dict[str, str | None]:
    """Return what is said of a ticket: each property with that probability."""
    return {name: pick.choice(values) for name, values in VALUES.items() if pick.random() < share}


def random_history(pick: Random, first: datetime, minutes: int) -> list[dict[str, Any]]:
    """Return events on whole minutes, some at one instant, some twice, in no particular order."""
    lawful = pick.random() < 0.6
    count = pick.randrange(1, 14)
    places = sorted(pick.randrange(0, minutes) for _ in range(count))
    events: list[dict[str, Any]] = []
    status = "open"
    for number, place in enumerate(places):
        kind = pick.choice(LIKELY[status] if lawful else ANY) if number or pick.random() < 0.05 else "created"
        if pick.random() < 0.08:
            kind = "targets_changed"
        status = AFTER.get(kind, status)
        together = events and pick.random() < 0.15
        at = events[-1]["at"] if together else first + timedelta(minutes=place)
        events.append({"type": kind, "at": at, "id": f"e{number}"})
        if kind == "wait":
            events[-1]["cause"] = pick.choice(["client", "third_party", "release", None])
        if kind == "targets_changed" and pick.random() < 0.5:
            events[-1]["targets"] = random_targets(pick)
        if pick.random() < {"created": 0.8, "targets_changed": 0.8}.get(kind, 0.1):
            events[-1]["traits"] = random_traits(pick, 0.9 if kind == "created" else 0.3)
    events += [dict(event) for event in events if pick.random() < 0.1]
    if pick.random() < 0.5:
        pick.shuffle(events)
    return events

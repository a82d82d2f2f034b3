"""Slow and plain folds of the event logs: what the queue and the clocks should say, thought through once more.

Shares nothing with the product but the names of events.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from clock_states import ClockStates, Fact, Watch
from evidence import Event, Minutes, when

Order = tuple[bool, datetime, int]


def received(event: Event) -> datetime:
    """Return the instant at which what an event tells came in."""
    return when(event.data["received_at"]) if event.data.get("received_at") else event.time


def is_automatic(event: Event) -> bool:
    """Say whether a robot wrote it."""
    return bool(event.data.get("origin", {}).get("automatic"))


@dataclass
class Unanswered:
    """Whether a request is owed an answer, and since when."""

    status: str = "new"
    urgency: str = "normal"
    since: datetime | None = None
    position: int | None = None

    def take(self, event: Event) -> None:
        """Take the next event of the request."""
        self.status = event.data["status"]
        self.urgency = event.data.get("urgency", self.urgency)
        asks = event.type == "ticket.reopened"
        answers = event.type in ("ticket.resolved", "ticket.closed")
        if event.type == "ticket.submitted":
            asks = not is_automatic(event)
        elif event.type == "ticket.replied" and not is_automatic(event):
            asks = event.data["author"]["side"] == "client"
            answers = not asks
        if event.type == "ticket.resumed" and event.data["cause"] == "release":
            self._ask(event.time, event.position)
        if asks:
            self._ask(received(event), event.position)
        if answers:
            self.since = self.position = None

    def _ask(self, at: datetime, position: int | None) -> None:
        if self.since is None or at < self.since:
            self.since, self.position = at, position

    @property
    def is_owed(self) -> bool:
        """Whether the queue has to hold it."""
        return self.since is not None and self.status in ("new", "open")


def unanswered(events: Sequence[Event]) -> Unanswered:
    """Return what a request is owed after its events."""
    state = Unanswered()
    for event in events:
        state.take(event)
    return state


@dataclass
class Silence:
    """Whether it is for the client to say something, and what they were told comes of their silence."""

    awaited: str | None = None
    """`waiting_client` or `resolved`, as the policy calls it."""

    told: datetime | None = None
    reminded: datetime | None = None

    def take(self, event: Event) -> None:
        """Take the next event of the request."""
        data, status = event.data, event.data["status"]
        waits = data["cause"] == "client" if event.type == "ticket.waiting" else self.awaited == "waiting_client"
        awaited = "resolved" if status == "resolved" else "waiting_client" if status == "waiting" and waits else None
        if event.type in ("ticket.waiting", "ticket.resolved") or awaited != self.awaited:
            self.told = self.reminded = None
        self.awaited = awaited
        if data.get("closes_at"):
            self.told = when(data["closes_at"])
        if event.type == "ticket.reminded":
            self.reminded = event.time


def facts_of(events: Sequence[Event], targets: dict[str, dict[str, Any]]) -> list[Fact]:
    """Return a request's history as its clocks see it: nothing counts from before what the desk did earlier."""
    found: list[Fact] = []
    urgency = ""
    for event in events:
        fact = _fact(event, targets, urgency)
        urgency = event.data.get("urgency", urgency)
        if fact is None:
            continue
        heard = ("created", "client_message")
        earlier = [known.at for known in found if fact.kind not in heard or known.kind not in heard]
        fact.at = max([fact.at, *earlier])
        found.append(fact)
    return sorted(found, key=lambda fact: fact.at)


def _fact(event: Event, targets: dict[str, dict[str, Any]], urgency: str) -> Fact | None:
    data, kind = event.data, event.type.partition(".")[2]
    if kind == "submitted":
        name = "judged" if is_automatic(event) else "created"
        return Fact(name, received(event), targets=_given(targets, data["urgency"]))
    if kind == "replied" and not is_automatic(event):
        return Fact("staff_reply" if data["author"]["side"] == "staff" else "client_message", received(event))
    if kind == "triaged" and data["urgency"] != urgency:
        return Fact("targets_changed", event.time, targets=_given(targets, data["urgency"]))
    if kind == "waiting":
        return Fact("wait", event.time, cause=data["cause"])
    if kind in ("resumed", "resolved", "closed"):
        return Fact(kind.replace("resumed", "resume"), event.time)
    return Fact("reopened", received(event)) if kind == "reopened" else None


def _given(targets: dict[str, dict[str, Any]], urgency: str) -> dict[str, float]:
    return {name: float(minutes) for name, minutes in targets.get(urgency, {}).items() if minutes is not None}


class Clocks(ClockStates[tuple[datetime, float]]):
    """All clocks of one request, lived through from event to event; what they spent are the stretches counted."""

    def __init__(self, minutes: Minutes, now: datetime) -> None:
        super().__init__({})
        self.minutes = minutes
        self.now = now

    def live(self, facts: Sequence[Fact], as_of: datetime) -> None:
        """Live up to an instant; what happens at one instant comes before the deadline of that instant."""
        for fact in facts:
            if fact.at > as_of:
                break
            self._pass(fact.at)
            self.happen(fact)
        self._pass(as_of)
        for name, watch in self.watches.items():
            if self._runs(watch) and name in self.targets and self.due(name) <= as_of:
                watch.late = True

    def _runs(self, watch: Watch[tuple[datetime, float]]) -> bool:
        return watch.mode == "on" and self.status == "open"

    def due(self, name: str) -> datetime:
        """Return when a clock's target is used up, if nothing else happens; it may lie in the past."""
        left = self.targets[name]
        for start, spent in self.watches[name].spent:
            if left <= spent:
                return self.minutes.add(start, left)
            left -= spent
        return self.minutes.add(self.now, left)

    def _pass(self, to: datetime) -> None:
        if to <= self.now:
            return
        passed = self.minutes.between(self.now, to)
        for name, watch in self.watches.items():
            if not self._runs(watch):
                continue
            if name in self.targets and self.due(name) < to:
                watch.late = True
            watch.spent.append((self.now, passed))
        self.now = to

    def counted(self, name: str) -> float:
        """Return the open minutes that a clock has counted."""
        return sum(minutes for _, minutes in self.watches[name].spent)

    def _judged(self, fact: Fact) -> None:
        self.targets = fact.targets or {}

    def _created(self, fact: Fact) -> None:
        self.targets = fact.targets or {}
        super()._created(fact)


@dataclass
class Place:
    """An entry as queue's own log tells it."""

    key: Order | None = None
    agent: str | None = None
    fence: int = 0
    expires: datetime | None = None


def order_of(data: dict[str, Any]) -> Order:
    """Return the order in which an entry is served."""
    key = data["key"]
    return not key["out_of_turn"], when(key["since"]), key["position"]

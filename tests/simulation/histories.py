"""Slow and plain folds of the event logs: what the queue and the clocks should say, thought through once more.

Shares nothing with the product but the names of events.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

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
class Fact:
    """Something that clocks care about."""

    kind: str
    at: datetime
    cause: str | None = None
    targets: dict[str, float] | None = None


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
        return Fact(kind, event.time)
    return Fact("reopened", received(event)) if kind == "reopened" else None


def _given(targets: dict[str, dict[str, Any]], urgency: str) -> dict[str, float]:
    return {name: float(minutes) for name, minutes in targets.get(urgency, {}).items() if minutes is not None}


@dataclass
class Watch:
    """One clock while it is lived through: the stretches that it counted."""

    mode: str = "off"
    late: bool = False
    stretches: list[tuple[datetime, float]] = field(default_factory=list)

    @property
    def counted(self) -> float:
        """The open minutes counted so far."""
        return sum(spent for _, spent in self.stretches)


@dataclass
class Clocks:
    """All clocks of one request, lived through from event to event by counting open minutes."""

    minutes: Minutes
    now: datetime
    targets: dict[str, float] = field(default_factory=dict)
    status: str = "open"
    cause: str | None = None
    replied: bool = False
    watches: dict[str, Watch] = field(
        default_factory=lambda: {name: Watch() for name in ("first_response", "next_response", "resolution")}
    )

    def live(self, facts: Sequence[Fact], as_of: datetime) -> None:
        """Live up to an instant; what happens at one instant comes before the deadline of that instant."""
        for fact in facts:
            if fact.at > as_of:
                break
            self._pass(fact.at)
            getattr(self, f"_{fact.kind}")(fact)
        self._pass(as_of)
        for name, watch in self.watches.items():
            if self._runs(watch) and name in self.targets and self.due(name) <= as_of:
                watch.late = True

    def _runs(self, watch: Watch) -> bool:
        return watch.mode == "on" and self.status == "open"

    def due(self, name: str) -> datetime:
        """Return when a clock's target is used up, if nothing else happens; it may lie in the past."""
        left = self.targets[name]
        for start, spent in self.watches[name].stretches:
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
            watch.stretches.append((self.now, passed))
        self.now = to

    def state(self, name: str) -> str:
        """Return idle, running, paused or met."""
        mode = self.watches[name].mode
        if mode != "on":
            return {"off": "idle", "done": "met"}[mode]
        return {"open": "running", "waiting": "paused", "resolved": "idle", "closed": "idle"}[self.status]

    def _judged(self, fact: Fact) -> None:
        self.targets = fact.targets or {}

    def _created(self, fact: Fact) -> None:
        self.targets = fact.targets or {}
        self._client_message(fact)

    def _client_message(self, _fact: Fact) -> None:
        first, following, resolution = self.watches.values()
        if first.mode == "off":
            first.mode = "done" if self.replied else "on"
        if resolution.mode == "off":
            resolution.mode = "done" if self.status in ("resolved", "closed") else "on"
        if self.status == "waiting" and self.cause == "client":
            self.status = "open"
        if self.status in ("open", "waiting") and following.mode != "on":
            following.mode, following.stretches = "on", []

    def _staff_reply(self, _fact: Fact) -> None:
        first, following, _ = self.watches.values()
        self.replied = True
        for watch in (first, following):
            watch.late = False
            if watch.mode == "on":
                watch.mode = "done"

    def _wait(self, fact: Fact) -> None:
        if self.status in ("open", "waiting"):
            self.status, self.cause = "waiting", fact.cause

    def _resumed(self, _fact: Fact) -> None:
        if self.status == "waiting":
            self.status = "open"

    def _resolved(self, _fact: Fact) -> None:
        self._settle("resolved")

    def _closed(self, _fact: Fact) -> None:
        self._settle("closed")
        for watch in self.watches.values():
            watch.late = False

    def _settle(self, status: str) -> None:
        _, following, resolution = self.watches.values()
        self.status = status
        following.mode = "off"
        if resolution.mode == "on":
            resolution.mode = "done"

    def _reopened(self, _fact: Fact) -> None:
        _, following, resolution = self.watches.values()
        self.status = "open"
        following.mode, following.stretches = "on", []
        if resolution.mode == "done":
            resolution.mode = "on"
        for watch in self.watches.values():
            watch.late = False

    def _targets_changed(self, fact: Fact) -> None:
        self.targets = fact.targets or {}


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

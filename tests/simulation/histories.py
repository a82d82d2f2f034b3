"""Slow and plain folds of the event logs: what the queue and the clocks should say, thought through once more.

Shares nothing with the product but the names of events.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from clock_states import ClockStates, Fact, Watch
from evidence import Event, Minutes, when

Order = tuple[bool, datetime, int]
WITH_TEXT = ("ticket.submitted", "ticket.replied")


def received(event: Event) -> datetime:
    """Return the instant at which what an event tells came in."""
    return when(event.data["received_at"]) if event.data.get("received_at") else event.time


def is_automatic(event: Event) -> bool:
    """Say whether a robot wrote it."""
    return bool(event.data.get("origin", {}).get("automatic"))


@dataclass
class Unanswered:
    """Whether a request is owed an answer, and since when."""

    id: str
    status: str = "new"
    urgency: str = "normal"
    waits_for: str | None = None
    into: str | None = None
    owed: dict[str, datetime] = field(default_factory=dict)
    """The requests that were written to, this one or some that were merged into it: since when an answer is owed."""

    strays: list[Event] = field(default_factory=list)
    """Returns from a release that it did not wait for."""

    last: str = ""
    moved: dict[str, list[Fact]] = field(default_factory=dict)
    """What merges brought to its clocks and took from them, by the ID of the event after which they did."""

    def move(self, kind: str, owed: Mapping[str, datetime], at: datetime | None = None) -> None:
        """Note what a merge brings or takes."""
        facts = [Fact(kind, at or since, origin=origin) for origin, since in owed.items()]
        self.moved.setdefault(self.last, []).extend(facts)

    def take(self, event: Event) -> None:
        """Take the next event of the request, whatever it does to others."""
        returns = event.type == "ticket.resumed" and self.waits_for == "release" == event.data["cause"]
        if event.type == "ticket.released" and self.waits_for != "release":
            self.strays.append(event)
        self.status = event.data["status"]
        self.urgency = event.data.get("urgency", self.urgency)
        # What is owed from before is not owed anew; only a clock that was set back lets it be from later.
        asks = event.type == "ticket.reopened" and (self.since is None or self.since > received(event))
        answers = event.type in ("ticket.resolved", "ticket.closed")
        if event.type == "ticket.submitted":
            asks = not is_automatic(event)
        elif event.type == "ticket.replied" and not is_automatic(event):
            asks = event.data["author"]["side"] == "client"
            answers = not asks
        elif event.type == "ticket.waiting":
            self.waits_for = event.data["cause"]
        if self.status != "waiting" and event.type != "ticket.released":  # it tells the status after the return
            self.waits_for = None
        if returns:
            self._ask(event.time)
        if asks:
            self._ask(received(event))
        if answers:
            self.owed = {}
        self.last = event.id

    def _ask(self, at: datetime) -> None:
        self.owed[self.id] = min(at, self.owed.get(self.id, at))

    @property
    def since(self) -> datetime | None:
        """The receipt of the earliest that is unanswered."""
        return min(self.owed.values(), default=None)

    @property
    def is_owed(self) -> bool:
        """Whether the queue has to hold it."""
        return bool(self.owed) and self.status in ("new", "open")


def split_receipts(log: Sequence[Event]) -> dict[str, datetime]:
    """Return the receipt of the message that each request was made of, by the ID of the request that was split off."""
    receipts = {event.data["message_id"]: received(event) for event in log if event.type in WITH_TEXT}
    return {event.data["into"]: receipts[event.data["message_id"]] for event in log if event.type == "ticket.split"}


def unanswered(log: Sequence[Event]) -> dict[str, Unanswered]:
    """Return what every request is owed after all that intake's log tells, by its ID.

    What a duplicate is owed when it is merged is owed by the other one from then on, and what nobody has answered there
    goes back with it.
    """
    states: dict[str, Unanswered] = {}
    splits = split_receipts(log)
    for event in log:
        kind, _, identity = event.stream.partition("/")
        if kind != "ticket":
            continue
        state = states.setdefault(identity, Unanswered(identity))
        if event.type == "ticket.merged":
            state.into = event.data["into"]
            states[state.into].move("owed", state.owed)
            states[state.into].owed |= state.owed
        elif event.type == "ticket.unmerged":
            _take_back(states, state, event.time)
        state.take(event)
        if identity in splits and event.type == "ticket.submitted":
            state.owed = {identity: splits[identity]}
    return states


def _take_back(states: dict[str, Unanswered], state: Unanswered, at: datetime) -> None:
    away = {other.id for other in states.values() if state in _onward(states, other)}
    for other in _onward(states, state)[1:]:
        back = {origin: since for origin, since in other.owed.items() if origin in away}
        other.move("given_back", back, at)
        state.owed |= back
        other.owed = {origin: since for origin, since in other.owed.items() if origin not in away}
    state.into = None


def _onward(states: dict[str, Unanswered], state: Unanswered) -> list[Unanswered]:
    """Return a request and those that it goes on in, one after the other."""
    found = [state]
    while (into := found[-1].into) is not None:
        found.append(states[into])
    return found


@dataclass
class Standing:
    """What a request's log says of the verbs that are rare."""

    merged_into: str | None = None
    awaited_release: str | None = None
    supervisor_request: str | None = None
    rating: str | None = None
    planned: str | None = None
    shipped: Mapping[str, datetime] = field(default_factory=dict)
    """When which release was out; nothing waits for one that is."""

    def take(self, event: Event) -> None:
        """Take the next event of the request."""
        data = event.data
        match event.type:
            case "ticket.merged":
                self.merged_into = data["into"]
            case "ticket.unmerged":
                self.merged_into = None
            case "ticket.handed_over":
                self.planned = data["planned_release"] and data["planned_release"]["version"]
            case "ticket.waiting":
                shipped_at = self.shipped.get(self.planned or "")
                waits = data["cause"] == "release" and (shipped_at is None or shipped_at > event.time)
                self.awaited_release = self.planned if waits else None
            case "ticket.release_planned":
                self.awaited_release = self.planned = data["planned_release"]["version"]
            case "ticket.supervisor_requested":
                self.supervisor_request = data["request_id"]
            case "ticket.supervisor_answered":
                self.supervisor_request = None
            case "ticket.rated":
                self.rating = data["comment"]
        if data["status"] != "waiting":
            self.awaited_release = None


def standing(events: Sequence[Event], shipped: Mapping[str, datetime] | None = None) -> Standing:
    """Return how a request stands after its events, where these releases were out at these times."""
    state = Standing(shipped=shipped or {})
    for event in events:
        state.take(event)
    return state


def homes(log: Sequence[Event]) -> dict[str, set[str]]:
    """Return to which requests each message may have been written, by the message's ID.

    That is the one that has it, and those that went on in it, through others maybe, when it came in.
    """
    into: dict[str, str] = {}
    found: dict[str, set[str]] = {}
    for event in log:
        identity = event.stream.partition("/")[2]
        if event.type == "ticket.merged":
            into[identity] = event.data["into"]
        elif event.type == "ticket.unmerged":
            into.pop(identity, None)
        elif event.type in WITH_TEXT:
            found[event.data["message_id"]] = {identity, *_merged_into(identity, into)}
    return found


def duplicates(streams: Mapping[str, Sequence[Event]]) -> dict[str, set[str]]:
    """Return which requests go on in each one after all of its events, directly or through others."""
    stands = {identity: standing(events).merged_into for identity, events in streams.items()}
    into = {identity: target for identity, target in stands.items() if target is not None}
    return {identity: _merged_into(identity, into) for identity in streams}


def _merged_into(identity: str, into: Mapping[str, str]) -> set[str]:
    direct = {duplicate for duplicate, target in into.items() if target == identity}
    return direct.union(*(_merged_into(duplicate, into) for duplicate in direct))


@dataclass
class Silence:
    """Whether it is for the client to say something, and what they were told comes of their silence."""

    awaited: str | None = None
    """`waiting_client` or `resolved`, as the policy calls it."""

    told: datetime | None = None
    reminded: datetime | None = None
    asks_supervisor: bool = False
    """Who waits for the supervisor's answer is not silent."""

    def take(self, event: Event) -> None:
        """Take the next event of the request."""
        data, status = event.data, event.data["status"]
        if event.type in ("ticket.supervisor_requested", "ticket.supervisor_answered"):
            self.asks_supervisor = event.type == "ticket.supervisor_requested"
            self.told = self.reminded = None
        waits = data["cause"] == "client" if event.type == "ticket.waiting" else self.awaited == "waiting_client"
        awaited = "resolved" if status == "resolved" else "waiting_client" if status == "waiting" and waits else None
        if event.type in ("ticket.waiting", "ticket.resolved") or awaited != self.awaited:
            self.told = self.reminded = None
        self.awaited = awaited
        if data.get("closes_at"):
            self.told = when(data["closes_at"])
        if event.type == "ticket.reminded":
            self.reminded = event.time


def facts_of(
    events: Sequence[Event], targets: dict[str, dict[str, Any]], moved: Mapping[str, list[Fact]]
) -> list[Fact]:
    """Return a request's history as its clocks see it: nothing counts from before what the desk did earlier.

    `moved` is what merges brought and took, by the ID of the event after which they did.
    """
    found: list[Fact] = []
    urgency = ""
    for event in events:
        told = _fact(event, targets, urgency)
        urgency = event.data.get("urgency", urgency)
        for fact in [*([told] if told else ()), *moved.get(event.id, ())]:
            heard = ("created", "client_message", "owed")
            earlier = [known.at for known in found if fact.kind not in heard or known.kind not in heard]
            fact.at = max([fact.at, *earlier])
            found.append(fact)
    return sorted(found, key=lambda fact: fact.at)


def _fact(event: Event, targets: dict[str, dict[str, Any]], urgency: str) -> Fact | None:
    data, kind = event.data, event.type.partition(".")[2]
    if kind == "submitted":
        name = "judged" if is_automatic(event) else "created"
        at = event.time if data["split_from"] else received(event)
        return Fact(name, at, targets=_given(targets, data["urgency"]))
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
        self.owed: dict[str | None, datetime] = {}
        """The first unanswered message of this request (None) and of each duplicate that was merged into it."""

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

    def _client_message(self, fact: Fact) -> None:
        was = self.watches["next_response"].mode
        super()._client_message(fact)
        self._ask(fact, was)

    def _reopened(self, fact: Fact) -> None:
        super()._reopened(fact)
        self.owed = {None: fact.at}

    def _owed(self, fact: Fact) -> None:
        following = self.watches["next_response"]
        was = following.mode
        if self.status in ("open", "waiting") and was != "on":
            following.start_anew()
        self._ask(fact, was)

    def _ask(self, fact: Fact, was: str) -> None:
        if was != "on":
            self.owed = {}
        self.owed.setdefault(fact.origin, fact.at)

    def _given_back(self, fact: Fact) -> None:
        """Go on from the first that is left to answer, as if the others had never been."""
        following = self.watches["next_response"]
        if following.mode != "on" or self.owed.pop(fact.origin, None) is None:
            return
        if not self.owed:
            following.mode, following.late = "off", False
            return
        first = min(self.owed.values())
        following.spent = [(start, spent) for start, spent in following.spent if start >= first]
        following.late = self.counted("next_response") > self.targets.get("next_response", float("inf"))


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

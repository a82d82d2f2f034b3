"""What a ticket's history says to its clocks: phases of its status, when each clock began and ended, what was missed.

Semantics of the design's clock events; `firstline.sla.clock` turns the result into states and deadlines.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Literal

from firstline.common.calendar import Calendar
from firstline.common.errors import Fault, Invalid
from firstline.common.policy.targets import Traits
from firstline.sla.targets import TARGETS, Minutes, Target, TargetRule, TargetRules, fixed

State = Literal["idle", "running", "paused", "met"]
Status = Literal["open", "waiting", "resolved", "closed"]
Cause = Literal["client", "third_party", "release"]
EventType = Literal[
    "created",
    "client_message",
    "staff_reply",
    "internal_note",
    "wait",
    "resume",
    "resolved",
    "closed",
    "reopened",
    "targets_changed",
    "owed",
    "given_back",
]

Counted = list[tuple[datetime, datetime, timedelta]]
"""Stretches of counted time: start, end, business time between them."""

_RESPONSES: tuple[Target, ...] = ("first_response", "next_response")
_MOST_MINUTES = 5_000_000_000
_AT = attrgetter("at")


@dataclass(frozen=True, slots=True)
class ClockEvent:
    """One fact of a ticket's history that clocks care about.

    Attributes:
        type: what happened; `created` counts as a client message.
        at: the aware instant.
        cause: of a `wait`: who is waited for. Without one only `resume` ends the waiting.
        traits: what the request is like from now on, as far as the event says it; the targets are chosen anew by it.
        targets: of `targets_changed`: business minutes from now on, whatever the request is like; of `created` those
            that it began with.
        id: events with the same id count once.
        origin: of `owed`, an unanswered message of a duplicate that was merged: whose it is. Of `given_back`, which
            takes that back: the same.

    """

    type: EventType
    at: datetime
    cause: Cause | None = None
    targets: Minutes | None = None
    id: str | None = None
    origin: str | None = None
    traits: Traits | None = None


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of time in which the ticket's status, and the rule that gave its targets, stayed as they were."""

    start: datetime
    end: datetime
    status: Status
    cause: Cause | None
    rule: TargetRule


@dataclass(slots=True)
class History:
    """What the events read so far say.

    Attributes:
        rules: what the policy says of targets.
        rule: the rule that gives the targets now.
        calendar: the working hours.
        traits: what the ticket is like now.
        chosen_by: the traits that the rule was chosen by; None where minutes were given instead.
        status: the ticket's status now, with the `cause` of its waiting, since `phase_from`.
        phases: the ended phases.
        opened: the client's first message; the first response and the resolution count from there.
        answered: the first public staff message.
        asked: what the next response counts from, `asked_until` its end and `asked_state` what it was at the end.
        owed: the first unanswered message of this ticket itself (None) and of each duplicate that was merged into it.
        settled: when it was resolved or closed and not reopened.
        judged: the instant before which lateness is forgotten, or was judged by earlier targets.
        missed: clocks that passed an earlier target's deadline.

    """

    rules: TargetRules
    rule: TargetRule
    calendar: Calendar
    traits: Traits = field(default_factory=dict)
    chosen_by: Traits | None = None
    status: Status = "open"
    cause: Cause | None = None
    phase_from: datetime | None = None
    phases: list[Phase] = field(default_factory=list)
    opened: datetime | None = None
    answered: datetime | None = None
    asked: datetime | None = None
    asked_until: datetime | None = None
    asked_state: State = "idle"
    owed: dict[str | None, datetime] = field(default_factory=dict)
    settled: datetime | None = None
    judged: dict[Target, datetime] = field(default_factory=dict)
    missed: set[Target] = field(default_factory=set)

    @property
    def targets(self) -> Minutes:
        """The business minutes that apply now."""
        return self.rule.minutes

    def turn(self, at: datetime, status: Status, cause: Cause | None = None) -> None:
        """End the present phase and begin another."""
        # A phase without length holds no time, and would be a stretch of nothing in explanations.
        if self.phase_from is not None and self.phase_from < at:
            self.phases.append(Phase(self.phase_from, at, self.status, self.cause, self.rule))
        self.phase_from, self.status, self.cause = at, status, cause

    @property
    def awaiting(self) -> bool:
        """Whether something that the client said is unanswered."""
        return self.asked is not None and self.asked_until is None

    def ask(self, at: datetime, origin: str | None = None) -> None:
        """Note something to answer; the run goes on from the first that is unanswered."""
        if self.settled is not None:
            return
        if not self.awaiting:
            self.asked, self.asked_until, self.owed = at, None, {}
        self.owed.setdefault(origin, at)

    def settle(self, at: datetime, status: Status) -> None:
        """Resolve or close: response clocks become idle, the resolution is met."""
        self.turn(at, status)
        # Closing what is resolved doesn't move the resolution.
        self.settled = self.settled or at
        if self.awaiting:
            self.asked_until = at
        self.asked_state = "idle"

    def forget_lateness(self, at: datetime, targets: Iterable[Target]) -> None:
        """Clear what is sticky."""
        for target in targets:
            self.judged[target] = at
            self.missed.discard(target)

    def run(self, target: Target) -> tuple[datetime | None, datetime | None]:
        """Return the start and end of a clock's present or last run."""
        if target == "next_response":
            return self.asked, self.asked_until
        return self.opened, self.answered if target == "first_response" else self.settled

    def state(self, target: Target) -> State:
        """Return a clock's state."""
        start, end = self.run(target)
        # By itself the end doesn't tell an answer from a closing, or from what went back with a duplicate.
        if target == "next_response" and end is not None:
            return self.asked_state
        if start is None or (end is None and self.settled is not None):
            return "idle"
        if end is not None:
            return "met"
        return "paused" if self.status == "waiting" else "running"


def read_history(
    events: Iterable[ClockEvent], targets: Minutes | TargetRules, calendar: Calendar, as_of: datetime
) -> History:
    """Read events in order of time, each id once, up to and including an instant; phases end there."""
    told = [event for event in in_order(events) if event.at <= as_of]
    past = no_history(told, targets, calendar)
    for event in told:
        happen(past, event)
    past.turn(as_of, past.status, past.cause)
    return past


def no_history(told: Iterable[ClockEvent], targets: Minutes | TargetRules, calendar: Calendar) -> History:
    """Return a history of which nothing was read yet, with the rule by which it begins; `told` is in order of time.

    Raises:
        Invalid: a target is out of range.

    """
    rules = targets if isinstance(targets, TargetRules) else fixed(targets)
    rule, chosen_by = _first_rule(rules, told)
    _checked(rule.minutes)
    return History(rules, rule, calendar, chosen_by=chosen_by)


def _first_rule(rules: TargetRules, told: Iterable[ClockEvent]) -> tuple[TargetRule, Traits | None]:
    """Return the rule by which a history begins, and by which traits: those said first hold from the start."""
    for event in told:
        if event.traits is not None:
            return rules.choose(event.traits), event.traits
        if event.type == "created" and event.targets:
            return TargetRule(None, event.targets), None
    return rules.choose({}), {}


def in_order(events: Iterable[ClockEvent]) -> Iterator[ClockEvent]:
    """Yield events in order of time, those of one instant as given, each id once."""
    seen: set[str] = set()
    # Python's sort is stable, which is what keeps those of one instant as they were given.
    for event in sorted(events, key=_AT):
        if event.id is not None:
            if event.id in seen:
                continue
            seen.add(event.id)
        yield event


def happen(past: History, event: ClockEvent) -> None:
    """Let a history have what happened next."""
    if event.traits is not None:
        _judges(past, event.traits, event.at)
    _REACTIONS[event.type](past, event)


def _checked(targets: Minutes) -> None:
    """Raise Invalid for targets that are out of range."""
    wrong = [target for target, minutes in targets.items() if not 0 <= minutes <= _MOST_MINUTES]
    if wrong:
        text = f"Must be business minutes from 0 to {_MOST_MINUTES:,}."
        faults = tuple(Fault(f"/targets/{target}", text) for target in wrong)
        raise Invalid("A target is out of range.", faults=faults)


def overran(past: History, target: Target, counted: Counted) -> bool:
    """Say whether the deadline passed while the clock ran, its lateness not forgotten since."""
    due, _ = when_reached(past.calendar, counted, timedelta(minutes=past.targets[target]))
    return due is not None and max(due, past.judged.get(target, due)) < counted[-1][1]


def when_reached(calendar: Calendar, counted: Counted, amount: timedelta) -> tuple[datetime | None, timedelta]:
    """Return the instant at which counted time reached an amount, or what is left of it."""
    # No time at all, or none left, may run out only at the next opening, which another stretch may hold.
    for start, end, spent in counted:
        if amount <= spent and (instant := calendar.add(start, amount)) <= end:
            return instant, timedelta()
        amount -= spent
    return None, amount


def counted_time(past: History, target: Target) -> Counted:
    """Return the open stretches of a clock's run with the business time of each."""
    return [
        (start, end, past.calendar.elapsed(start, end))
        for phase, start, end in stretches(past, target)
        if phase.status == "open"
    ]


def stretches(past: History, target: Target) -> Iterator[tuple[Phase, datetime, datetime]]:
    """Yield the phases of a clock's run, cut to it."""
    first, last = past.run(target)
    if first is None:
        return
    for phase in past.phases:
        start, end = max(phase.start, first), phase.end if last is None else min(phase.end, last)
        if start < end:
            yield phase, start, end


def _client_wrote(past: History, event: ClockEvent) -> None:
    """The client wrote: something is to be answered, and waiting for the client is over (clause 2.3)."""
    past.opened = past.opened or event.at
    # Waiting for others goes on: the client's word brings no third party's and no release.
    if past.phase_from is None or (past.status, past.cause) == ("waiting", "client"):
        past.turn(event.at, "open")
    past.ask(event.at)


def _is_owed(past: History, event: ClockEvent) -> None:
    """A duplicate brings an answer that is owed, from the receipt of its message."""
    # Whether waiting ends by it is judged where the duplicate is merged.
    if past.phase_from is None:
        past.turn(event.at, "open")
    past.ask(event.at, event.origin)


def _gives_back(past: History, event: ClockEvent) -> None:
    """What a duplicate brought goes back with it; if nothing else is owed, the run ends unanswered and unjudged."""
    if not past.awaiting or past.owed.pop(event.origin, None) is None:
        return
    if past.owed:
        past.asked = min(past.owed.values())
        return
    past.asked_until, past.asked_state = event.at, "idle"
    past.forget_lateness(event.at, ["next_response"])


def _staff_replied(past: History, event: ClockEvent) -> None:
    """The desk answered: both response clocks are met, and a later run begins without the lateness of this one."""
    past.answered = past.answered or event.at
    if past.awaiting:
        past.asked_until, past.asked_state = event.at, "met"
    past.forget_lateness(event.at, _RESPONSES)


def _nothing(past: History, event: ClockEvent) -> None:
    """An internal note is for colleagues: no clock sees it."""


def _waits(past: History, event: ClockEvent) -> None:
    """The desk waits for somebody; what is settled waits for nobody."""
    if past.settled is None:
        past.turn(event.at, "waiting", event.cause)


def _resumes(past: History, event: ClockEvent) -> None:
    """The waiting is over."""
    if past.status == "waiting":
        past.turn(event.at, "open")


def _resolves(past: History, event: ClockEvent) -> None:
    """The work is done: no answer is owed."""
    past.settle(event.at, "resolved")


def _closes(past: History, event: ClockEvent) -> None:
    """The ticket is closed: its clocks end, and nothing of it is late any more."""
    past.settle(event.at, "closed")
    past.forget_lateness(event.at, TARGETS)


def _reopens(past: History, event: ClockEvent) -> None:
    """The ticket is open again: an answer is owed from now on, and the resolution goes on with what it had."""
    past.turn(event.at, "open")
    past.settled = None
    past.asked, past.asked_until, past.owed = event.at, None, {None: event.at}
    past.forget_lateness(event.at, TARGETS)


def _judges(past: History, traits: Traits, at: datetime) -> None:
    """Choose the targets anew by what the request is like now."""
    past.traits = {**past.traits, **traits}
    if past.traits == past.chosen_by:
        return
    rule, past.chosen_by = past.rules.choose(past.traits), past.traits
    if rule != past.rule:
        _time_by(past, rule, at)


def _retargets(past: History, event: ClockEvent) -> None:
    """The minutes were given, whatever the rules say."""
    if event.targets:
        past.chosen_by = None
        _time_by(past, TargetRule(None, event.targets), event.at)


def _time_by(past: History, rule: TargetRule, at: datetime) -> None:
    """Judge lateness under the old targets now; the new ones apply from here on."""
    _checked(rule.minutes)
    past.turn(at, past.status, past.cause)
    # Now or never: the fold judges with the targets of its end,
    # and would let new ones undo a breach that was published.
    for target in TARGETS:
        if target in past.targets and overran(past, target, counted_time(past, target)):
            past.missed.add(target)
        past.judged[target] = at
    past.rule = rule


_REACTIONS: Mapping[EventType, Callable[[History, ClockEvent], None]] = {
    "created": _client_wrote,
    "client_message": _client_wrote,
    "staff_reply": _staff_replied,
    "internal_note": _nothing,
    "wait": _waits,
    "resume": _resumes,
    "resolved": _resolves,
    "closed": _closes,
    "reopened": _reopens,
    "targets_changed": _retargets,
    "owed": _is_owed,
    "given_back": _gives_back,
}

"""The ended runs of a ticket's clocks: when each began and ended, late or not, and whose time it was (clause 2.3).

Reports and what-if both read them off the history, so that neither can say something else than the clocks did.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from firstline.common.calendar import Calendar
from firstline.sla.history import (
    Cause,
    ClockEvent,
    History,
    counted_time,
    happen,
    in_order,
    no_history,
    overran,
    stretches,
    when_reached,
)
from firstline.sla.targets import TARGETS, Minutes, Target, TargetRules

ENDS: Mapping[str, tuple[Target, ...]] = {
    "staff_reply": ("first_response", "next_response"),
    "resolved": TARGETS,
    "closed": TARGETS,
}
"""What ends the run of which clocks. What goes back with a duplicate ends none: it is answered there."""

CAUSES: tuple[Cause, ...] = ("client", "third_party", "release")
Outcome = Literal["met", "ended"]
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a clock from its beginning to its end; all minutes are business minutes.

    Attributes:
        target: what was timed; the resolution also where the policy sets no target for it.
        started_at: what it counted from.
        ended_at: when it ended.
        outcome: `met` by an answer, or by the resolution; `ended` when nobody answered before that.
        late: whether the deadline had passed before; None where there was none.
        target_minutes: what was allowed at the end.
        minutes: what was counted: the desk's own time (net).
        gross: all business time from start to end.
        waited: what was waited for each cause.
        owed: of the counted minutes of a resolution, those in which an answer was owed.

    """

    target: Target
    started_at: datetime
    ended_at: datetime
    outcome: Outcome
    late: bool | None
    target_minutes: float | None
    minutes: float
    gross: float
    waited: Mapping[Cause, float]
    owed: float


def key_of(event_id: str, target: Target) -> str:
    """Return what tells a run from the others of its ticket and target: a next response may run many times."""
    return event_id if target == "next_response" else ""


def endings(
    events: Iterable[ClockEvent], targets: Minutes | TargetRules, calendar: Calendar
) -> Iterator[tuple[History, ClockEvent, tuple[Target, ...]]]:
    """Yield what ended runs, in order of time: the history just before it, the event, and whose runs it ended.

    The history goes on with the next element; whoever wants something of it asks at once.

    Raises:
        Invalid: a target is out of range.

    """
    told = list(in_order(events))
    past = no_history(told, targets, calendar)
    for event in told:
        ended = ENDS.get(event.type)
        if ended is not None:
            # The phase up to here has to stand among the others, or the
            # stretch just before the event would count for nothing.
            past.turn(event.at, past.status, past.cause)
            running = tuple(target for target in ended if past.state(target) in ("running", "paused"))
            if running:
                yield past, event, running
        happen(past, event)


def is_late(past: History, target: Target, at: datetime) -> bool | None:
    """Say whether a run that ends now is late; None where the policy sets no such target.

    It is what the clock itself has published until then: an answer at the instant of the deadline is in time.
    """
    if target not in past.targets:
        return None
    if target in past.missed:
        return True
    counted = counted_time(past, target)
    # While it waits no time is counted, so the deadline passed before, if at all.
    if past.status != "open":
        return overran(past, target, counted)
    due, _ = when_reached(past.calendar, counted, timedelta(minutes=past.targets[target]))
    return due is not None and due < at


def runs(events: Iterable[ClockEvent], targets: Minutes | TargetRules, calendar: Calendar) -> Iterator[tuple[str, Run]]:
    """Yield every ended run with the ID of the event that ended it; a reopened resolution comes again.

    Raises:
        Invalid: a target is out of range.

    """
    owed = 0.0
    for past, event, ended in endings(events, targets, calendar):
        for target in ended:
            run = _measured(past, target, event, owed)
            if target == "next_response":
                # Of each answer in turn, so that a resolution tells how much of its time somebody waited for one.
                owed += run.minutes
            yield event.id or "", run


def _measured(past: History, target: Target, event: ClockEvent, owed: float) -> Run:
    """Return a run as it ends, measured by the history just before that."""
    started, _ = past.run(target)
    assert started is not None  # it runs
    waited: dict[Cause, float] = dict.fromkeys(CAUSES, 0.0)
    for phase, start, end in stretches(past, target):
        if phase.status == "waiting" and phase.cause is not None:
            waited[phase.cause] += past.calendar.elapsed(start, end) / _MINUTE
    counted = sum((spent for _, _, spent in counted_time(past, target)), timedelta()) / _MINUTE
    return Run(
        target=target,
        started_at=started,
        ended_at=event.at,
        outcome="met" if event.type == "staff_reply" or target == "resolution" else "ended",
        late=is_late(past, target, event.at),
        target_minutes=past.targets.get(target),
        minutes=counted,
        gross=past.calendar.elapsed(started, event.at) / _MINUTE,
        waited=waited,
        owed=owed if target == "resolution" else 0.0,
    )

"""Clocks of a ticket as a pure function of its history, the targets and the calendar (policy clauses 2.1 and 2.3).

Nothing adds up running sums: whoever wants a clock's state at another instant, under other targets or on another
calendar calls `fold` again. At one instant the events come first and the deadline after them, so an answer at the
very instant of the deadline is in time.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from firstline.common.calendar import Calendar, CalendarExhausted
from firstline.common.errors import Fault
from firstline.sla.history import (
    TARGETS,
    Cause,
    ClockEvent,
    Counted,
    History,
    Phase,
    State,
    Status,
    Target,
    counted_time,
    overran,
    read_history,
    stretches,
    when_reached,
)

_MINUTE = timedelta(minutes=1)
INSTANT = timedelta(microseconds=1)
"""The smallest step of time."""


@dataclass(frozen=True, slots=True)
class Clock:
    """One target's clock at an instant.

    Attributes:
        target: what is timed.
        state: `met` stays for the first response; a next response is met until the client writes again.
        started_at: the instant from which the present or last run counts.
        due_at: when counted time reaches the target; None unless running. Lies in the past once that has happened.
        warn_at: when it reaches the warning's share of the target; None unless running.
        elapsed_minutes: business minutes counted in the present or last run.
        breached: the deadline passed while running; stays until answered, closed or reopened.

    """

    target: Target
    state: State
    started_at: datetime | None
    due_at: datetime | None
    warn_at: datetime | None
    elapsed_minutes: float
    breached: bool


@dataclass(frozen=True, slots=True)
class Interval:
    """A stretch of a clock's run and whether its business time was counted.

    Attributes:
        start: where it begins.
        end: where it ends.
        reason: the ticket's status then; only `open` time is counted.
        cause: who was waited for.
        counted: whether `business_minutes` went into the clock.
        business_minutes: minutes inside working hours.
        closed_minutes: minutes outside them, which are never counted.

    """

    start: datetime
    end: datetime
    reason: Status
    cause: Cause | None
    counted: bool
    business_minutes: float
    closed_minutes: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """Where a clock's elapsed time comes from, in order of time and without gaps."""

    target: Target
    intervals: tuple[Interval, ...]


def fold(
    history: Iterable[ClockEvent],
    targets: Mapping[Target, float],
    calendar: Calendar,
    as_of: datetime,
    warning: float | None = None,
) -> tuple[Clock, ...]:
    """Return the clock of each target at an instant.

    Events may come in any order: they are taken by instant, those of one instant as given; what the status does not
    allow (a `resume` without waiting, a `wait` on a resolved ticket) changes nothing.

    Args:
        history: the ticket's events; those after `as_of` are left out.
        targets: business minutes at the start; `targets_changed` replaces them.
        calendar: the working hours.
        as_of: the aware instant to judge at.
        warning: share of the target at which to warn, between 0 and 1.

    Raises:
        Invalid: a target that is negative, or longer than the calendar lasts.

    """
    past = read_history(history, targets, calendar, as_of)
    return tuple(_clock(past, target, as_of, warning) for target in TARGETS if target in past.targets)


def explain(
    history: Iterable[ClockEvent], targets: Mapping[Target, float], calendar: Calendar, as_of: datetime
) -> tuple[Explanation, ...]:
    """Return for each target the intervals that `fold` counted and those that it did not; arguments as there."""
    past = read_history(history, targets, calendar, as_of)
    return tuple(
        Explanation(target, tuple(_interval(calendar, *found) for found in stretches(past, target)))
        for target in TARGETS
        if target in past.targets
    )


def _clock(past: History, target: Target, as_of: datetime, warning: float | None) -> Clock:
    state = past.state(target)
    counted = counted_time(past, target)
    due_at = warn_at = None
    if state == "running":
        amount = timedelta(minutes=past.targets[target])
        due_at = _running_out(past, target, counted, amount, as_of)
        warn_at = _running_out(past, target, counted, amount * warning, as_of) if warning is not None else None
    # Whatever has happened at this instant is already in the past's account: the deadline comes after it.
    late = due_at <= as_of if due_at is not None else overran(past, target, counted)
    elapsed = sum((spent for _, _, spent in counted), timedelta())
    breached = late or target in past.missed
    return Clock(target, state, past.run(target)[0], due_at, warn_at, elapsed / _MINUTE, breached)


def _running_out(past: History, target: Target, counted: Counted, amount: timedelta, as_of: datetime) -> datetime:
    reached, left = when_reached(past.calendar, counted, amount)
    try:
        return reached or past.calendar.add(as_of, left)
    except CalendarExhausted as error:
        raise CalendarExhausted(error.detail, faults=(Fault(f"/targets/{target}", error.detail),)) from error


def _interval(calendar: Calendar, phase: Phase, start: datetime, end: datetime) -> Interval:
    business = calendar.elapsed(start, end)
    return Interval(
        start,
        end,
        reason=phase.status,
        cause=phase.cause,
        counted=phase.status == "open",
        business_minutes=business / _MINUTE,
        closed_minutes=(end - start - business) / _MINUTE,
    )

"""Clocks of a ticket as a pure function of its history, the targets and the calendar (policy clauses 2.1 and 2.3).

Nothing adds up running sums: whoever wants a clock's state at another instant, under other targets or on another
calendar calls `fold` again. At one instant the events come first and the deadline after them, so an answer at the
very instant of the deadline is in time.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from firstline.common.calendar import Calendar, CalendarExhausted
from firstline.common.errors import Fault
from firstline.sla.history import (
    Cause,
    ClockEvent,
    Counted,
    History,
    Phase,
    State,
    Status,
    counted_time,
    overran,
    read_history,
    stretches,
    when_reached,
)
from firstline.sla.targets import TARGETS, Minutes, Target, TargetRule, TargetRules

_MINUTE = timedelta(minutes=1)
INSTANT = timedelta(microseconds=1)
"""The smallest step of time."""

BEGINNING = datetime(1, 1, 2, tzinfo=UTC)
"""Before everything."""


@dataclass(frozen=True, slots=True)
class WarnsAt:
    """An instant at which to warn, and the business minutes that are counted then."""

    at: datetime
    counted_minutes: float


@dataclass(frozen=True, slots=True)
class Clock:
    """One target's clock at an instant.

    Attributes:
        target: what is timed.
        state: `met` stays for the first response; a next response is met until the client writes again.
        started_at: the instant from which the present or last run counts.
        due_at: when counted time reaches the target; None unless running. Lies in the past once that has happened.
        warnings: when to warn, the earliest first; none unless running.
        elapsed_minutes: business minutes counted in the present or last run.
        breached: the deadline passed while running; stays until answered, closed or reopened.
        target_minutes: business minutes that the target gives.
        rule: what the policy calls the rule that gave them; None where they were given without one.

    """

    target: Target
    state: State
    started_at: datetime | None
    due_at: datetime | None
    warnings: tuple[WarnsAt, ...]
    elapsed_minutes: float
    breached: bool
    target_minutes: float
    rule: str | None

    @property
    def warn_at(self) -> datetime | None:
        """The first instant at which to warn; None unless running, and where no warning is wanted."""
        return self.warnings[0].at if self.warnings else None


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
        rule: the rule that gave the target then.

    """

    start: datetime
    end: datetime
    reason: Status
    cause: Cause | None
    counted: bool
    business_minutes: float
    closed_minutes: float
    rule: TargetRule


@dataclass(frozen=True, slots=True)
class Explanation:
    """Where a clock's elapsed time comes from, in order of time and without gaps, and the target that applies now."""

    target: Target
    intervals: tuple[Interval, ...]
    target_minutes: float
    rule: str | None


def fold(
    history: Iterable[ClockEvent], targets: Minutes | TargetRules, calendar: Calendar, as_of: datetime
) -> tuple[Clock, ...]:
    """Return the clock of each target at an instant.

    Events may come in any order: they are taken by instant, those of one instant as given; what the status does not
    allow (a `resume` without waiting, a `wait` on a resolved ticket) changes nothing.

    Args:
        history: the ticket's events; those after `as_of` are left out.
        targets: the policy's rules, of which an event with `traits` chooses; or business minutes at the start.
        calendar: the working hours.
        as_of: the aware instant to judge at.

    Raises:
        Invalid: a target that is negative, or longer than the calendar lasts.

    """
    past = read_history(history, targets, calendar, as_of)
    return tuple(_clock(past, target, as_of) for target in TARGETS if target in past.targets)


def explain(
    history: Iterable[ClockEvent], targets: Minutes | TargetRules, calendar: Calendar, as_of: datetime
) -> tuple[Explanation, ...]:
    """Return for each target the intervals that `fold` counted and those that it did not; arguments as there."""
    past = read_history(history, targets, calendar, as_of)
    return tuple(
        Explanation(
            target,
            tuple(_interval(calendar, *found) for found in stretches(past, target)),
            past.targets[target],
            past.rule.code,
        )
        for target in TARGETS
        if target in past.targets
    )


def _clock(past: History, target: Target, as_of: datetime) -> Clock:
    """Return one target's clock at an instant."""
    state, minutes = past.state(target), past.targets[target]
    counted = counted_time(past, target)
    due_at: datetime | None = None
    warnings: tuple[WarnsAt, ...] = ()
    if state == "running":
        due_at = _running_out(past, target, counted, minutes, as_of)
        warnings = tuple(
            WarnsAt(_running_out(past, target, counted, warned, as_of), warned)
            for warned in past.rules.warnings(minutes)
        )
    # Whatever has happened at this instant is already in the past's account: the deadline comes after it.
    late = due_at <= as_of if due_at is not None else overran(past, target, counted)
    elapsed = sum((spent for _, _, spent in counted), timedelta()) / _MINUTE
    breached = late or target in past.missed
    return Clock(target, state, past.run(target)[0], due_at, warnings, elapsed, breached, minutes, past.rule.code)


def _running_out(past: History, target: Target, counted: Counted, minutes: float, as_of: datetime) -> datetime:
    """Return when counted minutes are reached: in the past, or on the calendar from now on; may raise Invalid."""
    reached, left = when_reached(past.calendar, counted, timedelta(minutes=minutes))
    try:
        return reached or past.calendar.add(as_of, left)
    except CalendarExhausted as error:
        # The fault lies in the target, which the calendar alone can't name.
        raise CalendarExhausted(error.detail, faults=(Fault(f"/targets/{target}", error.detail),)) from error


def _interval(calendar: Calendar, phase: Phase, start: datetime, end: datetime) -> Interval:
    """Return a stretch of a run, told apart into business time and the rest."""
    business = calendar.elapsed(start, end)
    return Interval(
        start,
        end,
        reason=phase.status,
        cause=phase.cause,
        counted=phase.status == "open",
        business_minutes=business / _MINUTE,
        closed_minutes=(end - start - business) / _MINUTE,
        rule=phase.rule,
    )

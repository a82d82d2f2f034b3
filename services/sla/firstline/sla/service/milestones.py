"""What a stored clock tells next, and telling it: its warnings in their order, then its deadline, each once a run."""

from dataclasses import dataclass, replace
from datetime import datetime

from firstline.common.calendar import Calendar
from firstline.common.events import (
    Actor,
    ClockBreached,
    ClockCancelled,
    ClockEvent,
    ClockMet,
    ClockScheduled,
    ClockWarned,
)
from firstline.common.runtime import Runtime
from firstline.common.store.port import Unit, Value
from firstline.sla import clock as rules
from firstline.sla.store import Ticket
from firstline.sla.store.clocks import SAVE_CLOCK, StoredClock

SLA = Actor(id="sla", role="service")


@dataclass(frozen=True, slots=True)
class Milestone:
    """A warning, or the deadline itself: its instant, and the business minutes that are counted then."""

    at: datetime
    counted: float
    kind: type[ClockEvent]


def next_milestone(clock: StoredClock) -> Milestone | None:
    """Return what is to be told next of a clock: None unless it runs, and after its breach."""
    if clock.due_at is None or clock.breached:
        return None
    warnings = clock.warnings or []
    if clock.told < len(warnings):
        at, counted = warnings[clock.told]
        return Milestone(datetime.fromisoformat(str(at)), float(counted), ClockWarned)
    return Milestone(clock.due_at, clock.target_minutes or 0, ClockBreached)


def timed(clock: StoredClock, staff: Calendar | None) -> StoredClock:
    """Return a clock with the instant at which its next milestone is told."""
    milestone = next_milestone(clock)
    left = (clock.warnings or [])[clock.told :]
    # What an earlier release knows of warnings: the next one's instant, and whether all of them were told.
    warn_at = datetime.fromisoformat(str(left[0][0])) if left else clock.warn_at
    next_at = _told_at(milestone.at, staff) if milestone else None
    return replace(clock, next_at=next_at, warned=not left, warn_at=warn_at)


def _told_at(at: datetime, staff: Calendar | None) -> datetime:
    """Return when a milestone is told: at its instant, or with a calendar of the staff when they next work."""
    return staff.add(at, 0) if staff else at


def after(stored: StoredClock, clock: rules.Clock, as_of: datetime, staff: Calendar | None) -> StoredClock:
    """Return how a clock is to be stored, without forgetting what was told of a run that goes on."""
    # The same deadline is the same run; under another one, told is what was told and lies behind.
    same = clock.due_at is not None and clock.due_at == stored.due_at
    behind = sum(warning.at <= as_of for warning in clock.warnings)
    told = stored.told if same or clock.due_at is None else min(stored.told, behind)
    breached = stored.breached and (same or clock.breached)
    warn_at = clock.warnings[told].at if told < len(clock.warnings) else None
    next_at = warn_at or clock.due_at
    # In one step and not through `timed`: a recompute does this for every clock that runs.
    return StoredClock(
        id=stored.id,
        ticket_id=stored.ticket_id,
        target=stored.target,
        state=clock.state,
        due_at=clock.due_at,
        warn_at=warn_at or clock.warn_at,
        warned=warn_at is None,
        breached=breached,
        next_at=None if next_at is None or clock.due_at is None or breached else _told_at(next_at, staff),
        rule=clock.rule,
        target_minutes=clock.target_minutes,
        warnings=_written(clock),
        told=told,
    )


def completed(stored: StoredClock, clock: rules.Clock | None) -> StoredClock:
    """Return a clock that an earlier release stored with what this one keeps beside it."""
    warnings = _written(clock) if clock else []
    return replace(
        stored,
        rule=clock.rule if clock else None,
        target_minutes=clock.target_minutes if clock else 0,
        warnings=warnings,
        told=len(warnings) if stored.warned else 0,
    )


def _written(clock: rules.Clock) -> list[list[str | float]]:
    """Return a clock's warnings as they are stored."""
    return [[warning.at.isoformat(), warning.counted_minutes] for warning in clock.warnings]


def became(before: StoredClock, now: StoredClock) -> type[ClockEvent] | None:
    """Return the event that tells of a clock's change, if there is something to tell."""
    if now.state == "running" and (before.state, before.due_at) != ("running", now.due_at):
        return ClockScheduled
    if now.state != before.state and now.state == "met":
        return ClockMet
    if now.state != before.state and before.state == "running":
        return ClockCancelled
    return None


def say(
    runtime: Runtime,
    unit: Unit,
    ticket: Ticket,
    clock: StoredClock,
    kind: type[ClockEvent],
    elapsed: float,
    due_at: datetime | None,
) -> None:
    """Tell what became of a clock."""
    event = kind(
        actor=SLA,
        organization_id=ticket.organization_id,
        number=ticket.number,
        ticket_id=ticket.id,
        target=clock.target,
        due_at=due_at,
        elapsed_minutes=elapsed,
        policy_version=ticket.targets,
        rule=clock.rule,
        target_minutes=clock.target_minutes,
    )
    runtime.log.tell(unit, f"clock/{clock.id}", event, subject=ticket.id)


async def save(unit: Unit, *clocks: StoredClock) -> None:
    """Store clocks, in one exchange."""
    await unit.many(SAVE_CLOCK, [as_row(clock) for clock in clocks])


def as_row(clock: StoredClock) -> dict[str, Value]:
    """Return a clock as the parameters by which it is stored."""
    return {name: getattr(clock, name) for name in StoredClock.__slots__}


def tell(
    runtime: Runtime, unit: Unit, ticket: Ticket, clock: StoredClock, staff: Calendar | None, before: datetime
) -> StoredClock:
    """Tell the milestones of a clock whose turn comes before an instant, each once.

    Returns the clock after them, which whoever calls has to store.
    """
    while clock.next_at is not None and clock.next_at < before:
        clock = _tell_next(runtime, unit, ticket, clock, staff)
    return clock


def tell_held(
    runtime: Runtime, unit: Unit, ticket: Ticket, clock: StoredClock, staff: Calendar | None, before: datetime
) -> StoredClock:
    """Tell the milestones that lie before an instant and were held until staff are back: their run ends there.

    Returns the clock after them, which whoever calls has to store.
    """
    while (milestone := next_milestone(clock)) is not None and milestone.at < before:
        clock = _tell_next(runtime, unit, ticket, clock, staff)
    return clock


def _tell_next(runtime: Runtime, unit: Unit, ticket: Ticket, clock: StoredClock, staff: Calendar | None) -> StoredClock:
    """Tell the next milestone; whoever calls stores that it is told, in one transaction: each is told once."""
    milestone = next_milestone(clock)
    assert milestone is not None  # whoever calls has looked
    is_breach = milestone.kind is ClockBreached
    clock = timed(replace(clock, breached=True) if is_breach else replace(clock, told=clock.told + 1), staff)
    say(runtime, unit, ticket, clock, milestone.kind, milestone.counted, clock.due_at)
    return clock

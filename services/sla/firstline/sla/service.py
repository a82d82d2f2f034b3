"""Keeping clocks: take a fact into a ticket's history, publish what changed, fire what falls due."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import cast

from firstline.common.calendar import Calendar, parse_calendar
from firstline.common.errors import NotFound
from firstline.common.events import (
    Actor,
    ClockBreached,
    ClockCancelled,
    ClockEvent,
    ClockMet,
    ClockScheduled,
    ClockWarned,
)
from firstline.common.paging import Cursors
from firstline.common.policy.model import Policy
from firstline.common.runtime import Runtime
from firstline.common.store.port import Unit
from firstline.sla import clock as rules
from firstline.sla.history import Cause, EventType, State, Target
from firstline.sla.history import ClockEvent as HistoryEvent
from firstline.sla.store import (
    CLOCKS,
    DUE,
    FACTS,
    INSERT_FACT,
    NEWEST_POLICY,
    POLICY,
    SAVE_CLOCK,
    TICKET,
    Fact,
    StoredClock,
    Ticket,
)

DUE_CHANNEL = "due"
SLA = Actor(id="sla", role="service")


class NoPolicy(NotFound):
    """No policy has reached this service yet, or not this version."""

    title = "The policy is not known here yet"


@dataclass(frozen=True, slots=True)
class Terms:
    """What a policy version says of time: its calendar, its targets by urgency, and the share at which to warn."""

    version: str
    calendar: Calendar
    targets: Mapping[str, Mapping[Target, float]]
    warning: float


class Sla:
    """The service's instance; policy versions once read are kept."""

    def __init__(self, runtime: Runtime, cursors: Cursors) -> None:
        self.runtime = runtime
        self.cursors = cursors
        self._terms: dict[str, Terms] = {}

    async def terms(self, unit: Unit, version: str | None = None) -> Terms:
        """Return the terms of a policy version, or of the newest.

        Raises:
            NoPolicy: it has not been published here.

        """
        if version is not None and version in self._terms:
            return self._terms[version]
        row = await (unit.one(NEWEST_POLICY) if version is None else unit.one(POLICY, version=version))
        if row is None:
            raise NoPolicy(f"The policy version {version or ''} has not arrived here yet. Try again in a moment.")
        if row.version not in self._terms:
            self._terms[row.version] = _read_terms(row.version, Policy.from_document(row.document))
        return self._terms[row.version]


def _read_terms(version: str, policy: Policy) -> Terms:
    targets: dict[str, Mapping[Target, float]] = {}
    for urgency, minutes in policy.targets.minutes.items():
        given = minutes.model_dump(exclude_none=True)
        targets[urgency] = {cast("Target", name): float(value) for name, value in given.items()}
    return Terms(version, parse_calendar(policy.calendar), targets, policy.targets.warning_share)


def history_of(facts: list[Fact]) -> list[HistoryEvent]:
    """Return stored facts as the events that clocks are folded from."""
    return [
        HistoryEvent(
            type=cast("EventType", fact.type),
            at=fact.at,
            cause=cast("Cause | None", fact.cause),
            targets=cast("Mapping[Target, float] | None", fact.targets),
            id=fact.id,
        )
        for fact in facts
    ]


async def clocks_at(sla: Sla, unit: Unit, ticket: Ticket, as_of: datetime) -> tuple[rules.Clock, ...]:
    """Return a ticket's clocks at an instant, folded from its history."""
    terms = await sla.terms(unit, ticket.policy_version)
    facts = await unit.all(FACTS, ticket_id=ticket.id)
    return rules.fold(history_of(facts), initial_targets(terms, facts), terms.calendar, as_of, terms.warning)


def initial_targets(terms: Terms, facts: list[Fact]) -> Mapping[Target, float]:
    """Return the targets that a ticket began with: those kept with its first fact."""
    first = next((fact.targets for fact in facts if fact.type == "created"), None)
    kept = {cast("Target", name): minutes for name, minutes in (first or {}).items()}
    return kept or terms.targets[next(iter(terms.targets))]


async def take_fact(sla: Sla, unit: Unit, ticket: Ticket, fact: Fact, now: datetime) -> None:
    """Add a fact to a ticket's history and publish how its clocks stand after it.

    Milestones that fell due before the fact are published first, so that an answer that came late has its breach.
    """
    for stored in await unit.all(CLOCKS, ticket_id=ticket.id):
        await fire(sla, unit, ticket, stored, before=fact.at)
    await unit.run(
        INSERT_FACT,
        ticket_id=ticket.id,
        id=fact.id,
        type=fact.type,
        at=fact.at,
        cause=fact.cause,
        targets=fact.targets,
    )
    stored_by_target = {stored.target: stored for stored in await unit.all(CLOCKS, ticket_id=ticket.id)}
    for clock in await clocks_at(sla, unit, ticket, max(now, fact.at)):
        await _publish(sla, unit, ticket, clock, stored_by_target.get(clock.target))
    unit.announce(DUE_CHANNEL)


async def _publish(sla: Sla, unit: Unit, ticket: Ticket, clock: rules.Clock, stored: StoredClock | None) -> None:
    """Store a clock and publish what became of it since it was stored last."""
    before: tuple[State | str, datetime | None] = (stored.state, stored.due_at) if stored else ("idle", None)
    same_run = stored is not None and stored.due_at == clock.due_at and clock.due_at is not None
    after = StoredClock(
        id=stored.id if stored else sla.runtime.ports.ids.new(),
        ticket_id=ticket.id,
        target=clock.target,
        state=clock.state,
        due_at=clock.due_at,
        warn_at=clock.warn_at,
        warned=same_run and stored is not None and stored.warned,
        breached=stored is not None and stored.breached and clock.breached,
        next_at=None,
    )
    kind: type[ClockEvent] | None = None
    if clock.state == "running" and before != ("running", clock.due_at):
        kind = ClockScheduled
    elif clock.state != before[0] and clock.state == "met":
        kind = ClockMet
    elif clock.state != before[0] and before[0] == "running":
        kind = ClockCancelled
    if kind is not None:
        await _say(sla, unit, ticket, after, kind, clock.elapsed_minutes)
    await _save(unit, after)


async def _say(
    sla: Sla, unit: Unit, ticket: Ticket, stored: StoredClock, kind: type[ClockEvent], elapsed: float
) -> None:
    event = kind(
        actor=SLA,
        organization_id=ticket.organization_id,
        number=ticket.number,
        ticket_id=ticket.id,
        target=stored.target,
        due_at=stored.due_at,
        elapsed_minutes=elapsed,
        policy_version=ticket.policy_version,
    )
    await sla.runtime.log.append(unit, f"clock/{stored.id}", event, subject=ticket.id)


def _next(clock: StoredClock) -> datetime | None:
    """Return the instant of a clock's next milestone: its warning, then its deadline, then none."""
    if clock.state != "running" or clock.due_at is None or clock.breached:
        return None
    if clock.warned or clock.warn_at is None or clock.warn_at >= clock.due_at:
        return clock.due_at
    return clock.warn_at


async def _save(unit: Unit, clock: StoredClock) -> None:
    values = {name: getattr(clock, name) for name in StoredClock.__slots__}
    await unit.run(SAVE_CLOCK, **{**values, "next_at": _next(clock)})


async def fire(sla: Sla, unit: Unit, ticket: Ticket, clock: StoredClock, before: datetime) -> int:
    """Publish the milestones of a clock that lie before an instant, each once; return how many."""
    fired = 0
    while (instant := _next(clock)) is not None and instant < before:
        late = instant == clock.due_at
        state = {c.target: c for c in await clocks_at(sla, unit, ticket, instant)}[cast("Target", clock.target)]
        clock = replace(clock, breached=True) if late else replace(clock, warned=True)
        await _say(sla, unit, ticket, clock, ClockBreached if late else ClockWarned, state.elapsed_minutes)
        await _save(unit, clock)
        fired += 1
    return fired


async def fire_due(sla: Sla, unit: Unit, now: datetime, limit: int) -> int:
    """Publish the milestones that are due by now, of the clocks longest due; return how many clocks that were."""
    due = await unit.all(DUE, now=now, limit=limit)
    for clock in due:
        ticket = await unit.one(TICKET, id=clock.ticket_id)
        assert ticket is not None  # a clock is stored with its ticket
        await fire(sla, unit, ticket, clock, before=now + rules.INSTANT)
    return len(due)

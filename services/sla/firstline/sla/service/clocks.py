"""Keeping clocks: take a fact into a ticket's history, publish what changed, fire what falls due."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import cast

from firstline.common.calendar import Calendar, parse_calendar
from firstline.common.errors import Unavailable
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
from firstline.sla.history import Cause, EventType, Target
from firstline.sla.history import ClockEvent as HistoryEvent
from firstline.sla.service.records import keep_ended
from firstline.sla.service.waits import LastWaits
from firstline.sla.store import (
    CLOCKS,
    DUE,
    FACTS,
    INSERT_FACT,
    NEWEST_VERSION,
    POLICY,
    SAVE_CLOCK,
    TICKET,
    Fact,
    StoredClock,
    Ticket,
)

DUE_CHANNEL = "due"
SLA = Actor(id="sla", role="service")


class NoPolicy(Unavailable):
    """No policy has reached this service yet, or not this version."""

    title = "The policy is not known here yet"


@dataclass(frozen=True, slots=True)
class Terms:
    """What a policy version says of time: its calendar, its targets by urgency, and the share at which to warn."""

    calendar: Calendar
    targets: Mapping[str, Mapping[Target, float]]
    warning: float


class Sla:
    """The service's instance; policy versions once read are kept."""

    def __init__(self, runtime: Runtime, cursors: Cursors) -> None:
        self.runtime = runtime
        self.cursors = cursors
        self.last_waits = LastWaits(runtime.ports.clock)
        self._terms: dict[str, Terms] = {}

    async def terms(self, unit: Unit, version: str | None = None) -> Terms:
        """Return the terms of a policy version, or of the newest.

        Raises:
            NoPolicy: it has not been published here.

        """
        wanted = version or await unit.one(NEWEST_VERSION)
        if wanted is None:
            raise NoPolicy("No policy has arrived here yet. Try again in a moment.")
        if wanted not in self._terms:
            document = await unit.one(POLICY, version=wanted)
            if document is None:
                raise NoPolicy(f"The policy version {wanted} has not arrived here yet. Try again in a moment.")
            self._terms[wanted] = terms_of(Policy.from_document(document))
        return self._terms[wanted]


def terms_of(policy: Policy) -> Terms:
    """Return what a policy says of time."""
    targets: dict[str, Mapping[Target, float]] = {}
    for urgency, minutes in policy.targets.minutes.items():
        given = minutes.model_dump(exclude_none=True)
        targets[urgency] = {cast("Target", name): float(value) for name, value in given.items()}
    return Terms(parse_calendar(policy.calendar), targets, policy.targets.warning_share)


def _history(facts: list[Fact]) -> list[HistoryEvent]:
    """Return stored facts as the events that clocks are folded from."""
    return [
        HistoryEvent(
            type=cast("EventType", fact.type),
            at=fact.at,
            cause=cast("Cause | None", fact.cause),
            targets=cast("Mapping[Target, float] | None", fact.targets),
            id=fact.id,
            origin=fact.origin,
        )
        for fact in facts
    ]


async def clocks_at(sla: Sla, unit: Unit, ticket: Ticket, as_of: datetime) -> tuple[rules.Clock, ...]:
    """Return a ticket's clocks at an instant, folded from its history."""
    terms = await sla.terms(unit, ticket.policy_version)
    return fold_facts(terms, await unit.all(FACTS, ticket_id=ticket.id), as_of)


async def explained_at(sla: Sla, unit: Unit, ticket: Ticket, as_of: datetime) -> tuple[rules.Explanation, ...]:
    """Return the explanation of each of a ticket's clocks at an instant."""
    terms = await sla.terms(unit, ticket.policy_version)
    facts = await unit.all(FACTS, ticket_id=ticket.id)
    return rules.explain(_history(facts), _initial_targets(terms, facts), terms.calendar, _seen_from(as_of, facts))


def fold_facts(terms: Terms, facts: list[Fact], as_of: datetime) -> tuple[rules.Clock, ...]:
    """Return the clocks of a ticket at an instant, told from its facts."""
    seen_from = _seen_from(as_of, facts)
    return rules.fold(_history(facts), _initial_targets(terms, facts), terms.calendar, seen_from, terms.warning)


def _seen_from(as_of: datetime, facts: list[Fact]) -> datetime:
    """Return the instant to judge at: what has happened stays known when the machine's clock is set back."""
    return max([as_of, *(fact.at for fact in facts)])


def _initial_targets(terms: Terms, facts: list[Fact]) -> Mapping[Target, float]:
    """Return the targets that a ticket began with; the first urgency's where the policy does not know its own."""
    first = next((fact.targets for fact in facts if fact.targets), None)
    return cast("Mapping[Target, float] | None", first) or next(iter(terms.targets.values()))


def _present_targets(terms: Terms, facts: list[Fact]) -> Mapping[Target, float]:
    """Return the targets that apply after all facts."""
    changes = [fact for fact in facts if fact.type == "targets_changed" and fact.targets]
    last = max(reversed(changes), key=lambda fact: fact.at, default=None)
    return cast("Mapping[Target, float]", last.targets) if last else _initial_targets(terms, facts)


def _in_turn(fact: Fact, facts: list[Fact]) -> Fact:
    """Return a fact at the instant from which it counts: never before what the desk did earlier.

    A message let in after an answer is not answered by it, whenever it was received, and a machine's clock that is
    set back turns no history round. The client's messages among themselves keep the times of their receipt, those
    of a duplicate too.
    """
    heard = ("created", "client_message", "owed")
    earlier = [known.at for known in facts if fact.type not in heard or known.type not in heard]
    return replace(fact, at=max([fact.at, *earlier]))


async def take_fact(sla: Sla, unit: Unit, ticket: Ticket, fact: Fact, now: datetime, by: str | None = None) -> None:
    """Add a fact to a ticket's history and publish how its clocks stand after it; `by` is who did it for the desk.

    Milestones that fell due before the fact are published first, so that an answer that came late has its breach.
    """
    terms = await sla.terms(unit, ticket.policy_version)
    facts = await unit.all(FACTS, ticket_id=ticket.id)
    fact = _in_turn(fact, facts)
    stored: dict[str, StoredClock] = {}
    for clock in await unit.all(CLOCKS, ticket_id=ticket.id):
        stored[clock.target] = await _fire(sla, unit, ticket, clock, _present_targets(terms, facts), fact.at)
    await unit.run(INSERT_FACT, ticket_id=ticket.id, **{name: getattr(fact, name) for name in Fact.__slots__})
    known = [*facts, fact]
    await keep_ended(unit, ticket, _history(known), _initial_targets(terms, known), terms.calendar, by)
    clocks = fold_facts(terms, known, now)
    if fact.type == "targets_changed":
        clocks = (*_dropped(fold_facts(terms, facts, fact.at), clocks), *clocks)
    for after in clocks:
        await _publish(sla, unit, ticket, after, stored.get(after.target), now)
    unit.announce(DUE_CHANNEL)


def _dropped(before: tuple[rules.Clock, ...], after: tuple[rules.Clock, ...]) -> list[rules.Clock]:
    """Return, stopped, the clocks of targets that another urgency doesn't have."""
    kept = {clock.target for clock in after}
    return [
        replace(clock, state="idle", due_at=None, warn_at=None, breached=False)
        for clock in before
        if clock.target not in kept
    ]


async def _publish(
    sla: Sla, unit: Unit, ticket: Ticket, clock: rules.Clock, known: StoredClock | None, as_of: datetime
) -> None:
    """Store a clock and publish what became of it since it was stored last."""
    new_id = known.id if known else sla.runtime.ports.ids.new()
    stored = known or StoredClock(new_id, ticket.id, clock.target, "idle", None, None, False, False, None)
    after = _stands(stored, clock, as_of)
    kind = _became(stored, after)
    if kind is not None:
        _say(sla, unit, ticket, after, kind, clock.elapsed_minutes, after.due_at or stored.due_at)
    if after != known:
        await _save(unit, after)


def _stands(stored: StoredClock, clock: rules.Clock, as_of: datetime) -> StoredClock:
    """Return how a clock is to be stored, without forgetting what was published of a run that goes on."""
    same = clock.due_at is not None and clock.due_at == stored.due_at
    behind = clock.warn_at is None or clock.warn_at <= as_of
    return _timed(
        replace(
            stored,
            state=clock.state,
            due_at=clock.due_at,
            warn_at=clock.warn_at,
            warned=stored.warned and (same or behind),
            breached=stored.breached and (same or clock.breached),
        )
    )


def _became(before: StoredClock, after: StoredClock) -> type[ClockEvent] | None:
    """Return the event that tells of a clock's change, if there is something to tell."""
    if after.state == "running" and (before.state, before.due_at) != ("running", after.due_at):
        return ClockScheduled
    if after.state != before.state and after.state == "met":
        return ClockMet
    if after.state != before.state and before.state == "running":
        return ClockCancelled
    return None


def _say(
    sla: Sla,
    unit: Unit,
    ticket: Ticket,
    stored: StoredClock,
    kind: type[ClockEvent],
    elapsed: float,
    due_at: datetime | None,
) -> None:
    event = kind(
        actor=SLA,
        organization_id=ticket.organization_id,
        number=ticket.number,
        ticket_id=ticket.id,
        target=stored.target,
        due_at=due_at,
        elapsed_minutes=elapsed,
        policy_version=ticket.policy_version,
    )
    sla.runtime.log.tell(unit, f"clock/{stored.id}", event, subject=ticket.id)


def _timed(clock: StoredClock) -> StoredClock:
    """Return a clock with the instant of its next milestone: its warning, then its deadline, then none."""
    next_at = None
    if clock.due_at is not None and clock.warn_at is not None and not clock.breached:
        next_at = clock.due_at if clock.warned or clock.warn_at >= clock.due_at else clock.warn_at
    return replace(clock, next_at=next_at)


async def _save(unit: Unit, clock: StoredClock) -> None:
    await unit.run(SAVE_CLOCK, **{name: getattr(clock, name) for name in StoredClock.__slots__})


async def _fire(
    sla: Sla, unit: Unit, ticket: Ticket, clock: StoredClock, targets: Mapping[Target, float], before: datetime
) -> StoredClock:
    """Publish the milestones of a clock that lie before an instant, each once; return the clock after them."""
    terms = await sla.terms(unit, ticket.policy_version)
    while (instant := clock.next_at) is not None and instant < before:
        late = instant == clock.due_at
        clock = _timed(replace(clock, breached=True) if late else replace(clock, warned=True))
        # A milestone is by definition where the clock has counted its share of the target.
        elapsed = targets[cast("Target", clock.target)] * (1 if late else terms.warning)
        _say(sla, unit, ticket, clock, ClockBreached if late else ClockWarned, elapsed, clock.due_at)
        await _save(unit, clock)
    return clock


async def fire_due(sla: Sla, unit: Unit, now: datetime, limit: int) -> int:
    """Publish the milestones that are due by now, of the clocks longest due; return how many clocks that were."""
    due = await unit.all(DUE, now=now, limit=limit)
    for clock in due:
        ticket = await unit.one(TICKET, id=clock.ticket_id)
        assert ticket is not None  # a clock is stored with its ticket
        terms = await sla.terms(unit, ticket.policy_version)
        targets = _present_targets(terms, await unit.all(FACTS, ticket_id=ticket.id))
        await _fire(sla, unit, ticket, clock, targets, before=now + rules.INSTANT)
    return len(due)

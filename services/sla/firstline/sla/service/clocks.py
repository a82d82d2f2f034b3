"""Keeping clocks: take a fact into a ticket's history, publish what changed, fire what falls due."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import cast

from firstline.common.errors import Unavailable
from firstline.common.paging import Cursors
from firstline.common.policy.model import Policy
from firstline.common.runtime import Runtime
from firstline.common.store.port import Unit
from firstline.sla import clock as rules
from firstline.sla.history import Cause, EventType
from firstline.sla.history import ClockEvent as HistoryEvent
from firstline.sla.service import milestones
from firstline.sla.service.records import keep_ended
from firstline.sla.service.terms import Terms, terms_of
from firstline.sla.service.waits import LastWaits
from firstline.sla.store import (
    CLOCKS,
    DUE,
    FACTS,
    INSERT_FACT,
    NEWEST_VERSION,
    POLICY,
    TICKETS,
    Fact,
    StoredClock,
    Ticket,
)
from firstline.sla.targets import Minutes

DUE_CHANNEL = "due"


class NoPolicy(Unavailable):
    """No policy has reached this service yet, or not this version."""

    title = "The policy is not known here yet"


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
            # A version never changes once it is published, so none of them has to be read twice.
            self._terms[wanted] = terms_of(Policy.from_document(document))
        return self._terms[wanted]

    async def terms_for(self, unit: Unit, ticket: Ticket) -> Terms:
        """Return the terms by which a ticket is timed: those it was taken under, unless a recompute brought others.

        Raises:
            NoPolicy: a version has not been published here.

        """
        own = await self.terms(unit, ticket.policy_version)
        if ticket.calendar_version is None and ticket.targets_version is None:
            return own
        hours = await self.terms(unit, ticket.calendar_version) if ticket.calendar_version else own
        targets = await self.terms(unit, ticket.targets_version) if ticket.targets_version else own
        return replace(targets, calendar=hours.calendar, staff=hours.staff)


def _history(facts: Sequence[Fact]) -> list[HistoryEvent]:
    """Return stored facts as the events that clocks are folded from."""
    return [
        HistoryEvent(
            type=cast("EventType", fact.type),
            at=fact.at,
            cause=cast("Cause | None", fact.cause),
            targets=cast("Minutes | None", fact.targets),
            id=fact.id,
            origin=fact.origin,
            traits=fact.traits,
        )
        for fact in facts
    ]


async def clocks_at(sla: Sla, unit: Unit, ticket: Ticket, as_of: datetime) -> tuple[rules.Clock, ...]:
    """Return a ticket's clocks at an instant, folded from its history."""
    terms = await sla.terms_for(unit, ticket)
    return fold_facts(terms, await unit.all(FACTS, ticket_id=ticket.id), as_of)


async def explained_at(sla: Sla, unit: Unit, ticket: Ticket, as_of: datetime) -> tuple[rules.Explanation, ...]:
    """Return the explanation of each of a ticket's clocks at an instant."""
    terms = await sla.terms_for(unit, ticket)
    facts = await unit.all(FACTS, ticket_id=ticket.id)
    return rules.explain(_history(facts), terms.rules, terms.calendar, _seen_from(as_of, facts))


def fold_facts(terms: Terms, facts: Sequence[Fact], as_of: datetime) -> tuple[rules.Clock, ...]:
    """Return the clocks of a ticket at an instant, told from its facts."""
    return rules.fold(_history(facts), terms.rules, terms.calendar, _seen_from(as_of, facts))


def _seen_from(as_of: datetime, facts: Sequence[Fact]) -> datetime:
    """Return the instant to judge at: what has happened stays known when the machine's clock is set back."""
    return max([as_of, *(fact.at for fact in facts)])


def _news(fact: Fact, facts: Sequence[Fact]) -> dict[str, str | None]:
    """Return what a fact says of what the ticket is like that the facts before it don't."""
    known: dict[str, str | None] = {}
    for earlier in sorted(facts, key=lambda earlier: earlier.at):
        known |= earlier.traits or {}
    told = fact.traits or {}
    return {name: value for name, value in told.items() if name not in known or known[name] != value}


def _in_turn(fact: Fact, facts: Sequence[Fact]) -> Fact:
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

    A judgement that says nothing new is none. Milestones that fell due before the fact are published first, so that an
    answer that came late has its breach; those held until staff are back, where their run ends.
    """
    terms = await sla.terms_for(unit, ticket)
    facts = await unit.all(FACTS, ticket_id=ticket.id)
    fact = replace(_in_turn(fact, facts), traits=_news(fact, facts) or None)
    if fact.type == "targets_changed" and fact.traits is None:
        return
    # They are locked: the worker that fires what is due passes them over, and finds them as they are after the fact.
    stored = {clock.target: clock for clock in await unit.all(CLOCKS, ticket_id=ticket.id)}
    told = {
        target: milestones.tell(sla.runtime, unit, ticket, completed(terms, facts, clock), terms.staff, fact.at)
        for target, clock in stored.items()
    }
    await unit.run(INSERT_FACT, ticket_id=ticket.id, **{name: getattr(fact, name) for name in Fact.__slots__})
    known = [*facts, fact]
    await keep_ended(unit, ticket, _history(known), terms.rules, terms.calendar, by)
    clocks = fold_facts(terms, known, now)
    gone = dropped(fold_facts(terms, facts, fact.at), clocks) if facts and fact.traits else []
    after = told | {
        clock.target: _followed(sla, unit, ticket, terms, clock, told.get(clock.target), fact.at, now)
        for clock in (*gone, *clocks)
    }
    await milestones.save(unit, *(clock for clock in after.values() if clock != stored.get(clock.target)))
    unit.announce(DUE_CHANNEL)


def completed(terms: Terms, facts: Sequence[Fact], clock: StoredClock) -> StoredClock:
    """Return a stored clock as this release keeps it."""
    if clock.warnings is not None:
        return clock
    seen_from = _seen_from(rules.BEGINNING, facts)
    found = (folded for folded in fold_facts(terms, facts, seen_from) if folded.target == clock.target)
    return milestones.completed(clock, next(found, None))


def dropped(before: tuple[rules.Clock, ...], after: tuple[rules.Clock, ...]) -> list[rules.Clock]:
    """Return, stopped, the clocks of targets that a request no longer has."""
    kept = {clock.target for clock in after}
    return [
        replace(clock, state="idle", due_at=None, warnings=(), breached=False)
        for clock in before
        if clock.target not in kept
    ]


def _followed(
    sla: Sla,
    unit: Unit,
    ticket: Ticket,
    terms: Terms,
    clock: rules.Clock,
    known: StoredClock | None,
    at: datetime,
    now: datetime,
) -> StoredClock:
    """Publish what became of a clock since it was stored last, by a fact at an instant; return how to store it."""
    stored = known or StoredClock(sla.runtime.ports.ids.new(), ticket.id, clock.target)
    if terms.staff and (stored.state, stored.due_at) != (clock.state, clock.due_at):
        stored = milestones.tell_held(sla.runtime, unit, ticket, stored, terms.staff, at)
    return publish(sla, unit, ticket, terms, clock, stored, now)


def publish(
    sla: Sla, unit: Unit, ticket: Ticket, terms: Terms, clock: rules.Clock, stored: StoredClock, as_of: datetime
) -> StoredClock:
    """Publish what became of a clock since it was stored last; return how to store it."""
    now = milestones.timed(milestones.after(stored, clock, as_of), terms.staff)
    kind = milestones.became(stored, now)
    if kind is not None:
        due_at = now.due_at or stored.due_at
        milestones.say(sla.runtime, unit, ticket, now, kind, clock.elapsed_minutes, due_at)
    return now


async def fire_due(sla: Sla, unit: Unit, now: datetime, limit: int) -> int:
    """Publish the milestones that are due by now, of the clocks longest due; return how many clocks that were.

    Costs three exchanges with the store and one for the events, however many clocks there are.
    """
    due = await unit.all(DUE, now=now, limit=limit)
    tickets = {one.id: one for one in await unit.all(TICKETS, ids=sorted({clock.ticket_id for clock in due}))}
    fired = []
    for clock in due:
        ticket = tickets[clock.ticket_id]
        terms = await sla.terms_for(unit, ticket)
        # A clock that an earlier release stored has yet to be completed from its history.
        facts = [] if clock.warnings is not None else await unit.all(FACTS, ticket_id=ticket.id)
        whole = completed(terms, facts, clock)
        # The step of time makes "by now" of "before".
        fired.append(milestones.tell(sla.runtime, unit, ticket, whole, terms.staff, before=now + rules.INSTANT))
    await milestones.save(unit, *fired)
    return len(due)

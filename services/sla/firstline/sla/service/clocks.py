"""Keeping clocks: take a fact into a ticket's history, publish what changed, fire what falls due."""

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
    TICKET,
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


def _history(facts: list[Fact]) -> list[HistoryEvent]:
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
    terms = await sla.terms(unit, ticket.policy_version)
    return fold_facts(terms, await unit.all(FACTS, ticket_id=ticket.id), as_of)


async def explained_at(sla: Sla, unit: Unit, ticket: Ticket, as_of: datetime) -> tuple[rules.Explanation, ...]:
    """Return the explanation of each of a ticket's clocks at an instant."""
    terms = await sla.terms(unit, ticket.policy_version)
    facts = await unit.all(FACTS, ticket_id=ticket.id)
    return rules.explain(_history(facts), terms.rules, terms.calendar, _seen_from(as_of, facts))


def fold_facts(terms: Terms, facts: list[Fact], as_of: datetime) -> tuple[rules.Clock, ...]:
    """Return the clocks of a ticket at an instant, told from its facts."""
    return rules.fold(_history(facts), terms.rules, terms.calendar, _seen_from(as_of, facts))


def _seen_from(as_of: datetime, facts: list[Fact]) -> datetime:
    """Return the instant to judge at: what has happened stays known when the machine's clock is set back."""
    return max([as_of, *(fact.at for fact in facts)])


def _news(fact: Fact, facts: list[Fact]) -> dict[str, str | None]:
    """Return what a fact says of what the ticket is like that the facts before it don't."""
    known: dict[str, str | None] = {}
    for earlier in sorted(facts, key=lambda earlier: earlier.at):
        known |= earlier.traits or {}
    told = fact.traits or {}
    return {name: value for name, value in told.items() if name not in known or known[name] != value}


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

    A judgement that says nothing new is none. Milestones that fell due before the fact are published first, so that an
    answer that came late has its breach; those held until staff are back, where their run ends.
    """
    terms = await sla.terms(unit, ticket.policy_version)
    facts = await unit.all(FACTS, ticket_id=ticket.id)
    fact = replace(_in_turn(fact, facts), traits=_news(fact, facts) or None)
    if fact.type == "targets_changed" and fact.traits is None:
        return
    # They are locked: the worker that fires what is due passes them over, and finds them as they are after the fact.
    stored: dict[str, StoredClock] = {}
    for clock in await unit.all(CLOCKS, ticket_id=ticket.id):
        whole = _completed(terms, facts, clock)
        stored[clock.target] = await milestones.tell(sla.runtime, unit, ticket, whole, terms.staff, fact.at)
    await unit.run(INSERT_FACT, ticket_id=ticket.id, **{name: getattr(fact, name) for name in Fact.__slots__})
    known = [*facts, fact]
    await keep_ended(unit, ticket, _history(known), terms.rules, terms.calendar, by)
    clocks = fold_facts(terms, known, now)
    dropped = _dropped(fold_facts(terms, facts, fact.at), clocks) if facts and fact.traits else []
    for after in (*dropped, *clocks):
        before = stored.get(after.target)
        if before and terms.staff and (before.state, before.due_at) != (after.state, after.due_at):
            before = await milestones.tell_held(sla.runtime, unit, ticket, before, terms.staff, fact.at)
        await _publish(sla, unit, ticket, after, before, now)
    unit.announce(DUE_CHANNEL)


def _completed(terms: Terms, facts: list[Fact], clock: StoredClock) -> StoredClock:
    """Return a stored clock as this release keeps it."""
    if clock.warnings is not None:
        return clock
    seen_from = _seen_from(rules.BEGINNING, facts)
    found = (folded for folded in fold_facts(terms, facts, seen_from) if folded.target == clock.target)
    return milestones.completed(clock, next(found, None))


def _dropped(before: tuple[rules.Clock, ...], after: tuple[rules.Clock, ...]) -> list[rules.Clock]:
    """Return, stopped, the clocks of targets that another urgency doesn't have."""
    kept = {clock.target for clock in after}
    return [
        replace(clock, state="idle", due_at=None, warnings=(), breached=False)
        for clock in before
        if clock.target not in kept
    ]


async def _publish(
    sla: Sla, unit: Unit, ticket: Ticket, clock: rules.Clock, known: StoredClock | None, as_of: datetime
) -> None:
    """Store a clock and publish what became of it since it was stored last."""
    terms = await sla.terms(unit, ticket.policy_version)
    stored = known or StoredClock(sla.runtime.ports.ids.new(), ticket.id, clock.target)
    now = milestones.timed(milestones.after(stored, clock, as_of), terms.staff)
    kind = milestones.became(stored, now)
    if kind is not None:
        due_at = now.due_at or stored.due_at
        milestones.say(sla.runtime, unit, ticket, now, kind, clock.elapsed_minutes, due_at)
    if now != known:
        await milestones.save(unit, now)


async def fire_due(sla: Sla, unit: Unit, now: datetime, limit: int) -> int:
    """Publish the milestones that are due by now, of the clocks longest due; return how many clocks that were."""
    due = await unit.all(DUE, now=now, limit=limit)
    for clock in due:
        ticket = await unit.one(TICKET, id=clock.ticket_id)
        assert ticket is not None  # a clock is stored with its ticket
        terms = await sla.terms(unit, ticket.policy_version)
        facts = [] if clock.warnings is not None else await unit.all(FACTS, ticket_id=ticket.id)
        whole = _completed(terms, facts, clock)
        # The step of time makes "by now" of "before".
        await milestones.tell(sla.runtime, unit, ticket, whole, terms.staff, before=now + rules.INSTANT)
    return len(due)

"""Taking a fact into a ticket's history, and telling what it makes of the clocks."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from firstline.common.store.port import Unit
from firstline.sla import clock as rules
from firstline.sla.history import ClockEvent
from firstline.sla.service import milestones
from firstline.sla.service.clocks import DUE_CHANNEL, Sla, completed, dropped, fold_facts, publish
from firstline.sla.service.records import keep_ended
from firstline.sla.service.retiming import up_to_date
from firstline.sla.service.terms import Terms
from firstline.sla.store import Ticket
from firstline.sla.store.clocks import CLOCKS, StoredClock
from firstline.sla.store.facts import FACTS, INSERT_FACT


def _news(fact: ClockEvent, facts: Sequence[ClockEvent]) -> dict[str, str | None]:
    """Return what a fact says of what the ticket is like that the facts before it don't."""
    known: dict[str, str | None] = {}
    for earlier in sorted(facts, key=lambda earlier: earlier.at):
        known |= earlier.traits or {}
    told = fact.traits or {}
    return {name: value for name, value in told.items() if name not in known or known[name] != value}


def _in_turn(fact: ClockEvent, facts: Sequence[ClockEvent]) -> ClockEvent:
    """Return a fact at the instant from which it counts: never before what the desk did earlier.

    A message let in after an answer is not answered by it, whenever it was received, and a machine's clock that is
    set back turns no history round. The client's messages among themselves keep the times of their receipt, those
    of a duplicate too.
    """
    heard = ("created", "client_message", "owed")
    earlier = [known.at for known in facts if fact.type not in heard or known.type not in heard]
    return replace(fact, at=max([fact.at, *earlier]))


async def take_fact(
    sla: Sla, unit: Unit, ticket: Ticket, fact: ClockEvent, now: datetime, by: str | None = None
) -> None:
    """Add a fact to a ticket's history and publish how its clocks stand after it; `by` is who did it for the desk.

    A judgement that says nothing new is none. Milestones that fell due before the fact are published first, so that an
    answer that came late has its breach; those held until staff are back, where their run ends.
    """
    # First of all, or what fell due by hours that are no longer in force would be told here.
    ticket = await up_to_date(sla, unit, ticket)
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
    await unit.run(INSERT_FACT, ticket_id=ticket.id, **{name: getattr(fact, name) for name in ClockEvent.__slots__})
    known = [*facts, fact]
    await keep_ended(unit, ticket, known, terms.rules, terms.calendar, by)
    clocks = fold_facts(terms, known, now)
    gone = dropped(fold_facts(terms, facts, fact.at), clocks) if facts and fact.traits else []
    after = told | {
        clock.target: _followed(sla, unit, ticket, terms, clock, told.get(clock.target), fact.at, now)
        for clock in (*gone, *clocks)
    }
    await milestones.save(unit, *(clock for clock in after.values() if clock != stored.get(clock.target)))
    unit.announce(DUE_CHANNEL)


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

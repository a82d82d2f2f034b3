"""Timing requests by other terms: the newest hours, which count for all that are open, or other targets (clause 2.1).

The histories are folded under the new terms; what is stored, told and due follows in the same transaction.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby

from firstline.common.errors import Invalid
from firstline.common.store.port import Unit
from firstline.sla import clock as rules
from firstline.sla.service import milestones
from firstline.sla.service.clocks import DUE_CHANNEL, Sla, completed, dropped, fold_facts, publish
from firstline.sla.service.terms import Terms
from firstline.sla.store import CLOCKS_TO_TIME, FACTS_OF, SET_TERMS, FactOf, StoredClock, Ticket


@dataclass(frozen=True, slots=True)
class Moved:
    """A request under its new terms: how its clocks stood and how they stand then, or why it can't be timed by them."""

    ticket: Ticket
    terms: Terms
    before: list[StoredClock]
    after: tuple[rules.Clock, ...] = ()
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """The versions whose hours and targets are wanted; without one of targets these stay as they are."""

    hours: str
    targets: str | None = None


async def up_to_date(sla: Sla, unit: Unit, ticket: Ticket) -> Ticket:
    """Return a ticket that is timed by the newest hours, and is from now on if it was not; they stay that meanwhile.

    Raises:
        NoPolicy: none has arrived.

    """
    newest = await sla.newest(unit, hold=True)
    if await sla.same_hours(unit, ticket.hours, newest):
        return ticket
    now = sla.runtime.ports.clock.now()
    found = await moved(sla, unit, [ticket], Wanted(newest), now)
    await keep(sla, unit, found, Wanted(newest), now)
    return found[0].ticket


async def moved(sla: Sla, unit: Unit, tickets: Sequence[Ticket], to: Wanted, now: datetime) -> list[Moved]:
    """Return tickets under the terms that are wanted; nothing is stored.

    Their clocks stay locked until the commit, as the tickets are by whoever calls.
    """
    ids = [ticket.id for ticket in tickets]
    before: dict[str, list[StoredClock]] = defaultdict(list)
    for clock in await unit.all(CLOCKS_TO_TIME, ticket_ids=ids):
        before[clock.ticket_id].append(clock)
    facts = {
        ticket_id: list(told)
        for ticket_id, told in groupby(await unit.all(FACTS_OF, ticket_ids=ids), lambda fact: fact.ticket_id)
    }
    return [
        await _fold(sla, unit, ticket, _under(ticket, to), before[ticket.id], facts.get(ticket.id, []), now)
        for ticket in tickets
    ]


def _under(ticket: Ticket, to: Wanted) -> Ticket:
    """Return a ticket that is timed by the terms that are wanted."""
    return replace(ticket, calendar_version=to.hours, targets_version=to.targets or ticket.targets_version)


async def _fold(
    sla: Sla, unit: Unit, ticket: Ticket, then: Ticket, stored: list[StoredClock], facts: list[FactOf], now: datetime
) -> Moved:
    """Return one request under the new terms, or why they can't time it."""
    terms, own = await sla.terms_for(unit, then), await sla.terms_for(unit, ticket)
    before = [completed(own, facts, clock) for clock in stored]
    try:
        after = fold_facts(terms, facts, now)
    except Invalid as error:  # a target that is longer than the new calendar lasts
        return Moved(ticket, own, before, problem=error.faults[0].detail if error.faults else error.detail)
    if {clock.target for clock in before} - {clock.target for clock in after}:
        after = (*dropped(fold_facts(own, facts, now), after), *after)
    return Moved(then, terms, before, after)


def not_yet(ticket: Ticket, clock: rules.Clock, clock_id: str = "") -> StoredClock:
    """Return a clock as it is before its target is timed."""
    return StoredClock(clock_id, ticket.id, clock.target)


async def keep(sla: Sla, unit: Unit, found: Sequence[Moved], to: Wanted, now: datetime) -> None:
    """Store tickets under the terms to which they are moved, and publish what becomes of their clocks."""
    done = [moved for moved in found if moved.problem is None]
    clocks: list[StoredClock] = []
    for one in done:
        stored = {clock.target: clock for clock in one.before}
        for clock in one.after:
            before = stored.get(clock.target) or not_yet(one.ticket, clock, sla.runtime.ports.ids.new())
            after = publish(sla, unit, one.ticket, one.terms, clock, before, now)
            clocks += [after] if after != stored.get(clock.target) else []
    # With the clocks, or a message in between would be timed by the old terms.
    ids = [one.ticket.id for one in done]
    await unit.run(SET_TERMS, calendar_version=to.hours, targets_version=to.targets, ids=ids)
    await milestones.save(unit, *clocks)
    unit.announce(DUE_CHANNEL)

"""Timing requests by other terms: the newest hours, which count for all that are open, or other targets (clause 2.1).

The histories are folded under the new terms; what is stored, told and due follows in the same transaction.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import TypeVar

from firstline.common.errors import Invalid
from firstline.common.store.port import Unit
from firstline.sla import clock as rules
from firstline.sla.history import ClockEvent
from firstline.sla.service import milestones
from firstline.sla.service.clocks import DUE_CHANNEL, Sla, completed, dropped, fold_facts, publish
from firstline.sla.service.terms import Terms
from firstline.sla.store import SET_TERMS, Ticket
from firstline.sla.store.clocks import CHANGE_CLOCK, CLOCKS_TO_TIME, StoredClock
from firstline.sla.store.facts import FACTS_OF, FactOf

Of = TypeVar("Of", StoredClock, FactOf)

BATCH = 50
"""How many tickets are folded while the database stores those before."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A request under its new terms: how its clocks stood and how they stand then, or why it can't be timed by them.

    Attributes:
        ticket: the request.
        terms: by which it is timed then.
        before: its clocks as they are stored.
        after: its clocks under the new terms.
        gone: targets that are not timed any more; their clocks stand in `after`, stopped.
        problem: why it stays as it was.

    """

    ticket: Ticket
    terms: Terms
    before: list[StoredClock]
    after: tuple[rules.Clock, ...] = ()
    gone: frozenset[str] = frozenset()
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
    (found,) = await move(sla, unit, [ticket], Wanted(newest), now)
    return found.ticket


async def move(
    sla: Sla, unit: Unit, tickets: Sequence[Ticket], to: Wanted, now: datetime, *, dry_run: bool = False
) -> list[Moved]:
    """Time tickets by the terms that are wanted; unless that is only tried, store it and publish what it makes of them.

    Their clocks stay locked until the commit, as the tickets are by whoever calls.
    """
    ids = [ticket.id for ticket in tickets]
    clocks = _by_ticket(await unit.all(CLOCKS_TO_TIME, ticket_ids=ids))
    facts = _by_ticket(await unit.all(FACTS_OF, ticket_ids=ids))
    known = {clock.id for of_one in clocks.values() for clock in of_one}
    found: list[Moved] = []
    for few in _batched(tickets):
        moved = [await _fold(sla, unit, one, to, clocks.get(one.id, []), facts.get(one.id, []), now) for one in few]
        if not dry_run:
            changed = list(_published(sla, unit, moved, now))
            if new := [clock for clock in changed if clock.id not in known]:
                await milestones.save(unit, *new)
            # The database stores these while the next are folded.
            await unit.send(CHANGE_CLOCK, [milestones.as_row(clock) for clock in changed if clock.id in known])
        found += moved
    if not dry_run:
        # With the clocks, or a message in between would be timed by the old terms.
        done = [one.ticket.id for one in found if one.problem is None]
        await unit.send(SET_TERMS, [{"calendar_version": to.hours, "targets_version": to.targets, "ids": done}])
        unit.announce(DUE_CHANNEL)
    return found


def _by_ticket(rows: Iterable[Of]) -> dict[str, list[Of]]:
    """Return rows that come in the order of their tickets by the ticket's ID."""
    return {ticket_id: list(its) for ticket_id, its in groupby(rows, lambda row: row.ticket_id)}


def _batched(tickets: Sequence[Ticket]) -> Iterator[Sequence[Ticket]]:
    """Yield tickets in small batches."""
    return (tickets[place : place + BATCH] for place in range(0, len(tickets), BATCH))


async def _fold(
    sla: Sla,
    unit: Unit,
    ticket: Ticket,
    to: Wanted,
    stored: Sequence[StoredClock],
    facts: Sequence[ClockEvent],
    now: datetime,
) -> Moved:
    """Return one request under the new terms, or why they can't time it."""
    then = ticket.under(to.hours, to.targets)
    terms, own = await sla.terms_for(unit, then), await sla.terms_for(unit, ticket)
    before = [completed(own, facts, clock) for clock in stored]
    try:
        after = fold_facts(terms, facts, now)
    except Invalid as error:  # a target that is longer than the new calendar lasts
        return Moved(ticket, own, before, problem=error.faults[0].detail if error.faults else error.detail)
    gone = frozenset[str](clock.target for clock in before) - {clock.target for clock in after}
    if gone:
        after = (*dropped(fold_facts(own, facts, now), after), *after)
    return Moved(then, terms, before, after, gone)


def _published(sla: Sla, unit: Unit, found: Iterable[Moved], now: datetime) -> Iterator[StoredClock]:
    """Publish what becomes of the clocks of tickets that were moved; yield those that are to be stored."""
    for one in found:
        stored = {clock.target: clock for clock in one.before}
        for clock in one.after:
            before = stored.get(clock.target) or not_yet(one.ticket, clock, sla.runtime.ports.ids.new())
            after = publish(sla, unit, one.ticket, one.terms, clock, before, now)
            if after != stored.get(clock.target):
                yield after


def not_yet(ticket: Ticket, clock: rules.Clock, clock_id: str = "") -> StoredClock:
    """Return a clock as it is before its target is timed."""
    return StoredClock(clock_id, ticket.id, clock.target)

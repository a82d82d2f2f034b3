"""Telling what falls due: warnings and breaches, each once."""

from collections.abc import Iterable
from datetime import datetime

from firstline.common.store.port import Unit
from firstline.sla import clock as rules
from firstline.sla.service import milestones, retiming
from firstline.sla.service.clocks import Sla, completed
from firstline.sla.service.retiming import Wanted
from firstline.sla.store import TICKETS, TICKETS_TO_TIME_NOW, Ticket
from firstline.sla.store.clocks import CHANGE_CLOCK, DUE
from firstline.sla.store.facts import FACTS


async def fire_due(sla: Sla, unit: Unit, now: datetime, limit: int) -> int:
    """Publish the milestones that are due by now, of the clocks longest due; return how many clocks that were.

    Costs four exchanges with the store and one for the events, however many clocks there are.
    """
    due = await unit.all(DUE, now=now, limit=limit)
    if not due:
        return 0
    tickets = {one.id: one for one in await unit.all(TICKETS, ids=sorted({clock.ticket_id for clock in due}))}
    left, moved = await _retimed(sla, unit, tickets.values(), now)
    fired = []
    for clock in due:
        if clock.ticket_id in left:
            continue
        ticket = tickets[clock.ticket_id]
        terms = await sla.terms_for(unit, ticket)
        # A clock that an earlier release stored has yet to be completed from its history.
        facts = [] if clock.warnings is not None else await unit.all(FACTS, ticket_id=ticket.id)
        whole = completed(terms, facts, clock)
        # The step of time makes "by now" of "before".
        fired.append(milestones.tell(sla.runtime, unit, ticket, whole, terms.staff, before=now + rules.INSTANT))
    await unit.many(CHANGE_CLOCK, [milestones.as_row(clock) for clock in fired])
    return len(fired) + moved


async def _retimed(sla: Sla, unit: Unit, tickets: Iterable[Ticket], now: datetime) -> tuple[set[str], int]:
    """Time tickets by the newest hours that are not yet, before anything is told of them by those of before.

    Returns the IDs of tickets of which nothing is to be told now, and how many clocks were looked at for that.
    """
    newest = await sla.newest(unit)
    behind = {ticket.id for ticket in tickets if not await sla.same_hours(unit, ticket.hours, newest)}
    if not behind:
        return behind, 0
    # Whoever has one of them locked times it just now; waiting here, with its clock in hand, both would wait for ever.
    free = await unit.all(TICKETS_TO_TIME_NOW, ids=sorted(behind))
    found = await retiming.move(sla, unit, free, Wanted(newest), now)
    # What can't be timed by the newest hours is told by those that it has.
    return behind - {one.ticket.id for one in found if one.problem}, sum(len(one.after) for one in found)

"""Clocks of requests, their explanation, and clocks of any history (clauses 2.1, 2.3)."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime

from firstline.common.addresses import read_number
from firstline.common.application import permit
from firstline.common.calendar import Calendar
from firstline.common.errors import Fault, Invalid, NotFound
from firstline.common.paging import DEFAULT_LIMIT, MAX_LIMIT, Page
from firstline.common.permissions import Access
from firstline.common.store.port import Unit
from firstline.sla import clock as rules
from firstline.sla.api.context import SlaHere, calculated
from firstline.sla.schemas import (
    ComputeIn,
    ComputeOut,
    ExplanationOut,
    TicketClockOut,
    clock_out,
    explanation_out,
    history_event,
    targets_of,
)
from firstline.sla.service.clocks import Sla, clocks_at, explained_at
from firstline.sla.service.terms import given_rules
from firstline.sla.store import TICKET, TICKETS, TICKETS_BY_NUMBER, Ticket
from firstline.sla.store.clocks import CLOCK, CLOCKS_DUE, CLOCKS_OF, StoredClock
from firstline.sla.words import TimedBy

router = APIRouter(prefix="/v1/clocks", tags=["time"])
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


@router.get("")
async def list_clocks(
    sla: SlaHere,
    _access: Annotated[Access, Depends(permit("clocks.read"))],
    ticket_ids: Annotated[str | None, Query(description="IDs or numbers, commas between, up to 100.")] = None,
    due_before: AwareDatetime | None = None,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
) -> Page[TicketClockOut]:
    """List the clocks of requests, or the running ones that are due before an instant, the earliest first."""
    # Neither would be every clock there ever was; both would need an order that no index has.
    if (ticket_ids is None) == (due_before is None):
        fault = Fault("#query/ticket_ids", "Give ticket_ids or due_before, one of them.")
        raise Invalid("Which clocks do you want?", faults=(fault,))
    if ticket_ids is not None:
        return Page[TicketClockOut](items=await _of_tickets(sla, ticket_ids), next=None)
    assert due_before is not None
    return await _due(sla, due_before, cursor, limit)


async def _due(sla: Sla, before: datetime, cursor: str | None, limit: int) -> Page[TicketClockOut]:
    """Return a page of running clocks due before an instant, the earliest first."""
    place = sla.cursors.read("clocks", cursor)
    due, clock_id = (datetime.fromisoformat(str(place[0])), str(place[1])) if place else (_LONG_AGO, "")

    async def work(unit: Unit) -> Page[TicketClockOut]:
        found = await unit.all(CLOCKS_DUE, before=before, after_due=due, after_id=clock_id, limit=limit + 1)
        last = found[limit - 1] if len(found) > limit else None
        more = sla.cursors.write("clocks", [str(last.due_at), last.id]) if last else None
        return Page[TicketClockOut](items=await _shown(sla, unit, found[:limit]), next=more)

    return await sla.runtime.store.read(work)


async def _of_tickets(sla: Sla, ticket_ids: str) -> list[TicketClockOut]:
    """Return the clocks of requests that are named by ID or number; raise Invalid for too many."""
    wanted = [part.strip() for part in ticket_ids.split(",") if part.strip()]
    if len(wanted) > MAX_LIMIT:
        raise Invalid("Too many requests at once.", faults=(Fault("#query/ticket_ids", f"At most {MAX_LIMIT}."),))

    async def work(unit: Unit) -> list[TicketClockOut]:
        # People name requests by number and programs by ID: one list may hold both.
        numbers = [number for part in wanted if (number := read_number(part))]
        ids = [part for part in wanted if not read_number(part)]
        ids += [ticket.id for ticket in await unit.all(TICKETS_BY_NUMBER, numbers=numbers)]
        return await _shown(sla, unit, await unit.all(CLOCKS_OF, ticket_ids=ids))

    return await sla.runtime.store.read(work)


async def _shown(sla: Sla, unit: Unit, stored: list[StoredClock]) -> list[TicketClockOut]:
    """Return clocks as they stand now, each ticket's history folded once, without targets that no longer apply."""
    now = sla.runtime.ports.clock.now()
    tickets = {t.id: t for t in await unit.all(TICKETS, ids=sorted({clock.ticket_id for clock in stored}))}
    folded: dict[tuple[str, str], rules.Clock] = {
        (ticket.id, clock.target): clock
        for ticket in tickets.values()
        for clock in await clocks_at(sla, unit, ticket, now)
    }
    return [
        _ticket_clock(tickets[clock.ticket_id], clock, present, now)
        for clock in stored
        if (present := folded.get((clock.ticket_id, clock.target)))
    ]


def _ticket_clock(ticket: Ticket, stored: StoredClock, clock: rules.Clock, now: datetime) -> TicketClockOut:
    """Return the document of a request's clock: as it stands now, under the ID that it is stored with."""
    return TicketClockOut(
        **clock_out(clock).model_dump(),
        id=stored.id,
        ticket_id=ticket.id,
        number=ticket.number,
        warn_at=clock.warn_at,
        policy_version=ticket.policy_version,
        targets_version=ticket.targets,
        hours_version=ticket.hours,
        as_of=now,
    )


@router.get("/{clock_id}/explanation")
async def explain_clock(
    clock_id: str, sla: SlaHere, _access: Annotated[Access, Depends(permit("clocks.read"))]
) -> ExplanationOut:
    """Explain a clock: every stretch of its run, whether it was counted and why, and whose hours it was counted by."""

    async def work(unit: Unit) -> ExplanationOut:
        clock = await unit.one(CLOCK, id=clock_id)
        ticket = await unit.one(TICKET, id=clock.ticket_id) if clock else None
        if clock is not None and ticket is not None:
            for explanation in await explained_at(sla, unit, ticket, sla.runtime.ports.clock.now()):
                if explanation.target == clock.target:
                    by = TimedBy(ticket.policy_version, ticket.targets, ticket.hours)
                    return explanation_out(explanation, by)
        raise NotFound("There is no clock with this ID. List the clocks of the request first.")

    return await sla.runtime.store.read(work)


@router.post("/compute", dependencies=[Depends(permit("clocks.compute"))])
async def compute_clocks(body: ComputeIn, sla: SlaHere) -> ComputeOut:
    """Fold a history into clocks at an instant, by rules of targets if wanted; nothing is stored."""
    history = [history_event(event) for event in body.events]
    rules_given = given_rules(body.rules, body.warn_before, targets_of(body.targets))

    def work(calendar: Calendar) -> ComputeOut:
        return ComputeOut(
            clocks=[clock_out(clock) for clock in rules.fold(history, rules_given, calendar, body.as_of)],
            explanation=[explanation_out(e) for e in rules.explain(history, rules_given, calendar, body.as_of)],
        )

    return await calculated(sla, body.calendar, work)

"""What is foretold of the next answers, from the queue as it was told, and how often it came true (clause 2.3)."""

from dataclasses import dataclass
from datetime import datetime

from firstline.common.addresses import read_number
from firstline.common.calendar import Calendar
from firstline.common.errors import NotFound
from firstline.common.events import EntryKey, QueueEvent
from firstline.common.permissions import Access
from firstline.common.store.port import Unit, Value
from firstline.sla.forecast import Forecast, foretell
from firstline.sla.service.clocks import Sla
from firstline.sla.store import (
    ADD_WAITED,
    AHEAD,
    ENTER,
    FORGET_WAITED,
    LEAVE,
    MOVE,
    PARTICIPANTS,
    SCORE,
    TICKET,
    TICKETS_BY_NUMBER,
    WAITING,
    Score,
    Ticket,
)

SCORED = 1000
"""Over so many of the last answers it is counted how often the forecast came true."""

KEPT = 10_000
"""So many answers are kept at most: enough for both figures, however many numbers transactions gave up."""

COUNTED = 1000
"""Up to so many requests ahead are counted."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What is foretold of a ticket's next answer.

    Attributes:
        ticket: whose answer it is.
        ahead: requests that are served before it, COUNTED at most; None while no answer is owed.
        forecast: business minutes from `as_of`; None while too few answers have been given.
        p50_at: when half of such answers have come; None like the forecast.
        p90_at: when nine of ten have.
        earliest_at: the first instant at which somebody may answer: now, or the next opening.
        based_on: how many of the last answers were looked at.
        as_of: the instant of the forecast.

    """

    ticket: Ticket
    ahead: int | None
    forecast: Forecast | None
    p50_at: datetime | None
    p90_at: datetime | None
    earliest_at: datetime | None
    based_on: int
    as_of: datetime


async def entered(sla: Sla, unit: Unit, ticket_id: str, event: QueueEvent, at: datetime) -> None:
    """Note that an answer is owed, and what is foretold of it now."""
    key = _key(event.key)
    ahead = await _ahead(unit, **key)
    lately = await sla.last_waits.read(unit)
    p50_at, p90_at = _instants((await sla.terms(unit)).calendar, at, foretell(lately, ahead))
    await unit.run(ENTER, ticket_id=ticket_id, entered_at=at, ahead=ahead, p50_at=p50_at, p90_at=p90_at, **key)


async def waits(unit: Unit, ticket_id: str, event: QueueEvent) -> None:
    """Note that an answer is owed of which nothing was foretold, where that isn't known: it counts from its receipt."""
    if await unit.one(WAITING, ticket_id=ticket_id) is None:
        key = _key(event.key)
        ahead, since = await _ahead(unit, **key), event.key.since
        await unit.run(ENTER, ticket_id=ticket_id, entered_at=since, ahead=ahead, p50_at=None, p90_at=None, **key)


async def moved(unit: Unit, ticket_id: str, event: QueueEvent) -> None:
    """Note another place in the queue; what was foretold stays, to be judged."""
    await unit.run(MOVE, ticket_id=ticket_id, **_key(event.key))


async def left(sla: Sla, unit: Unit, ticket_id: str, event: QueueEvent, at: datetime) -> None:
    """Note that no answer is owed any more, and, where one was given, how long it took."""
    waiting = await unit.one(WAITING, ticket_id=ticket_id)
    # What came in before this service followed the queue says nothing of how long things take.
    if waiting is None:
        return
    await unit.run(LEAVE, ticket_id=ticket_id)
    if event.reason == "answered":
        calendar = (await sla.terms(unit)).calendar
        seq = await unit.one(
            ADD_WAITED,
            ticket_id=ticket_id,
            entered_at=waiting.entered_at,
            answered_at=at,
            minutes=float(calendar.between(waiting.entered_at, at)),
            ahead=waiting.ahead,
            p50_at=waiting.p50_at,
            p90_at=waiting.p90_at,
        )
        # By number and not by count: one delete along the key, however many there are.
        await unit.run(FORGET_WAITED, up_to=(seq or 0) - KEPT)
        sla.last_waits.forget()


async def expected(sla: Sla, unit: Unit, access: Access, reference: str, now: datetime) -> Expected:
    """Return what is foretold of the next answer to a ticket within the caller's reach.

    Raises:
        NotFound: there is none that the caller may see.
        NoPolicy: no policy has arrived.

    """
    ticket = await _find(unit, access, reference)
    waiting = await unit.one(WAITING, ticket_id=ticket.id)
    if waiting is None:
        return Expected(ticket, None, None, None, None, None, 0, now)
    ahead = await _ahead(unit, turn=waiting.turn, since=waiting.since, position=waiting.position)
    lately = await sla.last_waits.read(unit)
    calendar, forecast = (await sla.terms(unit)).calendar, foretell(lately, ahead)
    p50_at, p90_at = _instants(calendar, now, forecast)
    return Expected(ticket, ahead, forecast, p50_at, p90_at, calendar.add(now, 0), len(lately), now)


async def score(unit: Unit) -> Score:
    """Return how often the forecasts of the last answers came true."""
    return await unit.one(SCORE, limit=SCORED) or Score(0, 0, 0)


async def _find(unit: Unit, access: Access, reference: str) -> Ticket:
    """Return a ticket by ID or number; what the caller may not see isn't there for them."""
    number = read_number(reference)
    found = await unit.all(TICKETS_BY_NUMBER, numbers=[number]) if number else [await unit.one(TICKET, id=reference)]
    ticket = found[0] if found else None
    if ticket is None:
        raise NotFound("Nothing with this ID is here for you. Check the ID.")
    # The error is the same as for what doesn't exist, so that nobody learns which numbers are taken.
    addresses = await unit.all(PARTICIPANTS.addresses, ticket_id=ticket.id)
    access.demand(frozenset(addresses), ticket.organization_id)
    return ticket


async def _ahead(unit: Unit, **key: Value) -> int:
    """Return how many requests are served before this place, COUNTED at most: more would only cost time."""
    return await unit.one(AHEAD, limit=COUNTED, **key) or 0


def _key(key: EntryKey) -> dict[str, Value]:
    """Return a place in the queue in this service's columns, which sort as queue itself does."""
    return {"turn": 0 if key.out_of_turn else 1, "since": key.since, "position": key.position}


def _instants(
    calendar: Calendar, start: datetime, forecast: Forecast | None
) -> tuple[datetime | None, datetime | None]:
    """Return when half of such answers, and nine of ten, will have come in business time."""
    if forecast is None:
        return None, None
    return calendar.add(start, forecast.p50), calendar.add(start, forecast.p90)

"""Filling what an earlier release did not keep, from the logs that have it: who may ask, and what waits (clause 2.3).

Requests that waited when forecasts came have no event that would tell it again. Of each stream only the event that was
applied last is looked at: it says who takes part now, and what stands in the queue now. Of what a request is like, by
which rules choose its targets, each event says its part.
"""

from pydantic import ValidationError

from firstline.common.envelope import Envelope
from firstline.common.events import (
    CATALOGUE,
    AccountLicenceChanged,
    QueueEvent,
    QueueLeft,
    TicketEvent,
    TicketSubmitted,
    TicketTriaged,
)
from firstline.common.pull import PAGE_LIMIT, ReadLog
from firstline.common.store.port import Store, Unit
from firstline.sla.history import ClockEvent
from firstline.sla.service.forecasts import waits
from firstline.sla.service.traits import told_by, with_edition
from firstline.sla.store import APPLIED, DROP_REFILL, MOVE_REFILL, PARTICIPANTS, SAVE_LICENCE, Refill
from firstline.sla.store.facts import FILL_TRAITS, INSERT_FACT

STREAMS = ("ticket/", "entry/", "licence/")


async def refill(store: Store, read_log: ReadLog, place: Refill) -> int:
    """Read a page of a log and fill what is missing; return how many events it had, 0 at the log's end.

    Raises:
        httpx.HTTPError: the log can't be read now.

    """
    page = await read_log(place.position, PAGE_LIMIT)
    # One transaction for each: a long one would hold the inbox's rows, and the store has one writer on SQLite.
    for event in page.items:
        if event.stream.startswith(STREAMS):
            await store.write(lambda unit, event=event: fill(unit, event))  # type: ignore[misc]
    if page.items:
        last = page.items[-1].position
        await store.write(lambda unit: unit.run(MOVE_REFILL, source=place.source, position=last))
    else:
        await store.write(lambda unit: unit.run(DROP_REFILL, source=place.source))
    return len(page.items)


async def fill(unit: Unit, event: Envelope) -> None:
    """Keep what an applied event says, if nothing is known of that yet."""
    # What the inbox hasn't applied yet will come in its turn, by the handlers of this release.
    applied = await unit.one(APPLIED, source=event.source, stream=event.stream)
    if applied is None or applied < event.version:
        return
    try:
        data = event.payload(CATALOGUE[event.type])
    except (KeyError, ValidationError):
        return  # erased, or told by a newer release
    ticket_id = event.stream.partition("/")[2]
    if isinstance(data, TicketSubmitted | TicketTriaged):
        await _fill_traits(unit, ticket_id, event, data)
    if applied != event.version:
        return
    if isinstance(data, AccountLicenceChanged):
        await unit.run(SAVE_LICENCE, id=data.id, edition=data.edition)
    elif isinstance(data, TicketEvent) and not await unit.all(PARTICIPANTS.addresses, ticket_id=ticket_id):
        await PARTICIPANTS.keep(unit, ticket_id, data, is_new=True)
    elif isinstance(data, QueueEvent) and not isinstance(data, QueueLeft):
        await waits(unit, ticket_id, data)


async def _fill_traits(unit: Unit, ticket_id: str, event: Envelope, data: TicketEvent) -> None:
    """Keep what an event says of what the ticket is like; a judgement that changed no urgency left no fact before."""
    traits = await with_edition(unit, told_by(data), needed=False)
    await unit.run(FILL_TRAITS, ticket_id=ticket_id, id=event.id, traits=traits)
    if isinstance(data, TicketTriaged):
        fact = ClockEvent("targets_changed", event.time, id=event.id, traits=traits)
        await unit.run(INSERT_FACT, ticket_id=ticket_id, **{name: getattr(fact, name) for name in ClockEvent.__slots__})

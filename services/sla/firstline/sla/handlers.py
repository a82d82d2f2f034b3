"""What sla does on other services' events; the table at the foot lists them."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, replace
from datetime import datetime
from functools import partial

from firstline.common.addresses import normal_address
from firstline.common.envelope import Envelope, prefix_of
from firstline.common.erasure import announce_redaction, begin_erasure
from firstline.common.events import (
    CATALOGUE,
    AccountLicenceChanged,
    AccountOrganizationChanged,
    AccountPersonChanged,
    PersonErased,
    PolicyPublished,
    QueueClaimed,
    QueueEntered,
    QueueEvent,
    QueueMoved,
    TicketClosed,
    TicketDuplicateJoined,
    TicketDuplicateLeft,
    TicketEvent,
    TicketRated,
    TicketRedacted,
    TicketReopened,
    TicketReplied,
    TicketSubmitted,
    TicketTriaged,
    TicketWaiting,
)
from firstline.common.inbox import Handler, NotYet
from firstline.common.permissions import STAFF
from firstline.common.store.port import Unit
from firstline.sla.history import Cause, ClockEvent, EventType
from firstline.sla.service import forecasts, publication, records
from firstline.sla.service.clocks import NoPolicy, Sla
from firstline.sla.service.facts import take_fact
from firstline.sla.service.traits import LicenceUnknown, told_by, with_edition
from firstline.sla.store import (
    FORGET_PERSON,
    INSERT_TICKET,
    PARTICIPANTS,
    PERSON_ADDRESS,
    SAVE_LICENCE,
    SAVE_PERSON,
    SET_URGENCY,
    TICKET_TO_TIME,
    Ticket,
)
from firstline.sla.store.records import CALL, FORGET_NAME

Reaction = Callable[[Sla, Unit, Envelope], Awaitable[None]]


async def policy_published(sla: Sla, unit: Unit, event: Envelope) -> None:
    """Keep the policy version, whose hours count from now on if it is the newest."""
    await publication.learn(sla, unit, event.payload(PolicyPublished), event.position)


async def ticket_told(sla: Sla, unit: Unit, event: Envelope) -> None:
    """Keep who takes part in the ticket, and let its clocks have what concerns them."""
    data = event.payload(CATALOGUE[event.type])
    if isinstance(data, TicketEvent):
        await PARTICIPANTS.keep(unit, event.stream.partition("/")[2], data, is_new=event.version == 1)
    if isinstance(data, TicketRedacted):
        announce_redaction(unit)
    clocked = CLOCKED.get(event.type)
    if clocked is not None:
        await clocked(sla, unit, event)


async def person_changed(_sla: Sla, unit: Unit, event: Envelope) -> None:
    """Know the person's address, by which copies of it are found when they are to be erased."""
    data = event.payload(AccountPersonChanged)
    await unit.run(SAVE_PERSON, id=data.id, address=normal_address(data.email))
    # Only of the desk's people: reports group by them, and a client's name would be a copy more to erase.
    if data.role in STAFF and data.name:
        await unit.run(CALL, id=data.id, name=data.name)


async def organization_changed(_sla: Sla, unit: Unit, event: Envelope) -> None:
    """Know what the organisation is called."""
    data = event.payload(AccountOrganizationChanged)
    await unit.run(CALL, id=data.id, name=data.name)


async def licence_changed(_sla: Sla, unit: Unit, event: Envelope) -> None:
    """Know the licence's edition, by which the policy may choose targets."""
    data = event.payload(AccountLicenceChanged)
    await unit.run(SAVE_LICENCE, id=data.id, edition=data.edition)


async def person_erased(_sla: Sla, unit: Unit, event: Envelope) -> None:
    """Delete the copies of the person's address."""
    person_id = event.payload(PersonErased).id
    await unit.run(FORGET_NAME, id=person_id)
    address = await unit.one(PERSON_ADDRESS, id=person_id)
    if address is not None:
        await unit.run(PARTICIPANTS.forget, address=address)
        await unit.run(FORGET_PERSON, id=person_id)
        await begin_erasure(unit, person_id, address, [], [])


async def entry_told(sla: Sla, unit: Unit, event: Envelope) -> None:
    """Follow the queue, from which the next answers are foretold."""
    data, ticket_id = event.payload(QueueEvent), event.stream.partition("/")[2]
    try:
        if event.type == QueueEntered.TYPE:
            await forecasts.entered(sla, unit, ticket_id, data, event.time)
        elif event.type == QueueMoved.TYPE:
            await forecasts.moved(unit, ticket_id, data)
        else:
            await forecasts.left(sla, unit, ticket_id, data, event.time)
    except NoPolicy as missing:
        # Put off, not failed: the policy comes from another service's stream, and no order holds between the two.
        raise NotYet(missing.detail) from missing


async def submitted(sla: Sla, unit: Unit, event: Envelope) -> None:
    """Start the clocks of a new ticket; those of a split one start at the split, whenever its message came."""
    data = event.payload(TicketSubmitted)
    ticket = Ticket(
        event.stream.partition("/")[2],
        data.number,
        data.organization_id,
        data.policy_version,
        data.urgency,
        calendar_version=await _hours(sla, unit),
    )
    await unit.run(INSERT_TICKET, **asdict(ticket))
    # What passed before the split was timed by the request that it came from.
    at = event.time if data.split_from else data.received_at
    # A robot's mail starts no clock, but the first message of a person will run by these targets.
    kind: EventType = "targets_changed" if data.origin.automatic else "created"
    traits = await _traits(sla, unit, ticket, data)
    calendar = (await sla.terms_for(unit, ticket)).calendar
    await records.taken(unit, calendar, ticket, data, at)
    await take_fact(sla, unit, ticket, ClockEvent(kind, at, id=event.id, traits=traits), event.time)


async def _hours(sla: Sla, unit: Unit) -> str:
    """Return the version whose hours count, which it stays until the commit.

    Raises:
        NotYet: no policy has arrived.

    """
    try:
        return await sla.newest(unit, hold=True)
    except NoPolicy as missing:
        raise NotYet(missing.detail) from missing


async def _traits(sla: Sla, unit: Unit, ticket: Ticket, data: TicketEvent) -> dict[str, str | None]:
    """Return what an event says of what the ticket is like.

    Raises:
        NotYet: the policy has not arrived, or the licence whose edition it asks for.

    """
    try:
        rules = (await sla.terms_for(unit, ticket)).rules
        return await with_edition(unit, told_by(data), needed=rules.asks_for("edition"))
    except (NoPolicy, LicenceUnknown) as missing:
        raise NotYet(missing.detail) from missing


async def replied(sla: Sla, unit: Unit, event: Envelope) -> None:
    """Take a public message, and the licence that it may have named; what robots write counts for nothing."""
    data = event.payload(TicketReplied)
    if data.origin.automatic:
        return
    is_staff = data.author.side == "staff"
    ticket = await _ticket(unit, event)
    traits = await _traits(sla, unit, ticket, data)
    fact = ClockEvent("staff_reply" if is_staff else "client_message", data.received_at, id=event.id, traits=traits)
    await take_fact(sla, unit, ticket, fact, event.time, data.author.id if is_staff else None)


async def triaged(sla: Sla, unit: Unit, event: Envelope) -> None:
    """Time by the targets of what the request is judged to be from now on."""
    data = event.payload(TicketTriaged)
    ticket = await _ticket(unit, event)
    await records.judged(unit, ticket.id, data)
    if data.urgency != ticket.urgency:
        await unit.run(SET_URGENCY, id=ticket.id, urgency=data.urgency)
        ticket = replace(ticket, urgency=data.urgency)
    fact = ClockEvent("targets_changed", event.time, id=event.id, traits=await _traits(sla, unit, ticket, data))
    await take_fact(sla, unit, ticket, fact, event.time)


async def waiting(sla: Sla, unit: Unit, event: Envelope) -> None:
    """Let the clocks stand still."""
    await _note(sla, unit, event, "wait", event.time, event.payload(TicketWaiting).cause)


async def resumed(sla: Sla, unit: Unit, event: Envelope) -> None:
    """Let the clocks go on."""
    await _note(sla, unit, event, "resume", event.time)


async def resolved(sla: Sla, unit: Unit, event: Envelope) -> None:
    """Stop the response clocks; the resolution is met."""
    await _note(sla, unit, event, "resolved", event.time, by=_staff(event))


async def closed(sla: Sla, unit: Unit, event: Envelope) -> None:
    """Stop the clocks."""
    await records.closed(unit, event.stream.partition("/")[2], event.payload(TicketClosed))
    await _note(sla, unit, event, "closed", event.time, by=_staff(event))


async def reopened(sla: Sla, unit: Unit, event: Envelope) -> None:
    """Start the next response at the instant of reopening."""
    await records.reopened(unit, event.stream.partition("/")[2])
    await _note(sla, unit, event, "reopened", event.payload(TicketReopened).received_at)


async def rated(_sla: Sla, unit: Unit, event: Envelope) -> None:
    """Count what the client thinks of the handling."""
    await records.rated(unit, event.stream.partition("/")[2], event.payload(TicketRated).mark)


async def claimed(_sla: Sla, unit: Unit, event: Envelope) -> None:
    """Count what is taken before others that came earlier."""
    if event.payload(QueueClaimed).key.out_of_turn:
        ticket_id = event.stream.partition("/")[2]
        # Queue's events and intake's come by different streams; an update of a row that isn't there would be lost.
        if await unit.one(TICKET_TO_TIME, id=ticket_id) is None:
            raise NotYet("The request has not been told of.")
        await records.took_out_of_turn(unit, ticket_id)


async def duplicate_joined(sla: Sla, unit: Unit, event: Envelope) -> None:
    """Owe the answers that a duplicate was owed, from the receipt of their messages."""
    ticket = await _ticket(unit, event)
    for one in event.payload(TicketDuplicateJoined).owed:
        fact = ClockEvent("owed", one.since, id=f"{event.id}/{one.ticket_id}", origin=one.ticket_id)
        await take_fact(sla, unit, ticket, fact, event.time)


async def duplicate_left(sla: Sla, unit: Unit, event: Envelope) -> None:
    """Owe no longer what went back with a duplicate."""
    ticket = await _ticket(unit, event)
    for one in event.payload(TicketDuplicateLeft).owed:
        fact = ClockEvent("given_back", event.time, id=f"{event.id}/{one.ticket_id}", origin=one.ticket_id)
        await take_fact(sla, unit, ticket, fact, event.time)


async def _note(
    sla: Sla,
    unit: Unit,
    event: Envelope,
    kind: EventType,
    at: datetime,
    cause: Cause | None = None,
    by: str | None = None,
) -> None:
    """Take a fact that says nothing of what the ticket is like."""
    ticket = await _ticket(unit, event)
    await take_fact(sla, unit, ticket, ClockEvent(kind, at, cause, id=event.id), event.time, by)


def _staff(event: Envelope) -> str | None:
    """Return who did it, where that was somebody of the desk."""
    actor = event.payload(CATALOGUE[event.type]).actor
    return actor.id if actor.role in STAFF else None


async def _ticket(unit: Unit, event: Envelope) -> Ticket:
    """Return the ticket of an event; the inbox applies a stream in order, so its first event has stored it."""
    ticket = await unit.one(TICKET_TO_TIME, id=event.stream.partition("/")[2])
    assert ticket is not None  # the stream begins with ticket.submitted
    return ticket


def table(sla: Sla) -> Mapping[str, Handler]:
    """Return the reactions, bound to the service's instance."""
    return {event_type: partial(reaction, sla) for event_type, reaction in REACTIONS.items()}


CLOCKED: Mapping[str, Reaction] = {
    "ticket.submitted": submitted,
    "ticket.replied": replied,
    "ticket.triaged": triaged,
    "ticket.waiting": waiting,
    "ticket.resumed": resumed,
    "ticket.resolved": resolved,
    "ticket.closed": closed,
    "ticket.reopened": reopened,
    "ticket.rated": rated,
    "ticket.duplicate_joined": duplicate_joined,
    "ticket.duplicate_left": duplicate_left,
}
"""What concerns the clocks of a ticket, and reports."""

REACTIONS: Mapping[str, Reaction] = {
    "policy.published": policy_published,
    "account.person_changed": person_changed,
    "account.licence_changed": licence_changed,
    "account.organization_changed": organization_changed,
    "person.erased": person_erased,
    "queue.entered": entry_told,
    "queue.claimed": claimed,
    "queue.moved": entry_told,
    "queue.left": entry_told,
    **{event_type: ticket_told for event_type in CATALOGUE if prefix_of(event_type) == "ticket"},
}

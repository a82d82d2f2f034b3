"""What intake does on other services' events; the table at the foot lists them."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from firstline.common.addresses import normal_address
from firstline.common.envelope import Envelope
from firstline.common.events import (
    AccountLicenceChanged,
    AccountPersonChanged,
    PersonErased,
    QueueClaimed,
    QueueEvent,
    TicketOpened,
)
from firstline.common.inbox import Handler
from firstline.common.store.port import Unit
from firstline.intake.service.change import Change
from firstline.intake.service.claims import note_claim
from firstline.intake.service.desk import Desk
from firstline.intake.service.erasing import begin
from firstline.intake.store.directory import ERASE_PERSON, SAVE_LICENCE, SAVE_PERSON
from firstline.intake.store.tickets import PARTICIPANTS, TICKET_TO_CHANGE

Reaction = Callable[[Desk, Unit, Envelope], Awaitable[None]]


async def claim_lives(desk: Desk, unit: Unit, event: Envelope) -> None:
    """Know who holds the request; the first claim of a new one opens it."""
    data = event.payload(QueueEvent)
    # Every event of the queue has these members; only those of a claim fill them.
    if data.agent is None or data.lease_expires_at is None or event.subject is None:
        return
    await note_claim(unit, event.subject, data.fence, data.agent, data.lease_expires_at, live=True)
    # After the claim was noted: both belong to one transaction, and the claim's row is the one that verbs look at.
    ticket = await unit.one(TICKET_TO_CHANGE, id=event.subject)
    if event.type == QueueClaimed.TYPE and ticket is not None and ticket.status == "new":
        people = await unit.all(PARTICIPANTS, ticket_id=ticket.id)
        change = Change(desk, unit, ticket, people, data.actor)
        change.become(status="open")
        change.say(TicketOpened)
        await change.save()


async def claim_ended(_desk: Desk, unit: Unit, event: Envelope) -> None:
    """Know that nobody holds the request any more."""
    data = event.payload(QueueEvent)
    # A fence of 0: nobody has ever claimed it.
    if event.subject is not None and data.fence:
        await note_claim(unit, event.subject, data.fence, data.agent or "", event.time, live=False)


async def person_changed(_desk: Desk, unit: Unit, event: Envelope) -> None:
    """Keep a copy of the person."""
    data = event.payload(AccountPersonChanged)
    await unit.run(
        SAVE_PERSON,
        id=data.id,
        email=normal_address(data.email),
        name=data.name,
        language=data.language,
        role=data.role,
        organization_id=data.organization_id,
        active=data.active,
    )


async def licence_changed(_desk: Desk, unit: Unit, event: Envelope) -> None:
    """Keep a copy of the licence."""
    data = event.payload(AccountLicenceChanged)
    await unit.run(
        SAVE_LICENCE,
        id=data.id,
        key_sha256=data.key_sha256,
        last4=data.last4,
        organization_id=data.organization_id,
        product=data.product,
        active_until=data.active_until,
    )


async def person_erased(_desk: Desk, unit: Unit, event: Envelope) -> None:
    """Forget the copy of the person, and begin to erase their part in requests."""
    person_id = event.payload(PersonErased).id
    # Before the copy goes, which says by which address and name the person is to be found.
    await begin(unit, person_id)
    await unit.run(ERASE_PERSON, id=person_id)


def table(desk: Desk) -> Mapping[str, Handler]:
    """Return the reactions, bound to the service's instance."""
    return {event_type: partial(reaction, desk) for event_type, reaction in REACTIONS.items()}


REACTIONS: Mapping[str, Reaction] = {
    "queue.claimed": claim_lives,
    "queue.renewed": claim_lives,
    "queue.transferred": claim_lives,
    "queue.released": claim_ended,
    "queue.expired": claim_ended,
    "queue.left": claim_ended,
    "account.person_changed": person_changed,
    "account.licence_changed": licence_changed,
    "person.erased": person_erased,
}

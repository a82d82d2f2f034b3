"""What queue does on other services' events; the table at the foot lists them."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from firstline.common.addresses import normal_address
from firstline.common.envelope import Envelope, prefix_of
from firstline.common.erasure import announce_redaction, begin_erasure
from firstline.common.events import (
    CATALOGUE,
    AccountPersonChanged,
    PersonErased,
    PolicyPublished,
    TicketEvent,
    TicketRedacted,
)
from firstline.common.inbox import Handler
from firstline.common.log import Log
from firstline.common.permissions import STAFF
from firstline.common.policy.model import Policy
from firstline.common.store.port import Unit
from firstline.queue.service.following import follow
from firstline.queue.service.keeping import release_all
from firstline.queue.store import (
    FORGET_PERSON,
    PARTICIPANTS,
    PERSON,
    SAVE_PERSON,
    SAVE_RULES,
)

Reaction = Callable[[Log, Unit, Envelope], Awaitable[None]]


async def ticket_changed(log: Log, unit: Unit, envelope: Envelope) -> None:
    """Let an entry arise, move or leave."""
    event = envelope.payload(CATALOGUE[envelope.type])
    if isinstance(event, TicketEvent):
        await follow(unit, log, envelope, event)
    if isinstance(event, TicketRedacted):
        announce_redaction(unit)


async def person_changed(log: Log, unit: Unit, envelope: Envelope) -> None:
    """Keep a copy of the person; who does not serve any more holds no claims."""
    event = envelope.payload(AccountPersonChanged)
    serves = event.active and event.role in STAFF
    await unit.run(SAVE_PERSON, id=event.id, address=normal_address(event.email), serves=serves)
    # At once: nobody else would get these requests before the leases are over.
    if not serves:
        await release_all(unit, log, event.id, event.actor, "deactivated")


async def person_erased(log: Log, unit: Unit, envelope: Envelope) -> None:
    """Delete the copies of the person's address; claims of theirs end."""
    event = envelope.payload(PersonErased)
    person = await unit.one(PERSON, id=event.id)
    # Also when nobody is known here: claims are by ID, and tokens may name whom accounts never told of.
    if person is not None:
        await unit.run(PARTICIPANTS.forget, address=person.address)
        await unit.run(FORGET_PERSON, id=event.id)
        await begin_erasure(unit, event.id, person.address, [], [])
    await release_all(unit, log, event.id, event.actor, "deactivated")


async def policy_published(_log: Log, unit: Unit, envelope: Envelope) -> None:
    """Keep what the version says of the order; it counts from its own instant on."""
    event = envelope.payload(PolicyPublished)
    # Only the order is kept: targets, wording and the rest are other services' concern.
    order = Policy.from_document(event.document).out_of_turn
    await unit.run(
        SAVE_RULES,
        version=event.version,
        effective_from=event.effective_from,
        levels=order.levels,
        max_in_a_row=order.max_in_a_row,
    )


def table(log: Log) -> Mapping[str, Handler]:
    """Return the reactions, bound to the service's log."""
    return {event_type: partial(reaction, log) for event_type, reaction in REACTIONS.items()}


REACTIONS: Mapping[str, Reaction] = {
    # Every event of a ticket says its status and who takes part, whatever else it tells.
    **{event_type: ticket_changed for event_type in CATALOGUE if prefix_of(event_type) == "ticket"},
    "account.person_changed": person_changed,
    "person.erased": person_erased,
    "policy.published": policy_published,
}

"""What notify does on every service's events; the table at the foot lists them.

An event gives, in one transaction: mails or the reasons for none, its place in the feed, a delivery for each endpoint.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from firstline.common.addresses import normal_address
from firstline.common.envelope import Envelope, prefix_of
from firstline.common.events import AccountPersonChanged, PersonErased, PolicyPublished
from firstline.common.inbox import Handler
from firstline.common.store.port import Unit
from firstline.notify.public import SHAPES
from firstline.notify.service import telling
from firstline.notify.service.desk import Desk
from firstline.notify.service.erasing import begin, ticket_redacted
from firstline.notify.service.feed import next_position, publish
from firstline.notify.store.directory import SAVE_PERSON, SAVE_POLICY

Reaction = Callable[[Desk, Unit, Envelope], Awaitable[None]]


async def policy_published(_desk: Desk, unit: Unit, event: Envelope) -> None:
    """Keep a policy version for the requests that are taken under it."""
    data = event.payload(PolicyPublished)
    # The version stays as it was published; a second event of it, from another service's start, says the same.
    await unit.run(SAVE_POLICY, version=data.version, document=data.document)


async def person_changed(_desk: Desk, unit: Unit, event: Envelope) -> None:
    """Keep a copy of the person: known senders get full acknowledgements, in their language."""
    data = event.payload(AccountPersonChanged)
    email = normal_address(data.email)
    await unit.run(SAVE_PERSON, id=data.id, email=email, name=data.name, language=data.language)


async def person_erased(_desk: Desk, unit: Unit, event: Envelope) -> None:
    """Forget the person: copies, mails to them, and what was to be pushed of their requests."""
    await begin(unit, event.payload(PersonErased).id)


async def apply(desk: Desk, unit: Unit, event: Envelope) -> None:
    """Do what an event asks for, and put it in the feed.

    The place in the feed comes first: its lock lets one replica at a time decide what is told, so that whoever is
    erased, or an endpoint that is disabled, gets nothing of an event that is applied at the same moment.
    """
    position = await next_position(unit)
    reaction = REACTIONS.get(event.type)
    if reaction is not None:
        await reaction(desk, unit, event)
    elif prefix_of(event.type) == "ticket":
        await telling.ticket_changed(desk, unit, event)
    await publish(desk, unit, event, position)


def table(desk: Desk) -> Mapping[str, Handler]:
    """Return the reactions to every event type that the feed knows, bound to the service's instance."""
    return dict.fromkeys(SHAPES, partial(apply, desk))


REACTIONS: Mapping[str, Reaction] = {
    "ticket.submitted": telling.submitted,
    "policy.published": policy_published,
    "account.person_changed": person_changed,
    "person.erased": person_erased,
    "ticket.redacted": ticket_redacted,
}
"""Beside these, every other event of a request may tell the client's side; the rest only goes into the feed."""

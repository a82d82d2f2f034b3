"""The feed of events: put down in order, and pushed to the endpoints that hear of them."""

import json
from typing import Any

from firstline.common.addresses import normal_address
from firstline.common.envelope import Envelope
from firstline.common.log import current_traceparent
from firstline.common.permissions import Access, Relation
from firstline.common.store.port import Unit
from firstline.notify.public import is_pushed, public_event, readers_of, with_content
from firstline.notify.service.desk import WEBHOOKS, Desk
from firstline.notify.store.deliveries import INSERT_DELIVERY
from firstline.notify.store.endpoints import HEARING_ALL, HEARING_OF, Endpoint
from firstline.notify.store.feed import INSERT_EVENT, INSERT_READER, NEXT_POSITION


async def next_position(unit: Unit) -> int:
    """Return the next place in the feed; nobody else gets one until this transaction ends."""
    return await unit.one(NEXT_POSITION) or 1


async def publish(desk: Desk, unit: Unit, event: Envelope, position: int) -> None:
    """Put an event at its place in the feed and make a delivery for each endpoint that hears of it."""
    body = public_event(event, position, desk.public_url)
    await unit.run(INSERT_EVENT, position=position, type=event.type, body=body)
    await unit.many(INSERT_READER, [{"reader": reader, "position": position} for reader in readers_of(event)])
    for endpoint in await _hearing(unit, event):
        await _push(desk, unit, event, endpoint, with_content(body, event) if endpoint.content else body)


async def _hearing(unit: Unit, event: Envelope) -> list[Endpoint]:
    """Return the endpoints that hear of an event: those of its organisation, and the desk's own."""
    organization = event.data.get("organization_id")
    near = await unit.all(HEARING_OF, organization_id=organization) if organization else []
    # Two questions along an index each; one with OR would read all endpoints with every event.
    found = [*near, *await unit.all(HEARING_ALL)]
    return [one for one in found if is_pushed(event.type, one.types, everything=one.organization_id is None)]


async def _push(desk: Desk, unit: Unit, event: Envelope, endpoint: Endpoint, body: dict[str, Any]) -> None:
    """Put down one delivery; its bytes are those of every attempt."""
    now = desk.now()
    await unit.run(
        INSERT_DELIVERY,
        id=desk.ports.ids.new(),
        channel=WEBHOOKS,
        kind=event.type,
        event_id=event.id,
        ticket_id=body["ticket_id"],
        number=body["number"],
        endpoint_id=endpoint.id,
        recipient=None,
        mail_from="",
        message_id=None,
        automatic=False,
        state="pending",
        reason="",
        # As bytes, once: a signature is over bytes, and a body written anew for each attempt could differ by a space.
        payload=json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(),
        created_at=now,
        next_at=now,
        finished_at=None,
        traceparent=current_traceparent(),
    )
    unit.announce(WEBHOOKS)


def readers_for(access: Access) -> tuple[str, ...] | None:
    """Return as whom a caller reads the feed; None reads all of it."""
    if access.relation is Relation.ANY:
        return None
    own = f"address:{normal_address(access.principal.email)}"
    organization = access.principal.organization_id
    if access.relation is Relation.ORGANIZATION and organization:
        return (own, f"organization:{organization}")
    return (own,)

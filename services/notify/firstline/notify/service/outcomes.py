"""What attempts come to: recorded, tried again by plan, ended, and told to the specialists (P23, P26, P27)."""

from dataclasses import dataclass, replace
from datetime import datetime

from firstline.common.errors import Conflict, NotFound
from firstline.common.events import DeliveryExhausted, DeliveryFailed, EndpointDisabled
from firstline.common.store.port import Unit
from firstline.notify.delivery import MAIL_PLAN, WEBHOOK_PLAN, Judgement, Step, next_step, reason_to_disable
from firstline.notify.service.desk import MAIL, SYSTEM, Desk
from firstline.notify.store.deliveries import (
    DELIVERY_TO_CHANGE,
    GIVE_UP_ENDPOINT,
    INSERT_ATTEMPT,
    SETTLE,
    TRY_AGAIN,
    Delivery,
)
from firstline.notify.store.endpoints import ENDPOINT_TO_CHANGE, NOTE_SUCCESS, Endpoint, save_endpoint
from firstline.notify.store.feed import HOLD_FEED

STATES = {"gone": "failed"}
"""States of steps that deliveries call otherwise; a mail that was delivered to the server is `sent`."""


class NotToBeRepeated(Conflict):
    """The delivery has arrived, was suppressed or erased, or its endpoint is gone: there is nothing to send again."""

    title = "Nothing to send again"


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt: when it began, how long it took, what it came to and what the other side said."""

    at: datetime
    took_ms: int
    judgement: Judgement
    status: int | None = None
    excerpt: str = ""


async def record(desk: Desk, unit: Unit, delivery_id: str, tried: Tried) -> None:
    """Record an attempt and what follows from it; an attempt on a delivery that has ended meanwhile changes nothing."""
    delivery = await unit.one(DELIVERY_TO_CHANGE, id=delivery_id)
    # Somebody erased it, disabled its endpoint or sent it again
    # while this attempt was under way: their decision stands.
    if delivery is None or delivery.state != "pending":
        return
    first_at, number = delivery.first_at or tried.at, delivery.attempts + 1
    step = next_step(
        tried.judgement,
        MAIL_PLAN if delivery.channel == MAIL else WEBHOOK_PLAN,
        # The plan begins anew when somebody asks for it; numbers of attempts go on.
        attempt=number - delivery.attempts_before,
        first_at=first_at,
        now=desk.now(),
        chance=desk.chance(),
    )
    await _note_attempt(unit, delivery, number, tried)
    await _settle(desk, unit, delivery, step, number, first_at)
    if delivery.endpoint_id is not None:
        await _judge_endpoint(desk, unit, delivery.endpoint_id, step, first_at)


async def _note_attempt(unit: Unit, delivery: Delivery, number: int, tried: Tried) -> None:
    """Keep what one attempt came to, for whoever asks why something didn't arrive."""
    await unit.run(
        INSERT_ATTEMPT,
        delivery_id=delivery.id,
        number=number,
        at=tried.at,
        took_ms=tried.took_ms,
        outcome=tried.judgement.verdict,
        status=tried.status,
        detail=tried.judgement.reason,
        excerpt=tried.excerpt,
    )


async def _settle(desk: Desk, unit: Unit, delivery: Delivery, step: Step, attempts: int, first_at: datetime) -> None:
    """Store a delivery's new state; one that ends in vain is told to the specialists by an event (P27)."""
    delivered = "sent" if delivery.channel == MAIL else "delivered"
    await unit.run(
        SETTLE,
        id=delivery.id,
        state=delivered if step.state == "delivered" else STATES.get(step.state, step.state),
        reason=step.reason,
        attempts=attempts,
        first_at=first_at,
        next_at=step.next_at,
        finished_at=None if step.state == "pending" else desk.now(),
    )
    # An endpoint that is gone is told of once, by endpoint.disabled.
    if step.state in ("failed", "exhausted"):
        event = DeliveryFailed if step.state == "failed" else DeliveryExhausted
        data = {"delivery_id": delivery.id, "channel": delivery.channel, "ticket_id": delivery.ticket_id}
        desk.log.tell(unit, f"delivery/{delivery.id}", event(actor=SYSTEM, reason=step.reason, **data))


async def _judge_endpoint(desk: Desk, unit: Unit, endpoint_id: str, step: Step, first_at: datetime) -> None:
    """Note a success of an endpoint, or disable it where this step says so."""
    endpoint = await unit.one(ENDPOINT_TO_CHANGE, id=endpoint_id)
    if endpoint is None:
        return
    if step.state == "delivered":
        await unit.run(NOTE_SUCCESS, id=endpoint_id, at=desk.now())
    reason = reason_to_disable(step, first_at=first_at, last_success=endpoint.last_success_at)
    if reason is not None and endpoint.state == "enabled":
        await disable(desk, unit, endpoint, reason)


async def disable(desk: Desk, unit: Unit, endpoint: Endpoint, reason: str) -> None:
    """Stop all deliveries to an endpoint and say so once; the feed keeps what it misses."""
    await unit.one(HOLD_FEED)  # else an event that is applied at this moment would still be pushed
    now = desk.now()
    version = endpoint.version + 1
    await save_endpoint(unit, replace(endpoint, state="disabled", reason=reason, version=version, updated_at=now))
    await unit.run(GIVE_UP_ENDPOINT, endpoint_id=endpoint.id, reason="The endpoint was disabled.", now=now)
    event = EndpointDisabled(
        actor=SYSTEM, organization_id=endpoint.organization_id, endpoint_id=endpoint.id, reason=reason
    )
    desk.log.tell(unit, f"endpoint/{endpoint.id}", event)


async def try_again(desk: Desk, unit: Unit, delivery_id: str) -> Delivery:
    """Make a delivery due now, with a new 72 hours.

    Raises:
        NotFound: there is no such delivery.
        NotToBeRepeated: there is nothing to send again.

    """
    delivery = await unit.one(DELIVERY_TO_CHANGE, id=delivery_id)
    if delivery is None:
        raise NotFound("No delivery with this ID is here. Check the ID.")
    if delivery.state not in ("pending", "failed", "exhausted"):
        raise NotToBeRepeated(
            f"The delivery is {delivery.state}; only what is pending or has failed can be sent again."
        )
    await _check_sendable(unit, delivery)
    await unit.run(TRY_AGAIN, id=delivery_id, now=desk.now())
    unit.announce(delivery.channel)
    changed = await unit.one(DELIVERY_TO_CHANGE, id=delivery_id)
    return changed or delivery


async def _check_sendable(unit: Unit, delivery: Delivery) -> None:
    """Raise NotToBeRepeated where there is no mail to be sent, or no endpoint that takes it."""
    if delivery.endpoint_id is None:
        if delivery.message_id is None:
            raise NotToBeRepeated("No mail can be sent to this address. Write to the client in another way.")
        return
    endpoint = await unit.one(ENDPOINT_TO_CHANGE, id=delivery.endpoint_id)
    if endpoint is None or endpoint.state != "enabled":
        raise NotToBeRepeated("The endpoint is disabled or deleted. Enable it first.")

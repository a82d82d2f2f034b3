"""What was sent to whom, for staff: every mail and webhook delivery with its attempts."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends

from firstline.common.application import permit
from firstline.common.errors import NotFound
from firstline.common.paging import DEFAULT_LIMIT, Page
from firstline.common.permissions import Access
from firstline.common.store.port import Unit
from firstline.notify.api.context import Cursor, DeskHere, Limit
from firstline.notify.schemas import AttemptOut, DeliveryOut, DeliveryRead
from firstline.notify.service.outcomes import try_again
from firstline.notify.store.deliveries import ATTEMPTS, DELIVERY, list_deliveries

router = APIRouter(prefix="/v1/deliveries", tags=["deliveries"])
Reader = Annotated[Access, Depends(permit("deliveries.read"))]
State = Literal["pending", "sent", "delivered", "failed", "exhausted", "suppressed", "erased"]


@router.get("")
async def list_of_deliveries(
    desk: DeskHere,
    _access: Reader,
    channel: Literal["mail", "webhook"] | None = None,
    ticket_id: str | None = None,
    state: State | None = None,
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Page[DeliveryOut]:
    """List deliveries, newest first, of a channel, a request or a state."""
    place = desk.cursors.read("deliveries", cursor)
    after = str(place[0]) if place else None
    wished = {"channel": channel, "ticket_id": ticket_id, "state": state}
    filters = {name: value for name, value in wished.items() if value is not None}
    # IDs are UUIDv7 and so in the order of making: "newest first" is the primary key backwards, and needs no sorting.
    found = await desk.store.read(lambda unit: list_deliveries(unit, filters, after, limit + 1))
    more = desk.cursors.write("deliveries", [found[limit - 1].id]) if len(found) > limit else None
    return Page[DeliveryOut](items=[DeliveryOut.model_validate(row) for row in found[:limit]], next=more)


@router.get("/{delivery_id}")
async def read_delivery(delivery_id: str, desk: DeskHere, _access: Reader) -> DeliveryRead:
    """Read a delivery and what each attempt came to."""

    async def work(unit: Unit) -> DeliveryRead:
        delivery = await unit.one(DELIVERY, id=delivery_id)
        if delivery is None:
            raise NotFound("No delivery with this ID is here. Check the ID.")
        attempts = [AttemptOut.model_validate(row) for row in await unit.all(ATTEMPTS, delivery_id=delivery_id)]
        return DeliveryRead(**DeliveryOut.model_validate(delivery).model_dump(), attempt_list=attempts)

    return await desk.store.read(work)


@router.post("/{delivery_id}/retry")
async def retry_delivery(
    delivery_id: str, desk: DeskHere, _access: Annotated[Access, Depends(permit("deliveries.retry"))]
) -> DeliveryOut:
    """Send what is pending or has failed again, now; it carries the same Message-ID or `webhook-id`."""
    delivery = await desk.store.write(lambda unit: try_again(desk, unit, delivery_id))
    return DeliveryOut.model_validate(delivery)

"""The feed: every event in order, to be read on from any place; webhooks push the same events."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from firstline.common.application import permit
from firstline.common.errors import Fault, Invalid
from firstline.common.paging import MAX_LIMIT, Page
from firstline.common.permissions import Access
from firstline.notify.api.context import DeskHere, Limit
from firstline.notify.public import PREFIXES, named_types
from firstline.notify.schemas import FeedEvent
from firstline.notify.service.feed import readers_for
from firstline.notify.store.feed import read_feed

router = APIRouter(prefix="/v1/events", tags=["events"])


@router.get("")
async def list_events(
    desk: DeskHere,
    access: Annotated[Access, Depends(permit("events.read"))],
    after: Annotated[int, Query(ge=0, description="The position after which to read on; 0: the beginning.")] = 0,
    type: Annotated[  # noqa: A002 (the name of the parameter)
        str | None, Query(description="A type, or a prefix such as `ticket`.", examples=["ticket.replied"])
    ] = None,
    limit: Limit = MAX_LIMIT,
) -> Page[FeedEvent]:
    """Read events in their order: clients and partners the public ones of requests within their reach, staff all.

    Pass `next`, or the last item's `position`, as `after` to read on; `next` is null where nothing is left for now.
    """
    types = named_types(type) if type is not None else None
    if types == ():
        advice = f"Use a type such as ticket.replied, or one of the prefixes {', '.join(PREFIXES)}."
        raise Invalid("There is no such event type.", faults=(Fault("#query/type", advice),))
    readers = readers_for(access)
    # One more than is shown tells of a next page.
    rows = await desk.store.read(lambda unit: read_feed(unit, readers, types, after, limit + 1))
    items = [FeedEvent.model_validate(row.body) for row in rows[:limit]]
    return Page[FeedEvent](items=items, next=str(items[-1].position) if len(rows) > limit else None)

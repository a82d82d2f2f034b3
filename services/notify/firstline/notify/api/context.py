"""What the routes have in common: the service's instance, and pages."""

from typing import Annotated

from fastapi import Depends, Query, Request

from firstline.common.paging import MAX_LIMIT
from firstline.notify.service.desk import Desk


async def desk_of(request: Request) -> Desk:
    """Return the service's instance."""
    desk: Desk = request.app.state.notify
    return desk


DeskHere = Annotated[Desk, Depends(desk_of)]
Cursor = Annotated[str | None, Query(description="`next` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Items on a page.")]

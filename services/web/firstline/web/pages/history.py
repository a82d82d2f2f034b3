"""What happened to a request, for specialists."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from firstline.web import past
from firstline.web.visit import Visiting

router = APIRouter(prefix="/console")


@router.get("/{reference}/history")
async def read_history(visit: Visiting, reference: Annotated[str, Path(pattern=r"^[0-9A-Za-z-]{1,64}$")]) -> Response:
    """Show every change of a request: what, who, when, the old value and the new one."""
    request = await visit.desk.ticket(reference)
    happened = past.history(await visit.desk.history(reference), visit.now)
    return await visit.page("console_history.html", here="work", number=request["number"], happened=happened)

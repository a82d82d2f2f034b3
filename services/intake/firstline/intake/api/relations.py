"""Requests that belong together: what is split off (clause 2.4)."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from firstline.common.answers import Made
from firstline.common.paging import etag_of
from firstline.common.store.port import Unit
from firstline.intake.api.context import Call, call
from firstline.intake.schemas.given import SplitIn
from firstline.intake.schemas.shown import TicketOut
from firstline.intake.service import splitting
from firstline.intake.service.splitting import Part

router = APIRouter(prefix="/v1/tickets/{reference}", tags=["requests"])


@router.post("/split", status_code=201, response_model=TicketOut)
async def split_request(body: SplitIn, here: Annotated[Call, Depends(call("tickets.split"))]) -> Response:
    """Make a request of its own of a client's message, with the message's files; return the new one (clause 2.4).

    Its place in the queue is that of the message's receipt. The client gets its ID, and both requests name each other.
    """

    async def work(unit: Unit) -> Made:
        change = await here.begin(unit)
        new = await splitting.split(change, Part(body.message_id, body.subject, body.body))
        return 201, here.document(change, new), etag_of(new.version)

    return await here.answer(work)

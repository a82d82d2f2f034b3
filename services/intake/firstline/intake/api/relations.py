"""Requests that belong together: what is split off, merged or linked (clause 2.4)."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from firstline.common.answers import Made
from firstline.common.application import permit
from firstline.common.paging import MAX_LIMIT, Page, etag_of
from firstline.common.permissions import Access
from firstline.common.store.port import Unit
from firstline.intake.api.context import Call, DeskHere, Reference, call
from firstline.intake.schemas.given import LinkIn, MergeIn, SplitIn, UnmergeIn
from firstline.intake.schemas.shown import RelatedOut, TicketOut
from firstline.intake.service import merging, splitting
from firstline.intake.service.change import Change, find_for
from firstline.intake.service.splitting import Part
from firstline.intake.store.relations import related
from firstline.intake.ticket import Ticket

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


@router.post("/merge", response_model=TicketOut)
async def merge_request(body: MergeIn, here: Annotated[Call, Depends(call("tickets.merge"))]) -> Response:
    """Close a duplicate; what is written to it from now on goes to the other request (clause 2.4).

    No text moves. Everybody who takes part here has to take part there, or is added within one organisation.
    """

    async def verb(change: Change) -> Ticket:
        return await merging.merge(change, body.into, add_participants=body.add_participants)

    return await here.change(verb)


@router.post("/unmerge", response_model=TicketOut)
async def unmerge_request(_body: UnmergeIn, here: Annotated[Call, Depends(call("tickets.merge"))]) -> Response:
    """Take a merge back; the request is open again."""
    return await here.change(merging.unmerge)


@router.post("/link", response_model=TicketOut)
async def link_request(body: LinkIn, here: Annotated[Call, Depends(call("tickets.link"))]) -> Response:
    """Let two requests name each other; clients see a link where they may read both."""

    async def verb(change: Change) -> Ticket:
        return await merging.link(change, body.to)

    return await here.change(verb)


@router.post("/unlink", response_model=TicketOut)
async def unlink_request(body: LinkIn, here: Annotated[Call, Depends(call("tickets.link"))]) -> Response:
    """Take a link back on both sides."""

    async def verb(change: Change) -> Ticket:
        return await merging.unlink(change, body.to)

    return await here.change(verb)


@router.get("/relations")
async def read_relations(
    reference: Reference,
    desk: DeskHere,
    access: Annotated[Access, Depends(permit("tickets.read"))],
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = MAX_LIMIT,
) -> Page[RelatedOut]:
    """Read which requests within your reach this one belongs to: split, merged, following, linked."""

    async def work(unit: Unit) -> Page[RelatedOut]:
        ticket, _ = await find_for(unit, access, reference)
        # A cursor is good for one request's list alone: in another's it would skip what comes before.
        name = f"relations of {ticket.id}"
        kind, after = desk.cursors.read(name, cursor) or ("", "")
        found = await related(unit, access, ticket.id, (str(kind), str(after)), limit + 1)
        last = found[limit - 1] if len(found) > limit else None
        more = desk.cursors.write(name, [last.kind, last.ticket_id]) if last else None
        items = [
            RelatedOut(kind=r.kind, ticket_id=r.ticket_id, number=r.number, subject=r.subject, status=r.status)
            for r in found[:limit]
        ]
        return Page[RelatedOut](items=items, next=more)

    return await desk.store.read(work)

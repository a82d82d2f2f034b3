"""What clients ask the supervisor, the answers, and how clients rate the handling (closing paragraph)."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from firstline.common.answers import Made
from firstline.common.application import permit
from firstline.common.paging import DEFAULT_LIMIT, MAX_LIMIT, Page, check_version, etag_of
from firstline.common.permissions import Access
from firstline.common.store.port import Unit
from firstline.intake.api.context import Call, DeskHere, Reference, call
from firstline.intake.schemas.given import AnswerIn, RatingIn, SupervisorRequestIn
from firstline.intake.schemas.shown import TicketOut
from firstline.intake.schemas.supervision import SupervisorRequestOut, UnansweredOut
from firstline.intake.service import supervision
from firstline.intake.service.change import Change, begin, find_for
from firstline.intake.store.supervision import SUPERVISOR_REQUESTS, UNANSWERED, SupervisorRequest
from firstline.intake.ticket import Ticket

router = APIRouter(tags=["supervisor"])

ASKED = "/v1/tickets/{reference}/supervisor-requests"


@router.post(ASKED, status_code=201, response_model=SupervisorRequestOut)
async def ask_supervisor(
    body: SupervisorRequestIn, here: Annotated[Call, Depends(call("supervisor_requests.ask"))]
) -> Response:
    """Ask the supervisor to accelerate a request, or to comment on it; one at a time.

    It never moves the request: the supervisor reads it, may set another urgency, and answers.
    """

    async def work(unit: Unit) -> Made:
        change = await here.begin(unit)
        asked = await supervision.ask(change, here.access.principal, body.kind, body.body)
        return 201, _shown(asked).model_dump_json(), etag_of(change.ticket.version)

    return await here.answer(work)


@router.get(ASKED)
async def list_asked(
    reference: Reference,
    desk: DeskHere,
    access: Annotated[Access, Depends(permit("supervisor_requests.read"))],
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
) -> Page[SupervisorRequestOut]:
    """Read what the supervisor was asked about a request, with the answers, oldest first."""
    place = desk.cursors.read("supervisor-requests", cursor)

    async def work(unit: Unit) -> list[SupervisorRequest]:
        ticket, _ = await find_for(unit, access, reference)
        after = str(place[0]) if place else ""
        return await unit.all(SUPERVISOR_REQUESTS, ticket_id=ticket.id, after=after, limit=limit + 1)

    found = await desk.store.read(work)
    more = desk.cursors.write("supervisor-requests", [found[limit - 1].id]) if len(found) > limit else None
    return Page[SupervisorRequestOut](items=[_shown(one) for one in found[:limit]], next=more)


@router.post(ASKED + "/{request_id}/answer", response_model=SupervisorRequestOut)
async def answer_client(
    request_id: Annotated[str, Path(max_length=64)],
    body: AnswerIn,
    here: Annotated[Call, Depends(call("supervisor_requests.answer"))],
) -> Response:
    """Answer what a client asked the supervisor; whoever works on the request goes on undisturbed."""

    async def work(unit: Unit) -> Made:
        # Not through the call's own `begin`: a supervisor needs no claim, and whoever holds it isn't disturbed.
        change = await begin(here.desk, unit, here.access, here.reference)
        check_version(here.if_match, change.ticket.version)
        answered = await supervision.answer(change, here.access.principal, request_id, body.body)
        return 200, _shown(answered).model_dump_json(), etag_of(change.ticket.version)

    return await here.answer(work)


@router.get("/v1/supervisor-requests")
async def list_unanswered(
    desk: DeskHere,
    _access: Annotated[Access, Depends(permit("supervisor_requests.list"))],
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
) -> Page[UnansweredOut]:
    """List what no supervisor has answered yet, oldest first."""
    place = desk.cursors.read("unanswered", cursor)
    after = str(place[0]) if place else ""
    found = await desk.store.read(lambda unit: unit.all(UNANSWERED, after=after, limit=limit + 1))
    more = desk.cursors.write("unanswered", [found[limit - 1].id]) if len(found) > limit else None
    items = [
        UnansweredOut(
            id=one.id,
            ticket_id=one.ticket_id,
            number=one.number,
            subject=one.subject,
            kind=one.kind,
            body=one.body,
            asked_by=one.asked_by,
            asked_at=one.asked_at,
        )
        for one in found[:limit]
    ]
    return Page[UnansweredOut](items=items, next=more)


@router.post("/v1/tickets/{reference}/rating", response_model=TicketOut)
async def rate_request(body: RatingIn, here: Annotated[Call, Depends(call("tickets.rate"))]) -> Response:
    """Rate how a request was handled once it is resolved or closed; the last rating counts."""

    async def verb(change: Change) -> Ticket:
        return await supervision.rate(change, body.mark, body.comment)

    return await here.change(verb)


def _shown(asked: SupervisorRequest) -> SupervisorRequestOut:
    """Return the document of what a supervisor was asked."""
    return SupervisorRequestOut(
        id=asked.id,
        ticket_id=asked.ticket_id,
        kind=asked.kind,
        body=asked.body,
        asked_by=asked.asked_by,
        asked_at=asked.asked_at,
        answer=asked.answer,
        answered_by=asked.answered_by,
        answered_at=asked.answered_at,
    )

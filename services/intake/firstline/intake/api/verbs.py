"""The correspondence of a request, and the verbs that move it."""

import json
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from firstline.common.answers import Made
from firstline.common.application import permit
from firstline.common.paging import MAX_LIMIT, Page, etag_of
from firstline.common.permissions import Access
from firstline.common.store.port import Unit
from firstline.intake.api import acts
from firstline.intake.api.context import Call, DeskHere, Reference, call, document
from firstline.intake.schemas.given import (
    CloseIn,
    HandOverIn,
    MessageIn,
    ReleasePlanIn,
    ReopenIn,
    ResolveIn,
    ResumeIn,
    TriageIn,
    WaitIn,
)
from firstline.intake.schemas.shown import MessageAdded, MessageOut, TicketOut, message_out
from firstline.intake.service.change import find_for
from firstline.intake.service.correspondence import Told
from firstline.intake.store.messages import ATTACHED, MESSAGES, PUBLIC_MESSAGES

router = APIRouter(prefix="/v1/tickets/{reference}", tags=["requests"])


@router.get("/messages")
async def list_messages(
    reference: Reference,
    desk: DeskHere,
    access: Annotated[Access, Depends(permit("tickets.read"))],
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = MAX_LIMIT,
) -> Page[MessageOut]:
    """Read the full correspondence, oldest first, whatever channel each message came by (clause 4.4)."""
    place = desk.cursors.read("messages", cursor)

    async def work(unit: Unit) -> list[MessageOut]:
        ticket, _ = await find_for(unit, access, reference)
        # By two statements and not by a filter afterwards: a page of notes would else be empty to a client.
        statement = MESSAGES if access.principal.is_staff else PUBLIC_MESSAGES
        found = await unit.all(statement, ticket_id=ticket.id, after=str(place[0]) if place else "", limit=limit + 1)
        attached = await unit.all(ATTACHED, ticket_id=ticket.id, message_ids=[message.id for message in found])
        return [message_out(message, attached, access.principal) for message in found]

    found = await desk.store.read(work)
    more = desk.cursors.write("messages", [found[limit - 1].id]) if len(found) > limit else None
    return Page[MessageOut](items=found[:limit], next=more)


@router.post("/messages", status_code=201, response_model=MessageAdded)
async def add_message(body: MessageIn, here: Annotated[Call, Depends(call("tickets.reply"))]) -> Response:
    """Add a message, or an internal note (staff).

    A client's message ends waiting for the client and reopens what was resolved or closed within the policy's window;
    after it, a new request is made that follows the old one. To a merged request it goes where that one goes on.
    """
    acts.check_message(here.access, body)

    async def work(unit: Unit) -> Made:
        return _added(here, await acts.say(here, unit, body))

    return await here.answer(work)


def _added(here: Call, told: Told) -> Made:
    """Return the answer to a message: what became of it, and the request that has it now."""
    people = [person.address for person in told.participants]
    ticket = document(here.desk, here.access, told.ticket, people)
    follows, merged_from = json.dumps(told.follows), json.dumps(told.merged_from)
    # Put together as text, since the request's document is JSON already.
    body = f'{{"id":"{told.message_id}","ticket":{ticket},"follows":{follows},"merged_from":{merged_from}}}'
    return 201, body, etag_of(told.ticket.version)


@router.post("/triage", response_model=TicketOut)
async def triage_request(body: TriageIn, here: Annotated[Call, Depends(call("tickets.triage"))]) -> Response:
    """Judge a request: topic, urgency with its reason, complexity, tier, scope (clauses 1.3, 2.1)."""
    return await here.change(lambda change: acts.triage(here, change, body))


@router.post("/wait", response_model=TicketOut)
async def let_request_wait(body: WaitIn, here: Annotated[Call, Depends(call("tickets.wait"))]) -> Response:
    """Let a request wait for the client, a third party or a release; its clocks stand still (clause 2.3)."""
    return await here.change(lambda change: acts.wait(here, change, body))


@router.post("/resume", response_model=TicketOut)
async def resume_request(body: ResumeIn, here: Annotated[Call, Depends(call("tickets.resume"))]) -> Response:
    """End waiting."""
    return await here.change(lambda change: acts.resume(here, change, body))


@router.post("/handover", response_model=TicketOut)
async def hand_request_over(body: HandOverIn, here: Annotated[Call, Depends(call("tickets.handover"))]) -> Response:
    """Hand a request over to development; it waits for the release that is planned (clause 2.2)."""
    return await here.change(lambda change: acts.hand_over(here, change, body))


@router.post("/release-plan", response_model=TicketOut)
async def plan_release(body: ReleasePlanIn, here: Annotated[Call, Depends(call("tickets.release_plan"))]) -> Response:
    """Plan the release that a request waits for, or move it; its client is told of the change (clause 2.2)."""
    return await here.change(lambda change: acts.plan_release(here, change, body))


@router.post("/resolve", response_model=TicketOut)
async def resolve_request(body: ResolveIn, here: Annotated[Call, Depends(call("tickets.resolve"))]) -> Response:
    """Say that the problem is solved, with a text for the client if there is one."""
    return await here.change(lambda change: acts.resolve(here, change, body))


@router.post("/close", response_model=TicketOut)
async def close_request(body: CloseIn, here: Annotated[Call, Depends(call("tickets.close"))]) -> Response:
    """Close a request: staff for any reason of the policy, the client's side once it is resolved."""
    return await here.change(lambda change: acts.close(here, change, body))


@router.post("/reopen", response_model=TicketOut)
async def reopen_request(body: ReopenIn, here: Annotated[Call, Depends(call("tickets.reopen"))]) -> Response:
    """Open an ended request again and say what is still wrong (closing paragraph)."""
    return await here.change(lambda change: acts.reopen(here, change, body))

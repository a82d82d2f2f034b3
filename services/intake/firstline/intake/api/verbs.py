"""The correspondence of a request, and the verbs that move it."""

import json
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from firstline.common.answers import Made
from firstline.common.application import permit
from firstline.common.errors import Fault, Forbidden, Invalid
from firstline.common.paging import MAX_LIMIT, Page, check_version, etag_of
from firstline.common.permissions import Access
from firstline.common.store.port import Unit
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
from firstline.intake.service import correspondence, releases, verbs
from firstline.intake.service.change import Change, begin, find_for, side_of
from firstline.intake.service.correspondence import NewMessage, Told
from firstline.intake.store.messages import ATTACHED, MESSAGES, PUBLIC_MESSAGES
from firstline.intake.ticket import Ticket

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

    async def public(unit: Unit) -> Made:
        change = await here.begin(unit)
        told = await correspondence.reply(change, here.message(change, body), here.access)
        return _added(here, told)

    async def internal(unit: Unit) -> Made:
        # A note needs no claim, so that others can add one while somebody is at work.
        change = await begin(here.desk, unit, here.access, here.reference)
        check_version(here.if_match, change.ticket.version)
        return _added(here, await correspondence.note(change, here.message(change, body)))

    _check_message(here.access, body)
    return await here.answer(public if body.audience == "public" else internal)


def _added(here: Call, told: Told) -> Made:
    """Return the answer to a message: what became of it, and the request that has it now."""
    people = [person.address for person in told.participants]
    ticket = document(here.desk, here.access, told.ticket, people)
    follows, merged_from = json.dumps(told.follows), json.dumps(told.merged_from)
    body = f'{{"id":"{told.message_id}","ticket":{ticket},"follows":{follows},"merged_from":{merged_from}}}'
    return 201, body, etag_of(told.ticket.version)


def _check_message(access: Access, body: MessageIn) -> None:
    """Refuse what would be left aside in silence.

    Raises:
        Forbidden: a note by somebody else than staff.
        Invalid: fields by staff, pages by clients, or a note with attachments or pages.

    """
    if body.audience == "internal" and not access.principal.is_staff:
        raise Forbidden("Internal notes are for staff. Send the message with audience public.")
    if body.fields and access.principal.is_staff:
        fault = Fault("/fields", "Leave them out; they are the client's answers.")
        raise Invalid("Fields come from the client's side.", faults=(fault,))
    if body.article_ids and (body.audience == "internal" or not access.principal.is_staff):
        fault = Fault("/article_ids", "Leave them out; write the address into the text.")
        raise Invalid("Pages are linked in public messages of staff.", faults=(fault,))
    if body.audience == "internal" and body.attachment_ids:
        fault = Fault("/attachment_ids", "Leave them out, or attach them to a public message.")
        raise Invalid("A note takes no attachments.", faults=(fault,))


@router.post("/triage", response_model=TicketOut)
async def triage_request(body: TriageIn, here: Annotated[Call, Depends(call("tickets.triage"))]) -> Response:
    """Judge a request: topic, urgency with its reason, complexity, tier, scope (clauses 1.3, 2.1)."""
    scope = body.scope.model_dump(exclude_none=True) if body.scope else None
    given = verbs.Triage(**body.model_dump(exclude={"scope"}), scope=scope)

    async def verb(change: Change) -> Ticket:
        return await verbs.triage(change, given)

    return await here.change(verb)


@router.post("/wait", response_model=TicketOut)
async def let_request_wait(body: WaitIn, here: Annotated[Call, Depends(call("tickets.wait"))]) -> Response:
    """Let a request wait for the client, a third party or a release; its clocks stand still (clause 2.3)."""

    async def verb(change: Change) -> Ticket:
        return await verbs.wait(change, body.cause, body.circumstance, body.note)

    return await here.change(verb)


@router.post("/resume", response_model=TicketOut)
async def resume_request(body: ResumeIn, here: Annotated[Call, Depends(call("tickets.resume"))]) -> Response:
    """End waiting."""

    async def verb(change: Change) -> Ticket:
        return await verbs.resume(change, body.note)

    return await here.change(verb)


@router.post("/handover", response_model=TicketOut)
async def hand_request_over(body: HandOverIn, here: Annotated[Call, Depends(call("tickets.handover"))]) -> Response:
    """Hand a request over to development; it waits for the release that is planned (clause 2.2)."""
    plan = body.planned_release.plan() if body.planned_release else None

    async def verb(change: Change) -> Ticket:
        return await releases.hand_over(change, body.defect_ref, plan)

    return await here.change(verb)


@router.post("/release-plan", response_model=TicketOut)
async def plan_release(body: ReleasePlanIn, here: Annotated[Call, Depends(call("tickets.release_plan"))]) -> Response:
    """Plan the release that a request waits for, or move it; its client is told of the change (clause 2.2)."""

    async def verb(change: Change) -> Ticket:
        return await releases.plan_release(change, body.planned_release.plan())

    return await here.change(verb)


@router.post("/resolve", response_model=TicketOut)
async def resolve_request(body: ResolveIn, here: Annotated[Call, Depends(call("tickets.resolve"))]) -> Response:
    """Say that the problem is solved, with a text for the client if there is one."""

    async def verb(change: Change) -> Ticket:
        return await verbs.resolve(change, _last_words(here, change, body))

    return await here.change(verb)


@router.post("/close", response_model=TicketOut)
async def close_request(body: CloseIn, here: Annotated[Call, Depends(call("tickets.close"))]) -> Response:
    """Close a request: staff for any reason of the policy, the client's side once it is resolved."""

    async def verb(change: Change) -> Ticket:
        side = side_of(here.access.principal)
        message = _last_words(here, change, body)
        return await verbs.close(change, side, body.reason, body.circumstance, message, body.refer_to)

    return await here.change(verb)


@router.post("/reopen", response_model=TicketOut)
async def reopen_request(body: ReopenIn, here: Annotated[Call, Depends(call("tickets.reopen"))]) -> Response:
    """Open an ended request again and say what is still wrong (closing paragraph)."""

    async def verb(change: Change) -> Ticket:
        message = here.message(change, MessageIn(body=body.body))
        return await verbs.reopen(change, side_of(here.access.principal), message)

    return await here.change(verb)


def _last_words(here: Call, change: Change, given: ResolveIn | CloseIn) -> NewMessage | None:
    """Return the message that goes out with a verb, None where there is none.

    Raises:
        Invalid: files without a text.

    """
    if given.body is not None:
        pages = given.article_ids if isinstance(given, ResolveIn) else []
        return here.message(change, MessageIn(body=given.body, attachment_ids=given.attachment_ids, article_ids=pages))
    if given.attachment_ids:
        fault = Fault("/body", "Write the text that the files go with, or leave the files out.")
        raise Invalid("Files need a text.", faults=(fault,))
    return None

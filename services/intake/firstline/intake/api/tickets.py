"""Requests: submit, check, read, list, history."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from firstline.common.application import json_answer, permit
from firstline.common.errors import Fault, Invalid
from firstline.common.log import STREAM_EVENTS, LogRow
from firstline.common.paging import DEFAULT_LIMIT, MAX_LIMIT, Page, etag_of
from firstline.common.permissions import Access
from firstline.common.store.port import Unit
from firstline.intake.api.context import DeskHere, Key, Reference, document, read_ticket, retry_here, shown
from firstline.intake.api.filters import wanted_of
from firstline.intake.schemas.bulk import FilterIn, Status, WaitingCause
from firstline.intake.schemas.given import TicketIn
from firstline.intake.schemas.shown import EntitlementOut, FoundOut, HistoryOut, TicketOut, Verdict, verdict_out
from firstline.intake.search import Term, excerpt
from firstline.intake.service.change import find_for
from firstline.intake.service.desk import Desk
from firstline.intake.service.licences import licence_now, state_of
from firstline.intake.service.past import Past, rows_until, seen_by, told_anew
from firstline.intake.service.requester import Named, new_ticket
from firstline.intake.service.submission import Judged, NewTicket, check, submit
from firstline.intake.store.directory import Licence
from firstline.intake.store.tickets import Participant, Wanted, list_tickets
from firstline.intake.store.words import PUBLIC_TEXTS, TEXTS, Text
from firstline.intake.ticket import Ticket

router = APIRouter(prefix="/v1/tickets", tags=["requests"])
HISTORY_LIMIT = 1000


@router.post("", status_code=201, response_model=TicketOut)
async def submit_request(
    request: Request,
    body: TicketIn,
    desk: DeskHere,
    access: Annotated[Access, Depends(permit("tickets.submit"))],
    idempotency_key: Key = None,
) -> Response:
    """Send a request.

    It is stored durably, numbered and queued before the answer comes; the acknowledgement follows by mail. What the
    policy finds missing is asked for, not refused.
    """
    retry = await retry_here(request, access, idempotency_key)

    # The answer is made before the request is stored, so that a retry can be given the very same one.
    def render(new: NewTicket, ticket: Ticket) -> str:
        people = sorted({new.requester.email, *(person.email for person in new.copied)})
        return document(desk, access, ticket, people)

    answer = await submit(desk, access, lambda unit: _new(desk, unit, access, body), retry, render)
    return json_answer(answer.body, answer.status, answer.etag)


@router.post("/check")
async def check_request(
    body: TicketIn, desk: DeskHere, access: Annotated[Access, Depends(permit("tickets.check"))]
) -> Verdict:
    """Ask what the policy says of a request; nothing is stored."""

    async def judge(unit: Unit) -> tuple[NewTicket, Judged]:
        new = await _new(desk, unit, access, body)
        return new, await check(desk, unit, new)

    new, judged = await desk.store.read(judge)
    return verdict_out(judged.judgement, judged.suggested, new.topic, desk.policies.current.version)


async def _new(desk: Desk, unit: Unit, access: Access, body: TicketIn) -> NewTicket:
    """Return the body as a new request of whoever it is for.

    Raises:
        Invalid: the requester is not one the caller may name.

    """
    values: dict[str, Any] = body.model_dump(exclude={"requester", "channel", "attachment_ids"})
    named = Named(**body.requester.model_dump()) if body.requester else None
    return await new_ticket(desk, unit, access.principal, named, body.channel, tuple(body.attachment_ids), values)


@router.get("")
async def list_requests(
    desk: DeskHere,
    access: Annotated[Access, Depends(permit("tickets.list"))],
    status: Status | None = None,
    tier: str | None = None,
    topic: str | None = None,
    urgency: str | None = None,
    waiting_cause: WaitingCause | None = None,
    requester: Annotated[str | None, Query(description="Address of somebody who takes part.")] = None,
    organization_id: str | None = None,
    external_ref: str | None = None,
    q: Annotated[
        str | None,
        Query(max_length=500, description="Words of the subject or correspondence, a request's number, addresses."),
    ] = None,
    updated_after: datetime | None = None,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
) -> Page[TicketOut]:
    """List requests that you may see, newest first.

    `q` finds those with all of its words, by their beginnings, in any language; what is found says where. Staff find by
    internal notes, too.
    """
    place = desk.cursors.read("tickets", cursor)
    # As the bulk verbs' filter: both find by the same rules.
    given = FilterIn.model_construct(
        status=status,
        tier=tier,
        topic=topic,
        urgency=urgency,
        waiting_cause=waiting_cause,
        requester=requester,
        organization_id=organization_id,
        external_ref=external_ref,
        q=q,
        updated_after=updated_after,
    )
    return await _page(desk, access, wanted_of(given, limit=limit + 1, after=str(place[0]) if place else None))


async def _page(desk: Desk, access: Access, wanted: Wanted) -> Page[TicketOut]:
    """Return a page of requests, the last one wanted being that which says that there are more."""
    limit = wanted.limit - 1

    async def work(unit: Unit) -> tuple[list[TicketOut], bool]:
        tickets, participants = await list_tickets(unit, access, wanted)
        # Excerpts are made of this page's requests alone, however many the words were found in.
        texts = await _texts(unit, access, tickets[:limit]) if wanted.terms else []
        return _documents(desk, access, tickets[:limit], participants, texts, wanted.terms), len(tickets) > limit

    items, further = await desk.store.read(work)
    return Page[TicketOut](items=items, next=desk.cursors.write("tickets", [items[-1].id]) if further else None)


async def _texts(unit: Unit, access: Access, tickets: list[Ticket]) -> list[Text]:
    """Return the correspondence of requests as far as the caller may read it."""
    statement = TEXTS if access.principal.is_staff else PUBLIC_TEXTS
    return await unit.all(statement, ticket_ids=[ticket.id for ticket in tickets]) if tickets else []


def _found(ticket: Ticket, texts: list[Text], terms: tuple[Term, ...]) -> list[FoundOut]:
    """Return where words were found: in the subject, and in the first message that has one."""
    subject = excerpt(ticket.subject, terms)
    found = [FoundOut(message_id=None, text=subject.text, marks=list(subject.marks))] if subject else []
    for one in texts:
        if one.ticket_id == ticket.id and (part := excerpt(one.text, terms)):
            # One message is enough to recognise a request by; excerpts of all would make a page of a book.
            return [*found, FoundOut(message_id=one.message_id, text=part.text, marks=list(part.marks))]
    return found


def _documents(
    desk: Desk,
    access: Access,
    tickets: list[Ticket],
    participants: list[Participant],
    texts: list[Text],
    terms: tuple[Term, ...],
) -> list[TicketOut]:
    """Return requests' documents with their participants, and where the words of a search stand."""
    people: dict[str, list[str]] = {}
    for person in participants:
        people.setdefault(person.ticket_id, []).append(person.address)
    items = [shown(desk, access, ticket, people.get(ticket.id, [])) for ticket in tickets]
    if not terms:
        return items
    pairs = zip(items, tickets, strict=True)
    return [item.model_copy(update={"found": _found(ticket, texts, terms)}) for item, ticket in pairs]


@router.get("/{reference}", response_model=TicketOut)
async def read_request(
    reference: Reference,
    desk: DeskHere,
    access: Annotated[Access, Depends(permit("tickets.read"))],
    at: Annotated[datetime | None, Query(description="An instant: the request as it was then.")] = None,
) -> Response:
    """Read a request, as it is or as it was at an instant."""
    if at is not None:
        return json_answer((await _as_it_was(desk, access, reference, at)).model_dump_json())
    ticket, people = await read_ticket(desk, access, reference)
    return json_answer(document(desk, access, ticket, people), etag=etag_of(ticket.version))


async def _as_it_was(desk: Desk, access: Access, reference: str, at: datetime) -> TicketOut:
    """Return a request as it was; whoever may see it now may see what it was.

    Raises:
        Invalid: the instant has no time zone.
        NotFound: the request did not exist then.

    """
    if at.tzinfo is None:
        fault = Fault("#query/at", "Give the time zone, such as 2026-11-23T06:00:00Z.")
        raise Invalid("A time without its zone can't be compared.", faults=(fault,))

    async def work(unit: Unit) -> Past:
        # By who may see it now: somebody who has left the request sees nothing of its past either.
        ticket, _ = await find_for(unit, access, reference)
        return told_anew(ticket, await rows_until(unit, ticket.id, at))

    past = await desk.store.read(work)
    return shown(desk, access, past.ticket, past.participants, at)


@router.get("/{reference}/entitlement")
async def read_entitlement(
    reference: Reference, desk: DeskHere, access: Annotated[Access, Depends(permit("tickets.read"))]
) -> EntitlementOut:
    """Read what the licence of a request entitles to, when it came in and now (closing paragraph)."""

    async def work(unit: Unit) -> tuple[Ticket, Licence | None]:
        ticket, _ = await find_for(unit, access, reference)
        return ticket, await licence_now(unit, ticket)

    ticket, licence = await desk.store.read(work)
    state = state_of(licence, desk.now())
    return EntitlementOut(
        at_intake=ticket.entitlement,
        now=state,
        active_until=licence.active_until if licence else None,
        product=licence.product if licence else None,
        last4=licence.last4 if licence else ticket.licence_last4,
        notice=desk.policies.of(ticket.policy_version)[0].entitlement.rule(state).notice,
    )


@router.get("/{reference}/history")
async def read_history(
    reference: Reference,
    desk: DeskHere,
    access: Annotated[Access, Depends(permit("tickets.history"))],
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=HISTORY_LIMIT)] = MAX_LIMIT,
) -> Page[HistoryOut]:
    """Read what happened to a request, oldest first: who did what when, with old and new values.

    Clients don't see internal notes, what is the desk's own, nor who of the staff it was; a page may be short for that.
    """
    # First whether the caller may read the request at all: the log itself knows no permissions.
    ticket, _ = await read_ticket(desk, access, reference)
    place = desk.cursors.read("history", cursor)
    after = int(place[0]) if place else 0

    async def work(unit: Unit) -> list[LogRow]:
        return await unit.all(STREAM_EVENTS, stream=f"ticket/{ticket.id}", after=after, limit=limit + 1)

    found = await desk.store.read(work)
    more = desk.cursors.write("history", [found[limit - 1].version]) if len(found) > limit else None
    seen = ((row, seen_by(access.principal, row)) for row in found[:limit])
    items = [
        HistoryOut(
            id=row.id,
            type=row.type,
            version=row.version,
            time=row.time,
            actor=data.get("actor", {}),
            changes=data.get("changes", {}),
            data=data,
        )
        for row, data in seen
        if data is not None
    ]
    return Page[HistoryOut](items=items, next=more)

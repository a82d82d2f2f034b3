"""Incidents: what several requests have in common, one answer to all of them, and the portal's banner."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from firstline.common.answers import Made, Retry, answer_once
from firstline.common.application import json_answer, permit
from firstline.common.paging import DEFAULT_LIMIT, MAX_LIMIT, Page, etag_of
from firstline.common.permissions import Access
from firstline.common.store.port import Unit
from firstline.intake.api.context import DeskHere, Key, retry_here, shown
from firstline.intake.schemas.incidents import (
    AnswerAllIn,
    AnswerOut,
    BannerIn,
    BannersOut,
    IncidentIn,
    IncidentOut,
    LinkTicketsIn,
    ProposalOut,
    ProposalsOut,
    ResolveIncidentIn,
    ShownBanner,
    answer_out,
    incident_out,
)
from firstline.intake.schemas.shown import TicketOut
from firstline.intake.service import incidents
from firstline.intake.service.desk import Desk
from firstline.intake.store.incidents import ANSWERS, INCIDENTS, INCIDENTS_OF_STATUS, LINKED_TICKETS, Incident
from firstline.intake.store.tickets import PARTICIPANTS_OF_ALL, TICKETS
from firstline.intake.ticket import Ticket

router = APIRouter(prefix="/v1/incidents", tags=["incidents"])
banners_router = APIRouter(prefix="/v1/banners", tags=["incidents"])

IncidentId = Annotated[str, Path(max_length=64, description="ID of the incident.")]
ANSWERS_SHOWN = 20
# IDs are hexadecimal digits and hyphens.
LAST = "g"
"""Behind every ID."""
Work = Callable[[Unit], Awaitable[Incident]]


@dataclass(frozen=True, slots=True)
class Wish:
    """A caller's wish to change an incident."""

    desk: Desk
    access: Access
    retry: Retry | None

    async def answer(self, work: Work, status: int = 200) -> Response:
        """Do it in one transaction and answer with the incident's new document, or answer a retry as before."""

        async def made(unit: Unit) -> Made:
            incident = await work(unit)
            answers = await unit.all(ANSWERS, incident_id=incident.id, limit=ANSWERS_SHOWN)
            return status, incident_out(incident, answers).model_dump_json(by_alias=True), etag_of(incident.version)

        answer = await answer_once(self.desk.store, self.desk.ports.clock, self.retry, made)
        return json_answer(answer.body, answer.status, answer.etag)


async def wish(
    request: Request,
    desk: DeskHere,
    access: Annotated[Access, Depends(permit("incidents.manage"))],
    idempotency_key: Key = None,
) -> Wish:
    """Return what a call that changes an incident came with."""
    return Wish(desk, access, await retry_here(request, access, idempotency_key))


Wishing = Annotated[Wish, Depends(wish)]


@router.post("", status_code=201, response_model=IncidentOut)
async def open_incident(body: IncidentIn, here: Wishing) -> Response:
    """Open an incident, with the requests that are known to have its cause."""
    work: Work = lambda unit: incidents.open_incident(here.desk, unit, here.access, body.title, body.ticket_ids)  # noqa: E731 (one expression)
    return await here.answer(work, 201)


@router.get("")
async def list_incidents(
    desk: DeskHere,
    _access: Annotated[Access, Depends(permit("incidents.read"))],
    status: Literal["open", "resolved"] | None = None,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
) -> Page[IncidentOut]:
    """List incidents, newest first."""
    place = desk.cursors.read("incidents", cursor)
    after = str(place[0]) if place else LAST

    async def work(unit: Unit) -> list[Incident]:
        if status is None:
            return await unit.all(INCIDENTS, after=after, limit=limit + 1)
        return await unit.all(INCIDENTS_OF_STATUS, status=status, after=after, limit=limit + 1)

    found = await desk.store.read(work)
    more = desk.cursors.write("incidents", [found[limit - 1].id]) if len(found) > limit else None
    return Page[IncidentOut](items=[incident_out(one, []) for one in found[:limit]], next=more)


@router.get("/{incident_id}", response_model=IncidentOut)
async def read_incident(
    incident_id: IncidentId, desk: DeskHere, access: Annotated[Access, Depends(permit("incidents.read"))]
) -> Response:
    """Read an incident, with its last answers and how far they have come."""
    here = Wish(desk, access, None)

    async def work(unit: Unit) -> Response:
        incident = await incidents.incident_of(unit, incident_id)
        answers = await unit.all(ANSWERS, incident_id=incident.id, limit=ANSWERS_SHOWN)
        text = incident_out(incident, answers).model_dump_json(by_alias=True)
        return json_answer(text, etag=etag_of(incident.version))

    return await here.desk.store.read(work)


@router.get("/{incident_id}/tickets")
async def list_linked(
    incident_id: IncidentId,
    desk: DeskHere,
    access: Annotated[Access, Depends(permit("incidents.read"))],
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
) -> Page[TicketOut]:
    """List the requests of an incident, oldest first."""
    place = desk.cursors.read("incident tickets", cursor)
    after = str(place[0]) if place else ""

    async def work(unit: Unit) -> tuple[list[TicketOut], bool]:
        # An incident that doesn't exist is an error; one without requests is an empty list.
        await incidents.incident_of(unit, incident_id)
        found = await unit.all(LINKED_TICKETS, incident_id=incident_id, after=after, limit=limit + 1)
        return await _shown(desk, unit, access, found[:limit]), len(found) > limit

    items, further = await desk.store.read(work)
    more = desk.cursors.write("incident tickets", [items[-1].id]) if further else None
    return Page[TicketOut](items=items, next=more)


async def _shown(desk: Desk, unit: Unit, access: Access, tickets: list[Ticket]) -> list[TicketOut]:
    """Return requests' documents, with the participants of all of them read at once."""
    people = await unit.all(PARTICIPANTS_OF_ALL, ticket_ids=[ticket.id for ticket in tickets])
    return [
        shown(desk, access, ticket, [one.address for one in people if one.ticket_id == ticket.id]) for ticket in tickets
    ]


@router.get("/{incident_id}/proposals")
async def propose(
    incident_id: IncidentId, desk: DeskHere, access: Annotated[Access, Depends(permit("incidents.read"))]
) -> ProposalsOut:
    """Read which open requests may have the same cause: by words, topic and time."""

    async def work(unit: Unit) -> ProposalsOut:
        found = await incidents.proposals(unit, await incidents.incident_of(unit, incident_id))
        tickets = await unit.all(TICKETS, ids=[one.ticket_id for one in found]) if found else []
        documents = {one.id: one for one in await _shown(desk, unit, access, tickets)}
        return ProposalsOut(
            items=[
                ProposalOut(ticket=documents[one.ticket_id], words=list(one.words), same_topic=one.same_topic)
                for one in found
            ]
        )

    return await desk.store.read(work)


@router.post("/{incident_id}/link", response_model=IncidentOut)
async def link_requests(incident_id: IncidentId, body: LinkTicketsIn, here: Wishing) -> Response:
    """Link requests to an incident; each says so in its history. Those that are linked stay so."""
    return await here.answer(lambda unit: incidents.link(here.desk, unit, here.access, incident_id, body.ticket_ids))


@router.post("/{incident_id}/unlink", response_model=IncidentOut)
async def unlink_requests(incident_id: IncidentId, body: LinkTicketsIn, here: Wishing) -> Response:
    """Take requests out of an incident."""
    return await here.answer(lambda unit: incidents.unlink(here.desk, unit, here.access, incident_id, body.ticket_ids))


@router.post("/{incident_id}/banner", response_model=IncidentOut)
async def set_banner(incident_id: IncidentId, body: BannerIn, here: Wishing) -> Response:
    """Show a text in the portal while the incident is open, to all or to those concerned, as the policy says."""
    kept = body.kept()
    return await here.answer(lambda unit: incidents.set_banner(here.desk, unit, here.access, incident_id, kept))


@router.post("/{incident_id}/resolve", response_model=IncidentOut)
async def resolve_incident(incident_id: IncidentId, _body: ResolveIncidentIn, here: Wishing) -> Response:
    """Say that the trouble is over; the banner goes, the requests stay as they are."""
    return await here.answer(lambda unit: incidents.resolve(here.desk, unit, here.access, incident_id))


@router.post("/{incident_id}/answer", status_code=202, response_model=AnswerOut)
async def answer_all(incident_id: IncidentId, body: AnswerAllIn, here: Wishing) -> Response:
    """Answer all requests that are linked now; each gets its own reply, once, in portions after this answer.

    It goes to requests that somebody holds, too: it is the desk's word, and whoever is at work sees it arrive. Read the
    incident to see how far it has come.
    """

    # Only the wish is stored here: a thousand replies in one transaction would keep everybody else from writing.
    async def work(unit: Unit) -> Made:
        answer = await incidents.answer_all(
            here.desk, unit, here.access, incident_id, body.body, resolving=body.resolve
        )
        return 202, answer_out(answer).model_dump_json(), None

    answer = await answer_once(here.desk.store, here.desk.ports.clock, here.retry, work)
    return json_answer(answer.body, answer.status, answer.etag)


@banners_router.get("")
async def list_banners(desk: DeskHere, access: Annotated[Access, Depends(permit("banners.read"))]) -> BannersOut:
    """Read what the portal shows to you now."""
    found = await desk.store.read(lambda unit: incidents.banners(desk, unit, access))
    return BannersOut(
        items=[
            ShownBanner(incident_id=one.id, title=one.title, text=one.banner["text"])
            for one in found
            if one.banner is not None
        ]
    )

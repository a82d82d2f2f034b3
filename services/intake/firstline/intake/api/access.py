"""Access data: asked for, given, taken back, read under a claim, confirmed as changed (clause 4.3)."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from firstline.common.answers import Made
from firstline.common.application import permit
from firstline.common.paging import DEFAULT_LIMIT, MAX_LIMIT, Page, etag_of
from firstline.common.permissions import Access
from firstline.common.store.port import Unit
from firstline.intake.access import AccessRequest
from firstline.intake.api.context import Call, DeskHere, Reference, call
from firstline.intake.schemas.access import AccessRequestIn, AccessRequestOut, ProvideIn, RevealIn, RevealOut
from firstline.intake.service import access as service
from firstline.intake.service.access import Revealed
from firstline.intake.service.change import Change, begin, find_for
from firstline.intake.store.access import ACCESS_REQUESTS

router = APIRouter(tags=["access data"])

ASKED = "/v1/tickets/{reference}/access-requests"
ONE = ASKED + "/{request_id}"
RequestId = Annotated[str, Path(max_length=64)]
NOT_KEPT = {"Cache-Control": "no-store", "Pragma": "no-cache", "Referrer-Policy": "no-referrer"}
"""The headers of an answer that carries what was given."""


@router.post(ASKED, status_code=201, response_model=AccessRequestOut)
async def ask_for_access(
    body: AccessRequestIn, here: Annotated[Call, Depends(call("access_requests.ask"))]
) -> Response:
    """Ask the client for access data of kinds that the policy names; the client answers in a form of its own."""

    async def work(unit: Unit) -> Made:
        change = await here.begin(unit)
        who = here.access.principal
        asked = await service.ask(change, who, body.kinds, body.reason, body.host, body.expires_at)
        return 201, _shown(change, asked), etag_of(change.ticket.version)

    return await here.answer(work)


@router.get(ASKED)
async def list_access_requests(
    reference: Reference,
    desk: DeskHere,
    access: Annotated[Access, Depends(permit("access_requests.read"))],
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
) -> Page[AccessRequestOut]:
    """Read what was asked for, what became of it, and who read what was given, when and why; never what it was."""
    place = desk.cursors.read("access-requests", cursor)

    async def work(unit: Unit) -> tuple[str, list[AccessRequest]]:
        ticket, _ = await find_for(unit, access, reference)
        after = str(place[0]) if place else ""
        found = await unit.all(ACCESS_REQUESTS, ticket_id=ticket.id, after=after, limit=limit + 1)
        return ticket.policy_version, found

    version, found = await desk.store.read(work)
    rules = desk.policies.of(version)[0].access
    more = desk.cursors.write("access-requests", [found[limit - 1].id]) if len(found) > limit else None
    return Page[AccessRequestOut](items=[AccessRequestOut.of(one, rules) for one in found[:limit]], next=more)


@router.post(ONE + "/provide", response_model=AccessRequestOut)
async def provide_access(
    request_id: RequestId, body: ProvideIn, here: Annotated[Call, Depends(call("access_requests.provide"))]
) -> Response:
    """Give what was asked for. It is sealed at once, read by the specialist at work alone, and deleted at the end.

    The same values again change nothing, so a retry is safe; an Idempotency-Key is not looked at.
    """

    async def verb(change: Change) -> AccessRequest:
        return await service.provide(change, here.access.principal, request_id, body.values)

    # A kept digest of the body would let a thief of the store try passwords against it.
    return await _answer(replace(here, retry=None), verb)


@router.post(ONE + "/decline", response_model=AccessRequestOut)
async def decline_access(
    request_id: RequestId, here: Annotated[Call, Depends(call("access_requests.provide"))]
) -> Response:
    """Give nothing; the cause of the problem may then stay unknown."""

    async def verb(change: Change) -> AccessRequest:
        return await service.decline(change, here.access.principal, request_id)

    return await _answer(here, verb)


@router.post(ONE + "/revoke", response_model=AccessRequestOut)
async def revoke_access(
    request_id: RequestId, here: Annotated[Call, Depends(call("access_requests.revoke"))]
) -> Response:
    """Take an access request back, from either side; what was given is deleted at once."""

    async def verb(change: Change) -> AccessRequest:
        return await service.revoke(change, request_id)

    # Without the claim: taking back what was given must not wait for whoever is at work.
    return await _answer(here, verb, claimed=False)


@router.post(ONE + "/reveal", response_model=RevealOut)
async def reveal_access(
    request_id: RequestId, body: RevealIn, here: Annotated[Call, Depends(call("access_requests.reveal"))]
) -> Response:
    """Read what was given, with the Claim-Token of the claim that you hold. The client is told who read it and why."""

    async def work(unit: Unit) -> Revealed:
        change = await here.begin(unit)
        who = here.access.principal
        return await service.reveal(change, who, here.claim_token, request_id, body.reason, body.kinds)

    # Without an answer kept for retries: it would hold what was given, outside of the vault.
    revealed = await here.desk.store.write(work)
    values = {
        kind: {code: value.get_secret_value() for code, value in fields.items()}
        for kind, fields in revealed.values.items()
    }
    told = {"id": revealed.request.id, "revealed_at": revealed.at.isoformat(), "values": values}
    return Response(json.dumps(told), headers=NOT_KEPT, media_type="application/json")


@router.post(ONE + "/confirm", response_model=AccessRequestOut)
async def confirm_change(
    request_id: RequestId, here: Annotated[Call, Depends(call("access_requests.confirm"))]
) -> Response:
    """Confirm that what was given is changed; the reminders end."""

    async def verb(change: Change) -> AccessRequest:
        return await service.confirm(change, here.access.principal, request_id)

    return await _answer(here, verb)


async def _answer(here: Call, verb: Callable[[Change], Awaitable[AccessRequest]], *, claimed: bool = True) -> Response:
    """Run a verb in one transaction and answer with the access request."""

    async def work(unit: Unit) -> Made:
        change = await (here.begin(unit) if claimed else begin(here.desk, unit, here.access, here.reference))
        request = await verb(change)
        return 200, _shown(change, request), etag_of(change.ticket.version)

    return await here.answer(work)


def _shown(change: Change, request: AccessRequest) -> str:
    """Return an access request as JSON text, in the words of the policy version that its request was taken under."""
    policy, _ = change.desk.policies.of(change.ticket.policy_version)
    return AccessRequestOut.of(request, policy.access).model_dump_json()

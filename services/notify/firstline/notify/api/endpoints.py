"""Webhook endpoints: partners keep those of their organization, admins all."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request, Response

from firstline.common.answers import Made, answer_once, retry_of
from firstline.common.application import json_answer, permit
from firstline.common.errors import Conflict
from firstline.common.paging import DEFAULT_LIMIT, Page, check_version, etag_of
from firstline.common.permissions import Access
from firstline.common.secrets import decrypt, encrypt
from firstline.common.store.port import Unit
from firstline.notify.api.context import Cursor, DeskHere, Limit
from firstline.notify.schemas import EndpointChanges, EndpointMade, EndpointOut, NewEndpoint, Rotation
from firstline.notify.service import endpoints
from firstline.notify.service.desk import Desk
from firstline.notify.store.endpoints import Endpoint

router = APIRouter(prefix="/v1/webhook-endpoints", tags=["webhooks"])
Keeper = Annotated[Access, Depends(permit("endpoints.manage"))]
IfMatch = Annotated[str | None, Header(alias="If-Match", description="The ETag that you read; 412 if it is older.")]
Key = Annotated[
    str | None,
    Header(alias="Idempotency-Key", description="Makes a retry safe: same key and body, same answer, for 7 days."),
]


@router.get("")
async def list_webhook_endpoints(
    desk: DeskHere, access: Keeper, cursor: Cursor = None, limit: Limit = DEFAULT_LIMIT
) -> Page[EndpointOut]:
    """List endpoints, oldest first: all of them, or for a partner those of the own organization."""
    # The cursor's name says whose list it is of, so that it is of no use to anybody else.
    name = f"endpoints {access.relation} {access.principal.organization_id}"
    place = desk.cursors.read(name, cursor)
    after = str(place[0]) if place else ""
    found = await desk.store.read(lambda unit: endpoints.list_endpoints(unit, access, after, limit + 1))
    more = desk.cursors.write(name, [found[limit - 1].id]) if len(found) > limit else None
    return Page[EndpointOut](items=[EndpointOut.model_validate(row) for row in found[:limit]], next=more)


@router.post("", status_code=201, response_model=EndpointMade)
async def create_webhook_endpoint(
    request: Request, body: NewEndpoint, desk: DeskHere, access: Keeper, key: Key = None
) -> Response:
    """Make an endpoint and show its secret, this once; deliveries are signed after Standard Webhooks 1.0."""
    values = body.model_dump(exclude={"organization_id"})

    async def make(unit: Unit) -> tuple[Endpoint, str]:
        return await endpoints.make(desk, unit, access, organization_id=body.organization_id, values=values)

    return await _with_secret(desk, request, access, key, 201, make)


@router.get("/{endpoint_id}")
async def read_webhook_endpoint(endpoint_id: str, response: Response, desk: DeskHere, access: Keeper) -> EndpointOut:
    """Read an endpoint."""
    endpoint = await desk.store.read(lambda unit: endpoints.find(unit, access, endpoint_id))
    response.headers["ETag"] = etag_of(endpoint.version)
    return EndpointOut.model_validate(endpoint)


@router.patch("/{endpoint_id}")
async def change_webhook_endpoint(
    endpoint_id: str,
    body: EndpointChanges,
    response: Response,
    desk: DeskHere,
    access: Keeper,
    if_match: IfMatch = None,
) -> EndpointOut:
    """Change an endpoint; what a disabled one has missed is in the feed."""

    async def work(unit: Unit) -> Endpoint:
        endpoint = await endpoints.find(unit, access, endpoint_id, to_change=True)
        check_version(if_match, endpoint.version)
        return await endpoints.change(desk, unit, endpoint, body.model_dump(exclude_unset=True))

    endpoint = await desk.store.write(work)
    response.headers["ETag"] = etag_of(endpoint.version)
    return EndpointOut.model_validate(endpoint)


@router.delete("/{endpoint_id}", status_code=204)
async def delete_webhook_endpoint(endpoint_id: str, desk: DeskHere, access: Keeper) -> None:
    """Delete an endpoint; nothing more goes there."""

    async def work(unit: Unit) -> None:
        await endpoints.remove(desk, unit, await endpoints.find(unit, access, endpoint_id, to_change=True))

    await desk.store.write(work)


@router.post("/{endpoint_id}/rotate-secret", response_model=EndpointMade)
async def rotate_webhook_secret(
    endpoint_id: str, request: Request, body: Rotation, desk: DeskHere, access: Keeper, key: Key = None
) -> Response:
    """Give an endpoint a new secret and show it, this once; the one before signs too for the hours given."""

    async def rotate(unit: Unit) -> tuple[Endpoint, str]:
        endpoint = await endpoints.find(unit, access, endpoint_id, to_change=True)
        return await endpoints.rotate(desk, unit, endpoint, timedelta(hours=body.overlap_hours))

    return await _with_secret(desk, request, access, key, 200, rotate)


async def _with_secret(
    desk: Desk,
    request: Request,
    access: Access,
    key: str | None,
    status: int,
    verb: Callable[[Unit], Awaitable[tuple[Endpoint, str]]],
) -> Response:
    """Run a verb that makes a secret, once for an Idempotency-Key; kept answers are encrypted.

    Raises:
        IdempotencyKeyReused: the key came with another body before.
        Conflict: the answer was kept while the desk had another secret.

    """

    async def work(unit: Unit) -> Made:
        endpoint, secret = await verb(unit)
        body = EndpointMade(**EndpointOut.model_validate(endpoint).model_dump(), secret=secret)
        kept = encrypt(desk.endpoint_key, {"body": body.model_dump_json()}, desk.ports.random)
        return status, kept, etag_of(endpoint.version)

    retry = retry_of(access.principal.id, f"{request.method} {request.url.path}", key, await request.body())
    answer = await answer_once(desk.store, desk.ports.clock, retry, work)
    payload = decrypt(desk.endpoint_key, answer.body)
    if payload is None:
        raise Conflict("The answer to this Idempotency-Key can't be read any more. List what is there, then decide.")
    response = json_answer(payload["body"], answer.status, answer.etag)
    # The secret is in it.
    response.headers["Cache-Control"] = "no-store"
    return response

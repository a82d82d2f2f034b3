"""API keys over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from firstline.accounts.api.answering import FULL_PAGE, AtDesk, Cursor, IdempotencyKey, Limit, created, page_of
from firstline.accounts.schemas import ApiKeyBody, MadeApiKey, NewApiKey
from firstline.accounts.service import keys
from firstline.accounts.store.credentials import ApiKey
from firstline.common.application import permit
from firstline.common.paging import Page
from firstline.common.permissions import Access
from firstline.common.store.port import Unit

router = APIRouter(prefix="/v1/api-keys", tags=["API keys"])
KeyHolder = Annotated[Access, Depends(permit("api_keys.manage"))]


@router.get("")
async def list_api_keys(
    desk: AtDesk, access: KeyHolder, cursor: Cursor = None, limit: Limit = FULL_PAGE
) -> Page[ApiKeyBody]:
    """List API keys, oldest first: all of them, or for a partner those of the own organization."""

    async def rows(unit: Unit, after: str, limit: int) -> list[ApiKey]:
        return await keys.list_keys(unit, access, after=after, limit=limit)

    # the list is named after whose it is, so that a cursor is of no use to somebody else
    name = f"api keys {access.relation} {access.principal.organization_id}"
    return await page_of(desk, name, cursor, limit, rows, ApiKeyBody)


@router.post("", status_code=201, response_model=MadeApiKey)
async def create_api_key(
    desk: AtDesk, request: Request, access: KeyHolder, body: NewApiKey, idempotency_key: IdempotencyKey = None
) -> Response:
    """Make an API key and show its secret, this once.

    A partner may make keys for themselves and for their own organization. A key stops working when its person becomes
    inactive or gets another role or organization.
    """

    async def make(unit: Unit) -> tuple[MadeApiKey, None]:
        key, secret = await keys.make_key(unit, desk.log, desk.ports, access, **body.model_dump())
        return MadeApiKey(**ApiKeyBody.model_validate(key).model_dump(), api_key=secret), None

    return await created(desk, request, access.principal, idempotency_key, make)


@router.post("/{key_id}/revoke")
async def revoke_api_key(desk: AtDesk, access: KeyHolder, key_id: str) -> ApiKeyBody:
    """Make an API key useless for ever. Tokens that it got live on for a quarter of an hour at most."""
    key = await desk.store.write(lambda unit: keys.revoke_key(unit, desk.log, desk.ports, access, key_id))
    return ApiKeyBody.model_validate(key)

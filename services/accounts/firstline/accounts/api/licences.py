"""Licences over HTTP. A licence's key comes in and never goes out again."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from firstline.accounts.api.answering import (
    FULL_PAGE,
    AtDesk,
    Cursor,
    IdempotencyKey,
    IfMatch,
    Limit,
    created,
    page_of,
    tag,
)
from firstline.accounts.schemas import LicenceBody, LicenceChanges, NewLicence
from firstline.accounts.service import licences
from firstline.accounts.service.desk import actor_of
from firstline.accounts.store.directory import Licence
from firstline.common.application import permit
from firstline.common.paging import Page, check_version, etag_of
from firstline.common.permissions import Access
from firstline.common.store.port import Unit

router = APIRouter(prefix="/v1/licences", tags=["licences"])
Reader = Annotated[Access, Depends(permit("licences.read"))]
Leader = Annotated[Access, Depends(permit("licences.manage"))]


@router.get("")
async def list_licences(
    desk: AtDesk,
    _access: Reader,
    organization_id: Annotated[str | None, Query(description="Only those of one organization.")] = None,
    cursor: Cursor = None,
    limit: Limit = FULL_PAGE,
) -> Page[LicenceBody]:
    """List licences, oldest first."""

    async def rows(unit: Unit, after: str, limit: int) -> list[Licence]:
        return await licences.list_licences(unit, organization_id, after=after, limit=limit)

    return await page_of(desk, f"licences {organization_id}", cursor, limit, rows, LicenceBody)


@router.post("", status_code=201, response_model=LicenceBody)
async def create_licence(
    desk: AtDesk, request: Request, access: Leader, body: NewLicence, idempotency_key: IdempotencyKey = None
) -> Response:
    """Make a licence known by its key, which is kept as a hash."""
    licence = licences.described(desk.ports, **body.model_dump())

    async def make(unit: Unit) -> tuple[LicenceBody, str]:
        added = await licences.add_licence(unit, desk.log, actor_of(access.principal), licence)
        return LicenceBody.model_validate(added), etag_of(added.version)

    return await created(desk, request, access.principal, idempotency_key, make)


@router.get("/{licence_id}")
async def read_licence(desk: AtDesk, response: Response, _access: Reader, licence_id: str) -> LicenceBody:
    """Read a licence."""
    licence = await desk.store.read(lambda unit: licences.read_licence(unit, licence_id))
    tag(response, licence.version)
    return LicenceBody.model_validate(licence)


@router.patch("/{licence_id}")
async def change_licence(
    desk: AtDesk,
    response: Response,
    access: Leader,
    licence_id: str,
    body: LicenceChanges,
    if_match: IfMatch = None,
) -> LicenceBody:
    """Change a licence, such as its last day when it is renewed."""

    async def change(unit: Unit) -> Licence:
        old = await licences.read_licence(unit, licence_id, to_change=True)
        check_version(if_match, old.version)
        return await licences.change_licence(unit, desk.log, actor_of(access.principal), old, body.applied(old))

    licence = await desk.store.write(change)
    tag(response, licence.version)
    return LicenceBody.model_validate(licence)

"""Organisations over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from firstline.accounts.api.answering import FULL_PAGE, AtDesk, Cursor, IdempotencyKey, Limit, created, page_of
from firstline.accounts.schemas import NewOrganization, OrganizationBody
from firstline.accounts.service import organizations
from firstline.accounts.service.desk import actor_of
from firstline.accounts.store.directory import Organization
from firstline.common.application import permit
from firstline.common.paging import Page
from firstline.common.permissions import Access
from firstline.common.store.port import Unit

router = APIRouter(prefix="/v1/organizations", tags=["organizations"])
Reader = Annotated[Access, Depends(permit("organizations.read"))]
Leader = Annotated[Access, Depends(permit("organizations.manage"))]


@router.get("")
async def list_organizations(
    desk: AtDesk, _access: Reader, cursor: Cursor = None, limit: Limit = FULL_PAGE
) -> Page[OrganizationBody]:
    """List organizations, oldest first."""

    async def rows(unit: Unit, after: str, limit: int) -> list[Organization]:
        return await organizations.list_organizations(unit, after=after, limit=limit)

    return await page_of(desk, "organizations", cursor, limit, rows, OrganizationBody)


@router.post("", status_code=201, response_model=OrganizationBody)
async def create_organization(
    desk: AtDesk, request: Request, access: Leader, body: NewOrganization, idempotency_key: IdempotencyKey = None
) -> Response:
    """Make a customer or partner known."""

    async def make(unit: Unit) -> tuple[OrganizationBody, None]:
        by = actor_of(access.principal)
        added = await organizations.add_organization(unit, desk.log, desk.ports, by, name=body.name, kind=body.kind)
        return OrganizationBody.model_validate(added), None

    return await created(desk, request, access.principal, idempotency_key, make)


@router.get("/{organization_id}")
async def read_organization(desk: AtDesk, _access: Reader, organization_id: str) -> OrganizationBody:
    """Read an organization."""
    found = await desk.store.read(lambda unit: organizations.read_organization(unit, organization_id))
    return OrganizationBody.model_validate(found)

"""Reports on what intake alone knows; those on time are sla's."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from firstline.common.application import permit
from firstline.common.paging import MAX_LIMIT, Page
from firstline.common.permissions import Access
from firstline.intake.api.context import DeskHere
from firstline.intake.schemas.shown import ClaimCountOut, claim_count_out
from firstline.intake.store.reports import CLAIM_COUNTS

router = APIRouter(prefix="/v1/reports/urgency-claims", tags=["reports"])


@router.get("")
async def report_urgency_claims(
    desk: DeskHere,
    _access: Annotated[Access, Depends(permit("reports.urgency_claims"))],
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = MAX_LIMIT,
) -> Page[ClaimCountOut]:
    """Read how many provisional urgencies of each organisation specialists confirmed and returned (clause 2.1)."""
    place = desk.cursors.read("urgency-claims", cursor)
    start = str(place[0]) if place else ""
    found = await desk.store.read(lambda unit: unit.all(CLAIM_COUNTS, start=start, limit=limit + 1))
    more = desk.cursors.write("urgency-claims", [found[limit].organization_id]) if len(found) > limit else None
    return Page[ClaimCountOut](items=[claim_count_out(count) for count in found[:limit]], next=more)

"""Ready-made answers with links, for staff (clause 4.7)."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Response

from firstline.common.application import permit
from firstline.common.errors import NotFound
from firstline.common.paging import MAX_LIMIT, Page, etag_of
from firstline.common.permissions import Access
from firstline.intake.api.context import DeskHere, IfMatch
from firstline.intake.schemas.articles import CannedIn, CannedOut, canned_out
from firstline.intake.service.canned import Known, NewCanned, delete_canned, save_canned
from firstline.intake.store.articles import CANNED, CANNED_LIST

router = APIRouter(prefix="/v1/canned-answers", tags=["documentation"])
Code = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$", examples=["clear-cache"])]
IfNoneMatch = Annotated[
    str | None,
    Header(alias="If-None-Match", pattern=r"^\*$", description="`*`: only if there is none yet; 412 if there is."),
]


@router.get("")
async def list_canned_answers(
    desk: DeskHere,
    _access: Annotated[Access, Depends(permit("canned_answers.read"))],
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = MAX_LIMIT,
) -> Page[CannedOut]:
    """List ready-made answers by their codes."""
    place = desk.cursors.read("canned answers", cursor)
    after = str(place[0]) if place else ""
    found = await desk.store.read(lambda unit: unit.all(CANNED_LIST, after=after, limit=limit + 1))
    more = desk.cursors.write("canned answers", [found[limit - 1].code]) if len(found) > limit else None
    return Page[CannedOut](items=[canned_out(one) for one in found[:limit]], next=more)


@router.put("/{code}", status_code=200)
async def keep_canned_answer(
    code: Code,
    body: CannedIn,
    desk: DeskHere,
    response: Response,
    _access: Annotated[Access, Depends(permit("canned_answers.manage"))],
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> CannedOut:
    """Keep a ready-made answer under its code, in the place of what was there; `code` in the body renames it."""
    new, known = NewCanned(**body.model_dump()), Known(if_match, if_none_match)
    kept, is_new = await desk.store.write(lambda unit: save_canned(desk, unit, code, new, known))
    response.status_code = 201 if is_new else 200
    response.headers["ETag"] = etag_of(kept.version)
    return canned_out(kept)


@router.get("/{code}")
async def read_canned_answer(
    code: Code, desk: DeskHere, response: Response, _access: Annotated[Access, Depends(permit("canned_answers.read"))]
) -> CannedOut:
    """Read a ready-made answer."""
    found = await desk.store.read(lambda unit: unit.one(CANNED, code=code))
    if found is None:
        raise NotFound("There is no ready-made answer with this code. Check the code.")
    response.headers["ETag"] = etag_of(found.version)
    return canned_out(found)


@router.delete("/{code}", status_code=204)
async def forget_canned_answer(
    code: Code,
    desk: DeskHere,
    _access: Annotated[Access, Depends(permit("canned_answers.manage"))],
    if_match: IfMatch = None,
) -> None:
    """Forget a ready-made answer."""
    await desk.store.write(lambda unit: delete_canned(unit, code, Known(if_match)))

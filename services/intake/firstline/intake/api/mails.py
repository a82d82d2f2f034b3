"""Inbound mail and what became of it, for staff."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query

from firstline.common.application import permit
from firstline.common.errors import NotFound
from firstline.common.paging import DEFAULT_LIMIT, MAX_LIMIT, Page
from firstline.common.permissions import Access
from firstline.intake.api.context import DeskHere
from firstline.intake.schemas.shown import MailOut, mail_out
from firstline.intake.store.mails import MAIL, list_mails

router = APIRouter(prefix="/v1/mails", tags=["mail"])


@router.get("")
async def list_inbound_mails(
    desk: DeskHere,
    _access: Annotated[Access, Depends(permit("mails.read"))],
    outcome: Literal["new_ticket", "appended", "quarantined", "refused", "duplicate"] | None = None,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
) -> Page[MailOut]:
    """List mails that came in, newest first."""
    place = desk.cursors.read("mails", cursor)
    after = str(place[0]) if place else None
    found = await desk.store.read(lambda unit: list_mails(unit, outcome, after, limit + 1))
    more = desk.cursors.write("mails", [found[limit - 1].id]) if len(found) > limit else None
    return Page[MailOut](items=[mail_out(mail) for mail in found[:limit]], next=more)


@router.get("/{mail_id}")
async def read_inbound_mail(
    mail_id: str, desk: DeskHere, _access: Annotated[Access, Depends(permit("mails.read"))]
) -> MailOut:
    """Read a mail that came in: its outcome and why."""
    mail = await desk.store.read(lambda unit: unit.one(MAIL, id=mail_id))
    if mail is None:
        raise NotFound("No mail with this ID came in. Check the ID.")
    return mail_out(mail)

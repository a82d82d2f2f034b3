"""Inbound mail and what became of it, for staff."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query

from firstline.common.application import permit
from firstline.common.paging import DEFAULT_LIMIT, MAX_LIMIT, Page
from firstline.common.permissions import Access
from firstline.common.store.port import Unit
from firstline.intake.api.context import DeskHere
from firstline.intake.schemas.mails import MailOut, mail_out
from firstline.intake.service.change import find
from firstline.intake.service.held import mail_of
from firstline.intake.store.mails import Mail, list_mails

router = APIRouter(prefix="/v1/mails", tags=["mail"])


@router.get("")
async def list_inbound_mails(
    desk: DeskHere,
    _access: Annotated[Access, Depends(permit("mails.read"))],
    outcome: Literal["new_ticket", "appended", "quarantined", "refused", "duplicate"] | None = None,
    ticket_id: Annotated[
        str | None, Query(description="ID or number of the request that mails are in or name.")
    ] = None,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
) -> Page[MailOut]:
    """List mails that came in, newest first; those of outcome `quarantined` are held for you to judge."""
    place = desk.cursors.read("mails", cursor)
    after = str(place[0]) if place else None

    async def work(unit: Unit) -> list[Mail]:
        ticket = (await find(unit, ticket_id)).id if ticket_id else None
        return await list_mails(unit, outcome, ticket, after, limit + 1)

    found = await desk.store.read(work)
    more = desk.cursors.write("mails", [found[limit - 1].id]) if len(found) > limit else None
    return Page[MailOut](items=[mail_out(mail) for mail in found[:limit]], next=more)


@router.get("/{mail_id}")
async def read_inbound_mail(
    mail_id: str, desk: DeskHere, _access: Annotated[Access, Depends(permit("mails.read"))]
) -> MailOut:
    """Read a mail that came in: its outcome and why."""
    return mail_out(await desk.store.read(lambda unit: mail_of(unit, mail_id)))

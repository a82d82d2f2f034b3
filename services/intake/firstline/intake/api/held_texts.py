"""Texts that seemed to hold a secret (clause 4.3): what was held back; given back if it is none, kept safe if it is."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from firstline.common.answers import Made
from firstline.common.application import permit
from firstline.common.paging import etag_of
from firstline.common.permissions import Access
from firstline.common.store.port import Unit
from firstline.intake.api.context import Call, DeskHere, Reference, call
from firstline.intake.schemas.access import AccessRequestOut, MoveIn
from firstline.intake.schemas.shown import TicketOut
from firstline.intake.service.change import Change, find_for
from firstline.intake.service.held_texts import restore
from firstline.intake.service.moving import move
from firstline.intake.store.held_texts import HELD_TEXTS, HeldText
from firstline.intake.ticket import Ticket

MOST_SHOWN = 200

router = APIRouter(prefix="/v1/tickets/{reference}/held-texts", tags=["requests"])


class HeldTextOut(BaseModel):
    """A text that seemed to hold a secret; never the text itself."""

    id: str
    message_id: str | None = Field(None, description="The message that it is the text of, if it is one's.")
    place: str = Field(description="Where it stood.", examples=["body", "subject", "fields.environment"])
    kinds: list[str] = Field(description="What it seemed to hold.", examples=[["password"]])
    status: str = Field(description="`held`, `released`, `moved` (to the vault) or `purged`.")
    held_at: datetime
    purge_at: datetime
    decided_by: str | None = None
    decided_at: datetime | None = None


class HeldTextsOut(BaseModel):
    """What was held back of a request, oldest first; at most 200."""

    items: list[HeldTextOut]


@router.get("")
async def list_held_texts(
    reference: Reference, desk: DeskHere, access: Annotated[Access, Depends(permit("held_texts.list"))]
) -> HeldTextsOut:
    """List what was held back of a request because it seemed to hold a secret; the texts themselves stay sealed."""

    async def work(unit: Unit) -> list[HeldText]:
        ticket, _ = await find_for(unit, access, reference)
        return await unit.all(HELD_TEXTS, ticket_id=ticket.id, limit=MOST_SHOWN)

    return HeldTextsOut(items=[_shown(held) for held in await desk.store.read(work)])


@router.post("/{held_id}/release", response_model=TicketOut)
async def release_held_text(held_id: str, here: Annotated[Call, Depends(call("held_texts.release"))]) -> Response:
    """Put a text back that holds no secret, as it came: for who holds the claim, and it stands in the history."""

    async def verb(change: Change) -> Ticket:
        # The text goes back into the correspondence and not into this answer: who may read there, reads it there.
        await restore(change, here.access.principal, here.claim_token, held_id)
        return change.ticket

    return await here.change(verb)


@router.post("/{held_id}/vault", status_code=201, response_model=AccessRequestOut)
async def move_to_the_vault(
    held_id: str, body: MoveIn, here: Annotated[Call, Depends(call("held_texts.move"))]
) -> Response:
    """Put the secrets of a text that was held back with the access data of the request, unread; the text stays masked.

    For who holds the claim. They are read, told of and deleted like what a client gave in its own form.
    """

    async def work(unit: Unit) -> Made:
        change = await here.begin(unit)
        who = here.access.principal
        moved = await move(change, who, here.claim_token, held_id, body.kind, body.reason, body.host)
        policy, _ = change.desk.policies.of(change.ticket.policy_version)
        document = AccessRequestOut.of(moved, policy.access).model_dump_json()
        return 201, document, etag_of(change.ticket.version)

    return await here.answer(work)


def _shown(held: HeldText) -> HeldTextOut:
    """Return a held text without the text."""
    names = ("id", "message_id", "place", "kinds", "status", "held_at", "purge_at", "decided_by", "decided_at")
    return HeldTextOut(**{name: getattr(held, name) for name in names})

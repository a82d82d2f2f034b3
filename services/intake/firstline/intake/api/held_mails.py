"""Judging held mail: accept, open, reject (clause 4.4); of two specialists at once, one judges."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from firstline.common.answers import Made, Retry, answer_once
from firstline.common.application import json_answer, permit
from firstline.common.errors import OutcomeUnknown
from firstline.common.permissions import Access, Principal
from firstline.common.store.port import Unit
from firstline.intake.api.context import Key, retry_here
from firstline.intake.schemas.given import MailAcceptIn, MailOpenIn, MailRejectIn
from firstline.intake.schemas.mails import MailOut, mail_out
from firstline.intake.service import held
from firstline.intake.service.held import MailRoom
from firstline.intake.service.inbound import Read
from firstline.intake.service.submission import Requester
from firstline.intake.store.mails import Mail

router = APIRouter(prefix="/v1/mails/{mail_id}", tags=["mail"])


@dataclass(frozen=True, slots=True)
class Judging:
    """A specialist's wish to judge one held mail."""

    room: MailRoom
    principal: Principal
    mail_id: str
    retry: Retry | None

    async def answer(self, verb: Callable[[Unit], Awaitable[Mail]]) -> Response:
        """Judge in one transaction and answer with the mail as it is then, or answer a retry as before."""

        async def work(unit: Unit) -> Made:
            return 200, mail_out(await verb(unit)).model_dump_json(by_alias=True), None

        answer = await answer_once(self.room.desk.store, self.room.desk.ports.clock, self.retry, work)
        return json_answer(answer.body, answer.status, answer.etag)

    async def answer_reading(self, verb: Callable[[Unit, Read | None], Awaitable[Mail]]) -> Response:
        """Read the mail with its files, judge it, and keep only the files that came into a request."""
        # Before the transaction: parsing and judging files take seconds, and a unit awaits nothing but its statements.
        read = await self.room.read(self.mail_id)
        try:
            return await self.answer(lambda unit: verb(unit, read))
        except OutcomeUnknown:
            read = None  # the transaction may have come through, so its files stay
            raise
        finally:
            # Whatever came of it: of a mail that was rejected, or judged by somebody else, no file is needed.
            await self.room.tidy(read)


async def judging(
    request: Request,
    mail_id: str,
    access: Annotated[Access, Depends(permit("mails.judge"))],
    idempotency_key: Key = None,
) -> Judging:
    """Return the wish that a route serves."""
    retry = await retry_here(request, access, idempotency_key)
    return Judging(request.app.state.mail_room, access.principal, mail_id, retry)


JudgingHere = Annotated[Judging, Depends(judging)]


@router.post("/accept", response_model=MailOut)
async def accept_held_mail(body: MailAcceptIn, here: JudgingHere) -> Response:
    """Let a held mail into the request that it names; it counts from its receipt, like any message of a client's."""

    async def verb(unit: Unit, read: Read | None) -> Mail:
        more = {"takes_part": body.participant}
        return await held.accept(here.room, unit, here.principal, here.mail_id, read, body.ticket_id, **more)

    return await here.answer_reading(verb)


@router.post("/open", response_model=MailOut)
async def open_held_mail(body: MailOpenIn, here: JudgingHere) -> Response:
    """Open a new request of a held mail; it has the place in the queue of the mail's receipt."""
    named = (
        Requester(body.requester.email, body.requester.name, None, body.requester.language) if body.requester else None
    )

    async def verb(unit: Unit, read: Read | None) -> Mail:
        return await held.open_new(here.room, unit, here.principal, here.mail_id, read, named)

    return await here.answer_reading(verb)


@router.post("/reject", response_model=MailOut)
async def reject_held_mail(body: MailRejectIn, here: JudgingHere) -> Response:
    """Let a held mail into nothing, and say why; its sender isn't told."""

    async def verb(unit: Unit) -> Mail:
        return await held.reject(here.room.desk, unit, here.principal, here.mail_id, body.reason)

    return await here.answer(verb)

"""Webhooks of partners' systems: proven by their signature instead of a token (clause 4.1)."""

import hashlib
import json
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field, ValidationError

from firstline.common.answers import Retry
from firstline.common.application import json_answer, public
from firstline.common.errors import Fault, Invalid
from firstline.intake.api.context import DeskHere
from firstline.intake.partners import SourceTerms, members_of, pointer_of, verified
from firstline.intake.schemas.given import TicketIn
from firstline.intake.service.partners import Partners, Taken, add_message, known_request, open_request
from firstline.intake.service.requester import Named

router = APIRouter(prefix="/v1/partner-webhooks", tags=["partners"], dependencies=[Depends(public)])
REQUESTER = "requester_"
_BODY = {"requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}}


class WebhookTaken(BaseModel):
    """The request that a webhook made or was added to."""

    ticket_id: str
    number: str = Field(examples=["FL-7K3M-9QPX"])
    external_ref: str | None
    created: bool


@router.post("/{source}", status_code=201, response_model=WebhookTaken, openapi_extra=_BODY)
async def take_partner_webhook(source: str, request: Request, desk: DeskHere) -> Response:
    """Take a webhook of a partner's system.

    It is signed by Standard Webhooks (`webhook-id`, `webhook-timestamp`, `webhook-signature`). The first one with a
    reference makes a request (201), further ones are messages to it (200); the same `webhook-id` again changes nothing.
    """
    partners: Partners = request.app.state.partners
    # Proven before anything of the body is read as JSON: a stranger gets no parser to play with.
    known = partners.source(source)
    content = await request.body()
    webhook_id = verified(known, request.headers, content, partners.wall.now())
    taken = _taken(known.terms, _document(content))
    # Senders repeat a webhook under its id until they get an answer; the id is the key, and the digest its guard.
    retry = Retry(f"partner-webhook {known.terms.code}", webhook_id, hashlib.sha256(content).hexdigest())
    ticket = await known_request(desk, known, taken.external_ref)
    answer = await open_request(desk, known, taken, retry) if ticket is None else None
    if answer is None:  # it was there, or somebody has made it at the same moment
        ticket = ticket or await known_request(desk, known, taken.external_ref)
        assert ticket is not None  # requests are never deleted
        answer = await add_message(desk, known, ticket.id, taken, retry)
    return json_answer(answer.body, answer.status)


def _document(content: bytes) -> Any:
    """Return the body's JSON; nested too deep, it is no JSON for us either."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Invalid("The body is no JSON.", faults=(Fault("", "Send a JSON object in UTF-8."),)) from error


def _taken(terms: SourceTerms, document: Any) -> Taken:
    """Return what a webhook says, within the limits that hold for every request.

    Raises:
        Invalid: something is missing or can't be taken; each fault points into the webhook's own JSON.

    """
    members = members_of(terms, document)
    names = [name for name in members if name.startswith(REQUESTER)]
    requester = {name.removeprefix(REQUESTER): members.pop(name) for name in names}
    try:
        body = TicketIn.model_validate({**members, "requester": requester})
    except ValidationError as error:
        faults = tuple(Fault(_pointer(terms, fault["loc"]), fault["msg"]) for fault in error.errors())
        raise Invalid("The webhook lacks something, or says what can't be taken.", faults=faults) from error
    assert body.requester is not None  # it was given just now
    values = body.model_dump(exclude={"requester", "channel", "attachment_ids"})
    return Taken(Named(**body.requester.model_dump()), values)


def _pointer(terms: SourceTerms, place: tuple[int | str, ...]) -> str:
    """Return where the webhook's JSON holds what is wrong."""
    name = "_".join(str(part) for part in place) if place[0] == "requester" else str(place[0])
    return pointer_of(terms, name)

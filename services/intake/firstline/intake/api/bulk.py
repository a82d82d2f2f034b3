"""One verb for many requests: each in a transaction of its own, under the rules of the single verb, with its result."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from firstline.common.addresses import read_number
from firstline.common.answers import Made, Retry, answer_once, stored_answer
from firstline.common.application import json_answer, permit
from firstline.common.errors import Fault, FirstlineError, Invalid, Unavailable
from firstline.common.permissions import Access, access
from firstline.common.problems import problem_body
from firstline.common.store.port import Unit
from firstline.intake.api import acts
from firstline.intake.api.context import Call, DeskHere, Key, retry_here
from firstline.intake.api.filters import wanted_of
from firstline.intake.schemas.bulk import BULK_LIMIT, BulkIn, BulkOut
from firstline.intake.schemas.given import (
    Body,
    CloseIn,
    HandOverIn,
    MessageIn,
    ReleasePlanIn,
    ReopenIn,
    ResolveIn,
    ResumeIn,
    TriageIn,
    WaitIn,
)
from firstline.intake.service.change import Change
from firstline.intake.service.desk import Desk
from firstline.intake.store.tickets import NUMBERED, list_tickets
from firstline.intake.ticket import Ticket

router = APIRouter(prefix="/v1/tickets", tags=["requests"])

Act = Callable[[Call, Unit, Any], Awaitable[Ticket]]


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb that many requests may be given at once: its row of the permission table, its body, what it does."""

    operation: str
    body: type[Body]
    act: Act


def _on_change(act: Callable[[Call, Change, Any], Awaitable[Ticket]]) -> Act:
    """Return a verb on a change as an act for many: with If-Match and claim looked at first, as in the single call."""

    async def work(here: Call, unit: Unit, body: Any) -> Ticket:
        return await act(here, await here.begin(unit), body)

    return work


async def _say(here: Call, unit: Unit, body: MessageIn) -> Ticket:
    """Add a message or note to one of many."""
    return (await acts.say(here, unit, body)).ticket


VERBS: Mapping[str, Verb] = MappingProxyType(
    {
        "messages": Verb("tickets.reply", MessageIn, _say),
        "triage": Verb("tickets.triage", TriageIn, _on_change(acts.triage)),
        "wait": Verb("tickets.wait", WaitIn, _on_change(acts.wait)),
        "resume": Verb("tickets.resume", ResumeIn, _on_change(acts.resume)),
        "handover": Verb("tickets.handover", HandOverIn, _on_change(acts.hand_over)),
        "release-plan": Verb("tickets.release_plan", ReleasePlanIn, _on_change(acts.plan_release)),
        "resolve": Verb("tickets.resolve", ResolveIn, _on_change(acts.resolve)),
        "close": Verb("tickets.close", CloseIn, _on_change(acts.close)),
        "reopen": Verb("tickets.reopen", ReopenIn, _on_change(acts.reopen)),
    }
)


@dataclass(frozen=True, slots=True)
class Bulk:
    """A wish for many requests, looked through: what to do, by whom, and what makes a retry recognisable."""

    desk: Desk
    access: Access
    verb: Verb
    body: Body
    retry: Retry | None
    tokens: Mapping[str, str]
    dry_run: bool

    def call(self, reference: str) -> Call:
        """Return the wish for one of them."""
        # A key of its own for each request: a retry of the whole
        # goes on with those that were not reached, and repeats none.
        retry = replace(self.retry, scope=f"{self.retry.scope} {reference}") if self.retry else None
        return Call(self.desk, self.access, reference, retry, None, self.tokens.get(reference))

    async def one(self, reference: str) -> str:
        """Do it to one request, or find out what would come of it; return the result as JSON text.

        Raises:
            Unavailable: the store can't be reached; what is done stays done.

        """
        here = self.call(reference)

        async def work(unit: Unit) -> Made:
            ticket = await self.verb.act(here, unit, self.body)
            result = {"id": ticket.id, "number": ticket.number, "status": ticket.status, "version": ticket.version}
            text = json.dumps({"given": reference, "ok": True, **result, "problem": None})
            if self.dry_run:
                # After all has been done in the transaction, so that a trial
                # says exactly what the act would: it only isn't committed.
                raise _OnlyTried(text)
            return 200, text, None

        try:
            return (await answer_once(self.desk.store, self.desk.ports.clock, here.retry, work)).body
        except _OnlyTried as tried:
            return tried.text
        except Unavailable:
            raise
        except FirstlineError as error:
            nothing = dict.fromkeys(("id", "number", "status", "version"))
            return json.dumps({"given": reference, "ok": False, **nothing, "problem": problem_body(error)})


class _OnlyTried(Exception):
    """What would have come of it; raised so that the transaction leaves nothing behind."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


@router.post("/bulk", response_model=BulkOut)
async def act_on_many(
    request: Request,
    body: BulkIn,
    desk: DeskHere,
    access: Annotated[Access, Depends(permit("tickets.bulk"))],
    idempotency_key: Key = None,
) -> Response:
    """Use one verb on up to 500 requests, named or found by a filter; each has its own result.

    Each is changed in a transaction of its own under the rules of the single verb: its permission, its claim, its
    events. With an Idempotency-Key a retry goes on where the first call was broken off and does nothing twice. With
    `dry_run` nothing is stored: the results say what would come of it.
    """
    retry = None if body.dry_run else await retry_here(request, access, idempotency_key)
    bulk = _bulk(desk, access, body, retry)
    known = await desk.store.read(lambda unit: stored_answer(unit, retry)) if retry else None
    if known is not None:
        return json_answer(known.body, known.status, known.etag)
    # One by one: each is its own transaction, and 500 at once would only wait for the same writer.
    references = await _references(bulk, body)
    results = [await bulk.one(reference) for reference in references]
    done = sum(1 for result in results if json.loads(result)["ok"])
    counts = f'"done":{done},"refused":{len(results) - done},"dry_run":{json.dumps(body.dry_run)}'
    text = f'{{"items":[{",".join(results)}],{counts}}}'

    async def keep(_unit: Unit) -> Made:
        return 200, text, None

    answer = await answer_once(desk.store, desk.ports.clock, retry, keep)
    return json_answer(answer.body, answer.status, answer.etag)


def _bulk(desk: Desk, given: Access, body: BulkIn, retry: Retry | None) -> Bulk:
    """Return the wish with the caller's reach in its verb.

    Raises:
        Forbidden: the caller may not use the verb at all.
        RequestValidationError: the verb's body is not one.
        Invalid: files go with one message only.

    """
    verb = VERBS[body.verb]
    reach = access(verb.operation, given.principal)
    try:
        wish = verb.body.model_validate(body.body)
    except ValidationError as error:
        errors = [{**fault, "loc": ("body", "body", *fault["loc"])} for fault in error.errors()]
        raise RequestValidationError(errors) from error
    if getattr(wish, "attachment_ids", None):
        fault = Fault("/body/attachment_ids", "Leave them out: a file goes with one message only.")
        raise Invalid("Files can't go to many requests.", faults=(fault,))
    if isinstance(wish, MessageIn):
        acts.check_message(reach, wish)
    return Bulk(desk, reach, verb, wish, retry, body.claim_tokens, body.dry_run)


async def _references(bulk: Bulk, body: BulkIn) -> list[str]:
    """Return which requests are meant; a retry means those that the first call found.

    Raises:
        Invalid: the filter finds more than can be done at once.

    """
    if body.ids is not None:
        return await _each_once(bulk, body.ids)
    assert body.filter is not None  # one of the two is given
    wanted = wanted_of(body.filter, limit=BULK_LIMIT + 1, root="/filter")

    async def look(unit: Unit) -> Made:
        found, _ = await list_tickets(unit, bulk.access, wanted)
        if len(found) > BULK_LIMIT:
            fault = Fault("/filter", f"Narrow it so that it finds {BULK_LIMIT} at most, or name the requests in parts.")
            raise Invalid(f"The filter finds more than {BULK_LIMIT} requests; nothing was done.", faults=(fault,))
        return 200, json.dumps([ticket.id for ticket in found]), None

    # What the filter found is kept with the key: a retry an hour
    # later would find others, and do to them what nobody saw.
    retry = replace(bulk.retry, scope=f"{bulk.retry.scope} filter") if bulk.retry else None
    answer = await answer_once(bulk.desk.store, bulk.desk.ports.clock, retry, look)
    ids: list[str] = json.loads(answer.body)
    return ids


async def _each_once(bulk: Bulk, references: list[str]) -> list[str]:
    """Return the references without those to a request that was named before, by its ID or its number.

    A client would get a reply twice otherwise.
    """
    numbers = {reference: number for reference in references if (number := read_number(reference))}
    found = await bulk.desk.store.read(lambda unit: unit.all(NUMBERED, numbers=list(numbers.values())))
    ids = {one.number: one.id for one in found}
    first: dict[str, str] = {}
    for reference in references:
        first.setdefault(ids.get(numbers.get(reference, ""), reference), reference)
    return list(first.values())

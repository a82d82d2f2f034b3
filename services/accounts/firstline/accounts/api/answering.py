"""What all resources of accounts share: finding the instance, pages, and answers that a retry gets again."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, TypeVar

from fastapi import Depends, Header, Query, Request, Response
from pydantic import BaseModel

from firstline.accounts.service.desk import Desk
from firstline.common.answers import Made, answer_once, retry_of
from firstline.common.application import json_answer
from firstline.common.errors import Conflict
from firstline.common.paging import DEFAULT_LIMIT, MAX_LIMIT, Page, etag_of
from firstline.common.permissions import Principal
from firstline.common.secrets import decrypt, encrypt
from firstline.common.store.port import Unit

B = TypeVar("B", bound=BaseModel)
CREATED = 201


async def find_desk(request: Request) -> Desk:
    """Return the instance that serves the request."""
    desk: Desk = request.app.state.accounts
    return desk


AtDesk = Annotated[Desk, Depends(find_desk)]
IfMatch = Annotated[str | None, Header(description="The ETag that was read; refused with 412 when it has changed.")]
IdempotencyKey = Annotated[
    str | None, Header(description="A text of your own, such as a new UUID: a retry with it gets the same answer.")
]
Cursor = Annotated[str | None, Query(description="`next` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Items on a page.")]
FULL_PAGE = DEFAULT_LIMIT


async def page_of(
    desk: Desk,
    name: str,
    cursor: str | None,
    limit: int,
    rows: Callable[[Unit, str, int], Awaitable[Sequence[object]]],
    body: type[B],
) -> Page[B]:
    """Return a page of a list whose rows are read by `rows(unit, after this id, at most so many)`.

    Raises:
        Invalid: the cursor is not one of the list with this name.

    """
    place = desk.cursors.read(name, cursor)
    after = str(place[0]) if place else ""
    found = await desk.store.read(lambda unit: rows(unit, after, limit + 1))  # one more tells of a next page
    items = [body.model_validate(row) for row in found[:limit]]
    more = len(found) > limit
    return Page(items=items, next=desk.cursors.write(name, [_id(items[-1])]) if more else None)


def _id(item: BaseModel) -> str:
    """Return the sort key of a list: ids are UUIDv7, so their order is that of making."""
    return str(item.model_dump(include={"id"})["id"])


async def created(
    desk: Desk,
    request: Request,
    caller: Principal,
    key: str | None,
    make: Callable[[Unit], Awaitable[tuple[BaseModel, str | None]]],
) -> Response:
    """Make something once, in `make` that returns it with its ETag; a retry with the same key gets the same answer.

    Answers are kept encrypted, for some hold the secret of an API key.

    Raises:
        IdempotencyKeyReused: the key came with another body before.
        Conflict: the answer was kept while the desk had another secret.

    """

    async def work(unit: Unit) -> Made:
        body, etag = await make(unit)
        return CREATED, encrypt(desk.answers_key, {"body": body.model_dump_json()}, desk.ports.random), etag

    retry = retry_of(caller.id, request.scope["route"].name, key, await request.body())
    answer = await answer_once(desk.store, desk.ports.clock, retry, work)
    # Also a fresh answer goes through its kept form: whoever repeats the call gets the same bytes.
    payload = decrypt(desk.answers_key, answer.body)
    if payload is None:
        raise Conflict("The answer to this Idempotency-Key can't be read any more. List what is there, then decide.")
    response = json_answer(payload["body"], answer.status, answer.etag)
    # An API key's secret is in it, this once.
    response.headers["Cache-Control"] = "no-store"
    return response


def tag(response: Response, version: int) -> None:
    """Set the ETag of an answer."""
    response.headers["ETag"] = etag_of(version)

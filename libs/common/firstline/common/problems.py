"""Problem documents (RFC 9457): every error leaves in this one form, never with an exception's text."""

from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from firstline.common.errors import (
    Fault,
    FirstlineError,
    Invalid,
    MethodNotAllowed,
    NotFound,
    TooLarge,
    Unauthenticated,
    Unexpected,
    UnsupportedType,
)
from firstline.common.log import current_traceparent

TYPE_ROOT = "/problems/"
MEDIA_TYPE = "application/problem+json"

_log = structlog.get_logger(__name__)


class ProblemFault(BaseModel):
    """One wrong value: where it is (JSON pointer) and what to do about it."""

    pointer: str = Field(examples=["/subject"])
    detail: str = Field(examples=["Say in a few words what it is about."])


class Problem(BaseModel):
    """What an error answer holds."""

    type: str = Field(examples=["/problems/invalid"])
    title: str = Field(examples=["The request is not valid"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["1 value needs another look; nothing was stored."])
    errors: list[ProblemFault] = []
    clause: str | None = Field(
        None, description="The policy's clause, where the policy is the reason.", examples=["4.5"]
    )
    trace_id: str | None = None


PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "A problem document that says what to do.",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
}


def problem_body(error: FirstlineError) -> dict[str, Any]:
    """Return the problem document of an error."""
    body: dict[str, Any] = {
        "type": TYPE_ROOT + error.slug,
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "errors": [{"pointer": fault.pointer, "detail": fault.detail} for fault in error.faults],
        **error.extra,
    }
    if error.clause:
        body["clause"] = error.clause
    parent = current_traceparent()
    if parent:
        # By which an operator finds the request in the logs when its caller complains.
        body["trace_id"] = parent.split("-")[1]
    return body


def problem_response(error: FirstlineError, more_headers: Mapping[str, str] | None = None) -> Response:
    """Return the HTTP answer of an error."""
    headers = dict(more_headers or {})
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    if error.status == Unauthenticated.status:
        # RFC 9110 (15.5.2) demands it of every 401.
        headers["WWW-Authenticate"] = 'Bearer realm="firstline"'
    return JSONResponse(problem_body(error), error.status, headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Make every error of an application leave as a problem document."""
    app.add_exception_handler(FirstlineError, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_middleware(Surprises)


async def _known(_request: Request, error: Exception) -> Response:
    """Answer with the problem document of an error that was raised on purpose."""
    assert isinstance(error, FirstlineError)
    return problem_response(error)


async def _invalid(_request: Request, error: Exception) -> Response:
    """Answer a body, query or header that does not fit its model with one fault for each place."""
    assert isinstance(error, RequestValidationError)
    if isinstance(error.body, bytes):  # the header did not say JSON, so nobody read it as such
        return problem_response(
            UnsupportedType("Send the body as JSON with the header Content-Type: application/json.")
        )
    faults = tuple(_fault(item) for item in error.errors())
    count = "1 value needs" if len(faults) == 1 else f"{len(faults)} values need"
    return problem_response(Invalid(f"{count} another look; nothing was stored.", faults=faults))


def _fault(item: dict[str, Any]) -> Fault:
    """Return pydantic's finding as a fault: a JSON pointer into the body, `#query/name` and the like outside of it."""
    place = [str(part) for part in item["loc"]]
    if item["type"] == "json_invalid":
        return Fault("", f"The body is not JSON: {item.get('ctx', {}).get('error', 'it can not be read')}.")
    if place and place[0] == "body":
        pointer = "".join(f"/{part.replace('~', '~0').replace('/', '~1')}" for part in place[1:])
    else:
        pointer = "#" + "/".join(place)
    return Fault(pointer, _advice(item))


def _advice(item: dict[str, Any]) -> str:
    """Return what to do about a wrong value."""
    match item["type"]:
        case "missing":
            return "This is required; add it."
        case "extra_forbidden":
            return "This is not known here; remove it or check its spelling."
        case "value_error" if "error" in item.get("ctx", {}):  # ours; others, such as an address's, have a msg alone
            return str(item["ctx"]["error"])
        case _:
            return f"{item['msg'].rstrip('.')}."


async def _http(_request: Request, error: Exception) -> Response:
    """Answer what the framework refuses itself, by its status alone: its own texts are not ours to promise."""
    assert isinstance(error, HTTPException)
    known: dict[int, FirstlineError] = {
        404: NotFound("Nothing is at this address. The paths are listed in /openapi.json."),
        405: MethodNotAllowed("This address takes other methods; they are listed in /openapi.json."),
        413: _too_large(),
        415: UnsupportedType("Send the content type that /openapi.json names for this operation."),
    }
    unreadable = Invalid("The body can't be read as what its Content-Type says. Check it and send it again.")
    return problem_response(known.get(error.status_code, unreadable), error.headers)


def _too_large() -> TooLarge:
    """Return the error for a body beyond its limit."""
    return TooLarge("The body is larger than this operation takes; nothing was stored. Send less at once.")


class Surprises:
    """ASGI middleware: an error that nobody foresaw leaves as a problem document too, with its trace_id."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request; what fails after the answer has begun breaks the connection off."""
        begun = False

        async def watch(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception as error:
            # A second answer can't be begun: a broken connection is
            # the only way left to say that the first one is not whole.
            if scope["type"] != "http" or begun:
                raise
            _log.error("a request failed unexpectedly", path=scope["path"], exc_info=error)
            answer = Unexpected(
                "The trace_id finds the cause in the logs. Trying again with the same Idempotency-Key is safe."
            )
            await problem_response(answer)(scope, receive, send)


class BodyLimit:
    """ASGI middleware: refuses a body larger than its path allows, before reading it where its length is said."""

    def __init__(self, app: ASGIApp, limit: int, larger: Mapping[str, int]) -> None:
        """Set the limits in bytes: one for all paths but those in `larger`."""
        self._app = app
        self._limit = limit
        self._larger = larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request as long as its body is small enough."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit, count = self._larger.get(scope["path"], self._limit), 0
        # What is said may be wrong or missing, so what comes is counted as well.
        said = dict(scope["headers"]).get(b"content-length", b"0")
        if said.isdigit() and int(said) > limit:
            await problem_response(_too_large())(scope, receive, send)
            return

        async def counted() -> Message:
            nonlocal count
            message = await receive()
            count += len(message.get("body", b""))
            if count > limit:
                # Through the framework, whose handler answers it; the
                # application may be reading in the middle of a form.
                raise HTTPException(TooLarge.status)
            return message

        await self._app(scope, counted, send)

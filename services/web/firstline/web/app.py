"""The website's application: pages, style sheet, security headers, and errors as pages."""

import hashlib
from collections.abc import MutableMapping
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import structlog
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute

from firstline.common.ports import Ports
from firstline.common.telemetry import NO_TELEMETRY, App, Receive, Scope, Send
from firstline.web.client import Refusal, SignedOut
from firstline.web.pages import (
    access,
    canned,
    console,
    documentation,
    history,
    incidents,
    mails,
    portal,
    releases,
    reports,
    requests,
    sign_in,
    suggestions,
    supervisor,
    whatif,
)
from firstline.web.session import Cookie
from firstline.web.visit import CONTENT_POLICY, NotOurForm, Visit, Web, render, web_of

FOLDER: Final = Path(__file__).parent
HEADERS: Final = {
    "Content-Security-Policy": CONTENT_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
"""Sent with every answer, unless it brings its own. `no-referrer` would make browsers hide the origin of our forms."""

PAGES: Final = (
    sign_in,
    suggestions,
    portal,
    mails,
    documentation,
    canned,
    releases,
    incidents,
    supervisor,
    access,
    history,
    reports,
    whatif,
    requests,
    console,
)
"""In the order in which their paths are tried: `/console/{number}` comes last."""

_log = structlog.get_logger(__name__)
_TYPES: Final = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_KEPT_FOR_EVER: Final = {"Cache-Control": "public, max-age=31536000, immutable"}


class SecurityHeaders:
    """ASGI middleware: adds the headers that keep browsers from running, framing or guessing anything."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request and complete the head of the answer."""

        async def completed(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    # Not over what an answer brings: a file's own policy is stricter, a page with a script names it.
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, completed)


@cache
def templates() -> Environment:
    """Return the pages, compiled once; what people wrote is escaped everywhere, and a missing value is an error."""
    loader = FileSystemLoader(FOLDER / "templates")
    # A missing value is an error, and so found by a test, where an empty place on a page would be found by a client.
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


@cache
def _routes() -> list[BaseRoute]:
    """Return the routes of all pages, made once in a process, since nothing in them is an application's own."""
    shared = APIRouter()
    for page in PAGES:
        shared.include_router(page.router)
    return shared.routes


def create_app(api: httpx.AsyncClient, cookie_key: bytes, public_url: str, ports: Ports) -> FastAPI:
    """Return the website.

    Args:
        api: calls the public API; its base address is the desk's.
        cookie_key: 32 bytes that encrypt the visitors' cookies and nothing else.
        public_url: the address at which visitors reach the desk; https makes the cookie a secure one.
        ports: time, chance and IDs.

    """
    files = {path.name: path.read_bytes() for path in sorted((FOLDER / "static").iterdir())}
    style = _address("style.css", files["style.css"])
    scripts = {path.stem: _address(path.name, files[path.name]) for path in map(Path, files) if path.suffix == ".js"}
    parts = urlsplit(public_url)
    origin = f"{parts.scheme}://{parts.netloc}"
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, telemetry=NO_TELEMETRY)
    app.state.web = Web(api, Cookie(cookie_key, public_url, ports.random), templates(), style, scripts, origin, ports)
    app.router.routes += _routes()

    @app.get("/static/{name}")
    async def static(name: str) -> Response:
        """Serve the style sheet, the scripts and the icon; the page names a new address when they change."""
        if name not in files:
            raise HTTPException(404)
        return Response(files[name], headers={**_KEPT_FOR_EVER, "Content-Type": _TYPES[Path(name).suffix]})

    app.add_exception_handler(SignedOut, _signed_out)
    app.add_exception_handler(NotOurForm, _not_our_form)
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _not_here)
    app.add_exception_handler(Exception, _unexpected)
    app.add_middleware(SecurityHeaders)
    return app


def _address(name: str, content: bytes) -> str:
    """Return the address of a file that changes with its content, so that browsers may keep it for ever."""
    return f"/static/{name}?{hashlib.sha256(content).hexdigest()[:12]}"


async def _signed_out(request: Request, _error: Exception) -> Response:
    """Ask to sign in, and let go of a cookie that is of no use."""
    response = sign_in.signed_out_page(request, status=401)
    # Else each further page would try to renew tokens that are of no use.
    web_of(request).cookie.clear(response)
    return response


async def _not_our_form(request: Request, _error: Exception) -> Response:
    """Say that a form was not taken; its words are still in the browser's history."""
    text = (
        "This form was opened before you signed in, or it came from another site, so nothing was sent. Go back, copy"
        " what you wrote, load the page again and send it there."
    )
    return _told(request, 403, "The form is no longer valid", text)


async def _refused(request: Request, error: Exception) -> Response:
    """Show what the API says where a page can't go on without the answer."""
    assert isinstance(error, Refusal)
    if error.status == httpx.codes.NOT_FOUND:
        return await _not_here(request, error)
    return _told(request, error.status, error.title, error.detail)


async def _http(request: Request, error: Exception) -> Response:
    """Show what is wrong with the request itself: its address, method or size."""
    assert isinstance(error, HTTPException)
    if error.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
        text = "Together the files are too large to be sent at once. Go back, leave some out and send them afterwards."
        return _told(request, 413, "That is too much at once", text)
    if error.status_code == httpx.codes.NOT_FOUND:
        return await _not_here(request, error)
    return _told(request, error.status_code, "That did not work", "Go back and try it again; nothing was sent.")


async def _unexpected(request: Request, error: Exception) -> Response:
    """Show that we failed, without saying how; the log says that."""
    _log.error("a page failed unexpectedly", path=request.url.path, exc_info=error)
    # True because forms carry keys: a second try finds what the first one did.
    text = "Something went wrong on our side. Go back and try it again: sending a form twice never makes two of it."
    page = _told(request, 500, "That did not work", text)
    page.headers.update(HEADERS)  # this handler stands outside of all middleware
    return page


async def _not_here(request: Request, _error: Exception) -> Response:
    """Show one page for what doesn't exist and for what isn't the visitor's, so that nobody can tell them apart.

    Addresses of the wrong form come here too: what exactly is wrong with one helps nobody.
    """
    text = "There is nothing at this address, or nothing that you may see. Check the ID, or sign in with another link."
    return _told(request, 404, "Not found", text)


def _told(request: Request, status: int, title: str, text: str) -> Response:
    """Return a page that says what happened and where to go on; the cookie is kept up to date here too."""
    visit: Visit | None = getattr(request.state, "visit", None)
    session = visit.session if visit else None
    link = {"href": session.start if session else "/sign-in", "text": "Go on" if session else "Sign in"}
    values = {"me": session, "csrf": session.csrf if session else "", "density": session.density if session else ""}
    page = render(
        web_of(request),
        "message.html",
        status,
        {**values, "opening": None, "title": title, "text": text, "link": link, "here": ""},
    )
    # Tokens may have been renewed before the page failed, and the old refresh token is used up: losing the new one
    # would sign the visitor out.
    return visit.finish(page) if visit else page

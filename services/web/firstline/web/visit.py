"""One visitor's request: who they are, their line to the API, and the answer with their cookie brought up to date."""

import hmac
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import httpx
from fastapi import Depends, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment
from starlette.datastructures import FormData

from firstline.common.ports import Ports
from firstline.web.client import Desk, Json, Refusal, SignedOut, Tokens
from firstline.web.session import Cookie, Session, with_claim
from firstline.web.views import Opening, opening

DESK_NAME: Final = "Helpdesk"
FORM_LIMIT: Final = 2 * 1024 * 1024
FILES_LIMIT: Final = 128 * 1024 * 1024
"""Bytes of a form without files, and of one with all its files."""

MAX_FIELDS: Final = 100
MAX_FILES: Final = 50
MAX_FIELD_BYTES: Final = 1024 * 1024


class NotOurForm(Exception):
    """A form came from elsewhere, or is older than the sign-in."""


CONTENT_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""What a page may load and do; one with a script of ours adds that."""


@dataclass(frozen=True, slots=True)
class Web:
    """What all pages share; it lies at `app.state.web`.

    Attributes:
        api: calls the public API; its base address is the desk's.
        cookie: reads and writes the visitors' cookies.
        templates: the pages.
        style: the address of the style sheet.
        scripts: the addresses of the scripts, by name; a page that has one allows it by its own policy.
        origin: scheme, host and port at which visitors reach us.
        ports: time and chance.

    """

    api: httpx.AsyncClient
    cookie: Cookie
    templates: Environment
    style: str
    scripts: Mapping[str, str]
    origin: str
    ports: Ports


class Visit:
    """A request of a visitor who is signed in.

    Whatever a page can do without (opening hours, place, clocks, forecast) is left out when its service is away: a
    request can be read and answered while the queue is down.
    """

    def __init__(self, web: Web, session: Session) -> None:
        self.web = web
        self.session = session
        self.desk = Desk(web.api, Tokens(session.access, session.refresh))
        self.now = web.ports.clock.now()
        self._known = session

    def new_key(self) -> str:
        """Return a key that makes a form's repetition harmless."""
        return self.web.ports.ids.new()

    def claim(self, ticket_id: str) -> str | None:
        """Return the token of the claim on a request, where it is the visitor's."""
        return self.session.claims.get(ticket_id)

    def keep_claim(self, ticket_id: str, token: str | None) -> None:
        """Remember the token of a claim; None: forget it."""
        self.session = replace(self.session, claims=with_claim(self.session.claims, ticket_id, token))

    async def opening(self) -> Opening | None:
        """Return the opening hours of this moment; None when the service that knows them is away."""
        try:
            return opening(await self.desk.openness(self.now.isoformat()), self.now)
        except Refusal:
            return None

    async def entry(self, ticket_id: str) -> Json | None:
        """Return a request's entry in the queue; None where it has none, or the queue is away."""
        try:
            return await self.desk.place(ticket_id)
        except Refusal:
            return None

    async def forecast(self, ticket_id: str) -> Json | None:
        """Return when a request's next answer is to be expected; None while the service that knows it is away."""
        try:
            return await self.desk.forecast(ticket_id)
        except Refusal:
            return None

    async def clocks(self, ticket_ids: list[str]) -> list[Json]:
        """Return the clocks of these requests; none while the service that runs them is away."""
        try:
            return await self.desk.clocks(ticket_ids)
        except Refusal:
            return []

    async def banners(self) -> list[str]:
        """Return what is to be told of incidents; nothing while the service that knows them is away."""
        try:
            return await self.desk.banners()
        except Refusal:
            return []

    async def organization(self, organization_id: str | None) -> str:
        """Return an organisation's name, empty where there is none or the service that knows it is away."""
        if organization_id is None:
            return ""
        try:
            return str((await self.desk.organization(organization_id))["name"])
        except Refusal:
            return ""

    async def page(self, template: str, *, status: int = 200, **values: Any) -> Response:
        """Return a page with what every page shows beside `values`; clients read of incidents on each."""
        told = [] if self.session.is_staff else await self.banners()
        common = {"me": self.session, "csrf": self.session.csrf, "density": self.session.density, "banners": told}
        frame = {"opening": await self.opening(), **common, **values}
        return self.finish(render(self.web, template, status, frame))

    def go(self, path: str) -> Response:
        """Return a redirection to one of our own pages."""
        return self.finish(RedirectResponse(path, 303))

    def finish(self, response: Response) -> Response:
        """Put the cookie into an answer where it has changed."""
        tokens = self.desk.tokens
        if tokens:
            self.session = replace(self.session, access=tokens.access, refresh=tokens.refresh)
        # Unchanged, it is left alone: two tabs would overwrite each other's newer cookie with an older one.
        if self.session != self._known:
            self.web.cookie.write(response, self.session)
        return response


@dataclass(frozen=True, slots=True)
class Posted:
    """A form that a visitor sent from one of our pages."""

    visit: Visit
    form: FormData

    def text(self, name: str) -> str:
        """Return a field without surrounding space, empty where it is missing."""
        value = self.form.get(name, "")
        return value.strip() if isinstance(value, str) else ""


def render(web: Web, template: str, status: int, values: Mapping[str, Any]) -> HTMLResponse:
    """Return a page."""
    text = web.templates.get_template(template).render(values, desk=DESK_NAME, style=web.style, scripts=web.scripts)
    # Pages show correspondence: no proxy and no shared browser may keep them.
    return HTMLResponse(text, status, {"Cache-Control": "no-store"})


def web_of(request: Request) -> Web:
    """Return what the pages share."""
    web: Web = request.app.state.web
    return web


def session_of(request: Request) -> Session | None:
    """Return the session in the visitor's cookie."""
    cookie = web_of(request).cookie
    return cookie.read(request.cookies.get(cookie.name))


async def visit_of(request: Request) -> Visit:
    """Return the visit of somebody who is signed in.

    Raises:
        SignedOut: nobody is.

    """
    session = session_of(request)
    if session is None:
        raise SignedOut
    visit = Visit(web_of(request), session)
    request.state.visit = visit  # for the error pages, which keep the cookie up to date too
    return visit


Visiting = Annotated[Visit, Depends(visit_of)]


def posted(limit: int) -> Callable[..., AsyncIterator[Posted]]:
    """Return the dependency that yields a form of at most `limit` bytes from our own pages, and closes its files.

    Raises (when a form comes in):
        HTTPException: 413, it is larger, or doesn't say how large it is.
        NotOurForm: another site sent it, or it lacks the visitor's secret.

    """

    async def ours(request: Request, visit: Visiting) -> AsyncIterator[Posted]:
        """Yield the form, when it is ours."""
        # Both are looked at before the body is read.
        if not _from_our_pages(request, visit.web.origin):
            raise NotOurForm
        # A form that doesn't say its length could be of any; browsers always say it.
        length = request.headers.get("content-length", "")
        if not length.isdigit() or int(length) > limit:
            raise HTTPException(413)
        async with request.form(max_files=MAX_FILES, max_fields=MAX_FIELDS, max_part_size=MAX_FIELD_BYTES) as form:
            # Two guards, since old browsers send neither fetch metadata nor an origin: the secret is in our pages only,
            # and other sites can't read those.
            given = form.get("csrf", "")
            if not isinstance(given, str) or not hmac.compare_digest(given.encode(), visit.session.csrf.encode()):
                raise NotOurForm
            yield Posted(visit, form)

    return ours


Posting = Annotated[Posted, Depends(posted(FORM_LIMIT))]
PostingFiles = Annotated[Posted, Depends(posted(FILES_LIMIT))]


def _from_our_pages(request: Request, origin: str) -> bool:
    """Say whether the browser says so: by fetch metadata where it sends them, else by the origin, where it sends it."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    given = request.headers.get("origin")
    return given is None or given == origin or urlsplit(given).netloc == request.headers.get("host")

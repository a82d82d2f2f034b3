"""The website as a whole: signing in and out, its cookie, forms from elsewhere, headers, errors as pages."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fastapi import Response
from firstline.common.ports import system_ports
from firstline.common.secrets import derive
from firstline.standalone.desk import StandaloneDesk
from firstline.web.app import HEADERS, create_app
from firstline.web.session import Cookie, Session

Visit = Callable[[str], Awaitable[Any]]
PAGES = ["/requests", "/requests/new", "/requests/FL-7K3M-9QPX", "/console", "/console/FL-7K3M-9QPX", "/files/x"]
KEY = bytes(range(32))


@pytest.fixture
async def alone() -> AsyncIterator[httpx.AsyncClient]:
    """Return a browser before a website whose desk is out of reach."""

    async def nobody(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    async with httpx.AsyncClient(transport=httpx.MockTransport(nobody), base_url="http://desk.invalid") as api:
        app = create_app(api, KEY, "https://help.example", system_ports())
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="https://help.example") as browser:
            yield browser


def _cookie_of(visitor: Any) -> tuple[Cookie, Session]:
    """Return what reads the desk's cookies, and the visitor's session."""
    desk: StandaloneDesk = visitor.desk
    cookie = Cookie(derive(desk.keys.secret, "cookie"), "http://127.0.0.1:8123", desk.ports.random)
    session = cookie.read(visitor.browser.cookies["firstline"])
    assert session is not None
    return cookie, session


def _give(browser: httpx.AsyncClient, cookie: Cookie, session: Session) -> None:
    """Give a browser a cookie."""
    answer = Response()
    cookie.write(answer, session)
    value = answer.headers["set-cookie"].partition("=")[2].partition(";")[0]
    browser.cookies.clear()
    browser.cookies.set(cookie.name, value, domain=browser.base_url.host)


@pytest.mark.parametrize("path", PAGES)
async def test_strangers_are_asked_to_sign_in(path: str, alone: httpx.AsyncClient) -> None:
    """Without a cookie every page answers 401 with the page that asks for a link, and leads nowhere else."""
    answer = await alone.get(path)
    assert answer.status_code == 401
    assert "Open the sign-in link that the Helpdesk gave you." in answer.text


async def test_the_front_door_leads_to_sign_in(alone: httpx.AsyncClient) -> None:
    """Whoever comes without a cookie and without a path is led to the sign-in page."""
    answer = await alone.get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")


@pytest.mark.parametrize(
    ("who", "start"), [("client", "/requests"), ("specialist", "/console"), ("supervisor", "/console")]
)
async def test_a_link_signs_in(who: str, start: str, visitor: Visit) -> None:
    """The link leads to the page where that role's work begins, under a clean address."""
    one = await visitor(who)
    assert (one.path, one.answer.url.query) == (start, b"")
    await one.open("/")
    assert one.path == start


async def test_a_wrong_link_signs_nobody_in(visitor: Visit) -> None:
    """An unknown code is told in plain words; no cookie is set, and no address is followed."""
    stranger = await visitor("nobody")
    page = await stranger.open("/sign-in?code=wrong&next=https://evil.example")
    assert stranger.answer.status_code == 401
    assert "This link does not sign anybody in (any more). Ask for a new one." in page.text
    assert "set-cookie" not in stranger.answer.headers
    assert "evil.example" not in stranger.answer.text


async def test_signing_out_ends_the_session(visitor: Visit) -> None:
    """The cookie is gone, and a copy of it is of no use once its token has expired."""
    client = await visitor("client")
    cookie, session = _cookie_of(client)
    await client.send("/sign-out")
    assert client.path == "/sign-in"
    assert "firstline" not in client.browser.cookies
    _give(client.browser, cookie, replace(session, access="expired"))
    await client.open("/requests")
    assert client.answer.status_code == 401


async def test_expired_tokens_are_renewed_unseen(visitor: Visit) -> None:
    """With an expired access token the page comes as usual, and the cookie holds the new pair."""
    client = await visitor("client")
    cookie, session = _cookie_of(client)
    _give(client.browser, cookie, replace(session, access="expired"))
    await client.open("/requests")
    assert client.answer.status_code == 200
    _, renewed = _cookie_of(client)
    assert renewed.access != "expired"
    assert renewed.refresh != session.refresh
    assert renewed.csrf == session.csrf


async def test_renewed_tokens_outlive_an_error(visitor: Visit) -> None:
    """A page that ends in an error keeps the new tokens too, or the next one would be signed out."""
    client = await visitor("client")
    cookie, session = _cookie_of(client)
    _give(client.browser, cookie, replace(session, access="expired"))
    await client.open("/requests/FL-0000-0000")
    assert client.answer.status_code == 404
    _, renewed = _cookie_of(client)
    assert renewed.refresh != session.refresh


async def test_an_ended_session_asks_to_sign_in(visitor: Visit) -> None:
    """When neither token is good any more, the cookie goes and the page asks for a link."""
    client = await visitor("client")
    cookie, session = _cookie_of(client)
    _give(client.browser, cookie, replace(session, access="expired", refresh="unknown"))
    await client.open("/requests")
    assert client.answer.status_code == 401
    assert "firstline" not in client.browser.cookies


FOREIGN: list[dict[str, str]] = [
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "none"},
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1.evil.example:8123"},
]
OURS: list[dict[str, str]] = [{}, {"sec-fetch-site": "same-origin"}, {"origin": "http://127.0.0.1:8123"}]


async def test_forms_from_elsewhere_are_refused(visitor: Visit) -> None:
    """A form that another site sent is refused even with the right secret, and nothing happens."""
    client = await visitor("client")
    form = (await client.open("/requests/new")).form("/requests")
    sent = {**form, "subject": "Forged", "body": "Forged."}
    for headers in FOREIGN:
        answer = await client.browser.post("/requests", data=sent, headers=headers)
        assert answer.status_code == 403, headers
        assert "nothing was sent" in answer.text
    assert "You have sent no request yet." in (await client.open("/requests")).text


async def test_forms_without_the_secret_are_refused(visitor: Visit) -> None:
    """A form that lacks the visitor's secret, or has another's, does nothing."""
    client = await visitor("client")
    form = (await client.open("/requests/new")).form("/requests")
    del form["csrf"]
    for secret in ({}, {"csrf": ""}, {"csrf": "0" * 36}, {"csrf": "é"}):
        sent = {**form, "subject": "Forged", "body": "Forged.", **secret}
        assert (await client.browser.post("/requests", data=sent)).status_code == 403, secret
    assert "You have sent no request yet." in (await client.open("/requests")).text


async def test_our_own_forms_are_taken(visitor: Visit) -> None:
    """Forms from our pages pass, whichever of the signs the browser sends."""
    client = await visitor("client")
    for headers in OURS:
        form = (await client.open("/requests/new")).form("/requests")
        sent = {**form, "subject": "White page", "body": "Since 08:40."}
        answer = await client.browser.post("/requests", data=sent, headers=headers)
        assert answer.url.path.endswith("/received"), headers


async def test_every_posting_route_wants_the_secret(visitor: Visit) -> None:
    """Each route that changes something refuses a bare POST of somebody who is signed in."""
    specialist = await visitor("specialist")
    app = create_app(specialist.browser, KEY, "https://help.example", system_ports())
    paths = [path for path, methods in app.openapi()["paths"].items() if "post" in methods]
    assert len(paths) > 12
    for path in paths:
        answer = await specialist.browser.post(path.replace("{reference}", "FL-7K3M-9QPX"))
        assert answer.status_code == 403, path


async def test_pages_carry_the_headers(visitor: Visit, alone: httpx.AsyncClient) -> None:
    """Every answer, of whatever status, forbids scripts, framing, guessing types and telling others where one was."""
    client = await visitor("client")
    answers = [await client.browser.get(path) for path in ("/requests", "/nowhere", "/static/icon.svg")]
    answers += [await alone.get(path) for path in ("/", "/sign-in", "/console", "/static/style.css")]
    for answer in answers:
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    policy = HEADERS["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script" not in policy
    assert "unsafe" not in policy


async def test_one_page_runs_our_script_and_nothing_else(visitor: Visit) -> None:
    """The form for a new request allows scripts of this site, none inline; the script's address changes with it."""
    client = await visitor("client")
    page = await client.open("/requests/new")
    policy = client.answer.headers["content-security-policy"]
    assert policy == f"{HEADERS['Content-Security-Policy']}; script-src 'self'; connect-src 'self'"
    (script,) = page.all("script")
    assert (script["type"], script["src"].partition("?")[0]) == ("module", "/static/suggest.js")
    answer = await client.browser.get(script["src"])
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert "immutable" in answer.headers["cache-control"]


async def test_pages_are_not_kept_by_browsers(visitor: Visit) -> None:
    """What a page shows is gone from the browser's cache after signing out."""
    client = await visitor("client")
    assert client.answer.headers["cache-control"] == "no-store"


async def test_the_style_sheet_is_kept_until_it_changes(alone: httpx.AsyncClient) -> None:
    """Its address holds a hash of its content, so browsers may keep it for ever."""
    page = await alone.get("/sign-in")
    address = page.text.partition('<link rel="stylesheet" href="')[2].partition('"')[0]
    answer = await alone.get(address)
    assert address.startswith("/static/style.css?")
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert "immutable" in answer.headers["cache-control"]
    assert (await alone.get("/static/../app.py")).status_code == 404


async def test_density_is_remembered(visitor: Visit) -> None:
    """The switch lasts for the visit; other words change nothing."""
    client = await visitor("client")
    assert client.page.all("body")[0]["class"] == "portal comfortable"
    page = await client.send("/density", density="compact")
    assert page.all("body")[0]["class"] == "portal compact"
    page = await client.send("/density", density='"><b>')
    assert page.all("body")[0]["class"] == "portal compact"


async def test_a_desk_out_of_reach_is_told(alone: httpx.AsyncClient) -> None:
    """When the API gives no answer, the page says so with 503, and the visitor stays signed in."""
    cookie = Cookie(KEY, "https://help.example", system_ports().random)
    _give(alone, cookie, Session("p", "access", "refresh", "secret", "Clara", "client"))
    page = await alone.get("/requests")
    assert page.status_code == 503
    assert "The Helpdesk is out of reach for the moment" in page.text
    assert "set-cookie" not in page.headers


async def test_too_much_at_once_is_told(visitor: Visit) -> None:
    """A form larger than its limit is refused before it is read, with advice."""
    client = await visitor("client")
    answer = await client.browser.post("/sign-out", data={"csrf": "x" * (3 * 1024 * 1024)})
    assert answer.status_code == 413
    assert "too large to be sent at once" in answer.text


async def test_broken_forms_are_told(visitor: Visit) -> None:
    """A body that is no form is refused with a page."""
    client = await visitor("client")
    headers = {"content-type": "multipart/form-data"}
    answer = await client.browser.post("/requests", content=b"nonsense", headers=headers)
    assert answer.status_code == 400
    assert "nothing was sent" in answer.text


async def test_anybody_reads_what_is_covered(visitor: Visit) -> None:
    """The catalogue is public: each section with what is covered and not, and who helps; the start leads to it."""
    stranger = await visitor("nobody")
    assert "/covered" in stranger.page.values("href")
    page = await stranger.open("/covered")
    assert stranger.answer.status_code == 200
    for said in ("Performance of the product", "3.2", "Using the built-in performance monitor", "Not covered"):
        assert said in page.text
    assert "Ask your hosting company" in page.text
    assert "Covered where a product error is behind it. Ask the partner" in page.text
    client = await visitor("client")
    assert "/covered" in client.page.values("href")
    assert "Sign out" in (await client.open("/covered")).text


async def test_the_catalogue_needs_the_desk(alone: httpx.AsyncClient) -> None:
    """While the desk is out of reach, the public page says so."""
    answer = await alone.get("/covered")
    assert (answer.status_code, "out of reach" in answer.text) == (503, True)

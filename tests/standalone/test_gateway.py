"""Each path of the public origin goes to the service that serves it."""

from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from firstline.common.telemetry import App, Receive, Scope, Send
from firstline.standalone.desk import StandaloneDesk
from firstline.standalone.gateway import PATHS, Gateway
from firstline.standalone.wiring import SERVICES
from near_desk import api

pytestmark = pytest.mark.asyncio(loop_scope="session")


def public_paths(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Yield method and path of each documented route."""
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, APIRoute) and route.include_in_schema:
            yield from ((method, str(route.path_format)) for method in sorted(route.methods or ()))


def named(name: str, reached: list[str]) -> App:
    """Return an application that notes that it was reached."""

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        reached.append(name)

    return app


async def reached(path: str) -> str:
    """Return the name of the application that a path leads to."""
    found: list[str] = []
    gateway = Gateway({name: named(name, found) for name in (*SERVICES, "desk", "web")})

    async def receive() -> dict[str, object]:
        return {}

    async def send(_message: object) -> None: ...

    await gateway({"type": "http", "path": path}, receive, send)
    (name,) = found
    return name


async def test_every_route_of_every_service_is_reached(desk: StandaloneDesk) -> None:
    """No service has a documented route that the gateway gives to another one."""
    routes = [(name, path) for name, app in desk.services.items() for _, path in public_paths(app)]
    assert {name for name, _ in routes} == set(SERVICES)
    assert [(name, path) for name, path in routes if await reached(path) != name] == []


async def test_no_path_leads_nowhere(desk: StandaloneDesk) -> None:
    """Each beginning in the gateway's table is the beginning of a route that its service has."""
    served = {name: [path for _, path in public_paths(app)] for name, app in desk.services.items()}
    idle = [
        beginning
        for name, beginnings in PATHS.items()
        for beginning in beginnings
        if name in served and not any(f"{path}/".startswith(f"{beginning}/") for path in served[name])
    ]
    assert idle == []


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v1/tickets", "intake"),
        ("/v1/tickets/", "intake"),
        ("/v1/tickets/FL-7K3M-9QPX/messages", "intake"),
        ("/v1/queue/claims", "queue"),
        ("/v1/calendar/add", "sla"),
        ("/v1/reports/urgency-claims", "intake"),
        ("/v1/reports/urgency-claims/x", "intake"),
        ("/v1/reports/attainment", "sla"),
        ("/v1/reports", "sla"),
        ("/v1/events", "notify"),
        ("/.well-known/jwks.json", "accounts"),
        ("/v1/dev/clock", "desk"),
        ("/v1/ticketsandmore", "desk"),
        ("/v1", "desk"),
        ("/v1/", "desk"),
        ("/healthz", "desk"),
        ("/problems/invalid", "desk"),
        ("/", "web"),
        ("/sign-in", "web"),
        ("/requests/FL-7K3M-9QPX", "web"),
        ("/internal/log", "web"),
        ("/.well-known/other", "web"),
        ("", "web"),
    ],
)
async def test_whole_segments_decide(path: str, name: str) -> None:
    """A path goes by its first segments, whole; what no service has is the API's 404 or the website's."""
    assert await reached(path) == name


async def test_an_unknown_address_of_the_api_is_a_problem(desk: StandaloneDesk) -> None:
    """An address below /v1 that nobody serves is a problem document, not a page."""
    async with api(desk) as http:
        for path in ("/v1/nothing", "/v1/tickets/x/nothing/at/all", "/v1/queue/a/b/c", "/v1/dev/nothing"):
            answer = await http.get(path)
            assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json"), path
            assert answer.json()["type"] == "/problems/not-found"


async def test_other_addresses_are_pages(desk: StandaloneDesk) -> None:
    """Everything else is the website's: a page, also where nothing is."""
    async with api(desk) as http:
        start, nothing = await http.get("/", follow_redirects=True), await http.get("/nothing")
    assert (start.status_code, nothing.status_code) == (200, 404)
    assert {answer.headers["content-type"].split(";")[0] for answer in (start, nothing)} == {"text/html"}


async def test_logs_are_not_public(desk: StandaloneDesk) -> None:
    """The services' logs can't be read from outside, whoever asks."""
    async with api(desk, "admin", "root") as http:
        answer = await http.get("/internal/log")
    assert (answer.status_code, "items" in answer.text) == (404, False)


async def test_each_service_answers_through_the_gateway(desk: StandaloneDesk) -> None:
    """One list of each service is served to a supervisor with the same token."""
    paths = ("/v1/tickets", "/v1/queue", "/v1/clocks?due_before=2026-01-01T00:00:00Z", "/v1/deliveries", "/v1/me")
    async with api(desk, "supervisor", "sven") as http:
        assert {path: (await http.get(path)).status_code for path in paths} == dict.fromkeys(paths, httpx.codes.OK)


async def test_only_http_is_served(desk: StandaloneDesk) -> None:
    """A websocket is turned away by the operations application and reaches no service."""
    sent: list[str] = []

    async def receive() -> dict[str, object]:
        return {"type": "websocket.connect"}

    async def send(message: Scope) -> None:
        sent.append(message["type"])

    scope: Scope = {"type": "websocket", "path": "/v1/tickets", "headers": [], "query_string": b"", "scheme": "ws"}
    await desk.gateway(scope, receive, send)
    assert sent == ["websocket.close"]

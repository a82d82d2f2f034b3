"""The application of every service: no route without its row, a complete OpenAPI document, health, figures, the log."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from firstline.common.application import build_app, declared_operations, json_answer, permit, problem_schemas, public
from firstline.common.bus import LocalBus
from firstline.common.events import Actor, TicketNoted
from firstline.common.log import Log
from firstline.common.permissions import TABLE, Access, Principal, Role
from firstline.common.ports import Ports, SystemClock
from firstline.common.runtime import Runtime
from firstline.common.store.sqlite import SqliteStore
from firstline.common.tokens import Signer, Verifier, new_key
from pydantic import BaseModel

OpenStore = Callable[..., Awaitable[SqliteStore]]


class Thing(BaseModel):
    """A thing."""

    name: str


def things() -> APIRouter:
    """Return the routes of things."""
    router = APIRouter()

    @router.post("/things", status_code=201)
    async def make_thing(thing: Thing, access: Annotated[Access, Depends(permit("queue.claim"))]) -> Thing:
        """Make a thing."""
        return Thing(name=f"{thing.name} of {access.principal.id}")

    @router.get("/things/{name}", dependencies=[Depends(public)])
    async def read_thing(name: str) -> Thing:
        """Read a thing, which anybody may.

        Things are named.
        """
        return Thing(name=name)

    return router


@dataclass(slots=True)
class World:
    """An application, a client of it, and what happened in its life."""

    runtime: Runtime
    signer: Signer
    events: list[str] = field(default_factory=list)

    def build(self, *routers: APIRouter) -> FastAPI:
        """Return an application of these routes."""
        return build_app(self.runtime, "Things", routers or [things()], start=self._start, stop=self._stop)

    def client(self, app: FastAPI | None = None) -> httpx.AsyncClient:
        """Return a client."""
        return httpx.AsyncClient(transport=httpx.ASGITransport(app or self.build()), base_url="http://things")

    def bearer(self, role: Role) -> dict[str, str]:
        """Return the headers of a caller."""
        token = self.signer.token(Principal("anna", role, "anna@firstline.example"), timedelta(minutes=5))
        return {"Authorization": f"Bearer {token}"}

    async def _start(self) -> None:
        self.events.append("started")

    async def _stop(self) -> None:
        self.events.append("stopped")


@pytest.fixture
def world(store: SqliteStore, ports: Ports) -> World:
    """Return what an application needs."""
    return made(store, ports)


def made(store: SqliteStore, ports: Ports) -> World:
    """Return what an application needs, with keys of its own."""
    signer = Signer(new_key("test"), SystemClock())
    verifier = Verifier(signer.public_keys(), SystemClock())
    return World(Runtime("things", ports=ports, store=store, bus=LocalBus(), verifier=verifier, read_logs={}), signer)


async def test_a_route_without_a_row_is_not_built(world: World) -> None:
    """A route that declares nothing stops the application from being built, and is named."""
    router = things()

    @router.get("/forgotten")
    async def forgotten() -> None: ...

    with pytest.raises(ValueError, match="/forgotten declares 0 rows"):
        world.build(router)


async def test_a_route_with_two_rows_is_not_built(world: World) -> None:
    """A route that declares two rows, directly or through a dependency, is ambiguous and refused."""

    async def indirect(_access: Annotated[Access, Depends(permit("queue.read"))]) -> None: ...

    router = APIRouter(dependencies=[Depends(indirect)])

    @router.get("/twice", dependencies=[Depends(public)])
    async def twice() -> None: ...

    with pytest.raises(ValueError, match="/twice declares 2 rows"):
        world.build(router)


def test_a_row_that_is_not_in_the_table_can_not_be_declared() -> None:
    """An operation that nobody thought through fails where it is declared."""
    with pytest.raises(KeyError):
        permit("tickets.explode")


def test_rows_are_found_wherever_they_are_declared() -> None:
    """A row counts when the route, its router or a dependency of a dependency declares it."""

    async def indirect(_access: Annotated[Access, Depends(permit("queue.read"))]) -> None: ...

    async def more(_given: Annotated[None, Depends(indirect)]) -> None: ...

    router = APIRouter()

    @router.get("/deep")
    async def deep(_given: Annotated[None, Depends(more)]) -> None: ...

    (route,) = router.routes
    assert isinstance(route, APIRoute)
    assert declared_operations(route.dependant) == ["queue.read"]


@pytest.mark.parametrize("role", Role)
async def test_a_route_lets_in_whom_its_row_names(world: World, role: Role) -> None:
    """The caller's role decides by the declared row, and the route knows who is calling."""
    async with world.client() as client:
        answer = await client.post("/things", json={"name": "a"}, headers=world.bearer(role))
    if role in TABLE["queue.claim"]:
        assert (answer.status_code, answer.json()) == (201, {"name": "a of anna"})
    else:
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/forbidden")


async def test_a_public_route_needs_no_token(world: World) -> None:
    """Anybody reads what is declared public, even with a token that is worth nothing."""
    async with world.client() as client:
        for headers in ({}, {"Authorization": "Bearer rubbish"}):
            assert (await client.get("/things/a", headers=headers)).json() == {"name": "a"}


async def test_the_permission_comes_before_the_values(world: World) -> None:
    """A caller without a token hears that, and not what is wrong with the values that they sent."""
    async with world.client() as client:
        assert (await client.post("/things", json={"colour": 1})).status_code == 401


def test_the_openapi_document_is_complete(world: World) -> None:
    """Every operation has a summary, an id of its own, its permission, and the problem document as default answer."""
    document = world.build().openapi()
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert [operation["operationId"] for operation in operations] == ["make_thing", "read_thing"]
    assert [operation["x-permission"] for operation in operations] == ["queue.claim", "public"]
    for operation in operations:
        assert operation["summary"]
        reference = operation["responses"]["default"]["content"]["application/problem+json"]["schema"]["$ref"]
        assert reference.removeprefix("#/components/schemas/") in document["components"]["schemas"]
        assert "422" not in operation["responses"]
    assert "Who may: agent: any, supervisor: any, admin: any." in operations[0]["description"]
    assert "Who may: anybody." in operations[1]["description"]
    assert "Things are named." in operations[1]["description"]


def test_the_openapi_document_resolves(world: World) -> None:
    """Every reference leads to a schema, the framework's own error bodies are gone, and asking twice is the same."""
    app = world.build()
    first = str(app.openapi())
    schemas = app.openapi()["components"]["schemas"]
    references = {part.partition("'")[0] for part in first.split("#/components/schemas/")[1:]}
    assert references == {"Thing", "Problem", "ProblemFault"} == set(schemas)
    assert str(app.openapi()) == first
    assert set(problem_schemas()) == {"Problem", "ProblemFault"}


def test_an_application_without_routes_has_a_document(world: World) -> None:
    """A service whose routes are all internal still has a valid document."""
    document = build_app(world.runtime, "None", [], start=world._start, stop=world._stop).openapi()
    assert document["paths"] == {}
    assert "Problem" in document["components"]["schemas"]


async def test_life_begins_and_ends(world: World) -> None:
    """Start runs before the first request and stop after the last."""
    app = world.build()
    async with app.router.lifespan_context(app):
        assert world.events == ["started"]
    assert world.events == ["started", "stopped"]


async def test_life_ends_in_order_even_after_a_failure(world: World) -> None:
    """When what runs around the application fails, the service is stopped all the same."""
    app = world.build()
    with pytest.raises(OSError, match="the port is taken"):
        async with app.router.lifespan_context(app):
            raise OSError("the port is taken")
    assert world.events == ["started", "stopped"]


async def test_a_start_that_fails_is_undone(world: World) -> None:
    """When a service can't start, what it had begun is stopped, and the failure is heard."""

    async def start() -> None:
        raise OSError("the port is taken")

    app = build_app(world.runtime, "Things", [things()], start=start, stop=world._stop)
    with pytest.raises(OSError, match="the port is taken"):
        async with app.router.lifespan_context(app):
            pass
    assert world.events == ["stopped"]


async def test_health_and_readiness(world: World) -> None:
    """The process answers as long as it lives; it is ready as long as its store takes writes."""
    async with world.client() as client:
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        assert (await client.get("/readyz")).json() == {"status": "ready"}
        await world.runtime.store.close()
        assert (await client.get("/healthz")).status_code == 200
        answer = await client.get("/readyz")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert answer.json()["type"] == "/problems/unavailable"


async def test_figures_count_by_route(world: World) -> None:
    """Requests are counted by their route's pattern, unknown paths as one, and what machines ask for not at all."""
    async with world.client() as client:
        for path in ("/things/a", "/things/b", "/nowhere/1", "/nowhere/2", "/healthz"):
            await client.get(path)
        text = (await client.get("/metrics")).text
    counted = [line for line in text.splitlines() if line.startswith("firstline_http_answers_total")]
    assert counted == [
        'firstline_http_answers_total{method="GET",route="/things/{name}",service="things",status="200"} 2.0',
        'firstline_http_answers_total{method="GET",route="(none)",service="things",status="404"} 2.0',
    ]
    assert "firstline_http_seconds_count" in text


async def test_two_applications_keep_their_figures_apart(world: World) -> None:
    """Applications in one process don't count for one another."""
    first, second = world.build(), world.build()
    async with world.client(first) as one, world.client(second) as two:
        await one.get("/things/a")
        assert "firstline_http_answers_total{" not in (await two.get("/metrics")).text


async def test_two_applications_share_routes_and_nothing_else(world: World, store: SqliteStore, ports: Ports) -> None:
    """What is made of a router is made once for all applications, and each lets in whom its own keys vouch for."""
    router, other = things(), made(store, ports)
    first, second = world.build(router), other.build(router)
    ours, theirs = (list(iter_route_contexts(app.routes[1:])) for app in (first, second))
    assert [one.dependant is another.dependant for one, another in zip(ours, theirs, strict=True)] == [True] * len(ours)
    thing, headers = {"name": "a"}, world.bearer(Role.AGENT)
    async with world.client(first) as one, other.client(second) as two:
        answers = [await client.post("/things", json=thing, headers=headers) for client in (one, two)]
    assert [answer.status_code for answer in answers] == [201, 401]


@pytest.mark.parametrize(("query", "status"), [("", 200), ("?after=-1", 422), ("?limit=0", 422), ("?limit=1001", 422)])
async def test_the_log_is_read_in_pages(world: World, query: str, status: int) -> None:
    """The log answers to services, in pages of sensible size."""
    async with world.client() as client:
        answer = await client.get(f"/internal/log{query}", headers=world.bearer(Role.SERVICE))
    assert answer.status_code == status


async def test_the_log_is_json_also_when_it_is_empty(world: World, ports: Ports) -> None:
    """Before the first event the log has no name and no items; afterwards both."""
    event = TicketNoted(actor=Actor(id="a", role="agent"), number="FL-7K3M-9QPX", status="open", message_id="m")
    async with world.client() as client:
        assert (await client.get("/internal/log", headers=world.bearer(Role.SERVICE))).json() == {
            "log": None,
            "items": [],
        }
        await world.runtime.store.write(lambda unit: Log(ports).append(unit, "ticket/1", event, event))
        await world.runtime.start()
        await world.runtime.settle()
        body: dict[str, Any] = (await client.get("/internal/log?after=1", headers=world.bearer(Role.SERVICE))).json()
        await world.runtime.stop()
    assert [item["version"] for item in body["items"]] == [2]
    assert body["log"] == body["items"][0]["log"]


async def test_text_that_is_json_already() -> None:
    """An answer made beforehand leaves as it is, with its status and ETag."""
    answer = json_answer('{"a":1}', 201, '"7"')
    assert (answer.status_code, answer.body, answer.headers["ETag"]) == (201, b'{"a":1}', '"7"')
    assert answer.headers["Content-Type"] == "application/json"
    assert "ETag" not in json_answer("{}").headers


async def test_concurrent_requests_are_served(world: World) -> None:
    """A hundred requests at once all get their own answer."""
    async with world.client() as client:
        answers = await asyncio.gather(*(client.get(f"/things/{n}") for n in range(100)))
    assert [answer.json()["name"] for answer in answers] == [str(n) for n in range(100)]

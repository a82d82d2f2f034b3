"""The web application that every service is: routes, errors, health, figures, and the log for those who pull."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.routing import BaseRoute

from firstline.common import problems
from firstline.common.errors import Unauthenticated
from firstline.common.figures import RuntimeFigures
from firstline.common.permissions import PUBLIC, TABLE, Access, access
from firstline.common.relay import log_page
from firstline.common.runtime import Runtime
from firstline.common.telemetry import NO_TELEMETRY, Observed

VERSION = "0.1.0"
JSON_LIMIT = 1024 * 1024
"""Bytes of a request body, unless its operation says otherwise."""

BEARER = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "A token from sign-in, `POST /v1/tokens` or `firstline token`.",
}
Dependency = Callable[..., Awaitable[Any]]
_known: dict[int, APIRouter] = {}
"""By the identity of a router, which the value keeps alive, its routes as every application includes them."""


def permit(operation: str) -> Dependency:
    """Declare an operation's row of the permission table; the dependency gives the caller's `Access`.

    Raises:
        KeyError: the table has no such row.

    """
    # At import, so that a mistyped row stops the process and never a request.
    TABLE[operation]

    async def permitted(request: Request) -> Access:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthenticated("Send a token in the header Authorization: Bearer <token>.")
        runtime: Runtime = request.app.state.runtime
        return access(operation, runtime.verifier.principal(token.strip()))

    permitted.operation = operation  # type: ignore[attr-defined]
    return permitted


async def public() -> None:
    """Declare that an operation needs no token."""


public.operation = PUBLIC  # type: ignore[attr-defined]


def declared_operations(dependant: Dependant) -> list[str]:
    """Return the rows of the permission table that a route declares, through whichever dependency."""
    own = getattr(dependant.call, "operation", None)
    found = [own] if isinstance(own, str) else []
    return found + [row for child in dependant.dependencies for row in declared_operations(child)]


def build_app(
    runtime: Runtime,
    title: str,
    routers: Sequence[APIRouter],
    *,
    start: Callable[[], Awaitable[None]],
    stop: Callable[[], Awaitable[None]],
    larger_bodies: Mapping[str, int] | None = None,
) -> FastAPI:
    """Return a service's application.

    Args:
        runtime: the service at work.
        title: of its API.
        routers: its routes.
        start: runs when its life begins, `stop` when it ends.
        stop: see `start`.
        larger_bodies: bytes that paths take which need more than a JSON body.

    Raises:
        ValueError: a route declares no row of the permission table, or more than one.

    """
    app = FastAPI(
        title=title,
        version=VERSION,
        lifespan=_life(start, stop),
        docs_url=None,
        redoc_url=None,
        telemetry=NO_TELEMETRY,
    )
    app.state.runtime = runtime
    app.state.registry = CollectorRegistry()
    app.state.registry.register(RuntimeFigures(runtime))
    problems.install(app)
    for router in (*routers, _operations):
        app.router.routes += _included(router)
    app.add_middleware(problems.BodyLimit, limit=JSON_LIMIT, larger=larger_bodies or {})
    # Added last and so outermost: bodies that are refused are counted and logged too.
    app.add_middleware(Observed, service=runtime.name, registry=app.state.registry, clock=runtime.ports.clock)
    _demand_permissions(app)
    plain = app.openapi
    app.openapi = lambda: _complete(app, plain())  # type: ignore[method-assign]
    return app


def _included(router: APIRouter) -> list[BaseRoute]:
    """Return what an application includes of a router: made once in a process, since nothing in it is one's own."""
    if id(router) not in _known:
        # What the framework makes of all routes of a desk takes half a second.
        shared = APIRouter(responses=problems.PROBLEM_RESPONSES, generate_unique_id_function=_operation_id)
        shared.include_router(router)
        _known[id(router)] = shared
    return _known[id(router)].routes


def _life(
    start: Callable[[], Awaitable[None]], stop: Callable[[], Awaitable[None]]
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """Return the application's life: started before its first request, stopped after its last."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        try:
            await start()  # what fails half-way is stopped like what runs
            yield
        finally:
            await stop()

    return lifespan


def _operation_id(route: APIRoute) -> str:
    """Return a route's own name: clients are generated from it, and the framework's default holds the path."""
    return route.name


def _api_routes(app: FastAPI) -> Iterator[RouteContext]:
    """Return the application's own routes, those of included routers too."""
    return (route for route in iter_route_contexts(app.routes) if isinstance(route.original_route, APIRoute))


def _demand_permissions(app: FastAPI) -> None:
    """Raise ValueError for a route that declares no row of the permission table, or more than one.

    A route without a row would be open to everybody, and no request would ever tell.
    """
    for route in _api_routes(app):
        rows = declared_operations(route.dependant)
        if len(rows) != 1:
            raise ValueError(f"{route.path_format} declares {len(rows)} rows of the permission table, not one: {rows}")


def _complete(app: FastAPI, document: dict[str, Any]) -> dict[str, Any]:
    """Add what FastAPI can't know: the problem document, and the permission of each operation."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    if "Problem" in schemas:  # FastAPI keeps the document that it made, so it is complete from the second time on
        return document
    schemas.update(problem_schemas())
    document["components"]["securitySchemes"] = {"bearer": BEARER}
    for route in _api_routes(app):
        if not route.include_in_schema:
            continue
        for method in route.methods or ():
            operation = document["paths"][str(route.path_format)][method.lower()]
            _say_permission(operation, *declared_operations(route.dependant))
    return document


def problem_schemas() -> dict[str, Any]:
    """Return the JSON Schemas of the problem document."""
    schema = problems.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**schema.pop("$defs", {}), "Problem": schema}


def _say_permission(operation: dict[str, Any], row: str) -> None:
    """Write into an operation who may call it, for people and for tools."""
    who = "anybody" if row == PUBLIC else ", ".join(f"{role}: {near}" for role, near in TABLE[row].items())
    operation["x-permission"] = row
    if row != PUBLIC:
        operation["security"] = [{"bearer": []}]
    operation["description"] = f"{operation.get('description', '')}\n\nWho may: {who}.".strip()


_operations = APIRouter(tags=["operations"])


@_operations.get("/healthz", dependencies=[Depends(public)], include_in_schema=False)
async def healthz() -> dict[str, str]:
    """Say that the process answers."""
    return {"status": "ok"}


@_operations.get("/readyz", dependencies=[Depends(public)], include_in_schema=False)
async def readyz(request: Request) -> dict[str, str]:
    """Say that the store takes writes; the bus does not matter here."""
    runtime: Runtime = request.app.state.runtime
    # A broker that is away is no reason to take the service out of service (ADR 4).
    await runtime.check_ready()
    return {"status": "ready"}


@_operations.get("/metrics", dependencies=[Depends(public)], include_in_schema=False)
async def metrics(request: Request) -> Response:
    """Give the figures in Prometheus' text format."""
    return Response(generate_latest(request.app.state.registry), media_type=CONTENT_TYPE_LATEST)


@_operations.get("/internal/log", dependencies=[Depends(permit("log.read"))], include_in_schema=False)
async def read_log(
    request: Request, after: Annotated[int, Query(ge=0)] = 0, limit: Annotated[int, Query(ge=1, le=1000)] = 500
) -> Response:
    """Give the envelopes after a position of this service's log."""
    runtime: Runtime = request.app.state.runtime
    log, items = await runtime.store.read(lambda unit: log_page(unit, runtime.name, after, limit))
    # Put together as text: envelopes are JSON already, and a page of 500 is parsed by nobody here.
    name = "null" if log is None else f'"{log}"'
    return Response(f'{{"log":{name},"items":[{",".join(items)}]}}', media_type="application/json")


def json_answer(body: str, status: int = 200, etag: str | None = None) -> Response:
    """Return JSON text as an answer, with its ETag where there is one."""
    headers = {"ETag": etag} if etag else None
    return Response(body, status, headers, media_type=JSONResponse.media_type)

"""Every operation declares its row of the permission table, and is documented completely, in every service."""

import ast
import importlib
import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import APIRouter, Depends
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from firstline.common.application import build_app, declared_operations, permit, public
from firstline.common.bus import LocalBus
from firstline.common.permissions import PUBLIC, TABLE
from firstline.common.ports import SystemClock, system_ports
from firstline.common.runtime import Runtime
from firstline.common.store.sqlite import SqliteStore
from firstline.common.tokens import Signer, Verifier, new_key

ROUTED = re.compile(r"services/(?!web/)\w+/firstline/\w+/(?!migrations/).+\.py")
API = re.compile(r"services/(\w+)/firstline/\w+/api(?:/\w+)?\.py")


@pytest.fixture(scope="module")
def all_routers(modules: dict[str, ast.Module]) -> dict[str, APIRouter]:
    """Return the routers that any service defines but the website, which is a client; each once."""
    found: dict[int, tuple[str, APIRouter]] = {}
    for path in modules:
        if ROUTED.fullmatch(path):
            name = path.partition("/firstline/")[2].removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            for key, value in vars(importlib.import_module(f"firstline.{name}")).items():
                if isinstance(value, APIRouter):
                    found.setdefault(id(value), (f"{path}:{key}", value))
    return dict(found.values())


@pytest.fixture(scope="module")
def routers(all_routers: dict[str, APIRouter]) -> dict[str, APIRouter]:
    """Return the routers in the `api` modules."""
    return {name: router for name, router in all_routers.items() if API.fullmatch(name.partition(":")[0])}


def api_routes(router: APIRouter) -> Iterator[RouteContext]:
    """Yield the routes of a router, and of those that it includes."""
    return (route for route in iter_route_contexts(router.routes) if isinstance(route.original_route, APIRoute))


def wrong_rows(router: APIRouter) -> dict[str, list[str]]:
    """Return the rows that each route declares which does not declare exactly one."""
    rows = {str(route.path_format): declared_operations(route.dependant) for route in api_routes(router)}
    return {path: declared for path, declared in rows.items() if len(declared) != 1}


@pytest.fixture(scope="module")
def document(routers: dict[str, APIRouter], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the OpenAPI document of all services' routes as one application."""
    ports, verifier = system_ports(), Verifier(Signer(new_key("test"), SystemClock()).public_keys(), SystemClock())
    store = SqliteStore(tmp_path_factory.mktemp("none") / "none.db", ports)
    runtime = Runtime("all", ports=ports, store=store, bus=LocalBus(), verifier=verifier, read_logs={})

    async def nothing() -> None: ...

    return build_app(runtime, "All", list(routers.values()), start=nothing, stop=nothing).openapi()


@pytest.fixture(scope="module")
def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return every operation of the document by its method and path."""
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def test_every_service_with_an_api_is_looked_at(routers: dict[str, APIRouter], modules: dict[str, ast.Module]) -> None:
    """Each service that has an `api` door has routes, and they are found."""
    services = {match[1] for path in modules if (match := API.fullmatch(path))}
    assert services
    assert {path.split("/")[1] for path in routers} == services
    assert [name for name, router in routers.items() if not any(api_routes(router))] == []


def test_every_route_declares_one_row(all_routers: dict[str, APIRouter]) -> None:
    """No route of any service is without a row of the permission table, and none has two."""
    assert {name: found for name, router in all_routers.items() if (found := wrong_rows(router))} == {}


def test_every_operation_is_documented(operations: dict[str, dict[str, Any]]) -> None:
    """Each operation has a summary, its permission, and the problem document as answer to whatever goes wrong."""
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    assert [name for name, operation in operations.items() if not operation.get("summary")] == []
    assert [
        name for name, operation in operations.items() if operation.get("x-permission") not in {*TABLE, PUBLIC}
    ] == []
    assert [
        name for name, operation in operations.items() if operation["responses"]["default"]["content"] != problem
    ] == []


def test_operation_ids_are_unique(operations: dict[str, dict[str, Any]]) -> None:
    """No two operations of the product have one id."""
    ids = [operation["operationId"] for operation in operations.values()]
    assert sorted({name for name in ids if ids.count(name) > 1}) == []
    assert ids


def test_references_lead_somewhere(document: dict[str, Any]) -> None:
    """Every reference of the document leads to a schema that is in it."""
    references = set(re.findall(r"'#/components/schemas/([^']+)'", str(document)))
    assert references - set(document["components"]["schemas"]) == set()


def test_a_wrong_route_is_found() -> None:
    """A route that declares nothing, or two rows, is named, also in a router that another includes."""
    inner, outer = APIRouter(), APIRouter(dependencies=[Depends(public)])

    @inner.get("/twice", dependencies=[Depends(permit("queue.read"))])
    async def twice() -> None: ...

    @inner.get("/forgotten")
    async def forgotten() -> None: ...

    assert wrong_rows(inner) == {"/forgotten": []}
    outer.include_router(inner)
    assert wrong_rows(outer) == {"/twice": [PUBLIC, "queue.read"]}

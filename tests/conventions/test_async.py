"""Nothing behind a route runs in a thread, as `def` routes and `def` dependencies would."""

import ast
import importlib
import inspect
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute


@pytest.fixture(scope="module")
def routers(modules: dict[str, ast.Module]) -> dict[str, APIRouter]:
    """Return every router that a module of the product defines."""
    found: dict[str, APIRouter] = {}
    for path in modules:
        if "/migrations/" in path:
            continue
        name = "firstline/" + path.partition("/firstline/")[2].removesuffix(".py").removesuffix("/__init__")
        module = importlib.import_module(name.replace("/", "."))
        found |= {f"{path}:{key}": value for key, value in vars(module).items() if isinstance(value, APIRouter)}
    return found


def _calls(dependant: Dependant) -> Iterator[Callable[..., Any]]:
    """Yield a route's endpoint and all of its dependencies."""
    if dependant.call is not None:
        yield dependant.call
    for child in dependant.dependencies:
        yield from _calls(child)


def _runs_in_the_loop(call: Callable[..., Any]) -> bool:
    """Say whether calling it runs in the event loop: an async function or generator, or an object with such a call."""
    candidates = [call] if inspect.isroutine(call) else [type(call).__call__] if not inspect.isclass(call) else []
    return any(inspect.iscoroutinefunction(c) or inspect.isasyncgenfunction(c) for c in candidates)


def _threaded(router: APIRouter) -> list[str]:
    """Name the routes and dependencies of a router that would run in a thread."""
    return [
        f"{route.path}: {getattr(call, '__name__', repr(call))}"
        for route in router.routes
        if isinstance(route, APIRoute)
        for call in _calls(route.dependant)
        if not _runs_in_the_loop(call)
    ]


def test_routes_and_dependencies_are_async(routers: dict[str, APIRouter]) -> None:
    """Every endpoint and every dependency of every router is an async function."""
    assert routers != {}
    assert {name: _threaded(router) for name, router in routers.items() if _threaded(router)} == {}


def test_a_threaded_route_is_found() -> None:
    """A `def` route, a `def` dependency and a class as dependency are each named."""
    router = APIRouter()

    class Page:
        """A class as dependency."""

    def caller() -> str:
        return "anna"

    @router.get("/sync")
    def plain() -> None: ...

    @router.get("/mixed")
    async def mixed(who: Annotated[str, Depends(caller)], page: Annotated[Page, Depends(Page)]) -> None: ...

    assert _threaded(router) == ["/sync: plain", "/mixed: caller", "/mixed: Page"]

"""What concerns the desk as a whole: is it ready, its figures, its API document, and time moved by hand."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import httpx
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Metric, generate_latest
from prometheus_client.registry import Collector

from firstline.common import problems
from firstline.common.application import VERSION, public
from firstline.common.errors import NotFound, Unavailable
from firstline.common.events import CATALOGUE
from firstline.common.runtime import Runtime
from firstline.common.telemetry import NO_TELEMETRY
from firstline.standalone import time
from firstline.standalone.gateway import merged_openapi
from firstline.standalone.time import HandMovedTime

router = APIRouter(tags=["operations"], dependencies=[Depends(public)])


class Services(Protocol):
    """All services of the desk, for questions that concern them together."""

    async def check_ready(self) -> None:
        """Make sure that each of them is ready.

        Raises:
            Unavailable: one isn't.

        """

    async def documents(self) -> Mapping[str, dict[str, Any]]:
        """Return the OpenAPI document of each.

        Raises:
            Unavailable: one can't be reached.

        """


class LocalServices:
    """The services of this process."""

    def __init__(self, apps: Mapping[str, FastAPI]) -> None:
        self._apps = apps

    async def check_ready(self) -> None:
        """Make sure that the stores of all services take writes."""
        for app in self._apps.values():
            runtime: Runtime = app.state.runtime
            await runtime.check_ready()

    async def documents(self) -> Mapping[str, dict[str, Any]]:
        """Return the OpenAPI document of each."""
        return {name: app.openapi() for name, app in self._apps.items()}


class RemoteServices:
    """The services as processes of their own, asked by HTTP."""

    def __init__(self, client: httpx.AsyncClient, urls: Mapping[str, str]) -> None:
        self._client = client
        self._urls = urls

    async def check_ready(self) -> None:
        """Make sure that one replica at least of each service is ready."""
        await self._ask("/readyz")

    async def documents(self) -> Mapping[str, dict[str, Any]]:
        """Return the OpenAPI document of each."""
        answers = await self._ask("/openapi.json")
        return {name: answer.json() for name, answer in answers.items()}

    async def _ask(self, path: str) -> dict[str, httpx.Response]:
        """Ask every service at once, so that only the slowest is waited for; one that fails fails the whole."""
        answers = await asyncio.gather(*(self._get(name, url + path) for name, url in self._urls.items()))
        return dict(zip(self._urls, answers, strict=True))

    async def _get(self, name: str, url: str) -> httpx.Response:
        """Ask one service; raise Unavailable, naming it, for whatever is not a success."""
        try:
            answer = await self._client.get(url)
        except httpx.TransportError as error:
            raise Unavailable(f"The service {name} can't be reached. Try again in a moment.") from error
        if not answer.is_success:
            raise Unavailable(f"The service {name} is not ready. Try again in a moment.")
        return answer


def registries(services: Mapping[str, FastAPI]) -> list[CollectorRegistry]:
    """Return the figures of each service of this process."""
    return [service.state.registry for service in services.values()]


def create_app(services: Services, figures: Iterable[CollectorRegistry], moved: HandMovedTime | None) -> FastAPI:
    """Return the application for the paths that belong to no single service.

    Args:
        services: all of the desk's.
        figures: of this process.
        moved: the clock that is moved by hand, None where time is the machine's.

    """
    # Without pages of its own at /docs: they would show these few paths, and load scripts from elsewhere.
    app = FastAPI(
        title="Firstline", version=VERSION, docs_url=None, redoc_url=None, openapi_url=None, telemetry=NO_TELEMETRY
    )
    app.state.services = services
    app.state.figures = CollectorRegistry()
    app.state.figures.register(_Figures(figures))
    app.state.time = moved
    problems.install(app)
    app.include_router(router)
    app.include_router(time.router)
    return app


class _Figures(Collector):
    """The figures of several registries; one that several have stands once, as the format wants, with all its lines."""

    def __init__(self, registries: Iterable[CollectorRegistry]) -> None:
        self._registries = tuple(registries)

    def collect(self) -> Iterable[Metric]:
        """Return each figure with the lines of all registries."""
        figures: dict[str, Metric] = {}
        for registry in self._registries:
            for figure in registry.collect():
                known = figures.setdefault(figure.name, figure)
                if known is not figure:
                    # Two blocks of one name are refused by those who read the format.
                    known.samples += figure.samples
        return figures.values()


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Say that the process answers."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(request: Request) -> dict[str, str]:
    """Say that every service of the desk takes work."""
    services: Services = request.app.state.services
    await services.check_ready()
    return {"status": "ready"}


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Give the figures of this process in Prometheus' text format."""
    return Response(generate_latest(request.app.state.figures), media_type=CONTENT_TYPE_LATEST)


@router.get("/openapi.json")
async def openapi(request: Request) -> dict[str, object]:
    """Give the API of all services as one OpenAPI document."""
    services: Services = request.app.state.services
    return merged_openapi(await services.documents(), VERSION)


@router.get("/v1/schemas/{event_type}")
async def read_event_schema(event_type: str) -> dict[str, object]:
    """Give the JSON Schema of an event's data, to which `dataschema` in its envelope points."""
    model = CATALOGUE.get(event_type)
    if model is None:
        raise NotFound("There is no such event type. docs/events.md lists them.")
    return model.model_json_schema()

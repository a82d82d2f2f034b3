"""What concerns the desk as a whole: is it ready, its figures, its API document, and time moved by hand."""

from collections.abc import Iterable, Mapping

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Metric, generate_latest
from prometheus_client.registry import Collector

from firstline.common import problems
from firstline.common.application import VERSION, public
from firstline.common.errors import NotFound
from firstline.common.events import CATALOGUE
from firstline.common.runtime import Runtime
from firstline.standalone import time
from firstline.standalone.gateway import merged_openapi
from firstline.standalone.time import HandMovedTime

router = APIRouter(tags=["operations"], dependencies=[Depends(public)])


def create_app(services: Mapping[str, FastAPI], moved: HandMovedTime | None) -> FastAPI:
    """Return the application for the paths that belong to no single service.

    Args:
        services: the applications by the name of their service.
        moved: the clock that is moved by hand, None where time is the machine's.

    """
    app = FastAPI(title="Firstline", version=VERSION, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.services = services
    app.state.figures = CollectorRegistry()
    app.state.figures.register(_Figures([service.state.registry for service in services.values()]))
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
                    known.samples += figure.samples
        return figures.values()


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Say that the process answers."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(request: Request) -> dict[str, str]:
    """Say that the stores of all services take writes."""
    services: Mapping[str, FastAPI] = request.app.state.services
    for app in services.values():
        runtime: Runtime = app.state.runtime
        await runtime.check_ready()
    return {"status": "ready"}


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Give the figures of all services in Prometheus' text format."""
    return Response(generate_latest(request.app.state.figures), media_type=CONTENT_TYPE_LATEST)


@router.get("/openapi.json")
async def openapi(request: Request) -> dict[str, object]:
    """Give the API of all services as one OpenAPI document."""
    services: Mapping[str, FastAPI] = request.app.state.services
    return merged_openapi({name: app.openapi() for name, app in services.items()}, VERSION)


@router.get("/v1/schemas/{event_type}")
async def read_event_schema(event_type: str) -> dict[str, object]:
    """Give the JSON Schema of an event's data, to which `dataschema` in its envelope points."""
    model = CATALOGUE.get(event_type)
    if model is None:
        raise NotFound("There is no such event type. docs/events.md lists them.")
    return model.model_json_schema()

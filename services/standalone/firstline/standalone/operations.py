"""What concerns the desk as a whole: is it ready, its figures, its API document, and time moved by hand."""

from collections.abc import Mapping

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from firstline.common import problems
from firstline.common.application import VERSION, public
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
    app.state.time = moved
    problems.install(app)
    app.include_router(router)
    app.include_router(time.router)
    return app


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
    services: Mapping[str, FastAPI] = request.app.state.services
    seen: dict[bytes, None] = {}
    for app in services.values():
        # HELP and TYPE of a figure stand once, however many services have it.
        seen.update(dict.fromkeys(generate_latest(app.state.registry).splitlines()))
    return Response(b"\n".join(seen) + b"\n", media_type=CONTENT_TYPE_LATEST)


@router.get("/openapi.json")
async def openapi(request: Request) -> dict[str, object]:
    """Give the API of all services as one OpenAPI document."""
    services: Mapping[str, FastAPI] = request.app.state.services
    return merged_openapi({name: app.openapi() for name, app in services.items()}, VERSION)

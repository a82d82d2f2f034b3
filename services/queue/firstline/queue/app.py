"""Queue's application: wiring, start and stop."""

from datetime import timedelta

from fastapi import FastAPI

from firstline.common.application import build_app
from firstline.common.erasure import Erasing, common_stages
from firstline.common.paging import Cursors
from firstline.common.runtime import Runtime
from firstline.queue import api, handlers, worker
from firstline.queue.service.desk import Queue


def create_app(runtime: Runtime, *, claim_key: bytes, cursor_key: bytes, lease: timedelta) -> FastAPI:
    """Return the service that says who is next.

    Args:
        runtime: store, bus, ports and tokens; started and stopped with the application.
        claim_key: seals claim tokens; intake verifies them with the same key.
        cursor_key: signs cursors.
        lease: how long a claim holds without being renewed.

    """
    queue = Queue(runtime, claim_key, Cursors(cursor_key), lease)

    async def start() -> None:
        runtime.consume(handlers.table(runtime.log))
        erasing = Erasing("queue", runtime.store, runtime.log, runtime.ports, common_stages())
        await runtime.start(works=[worker.expiry(queue), worker.figures(queue, waiting, oldest), erasing.worker()])

    app = build_app(runtime, "Firstline queue", [api.router], start=start, stop=runtime.stop)
    waiting, oldest = worker.gauges(app.state.registry)
    app.state.queue = queue
    return app

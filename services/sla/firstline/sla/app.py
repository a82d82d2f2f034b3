"""Sla's application: wiring, start and stop."""

from fastapi import FastAPI

from firstline.common.application import build_app
from firstline.common.erasure import Erasing, common_stages
from firstline.common.paging import Cursors
from firstline.common.runtime import Runtime
from firstline.sla import handlers, worker
from firstline.sla.api import calendars, clocks, forecasts, recomputes, reports, simulations
from firstline.sla.service.clocks import Sla
from firstline.sla.store import REFILLS


def create_app(runtime: Runtime, *, cursor_key: bytes) -> FastAPI:
    """Return the service of time.

    Args:
        runtime: store, bus, ports and tokens; started and stopped with the application.
        cursor_key: signs cursors.

    """
    sla = Sla(runtime, Cursors(cursor_key))

    async def start() -> None:
        runtime.consume(handlers.table(sla))
        erasing = Erasing("sla", runtime.store, runtime.log, runtime.ports, common_stages())
        await runtime.start(
            works=[worker.milestones(sla), worker.recomputing(sla), worker.simulating(sla), erasing.worker()]
        )
        if await runtime.store.read(lambda unit: unit.all(REFILLS)):  # only after an upgrade
            runtime.workers.append(refilling := worker.refilling(sla))
            refilling.start()

    routers = [calendars.router, recomputes.router, clocks.router, forecasts.router, reports.router, simulations.router]
    app = build_app(runtime, "Firstline sla", routers, start=start, stop=runtime.stop)
    app.state.sla = sla
    return app

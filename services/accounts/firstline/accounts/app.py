"""The accounts application: wiring, start and stop."""

from datetime import timedelta

from fastapi import FastAPI

from firstline.accounts import worker
from firstline.accounts.api import keys, licences, organizations, people, sign_in
from firstline.accounts.service.desk import Desk, Lives
from firstline.accounts.service.erasing import HANDLERS, erasing
from firstline.common.application import build_app
from firstline.common.paging import Cursors
from firstline.common.ports import Clock
from firstline.common.runtime import Runtime
from firstline.common.secrets import derive
from firstline.common.tokens import Signer


def create_app(
    runtime: Runtime,
    signer: Signer,
    wall: Clock,
    *,
    secret: bytes,
    access_life: timedelta = timedelta(minutes=15),
    refresh_life: timedelta = timedelta(days=30),
    refresh_grace: timedelta = timedelta(seconds=30),
) -> FastAPI:
    """Return the application of accounts.

    Args:
        runtime: store, log, ports; started and stopped with the application.
        signer: signs the tokens that every service accepts.
        wall: wall time, by which tokens and links expire; product time may be moved by hand.
        secret: the desk's secret, at least 16 bytes.
        access_life: how long a bearer token lives.
        refresh_life: how long a session lasts without being used.
        refresh_grace: how long a refresh token may come again after it was used.

    """
    desk = Desk(
        store=runtime.store,
        log=runtime.log,
        ports=runtime.ports,
        signer=signer,
        wall=wall,
        lives=Lives(access_life, refresh_life, refresh_grace),
        cursors=Cursors(derive(secret, "accounts cursors")),
        answers_key=derive(secret, "accounts answers"),
    )

    runtime.consume(HANDLERS)

    async def start() -> None:
        await runtime.start(works=[worker.expiry(desk), erasing(desk).worker()])

    routers = [people.router, organizations.router, licences.router, keys.router, sign_in.router]
    app = build_app(runtime, "Firstline accounts", routers, start=start, stop=runtime.stop)
    app.state.accounts = desk
    return app

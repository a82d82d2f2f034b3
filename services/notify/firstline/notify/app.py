"""Notify's application: wiring, start and stop."""

from fastapi import FastAPI

from firstline.common.application import build_app
from firstline.common.erasure import Erasing
from firstline.common.mail_out import MailPort
from firstline.common.outbound import HttpPort
from firstline.common.outbound_rules import OutboundRules
from firstline.common.paging import Cursors
from firstline.common.policy.model import Policy
from firstline.common.ports import Clock
from firstline.common.runtime import Runtime
from firstline.notify import handlers
from firstline.notify.api import deliveries, endpoints, events
from firstline.notify.service.desk import Books, Desk
from firstline.notify.service.erasing import Erasure
from firstline.notify.worker import Lanes, mail_worker


def create_app(
    runtime: Runtime,
    *,
    mail_port: MailPort,
    http_port: HttpPort,
    outbound: OutboundRules,
    policy: Policy,
    wall: Clock,
    mail_key: bytes,
    endpoint_key: bytes,
    cursor_key: bytes,
    desk_address: str,
    public_url: str,
) -> FastAPI:
    """Return the service that tells: mails, webhooks, the feed.

    Args:
        runtime: store, bus, ports and tokens.
        mail_port: how mails leave.
        http_port: how webhooks leave.
        outbound: where webhooks may go, for checks when an endpoint is made.
        policy: the policy in force; further versions come as events.
        wall: the machine's time, by which receivers judge signatures.
        mail_key: signs Message-IDs and reply addresses; intake verifies with the same key.
        endpoint_key: encrypts endpoints' secrets.
        cursor_key: signs cursors.
        desk_address: the desk's mail address.
        public_url: what links begin with.

    """
    desk = Desk(
        store=runtime.store,
        log=runtime.log,
        ports=runtime.ports,
        wall=wall,
        mail=mail_port,
        http=http_port,
        outbound=outbound,
        books=Books(policy),
        cursors=Cursors(cursor_key),
        mail_key=mail_key,
        endpoint_key=endpoint_key,
        address=desk_address,
        public_url=public_url.rstrip("/"),
    )
    return _application(runtime, desk)


def _application(runtime: Runtime, desk: Desk) -> FastAPI:
    """Return the application around an instance."""
    runtime.consume(handlers.table(desk))
    lanes = Lanes(desk)

    async def start() -> None:
        erasing = Erasing("notify", desk.store, desk.log, desk.ports, Erasure(desk).stages())
        works = [mail_worker(desk, runtime.lease("mail")), lanes.worker(runtime.lease("webhooks")), erasing.worker()]
        await runtime.start(works=works)

    async def stop() -> None:
        # Lanes first: the runtime's end waits for the step at hand,
        # and that one waits for lanes that may hang for seconds.
        await lanes.stop()
        await runtime.stop()

    app = build_app(
        runtime, "Firstline notify", [deliveries.router, endpoints.router, events.router], start=start, stop=stop
    )
    app.state.notify = desk
    return app

"""Intake's application: wiring, start and stop."""

from fastapi import FastAPI

from firstline.common.application import build_app
from firstline.common.files import Files
from firstline.common.paging import Cursors
from firstline.common.policy.model import Policy
from firstline.common.runtime import Runtime
from firstline.common.worker import Worker
from firstline.intake import handlers
from firstline.intake.api import attachments, mails, policy, tickets, verbs
from firstline.intake.parser import Parser
from firstline.intake.service.desk import Desk, Policies, publish_policy
from firstline.intake.service.inbound import MAIL_CHANNEL, MailSettings
from firstline.intake.worker import judge_mails

MAIL_POLL_SECONDS = 30.0


def create_app(
    runtime: Runtime,
    *,
    current: Policy,
    files: Files,
    parser: Parser,
    mail: MailSettings,
    claim_key: bytes,
    cursor_key: bytes,
) -> FastAPI:
    """Return the service of requests and correspondence.

    Args:
        runtime: store, bus, ports and tokens.
        current: the policy that new requests are taken under.
        files: where attachments and raw mail are kept.
        parser: reads raw mail.
        mail: the desk's own addresses and how senders are checked.
        claim_key: verifies queue's claim tokens.
        cursor_key: signs cursors.

    """
    desk = Desk(runtime.store, runtime.log, runtime.ports, files, Policies(current), claim_key, Cursors(cursor_key))
    runtime.consume(handlers.table(desk))

    async def start() -> None:
        wake = runtime.store.listen(MAIL_CHANNEL)
        mail_worker = Worker(
            "intake: mail",
            lambda: judge_mails(desk, parser, mail),
            runtime.ports,
            wake=wake,
            poll_seconds=MAIL_POLL_SECONDS,
        )
        await runtime.start(works=[mail_worker])
        await runtime.store.write(lambda unit: publish_policy(desk, unit))

    routers = [tickets.router, verbs.router, attachments.router, mails.router, policy.router]
    app = build_app(runtime, "Firstline intake", routers, start=start, stop=runtime.stop)
    app.state.intake = desk
    return app

"""Intake's application: wiring, start and stop."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any

import structlog
from fastapi import FastAPI

from firstline.common.application import build_app
from firstline.common.erasure import Erasing
from firstline.common.files import Files
from firstline.common.paging import Cursors
from firstline.common.policy.model import Policy
from firstline.common.runtime import Runtime
from firstline.common.vault import Vault
from firstline.common.worker import Worker
from firstline.intake import handlers
from firstline.intake.api import (
    access,
    articles,
    attachments,
    bulk,
    canned,
    held_mails,
    held_texts,
    incidents,
    mails,
    partner_webhooks,
    policy,
    relations,
    releases,
    reports,
    supervision,
    tickets,
    verbs,
)
from firstline.intake.figures import IntakeFigures
from firstline.intake.judge import Judge
from firstline.intake.parser import Parser
from firstline.intake.scanner import NoScanner, Scanner
from firstline.intake.service.desk import Desk, Policies, publish_policy
from firstline.intake.service.erasing import Erasure
from firstline.intake.service.held import MailRoom
from firstline.intake.service.inbound import MailSettings, keep_mail
from firstline.intake.service.looking import LookingStore, Tally
from firstline.intake.service.partners import Partners
from firstline.intake.service.rotation import missing_keys
from firstline.intake.service.scanning import scan_held
from firstline.intake.smtp import InboundSmtp
from firstline.intake.worker import (
    access_worker,
    file_worker,
    held_text_worker,
    incident_worker,
    mail_worker,
    policy_worker,
    release_worker,
    silence_worker,
    sweep_worker,
    vault_worker,
)

ROUTERS = (
    bulk.router,
    tickets.router,
    verbs.router,
    access.router,
    relations.router,
    attachments.router,
    mails.router,
    held_mails.router,
    held_texts.router,
    articles.router,
    canned.router,
    partner_webhooks.router,
    policy.router,
    releases.router,
    incidents.router,
    incidents.banners_router,
    reports.router,
    supervision.router,
)
_log = structlog.get_logger(__name__)
LARGER_BODIES = {"/v1/attachments": attachments.FORM_LIMIT}


def create_app(
    runtime: Runtime,
    *,
    current: Policy,
    files: Files,
    parser: Parser,
    judge: Judge,
    mail: MailSettings,
    claim_key: bytes,
    cursor_key: bytes,
    vault: Vault,
    listen: tuple[str, int] | None = None,
    partners: Partners | None = None,
    scanner: Scanner | None = None,
) -> FastAPI:
    """Return the service of requests and correspondence.

    Args:
        runtime: store, bus, ports and tokens.
        current: the policy that new requests are taken under.
        files: where attachments and raw mail are kept.
        parser: reads raw mail.
        judge: says which files can be taken.
        mail: the desk's own addresses and how senders are checked.
        claim_key: verifies queue's claim tokens.
        cursor_key: signs cursors.
        vault: seals what clients entrust to the desk.
        listen: host and port for mail by SMTP, None where this process takes none.
        partners: the systems that may send webhooks, None where none may.
        scanner: looks for malware, None where nobody does.

    """
    rest = {"claim_key": claim_key, "cursors": Cursors(cursor_key), "vault": vault, "judge": judge}
    desk = _desk(runtime, files, Policies(current), scanner=scanner or NoScanner(), **rest)
    runtime.consume(handlers.table(desk))
    smtp = _smtp(desk, mail, *listen) if listen else None

    async def start() -> None:
        await _prepare(desk)
        await runtime.start(works=_works(runtime, desk, parser, mail))
        if smtp is not None:
            await smtp.start()

    # From the outside in: no new mail, then the work at hand, then the children that it needs.
    stop = partial(_stop, (*([smtp.stop] if smtp else []), runtime.stop, parser.stop, judge.stop))
    app = build_app(runtime, "Firstline intake", ROUTERS, start=start, stop=stop, larger_bodies=LARGER_BODIES)
    app.state.intake, app.state.partners = desk, partners or Partners({}, runtime.ports.clock)
    app.state.registry.register(IntakeFigures(desk))
    app.state.mail_room, app.state.smtp = MailRoom(desk, parser, mail), smtp
    return app


def _desk(runtime: Runtime, files: Files, policies: Policies, **rest: Any) -> Desk:
    """Return the instance, before whose store long texts are looked at for secrets."""
    tally: Tally = Counter()
    store = LookingStore(runtime.store, runtime.ports.offload, policies.detector, tally)
    return Desk(store, runtime.log, runtime.ports, files, policies, held=tally, **rest)


async def _stop(ends: Iterable[Callable[[], Awaitable[None]]]) -> None:
    """Stop one part after the other."""
    for end in ends:
        await end()


async def _prepare(desk: Desk) -> None:
    """Do what comes before any work: an open request is changed under the policy that it was taken under."""
    await desk.store.open()
    # Before the first request, which names the version that it is taken under.
    await desk.store.write(lambda unit: publish_policy(desk, unit))
    if isinstance(desk.scanner, NoScanner):
        await scan_held(desk)  # what waited for a scanner that is there no more; nothing waits from now on
    if desk.vault.locked:
        # And goes on: without the vault's key requests and answers work, only access data wait (ADR 12).
        _log.error("the vault is locked", reason=desk.vault.locked)
    elif missing := await missing_keys(desk):
        _log.error(
            "values are sealed with keys that are not here", keys=missing, advice="Put them back; nothing is lost."
        )


def _works(runtime: Runtime, desk: Desk, parser: Parser, mail: MailSettings) -> list[Worker]:
    """Return the timed work of this service."""
    erasure = Erasure(desk)
    return [
        mail_worker(desk, parser, mail, runtime.lease("mails")),
        *([] if isinstance(desk.scanner, NoScanner) else [file_worker(desk)]),
        policy_worker(desk),
        release_worker(desk),
        held_text_worker(desk),
        incident_worker(desk),
        silence_worker(desk, runtime.lease("silence")),
        access_worker(desk, runtime.lease("access")),
        vault_worker(desk, runtime.lease("vault")),
        Erasing("intake", desk.store, desk.log, desk.ports, erasure.stages(), erasure.unread).worker(),
        sweep_worker(desk, runtime.lease("sweep")),
    ]


def _smtp(desk: Desk, mail: MailSettings, host: str, port: int) -> InboundSmtp:
    """Return the listener that keeps each mail before it says 250."""

    async def accept(raw: bytes, mail_from: str, rcpt_to: tuple[str, ...], _peer: str) -> None:
        await keep_mail(desk, raw, mail_from, rcpt_to)

    addresses = tuple(sorted(mail.rules.own_addresses))
    return InboundSmtp(host, port, addresses, accept, desk.ports.clock, desk.ports.spawn)

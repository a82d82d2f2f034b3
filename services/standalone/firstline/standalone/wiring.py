"""Which settings go to which service.

A service's modules are imported when it is made: a process of one service has no use for the others'.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
from fastapi import FastAPI

from firstline.common.addresses import normal_address
from firstline.common.files import Files
from firstline.common.mail_out import CapturedMail, MailPort, SmtpMail
from firstline.common.outbound import GuardedHttp, Resolver
from firstline.common.outbound_rules import OutboundRules
from firstline.common.policy.model import Policy
from firstline.common.ports import Clock, Ports
from firstline.common.runtime import Runtime
from firstline.common.secrets import derive
from firstline.common.settings import Settings
from firstline.standalone.kept import bucket_files, local_files
from firstline.standalone.keys import Keys, vault_of

if TYPE_CHECKING:
    from firstline.intake.scanner import Scanner

MAIL_SECONDS = 20.0
"""How long a conversation with the relay may take: a stop waits for it, and has to be over in half a minute."""

LEFT_OVER = timedelta(days=1)
"""Older than this, a half-written file in a folder that several processes share is nobody's any more."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the services are made from.

    Attributes:
        public_url: the address by which people reach the desk.
        ports: time of the product, randomness, IDs.
        wall: the time that tokens and signatures go by, also where product time is moved by hand.
        keys: the desk's secret, and the keys that sign tokens.
        policy: the one in force.
        resolver: finds the addresses of webhook receivers.

    """

    settings: Settings
    public_url: str
    ports: Ports
    wall: Clock
    keys: Keys
    policy: Policy
    resolver: Resolver
    shared: bool = False
    """Whether other processes write to the same folder."""

    def key(self, purpose: str) -> bytes:
        """Return the key for a purpose, derived from the desk's secret."""
        # One secret to keep, and for each purpose a key from which no other can be told (HKDF, RFC 5869).
        return derive(self.keys.secret, purpose)


def create_service(parts: Parts, runtime: Runtime) -> FastAPI:
    """Return the application of the service whose runtime it is."""
    return CREATE[runtime.name](parts, runtime)


def _accounts(parts: Parts, runtime: Runtime) -> FastAPI:
    """Return accounts, the one service with the key that signs for people."""
    from firstline.accounts.app import create_app

    return create_app(runtime, parts.keys.signer(parts.wall), parts.wall, secret=parts.keys.secret)


def _queue(parts: Parts, runtime: Runtime) -> FastAPI:
    """Return queue; its claim tokens are sealed with a key that intake has too."""
    from firstline.queue.app import create_app

    return create_app(
        runtime,
        claim_key=parts.key("claim-token"),
        cursor_key=parts.key("queue cursors"),
        lease=timedelta(minutes=parts.settings.lease_minutes),
    )


def _sla(parts: Parts, runtime: Runtime) -> FastAPI:
    """Return sla."""
    from firstline.sla.app import create_app

    return create_app(runtime, cursor_key=parts.key("sla cursors"))


def _intake(parts: Parts, runtime: Runtime) -> FastAPI:
    """Return intake, with its children that parse mail and judge files, the vault and the way in for mail."""
    from firstline.intake.app import create_app
    from firstline.intake.inbound import MailRules
    from firstline.intake.judge import FileJudge
    from firstline.intake.parser import MailParser
    from firstline.intake.service.inbound import MailSettings
    from firstline.standalone.partners import load_partners

    settings, ports = parts.settings, parts.ports
    # The desk's own address is known, so that a mail from it is never a client's: a loop would begin with that.
    rules = MailRules(frozenset({normal_address(settings.mail_from)}), settings.mail_auth_server or None)
    return create_app(
        runtime,
        current=parts.policy,
        files=_files(parts),
        parser=MailParser(ports.clock, ports.spawn),
        judge=FileJudge(ports.clock, ports.spawn),
        mail=MailSettings(rules, parts.key("mail")),
        claim_key=parts.key("claim-token"),
        cursor_key=parts.key("intake cursors"),
        vault=vault_of(settings, ports.random),
        listen=(settings.host, settings.smtp_port),
        partners=load_partners(settings.partners, parts.wall),
        scanner=_scanner(settings.clamd),
    )


def _files(parts: Parts) -> Files:
    """Return the bucket that the settings name, else the desk's folder, tidied up after a kill."""
    if parts.settings.bucket:
        return bucket_files(parts.settings, parts.ports)
    kept = local_files(parts.settings, parts.ports)
    # A process that is alone may remove all of them: nobody else is in the middle of one.
    kept.remove_left_overs(parts.wall.now() - LEFT_OVER if parts.shared else None)
    return kept


def _scanner(address: str) -> "Scanner | None":
    """Return the virus scanner that the settings name, None where nobody looks."""
    from firstline.intake.scanner import Clamd

    host, _, port = address.rpartition(":")
    # Brackets belong to an IPv6 address's way of standing before a port, not to the address.
    return Clamd(host.strip("[]"), int(port)) if address else None


def _notify(parts: Parts, runtime: Runtime) -> FastAPI:
    """Return notify, with its ways out."""
    from firstline.notify.app import create_app

    settings, ports = parts.settings, parts.ports
    rules = OutboundRules.allowing(filter(None, map(str.strip, settings.outbound_allow.split(","))))
    return create_app(
        runtime,
        mail_port=_mail_port(settings, ports),
        http_port=GuardedHttp(rules, parts.resolver),
        outbound=rules,
        policy=parts.policy,
        wall=parts.wall,
        mail_key=parts.key("mail"),
        endpoint_key=parts.key("endpoint secrets"),
        cursor_key=parts.key("notify cursors"),
        desk_address=settings.mail_from,
        public_url=parts.public_url,
    )


def _mail_port(settings: Settings, ports: Ports) -> MailPort:
    """Return the relay that the settings name, else the folder that keeps mails."""
    if not settings.mail_smtp:
        folder = settings.data / "mail"
        # Without a relay nothing leaves the machine: whoever tries
        # the desk reads its mails in a folder, and writes to nobody.
        folder.mkdir(parents=True, exist_ok=True)
        return CapturedMail(folder, ports.offload)
    host, _, port = settings.mail_smtp.rpartition(":")
    return SmtpMail(
        host.strip("[]"),
        int(port),
        hello=settings.mail_from.rpartition("@")[2],
        security=settings.mail_smtp_security,
        username=settings.mail_smtp_user or None,
        password=settings.mail_smtp_password.get_secret_value() or None,
        deadline=MAIL_SECONDS,
    )


CREATE: Mapping[str, Callable[[Parts, Runtime], FastAPI]] = {
    "accounts": _accounts,
    "intake": _intake,
    "queue": _queue,
    "sla": _sla,
    "notify": _notify,
}
SERVICES = tuple(CREATE)
"""The services that have a store, in the order in which they start."""


def create_website(parts: Parts, api: httpx.AsyncClient) -> FastAPI:
    """Return the website's application, a client of the public API."""
    from firstline.web.app import create_app

    return create_app(api, parts.key("cookie"), parts.public_url, parts.ports)

"""A whole notify service on a SQLite file: events come over the bus, mails fall into a folder, webhooks into sinks."""

import asyncio
import ipaddress
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from fastapi import FastAPI
from firstline.common.bus import LocalBus
from firstline.common.envelope import Envelope
from firstline.common.event_parts import EventData
from firstline.common.events import (
    AccountPersonChanged,
    Actor,
    Author,
    Origin,
    Recipient,
    RequesterRef,
    Scope,
    TicketReplied,
    TicketSubmitted,
)
from firstline.common.mail_out import CapturedMail, MailPort
from firstline.common.outbound import GuardedHttp, Limits, SystemResolver
from firstline.common.outbound_rules import OutboundRules
from firstline.common.permissions import Principal, Role
from firstline.common.policy.loader import load_policy
from firstline.common.policy.model import Policy
from firstline.common.ports import ManualClock, SystemClock, offload, system_ports
from firstline.common.runtime import Runtime
from firstline.common.store.migrate import migrate_sqlite
from firstline.common.store.port import Unit
from firstline.common.store.sqlite import SqliteStore
from firstline.common.tokens import Signer, Verifier, new_key
from firstline.notify.app import create_app

T = TypeVar("T")
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
NUMBER = "FL-7K3M-9QPX"
TICKET = "01a20a9f-c5c5-70bd-88a6-739183c09006"
DESK = "support@firstline.example"
CLARA = "clara@shop.example"
KEY = b"k" * 32
ACTOR = Actor(id="somebody", role="client")
STAFF = Author(id="anna", address="anna@firstline.example", name="Anna", role="agent", side="staff")
CLIENT = Author(id="clara", address=CLARA, name="Clara", role="client", side="client")


@dataclass(slots=True)
class HttpSink:
    """A webhook receiver on a loopback socket: keeps what comes and answers as it is told, or not at all."""

    answers: list[bytes] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    hangs: bool = False
    port: int = 0
    server: asyncio.Server | None = None
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """The receiver's address."""
        return f"http://127.0.0.1:{self.port}/hooks"

    async def start(self) -> None:
        """Listen on a free port."""
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Listen no more."""
        assert self.server is not None
        self.server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        self.got.append((headers, await reader.readexactly(int(headers.get("content-length", "0")))))
        self.arrived.set()
        if self.hangs:
            await reader.read()
        else:
            status = self.answers.pop(0) if self.answers else b"204 No Content"
            first, _, more = status.partition(b"|")
            writer.write(b"HTTP/1.1 " + first + b"\r\n" + more + b"Content-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
        writer.close()


@dataclass(slots=True)
class World:
    """The service at work, and what tests do with it."""

    app: FastAPI
    runtime: Runtime
    clock: ManualClock
    client: httpx.AsyncClient
    policy: Policy
    folder: Path
    path: Path
    signer: Signer
    versions: dict[str, int] = field(default_factory=dict)
    positions: dict[str, int] = field(default_factory=dict)

    def token(self, role: str, **who: Any) -> dict[str, str]:
        """Return the headers of a call by somebody with that role."""
        known = {"id": f"the {role}", "email": f"{role}@firstline.example"} | who
        token = self.signer.token(Principal(role=Role(role), **known), timedelta(hours=1))
        return {"Authorization": f"Bearer {token}"}

    async def call(self, method: str, path: str, role: str = "admin", body: Any = None, **given: Any) -> httpx.Response:
        """Call the API; `headers` are added, everything else describes the caller."""
        headers = given.pop("headers", {})
        return await self.client.request(method, path, json=body, headers=self.token(role, **given) | headers)

    async def get(self, path: str, role: str = "admin", **who: Any) -> Any:
        """Return what a GET answers."""
        answer = await self.call("GET", path, role, **who)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def envelope(self, event: EventData, stream: str, source: str = "intake", **marks: Any) -> Envelope:
        """Return an event as its producer would send it next."""
        version = self.versions[stream] = self.versions.get(stream, 0) + 1
        position = self.positions[source] = self.positions.get(source, 0) + 1
        kind, _, identity = stream.partition("/")
        facts = {
            "id": self.runtime.ports.ids.new(),
            "time": self.clock.now(),
            "subject": identity if kind in ("ticket", "entry") else None,
            "log": "the log",
            "hash": f"{source} {position}",
        }
        data = event.model_dump(mode="json")
        return Envelope(
            type=event.TYPE,
            source=source,
            stream=stream,
            version=version,
            position=position,
            data=data,
            **facts | marks,
        )

    async def tell(
        self, *events: EventData, stream: str = f"ticket/{TICKET}", source: str = "intake"
    ) -> list[Envelope]:
        """Publish events that belong together and wait until the service has applied them."""
        sent = [self.envelope(event, stream, source) for event in events]
        await self.runtime.bus.publish([one.model_dump_json().encode() for one in sent])
        assert self.runtime.inbox is not None
        assert await self.runtime.inbox.parked() == []
        return sent

    async def settle(self) -> None:
        """Do all work that is due, and what follows from it, also from steps that the workers took by themselves."""
        idle = 0
        while idle < 2:
            idle = 0 if await self.runtime.settle() else idle + 1

    async def pass_time(self, span: timedelta) -> None:
        """Move product time forward and do what has fallen due."""
        self.clock.move(self.clock.now() + span)
        await self.settle()

    async def deliveries(self, query: str = "") -> list[dict[str, Any]]:
        """Return deliveries, oldest first."""
        page = await self.get(f"/v1/deliveries?limit=100&{query}")
        return list(reversed(page["items"]))

    def mails(self) -> list[EmailMessage]:
        """Return captured mails in the order of their deliveries."""
        files = sorted(self.folder.glob("*.eml"))
        return [message_from_bytes(f.read_bytes(), policy=policy.default) for f in files]

    def texts(self) -> list[str]:
        """Return the texts of captured mails, with plain line ends."""
        return [str(mail.get_content()).replace("\r\n", "\n") for mail in self.mails()]

    async def write(self, work: Callable[[Unit], Awaitable[T]]) -> T:
        """Run a unit of work on the store."""
        return await self.runtime.store.write(work)

    def submitted(self, **changes: Any) -> TicketSubmitted:
        """Return a new request of Clara's, changed as wanted."""
        facts: dict[str, Any] = {
            "actor": Actor(id="clara", role="client"),
            "number": NUMBER,
            "status": "new",
            "organization_id": "shop",
            "recipients": [Recipient(address=CLARA, name="Clara")],
            "subject": "Site white after the update",
            "body": "The front page is white.",
            "requester": RequesterRef(id="clara", email=CLARA, name="Clara"),
            "language": "en",
            "urgency": "normal",
            "tier": "helpdesk",
            "scope": Scope(verdict="in", support_mode="full"),
            "entitlement": "active",
            "received_at": self.clock.now(),
            "policy_version": self.policy.version,
            "origin": Origin(channel="api"),
        }
        return TicketSubmitted(**facts | changes)

    def by_mail(self, address: str, **changes: Any) -> TicketSubmitted:
        """Return a new request that came by a mail without proof of its sender."""
        facts: dict[str, Any] = {
            "requester": RequesterRef(email=address, name="Mallory http://evil.example"),
            "recipients": [Recipient(address=address, name="Mallory http://evil.example")],
            "subject": "Buy now http://evil.example",
            "organization_id": None,
            "origin": Origin(channel="email", verified=False, mail_id="m1", message_id="<one@evil.example>"),
        }
        return self.submitted(**facts | changes)

    def replied(self, author: Author = STAFF, **changes: Any) -> TicketReplied:
        """Return a public message."""
        facts: dict[str, Any] = {
            "actor": ACTOR,
            "number": NUMBER,
            "status": "open",
            "organization_id": "shop",
            "recipients": [Recipient(address=CLARA, name="Clara")],
            "message_id": "message",
            "author": author,
            "body": "Clear the cache.",
            "received_at": self.clock.now(),
            "origin": Origin(channel="api"),
        }
        return TicketReplied(**facts | changes)

    async def knows(self, email: str, **facts: Any) -> None:
        """Let accounts have told of a person."""
        person = {"actor": ACTOR, "id": email, "email": email, "role": "client", "active": True} | facts
        await self.tell(AccountPersonChanged(**person), stream=f"person/{email}", source="accounts")


def build(
    path: Path,
    clock: ManualClock,
    signer: Signer,
    policy: Policy,
    mail_port: MailPort,
    limits: Limits | None = None,
) -> FastAPI:
    """Return the application on a store file; webhooks may go to loopback."""
    ports = system_ports(clock)
    rules = OutboundRules(networks=(ipaddress.ip_network("127.0.0.1/32"),))
    runtime = Runtime(
        "notify",
        ports=ports,
        store=SqliteStore(path, ports),
        bus=LocalBus(),
        verifier=Verifier(signer.public_keys(), SystemClock()),
        read_logs={},
    )
    return create_app(
        runtime,
        mail_port=mail_port,
        http_port=GuardedHttp(rules, SystemResolver(), limits=limits),
        outbound=rules,
        policy=policy,
        wall=SystemClock(),
        mail_key=KEY,
        endpoint_key=KEY,
        cursor_key=KEY,
        desk_address=DESK,
        public_url="https://desk.example/",
    )


@pytest.fixture(scope="session")
def shipped_policy() -> Policy:
    """Return the policy that comes along."""
    return load_policy(Path(__file__).parents[2] / "policies" / "bitrix24.yaml")


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store file with the newest schema, to be copied."""
    path = tmp_path_factory.mktemp("notify") / "empty.db"
    migrate_sqlite("notify", path)
    return path


Start = Callable[..., Awaitable[World]]


@pytest.fixture
async def start(tmp_path: Path, empty_store: Path, shipped_policy: Policy) -> AsyncIterator[Start]:
    """Return a function that starts the service, with another way out for mails, limits or policy where given."""
    folder, path = tmp_path / "mail", tmp_path / "notify.db"
    folder.mkdir()
    running: list[Any] = []

    async def begin(
        *, mail_port: MailPort | None = None, limits: Limits | None = None, policy: Policy = shipped_policy
    ) -> World:
        shutil.copy(empty_store, path)
        clock, signer = ManualClock(NOON), Signer(new_key("test"), SystemClock())
        app = build(path, clock, signer, policy, mail_port or CapturedMail(folder, offload), limits)
        lifespan = app.router.lifespan_context(app)
        await lifespan.__aenter__()
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://notify")
        running.append((lifespan, client))
        return World(app, app.state.runtime, clock, client, policy, folder, path, signer)

    yield begin
    for lifespan, client in running:
        await client.aclose()
        await lifespan.__aexit__(None, None, None)


@pytest.fixture
async def world(start: Start) -> World:
    """Return the service at work, at noon of a Monday."""
    return await start()


@pytest.fixture
async def sinks() -> AsyncIterator[Callable[..., Awaitable[HttpSink]]]:
    """Return a function that starts webhook receivers."""
    started: list[HttpSink] = []

    async def begin(**given: Any) -> HttpSink:
        sink = HttpSink(**given)
        await sink.start()
        started.append(sink)
        return sink

    yield begin
    for sink in started:
        await sink.stop()

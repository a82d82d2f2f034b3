"""A whole intake service on a SQLite file and a folder, called over HTTP, fed over the bus and with mails."""

import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from firstline.common.bus import LocalBus
from firstline.common.envelope import Envelope
from firstline.common.events import CATALOGUE
from firstline.common.files import LocalFiles
from firstline.common.log import STREAM_EVENTS
from firstline.common.permissions import Principal, Role
from firstline.common.policy.model import Policy
from firstline.common.ports import ManualClock, Ports, SystemClock, system_ports
from firstline.common.runtime import Runtime
from firstline.common.secrets import seal
from firstline.common.store.port import Store
from firstline.common.store.sqlite import SqliteStore
from firstline.common.tokens import Signer, Verifier, new_key
from firstline.common.vault import KeyedVault, Vault
from firstline.intake.app import create_app
from firstline.intake.inbound import MailRules
from firstline.intake.judge import InProcessJudge
from firstline.intake.parser import InProcessParser, Parser
from firstline.intake.scanner import Scanner
from firstline.intake.service.desk import Desk
from firstline.intake.service.inbound import MailSettings, keep_mail
from PIL import Image

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
CLAIM_KEY, CURSOR_KEY, MAIL_KEY = b"claims" * 6, b"cursors" * 5, b"mail" * 8
VAULT_KEY = b"v" * 32
DESK_ADDRESS = "support@firstline.example"
SIGNER = Signer(new_key("test"), SystemClock())
MOVING = ("log_relay", "alembic_version_intake")
"""Tables that change without anybody's doing."""


OpenWorld = Callable[..., AbstractAsyncContextManager["World"]]


def principal_of(who: str) -> Principal:
    """Return somebody by `role:name` or `role:name@organisation`; the address is the name's."""
    role, _, rest = who.partition(":")
    name, _, organization = rest.partition("@")
    name = name or role
    return Principal(name, Role(role), f"{name}@shop.example", organization or None, name=name.title())


@dataclass(slots=True)
class World:
    """The service at work, and what tests do with it."""

    app: FastAPI
    runtime: Runtime
    clock: ManualClock
    client: httpx.AsyncClient
    bus: LocalBus
    folder: Path
    versions: dict[str, int] = field(default_factory=dict)
    positions: dict[str, int] = field(default_factory=dict)

    @property
    def desk(self) -> Desk:
        """The service's instance."""
        desk: Desk = self.app.state.intake
        return desk

    def headers(self, who: str | Principal | None) -> dict[str, str]:
        """Return the headers of a call by somebody, or by nobody."""
        if who is None:
            return {}
        principal = principal_of(who) if isinstance(who, str) else who
        return {"Authorization": f"Bearer {SIGNER.token(principal, timedelta(hours=1))}"}

    async def get(self, path: str, who: str | Principal | None = "agent:anna", **query: Any) -> httpx.Response:
        """Read."""
        return await self.client.get(path, params=query, headers=self.headers(who))

    async def post(
        self, path: str, body: Any = None, who: str | Principal | None = "agent:anna", **headers: str
    ) -> httpx.Response:
        """Post JSON; further headers with `_` for `-`."""
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(path, json=body, headers=self.headers(who) | more)

    async def submit(self, who: str | Principal = "client:clara", **body: Any) -> dict[str, Any]:
        """Send a request, which has to be taken; return its document."""
        answer = await self.post("/v1/tickets", {"subject": "White page", "body": "Nothing to see."} | body, who)
        assert answer.status_code == 201, answer.text
        document: dict[str, Any] = answer.json()
        return document

    async def verb(
        self, ticket: Mapping[str, Any], verb: str, body: Any, who: str | Principal = "agent:anna", **headers: str
    ) -> httpx.Response:
        """Use a verb on a request."""
        return await self.post(f"/v1/tickets/{ticket['id']}/{verb}", body, who, **headers)

    async def must(
        self, ticket: Mapping[str, Any], verb: str, body: Any, who: str | Principal = "agent:anna"
    ) -> dict[str, Any]:
        """Use a verb, which has to succeed; return the request's document."""
        answer = await self.verb(ticket, verb, body, who)
        assert answer.is_success, answer.text
        document: dict[str, Any] = answer.json()
        shown: dict[str, Any] = document.get("ticket", document)
        return shown

    async def messages(self, ticket: Mapping[str, Any], who: str = "agent:anna") -> list[dict[str, Any]]:
        """Return a request's messages."""
        items: list[dict[str, Any]] = (await self.get(f"/v1/tickets/{ticket['id']}/messages", who)).json()["items"]
        return items

    async def ticket(self, ticket_id: str) -> dict[str, Any]:
        """Return a request as staff sees it."""
        document: dict[str, Any] = (await self.get(f"/v1/tickets/{ticket_id}")).json()
        return document

    async def events(self, ticket_id: str, after: int = 0) -> list[tuple[str, dict[str, Any]]]:
        """Return the events of a request's log after a version, each valid under its model."""
        rows = await self.runtime.store.read(
            lambda unit: unit.all(STREAM_EVENTS, stream=f"ticket/{ticket_id}", after=after, limit=1000)
        )
        assert [row.version for row in rows] == list(range(after + 1, after + len(rows) + 1))
        return [(row.type, CATALOGUE[row.type].model_validate_json(row.data or "").model_dump()) for row in rows]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the store's file directly."""
        return self._all(query)[0]

    def _all(self, *queries: str) -> list[list[tuple[Any, ...]]]:
        """Ask the file by one connection, since each reads the whole schema first."""
        with closing(sqlite3.connect(self.folder / "intake.db")) as connection:
            return [connection.execute(query).fetchall() for query in queries]

    def change(self, statement: str) -> None:
        """Change the store's file directly, as somebody who has got at it might."""
        connection = sqlite3.connect(self.folder / "intake.db")
        try:
            with connection:
                connection.execute(statement)
        finally:
            connection.close()

    def use_vault(self, vault: Vault) -> None:
        """Let the service work with another vault, as after a start with other keys."""
        object.__setattr__(self.desk, "vault", vault)

    def stored(self) -> dict[str, object]:
        """Return all that is kept: how many rows each table has, the requests as they stand, and the files."""
        found = [name for (name,) in self.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
        names = [name for name in found if name not in MOVING and not name.startswith("sqlite_")]
        counted = self._all("SELECT * FROM ticket ORDER BY id", *(f"SELECT count(*) FROM {name}" for name in names))
        return {"tickets": counted[0], "files": self.files(), **dict(zip(names, counted[1:], strict=True))}

    def files(self) -> list[str]:
        """Return the names of all files that are kept."""
        return sorted(path.name for path in (self.folder / "files").rglob("*") if path.is_file())

    async def upload(
        self, who: str | Principal = "client:clara", name: str = "a.png", content: bytes | None = None
    ) -> str:
        """Upload a file, which has to be taken; return its ID."""
        files = {"file": (name, content or picture(), "application/octet-stream")}
        answer = await self.client.post("/v1/attachments", files=files, headers=self.headers(who))
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def tell(self, event_type: str, stream: str, **data: Any) -> Envelope:
        """Let another service publish an event, valid under its model."""
        source = {"queue": "queue"}.get(event_type.partition(".")[0], "accounts")
        position = self.positions[source] = self.positions.get(source, 0) + 1
        version = self.versions[stream] = self.versions.get(stream, 0) + 1
        event = CATALOGUE[event_type].model_validate({"actor": {"id": "somebody", "role": "agent"}} | data)
        envelope = Envelope(
            id=f"{source}-{position}",
            type=event_type,
            source=source,
            time=self.clock.now(),
            subject=stream.partition("/")[2],
            stream=stream,
            version=version,
            log=f"log of {source}",
            position=position,
            hash=f"hash {position}",
            data=event.model_dump(mode="json"),
        )
        await self.bus.publish([envelope.model_dump_json().encode()])
        return envelope

    async def claims(self, ticket: Mapping[str, Any], event_type: str, agent: str | None, fence: int) -> None:
        """Let queue tell of a claim; its lease lasts half an hour."""
        key = {"out_of_turn": False, "since": self.clock.now(), "position": 1}
        lease = self.clock.now() + timedelta(minutes=30)
        facts = {"number": ticket["number"], "key": key, "agent": agent, "fence": fence, "lease_expires_at": lease}
        await self.tell(event_type, f"entry/{ticket['id']}", **facts)

    def claim_token(self, ticket: Mapping[str, Any], agent: str = "anna", fence: int = 1, minutes: int = 30) -> str:
        """Return a claim token as queue makes it."""
        expires = self.clock.now() + timedelta(minutes=minutes)
        facts = {"ticket_id": ticket["id"], "agent": agent, "fence": fence, "exp": expires.isoformat()}
        return seal(CLAIM_KEY, facts)

    async def person(self, who: str, organization: str | None = None, **more: Any) -> None:
        """Let accounts tell of a person."""
        facts = {"id": who, "email": f"{who}@shop.example", "role": "client", "active": True}
        await self.tell("account.person_changed", f"person/{who}", **facts | {"organization_id": organization} | more)

    async def keep(self, raw: bytes, mail_from: str = "clara@shop.example", to: str = DESK_ADDRESS) -> str:
        """Take a mail in, without judging it; return its ID."""
        return await keep_mail(self.desk, raw, mail_from, (to,))

    async def mail(self, raw: bytes, mail_from: str = "clara@shop.example", to: str = DESK_ADDRESS) -> dict[str, Any]:
        """Take a mail in and judge it; return what staff sees of it."""
        mail_id = await self.keep(raw, mail_from, to)
        await self.runtime.settle()
        document: dict[str, Any] = (await self.get(f"/v1/mails/{mail_id}")).json()
        return document

    def move(self, **by: float) -> None:
        """Move product time."""
        self.clock.move(self.clock.now() + timedelta(**by))


def picture(form: str = "PNG") -> bytes:
    """Return a small picture."""
    out = BytesIO()
    Image.new("RGB", (4, 3), "navy").save(out, form)
    return out.getvalue()


def raw_mail(
    subject: str = "White page",
    body: str = "It is white.",
    sender: str = "clara@shop.example",
    files: Mapping[str, bytes] | None = None,
    **headers: str,
) -> bytes:
    """Return a mail as bytes."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, DESK_ADDRESS, subject
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(body)
    for name, content in (files or {}).items():
        message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return message.as_bytes()


@asynccontextmanager
async def open_world(
    empty: Path,
    current: Policy,
    folder: Path,
    *,
    parser: Parser | None = None,
    server: str | None = None,
    scanner: Scanner | None = None,
    open_store: Callable[[Path, Ports], Store] = SqliteStore,
    vault: Vault | None = None,
) -> AsyncIterator[World]:
    """Run a service at work on a folder, new or left by another, whose store was copied from an empty one."""
    path = folder / "intake.db"
    if not path.exists():
        shutil.copy(empty, path)
    clock, bus = ManualClock(NOON), LocalBus()
    ports = system_ports(clock)
    runtime = Runtime(
        "intake",
        ports=ports,
        store=open_store(path, ports),
        bus=bus,
        verifier=Verifier(SIGNER.public_keys(), SystemClock()),
        read_logs={},
    )
    app = create_app(
        runtime,
        current=current,
        files=LocalFiles(folder / "files", ports.offload, ports.ids),
        parser=parser or InProcessParser(),
        judge=InProcessJudge(ports.offload),
        mail=MailSettings(MailRules(frozenset({DESK_ADDRESS}), server), MAIL_KEY),
        claim_key=CLAIM_KEY,
        cursor_key=CURSOR_KEY,
        vault=vault or KeyedVault([VAULT_KEY], ports.random),
        scanner=scanner,
    )
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://desk.test") as client,
    ):
        yield World(app, runtime, clock, client, bus, folder)

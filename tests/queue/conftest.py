"""A whole queue service on a SQLite file, fed over the bus, called over HTTP, on a manual clock."""

import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from firstline.common.addresses import ALPHABET
from firstline.common.bus import LocalBus
from firstline.common.envelope import Envelope
from firstline.common.events import CATALOGUE, EventData
from firstline.common.log import STREAM_EVENTS
from firstline.common.permissions import Principal, Role
from firstline.common.ports import ManualClock, SystemClock, system_ports
from firstline.common.runtime import Runtime
from firstline.common.store.migrate import migrate_sqlite
from firstline.common.store.sqlite import SqliteStore
from firstline.common.tokens import Signer, Verifier, new_key
from firstline.queue.app import create_app

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
CLAIM_KEY, CURSOR_KEY = b"claims" * 6, b"cursors" * 5
LEASE = timedelta(minutes=30)
CLIENT = {"address": "clara@shop.example", "name": "Clara", "language": "en"}
SUBMITTED: dict[str, Any] = {
    "subject": "The shop is slow",
    "body": "Since this morning.",
    "requester": {"email": "Clara@Shop.example"},
    "language": "en",
    "urgency": "normal",
    "tier": "helpdesk",
    "scope": {"verdict": "in", "support_mode": "full"},
    "entitlement": "active",
    "policy_version": "test-1",
    "origin": {"channel": "api"},
}
DEFAULTS: dict[str, dict[str, Any]] = {
    "ticket.submitted": SUBMITTED,
    "ticket.replied": {"message_id": "m", "body": "Hello", "origin": {"channel": "api"}},
    "ticket.noted": {"message_id": "m"},
    "ticket.triaged": {"changes": {}, "tier": "helpdesk", "reason": "judged"},
    "ticket.waiting": {"cause": "client"},
    "ticket.resumed": {"cause": "client"},
    "ticket.released": {"version": "24.1"},
    "ticket.closed": {"reason": "resolved"},
    "ticket.reopened": {"side": "client"},
    "ticket.supervisor_requested": {"request_id": "r", "kind": "accelerate"},
    "ticket.merged": {"into": "another"},
}
STATUS = {"ticket.submitted": "new", "ticket.waiting": "waiting", "ticket.resolved": "resolved"} | dict.fromkeys(
    ("ticket.closed", "ticket.merged"), "closed"
)
MakeEvent = Callable[..., EventData]


def make_event(event_type: str, **data: Any) -> EventData:
    """Return an event of that type; what isn't said is as usual. `side` stands for a reply's author."""
    side = data.pop("side", None)
    if event_type == "ticket.replied":
        data["author"] = {"id": "somebody", "role": "agent" if side == "staff" else "client", "side": side}
    elif side is not None:
        data["side"] = side
    if data.pop("automatic", False):
        data["origin"] = {"channel": "email", "automatic": True}
    facts = {"actor": {"id": "somebody", "role": "agent"}, "number": "FL-0000-0000", "recipients": [CLIENT]}
    status = {"status": STATUS.get(event_type, "open")}
    return CATALOGUE[event_type].model_validate(facts | status | DEFAULTS.get(event_type, {}) | data)


@pytest.fixture(scope="session")
def event() -> MakeEvent:
    """Return the maker of events, for tests of the rules alone."""
    return make_event


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket of intake's, as far as tests need it."""

    id: str
    number: str


@dataclass(slots=True)
class Producer:
    """Stands for the other services: numbers events in streams and logs of its own and publishes them."""

    bus: LocalBus
    clock: ManualClock
    positions: dict[str, int] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)

    async def say(self, source: str, stream: str, event: EventData) -> Envelope:
        """Publish an event."""
        position = self.positions[source] = self.positions.get(source, 0) + 1
        version = self.versions[stream] = self.versions.get(stream, 0) + 1
        envelope = Envelope(
            id=f"{source}-{position}",
            type=event.TYPE,
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


@dataclass(slots=True)
class World:
    """The service at work, and what tests do with it."""

    app: FastAPI
    runtime: Runtime
    signer: Signer
    clock: ManualClock
    client: httpx.AsyncClient
    producer: Producer
    path: Path
    made: int = 0
    tokens: dict[str, str] = field(default_factory=dict)

    async def submit(self, **data: Any) -> Ticket:
        """Let intake take a request, received now unless said otherwise."""
        self.made += 1
        digits = self.made.to_bytes(5, "big")
        letters = "".join(ALPHABET[(int.from_bytes(digits, "big") >> 5 * place) & 31] for place in range(8))
        ticket = Ticket(f"01900000-0000-7000-8000-{self.made:012d}", f"FL-{letters[:4]}-{letters[4:]}")
        await self.tell(ticket, "ticket.submitted", **{"received_at": self.clock.now()} | data)
        return ticket

    async def tell(self, ticket: Ticket, event_type: str, **data: Any) -> Envelope:
        """Let intake publish an event of a ticket."""
        data |= {"number": ticket.number}
        return await self.producer.say("intake", f"ticket/{ticket.id}", make_event(event_type, **data))

    async def ask(self, ticket: Ticket, **data: Any) -> None:
        """Let the client write, now unless said otherwise."""
        await self.tell(ticket, "ticket.replied", side="client", **{"received_at": self.clock.now()} | data)

    async def answer(self, ticket: Ticket, **data: Any) -> None:
        """Let staff answer publicly."""
        await self.tell(ticket, "ticket.replied", side="staff", received_at=self.clock.now(), **data)

    async def judge(self, ticket: Ticket, urgency: str, **data: Any) -> None:
        """Let staff judge the urgency."""
        await self.tell(ticket, "ticket.triaged", urgency=urgency, **data)

    async def publish_policy(self, document: Mapping[str, Any], version: str, effective_from: datetime) -> None:
        """Let intake publish a policy version."""
        facts = {"actor": {"id": "intake", "role": "service"}, "version": version, "document": document}
        event = CATALOGUE["policy.published"].model_validate(facts | {"effective_from": effective_from})
        await self.producer.say("intake", "policy/test", event)

    async def person(self, event_type: str = "account.person_changed", **data: Any) -> None:
        """Let accounts tell of a person."""
        usual = {"email": "anna@firstline.example", "role": "agent", "active": True}
        facts = {"actor": {"id": "admin", "role": "admin"}} | (usual if event_type.startswith("account") else {}) | data
        await self.producer.say("accounts", f"person/{data['id']}", CATALOGUE[event_type].model_validate(facts))

    def token(self, who: str, **facts: Any) -> str:
        """Return a token of `role` or `role:id`."""
        role, _, name = who.partition(":")
        known = {"id": name or role, "email": f"{name or role}@firstline.example"} | facts
        return self.signer.token(Principal(role=Role(role), **known), timedelta(hours=1))

    def headers(self, who: str | None, **facts: Any) -> dict[str, str]:
        """Return the headers of a call by somebody, or by nobody."""
        return {"Authorization": f"Bearer {self.token(who, **facts)}"} if who else {}

    async def get(self, path: str, who: str | None = "agent:anna", **facts: Any) -> httpx.Response:
        """Read."""
        return await self.client.get(path, headers=self.headers(who, **facts))

    async def post(self, path: str, body: Any = None, who: str | None = "agent:anna", **headers: str) -> httpx.Response:
        """Post JSON; further headers with `_` for `-`."""
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(path, json=body, headers=self.headers(who) | more)

    async def take(self, who: str = "agent:anna", **wish: Any) -> dict[str, Any]:
        """Claim and return the claim, which has to succeed."""
        answer = await self.post("/v1/queue/claims", wish, who)
        assert answer.status_code == 201, answer.text
        claim: dict[str, Any] = answer.json()
        return claim

    async def keep(
        self, ticket: Ticket, verb: str, body: Any = None, who: str = "agent:anna", **headers: str
    ) -> httpx.Response:
        """Renew, release or transfer."""
        return await self.post(f"/v1/queue/claims/{ticket.id}/{verb}", body, who, **headers)

    async def items(self, query: str = "") -> list[dict[str, Any]]:
        """Return the first page of the queue."""
        answer = await self.get(f"/v1/queue{query}")
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    async def numbers(self, query: str = "") -> list[str]:
        """Return the numbers on the first page of the queue."""
        return [item["number"] for item in await self.items(query)]

    async def told(self, ticket: Ticket) -> list[tuple[str, str | None]]:
        """Return what queue told of an entry: each event's type and reason."""
        return [(event["type"], event["reason"]) for event in await self.events(ticket)]

    async def events(self, ticket: Ticket) -> list[dict[str, Any]]:
        """Return the data of queue's events of an entry, each with its type."""
        rows = await self.runtime.store.read(
            lambda unit: unit.all(STREAM_EVENTS, stream=f"entry/{ticket.id}", after=0, limit=1000)
        )
        return [
            CATALOGUE[row.type].model_validate_json(row.data or "").model_dump() | {"type": row.type} for row in rows
        ]

    async def move(self, by: timedelta) -> None:
        """Move product time and let everything settle."""
        self.clock.move(self.clock.now() + by)
        await self.runtime.settle()


Open = Callable[[], Any]


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store that was only migrated."""
    path = tmp_path_factory.mktemp("queue") / "empty.db"
    migrate_sqlite("queue", path)
    return path


@pytest.fixture(scope="session")
def open_world(empty_store: Path) -> Callable[[Path], Any]:
    """Return what opens a service at work on a new store in a folder."""

    @asynccontextmanager
    async def opened(folder: Path) -> AsyncIterator[World]:
        path = folder / "queue.db"
        if not path.exists():
            shutil.copy(empty_store, path)
        clock, bus, signer = ManualClock(NOON), LocalBus(), Signer(new_key("test"), SystemClock())
        ports = system_ports(clock)
        runtime = Runtime(
            "queue",
            ports=ports,
            store=SqliteStore(path, ports),
            bus=bus,
            verifier=Verifier(signer.public_keys(), SystemClock()),
            read_logs={},
        )
        app = create_app(runtime, claim_key=CLAIM_KEY, cursor_key=CURSOR_KEY, lease=LEASE)
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://queue") as client,
        ):
            yield World(app, runtime, signer, clock, client, Producer(bus, clock), path)
            assert runtime.inbox is not None
            assert [(kept.stream, kept.reason) for kept in await runtime.inbox.parked()] == []

    return opened


@pytest.fixture
async def world(open_world: Callable[[Path], Any], tmp_path: Path) -> AsyncIterator[World]:
    """Return the service at work, at noon on a Monday."""
    async with open_world(tmp_path) as opened:
        yield opened

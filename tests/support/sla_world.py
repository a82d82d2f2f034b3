"""A whole sla service on a SQLite file, fed with intake's events, called over HTTP, on a manual clock."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from firstline.common.addresses import ALPHABET
from firstline.common.bus import LocalBus
from firstline.common.envelope import Envelope
from firstline.common.events import CATALOGUE
from firstline.common.log import COLUMNS, LogRow
from firstline.common.permissions import Principal, Role
from firstline.common.policy.loader import load_policy
from firstline.common.ports import ManualClock, Ports, SystemClock, system_ports
from firstline.common.pull import ReadLog
from firstline.common.runtime import Runtime
from firstline.common.store.port import Sql, Store
from firstline.common.store.sqlite import SqliteStore
from firstline.common.tokens import Signer, Verifier, new_key
from firstline.common.worker import Worker
from firstline.sla.app import create_app

MONDAY = datetime(2026, 11, 23, 6, tzinfo=UTC)
VERSION = "test-1"
CLIENT = {"address": "clara@shop.example", "name": "Clara", "language": "en"}
EVENTS_OF = Sql(f"SELECT {COLUMNS} FROM log_event WHERE subject = :subject ORDER BY seq", LogRow)
DEFAULTS: dict[str, dict[str, Any]] = {
    "ticket.submitted": {
        "subject": "The shop is slow",
        "body": "Since this morning.",
        "requester": {"email": "clara@shop.example", "name": "Clara"},
        "language": "en",
        "urgency": "normal",
        "tier": "helpdesk",
        "scope": {"verdict": "in", "support_mode": "full"},
        "entitlement": "active",
        "policy_version": VERSION,
        "origin": {"channel": "api"},
    },
    "ticket.replied": {"message_id": "m", "body": "Hello", "origin": {"channel": "api"}},
    "ticket.triaged": {"changes": {}, "tier": "helpdesk", "reason": "judged"},
    "ticket.waiting": {"cause": "client"},
    "ticket.resumed": {"cause": "client"},
    "ticket.noted": {"message_id": "m"},
    "ticket.closed": {"reason": "resolved"},
    "ticket.reopened": {"side": "client"},
    "ticket.supervisor_requested": {"request_id": "r", "kind": "accelerate"},
}
RECEIVED = ("ticket.submitted", "ticket.replied", "ticket.reopened")


@dataclass(slots=True)
class Ticket:
    """A ticket of intake's; `version` is that of its last event."""

    id: str
    number: str
    version: int = 0


@dataclass(slots=True)
class World:
    """The service at work, and what tests do with it."""

    app: FastAPI
    runtime: Runtime
    signer: Signer
    clock: ManualClock
    client: httpx.AsyncClient
    path: Path
    made: int = 0
    position: int = 0
    policies: Counter[str] = field(default_factory=Counter)

    @property
    def milestones(self) -> Worker:
        """The worker that publishes what falls due."""
        return self._worker("sla: milestones")

    @property
    def recomputing(self) -> Worker:
        """The worker that times open requests by other terms."""
        return self._worker("sla: recompute")

    def _worker(self, name: str) -> Worker:
        return next(worker for worker in self.runtime.workers if worker.name == name)

    def ticket(self) -> Ticket:
        """Return a ticket of which nothing was told yet."""
        self.made += 1
        letters = "".join(ALPHABET[(self.made >> 5 * place) & 31] for place in range(8))
        return Ticket(f"01900000-0000-7000-8000-{self.made:012d}", f"FL-{letters[:4]}-{letters[4:]}")

    def envelope(self, stream: str, event_type: str, version: int, at: datetime, data: dict[str, Any]) -> Envelope:
        """Return an event of intake's with its place in the log."""
        self.position += 1
        facts = {"actor": {"id": "somebody", "role": "agent"}}
        return Envelope(
            id=f"01900000-0000-7000-9000-{self.position:012d}",
            type=event_type,
            source="intake",
            time=at,
            subject=stream.partition("/")[2],
            stream=stream,
            version=version,
            log="log of intake",
            position=self.position,
            hash=f"hash {self.position}",
            data=CATALOGUE[event_type].model_validate(facts | data).model_dump(mode="json"),
        )

    def event(self, ticket: Ticket, event_type: str, at: datetime | None = None, **data: Any) -> Envelope:
        """Return the ticket's next event, now unless said otherwise; `side` stands for a reply's author."""
        at = at or self.clock.now()
        ticket.version += 1
        if event_type == "ticket.replied":
            side = data.pop("side")
            data["author"] = {"id": "somebody", "role": "agent" if side == "staff" else "client", "side": side}
        if data.pop("automatic", False):
            data["origin"] = {"channel": "email", "automatic": True}
        facts: dict[str, Any] = {"number": ticket.number, "status": "open", "recipients": [CLIENT]}
        facts |= {"received_at": at} if event_type in RECEIVED else {}
        facts |= DEFAULTS.get(event_type, {}) | data
        return self.envelope(f"ticket/{ticket.id}", event_type, ticket.version, at, facts)

    async def deliver(self, *events: Envelope) -> None:
        """Hand events to the service's inbox."""
        assert self.runtime.inbox is not None
        await self.runtime.inbox.receive(events)

    async def tell(self, ticket: Ticket, event_type: str, at: datetime | None = None, **data: Any) -> None:
        """Let intake tell of a ticket."""
        await self.deliver(self.event(ticket, event_type, at, **data))

    async def submit(self, at: datetime | None = None, **data: Any) -> Ticket:
        """Let intake take a request."""
        ticket = self.ticket()
        await self.tell(ticket, "ticket.submitted", at, **data)
        return ticket

    async def ask(self, ticket: Ticket, at: datetime | None = None, **data: Any) -> None:
        """Let the client write."""
        await self.tell(ticket, "ticket.replied", at, side="client", **data)

    async def answer(self, ticket: Ticket, at: datetime | None = None, **data: Any) -> None:
        """Let staff answer publicly."""
        await self.tell(ticket, "ticket.replied", at, side="staff", **data)

    def policy(self, version: str = VERSION, name: str = "test", **changes: Any) -> Envelope:
        """Return the publication of the default policy, with other minutes, members of targets, calendar or title."""
        document = load_policy(Path(__file__).parents[2] / "policies/bitrix24.yaml").document()
        if "minutes" in changes:
            document["targets"]["minutes"] = changes["minutes"]
        document["targets"] |= changes.get("targets", {})
        document |= {part: changes[part] for part in ("calendar", "title") if part in changes}
        self.policies[name] += 1
        data = {"version": version, "document": document, "effective_from": self.clock.now()}
        return self.envelope(f"policy/{name}", "policy.published", self.policies[name], self.clock.now(), data)

    async def told(self, ticket: Ticket, *members: str) -> list[tuple[Any, ...]]:
        """Return the clock events of a ticket in their order: what happened, the target, and further members."""
        return [(what, data["target"], *(data[name] for name in members)) for what, data in await self.events(ticket)]

    async def events(self, ticket: Ticket) -> list[tuple[str, dict[str, Any]]]:
        """Return the clock events of a ticket in their order, without the prefix that all have."""
        rows = await self.runtime.store.read(lambda unit: unit.all(EVENTS_OF, subject=ticket.id))
        return [
            (row.type.removeprefix("clock."), CATALOGUE[row.type].model_validate_json(row.data or "").model_dump())
            for row in rows
        ]

    async def move(self, to: datetime) -> None:
        """Move product time and let everything settle."""
        self.clock.move(to)
        await self.runtime.settle()

    def headers(self, who: str | None) -> dict[str, str]:
        """Return the headers of a call by somebody of that role, or by nobody."""
        if who is None:
            return {}
        principal = Principal(id=who, role=Role(who), email=f"{who}@firstline.example", organization_id="shop")
        return {"Authorization": f"Bearer {self.signer.token(principal, timedelta(hours=1))}"}

    async def get(self, path: str, who: str | None = "agent", **query: Any) -> httpx.Response:
        """Read."""
        return await self.client.get(path, params=query, headers=self.headers(who))

    async def post(self, path: str, body: Any, who: str | None = "client") -> httpx.Response:
        """Post JSON."""
        return await self.client.post(path, json=body, headers=self.headers(who))

    async def clocks(self, *tickets: Ticket) -> dict[str, dict[str, Any]]:
        """Return the clocks of tickets, by target (of the last ticket that has it)."""
        answer = await self.get("/v1/clocks", ticket_ids=",".join(ticket.id for ticket in tickets))
        assert answer.status_code == 200, answer.text
        return {clock["target"]: clock for clock in answer.json()["items"]}


@asynccontextmanager
async def open_world(
    path: Path,
    start: datetime = MONDAY,
    read_logs: Mapping[str, ReadLog] | None = None,
    open_store: Callable[[Path, Ports], Store] = SqliteStore,
) -> AsyncIterator[World]:
    """Open the service on a migrated store, new or as it was left; afterwards no event may be parked."""
    clock, signer = ManualClock(start), Signer(new_key("test"), SystemClock())
    ports = system_ports(clock)
    verifier = Verifier(signer.public_keys(), SystemClock())
    runtime = Runtime(
        "sla", ports=ports, store=open_store(path, ports), bus=LocalBus(), verifier=verifier, read_logs=read_logs or {}
    )
    app = create_app(runtime, cursor_key=b"cursors" * 5)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sla") as client,
    ):
        yield World(app, runtime, signer, clock, client, path)
        assert runtime.inbox is not None
        assert [(kept.stream, kept.reason) for kept in await runtime.inbox.parked()] == []

"""A whole accounts service on a SQLite file, called over HTTP, with product time and wall time that tests move."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from fastapi import FastAPI
from firstline.accounts.app import create_app
from firstline.accounts.service.desk import Desk
from firstline.accounts.service.organizations import ensure_organization
from firstline.accounts.service.people import ensure_person
from firstline.accounts.service.sessions import new_sign_in_link
from firstline.accounts.store.directory import Organization, Person
from firstline.common.bus import LocalBus
from firstline.common.permissions import Principal, Role
from firstline.common.ports import ManualClock, system_ports
from firstline.common.runtime import Runtime
from firstline.common.store.migrate import migrate_postgres, migrate_sqlite
from firstline.common.store.port import Unit
from firstline.common.store.postgres import PostgresStore
from firstline.common.store.sqlite import SqliteStore
from firstline.common.tokens import Signer, Verifier, new_key

T = TypeVar("T")
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SECRET = b"a secret of the desk, for tests"


@dataclass(slots=True)
class World:
    """The service at work, and what tests do with it."""

    app: FastAPI
    runtime: Runtime
    signer: Signer
    clock: ManualClock
    wall: ManualClock
    client: httpx.AsyncClient
    path: Path
    headers: dict[str, str] = field(default_factory=dict)

    def token(self, role: str, **who: Any) -> str:
        """Return a token of somebody with that role, who needn't be in the store."""
        known = {"id": f"the {role}", "email": f"{role}@firstline.example"} | who
        return self.signer.token(Principal(role=Role(role), **known), timedelta(hours=1))

    def bearer(self, role: str | None, **who: Any) -> dict[str, str]:
        """Return the headers of a call by somebody with that role, or of a call by nobody."""
        return {} if role is None else {"Authorization": f"Bearer {self.token(role, **who)}"}

    async def get(self, path: str, role: str | None = "admin", **who: Any) -> httpx.Response:
        """Read."""
        return await self.client.get(path, headers=self.bearer(role, **who))

    async def post(
        self, path: str, body: Any = None, role: str | None = "admin", *, key: str | None = None, **who: Any
    ) -> httpx.Response:
        """Post JSON, with an Idempotency-Key where one is given."""
        headers = self.bearer(role, **who) | ({"Idempotency-Key": key} if key else {})
        return await self.client.post(path, json=body, headers=headers)

    async def patch(self, path: str, body: Any, role: str = "admin", *, if_match: str | None = None) -> httpx.Response:
        """Change."""
        headers = self.bearer(role) | ({"If-Match": if_match} if if_match else {})
        return await self.client.patch(path, json=body, headers=headers)

    async def write(self, work: Callable[[Unit], Awaitable[T]]) -> T:
        """Run a unit of work on the store."""
        return await self.runtime.store.write(work)

    async def organization(self, name: str = "Shop Example", kind: Any = "customer") -> Organization:
        """Return an organisation, stored where it is new."""
        runtime = self.runtime
        return await self.write(
            lambda unit: ensure_organization(unit, runtime.log, runtime.ports, name=name, kind=kind)
        )

    async def person(self, email: str = "clara@shop.example", role: Role = Role.CLIENT, **facts: Any) -> Person:
        """Return an active person who is as described."""
        runtime = self.runtime
        return await self.write(
            lambda unit: ensure_person(unit, runtime.log, runtime.ports, email=email, role=role, **facts)
        )

    async def link(self, person: Person, life: timedelta = timedelta(days=1), uses: int | None = None) -> str:
        """Return the secret of a new sign-in link."""
        ports, wall = self.runtime.ports, self.wall
        return await self.write(lambda unit: new_sign_in_link(unit, ports, wall, person.id, life, uses=uses))

    async def signed_in(self, person: Person) -> dict[str, Any]:
        """Return what somebody gets who signs in."""
        answer = await self.post("/v1/sign-in/codes", {"code": await self.link(person)}, None)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def events(self) -> list[dict[str, Any]]:
        """Return every event of the log so far."""
        await self.runtime.settle()
        answer = await self.client.get("/internal/log", headers=self.bearer("service"))
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    def desk(self) -> Desk:
        """Return the instance behind the routes."""
        desk: Desk = self.app.state.accounts
        return desk


def build(
    path: Path, clock: ManualClock, wall: ManualClock, signer: Signer, secret: bytes = SECRET, url: str | None = None
) -> FastAPI:
    """Return the application on a store file, or on a database of PostgreSQL."""
    ports = system_ports(clock)
    runtime = Runtime(
        "accounts",
        ports=ports,
        store=PostgresStore(url, ports) if url else SqliteStore(path, ports),
        bus=LocalBus(),
        verifier=Verifier(signer.public_keys(), wall),
        read_logs={},
    )
    return create_app(runtime, signer, wall, secret=secret)


Start = Callable[[bytes], Awaitable[World]]


@pytest.fixture
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """Return the service at work, at noon, on the store that the test asks for."""
    path = tmp_path / "accounts.db"
    migrate_sqlite("accounts", path)
    url: str | None = None
    if getattr(request, "param", "sqlite") == "postgres":
        url = request.getfixturevalue("database")
        await asyncio.to_thread(migrate_postgres, "accounts", url)
    clock, wall = ManualClock(NOON), ManualClock(NOON)
    signer = Signer(new_key("test"), wall)
    app = build(path, clock, wall, signer, url=url)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://accounts") as client,
    ):
        yield World(app, app.state.runtime, signer, clock, wall, client, path)

"""Stores with the tables that every service has and one of facts, on SQLite or PostgreSQL; a clock that tests move.

Modules marked `both_stores` run on both.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex

import pytest
import sqlalchemy as sa
import structlog
from firstline.common.ports import ManualClock, Ports, system_ports
from firstline.common.store.port import Store
from firstline.common.store.postgres import PostgresStore
from firstline.common.store.sqlite import SqliteStore
from firstline.common.store.tables import (
    NAMING,
    JsonText,
    UtcTime,
    add_answer_table,
    add_erasure_table,
    add_inbox_tables,
    add_log_tables,
)
from postgres_server import PostgresServer, run_apart
from sqlalchemy.ext.asyncio import create_async_engine

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
METADATA = sa.MetaData(naming_convention=NAMING)
add_log_tables(METADATA)
add_inbox_tables(METADATA)
add_answer_table(METADATA)
add_erasure_table(METADATA)
sa.Table(
    "fact",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer),
    sa.Column("share", sa.Float),
    sa.Column("flag", sa.Boolean),
    sa.Column("at", UtcTime),
    sa.Column("doc", JsonText),
    sa.Column("list", JsonText),
    sa.Column("bytes", sa.LargeBinary),
)
OpenStore = Callable[..., Awaitable[Store]]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests of both stores on each."""
    if metafunc.definition.get_closest_marker("both_stores") and "store_kind" in metafunc.fixturenames:
        metafunc.parametrize("store_kind", ["sqlite", "postgres"], indirect=True)


@pytest.fixture
def store_kind(request: pytest.FixtureRequest) -> str:
    """Return which database a test runs on."""
    return getattr(request, "param", "sqlite")


@pytest.fixture(scope="session", autouse=True)
def _plain_logs() -> None:
    """Print log lines with plain tracebacks, which take no time to draw."""
    structlog.configure(processors=[structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)])


@pytest.fixture
def clock() -> ManualClock:
    """Return product time that stands at noon."""
    return ManualClock(NOON)


@pytest.fixture
def ports(clock: ManualClock) -> Ports:
    """Return the machine's ports, but for the clock."""
    return system_ports(clock)


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the content of a store's file that has its tables and no row."""
    path = tmp_path_factory.mktemp("template") / "empty.db"
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode = WAL")
    METADATA.create_all(engine)
    engine.dispose()
    return path.read_bytes()


@pytest.fixture
def make_file(tmp_path: Path, empty_store: bytes) -> Callable[[str], Path]:
    """Return a function that makes a store's file, where it is not there yet."""

    def make(name: str) -> Path:
        path = tmp_path / f"{name}.db"
        if not path.exists():
            path.write_bytes(empty_store)
        return path

    return make


@pytest.fixture(scope="session")
def template(postgres: PostgresServer) -> str:
    """Return the name of a PostgreSQL database that has the tables and no row, to be copied."""
    name = f"template_{token_hex(6)}"
    url = postgres.create(name)

    async def make() -> None:
        engine = create_async_engine(f"postgresql+asyncpg://{url.partition('://')[2]}")
        async with engine.begin() as connection:
            await connection.run_sync(METADATA.create_all)
        await engine.dispose()

    run_apart(make)
    return name


@dataclass
class Opener:
    """Opens stores by their services' names, and closes and removes them."""

    kind: str
    ports: Ports
    request: pytest.FixtureRequest
    stores: list[Store] = field(default_factory=list)
    databases: dict[str, str] = field(default_factory=dict)

    async def __call__(self, name: str = "service", other_ports: Ports | None = None) -> Store:
        """Open a store; a name that was opened before leads to the same one's data."""
        self.stores.append(self._make(name, other_ports or self.ports))
        await self.stores[-1].open()
        return self.stores[-1]

    def _make(self, name: str, ports: Ports) -> Store:
        if self.kind == "sqlite":
            path: Path = self.request.getfixturevalue("make_file")(name)
            return SqliteStore(path, ports)
        if name not in self.databases:
            server: PostgresServer = self.request.getfixturevalue("postgres")
            copied = self.request.getfixturevalue("template")
            database = f"store_{token_hex(6)}"
            server.create(database, template=copied)
            self.databases[name] = server.url(database)  # the tables belong to the role that made the first of them
        return PostgresStore(self.databases[name], ports)

    async def close(self) -> None:
        """Close all stores and remove the databases."""
        for store in self.stores:
            await store.close()
        for url in self.databases.values():
            self.request.getfixturevalue("postgres").drop(url.rpartition("/")[2])


@pytest.fixture
async def open_store(store_kind: str, ports: Ports, request: pytest.FixtureRequest) -> AsyncIterator[OpenStore]:
    """Return a function that opens a store by its service's name; all are closed at the end."""
    opener = Opener(store_kind, ports, request)
    yield opener
    await opener.close()


@pytest.fixture
async def store(open_store: OpenStore) -> Store:
    """Return an open store."""
    return await open_store()

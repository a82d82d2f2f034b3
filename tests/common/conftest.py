"""Stores on files of their own, with the tables that every service has and one of facts; a clock that tests move."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
import structlog
from firstline.common.ports import ManualClock, Ports, system_ports
from firstline.common.store.sqlite import SqliteStore
from firstline.common.store.tables import NAMING, JsonText, UtcTime, add_answer_table, add_inbox_tables, add_log_tables

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
METADATA = sa.MetaData(naming_convention=NAMING)
add_log_tables(METADATA)
add_inbox_tables(METADATA)
add_answer_table(METADATA)
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
OpenStore = Callable[..., Awaitable[SqliteStore]]


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


@pytest.fixture
async def open_store(make_file: Callable[[str], Path], ports: Ports) -> AsyncIterator[OpenStore]:
    """Return a function that opens a store by its service's name; all are closed at the end."""
    stores: list[SqliteStore] = []

    async def opened(name: str = "service", other_ports: Ports | None = None) -> SqliteStore:
        stores.append(SqliteStore(make_file(name), other_ports or ports))
        await stores[-1].open()
        return stores[-1]

    yield opened
    for store in stores:
        await store.close()


@pytest.fixture
async def store(open_store: OpenStore) -> SqliteStore:
    """Return an open store."""
    return await open_store()

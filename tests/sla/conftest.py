"""The sla service at work on a SQLite file of its own."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from firstline.common.store.migrate import migrate_sqlite
from sla_world import World, open_world


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store that was only migrated."""
    path = tmp_path_factory.mktemp("sla") / "empty.db"
    migrate_sqlite("sla", path)
    return path


@pytest.fixture
def store_path(empty_store: Path, tmp_path: Path) -> Path:
    """Return a new store."""
    return Path(shutil.copy(empty_store, tmp_path / "sla.db"))


@pytest.fixture
async def bare(store_path: Path) -> AsyncIterator[World]:
    """Return the service at work on a Monday at opening, without a policy."""
    async with open_world(store_path) as opened:
        yield opened


@pytest.fixture
async def world(bare: World) -> World:
    """Return the service at work on a Monday at opening, with the default policy."""
    await bare.deliver(bare.policy())
    return bare

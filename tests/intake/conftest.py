"""A whole intake service for each test that asks for it, on a folder of its own."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
import structlog
from firstline.common.policy.loader import load_policy
from firstline.common.policy.model import Policy
from firstline.common.store.migrate import migrate_sqlite
from intake_world import OpenWorld, World, open_world

POLICY_FILE = Path(__file__).parents[2] / "policies" / "bitrix24.yaml"


@pytest.fixture(scope="session", autouse=True)
def _plain_logs() -> None:
    """Print log lines with plain tracebacks, which take no time to draw."""
    structlog.configure(processors=[structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)])


@pytest.fixture(scope="session")
def policy() -> Policy:
    """Return the default policy."""
    return load_policy(POLICY_FILE)


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store that was only migrated."""
    path = tmp_path_factory.mktemp("intake") / "empty.db"
    migrate_sqlite("intake", path)
    return path


@pytest.fixture(scope="session")
def opened(empty_store: Path, policy: Policy) -> OpenWorld:
    """Return what opens a service on a folder, under the default policy unless another is given."""

    def opening(folder: Path, *, current: Policy = policy, **more: Any) -> AbstractAsyncContextManager[World]:
        return open_world(empty_store, current, folder, **more)

    return opening


@pytest.fixture
async def world(opened: OpenWorld, tmp_path: Path) -> AsyncIterator[World]:
    """Return a service at work on a new store."""
    async with opened(tmp_path) as running:
        yield running

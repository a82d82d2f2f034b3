"""A desk that many tests ask, and the folder of a new one for those that want their own."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from firstline.common.settings import Settings
from firstline.standalone.desk import StandaloneDesk
from near_desk import near_desk


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the settings of whoever runs the tests."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"FIRSTLINE_{name.upper()}", raising=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def new_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a desk that was started once, so that its stores need not be made for each test."""
    data = tmp_path_factory.mktemp("new") / "data"
    async with near_desk(data):
        pass
    return data


@pytest.fixture
def folder(new_folder: Path, tmp_path: Path) -> Path:
    """Return the folder of a new desk of the test's own."""
    return Path(shutil.copytree(new_folder, tmp_path / "data"))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def desk(new_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[StandaloneDesk]:
    """Run one desk for all tests that only ask."""
    data = Path(shutil.copytree(new_folder, tmp_path_factory.mktemp("shared") / "data"))
    async with near_desk(data) as running:
        yield running

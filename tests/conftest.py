"""What holds for every test, and which tests go together where several workers share them out by files."""

from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

pytest_plugins = ["server_fixtures"]

settings.register_profile("firstline", deadline=None)  # a busy machine is slow now and then, and no test's fault
settings.load_profile("firstline")

HEAVY = "tests/process/"
"""Each test there keeps up to a dozen processes busy: they take turns, beside tests that mostly wait for servers."""


class InTurns(LoadFileScheduling):  # type: ignore[misc]
    """Files go to workers as they are free, and the heavy ones to one worker, all of them."""

    def _split_scope(self, nodeid: str) -> str:
        return HEAVY if nodeid.startswith(HEAVY) else str(super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> InTurns | None:
    """Return how tests are shared out; None leaves that to xdist."""
    return InTurns(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the heavy tests begin, since they take longest."""
    items.sort(key=lambda item: not item.nodeid.startswith(HEAVY))

"""One desk for all walks through the policy: they use the public API and mail only, and their own people."""

from collections.abc import Iterator

import pytest
from live_desk import LiveDesk, live_desk


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveDesk]:
    """Run a desk in a process of its own."""
    with live_desk(tmp_path_factory.mktemp("desk")) as running:
        yield running

"""The stage on which all worlds of this process are played; making it takes some seconds."""

from collections.abc import Iterator

import pytest
from stage import Stage


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    """Return the stage."""
    made = Stage()
    yield made
    made.close()

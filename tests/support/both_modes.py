"""A desk in either mode, for walks that both have to pass."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from live_desk import AnyDesk, live_desk
from servers import PostgresServer, RabbitServer
from split_desk import split_desk

MODES = ("one process", "six processes")


@contextmanager
def desk_in(mode: str, request: pytest.FixtureRequest, data: Path, **environment: str) -> Iterator[AnyDesk]:
    """Run a desk of one process on SQLite, or of six on PostgreSQL and RabbitMQ."""
    assert mode in MODES
    if mode == "one process":
        with live_desk(data, **environment) as running:
            yield running
        return
    postgres: PostgresServer = request.getfixturevalue("postgres")
    rabbit: RabbitServer = request.getfixturevalue("rabbit")
    with split_desk(data, postgres, rabbit, replicas=1, **environment) as running:
        yield running

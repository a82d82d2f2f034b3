"""Fixtures of real servers, for every folder of tests: each is started on its first use, and once for all tests."""

import os
from collections.abc import Iterator
from secrets import token_hex

import pytest
from servers import (
    PgBouncer,
    PostgresServer,
    RabbitServer,
    named_postgres,
    named_rabbit,
    pgbouncer_server,
    postgres_server,
    rabbit_server,
    why_no_pgbouncer,
    why_no_postgres,
    why_no_rabbit,
)


def need(reason: str | None) -> None:
    """Skip the test for a reason, if there is one; in continuous integration, fail, because nobody would notice."""
    if reason and os.environ.get("CI") == "true":
        pytest.fail(f"{reason} (tools/servers installs it)", pytrace=False)
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """Give a PostgreSQL server; perhaps one that is not ours to stop."""
    need(why_no_postgres())
    if named := named_postgres():
        yield named
        return
    with postgres_server(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture(scope="session")
def _private_postgres(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PostgresServer]:
    if not named_postgres():
        yield request.getfixturevalue("postgres")
        return
    with postgres_server(tmp_path_factory.mktemp("private-postgres")) as server:
        yield server


@pytest.fixture
def killable_postgres(_private_postgres: PostgresServer) -> Iterator[PostgresServer]:
    """Give a PostgreSQL server that the test may stop and kill; it runs again afterwards."""
    yield _private_postgres
    _private_postgres.start()


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[str]:
    """Give the URL of an empty database, which its role owns."""
    name = f"test_{token_hex(6)}"
    yield postgres.create(name)
    postgres.drop(name)


@pytest.fixture(scope="session")
def rabbit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitServer]:
    """Give a RabbitMQ server; perhaps one that is not ours to stop."""
    need(why_no_rabbit())
    if named := named_rabbit():
        yield named
        return
    with rabbit_server(tmp_path_factory.mktemp("rabbit")) as server:
        yield server


@pytest.fixture(scope="session")
def _private_rabbit(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitServer]:
    if not named_rabbit():
        yield request.getfixturevalue("rabbit")
        return
    with rabbit_server(tmp_path_factory.mktemp("private-rabbit")) as server:
        yield server


@pytest.fixture
def killable_rabbit(_private_rabbit: RabbitServer) -> Iterator[RabbitServer]:
    """Give a RabbitMQ server that the test may stop, kill and fill; it runs again afterwards."""
    yield _private_rabbit
    _private_rabbit.start()


@pytest.fixture(scope="session")
def pgbouncer(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PgBouncer]:
    """Give a PgBouncer in front of the PostgreSQL server."""
    need(why_no_pgbouncer())
    with pgbouncer_server(tmp_path_factory.mktemp("pgbouncer"), postgres) as pooler:
        yield pooler

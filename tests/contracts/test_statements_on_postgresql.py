"""Every statement of every service on PostgreSQL: the server understands it, and its columns fit the row class."""

import asyncio
import dataclasses
import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping
from typing import Any

import asyncpg
import pytest
from firstline.common.erasure import Mentions
from firstline.common.participants import Participants
from firstline.common.store.migrate import migrate_postgres
from firstline.common.store.port import Sql
from firstline.common.store.postgres import prepare

SERVICES = ("intake", "queue", "sla", "notify", "accounts")
SHARED = ("answers", "lease", "log", "relay", "runtime")
WHOLE = re.compile(r" on policy\b")
"""The handful of rows that is read whole at the start."""


def statements(service: str) -> dict[str, Sql[Any]]:
    """Return every statement of a service's store, and of what each service has in common."""
    store = importlib.import_module(f"firstline.{service}.store")
    parts = [f"{store.__name__}.{part.name}" for part in pkgutil.iter_modules(getattr(store, "__path__", []))]
    shared = [f"firstline.common.{name}" for name in (*SHARED, *(() if service == "accounts" else ("heads", "inbox")))]
    return dict(
        pair
        for name in (store.__name__, *parts, *shared)
        for pair in _inside(name, vars(importlib.import_module(name)))
    )


def _inside(place: str, members: Mapping[Any, Any]) -> Iterator[tuple[str, Sql[Any]]]:
    for name, value in members.items():
        if isinstance(value, Sql):
            yield f"{place}.{name}", value
        elif isinstance(value, Participants):
            yield from ((f"{place}.{name}.{slot}", getattr(value, slot)) for slot in value.__slots__)
        elif isinstance(value, Mentions):
            yield from ((f"{place}.{name}.{part}", getattr(value, part)) for part in ("read", "one", "write"))
        elif isinstance(value, dict) and not str(name).startswith("__"):
            yield from _inside(f"{place}.{name}", value)


@pytest.mark.parametrize("service", SERVICES)
async def test_every_statement_prepares_and_can_go_along_an_index(database: str, service: str) -> None:
    """PostgreSQL prepares each statement with as many columns as its row has fields, and need read no table whole."""
    await asyncio.to_thread(migrate_postgres, service, database)
    connection = await asyncpg.connect(database)
    await connection.execute("SET enable_seqscan = off")
    await connection.execute("SET plan_cache_mode = force_generic_plan")
    found = statements(service)
    assert len(found) > 20
    for name, sql in found.items():
        prepared = await connection.prepare(prepare(sql).text)
        columns = [column.name for column in prepared.get_attributes()]
        if sql.into is type(None):
            assert columns == [], name
        elif dataclasses.is_dataclass(sql.into):
            assert len(columns) == len(dataclasses.fields(sql.into)), name
        else:
            assert len(columns) == 1, name
        whole = [step for step in await _plan(connection, prepare(sql).text) if "Seq Scan" in step]
        assert [step for step in whole if not WHOLE.search(step)] == [], name
    await connection.close()


async def _plan(connection: Any, text: str) -> list[str]:
    """Return the steps in which PostgreSQL would do a statement whose parameters it doesn't know."""
    given = ", ".join("NULL" for _ in set(re.findall(r"\$\d+", text)))
    await connection.execute(f"PREPARE wanted AS {text}")
    rows = await connection.fetch(f"EXPLAIN EXECUTE wanted ({given})" if given else "EXPLAIN EXECUTE wanted")
    await connection.execute("DEALLOCATE wanted")
    return [row[0] for row in rows]

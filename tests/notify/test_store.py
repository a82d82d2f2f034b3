"""The store modules: every statement fits the tables and its row class, and finds its rows by an index."""

import dataclasses
import re
import sqlite3
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from types import NoneType
from typing import Any

import pytest
from alembic import command
from firstline.common.ports import SystemClock, system_ports
from firstline.common.store.migrate import configuration, migrate_sqlite
from firstline.common.store.port import Sql, Unit
from firstline.common.store.sqlite import SqliteStore, sqlite_text
from firstline.notify.store import deliveries, directory, endpoints, feed

STATEMENTS: dict[str, Sql[Any]] = {
    name: value
    for module in (deliveries, directory, endpoints, feed)
    for name, value in vars(module).items()
    if isinstance(value, Sql)
}


@pytest.fixture
def connection(empty_store: Path) -> Iterator[sqlite3.Connection]:
    """Return a connection to an empty store with the newest schema."""
    connection = sqlite3.connect(empty_store)
    yield connection
    connection.close()


def _nothing(text: str) -> dict[str, int | None]:
    return {name: 1 if name == "limit" else None for name in re.findall(r":(\w+)", text)}


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_gives_the_columns_of_its_row_class(connection: sqlite3.Connection, name: str) -> None:
    """What a statement returns has the names of the row class's fields in order, or one column for a scalar."""
    sql = STATEMENTS[name]
    text = sqlite_text(sql.text)
    if sql.into is NoneType or text.startswith("INSERT"):
        connection.execute(f"EXPLAIN {text}", _nothing(text))
        return
    columns = [column[0] for column in connection.execute(text, _nothing(text)).description]
    if dataclasses.is_dataclass(sql.into):
        assert columns == [field.name for field in dataclasses.fields(sql.into)]
    else:
        assert len(columns) == 1


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_finds_its_rows_by_an_index(connection: sqlite3.Connection, name: str) -> None:
    """No statement reads through a table or sorts what it found; lists that came as parameters are no tables."""
    text = sqlite_text(STATEMENTS[name].text)
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {text}", _nothing(text))]
    steps = [step for step in plan if not step.startswith("SCAN json_each")]
    assert [step for step in steps if step.startswith("SCAN") and "INDEX" not in step] == []
    assert [step for step in steps if "TEMP B-TREE" in step] == []


async def test_every_filter_of_deliveries_reads_along_an_index(empty_store: Path) -> None:
    """Whatever filters come together, the page is read in the order of the ids without sorting."""
    seen: list[str] = []
    plan = sqlite3.connect(empty_store)
    plan.set_trace_callback(None)
    store = SqliteStore(empty_store, system_ports(SystemClock()))
    await store.open()
    for chosen in product([None, "mail"], [None, "t"], [None, "sent"], [None, "after"]):
        channel, ticket_id, state, after = chosen
        given = {"channel": channel, "ticket_id": ticket_id, "state": state}
        filters = {name: value for name, value in given.items() if value is not None}

        async def read(unit: Unit, filters: dict[str, str] = filters, after: str | None = after) -> None:
            assert await deliveries.list_deliveries(unit, filters, after, 10) == []

        await store.read(read)
        where = " AND ".join([*(f"{name} = :{name}" for name in filters), *(["id < :after"] if after else [])])
        text = f"SELECT id FROM delivery{' WHERE ' + where if where else ''} ORDER BY id DESC LIMIT 10"
        seen += [row[3] for row in plan.execute(f"EXPLAIN QUERY PLAN {text}", filters | {"after": after})]
    await store.close()
    plan.close()
    assert len(seen) >= 16
    assert [step for step in seen if "TEMP B-TREE" in step or (step.startswith("SCAN") and "INDEX" not in step)] == []


def test_migrations_and_tables_agree(tmp_path: Path) -> None:
    """The newest migration makes exactly the tables of the store module, and can be taken back and made again."""
    path = tmp_path / "notify.db"
    migrate_sqlite("notify", path)
    config = configuration("notify", f"sqlite:///{path}")
    command.check(config)
    command.downgrade(config, "base")
    with sqlite3.connect(path) as connection:
        left = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    connection.close()
    assert [name for name in left if name not in ("alembic_version_notify", "sqlite_sequence")] == []
    command.upgrade(config, "head")
    command.check(config)

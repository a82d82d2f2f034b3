"""The store module: every statement fits the tables and its row class, and finds its rows by an index."""

import dataclasses
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import NoneType
from typing import Any

import pytest
from alembic import command
from firstline.accounts.store import credentials, directory
from firstline.common.store.migrate import configuration, migrate_sqlite
from firstline.common.store.port import Sql
from firstline.common.store.sqlite import sqlite_text

STATEMENTS: dict[str, Sql[Any]] = {
    name: value for module in (directory, credentials) for name, value in vars(module).items() if isinstance(value, Sql)
}


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Return a connection to an empty store with the newest schema."""
    migrate_sqlite("accounts", tmp_path / "accounts.db")
    connection = sqlite3.connect(tmp_path / "accounts.db")
    yield connection
    connection.close()


def _nothing(text: str) -> dict[str, int | None]:
    return dict.fromkeys(re.findall(r":(\w+)", text)) | {"limit": 1}


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_gives_the_columns_of_its_row_class(connection: sqlite3.Connection, name: str) -> None:
    """What a statement returns has the names of the row class's fields in order, or one column for a scalar."""
    sql = STATEMENTS[name]
    text = sqlite_text(sql.text)
    if sql.into is NoneType:
        connection.execute(f"EXPLAIN {text}", _nothing(text))
        return
    columns = [column[0] for column in connection.execute(text, _nothing(text)).description]
    if dataclasses.is_dataclass(sql.into):
        assert columns == [field.name for field in dataclasses.fields(sql.into)]
    else:
        assert len(columns) == 1


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_finds_its_rows_by_an_index(connection: sqlite3.Connection, name: str) -> None:
    """No statement reads through a table or sorts what it found."""
    text = sqlite_text(STATEMENTS[name].text)
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {text}", _nothing(text))]
    assert [step for step in plan if step.startswith("SCAN") and "INDEX" not in step] == []
    assert [step for step in plan if "TEMP B-TREE" in step] == []


def test_migrations_and_tables_agree(tmp_path: Path) -> None:
    """The newest migration makes exactly the tables of the store module, and can be taken back and made again."""
    path = tmp_path / "accounts.db"
    migrate_sqlite("accounts", path)
    config = configuration("accounts", f"sqlite:///{path}")
    command.check(config)
    command.downgrade(config, "base")
    with sqlite3.connect(path) as connection:
        left = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    connection.close()
    assert [name for name in left if name not in ("alembic_version_accounts", "sqlite_sequence")] == []
    command.upgrade(config, "head")
    command.check(config)

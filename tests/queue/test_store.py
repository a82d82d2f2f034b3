"""Queue's statements and tables: each prepares, fits its row, walks an index; the migrations make what is defined."""

import dataclasses
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from firstline.common.store.migrate import configuration
from firstline.common.store.port import Sql
from firstline.common.store.sqlite import sqlite_text
from firstline.queue import store


def _statements() -> dict[str, Sql[Any]]:
    """Return every statement of the module by its name."""
    found = {name: value for name, value in vars(store).items() if isinstance(value, Sql)}
    participants = {f"PARTICIPANTS.{name}": getattr(store.PARTICIPANTS, name) for name in store.PARTICIPANTS.__slots__}
    return found | participants | {f"TAKE{flags}": value for flags, value in store.TAKE.items()}


STATEMENTS = _statements()
INSERTS = {"SAVE_ENTRY", "ADD_STREAK", "SAVE_RULES", "SAVE_PERSON", "PARTICIPANTS.add"}


@pytest.fixture(scope="module")
def database(empty_store: Path) -> Iterator[sqlite3.Connection]:
    """Return a connection to a migrated store."""
    connection = sqlite3.connect(empty_store)
    yield connection
    connection.close()


def _explained(database: sqlite3.Connection, sql: Sql[Any]) -> list[str]:
    text = sqlite_text(sql.text)
    given = dict.fromkeys(re.findall(r":(\w+)", text))
    return [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {text}", given)]


@pytest.mark.parametrize("name", STATEMENTS)
def test_every_statement_prepares(database: sqlite3.Connection, name: str) -> None:
    """The database understands the statement, and its columns are as many as its row class has fields."""
    sql = STATEMENTS[name]
    text = sqlite_text(sql.text)
    given = dict.fromkeys(re.findall(r":(\w+)", text)) | {"limit": 1} | _values_of(text)
    cursor = database.execute(text, given)
    columns = [] if cursor.description is None else [column[0] for column in cursor.description]
    if sql.into is type(None):
        assert columns == []
    elif dataclasses.is_dataclass(sql.into):
        assert len(columns) == len(dataclasses.fields(sql.into))
    else:
        assert len(columns) == 1
    database.rollback()


def _values_of(text: str) -> dict[str, Any]:
    """Return values for the columns that an insert must not leave empty."""
    if not text.startswith("INSERT"):
        return {}
    return {name: name for name in re.findall(r":(\w+)", text) if name not in ("turn", "free_turn")}


@pytest.mark.parametrize("name", sorted(STATEMENTS.keys() - INSERTS))
def test_every_statement_walks_an_index(database: sqlite3.Connection, name: str) -> None:
    """No statement reads a whole table, and none that is ordered by the key sorts."""
    plan = _explained(database, STATEMENTS[name])
    tables = [step for step in plan if re.search(r"\bqueue_\w+", step)]
    assert tables != []
    assert [step for step in tables if not step.startswith("SEARCH")] == []
    assert name == "HELD_BY" or not any("ORDER BY" in step for step in plan)


@pytest.mark.parametrize(
    ("names", "index"),
    [
        (("TAKE(False, False, False)", "TAKE(False, True, False)", "FIRSTS", "AHEAD"), "ix_queue_entry_free"),
        (("TAKE(True, False, False)", "TAKE(True, True, True)", "FIRSTS_OF_TIER"), "ix_queue_entry_free_tier"),
        (("PAGE",), "ix_queue_entry_waiting"),
        (("PAGE_OF_TIER",), "ix_queue_entry_waiting_tier"),
        (("EXPIRED", "NEXT_EXPIRY"), "ix_queue_entry_lease"),
        (("HELD_BY",), "ix_queue_entry_agent"),
    ],
)
def test_hot_statements_walk_their_own_index(database: sqlite3.Connection, names: tuple[str, ...], index: str) -> None:
    """Claims walk along free entries only, lists along all, leases by their end."""
    for name in names:
        assert any(re.search(rf"\b{index}\b", step) for step in _explained(database, STATEMENTS[name])), name


def test_migrations_make_what_is_defined(empty_store: Path, tmp_path: Path) -> None:
    """Tables and indexes of a migrated store are those of the definitions, conditions of partial indexes included."""
    command.check(configuration("queue", f"sqlite:///{empty_store}"))
    defined = sa.create_engine(f"sqlite:///{tmp_path / 'defined.db'}")
    store.METADATA.create_all(defined)
    with defined.connect() as connection:
        expected = {row[0]: row[1] for row in connection.execute(sa.text(_INDEXES))}
    defined.dispose()
    with sqlite3.connect(empty_store) as migrated:
        made = dict(migrated.execute(_INDEXES).fetchall())
    migrated.close()
    assert made == expected
    assert len(made) > 8


_INDEXES = (
    "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name NOT LIKE 'alembic%'"
)


def test_migrations_can_be_taken_back(tmp_path: Path) -> None:
    """Downgrading leaves nothing but the history's own table, and upgrading again works."""
    config = configuration("queue", f"sqlite:///{tmp_path / 'queue.db'}")
    for _ in range(2):
        command.upgrade(config, "head")
        command.downgrade(config, "base")
    with sqlite3.connect(tmp_path / "queue.db") as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").fetchall()
    connection.close()
    assert {name.removeprefix("sqlite_autoindex_") for (name,) in names} == {"alembic_version_queue"}

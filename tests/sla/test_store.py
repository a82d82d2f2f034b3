"""Sla's statements and tables: each prepares, fits its row, walks an index; the migrations make what is defined."""

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
from firstline.sla import store
from firstline.sla.store import clocks, facts, policies, recomputes, records, simulations

STATEMENTS = {
    f"{part.__name__.rpartition('.')[2]}.{name}": value
    for part in (store, clocks, facts, policies, records, recomputes, simulations)
    for name, value in vars(part).items()
    if isinstance(value, Sql)
} | {f"PARTICIPANTS.{name}": getattr(store.PARTICIPANTS, name) for name in store.PARTICIPANTS.__slots__}
_TABLES = (
    "recompute|recompute_change|"
    "ticket|fact|clock|policy|in_force|waiting|waited|participant|person|refill|inbox_stream|licence|taken|run|name|simulation"
)
_INDEXES = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"


@pytest.fixture(scope="module")
def database(empty_store: Path) -> Iterator[sqlite3.Connection]:
    """Return a connection to a migrated store."""
    connection = sqlite3.connect(empty_store)
    yield connection
    connection.close()


def _plan(database: sqlite3.Connection, sql: Sql[Any]) -> list[str]:
    text = sqlite_text(sql.text)
    given = dict.fromkeys(re.findall(r":(\w+)", text))
    return [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {text}", given)]


@pytest.mark.parametrize("name", STATEMENTS)
def test_every_statement_prepares(database: sqlite3.Connection, name: str) -> None:
    """The database understands the statement, and its columns are as many as its row class has fields."""
    sql = STATEMENTS[name]
    text = sqlite_text(sql.text)
    cursor = database.execute(text, dict.fromkeys(re.findall(r":(\w+)", text), 1))
    columns = [] if cursor.description is None else cursor.description
    database.rollback()
    if sql.into is type(None):
        assert columns == []
    else:
        assert len(columns) == (len(dataclasses.fields(sql.into)) if dataclasses.is_dataclass(sql.into) else 1)


SORTED = (
    "clocks.CLOCKS_OF", "clocks.CLOCKS_TO_TIME", "facts.FACTS", "facts.FACTS_OF", "store.LATELY", "store.SCORE",
)  # fmt: skip


@pytest.mark.parametrize("name", [name for name, sql in STATEMENTS.items() if not sql.text.startswith("INSERT")])
def test_every_statement_walks_an_index(database: sqlite3.Connection, name: str) -> None:
    """No statement reads a whole table, and none sorts more than the clocks of the requests that were named."""
    plan = _plan(database, STATEMENTS[name])
    tables = [step for step in plan if re.match(rf"(SEARCH|SCAN) ({_TABLES})\b", step)]
    assert tables != []
    ends = (
        "SCAN policy",
        "SCAN waited",
        "SCAN recompute",  # the newest, by their keys
        "SCAN refill USING INDEX sqlite_autoindex_refill_1",  # two rows, and none once they are done
        "SCAN clock USING INDEX ix_clock_next_at",
        "SCAN clock USING COVERING INDEX ix_clock_next_at",
        "SCAN simulation USING INDEX ix_simulation_unfinished",  # ten at most
        "SCAN simulation USING COVERING INDEX ix_simulation_unfinished",
        "SCAN simulation USING INDEX ix_simulation_made_at",  # those of the last thirty days
        "SCAN recompute USING INDEX ix_recompute_running",  # those that have not come to their end
        "SCAN clock USING INDEX ix_clock_late",  # the clocks that are late now, which are counted
    )
    assert [step for step in tables if step.startswith("SCAN") and step not in ends] == []
    assert not any("ORDER BY" in step for step in plan) or name in SORTED


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("clocks.DUE", "ix_clock_next_at"),
        ("clocks.NEXT_DUE", "ix_clock_next_at"),
        ("clocks.CLOCKS_DUE", "ix_clock_due_at"),
    ],
)
def test_what_is_due_is_found_along_its_own_index(database: sqlite3.Connection, name: str, index: str) -> None:
    """Timed work costs what is due, not what is stored."""
    assert [step for step in _plan(database, STATEMENTS[name]) if index not in step] == []


@pytest.mark.parametrize("name", ["records.TAKEN_IN", "records.ENDED_IN", "simulations.ANSWERS_IN"])
def test_a_portion_is_read_from_where_the_one_before_ended(database: sqlite3.Connection, name: str) -> None:
    """Portions of a long span cost the same from first to last: none reads what was read already."""
    (step,) = [step for step in _plan(database, STATEMENTS[name]) if "_at" in step]
    assert re.search(r"\((taken|ended)_at,ticket_id[a-z_,]*\)>\(", step), step


def test_migrations_make_what_is_defined(empty_store: Path, tmp_path: Path) -> None:
    """Tables and indexes of a migrated store are those of the definitions, conditions of partial indexes included."""
    command.check(configuration("sla", f"sqlite:///{empty_store}"))
    defined = sa.create_engine(f"sqlite:///{tmp_path / 'defined.db'}")
    store.METADATA.create_all(defined)
    with defined.connect() as connection:
        expected = {row[0]: row[1] for row in connection.execute(sa.text(_INDEXES))}
    defined.dispose()
    with sqlite3.connect(empty_store) as migrated:
        made = dict(migrated.execute(_INDEXES).fetchall())
    migrated.close()
    assert {name: sql for name, sql in made.items() if "alembic" not in name} == expected
    assert {"ix_clock_next_at", "ix_clock_due_at"} <= made.keys()


def test_migrations_can_be_taken_back(tmp_path: Path) -> None:
    """Downgrading leaves nothing but the history's own table, and upgrading again works."""
    config = configuration("sla", f"sqlite:///{tmp_path / 'sla.db'}")
    for _ in range(2):
        command.upgrade(config, "head")
        command.downgrade(config, "base")
    with sqlite3.connect(tmp_path / "sla.db") as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").fetchall()
    connection.close()
    assert {name for (name,) in names} == {"alembic_version_sla"}

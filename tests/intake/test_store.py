"""Intake's statements and tables: each prepares, fits its row, walks an index; migrations make what is defined."""

import dataclasses
import itertools
import re
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from firstline.common.permissions import Access, Principal, Relation, Role
from firstline.common.store.migrate import configuration
from firstline.common.store.port import Sql
from firstline.common.store.sqlite import sqlite_text
from firstline.intake.search import Term
from firstline.intake.store import (
    access,
    articles,
    directory,
    due,
    incident_tables,
    incidents,
    mails,
    messages,
    relations,
    releases,
    reports,
    supervision,
    tables,
    tickets,
    vault_tables,
    word_tables,
    words,
)
from firstline.intake.store.tickets import EQUALITIES, Wanted, listing

MODULES = (
    access,
    articles,
    directory,
    due,
    incidents,
    mails,
    messages,
    relations,
    releases,
    reports,
    supervision,
    tickets,
    words,
)
STATEMENTS: dict[str, Sql[Any]] = {
    name: value for module in MODULES for name, value in vars(module).items() if isinstance(value, Sql)
}
WHOLE = {"POLICIES", "FURTHER_POLICIES", "VAULT_KEYS"}
"""Read at the start, when another replica has published one, hourly: a handful of rows."""
SORTED = (
    "PERSON_BY_EMAIL",
    "LICENCE_OF_ORGANIZATION",
    "ATTACHED",
    "ATTACHMENTS_OF_MESSAGE",
    "RELATED",
    "RELATED_IN_REACH",
)
"""They put in order what belongs to one object: a handful of rows."""
FEW = (
    "ix_mail_pending",
    "ix_release_unsettled",
    "ix_due_due_at",
    "ix_supervisor_request_unanswered",
    "ix_person_supervisor",
    "ix_incident_banner",
    "ix_incident_reply_pending",
    "ix_article_use_uncounted",
    "ix_attachment_held",
)
"""Indexes of what is to be done, read from their beginning."""
READS = sorted(name for name, sql in STATEMENTS.items() if not sql.text.startswith("INSERT"))
WORDS = (Term("white", whole=False), Term("500", whole=True))
CLIENT = Principal("clara", Role.CLIENT, "clara@shop.example")
PARTNER = Principal("pia", Role.PARTNER, "pia@shop.example", "acme")
REACHES = {
    "own": Access(CLIENT, Relation.OWN),
    "organization": Access(PARTNER, Relation.ORGANIZATION),
    "any": Access(Principal("anna", Role.AGENT, "anna@shop.example"), Relation.ANY),
}


@pytest.fixture(scope="module")
def database(empty_store: Path) -> Iterator[sqlite3.Connection]:
    """Return a connection to a migrated store."""
    connection = sqlite3.connect(empty_store)
    yield connection
    connection.close()


def names_in(text: str) -> dict[str, Any]:
    """Return a value for each parameter of a statement."""
    return {name: name for name in re.findall(r":(\w+)", text)} | {"limit": 1, "sqlite_query": "white"}


def explained(database: sqlite3.Connection, sql: Sql[Any]) -> list[str]:
    """Return the steps in which SQLite would do a statement."""
    text = sqlite_text(sql.sqlite or sql.text)
    given = names_in(text) | dict.fromkeys(re.findall(r"json_each\(:(\w+)\)", text), "[]")
    return [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {text}", given)]


@pytest.mark.parametrize("name", STATEMENTS)
def test_every_statement_prepares(database: sqlite3.Connection, name: str) -> None:
    """The database understands the statement, and its columns are as many as its row class has fields."""
    sql = STATEMENTS[name]
    text = sqlite_text(sql.sqlite or sql.text)
    given = names_in(text) | dict.fromkeys(re.findall(r"json_each\(:(\w+)\)", text), "[]")
    cursor = database.execute(text, given)
    columns = [] if cursor.description is None else [column[0] for column in cursor.description]
    if sql.into is type(None):
        assert columns == []
    elif dataclasses.is_dataclass(sql.into):
        assert columns == [field.name for field in dataclasses.fields(sql.into)]
    else:
        assert len(columns) == 1
    database.rollback()


@pytest.mark.parametrize("name", [name for name in READS if name not in WHOLE])
def test_every_statement_walks_an_index(database: sqlite3.Connection, name: str) -> None:
    """No statement reads a whole table; those in the order of an index don't sort."""
    plan = explained(database, STATEMENTS[name])
    table_steps = [step for step in plan if re.match(r"(SCAN|SEARCH) (?!json_each)", step)]
    assert table_steps != []
    partial = [step for step in table_steps if step.startswith("SCAN") and any(index in step for index in FEW)]
    full_text = [step for step in table_steps if re.match(r"SCAN \w+ VIRTUAL TABLE INDEX \d+:M", step)]
    assert [step for step in table_steps if not step.startswith("SEARCH")] == partial + full_text
    sorts = any("ORDER BY" in step for step in plan)
    assert not sorts or name in SORTED, plan


@pytest.mark.parametrize("near", REACHES)
def test_every_list_walks_an_index(database: sqlite3.Connection, near: str) -> None:
    """Whatever the filters, a list goes along an index: by participant or organisation for those who see not all."""
    filters = [(), *itertools.combinations(EQUALITIES, 1), *itertools.combinations(EQUALITIES, 2)]
    for names, people, after, terms in itertools.product(
        filters, ((), ("kim@shop.example",)), (None, "id"), ((), WORDS)
    ):
        equal: dict[str, Any] = dict.fromkeys(names, "x")
        wanted = Wanted(equal, people, datetime(2026, 1, 1, tzinfo=UTC) if after else None, terms, after)
        sql, given = listing(REACHES[near], wanted)
        assert set(given) - {"sqlite_query"} == set(re.findall(r":(\w+)", sql.text))
        plan = explained(database, sql)
        scans = [step for step in plan if re.match(r"SCAN (t|p|o)\b", step)]
        if near == "any" and not people:
            assert all("USING INDEX" in step for step in scans), (names, plan)
            assert not terms or plan[0].startswith("SCAN ticket_fts VIRTUAL TABLE"), plan
            few = "external_ref" in names  # one an organisation
            assert few or not any("TEMP B-TREE" in step for step in plan), (names, plan)
        else:
            assert scans == [], (names, people, plan)


@pytest.mark.parametrize("outcome", [None, "x"])
@pytest.mark.parametrize("ticket_id", [None, "x"])
@pytest.mark.parametrize("after", [None, "x"])
def test_every_list_of_mails_walks_an_index(
    database: sqlite3.Connection, outcome: str | None, ticket_id: str | None, after: str | None
) -> None:
    """Mails are listed along the index of the outcome or of the ticket, newest first without sorting."""
    sql, given = mails.listing(outcome, ticket_id, after)
    assert set(given) | {"limit"} == set(re.findall(r":(\w+)", sql.text))
    plan = explained(database, sql)
    assert not any("TEMP B-TREE" in step for step in plan), plan
    assert outcome is None is ticket_id or any("ix_mail_" in step for step in plan), plan


@pytest.mark.parametrize(
    ("near", "people", "index"),
    [
        ("own", (), "ix_participant_address"),
        ("organization", (), "ix_participant_address"),
        ("organization", (), "ix_ticket_organization"),
        ("any", ("kim@shop.example",), "ix_participant_address"),
    ],
)
def test_hot_lists_walk_their_own_index(
    database: sqlite3.Connection, near: str, people: tuple[str, ...], index: str
) -> None:
    """A client's list begins at their address, a partner's at their organisation too, and neither sorts a walk."""
    plan = explained(database, listing(REACHES[near], Wanted({}, people, after="id"))[0])
    assert any(index in step for step in plan), plan
    if near != "organization":
        assert not any("TEMP B-TREE" in step for step in plan), plan


def test_migrations_make_what_is_defined(empty_store: Path, tmp_path: Path) -> None:
    """Tables and indexes of a migrated store are those of the definitions, conditions of partial indexes included."""
    command.check(configuration("intake", f"sqlite:///{empty_store}"))
    defined = sa.create_engine(f"sqlite:///{tmp_path / 'defined.db'}")
    assert word_tables.TicketWordsTable.metadata is tables.METADATA
    assert vault_tables.AccessRequestTable.metadata is tables.METADATA
    assert incident_tables.IncidentTable.metadata is tables.METADATA
    tables.METADATA.create_all(defined)
    with defined.connect() as connection:
        expected = {row[0]: row[1] for row in connection.execute(sa.text(_INDEXES))}
    defined.dispose()
    migrated = sqlite3.connect(empty_store)
    made = dict(migrated.execute(_INDEXES).fetchall())
    migrated.close()
    assert made == expected
    assert len(made) > 8


_INDEXES = (
    "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name NOT LIKE 'alembic%'"
)


def test_what_is_silent_already_is_looked_at_bit_by_bit(tmp_path: Path) -> None:
    """Requests that an earlier release left resolved are looked at a minute apart, so no flood of mail goes out."""
    config = configuration("intake", f"sqlite:///{tmp_path / 'intake.db'}")
    command.upgrade(config, "0010")
    connection = sqlite3.connect(tmp_path / "intake.db")
    columns = [row[1] for row in connection.execute("PRAGMA table_info(ticket)") if row[3]]
    for number in range(3):
        given = {"status": "resolved", "id": f"t{number}", "number": f"FL-{number}"}
        values = [given.get(name, "2026-01-01T00:00:00.000000Z") for name in columns]
        marks = ", ".join("?" for _ in columns)
        connection.execute(f"INSERT INTO ticket ({', '.join(columns)}) VALUES ({marks})", values)
    connection.commit()
    command.upgrade(config, "head")
    due = [datetime.fromisoformat(at) for (at,) in connection.execute("SELECT due_at FROM due ORDER BY ticket_id")]
    (shape,) = connection.execute("SELECT DISTINCT length(due_at) FROM due").fetchone()
    connection.close()
    assert shape == len("2026-01-01T00:00:00.000000Z")
    assert [late - early for early, late in itertools.pairwise(due)] == [timedelta(minutes=1)] * 2


def test_migrations_can_be_taken_back(tmp_path: Path) -> None:
    """Downgrading leaves nothing but the history's own table, and upgrading again works."""
    config = configuration("intake", f"sqlite:///{tmp_path / 'intake.db'}")
    for _ in range(2):
        command.upgrade(config, "head")
        command.downgrade(config, "base")
    connection = sqlite3.connect(tmp_path / "intake.db")
    names = connection.execute("SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").fetchall()
    connection.close()
    assert {name for (name,) in names} == {"alembic_version_intake"}


def test_answers_that_link_what_is_gone_are_mended(tmp_path: Path) -> None:
    """Links of canned answers to pages that an earlier release let go are dropped, the others are noted."""
    config = configuration("intake", f"sqlite:///{tmp_path / 'intake.db'}")
    command.upgrade(config, "0013")
    connection = sqlite3.connect(tmp_path / "intake.db")
    page = "INSERT INTO article (id, url, title, text, created_at, updated_at) VALUES ('a', 'u', 't', '', '', '')"
    connection.execute(page)
    answer = "INSERT INTO canned_answer (id, code, title, text, article_ids, updated_at) VALUES (?, ?, '', '', ?, '')"
    connection.executemany(answer, [("1", "whole", '["a"]'), ("2", "broken", '["gone", "a"]'), ("3", "bare", "[]")])
    connection.commit()
    command.upgrade(config, "head")
    kept = connection.execute("SELECT code, article_ids FROM canned_answer ORDER BY id").fetchall()
    links = connection.execute("SELECT code, article_id FROM canned_answer_article ORDER BY code").fetchall()
    connection.close()
    assert kept == [("whole", '["a"]'), ("broken", '["a"]'), ("bare", "[]")]
    assert links == [("broken", "a"), ("whole", "a")]

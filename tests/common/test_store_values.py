"""What goes into a store comes out as it was, and what no store can keep is refused at the door."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import IntEnum, StrEnum
from typing import Any

import pytest
from firstline.common.errors import Invalid
from firstline.common.store.port import Sql, Unit
from firstline.common.store.sqlite import SqliteStore, sqlite_text
from firstline.common.store.tables import JsonText, Serial, UtcTime
from firstline.common.store.values import reader_for, time_text, to_sqlite
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql, sqlite

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Fact:
    """A row of every kind of column."""

    name: str
    number: int | None
    share: float | None
    flag: bool | None
    at: datetime | None
    doc: dict[str, Any] | None
    list: tuple[str, ...] | None
    bytes: bytes | None


INSERT: Sql[None] = Sql(
    "INSERT INTO fact (name, number, share, flag, at, doc, list, bytes)"
    " VALUES (:name, :number, :share, :flag, :at, :doc, :list, :bytes)",
    type(None),
)
ALL = Sql("SELECT name, number, share, flag, at, doc, list, bytes FROM fact ORDER BY name", Fact)
FULL: dict[str, Any] = {
    "name": "Übung 🛠 'quoted'; --",
    "number": 2**63 - 1,
    "share": 0.1,
    "flag": True,
    "at": NOON,
    "doc": {"a": [1, 2.5, None, True, "ü"], "b": {"c": "\\u0000 as six characters"}},
    "list": ("one", "two"),
    "bytes": b"\x00\xff",
}


async def _stored(store: SqliteStore, **changes: Any) -> Fact:
    """Return a fact as it is read back after it was stored."""

    async def put(unit: Unit) -> None:
        await unit.run(INSERT, **FULL | changes)

    await store.write(put)
    (found,) = await store.read(lambda unit: unit.all(ALL))
    return found


async def test_every_kind_of_value_comes_back(store: SqliteStore) -> None:
    """Text, integers, floats, booleans, times, objects, lists and bytes are read as they were written."""
    assert await _stored(store) == Fact(**FULL)


async def test_nothing_comes_back_as_none(store: SqliteStore) -> None:
    """None is NULL in every column, and no empty list, false or text `null`."""
    empty = dict.fromkeys(("number", "share", "flag", "at", "doc", "list", "bytes"))
    assert await _stored(store, **empty) == Fact(FULL["name"], **empty)
    nulls = Sql("SELECT COUNT(*) FROM fact WHERE doc IS NULL AND flag IS NULL AND at IS NULL", int)
    assert await store.read(lambda unit: unit.one(nulls)) == 1


@pytest.mark.parametrize(
    "at", [datetime(2026, 11, 23, 14, tzinfo=timezone(timedelta(hours=2))), datetime(1, 1, 1, tzinfo=UTC), datetime.max]
)
async def test_times_come_back_as_utc(store: SqliteStore, at: datetime) -> None:
    """An instant of any zone and any year comes back as the same instant, in UTC."""
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    found = (await _stored(store, at=at)).at
    assert found == at
    assert found is not None
    assert found.tzinfo is UTC


@example([NOON + timedelta(microseconds=count) for count in (1_000_000, 999_999, 1, 0)])
@given(st.lists(st.datetimes(timezones=st.just(UTC)), min_size=2, max_size=20))
def test_times_sort_as_text(instants: list[datetime]) -> None:
    """The text of times sorts as the times do, down to the microsecond, in any year."""
    assert [time_text(at) for at in sorted(instants)] == sorted(time_text(at) for at in instants)


@given(st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=st.timezones()))
def test_times_survive_their_text(at: datetime) -> None:
    """A time reads back as the instant that it was, whatever its zone."""
    assert datetime.fromisoformat(time_text(at)) == at.astimezone(UTC)


@pytest.mark.parametrize(
    ("column", "value", "error"),
    [
        ("at", datetime(2026, 11, 23, 12, 0), ValueError),
        ("at", datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1))), Invalid),
        ("name", "a\0b", Invalid),
        ("name", "half \ud83d", Invalid),
        ("doc", {"a": ["b\0"]}, Invalid),
        ("doc", {"a\0": 1}, Invalid),
        ("doc", {"a": "\\\\\0"}, Invalid),
        ("doc", {"a": "\udc00"}, Invalid),
        ("doc", {"a": float("nan")}, Invalid),
        ("list", ("a", "\0"), Invalid),
        ("share", float("nan"), Invalid),
        ("share", float("-inf"), Invalid),
        ("number", 2**63, Invalid),
        ("number", -(2**63) - 1, Invalid),
        ("doc", {"a": NOON}, TypeError),
        ("bytes", object(), TypeError),
    ],
)
async def test_what_no_store_keeps_is_refused(
    store: SqliteStore, column: str, value: object, error: type[Exception]
) -> None:
    """A naive time, NUL, half a character, a number without end or too large: refused, and nothing is stored."""
    with pytest.raises(error):
        await _stored(store, **{column: value})
    assert await store.read(lambda unit: unit.all(ALL)) == []


@settings(max_examples=60)
@given(
    st.recursive(
        st.none() | st.booleans() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_a_nul_never_gets_into_a_json_column(value: object) -> None:
    """JSON is refused exactly when a NUL character is somewhere inside."""

    def holds_nul(part: object) -> bool:
        match part:
            case str():
                return "\0" in part
            case dict():
                return any(holds_nul(name) or holds_nul(member) for name, member in part.items())
            case list():
                return any(holds_nul(member) for member in part)
        return False

    if holds_nul(value):
        with pytest.raises(Invalid):
            to_sqlite([value])
    else:
        assert reader_for(list)((to_sqlite([value]),)) == [value]


async def test_scalars_are_read_as_their_type(store: SqliteStore) -> None:
    """A statement into a scalar type gives the first column, converted, and None where nothing is found."""
    await _stored(store)

    async def scalars(unit: Unit) -> list[object]:
        return [
            await unit.one(Sql("SELECT at FROM fact", datetime)),
            await unit.one(Sql("SELECT flag FROM fact", bool)),
            await unit.one(Sql("SELECT doc FROM fact", dict)),
            await unit.one(Sql("SELECT number FROM fact WHERE name = 'nobody'", int)),
            await unit.one(Sql("SELECT MAX(at) FROM fact WHERE name = 'nobody'", datetime)),
        ]

    assert await store.read(scalars) == [NOON, True, FULL["doc"], None, None]


def test_annotations_decide_the_conversion() -> None:
    """Mappings and sequences are read from JSON, tuples become tuples, optional ones pass None through."""

    @dataclass(frozen=True, slots=True)
    class Row:
        a: Mapping[str, int]
        b: Sequence[str]
        c: list[str] | None
        d: tuple[str, ...]
        e: str | None

    assert reader_for(Row)(('{"x":1}', '["y"]', None, '["z"]', "[1]")) == Row({"x": 1}, ["y"], None, ("z",), "[1]")


@pytest.mark.parametrize("columns", ["name, number", "name, number, share, flag, at, doc, list, bytes, 1"])
async def test_columns_and_row_class_must_agree(store: SqliteStore, columns: str) -> None:
    """A statement with fewer or more columns than its row class has fields fails at the first row."""
    await _stored(store)
    with pytest.raises((TypeError, IndexError)):
        await store.read(lambda unit: unit.all(Sql(f"SELECT {columns} FROM fact", Fact)))


async def test_lists_are_searched(store: SqliteStore) -> None:
    """`= ANY(:list)` finds rows by any member of a list or tuple, and none by an empty one."""
    names = Sql("SELECT name FROM fact WHERE name = ANY(:names) ORDER BY name", str)

    async def put(unit: Unit) -> None:
        await unit.many(INSERT, [FULL | {"name": name} for name in ("it's", "b", "c")])

    async def look(unit: Unit) -> list[list[str]]:
        return [await unit.all(names, names=wanted) for wanted in (["c", "it's", "x"], ("b",), [])]

    await store.write(put)
    assert await store.read(look) == [["c", "it's"], ["b"], []]


@pytest.mark.parametrize(
    ("text", "rewritten"),
    [
        (
            "a = ANY(:x) AND b = ANY(:y)",
            "a IN (SELECT value FROM json_each(:x)) AND b IN (SELECT value FROM json_each(:y))",
        ),
        ("SELECT 1 FROM t LIMIT 1 FOR UPDATE SKIP LOCKED", "SELECT 1 FROM t LIMIT 1"),
        ("SELECT 1 FROM t FOR SHARE", "SELECT 1 FROM t"),
        ("SELECT 1 FROM (SELECT 2 FROM t\n FOR UPDATE) x", "SELECT 1 FROM (SELECT 2 FROM t) x"),
        ("INSERT INTO t VALUES (:x) ON CONFLICT DO NOTHING RETURNING a", None),
    ],
)
def test_only_the_words_that_differ_are_rewritten(text: str, rewritten: str | None) -> None:
    """Lists and row locks are spelled SQLite's way; all else stays as it is."""
    assert sqlite_text(text) == (rewritten or text)


def test_column_types_have_no_affinity_to_numbers() -> None:
    """Times are text on SQLite, where a value of digits must not become a number; JSON is text on both stores."""
    on_sqlite, on_postgresql = sqlite.dialect(), postgresql.dialect()  # type: ignore[no-untyped-call]
    assert [kind.compile(on_sqlite) for kind in (UtcTime(), JsonText(), Serial)] == ["TEXT", "TEXT", "INTEGER"]
    typed = [kind.compile(on_postgresql) for kind in (UtcTime(), JsonText(), Serial)]
    assert typed == ["TIMESTAMP WITH TIME ZONE", "TEXT", "BIGINT"]


class Colour(StrEnum):
    """Texts with names."""

    RED = "red"
    BAD = "a\0"


class Size(IntEnum):
    """Numbers with names."""

    LARGE = 3


async def test_members_of_enumerations_are_kept_as_their_value(store: SqliteStore) -> None:
    """A member of a text or number enumeration is stored as what it stands for, and refused like it."""
    found = await _stored(store, name=Colour.RED, number=Size.LARGE)
    assert (found.name, found.number) == ("red", 3)
    with pytest.raises(Invalid):
        to_sqlite(Colour.BAD)


async def test_ids_of_digits_stay_text(store: SqliteStore) -> None:
    """An id that looks like a number comes back with its leading zeros."""
    assert (await _stored(store, name="0001e5")).name == "0001e5"


async def test_statements_take_values_only_as_parameters(store: SqliteStore) -> None:
    """A value that looks like SQL is a value."""
    hostile = "x'; DROP TABLE fact; --"
    assert (await _stored(store, name=hostile)).name == hostile
    with pytest.raises(sqlite3.ProgrammingError):
        await store.read(lambda unit: unit.all(Sql("SELECT name FROM fact WHERE name = :missing", str)))

"""What every store promises, on SQLite and PostgreSQL: units whole or not at all, races run again, grouped inserts."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from firstline.common.errors import Invalid, NotFound, Unavailable
from firstline.common.store.port import Insertion, Sql, Store, Unit, Value

pytestmark = pytest.mark.both_stores

ADD: Sql[None] = Sql("INSERT INTO fact (name, number) VALUES (:name, :number)", type(None))
MISTAKEN: Sql[None] = Sql("UPDATE fact SET nothing_of_the_kind = 1 WHERE name = :name", type(None))
KEEP: Sql[None] = Sql(
    "INSERT INTO fact (name, number, share, flag, at, doc, list, bytes)"
    " VALUES (:name, :number, :share, :flag, :at, :doc, :list, :bytes)",
    type(None),
)
KEPT = Sql("SELECT number FROM fact WHERE name = :name", int)
LOCKED = Sql("SELECT number FROM fact WHERE name = :name FOR UPDATE", int)
SET: Sql[None] = Sql("UPDATE fact SET number = :number WHERE name = :name", type(None))
UP = Sql("UPDATE fact SET number = number + 1 WHERE name = :name RETURNING number", int)
NAMES = Sql("SELECT name FROM fact ORDER BY name", str)
AMONG = Sql("SELECT name FROM fact WHERE name = ANY(:names) ORDER BY name", str)
NOT_AMONG = Sql("SELECT name FROM fact WHERE NOT (name = ANY(:names)) ORDER BY name", str)
FLAG = Sql("SELECT flag FROM fact WHERE name = :name", bool)
AT = Sql("SELECT at FROM fact WHERE name = :name", datetime)
DOC: Sql[dict[str, object]] = Sql("SELECT doc FROM fact WHERE name = :name", dict)
LIST: Sql[list[object]] = Sql("SELECT list FROM fact WHERE name = :name", list)
BYTES = Sql("SELECT bytes FROM fact WHERE name = :name", bytes)
DROP: Sql[None] = Sql("DELETE FROM fact WHERE name = ANY(:names)", type(None))
OpenStore = Callable[..., Awaitable[Store]]
NOTHING = {"number": None, "share": None, "flag": None, "at": None, "doc": None, "list": None, "bytes": None}


async def names(store: Store) -> list[str]:
    """Return the names of all facts."""
    return await store.read(lambda unit: unit.all(NAMES))


async def add(store: Store, name: str, number: int = 0) -> None:
    """Add a fact."""
    await store.write(lambda unit: unit.run(ADD, name=name, number=number))


async def test_what_is_put_off_comes_last(store: Store) -> None:
    """A statement that is put off is part of its unit, and has its effect after all else that the unit does."""

    async def work(unit: Unit) -> list[str]:
        unit.later(ADD, name="b", number=1)
        unit.later(SET, name="b", number=2)
        unit.later(ADD, name="c", number=3)
        await unit.run(ADD, name="a", number=0)
        return await unit.all(NAMES)

    assert await store.write(work) == ["a"]
    assert await names(store) == ["a", "b", "c"]
    assert await store.read(lambda unit: unit.one(KEPT, name="b")) == 2


async def test_what_is_sent_is_there_for_the_next_statement(store: Store) -> None:
    """A unit may calculate while rows go in; whatever it asks then sees them, and what was put off still comes last."""

    async def work(unit: Unit) -> list[str]:
        unit.later(SET, name="b", number=3)
        await unit.send(ADD, [{"name": name, "number": 1} for name in "ab"])
        await unit.send(SET, [{"name": "b", "number": 2}])
        await unit.send(ADD, [])
        return await unit.all(NAMES)

    assert await store.write(work) == ["a", "b"]
    assert await store.read(lambda unit: unit.one(KEPT, name="b")) == 3


async def test_rows_that_are_sent_last_are_in_the_commit(store: Store) -> None:
    """The commit waits for what is still under way."""
    many: list[dict[str, Value]] = [{"name": f"{number:04}", "number": number} for number in range(2000)]
    await store.write(lambda unit: unit.send(ADD, many))
    assert len(await names(store)) == len(many)


async def test_rows_that_can_not_be_sent_are_told_of(store: Store) -> None:
    """A statement that is sent fails its unit as any other does, and nothing is left of it."""
    await add(store, "a")

    async def work(unit: Unit) -> None:
        await unit.run(ADD, name="b", number=0)
        await unit.send(MISTAKEN, [{"name": "b"}])

    with pytest.raises(Exception, match="nothing_of_the_kind"):
        await store.write(work)
    assert await names(store) == ["a"]


async def test_a_unit_that_fails_while_rows_go_in_leaves_nothing(store: Store) -> None:
    """Its own error is raised, and the next unit finds the store as it was."""

    async def work(unit: Unit) -> None:
        await unit.send(ADD, [{"name": f"{number:04}", "number": number} for number in range(2000)])
        raise NotFound("on purpose")

    with pytest.raises(NotFound, match="on purpose"):
        await store.write(work)
    await add(store, "a")
    assert await names(store) == ["a"]


async def test_a_unit_that_fails_at_what_it_put_off_leaves_nothing(store: Store) -> None:
    """When a statement that was put off can't be executed, nothing of its unit is stored."""
    await add(store, "taken")

    async def work(unit: Unit) -> None:
        unit.later(ADD, name="taken", number=1)
        await unit.run(ADD, name="new", number=1)

    with pytest.raises(Exception, match=r"(?i)unique"):
        await store.write(work)
    assert await names(store) == ["taken"]


async def test_values_come_back_as_they_went_in(store: Store) -> None:
    """Numbers, truth, instants with microseconds, objects in their order, lists and bytes survive the store."""
    at = datetime(2026, 11, 23, 13, 0, 0, 123456, tzinfo=timezone(timedelta(hours=1)))
    doc = {"z": 1, "a": {"ä": [1, 2.5, None, True]}, "m": "\u2028'\"\\"}
    given: dict[str, Value] = {
        "number": 7,
        "share": 0.1,
        "flag": True,
        "at": at,
        "doc": doc,
        "list": [doc, []],
        "bytes": b"\0\xff",
    }
    await store.write(lambda unit: unit.run(KEEP, name="full", **given))

    async def read(unit: Unit) -> list[object]:
        wanted = (KEPT, FLAG, AT, DOC, LIST, BYTES)
        return [await unit.one(sql, name="full") for sql in wanted]

    number, flag, instant, document, listed, blob = await store.read(read)
    assert (number, flag, instant, blob) == (7, True, at.astimezone(UTC), b"\0\xff")
    assert isinstance(instant, datetime)
    assert instant.utcoffset() == timedelta(0)
    assert document == doc
    assert isinstance(document, dict)
    assert list(document) == ["z", "a", "m"], "the order of members has a meaning in policies"
    assert listed == [doc, []]


async def test_nothing_comes_back_as_nothing(store: Store) -> None:
    """NULL is None whatever the column holds, and no row is None too."""
    await store.write(lambda unit: unit.run(KEEP, name="empty", **NOTHING))

    async def read(unit: Unit) -> list[object]:
        wanted = (KEPT, FLAG, AT, DOC, LIST, BYTES)
        return [await unit.one(sql, name=name) for sql in wanted for name in ("empty", "missing")]

    assert await store.read(read) == [None] * 12


@pytest.mark.parametrize(
    ("column", "value", "refusal"),
    [
        ("at", datetime(2026, 11, 23, 12, 0), ValueError),
        ("name", "a\0b", Invalid),
        ("name", "\ud800", Invalid),
        ("doc", {"a": "\0"}, Invalid),
        ("number", 2**63, Invalid),
        ("share", float("nan"), Invalid),
    ],
)
async def test_what_no_store_can_keep_is_refused(store: Store, column: str, value: object, refusal: type) -> None:
    """A value that one of the databases would refuse or bend is refused by both, and nothing is stored."""
    given = {"name": "odd", **NOTHING, column: value}
    with pytest.raises(refusal):
        await store.write(lambda unit: unit.run(KEEP, **given))  # type: ignore[arg-type]
    assert await names(store) == []


async def test_lists_are_looked_up(store: Store) -> None:
    """A list of any length, none too, may be asked for, asked against and deleted by."""
    for name in ("a", "b", "c"):
        await add(store, name)
    read = store.read
    assert await read(lambda unit: unit.all(AMONG, names=["c", "a", "x"])) == ["a", "c"]
    assert await read(lambda unit: unit.all(AMONG, names=[])) == []
    assert await read(lambda unit: unit.all(NOT_AMONG, names=("a",))) == ["b", "c"]
    assert await store.write(lambda unit: unit.run(DROP, names=["a", "c", "x"])) == 2


async def test_a_unit_is_whole_or_nothing(store: Store) -> None:
    """What a unit did before it failed is taken back, and its error reaches the caller as it was."""

    async def fail(unit: Unit) -> None:
        await unit.run(ADD, name="half", number=1)
        await unit.many(ADD, [{"name": f"many-{i}", "number": i} for i in range(3)])
        raise NotFound("nothing here")

    with pytest.raises(NotFound, match="nothing here"):
        await store.write(fail)
    assert await names(store) == []


async def test_a_unit_sees_what_it_wrote(store: Store) -> None:
    """Within a unit each statement sees the ones before it; counts are those of the rows touched."""

    async def work(unit: Unit) -> tuple[int, int, int | None]:
        await unit.many(ADD, [{"name": name, "number": 1} for name in ("a", "b")])
        await unit.many(ADD, [])
        return (
            await unit.run(SET, name="a", number=5),
            await unit.run(SET, name="missing", number=5),
            await unit.one(UP, name="a"),
        )

    assert await store.write(work) == (1, 0, 6)


async def test_concurrent_changes_lose_nothing(store: Store) -> None:
    """Of 100 concurrent units that read a locked number and write the next, each counts."""
    await add(store, "counter")

    async def count(unit: Unit) -> None:
        number = await unit.one(LOCKED, name="counter") or 0
        await unit.run(SET, name="counter", number=number + 1)

    await asyncio.gather(*(store.write(count) for _ in range(100)))
    assert await store.read(lambda unit: unit.one(KEPT, name="counter")) == 100


async def test_who_looked_in_vain_looks_again(store: Store) -> None:
    """Of many who add what they did not find, one adds it; the others are run again and find it."""

    async def find_or_add(unit: Unit) -> str:
        if await unit.one(KEPT, name="once") is None:
            await unit.run(ADD, name="once", number=1)
            return "added"
        return "found"

    told = await asyncio.gather(*(store.write(find_or_add) for _ in range(20)))
    assert sorted(told) == ["added", *["found"] * 19]


async def test_those_who_lock_crosswise_both_get_through(store: Store) -> None:
    """Units that lock two rows in opposite orders are untangled and run again, until each has had its effect."""
    await add(store, "left")
    await add(store, "right")

    async def up(first: str, second: str) -> None:
        async def work(unit: Unit) -> None:
            await unit.one(UP, name=first)
            await unit.one(UP, name=second)

        await store.write(work)

    pairs = [("left", "right"), ("right", "left")] * 3
    await asyncio.gather(*(up(*pair) for pair in pairs))
    for name in ("left", "right"):
        assert await store.read(lambda unit, name=name: unit.one(KEPT, name=name)) == 6  # type: ignore[misc]


async def test_a_read_keeps_its_view(store: Store) -> None:
    """What is committed while a reading unit runs is not seen by it; it can't write either."""
    await add(store, "a")

    async def look(unit: Unit) -> tuple[list[str], list[str]]:
        before = await unit.all(NAMES)
        return before, await unit.all(NAMES)

    reading = asyncio.gather(*(store.read(look) for _ in range(10)))
    await asyncio.gather(*(add(store, f"b{i}") for i in range(10)))
    assert all(before == after for before, after in await reading)
    with pytest.raises(Exception, match=r"(?i)read.?only"):
        await store.read(lambda unit: unit.run(ADD, name="written", number=1))
    assert "written" not in await names(store)


async def test_insertions_go_in_whole(store: Store) -> None:
    """Of many concurrent insertions each goes in with all its rows, or, its key being taken, with none."""
    await add(store, "taken")
    pairs = [("taken" if number % 5 == 0 else f"first-{number}", f"second-{number}") for number in range(100)]

    async def insert(pair: tuple[str, str]) -> bool:
        return await store.insert(Insertion(tuple((ADD, {"name": name, "number": 1}) for name in pair)))

    stored = await asyncio.gather(*(insert(pair) for pair in pairs))
    assert stored == [number % 5 != 0 for number in range(100)]
    expected = {name for pair, went_in in zip(pairs, stored, strict=True) if went_in for name in pair} | {"taken"}
    assert set(await names(store)) == expected


async def test_one_key_has_one_winner(store: Store) -> None:
    """Of 64 concurrent insertions under one key exactly one goes in."""
    row: dict[str, Value] = {"name": "key", "number": 1}
    told = await asyncio.gather(*(store.insert(Insertion(((ADD, row),))) for _ in range(64)))
    assert sorted(told) == [False] * 63 + [True]


async def test_a_broken_rule_of_one_insertion_hurts_no_other(store: Store) -> None:
    """A row that misses what it must have fails with an error for its caller alone."""
    rows: list[dict[str, Value]] = [{"name": None if number == 3 else f"n{number}", "number": 1} for number in range(6)]
    told = await asyncio.gather(*(store.insert(Insertion(((ADD, row),))) for row in rows), return_exceptions=True)
    assert [outcome is True for outcome in told] == [number != 3 for number in range(6)]
    assert isinstance(told[3], Exception)
    assert await names(store) == [f"n{number}" for number in range(6) if number != 3]


async def test_listeners_hear_of_commits(store: Store) -> None:
    """A listener is woken by a commit that announced its channel, by units and by insertions alike."""
    events = {channel: store.listen(channel) for channel in ("here", "there", "elsewhere")}
    await asyncio.sleep(0.2)
    for event in events.values():
        event.clear()

    async def work(unit: Unit) -> None:
        await unit.run(ADD, name="a", number=1)
        unit.announce("here")

    await store.write(work)
    await store.insert(Insertion(((ADD, {"name": "b", "number": 1}),), ("there",)))
    assert [event.is_set() for event in events.values()] == [True, True, False]


async def test_a_closed_store_is_out_of_reach(open_store: OpenStore) -> None:
    """After closing, every verb says that the store is out of reach; opened again, it holds what it held."""
    store = await open_store("closing")
    await add(store, "kept")
    await store.close()
    for attempt in (
        store.read(lambda unit: unit.all(NAMES)),
        store.write(lambda unit: unit.all(NAMES)),
    ):
        with pytest.raises(Unavailable):
            await attempt
    assert await names(await open_store("closing")) == ["kept"]

"""The SQLite store: units of concurrent callers in one commit, each alone in success and failure; what it survives."""

import asyncio
import contextvars
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
from firstline.common.errors import NotFound, Unavailable
from firstline.common.ports import ManualClock, Ports
from firstline.common.store.port import Insertion, Sql, Unit
from firstline.common.store.sqlite import GROUP_LIMIT, SqliteStore

T = TypeVar("T")
OpenStore = Callable[..., Awaitable[SqliteStore]]
ADD: Sql[None] = Sql("INSERT INTO fact (name, number) VALUES (:name, :number)", type(None))
COUNT_UP: Sql[None] = Sql("UPDATE fact SET number = :number WHERE name = 'counter'", type(None))
NUMBER = Sql("SELECT number FROM fact WHERE name = :name", int)
NAMES = Sql("SELECT name FROM fact ORDER BY name", str)
COUNT = Sql("SELECT COUNT(*) FROM fact", int)
LIMIT_PAGES = Sql("PRAGMA max_page_count = 1", int)
FREE_PAGES = Sql("PRAGMA max_page_count = 1000000", int)


def adding(
    name: str, number: int = 0, *, then: Callable[[Unit], Awaitable[None]] | None = None
) -> Callable[[Unit], Awaitable[str]]:
    """Return a unit of work that adds a fact, then does something else, and returns the fact's name."""

    async def work(unit: Unit) -> str:
        await unit.run(ADD, name=name, number=number)
        if then is not None:
            await then(unit)
        return name

    return work


async def names(store: SqliteStore) -> list[str]:
    """Return the names of all facts."""
    return await store.read(lambda unit: unit.all(NAMES))


class CountedCommits:
    """A port for blocking work that counts it, and can hold it up until it is let go."""

    def __init__(self, ports: Ports) -> None:
        self.ports = replace(ports, offload=self)
        self.count = 0
        self.free = asyncio.Event()
        self.free.set()
        self.begun = asyncio.Event()
        self._offload = ports.offload

    async def __call__(self, work: Callable[[], T]) -> T:
        """Do the work in a thread once it is free to go on."""
        self.count += 1
        self.begun.set()
        await self.free.wait()
        return await self._offload(work)


@pytest.fixture
def commits(ports: Ports) -> Iterator[CountedCommits]:
    """Return a count of commits; at the end none is held up."""
    counted = CountedCommits(ports)
    yield counted
    counted.free.set()


@pytest.fixture
async def counted(open_store: OpenStore, commits: CountedCommits) -> SqliteStore:
    """Return a store whose commits are counted."""
    return await open_store("counted", commits.ports)


class HurriedClock(ManualClock):
    """A clock on which waiting takes no time, so that patience is soon at its end."""

    waited = 0.0

    def monotonic(self) -> float:
        """Return the seconds that were waited for."""
        return self.waited

    async def sleep(self, seconds: float) -> None:
        """Let others run, and count the wait."""
        self.waited += seconds
        await asyncio.sleep(0)


async def test_the_file_is_set_up_to_keep_what_it_was_told(store: SqliteStore) -> None:
    """Writing goes through the write-ahead log with a full sync at each commit, and foreign keys are held."""

    async def pragmas(unit: Unit) -> list[object]:
        kinds = {"journal_mode": str, "synchronous": int, "foreign_keys": int}
        return [await unit.one(Sql(f"PRAGMA {name}", kind)) for name, kind in kinds.items()]

    assert await store.write(pragmas) == ["wal", 2, 1]


async def test_concurrent_units_share_a_commit(counted: SqliteStore, commits: CountedCommits) -> None:
    """Units that wait together are committed together, and each caller gets its own result."""
    results = await asyncio.gather(*(counted.write(adding(f"n{i}")) for i in range(50)))
    assert results == [f"n{i}" for i in range(50)]
    assert commits.count < 10
    assert len(await names(counted)) == 50


async def test_a_group_is_bounded(counted: SqliteStore, commits: CountedCommits) -> None:
    """More units than a group may have take more than one commit."""
    await asyncio.gather(*(counted.write(adding(f"n{i}")) for i in range(GROUP_LIMIT + 1)))
    assert commits.count >= 2


async def test_one_failing_unit_hurts_no_other(store: SqliteStore) -> None:
    """A unit that fails, for whatever reason, gets its own error and leaves nothing; its neighbours are stored."""

    async def refuse(_unit: Unit) -> None:
        raise NotFound("nothing here")

    async def mistake(unit: Unit) -> None:
        await unit.run(Sql("INSERT INTO no_such_table VALUES (1)", type(None)))

    async def clash(unit: Unit) -> None:
        await unit.run(ADD, name="good 0", number=1)

    failing = {refuse: NotFound, mistake: sqlite3.OperationalError, clash: sqlite3.IntegrityError}
    jobs = [store.write(adding(f"good {i}")) for i in range(3)]
    jobs += [store.write(adding(f"bad {i}", then=then)) for i, then in enumerate(failing)]
    jobs += [store.write(adding(f"good {i}")) for i in range(3, 6)]
    results = await asyncio.gather(*jobs, return_exceptions=True)
    assert [type(result) for result in results[3:6]] == list(failing.values())
    assert (
        await names(store)
        == [result for result in results if isinstance(result, str)]
        == [f"good {i}" for i in range(6)]
    )


async def test_a_unit_may_catch_its_own_clash(store: SqliteStore) -> None:
    """A unit that catches a statement's failure goes on, and what it did besides is stored."""
    await store.write(adding("taken"))

    async def work(unit: Unit) -> None:
        await unit.run(ADD, name="before", number=0)
        with pytest.raises(sqlite3.IntegrityError):
            await unit.run(ADD, name="taken", number=0)
        await unit.run(ADD, name="after", number=0)

    await store.write(work)
    assert await names(store) == ["after", "before", "taken"]


async def test_an_insertion_is_all_or_nothing(store: SqliteStore) -> None:
    """Rows go in together; when one key is taken the answer is False, and none of them is there."""
    assert await store.insert(Insertion(((ADD, {"name": "a", "number": 1}),)))
    assert not await store.insert(Insertion(((ADD, {"name": "b", "number": 1}), (ADD, {"name": "a", "number": 2}))))
    assert await names(store) == ["a"]


async def test_insertions_of_one_key_have_one_winner(store: SqliteStore) -> None:
    """Of many callers that insert the same key at once, one hears True."""
    results = await asyncio.gather(
        *(store.insert(Insertion(((ADD, {"name": "one", "number": i}),))) for i in range(32))
    )
    assert sorted(results) == [False] * 31 + [True]
    assert await store.read(lambda unit: unit.one(NUMBER, name="one")) == results.index(True)


async def test_other_broken_rules_of_an_insertion_are_errors(store: SqliteStore) -> None:
    """A missing value is a mistake and not a taken key."""
    statement: Sql[None] = Sql("INSERT INTO inbox_source VALUES ('intake', :log, 1)", type(None))
    with pytest.raises(sqlite3.IntegrityError, match="NOT NULL"):
        await store.insert(Insertion(((statement, {"log": None}),)))


@pytest.mark.parametrize("foreign", [lambda: asyncio.sleep(0), lambda: asyncio.Event().wait()])
async def test_a_unit_awaits_nothing_but_its_statements(
    store: SqliteStore, foreign: Callable[[], Awaitable[None]]
) -> None:
    """A unit that awaits anything else fails and is rolled back; the store goes on."""

    async def wait(_unit: Unit) -> None:
        await foreign()

    with pytest.raises(RuntimeError, match="awaited something other"):
        await store.write(adding("half", then=wait))
    with pytest.raises(RuntimeError, match="awaited something other"):
        await store.read(wait)
    await store.write(adding("whole"))
    assert await names(store) == ["whole"]


async def test_a_unit_that_writes_through_the_store_writes_nothing(store: SqliteStore) -> None:
    """A unit that calls the store instead of its statements fails, and the inner unit does not run afterwards."""

    async def nested(_unit: Unit) -> None:
        await store.write(adding("inner"))

    with pytest.raises(RuntimeError, match="awaited something other"):
        await store.write(adding("outer", then=nested))
    await store.write(adding("later"))
    assert await names(store) == ["later"]


async def test_reading_units_cannot_write(store: SqliteStore) -> None:
    """A unit that was said to read is refused when it writes, loudly."""
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        await store.read(adding("lost"))
    assert await names(store) == []


async def test_a_mistaken_statement_is_no_outage(store: SqliteStore) -> None:
    """A read of a table that is not there fails as the mistake that it is."""
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        await store.read(lambda unit: unit.all(Sql("SELECT 1 FROM no_such_table", int)))


async def test_a_failed_read_leaves_the_store_readable(store: SqliteStore) -> None:
    """After a reading unit failed, the next sees what was written since."""

    async def fail(unit: Unit) -> None:
        await unit.all(NAMES)
        raise NotFound("nothing here")

    with pytest.raises(NotFound):
        await store.read(fail)
    await store.write(adding("new"))
    assert await names(store) == ["new"]


async def test_reads_see_one_state_while_a_commit_runs(counted: SqliteStore, commits: CountedCommits) -> None:
    """While a commit is on its way to the disk readers see the state before it, from first statement to last."""
    await counted.write(adding("before"))
    commits.free.clear()
    commits.begun.clear()
    writing = asyncio.ensure_future(counted.write(adding("during")))
    await commits.begun.wait()

    async def look_twice(unit: Unit) -> tuple[int | None, list[str]]:
        return await unit.one(COUNT), await unit.all(NAMES)

    assert await counted.read(look_twice) == (1, ["before"])
    assert not writing.done()
    commits.free.set()
    assert await writing == "during"
    assert await counted.read(look_twice) == (2, ["before", "during"])


async def test_a_reading_unit_keeps_its_view(store: SqliteStore, tmp_path: Path) -> None:
    """What another connection commits between two statements of a reading unit is not seen by the second."""
    other = sqlite3.connect(tmp_path / "service.db", isolation_level=None)

    async def look(unit: Unit) -> list[int | None]:
        before = await unit.one(COUNT)
        other.execute("INSERT INTO fact (name) VALUES ('new')")
        return [before, await unit.one(COUNT)]

    assert await store.read(look) == [0, 0]
    assert await store.read(lambda unit: unit.one(COUNT)) == 1
    other.close()


async def test_a_thousand_writers_lose_nothing(store: SqliteStore) -> None:
    """A thousand concurrent read-modify-writes of one counter count to a thousand."""
    await store.write(adding("counter"))

    async def count_up(unit: Unit) -> None:
        found = await unit.one(NUMBER, name="counter")
        assert found is not None
        await unit.run(COUNT_UP, number=found + 1)

    await asyncio.gather(*(store.write(count_up) for _ in range(1000)))
    assert await store.read(lambda unit: unit.one(NUMBER, name="counter")) == 1000


async def test_a_caller_that_left_before_its_turn_changes_nothing(
    counted: SqliteStore, commits: CountedCommits
) -> None:
    """A unit whose caller was cancelled while it waited does not run; one that ran is simply not waited for."""
    commits.free.clear()
    running = asyncio.ensure_future(counted.write(adding("running")))
    await commits.begun.wait()
    waiting = asyncio.ensure_future(counted.write(adding("waiting")))
    after = asyncio.ensure_future(counted.write(adding("after")))
    await asyncio.sleep(0)
    running.cancel()
    waiting.cancel()
    commits.free.set()
    assert await after == "after"
    assert running.cancelled()
    assert await names(counted) == ["after", "running"]


async def test_closing_commits_what_waits(open_store: OpenStore, commits: CountedCommits) -> None:
    """Units accepted before the store closes are stored and answered; later ones are refused."""
    store = await open_store("closing", commits.ports)
    commits.free.clear()
    jobs = [asyncio.ensure_future(store.write(adding(f"n{i}"))) for i in range(GROUP_LIMIT + 2)]
    await commits.begun.wait()
    closing = asyncio.ensure_future(store.close())
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        await store.write(adding("late"))
    commits.free.set()
    await closing
    assert await asyncio.gather(*jobs) == [f"n{i}" for i in range(GROUP_LIMIT + 2)]
    with pytest.raises(Unavailable):
        await names(store)
    await store.open()
    assert len(await names(store)) == GROUP_LIMIT + 2


async def test_opening_twice_keeps_what_is_open(store: SqliteStore) -> None:
    """A second opening leaves the open store as it is, and closing twice is closing."""
    await store.open()
    await store.write(adding("one"))
    await store.close()
    await store.close()


@pytest.mark.parametrize("content", [None, b"this is no database" * 100])
async def test_a_file_that_is_no_store_is_out_of_reach(tmp_path: Path, ports: Ports, content: bytes | None) -> None:
    """A folder that is missing, or a file that holds something else, is refused when it is opened."""
    path = tmp_path / "missing" / "x.db" if content is None else tmp_path / "x.db"
    if content is not None:
        path.write_bytes(content)
    store = SqliteStore(path, ports)
    with pytest.raises(Unavailable):
        await store.open()
    with pytest.raises(Unavailable):
        await store.write(adding("x"))


async def test_listeners_hear_of_commits_only(counted: SqliteStore, commits: CountedCommits) -> None:
    """Each listener of a channel is woken, after the commit, and not by a unit that failed."""
    first, second, other = counted.listen("news"), counted.listen("news"), counted.listen("else")

    async def announce(unit: Unit) -> None:
        unit.announce("news")

    async def announce_and_fail(unit: Unit) -> None:
        unit.announce("news")
        raise NotFound("nothing here")

    with pytest.raises(NotFound):
        await counted.write(adding("bad", then=announce_and_fail))
    assert not first.is_set()
    commits.free.clear()
    commits.begun.clear()
    writing = asyncio.ensure_future(counted.write(adding("good", then=announce)))
    await commits.begun.wait()
    assert not first.is_set()
    commits.free.set()
    await writing
    assert [event.is_set() for event in (first, second, other)] == [True, True, False]


async def test_insertions_announce(store: SqliteStore) -> None:
    """An insertion wakes the channels that it names when its rows went in, and no channel when a key was taken."""
    news = store.listen("news")
    insertion = Insertion(((ADD, {"name": "a", "number": 1}),), ("news",))
    assert await store.insert(insertion)
    assert news.is_set()
    news.clear()
    assert not await store.insert(insertion)
    assert not news.is_set()


async def test_units_run_in_the_context_of_their_caller(store: SqliteStore) -> None:
    """A context variable of the caller is seen in its unit, though another task runs it among others' units."""
    who: contextvars.ContextVar[str] = contextvars.ContextVar("who")

    async def look(_unit: Unit) -> str:
        return who.get("nobody")

    async def ask(name: str) -> str:
        who.set(name)
        return await store.write(look)

    assert await asyncio.gather(*(ask(name) for name in ("anna", "sven")), store.write(look)) == [
        "anna",
        "sven",
        "nobody",
    ]


async def test_a_full_disk_refuses_all_and_heals(store: SqliteStore) -> None:
    """When the disk is full every unit of the group is refused, what is stored stays readable, and space heals it."""
    await store.write(adding("kept"))
    await store.write(lambda unit: unit.one(LIMIT_PAGES))
    big = "x" * 100_000
    jobs = [store.write(adding("small")), store.write(adding("small too")), store.write(adding(big))]
    results = await asyncio.gather(*jobs, return_exceptions=True)
    refused = [result for result in results if isinstance(result, Unavailable)]
    assert [(error.status, error.retry_after) for error in refused] == [(503, 2)] * 3
    assert await names(store) == ["kept"]
    await store.write(lambda unit: unit.one(FREE_PAGES))
    assert await store.write(adding(big)) == big


async def test_a_store_that_takes_no_writes_is_out_of_reach(store: SqliteStore) -> None:
    """When the file turns read-only every unit of the group is refused, and so are later ones until it is mended."""

    async def turn(unit: Unit) -> None:
        await unit.all(Sql("PRAGMA query_only = ON", int))

    jobs = [store.write(adding("first")), store.write(turn), store.write(adding("third"))]
    results = await asyncio.gather(*jobs, return_exceptions=True)
    results += await asyncio.gather(store.write(adding("later")), return_exceptions=True)
    assert [type(result) for result in results] == [Unavailable] * 4
    assert await names(store) == []
    assert store._write_connection is not None
    store._write_connection.execute("PRAGMA query_only = OFF")
    assert await store.write(adding("now")) == "now"


async def test_a_locked_store_refuses_after_a_while(open_store: OpenStore, ports: Ports, tmp_path: Path) -> None:
    """While another process holds the write lock, callers wait for some seconds and are refused; then all goes on."""
    clock = HurriedClock(ports.clock.now())
    store = await open_store("locked", replace(ports, clock=clock))
    other = sqlite3.connect(tmp_path / "locked.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    results = await asyncio.gather(*(store.write(adding(f"n{i}")) for i in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [Unavailable] * 3
    assert clock.waited == pytest.approx(5, abs=0.1)
    assert await names(store) == []
    other.execute("ROLLBACK")
    assert await store.write(adding("now")) == "now"
    other.close()


async def test_a_short_lock_is_waited_for_without_stopping_the_loop(store: SqliteStore, tmp_path: Path) -> None:
    """A unit waits for another process's short transaction while the event loop serves others, and then is stored."""
    other = sqlite3.connect(tmp_path / "service.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    writing = asyncio.ensure_future(store.write(adding("patient")))
    for _ in range(5):
        await asyncio.sleep(0.01)
        assert await names(store) == []
    assert not writing.done()
    other.execute("COMMIT")
    assert await writing == "patient"
    other.close()


async def test_a_commit_that_can_not_run_refuses_its_group(open_store: OpenStore, ports: Ports) -> None:
    """When no thread can be had for the commit the group is refused and rolled back, and the writer lives on."""
    failing = True

    async def no_thread(work: Callable[[], T]) -> T:
        if failing:
            raise RuntimeError("can't start new thread")
        return work()

    store = await open_store("threads", replace(ports, offload=no_thread))
    results = await asyncio.gather(*(store.write(adding(f"n{i}")) for i in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [Unavailable] * 3
    failing = False
    assert await store.write(adding("now")) == "now"
    assert await names(store) == ["now"]


async def test_a_damaged_file_is_out_of_reach(store: SqliteStore, tmp_path: Path) -> None:
    """Pages that hold nonsense make reads and writes fail as out of reach, and not hang."""
    await store.write(adding("x" * 50_000))
    await store.close()
    path = tmp_path / "service.db"
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))
    await store.open()
    with pytest.raises(Unavailable):
        await names(store)
    with pytest.raises(Unavailable):
        await asyncio.wait_for(store.write(adding("y")), 5)

"""The ports to the outside world: time that tests move, and the machine's own time, chance, tasks and threads."""

import asyncio
import threading
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from firstline.common.ports import (
    FAILED_STATUS,
    Failpoint,
    ManualClock,
    SystemClock,
    SystemIds,
    SystemRandom,
    failpoint,
    nobody_cares,
    offload,
    spawn,
    system_ports,
)

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


async def _settled() -> None:
    """Let all tasks that can go on do so."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_manual_time_stands_still_until_moved() -> None:
    """Product time is what was set last, and real durations go on meanwhile."""
    clock = ManualClock(NOON)
    before = clock.monotonic()
    await clock.sleep(0.01)
    assert clock.monotonic() - before >= 0.009
    assert clock.now() == NOON
    clock.move(NOON + timedelta(days=1))
    assert clock.now() == NOON + timedelta(days=1)


async def test_moving_time_wakes_exactly_those_whose_time_has_come() -> None:
    """Each waiter goes on when time reaches its instant, whether in one jump or in several, and none before."""
    clock, woken = ManualClock(NOON), list[int]()

    async def wait(minutes: int) -> None:
        await clock.until(NOON + timedelta(minutes=minutes))
        woken.append(minutes)

    waiting = [asyncio.ensure_future(wait(minutes)) for minutes in (30, 10, 20, 0)]
    for minutes, expected in ((0, [0]), (-5, [0]), (9, [0]), (10, [0, 10]), (30, [0, 10, 30, 20])):
        clock.move(NOON + timedelta(minutes=minutes))
        await _settled()
        assert sorted(woken) == sorted(expected)
    await asyncio.gather(*waiting)


async def test_machine_time_is_aware_utc() -> None:
    """The machine's clock gives aware UTC, and its monotonic time never runs back."""
    clock = SystemClock()
    assert clock.now().tzinfo is UTC
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)
    assert clock.monotonic() <= clock.monotonic()


async def test_waiting_for_machine_time() -> None:
    """Waiting ends when the instant has come, at once for one in the past, and never before."""
    clock = SystemClock()
    await clock.until(clock.now() - timedelta(days=1))
    instant = clock.now() + timedelta(milliseconds=20)
    await clock.until(instant)
    assert clock.now() >= instant
    before = clock.monotonic()
    await clock.sleep(0.01)
    assert clock.monotonic() - before >= 0.009


async def test_a_wall_clock_set_back_makes_the_wait_longer() -> None:
    """The wall clock is read again after each pause, so that a step of the clock does not end a wait early."""

    class SteppedBack(SystemClock):
        """A wall clock that somebody sets back once."""

        readings = 0

        def now(self) -> datetime:
            """Tell the next reading."""
            self.readings += 1
            return NOON - timedelta(milliseconds=[5, 20, 10, 0][self.readings - 1])

    clock = SteppedBack()
    await clock.until(NOON)
    assert clock.readings == 4


def test_ids_are_uuids_that_sort_by_time() -> None:
    """Ids are UUIDv7 as text, all different, and later ones sort after earlier ones."""
    ids = [SystemIds().new() for _ in range(1000)]
    assert {uuid.UUID(text).version for text in ids} == {7}
    assert {len(text) for text in ids} == {36}
    assert len(set(ids)) == 1000
    assert ids == sorted(ids)


def test_random_bytes_are_as_many_as_asked_for() -> None:
    """The random source gives the number of bytes, different ones each time."""
    assert [len(SystemRandom().bytes(count)) for count in (0, 1, 32)] == [0, 1, 32]
    assert SystemRandom().bytes(16) != SystemRandom().bytes(16)


async def test_blocking_work_leaves_the_loop() -> None:
    """Blocking work runs in another thread, and its result or error comes back."""
    assert await offload(threading.get_ident) != threading.get_ident()

    def fail() -> None:
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        await offload(fail)


async def test_spawned_tasks_have_names() -> None:
    """A spawned task runs beside its caller under the name that it was given."""
    done = asyncio.Event()

    async def work() -> None:
        done.set()

    task = spawn(work(), name="beside")
    assert task.get_name() == "beside"
    await task
    assert done.is_set()


def test_the_bundle_takes_another_clock() -> None:
    """The machine's ports come with its clock, or with the one given."""
    clock = ManualClock(NOON)
    assert system_ports(clock).clock is clock
    assert isinstance(system_ports().clock, SystemClock)


def test_a_failpoint_ends_the_process_at_its_time() -> None:
    """Only the place that was named counts, and only its n-th time ends the process."""
    ended: list[int] = []
    reached = Failpoint("published", 2, ended.append)
    for place in ("published", "committed", "published", "published"):
        reached(place)
    assert ended == [FAILED_STATUS]


def test_settings_name_failpoints() -> None:
    """Nothing, a place, or a place with a number of times."""
    assert failpoint("") is nobody_cares
    assert isinstance(failpoint("committed"), Failpoint)
    assert isinstance(failpoint("committed:3"), Failpoint)

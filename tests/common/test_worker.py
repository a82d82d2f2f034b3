"""Workers: woken, due and polled; what fails is tried again with growing pauses; stopping lets the step finish."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from firstline.common.ports import ManualClock, Ports
from firstline.common.worker import LONGEST_PAUSE, OVERDUE_PAUSE, Worker

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
NEVER = 3600.0


class Work:
    """Work that counts its steps, has so much to do, and fails or waits when it is told to."""

    def __init__(self) -> None:
        self.steps = 0
        self.left = 0
        self.failures: list[Exception] = []
        self.stepped = asyncio.Event()
        self.free = asyncio.Event()
        self.free.set()
        self.at_once = 0
        self.most_at_once = 0

    async def __call__(self) -> int:
        """Do one portion."""
        self.steps += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.stepped.set()
        await self.free.wait()
        self.at_once -= 1
        if self.failures:
            raise self.failures.pop(0)
        done = min(self.left, 1)
        self.left -= done
        return done

    async def reached(self, steps: int) -> None:
        """Wait until that many steps have begun."""
        async with asyncio.timeout(5):
            while self.steps < steps:
                self.stepped.clear()
                await self.stepped.wait()


class HurriedClock(ManualClock):
    """A clock on which sleeping takes no time and is written down; after so many sleeps it lasts."""

    def __init__(self, start: datetime, sleeps: int = 100) -> None:
        super().__init__(start)
        self.sleeps: list[float] = []
        self._most = sleeps

    async def sleep(self, seconds: float) -> None:
        """Write down how long, and go on at once."""
        self.sleeps.append(seconds)
        await asyncio.sleep(0 if len(self.sleeps) < self._most else NEVER)


Start = Callable[..., Worker]


@pytest.fixture
def work() -> Work:
    """Return work that has nothing to do."""
    return Work()


@pytest.fixture
async def start(work: Work, ports: Ports) -> AsyncIterator[Start]:
    """Return a function that starts a worker; all are stopped at the end."""
    workers: list[Worker] = []

    def started(*, poll_seconds: float = NEVER, other_ports: Ports | None = None, **more: object) -> Worker:
        worker = Worker("test", work, other_ports or ports, poll_seconds=poll_seconds, **more)  # type: ignore[arg-type]
        workers.append(worker)
        worker.start()
        return worker

    yield started
    work.free.set()
    for worker in workers:
        await worker.stop()


async def settled() -> None:
    """Let all tasks that can go on do so."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_it_works_as_long_as_there_is_work(work: Work, start: Start) -> None:
    """A worker takes step after step until one finds nothing, and then rests."""
    work.left = 5
    start()
    await work.reached(6)
    await settled()
    assert (work.steps, work.left) == (6, 0)


async def test_it_is_woken(work: Work, start: Start) -> None:
    """Whoever makes work wakes the resting worker at once."""
    wake = asyncio.Event()
    start(wake=wake)
    await work.reached(1)
    await settled()
    wake.set()
    await work.reached(2)
    await settled()
    assert work.steps == 2


async def test_a_wake_during_a_step_is_not_lost(work: Work, start: Start) -> None:
    """Work that is made while a step runs is looked for by the next, without waiting for the poll."""
    wake = asyncio.Event()
    work.free.clear()
    start(wake=wake)
    await work.reached(1)
    wake.set()
    work.free.set()
    await work.reached(2)


async def test_it_works_when_something_falls_due(work: Work, start: Start, clock: ManualClock) -> None:
    """A step is taken when product time reaches the next due instant, and not before."""

    async def next_due() -> datetime | None:
        return NOON + timedelta(minutes=10) if work.steps < 2 else None

    start(next_due=next_due)
    await work.reached(1)
    clock.move(NOON + timedelta(minutes=9, seconds=59))
    await settled()
    assert work.steps == 1
    clock.move(NOON + timedelta(minutes=10))
    await work.reached(2)


async def test_overdue_work_that_can_not_be_done_is_not_tried_without_end(
    work: Work, start: Start, ports: Ports
) -> None:
    """When something stays overdue although a step was taken, the worker rests a moment before the next."""
    hurried = HurriedClock(NOON, sleeps=4)

    async def next_due() -> datetime | None:
        return NOON - timedelta(minutes=1)

    start(next_due=next_due, other_ports=replace(ports, clock=hurried))
    await work.reached(4)
    await settled()
    assert work.steps == 4
    assert hurried.sleeps == [OVERDUE_PAUSE] * 4


async def test_it_polls_when_nobody_wakes_it(work: Work, start: Start) -> None:
    """After the polling interval a step is taken, again and again."""
    start(poll_seconds=0.01)
    await work.reached(4)


async def test_failures_are_tried_again_with_growing_pauses(work: Work, start: Start, ports: Ports) -> None:
    """A step that fails is tried again after 1, 2, 4 ... seconds, never more than the longest pause."""
    hurried = HurriedClock(NOON)
    work.failures = [ValueError(str(n)) for n in range(8)]
    start(other_ports=replace(ports, clock=hurried))
    await work.reached(9)
    await settled()
    assert hurried.sleeps == [1, 2, 4, 8, 16, 30, 30, 30]
    assert hurried.sleeps[-1] == LONGEST_PAUSE
    assert work.steps == 9


async def test_success_makes_the_pauses_short_again(work: Work, start: Start, ports: Ports) -> None:
    """After a step that went well the next failure pauses for one second only."""
    hurried, wake = HurriedClock(NOON), asyncio.Event()
    work.failures = [ValueError("one"), ValueError("two")]
    start(other_ports=replace(ports, clock=hurried), wake=wake)
    await work.reached(3)
    await settled()
    work.failures = [ValueError("three")]
    wake.set()
    await work.reached(5)
    assert hurried.sleeps == [1, 2, 1]


async def test_not_knowing_what_is_due_is_a_failure_too(work: Work, start: Start, ports: Ports) -> None:
    """When asking for the next due instant fails the worker pauses and goes on."""
    hurried = HurriedClock(NOON)

    async def next_due() -> datetime | None:
        if len(hurried.sleeps) < 2:
            raise ConnectionError("the store is away")
        return None

    start(next_due=next_due, other_ports=replace(ports, clock=hurried))
    await work.reached(3)
    await settled()
    assert hurried.sleeps == [1, 2]


async def test_stopping_waits_for_the_step(work: Work, start: Start) -> None:
    """A step that has begun is finished before the worker has stopped, and none is begun afterwards."""
    work.free.clear()
    work.left = 10
    worker = start()
    await work.reached(1)
    stopping = asyncio.ensure_future(worker.stop())
    await settled()
    assert not stopping.done()
    work.free.set()
    await stopping
    await settled()
    assert (work.steps, work.left) == (1, 9)


async def test_stopping_breaks_off_what_may_be_broken_off(work: Work, start: Start) -> None:
    """A step that may be broken off holds nobody up, and none is begun afterwards."""
    work.free.clear()
    worker = start(may_break_off=True)
    await work.reached(1)
    async with asyncio.timeout(5):
        await worker.stop()
    work.free.set()
    await settled()
    assert work.steps == 1


async def test_stopping_while_it_rests_is_immediate(work: Work, start: Start, ports: Ports) -> None:
    """A resting worker stops at once, also twice; one that never began has nothing to stop; one may begin again."""
    worker = start()
    await work.reached(1)
    await asyncio.wait_for(worker.stop(), 1)
    await asyncio.wait_for(worker.stop(), 1)
    await asyncio.wait_for(Worker("idle", work, ports, poll_seconds=NEVER).stop(), 1)
    worker.start()
    await work.reached(2)


async def test_stopping_leaves_no_task_behind(work: Work, start: Start) -> None:
    """After stopping, neither the worker's task nor what it waited with is left."""
    worker = start(wake=asyncio.Event())
    await work.reached(1)
    await settled()
    await worker.stop()
    await settled()
    assert [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("test")] == []


async def test_draining_does_all_that_is_due(work: Work, ports: Ports) -> None:
    """A drain steps until nothing is left and tells how much was done; a second finds nothing."""
    worker = Worker("test", work, ports, poll_seconds=NEVER)
    work.left = 7
    assert await worker.drain() == 7
    assert await worker.drain() == 0


async def test_draining_counts_what_was_done_by_itself(work: Work, start: Start) -> None:
    """What the worker did since the last drain is told by the next."""
    work.left = 3
    worker = start()
    await work.reached(4)
    assert await worker.drain() == 3
    assert await worker.drain() == 0


async def test_draining_never_overlaps_with_a_step(work: Work, start: Start) -> None:
    """While the worker is at it a drain waits, so that no two steps run at once."""
    work.left = 20
    worker = start(poll_seconds=0.001)
    for _ in range(5):
        await asyncio.gather(worker.drain(), worker.drain())
    assert work.most_at_once == 1
    assert work.left == 0


async def test_a_failing_drain_is_heard(work: Work, ports: Ports) -> None:
    """A drain passes a step's failure on to its caller, and can be repeated."""
    worker = Worker("test", work, ports, poll_seconds=NEVER)
    work.left = 2
    work.failures = [ValueError("no")]
    with pytest.raises(ValueError, match="no"):
        await worker.drain()
    assert await worker.drain() == 2

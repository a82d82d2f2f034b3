"""Leases: one holder at a time, taken over when over or given up, with a fence that keeps the former holder out."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from firstline.common.lease import LIFE_SECONDS, Alone, LeaseLost, SharedLease
from firstline.common.ports import ManualClock, Ports
from firstline.common.store.port import Sql, Store, Unit
from firstline.common.worker import Worker

pytestmark = pytest.mark.both_stores

ADD: Sql[None] = Sql("INSERT INTO fact (name) VALUES (:name)", type(None))
NAMES = Sql("SELECT name FROM fact ORDER BY name", str)
FENCE = Sql("SELECT fence FROM lease WHERE name = 'work'", int)
OpenStore = Callable[..., Awaitable[Store]]
PATIENCE = 5


class SteppedClock(ManualClock):
    """Time of which the monotonic part stands still too, until both are moved; whoever sleeps is woken by a move."""

    seconds = 0.0

    def monotonic(self) -> float:
        """Return the seconds that were moved by."""
        return self.seconds

    def pass_by(self, seconds: float) -> None:
        """Let time pass."""
        self.seconds += seconds
        self.move(self.now() + timedelta(seconds=seconds))

    async def sleep(self, seconds: float) -> None:
        """Wait until that much has been moved by."""
        await self.until(self.now() + timedelta(seconds=seconds))


@pytest.fixture
def stepped(clock: ManualClock) -> SteppedClock:
    """Return a clock that the test moves."""
    return SteppedClock(clock.now())


@pytest.fixture
async def leases(
    open_store: OpenStore, ports: Ports, stepped: SteppedClock
) -> AsyncIterator[tuple[SharedLease, SharedLease]]:
    """Return one lease as two replicas know it."""
    store = await open_store()
    both = (
        SharedLease("work", store, replace(ports, clock=stepped)),
        SharedLease("work", store, replace(ports, clock=stepped)),
    )
    yield both
    for lease in both:
        await lease.stop()


async def until(truth: Callable[[], bool]) -> None:
    """Wait until something has become true."""
    async with asyncio.timeout(PATIENCE):
        while not truth():
            await asyncio.sleep(0.01)


async def got(lease: SharedLease) -> asyncio.Event:
    """Start to seek a lease and wait until it is held; return the event that said so."""
    wake = asyncio.Event()
    lease.start(wake)
    await until(lambda: lease.held)
    return wake


async def test_one_of_two_replicas_has_it(leases: tuple[SharedLease, SharedLease], stepped: SteppedClock) -> None:
    """The first gets the lease and is told; the second doesn't, for as long as the first renews it."""
    first, second = leases
    assert (await got(first)).is_set()
    second.start(asyncio.Event())
    for _ in range(6):
        stepped.pass_by(LIFE_SECONDS / 3)
        await asyncio.sleep(0.05)
        assert (first.held, second.held) == (True, False)


async def test_a_lease_given_up_is_taken_soon(
    leases: tuple[SharedLease, SharedLease], stepped: SteppedClock, open_store: OpenStore
) -> None:
    """When the holder stops in order, the other one has the lease at its next look, under a higher fence."""
    first, second = leases
    await got(first)
    second.start(asyncio.Event())
    await asyncio.sleep(0.05)
    await first.stop()
    assert not first.held
    stepped.pass_by(3)
    await until(lambda: second.held)
    assert await (await open_store()).read(lambda unit: unit.one(FENCE)) == 2


async def test_who_was_stopped_knows_that_it_lost(
    leases: tuple[SharedLease, SharedLease], stepped: SteppedClock, open_store: OpenStore
) -> None:
    """A holder that did not run for longer than the lease begins nothing, and can't commit what it had begun."""
    first, second = leases
    store = await open_store()
    await got(first)
    first._task.cancel()  # type: ignore[union-attr]  # as a process that is stopped renews nothing
    stepped.pass_by(LIFE_SECONDS + 1)
    assert not first.held
    second.start(asyncio.Event())
    for _ in range(6):  # it has to see for itself that nobody renews
        stepped.pass_by(LIFE_SECONDS / 4)
        await asyncio.sleep(0.05)
    await until(lambda: second.held)

    async def guarded(lease: SharedLease, name: str) -> None:
        async def work(unit: Unit) -> None:
            await unit.run(ADD, name=name)
            await lease.guard(unit)

        await store.write(work)

    with pytest.raises(LeaseLost):
        await guarded(first, "of the former")
    await guarded(second, "of the new")
    assert await store.read(lambda unit: unit.all(NAMES)) == ["of the new"]


async def test_a_worker_rests_without_the_lease(
    leases: tuple[SharedLease, SharedLease], stepped: SteppedClock, ports: Ports
) -> None:
    """A worker begins no step before its lease is held, and begins one as soon as it is."""
    first, second = leases
    await got(first)
    steps = 0

    async def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    worker = Worker("work", step, replace(ports, clock=stepped), poll_seconds=3600, lease=second)
    worker.start()
    await asyncio.sleep(0.1)
    assert steps == 0
    await first.stop()
    stepped.pass_by(3)
    await until(lambda: steps > 0)
    await worker.stop()


async def test_a_process_alone_needs_no_row(store: Store) -> None:
    """The lease of a process that has its store for itself is held at once, passes every guard and writes nothing."""
    lease = Alone()
    lease.start(asyncio.Event())
    assert lease.held
    await store.write(lease.guard)
    await lease.stop()
    assert await store.read(lambda unit: unit.one(FENCE)) is None

"""A service at work: it starts, relays what is committed, pulls, forgets, tells whether it is ready, stops cleanly."""

import asyncio
import resource
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from firstline.common.answers import STORE, STORED, answer_row, retry_of
from firstline.common.bus import LocalBus
from firstline.common.envelope import Envelope
from firstline.common.errors import Unavailable
from firstline.common.events import Actor, TicketNoted
from firstline.common.inbox import Handler
from firstline.common.ports import ManualClock, Ports, SystemClock
from firstline.common.pull import LogPage, ReadLog
from firstline.common.relay import HEAD, log_page
from firstline.common.runtime import RELAY_POLL_SECONDS, Runtime
from firstline.common.store.port import Sql, Unit
from firstline.common.store.sqlite import SqliteStore
from firstline.common.tokens import Signer, Verifier, new_key
from firstline.common.worker import Worker

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ADD: Sql[None] = Sql("INSERT INTO fact (name) VALUES (:name)", type(None))
NAMES = Sql("SELECT name FROM fact ORDER BY name", str)
NOTED = TicketNoted(actor=Actor(id="a", role="agent"), number="FL-7K3M-9QPX", status="open", message_id="m")
MakeRuntime = Callable[..., Runtime]


@pytest.fixture
def bus() -> LocalBus:
    """Return a bus that nobody listens to."""
    return LocalBus()


@pytest.fixture
async def make_runtime(make_file: Callable[[str], Path], bus: LocalBus, ports: Ports) -> AsyncIterator[MakeRuntime]:
    """Return a function that makes a service's runtime; all are stopped at the end."""
    verifier = Verifier(Signer(new_key("test"), SystemClock()).public_keys(), SystemClock())
    made: list[Runtime] = []

    def make(name: str, read_logs: Mapping[str, ReadLog] | None = None, path: Path | None = None) -> Runtime:
        store = SqliteStore(path or make_file(name), ports)
        made.append(Runtime(name, ports=ports, store=store, bus=bus, verifier=verifier, read_logs=read_logs or {}))
        return made[-1]

    yield make
    for runtime in made:
        await runtime.stop()


async def _note(unit: Unit, event: Envelope) -> None:
    await unit.run(ADD, name=f"{event.stream}-{event.version}")


HANDLERS: Mapping[str, Handler] = {"ticket.noted": _note}


async def append(runtime: Runtime, stream: str = "ticket/1") -> None:
    """Append an event."""
    await runtime.store.write(lambda unit: runtime.log.append(unit, stream, NOTED))


async def known(runtime: Runtime) -> list[str]:
    """Return what the service has noted."""
    return await runtime.store.read(lambda unit: unit.all(NAMES))


async def eventually(runtime: Runtime, names: list[str]) -> None:
    """Wait until the service has noted exactly these."""
    async with asyncio.timeout(RELAY_POLL_SECONDS / 2):
        while await known(runtime) != names:
            await asyncio.sleep(0.001)


async def test_a_commit_reaches_the_others_by_itself(make_runtime: MakeRuntime) -> None:
    """What one service commits the other has noted a moment later, without polling."""
    intake, queue = make_runtime("intake"), make_runtime("queue")
    queue.consume(HANDLERS)
    for runtime in (queue, intake):
        await runtime.start()
    for version in (1, 2, 3):
        await asyncio.sleep(0.02)  # the relay comes to rest
        await append(intake)
        await eventually(queue, [f"ticket/1-{n}" for n in range(1, version + 1)])


async def test_what_was_missed_is_pulled_after_a_start(make_runtime: MakeRuntime) -> None:
    """A service that was down when an event was published reads it in the log when it starts."""
    intake = make_runtime("intake")
    await intake.start()
    await append(intake)
    await intake.settle()

    async def read(after: int, limit: int) -> LogPage:
        log, items = await intake.store.read(lambda unit: log_page(unit, "intake", after, limit))
        return LogPage(log=log, items=[Envelope.model_validate_json(item) for item in items])

    queue = make_runtime("queue", {"intake": read})
    queue.consume(HANDLERS)
    await queue.start()
    await eventually(queue, ["ticket/1-1"])


async def test_settling_does_all_that_is_due(make_runtime: MakeRuntime) -> None:
    """After settling, everything committed is published; settling again finds nothing."""
    intake, queue = make_runtime("intake"), make_runtime("queue")
    queue.consume(HANDLERS)
    for runtime in (queue, intake):
        await runtime.start()
    await append(intake)
    assert await intake.settle() == 1
    assert await known(queue) == ["ticket/1-1"]
    assert await intake.settle() == 0


async def test_own_work_runs_beside_the_relay(make_runtime: MakeRuntime, ports: Ports) -> None:
    """A service's own workers are started, drained and stopped with it."""
    runtime, steps = make_runtime("intake"), 0

    async def step() -> int:
        nonlocal steps
        steps += 1
        return 1 if steps == 1 else 0

    await runtime.start(works=[Worker("own", step, ports, poll_seconds=3600)])
    assert await runtime.settle() == 1
    await runtime.stop()
    before = steps
    await asyncio.sleep(0.01)
    assert steps == before > 1


async def test_a_stopped_service_leaves_no_task_and_takes_no_work(make_runtime: MakeRuntime) -> None:
    """After stopping no task is left, the store is closed, and stopping again is nothing."""
    mine = asyncio.current_task()
    runtime = make_runtime("queue")
    runtime.consume(HANDLERS)
    await runtime.start()
    await append(runtime)
    await runtime.stop()
    await asyncio.sleep(0)
    assert [task for task in asyncio.all_tasks() if task is not mine] == []
    with pytest.raises(Unavailable):
        await append(runtime)
    await runtime.stop()


async def test_a_restart_goes_on_where_it_was(make_runtime: MakeRuntime, tmp_path: Path) -> None:
    """A new process on the same file keeps the log's id and numbers on."""
    first = make_runtime("intake")
    await first.start()
    await append(first)
    await first.settle()
    before = await first.store.read(lambda unit: unit.one(HEAD))
    await first.stop()
    second = make_runtime("intake", path=tmp_path / "intake.db")
    await second.start()
    await append(second)
    await second.settle()
    after = await second.store.read(lambda unit: unit.one(HEAD))
    assert before is not None
    assert after is not None
    assert (before.log, before.position + 1) == (after.log, after.position)


async def test_a_store_that_is_not_there_stops_the_start(make_runtime: MakeRuntime, tmp_path: Path) -> None:
    """A service whose store can't be opened does not start, and starts no task."""
    before = asyncio.all_tasks()
    with pytest.raises(Unavailable):
        await make_runtime("intake", path=tmp_path / "missing" / "x.db").start()
    assert asyncio.all_tasks() == before


async def test_old_answers_are_forgotten(make_runtime: MakeRuntime, clock: ManualClock) -> None:
    """Answers kept for retries are deleted after seven days of product time."""
    runtime, retry = make_runtime("intake"), retry_of("anna", "submit", "k", b"")
    assert retry is not None
    await runtime.start()
    row = answer_row(retry, 201, "{}", None, clock.now())
    await runtime.store.write(lambda unit: unit.run(STORE, **row))
    for day, kept in ((7, True), (8, False)):
        clock.move(NOON + timedelta(days=day))
        await runtime.settle()
        found = await runtime.store.read(lambda unit: unit.one(STORED, scope=retry.scope, key=retry.key))
        assert (found is not None) is kept


@contextmanager
def full_disk(path: Path) -> Iterator[None]:
    """Let no file of this process grow beyond the size of one, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_readiness_is_a_write_that_reaches_the_disk(make_runtime: MakeRuntime, tmp_path: Path) -> None:
    """A service is ready while its store takes writes, is not on a full disk, and is again once there is room."""
    runtime = make_runtime("intake")
    with pytest.raises(Unavailable):
        await runtime.check_ready()
    await runtime.start()
    await append(runtime)
    await runtime.settle()
    before = await runtime.store.read(lambda unit: unit.one(HEAD))
    await runtime.check_ready()
    with full_disk(tmp_path / "intake.db-wal"):
        results = await asyncio.gather(runtime.check_ready(), return_exceptions=True)
    assert [type(result) for result in results] == [Unavailable]
    await runtime.check_ready()
    assert await runtime.store.read(lambda unit: unit.one(HEAD)) == before


async def test_a_store_without_tables_is_not_ready(make_runtime: MakeRuntime, tmp_path: Path) -> None:
    """A store that was never migrated is not ready, and says when to ask again."""
    (tmp_path / "bare.db").touch()
    runtime = make_runtime("intake", path=tmp_path / "bare.db")
    await runtime.store.open()
    with pytest.raises(Unavailable) as refused:
        await runtime.check_ready()
    assert refused.value.retry_after == 5

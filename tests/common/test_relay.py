"""The relay: gap-free positions, a chain that gives changes away, and publishing that survives crashes and failures."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
from firstline.common.bus import BusDown, LocalBus
from firstline.common.envelope import Envelope
from firstline.common.events import Actor, TicketNoted
from firstline.common.log import Log, LogRow, chained_hash, salted_hash
from firstline.common.ports import ManualClock, Ports
from firstline.common.relay import BATCH, HEAD, PAGE, Head, Relay, log_page
from firstline.common.store.port import Sql, Store, Unit

pytestmark = pytest.mark.both_stores

SALTS = Sql("SELECT salt FROM log_event WHERE position > 0 ORDER BY position", str)


class Killed(BaseException):
    """The process ends here; nothing after it runs."""


class RecordingBus(LocalBus):
    """A bus that keeps what was published, and fails when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[list[Envelope]] = []
        self.failure: BaseException | None = None

    async def publish(self, envelopes: Sequence[bytes]) -> None:
        """Keep a batch, or fail."""
        if self.failure is not None:
            raise self.failure
        self.batches.append([Envelope.model_validate_json(text) for text in envelopes])

    @property
    def positions(self) -> list[int]:
        """The positions published, in order."""
        return [event.position for batch in self.batches for event in batch]


@dataclass(frozen=True, slots=True)
class Producer:
    """A service that appends events and relays them."""

    store: Store
    ports: Ports
    bus: RecordingBus

    def relay(self) -> Relay:
        """Return a new relay, as a restart makes one."""
        return Relay("intake", self.store, self.bus, self.ports)

    async def append(self, stream: str, count: int = 1) -> None:
        """Append events to a stream."""
        data = TicketNoted(actor=Actor(id="a", role="agent"), number="FL-7K3M-9QPX", status="open", message_id="m")
        log = Log(self.ports)
        await self.store.write(lambda unit: log.append(unit, stream, *[data] * count))

    async def rows(self) -> list[LogRow]:
        """Return all numbered rows."""
        return await self.store.read(lambda unit: unit.all(PAGE, after=0, limit=100_000))

    async def head(self) -> Head:
        """Return where the log stands."""
        head = await self.store.read(lambda unit: unit.one(HEAD))
        assert head is not None
        return head


@pytest.fixture
def producer(store: Store, ports: Ports) -> Producer:
    """Return a service that appends events."""
    return Producer(store, ports, RecordingBus())


async def drain(relay: Relay) -> None:
    """Step until nothing is left."""
    while await relay.step():
        pass


async def broken_links(producer: Producer) -> list[int]:
    """Verify the chain from its start; return the positions where it does not hold."""
    rows, salts = await producer.rows(), await producer.store.read(lambda unit: unit.all(SALTS))
    previous, broken = (await producer.head()).log, []
    for number, (row, salt) in enumerate(zip(rows, salts, strict=True), start=1):
        honest = row.position == number and row.hash == chained_hash(previous, row, number)
        if not honest or row.data is None or salted_hash(salt, row.data) != row.data_hash:
            broken.append(number)
        previous = row.hash or ""
    return broken


async def test_positions_follow_the_order_of_commits(producer: Producer) -> None:
    """Events get positions 1, 2, 3 ... across streams, in the order in which they were committed, and go out so."""
    for stream in ("ticket/1", "ticket/2", "ticket/1"):
        await producer.append(stream)
    assert await producer.relay().step() == 3
    assert [(event.position, event.stream, event.version) for event in producer.bus.batches[0]] == [
        (1, "ticket/1", 1),
        (2, "ticket/2", 1),
        (3, "ticket/1", 2),
    ]


async def test_nothing_new_is_nothing_to_do(producer: Producer) -> None:
    """A step without new events publishes nothing and says so, again and again."""
    relay = producer.relay()
    assert [await relay.step() for _ in range(2)] == [0, 0]
    await producer.append("ticket/1")
    assert [await relay.step() for _ in range(3)] == [1, 0, 0]
    assert producer.bus.positions == [1]


async def test_concurrent_appends_and_steps_leave_no_gap(producer: Producer) -> None:
    """While forty units append, the relay numbers without gap or repeat, and publishes each once, in order."""
    relay = producer.relay()

    async def relay_on() -> None:
        for _ in range(30):
            await relay.step()

    await asyncio.gather(relay_on(), *(producer.append(f"ticket/{n % 7}", 1 + n % 3) for n in range(40)))
    await drain(relay)
    count = sum(1 + n % 3 for n in range(40))
    assert [row.position for row in await producer.rows()] == list(range(1, count + 1)) == producer.bus.positions
    assert await broken_links(producer) == []


async def test_more_than_a_batch_goes_out_in_batches(producer: Producer) -> None:
    """A long backlog is published in bounded batches, in order, each event once."""
    await producer.append("ticket/1", BATCH * 2 + 50)
    await drain(producer.relay())
    assert [len(batch) for batch in producer.bus.batches] == [BATCH, BATCH, 50]
    assert producer.bus.positions == list(range(1, BATCH * 2 + 51))


@pytest.mark.parametrize(
    "change",
    [
        "data = REPLACE(data, '9QPX', '9QPY')",
        "data = NULL, salt = NULL",
        "salt = 'x'",
        "type = 'ticket.opened'",
        "subject = '9'",
        "stream = 'ticket/9'",
        "version = 9",
        "time = '2026-11-23T12:00:00.000001Z'",
        "id = 'x'",
        "traceparent = 'x'",
        "data_hash = 'x'",
        "hash = 'x'",
    ],
)
async def test_a_change_behind_the_desks_back_is_found(producer: Producer, change: str) -> None:
    """Whatever is changed in a numbered row, the chain no longer holds at its position."""
    await producer.append("ticket/1", 5)
    await drain(producer.relay())
    assert await broken_links(producer) == []
    forge: Sql[None] = Sql(f"UPDATE log_event SET {change} WHERE position = 3", type(None))
    await producer.store.write(lambda unit: unit.run(forge))
    assert 3 in await broken_links(producer)


async def test_a_removed_row_is_found(producer: Producer) -> None:
    """A row that is taken out breaks the chain."""
    await producer.append("ticket/1", 5)
    await drain(producer.relay())
    remove: Sql[None] = Sql("DELETE FROM log_event WHERE position = 3", type(None))
    await producer.store.write(lambda unit: unit.run(remove))
    assert 3 in await broken_links(producer)


async def test_the_chain_begins_with_the_logs_own_id(producer: Producer) -> None:
    """Two logs with equal events have different ids and hashes."""
    await producer.append("ticket/1")
    await producer.relay().step()
    head, (row,) = await producer.head(), await producer.rows()
    assert (head.position, head.hash) == (1, row.hash)
    assert producer.bus.batches[0][0].log == head.log
    assert row.hash == chained_hash(head.log, row, 1)


async def test_a_crash_between_numbering_and_publishing_is_made_good(producer: Producer) -> None:
    """When the process ends before numbered events went out, the next one publishes them, and then what is new."""
    await producer.append("ticket/1", 3)
    producer.bus.failure = Killed()
    with pytest.raises(Killed):
        await producer.relay().step()
    producer.bus.failure = None
    await producer.append("ticket/2", 2)
    await drain(producer.relay())
    assert producer.bus.positions == [1, 2, 3, 4, 5]
    assert await broken_links(producer) == []


async def test_a_long_backlog_after_a_crash_goes_out_whole(producer: Producer) -> None:
    """Numbered events of more than one batch that a crash kept back are all published, in order."""
    relay = producer.relay()
    for _ in range(3):
        await producer.append("ticket/1", BATCH)
        producer.bus.failure = Killed()
        with pytest.raises(Killed):
            await relay.step()
    producer.bus.failure = None
    await producer.append("ticket/1", 1)
    await drain(producer.relay())
    assert producer.bus.positions == list(range(1, 3 * BATCH + 2))


async def test_a_clean_restart_publishes_nothing_again(producer: Producer) -> None:
    """Once all is published and noted, another relay has nothing to do."""
    await producer.append("ticket/1", 3)
    await drain(producer.relay())
    await drain(producer.relay())
    assert producer.bus.positions == [1, 2, 3]


async def test_a_failed_publish_does_not_stop_the_relay(producer: Producer) -> None:
    """What a publish could not deliver is left to the consumers' pull; later events are published."""
    relay = producer.relay()
    await producer.append("ticket/1", 2)
    producer.bus.failure = ConnectionError("the broker is away")
    await drain(relay)
    producer.bus.failure = None
    await producer.append("ticket/1", 1)
    await drain(relay)
    assert producer.bus.positions == [3]
    _, items = await producer.store.read(lambda unit: log_page(unit, "intake", 0, 10))
    assert len(items) == 3


async def test_pages_of_the_log(producer: Producer) -> None:
    """A page holds the envelopes after a position, as they were published; what has no number yet is not shown."""

    async def page(after: int, limit: int) -> tuple[str | None, list[Envelope]]:
        log, items = await producer.store.read(lambda unit: log_page(unit, "intake", after, limit))
        return log, [Envelope.model_validate_json(item) for item in items]

    assert await page(0, 10) == (None, [])
    await producer.append("ticket/1", 4)
    await drain(producer.relay())
    await producer.append("ticket/1", 1)
    (published,) = producer.bus.batches
    log = (await producer.head()).log
    assert await page(0, 10) == (log, published)
    assert await page(1, 2) == (log, published[1:3])
    assert await page(4, 2) == (log, [])


async def test_a_step_that_is_refused_changes_nothing(producer: Producer) -> None:
    """A unit that numbers may run twice, as a retried transaction does, and gives the same positions."""
    await producer.append("ticket/1", 2)
    relay = producer.relay()

    async def number_and_lose(unit: Unit) -> None:
        await relay._number(unit)
        raise ConnectionError("lost before the commit")

    with pytest.raises(ConnectionError):
        await producer.store.write(number_and_lose)
    await drain(relay)
    assert producer.bus.positions == [1, 2]
    assert await broken_links(producer) == []


class Hanging(RecordingBus):
    """A bus that takes its time before it says that it is down, and counts how often it was asked."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__()
        self.asked = 0
        self._clock = clock

    async def publish(self, envelopes: Sequence[bytes]) -> None:
        """Fail after ten seconds."""
        self.asked += 1
        self._clock.seconds += 10  # type: ignore[attr-defined]
        raise BusDown("no confirmation")


class CountedClock(ManualClock):
    """A clock whose monotonic seconds the test counts."""

    seconds = 0.0

    def monotonic(self) -> float:
        """Return the seconds counted."""
        return self.seconds


async def append(store: Store, ports: Ports, stream: str) -> None:
    """Append an event to a stream."""
    event = TicketNoted(
        actor=Actor(id="anna", role="agent"), number="FL-0000-0001", status="open", recipients=[], message_id="m"
    )
    await store.write(lambda unit: Log(ports).append(unit, stream, event))


async def test_a_bus_that_hangs_does_not_hold_up_the_numbering(store: Store, ports: Ports) -> None:
    """After a publish that failed slowly the log is numbered without publishing, and after a while the bus is asked."""
    clock = CountedClock(ports.clock.now())
    bus = Hanging(clock)
    relay = Relay("intake", store, bus, replace(ports, clock=clock))
    for number in range(5):
        await append(store, ports, f"ticket/{number}")
        assert await relay.step() == 1
    assert bus.asked == 1
    assert (await store.read(lambda unit: unit.one(HEAD))).position == 5  # type: ignore[union-attr]
    clock.seconds += 31
    await append(store, ports, "ticket/9")
    await relay.step()
    assert bus.asked == 2

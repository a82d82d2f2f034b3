"""The bus over RabbitMQ when things go wrong: the broker dies, hangs, is full, loses its queues, or brings rubbish."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import structlog
from aio_pika.abc import AbstractConnection
from bus_world import ONLY, Picky, Service, connected, count, delete_queues, event, notes, put, until, until_count
from firstline.common.amqp import AmqpBus
from firstline.common.amqp_line import within
from firstline.common.amqp_publisher import RETURNS, Publisher
from firstline.common.amqp_topology import DELIVERY_LIMIT, EXCHANGE, dead_queue_of, declare, queue_of
from firstline.common.bus import BusDown
from firstline.common.errors import Unavailable
from firstline.common.ports import SystemClock, system_ports
from rabbit_server import RabbitServer

pytestmark = pytest.mark.process

RECONNECT_SECONDS = 15
NEW_QUEUE_SECONDS = 4.5
"""RabbitMQ 3.10, killed within three seconds of a queue's making, may bring it back without a leader, for ever."""

STREAMS, SHARED_SECONDS = 64, 20
"""So many streams that each partition has some, and how long two replicas may take to share them out."""

NOWHERE = "amqp://guest:guest@127.0.0.1:9/"
OpenBus = Callable[..., Awaitable[AmqpBus]]


class Hasty(SystemClock):
    """The machine's time, for code that waits no longer than a moment."""

    async def sleep(self, seconds: float) -> None:
        """Wait a moment."""
        await asyncio.sleep(min(seconds, 0.01))


@pytest.fixture
async def open_bus(killable_rabbit: RabbitServer) -> AsyncIterator[OpenBus]:
    """Return a function that starts a bus with its subscribers on a broker that has nothing of the desk."""
    opened: list[AmqpBus] = []
    await delete_queues(killable_rabbit.url)

    async def open_one(*, deadline: float = 10, hasty: bool = False, **services: Service) -> AmqpBus:
        ports = system_ports(Hasty()) if hasty else system_ports()
        bus = AmqpBus(killable_rabbit.url, ports, name="test", deadline=deadline)
        for name, service in services.items():
            bus.subscribe(name, service)
        await bus.start()
        opened.append(bus)
        await until(lambda: bus.connected)
        return bus

    yield open_one
    for bus in opened:
        await bus.stop()


async def publish_surely(bus: AmqpBus, batches: list[list[bytes]]) -> None:
    """Publish batches in order; one that was not confirmed is published again until it is."""
    for batch in batches:
        while True:
            try:
                await bus.publish(batch)
                break
            except BusDown:
                await asyncio.sleep(0.05)


@pytest.mark.slow
async def test_what_was_confirmed_survives_a_killed_broker(killable_rabbit: RabbitServer, open_bus: OpenBus) -> None:
    """A broker killed amid publishing and started again loses no confirmed event; both sides go on by themselves."""
    queue, sla = Service(), Service(seconds=0.01)
    bus = await open_bus(queue=queue, sla=sla)
    await asyncio.sleep(NEW_QUEUE_SECONDS)
    batches = [notes(range(first, first + 50)) for first in range(0, 5000, 50)]
    publishing = asyncio.ensure_future(publish_surely(bus, batches))
    await until(lambda: len(sla.taken) > 500)
    await asyncio.to_thread(killable_rabbit.kill)
    await until(lambda: not bus.connected)
    assert not publishing.done()
    await asyncio.to_thread(killable_rabbit.start)
    await until(lambda: bus.connected, RECONNECT_SECONDS)
    await asyncio.wait_for(publishing, 60)
    await until(lambda: set(queue.positions) == set(sla.positions) == set(range(5000)), 60)


@pytest.mark.slow
async def test_a_publisher_is_not_slowed_by_a_dead_broker(killable_rabbit: RabbitServer, open_bus: OpenBus) -> None:
    """Without a connection `publish` raises at once; the outage is logged once, and its end once."""
    bus = await open_bus(queue=Service())
    await asyncio.sleep(NEW_QUEUE_SECONDS)
    with structlog.testing.capture_logs() as lines:
        await asyncio.to_thread(killable_rabbit.kill)
        await until(lambda: not bus.connected)
        await asyncio.sleep(3)
        async with asyncio.timeout(0.1):
            with pytest.raises(BusDown):
                await bus.publish(notes(range(1)))
        await asyncio.to_thread(killable_rabbit.start)
        await until(lambda: bus.connected, RECONNECT_SECONDS)
    assert [line["event"] for line in lines] == ["bus lost", "bus is back"]


async def test_a_bus_starts_before_its_broker() -> None:
    """`start` and `stop` return at once where no broker answers, and what is published meanwhile is refused."""
    bus = AmqpBus(NOWHERE, system_ports(), name="test")
    bus.subscribe("queue", Service())
    async with asyncio.timeout(1):
        await bus.start()
        await asyncio.sleep(0.3)
        with pytest.raises(BusDown):
            await bus.publish(notes(range(1)))
        assert not bus.connected
        await bus.stop()


async def test_who_comes_late_is_refused() -> None:
    """A service that subscribes after the start is told so, since nothing would ever reach it."""
    bus = AmqpBus(NOWHERE, system_ports(), name="test")
    await bus.start()
    with pytest.raises(RuntimeError, match="before"):
        bus.subscribe("queue", Service())
    await bus.stop()


@pytest.mark.slow
async def test_a_hanging_broker_costs_one_deadline(killable_rabbit: RabbitServer, open_bus: OpenBus) -> None:
    """A broker that takes bytes and confirms nothing makes one publish late; the next ones are refused at once."""
    queue = Service()
    bus = await open_bus(queue=queue, deadline=2)
    clock = SystemClock()
    killable_rabbit.pause()
    try:
        began = clock.monotonic()
        with pytest.raises(BusDown):
            await bus.publish(notes(range(200)))
        assert 1.9 < clock.monotonic() - began < 4
        began = clock.monotonic()
        with pytest.raises(BusDown):
            await bus.publish(notes(range(200)))
        assert clock.monotonic() - began < 0.1
        await asyncio.sleep(8)
    finally:
        killable_rabbit.resume()
    await until(lambda: bus.connected, RECONNECT_SECONDS)
    await bus.publish(notes(range(200, 210)))
    await until(lambda: set(range(200, 210)) <= set(queue.positions))


@pytest.mark.slow
async def test_a_bus_stops_while_its_broker_hangs(killable_rabbit: RabbitServer, open_bus: OpenBus) -> None:
    """`stop` waits for no broker longer than some seconds, whatever is under way."""
    bus = await open_bus(queue=Service(), deadline=30)
    killable_rabbit.pause()
    try:
        large = [event("ticket.noted") + b" " * 100_000] * 200  # more than the sockets hold
        publishing = asyncio.ensure_future(bus.publish(large))
        await asyncio.sleep(0.5)
        async with asyncio.timeout(10):
            await bus.stop()
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)
    finally:
        killable_rabbit.resume()


@pytest.mark.slow
async def test_a_full_broker_still_hands_out_events(killable_rabbit: RabbitServer, open_bus: OpenBus) -> None:
    """A broker that blocks publishers for want of space stops no consumer: the queue gets empty."""
    bus = await open_bus(deadline=3)
    await publish_surely(bus, [notes(range(first, first + 100)) for first in range(0, 500, 100)])
    await asyncio.to_thread(killable_rabbit.set_disk_alarm, True)
    try:
        with pytest.raises(BusDown):
            await bus.publish(notes(range(500, 510)))
        queue = Service()
        reader = await open_bus(queue=queue)
        await until(lambda: set(range(500)) <= set(queue.positions))
        await reader.stop()
        assert await count(killable_rabbit.url, queue_of("queue", ONLY)) == 0
    finally:
        await asyncio.to_thread(killable_rabbit.set_disk_alarm, False)
    await until(lambda: bus.connected, RECONNECT_SECONDS)
    await publish_surely(bus, [notes(range(510, 520))])


async def test_a_purged_queue_goes_on(killable_rabbit: RabbitServer, open_bus: OpenBus) -> None:
    """After somebody has emptied a queue, what is published next arrives."""
    bus = await open_bus()
    await bus.publish(notes(range(10)))
    await asyncio.to_thread(killable_rabbit.purge, queue_of("queue", ONLY))
    queue = Service()
    await bus.stop()
    other = await open_bus(queue=queue)
    await other.publish(notes(range(10, 20)))
    await until(lambda: len(queue.taken) >= 10)
    assert queue.positions == list(range(10, 20))


@pytest.mark.slow
@pytest.mark.parametrize("all_of_them", [False, True])
async def test_a_deleted_queue_comes_back(killable_rabbit: RabbitServer, open_bus: OpenBus, all_of_them: bool) -> None:
    """After one queue, or everything, was deleted under a consumer, it is declared again and delivers."""
    queue = Service()
    bus = await open_bus(queue=queue)
    with structlog.testing.capture_logs() as lines:
        if all_of_them:
            await delete_queues(killable_rabbit.url)
            async with await connected(killable_rabbit.url) as connection, connection.channel() as channel:
                await channel.exchange_delete(EXCHANGE)
        else:
            await asyncio.to_thread(killable_rabbit.delete, queue_of("queue", ONLY))
        await until(lambda: bool(lines))
        await until(lambda: bus.connected, RECONNECT_SECONDS)
    await publish_surely(bus, [notes(range(10))])
    await until(lambda: set(queue.positions) == set(range(10)))
    assert "a queue of queue is gone" in lines[0]["reason"]


async def test_an_event_that_finds_no_queue_brings_it_back(killable_rabbit: RabbitServer, open_bus: OpenBus) -> None:
    """A publisher whose event is returned declares everything again, and publishes that event once more."""
    bus = await open_bus()
    await delete_queues(killable_rabbit.url)
    await bus.publish([event("weather.changed", 1), *notes(range(2, 5))])
    assert (bus.published, bus.returned) == (4, 3)
    assert bus.connected
    await until_count(killable_rabbit.url, queue_of("queue", ONLY), 3)
    await until_count(killable_rabbit.url, queue_of("sla", ONLY), 3)


async def test_events_that_never_find_a_queue_are_left_to_the_pull(
    killable_rabbit: RabbitServer, open_bus: OpenBus
) -> None:
    """After three returns a publish ends without an error, says so once in the log, and the connection stays."""
    await open_bus()
    asked: list[AbstractConnection] = []
    dropped: list[str] = []

    async def in_vain(connection: AbstractConnection) -> None:
        asked.append(connection)

    publisher = Publisher(system_ports(), redeclare=in_vain)
    async with await connected(killable_rabbit.url) as connection:
        await publisher.begin(connection, dropped.append)
        await delete_queues(killable_rabbit.url)
        with structlog.testing.capture_logs() as lines:
            await publisher.publish(notes(range(5)))
        assert not dropped
    assert len(asked) == RETURNS - 1
    assert (publisher.published, publisher.returned) == (0, 5 * RETURNS)
    assert [line["log_level"] for line in lines] == ["warning"]


async def test_what_is_no_event_is_among_the_dead_letters(killable_rabbit: RabbitServer, open_bus: OpenBus) -> None:
    """A body that is no event goes to the dead letters at once, with its reason in the log; its neighbours arrive."""
    bus = await open_bus()
    await bus.publish(notes(range(1)))
    await put(killable_rabbit.url, b'{"id": "x", "type": "ticket.noted", "source": "a secret"}')
    await bus.publish(notes(range(1, 3)))
    await bus.stop()
    with structlog.testing.capture_logs() as lines:
        queue = Service()
        await open_bus(queue=queue)
        await until(lambda: len(queue.taken) >= 3)
        await until_count(killable_rabbit.url, dead_queue_of("queue"), 1)
    assert queue.positions == [0, 1, 2]
    (complaint,) = [line for line in lines if line["log_level"] == "error"]
    assert "Field required" in complaint["reason"]
    assert "secret" not in str(complaint)


async def test_events_wait_while_the_store_is_out_of_reach(open_bus: OpenBus) -> None:
    """A service without its store is given the same batch until it takes it, in order; the broker counts nothing."""
    queue, sla = Service(Unavailable("no store")), Service()
    bus = await open_bus(hasty=True, queue=queue, sla=sla)
    with structlog.testing.capture_logs() as lines:
        await bus.publish(notes(range(100)))
        await until(lambda: queue.attempts > DELIVERY_LIMIT * 2 and len(sla.taken) == 100)
    queue.failure = None
    await until(lambda: len(queue.taken) >= 100)
    assert queue.positions == list(range(100))
    assert [line["reason"] for line in lines] == ["no store"]
    assert bus.redelivered > DELIVERY_LIMIT * 2


async def test_what_was_not_taken_stays_in_the_queue(open_bus: OpenBus) -> None:
    """Events that a service could not take before it stopped are given to the next process of that service."""
    queue = Service(Unavailable("no store"))
    bus = await open_bus(queue=queue)
    await bus.publish(notes(range(300)))
    await until(lambda: queue.attempts > 1)
    await bus.stop()
    other = Service()
    await open_bus(queue=other)
    await until(lambda: set(other.positions) == set(range(300)))


async def test_a_refused_event_dies_alone(killable_rabbit: RabbitServer, open_bus: OpenBus) -> None:
    """An event that a service refuses comes back as often as the limit says, then is dead; its neighbours are taken."""
    queue = Picky(seconds=0.2)
    bus = await open_bus(hasty=True, queue=queue)
    with structlog.testing.capture_logs() as lines:
        await bus.publish(notes(range(1)))
        await until(lambda: queue.attempts == 1)
        await bus.publish(notes(range(1, 10)))  # they wait, and come in one batch
        await until_count(killable_rabbit.url, dead_queue_of("queue"), 1)
    assert queue.positions == [0, 1, 2, *range(4, 10)]
    assert DELIVERY_LIMIT < queue.attempts < DELIVERY_LIMIT * 2
    assert [(line["event_id"], line["log_level"]) for line in lines] == [("id-3", "error")]
    await until_count(killable_rabbit.url, queue_of("queue", ONLY), 0)


async def test_replicas_share_the_events(open_bus: OpenBus) -> None:
    """A process that joins soon has its share of the streams; each event comes once, each stream stays in order."""
    one, two = Service(), Service()
    bus = await open_bus(queue=one)
    await open_bus(queue=two)
    published = 0
    async with asyncio.timeout(SHARED_SECONDS):
        while not shared(one, two):
            await bus.publish(notes(range(published, published + STREAMS), streams=STREAMS))
            published += STREAMS
            await asyncio.sleep(0.05)
    await until(lambda: len(one.taken) + len(two.taken) >= published)
    assert sorted(one.positions + two.positions) == list(range(published))
    for service in (one, two):
        for stream in {taken.stream for taken in service.taken}:
            positions = [taken.position for taken in service.taken if taken.stream == stream]
            assert positions == sorted(positions)


def shared(*services: Service) -> bool:
    """Say whether each service takes events, and of late none of another's streams."""
    streams = [{taken.stream for taken in service.taken[-STREAMS // 2 :]} for service in services]
    return all(streams) and not set.intersection(*streams)


async def test_another_replica_takes_the_place_of_one_that_left(open_bus: OpenBus) -> None:
    """When a process ends, another has its events at once, of every stream."""
    one, two = Service(), Service()
    bus = await open_bus(queue=one)
    leaving = await open_bus(queue=two)
    await leaving.publish(notes(range(STREAMS), streams=STREAMS))
    await until(lambda: len(one.taken) + len(two.taken) >= STREAMS)
    await bus.stop()
    two.batches.clear()
    await leaving.publish(notes(range(STREAMS), streams=STREAMS))
    await until(lambda: sorted(two.positions) == list(range(STREAMS)))


async def test_many_processes_declare_at_once(killable_rabbit: RabbitServer, open_bus: OpenBus) -> None:
    """Processes that start together on an empty broker all come up."""
    buses = await asyncio.gather(*(open_bus(queue=Service(), sla=Service()) for _ in range(6)))
    assert all(bus.connected for bus in buses)
    async with await connected(killable_rabbit.url) as connection:
        await declare(connection)


async def test_a_queue_with_other_arguments_is_used_as_it_is(killable_rabbit: RabbitServer, open_bus: OpenBus) -> None:
    """A queue that another version declared otherwise still carries events, and the log says what to do."""
    async with await connected(killable_rabbit.url) as connection, connection.channel() as channel:
        await channel.declare_queue(queue_of("queue", ONLY), durable=True, arguments={"x-queue-type": "quorum"})
    queue = Service()
    with structlog.testing.capture_logs() as lines:
        bus = await open_bus(queue=queue)
        await bus.publish(notes(range(3)))
        await until(lambda: len(queue.taken) >= 3)
    assert {line["queue"] for line in lines} == {queue_of("queue", ONLY)}


async def test_a_refused_publish_is_told(killable_rabbit: RabbitServer, open_bus: OpenBus) -> None:
    """When a queue takes no more, `publish` raises, and the connection stays."""
    async with await connected(killable_rabbit.url) as connection, connection.channel() as channel:
        await channel.declare_queue(
            queue_of("queue", ONLY),
            durable=True,
            arguments={"x-queue-type": "quorum", "x-max-length": 1, "x-overflow": "reject-publish"},
        )
    bus = await open_bus()

    async def fill() -> None:
        for first in range(0, 100, 10):
            await bus.publish(notes(range(first, first + 10)))

    with pytest.raises(BusDown, match="refused"):
        await fill()
    assert bus.connected


async def test_an_event_carries_its_properties(killable_rabbit: RabbitServer, open_bus: OpenBus) -> None:
    """To anybody who binds its type an event is a persistent CloudEvent whose id and trace stand outside its body."""
    bus = await open_bus()
    traced = event("ticket.noted", 7).replace(b'"traceparent":null', b'"traceparent":"00-a-b-01"')
    async with await connected(killable_rabbit.url) as connection, connection.channel() as channel:
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind(EXCHANGE, "ticket.noted")
        await bus.publish([traced])
        message = await queue.get(timeout=5)
        assert message is not None
        assert (message.body, message.routing_key, message.message_id) == (traced, "ticket.noted", "id-7")
        assert (message.content_type, message.delivery_mode) == ("application/cloudevents+json", 2)
        assert message.headers["traceparent"] == "00-a-b-01"
        await message.ack()


async def test_a_task_that_is_late_is_left_behind() -> None:
    """A driver's call that ignores being cancelled holds nobody up longer than its deadline."""

    async def stubborn() -> None:
        for _ in range(20):
            try:
                await asyncio.sleep(0.1)
            except asyncio.CancelledError:
                continue

    async with asyncio.timeout(1):
        with pytest.raises(TimeoutError):
            await within(0.1, stubborn(), system_ports(), "stubborn")

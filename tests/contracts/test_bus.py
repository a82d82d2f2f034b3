"""What every bus does, in one process or over RabbitMQ: whole prefixes, in order, to each service, nobody held up."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from bus_world import Service, event, notes, purge_queues, until
from firstline.common.amqp import AmqpBus
from firstline.common.bus import BINDINGS, Bus, LocalBus
from firstline.common.events import CATALOGUE
from firstline.common.ports import system_ports
from rabbit_server import RabbitServer

OpenBus = Callable[..., Awaitable[Bus]]


@pytest.fixture(params=["local", pytest.param("amqp", marks=pytest.mark.process)])
async def open_bus(request: pytest.FixtureRequest) -> AsyncIterator[OpenBus]:
    """Return a function that starts a bus with its subscribers; RabbitMQ's begins with empty queues."""
    opened: list[Bus] = []

    async def over_amqp(url: str) -> Bus:
        first = AmqpBus(url, system_ports(), name="test: declare")
        await first.start()
        await until(lambda: first.connected)
        await first.stop()
        await purge_queues(url)
        return AmqpBus(url, system_ports(), name="test")

    async def open_one(**services: Service) -> Bus:
        rabbit: RabbitServer | None = request.getfixturevalue("rabbit") if request.param == "amqp" else None
        bus = await over_amqp(rabbit.url) if rabbit else LocalBus()
        for name, service in services.items():
            bus.subscribe(name, service)
        await bus.start()
        opened.append(bus)
        if isinstance(bus, AmqpBus):
            await until(lambda: bus.connected)
        return bus

    yield open_one
    for bus in opened:
        await bus.stop()


async def test_each_service_gets_the_whole_prefixes_that_it_binds(open_bus: OpenBus) -> None:
    """Of one batch each service is given exactly the events of its prefixes, in order."""
    services = {name: Service() for name in BINDINGS}
    bus = await open_bus(**services)
    types = list(CATALOGUE)
    expected = {name: [kind for kind in types if kind.split(".")[0] in BINDINGS[name]] for name in BINDINGS}
    await bus.publish([event(kind, position) for position, kind in enumerate(types, start=1)])
    await until(lambda: all(len(services[name].types) >= len(expected[name]) for name in BINDINGS))
    assert {name: service.types for name, service in services.items()} == expected


async def test_order_is_kept_from_batch_to_batch(open_bus: OpenBus) -> None:
    """A service is given the events of many batches in the order in which they were published, each once."""
    queue, sla = Service(seconds=0.005), Service()
    bus = await open_bus(queue=queue, sla=sla)
    for first in range(0, 1000, 200):
        await bus.publish(notes(range(first, first + 200)))
    await until(lambda: len(queue.taken) >= 1000 and len(sla.taken) >= 1000)
    assert queue.positions == sla.positions == list(range(1000))


async def test_events_that_wait_come_together(open_bus: OpenBus) -> None:
    """A service that takes its time is given what has come meanwhile in one call, not event by event."""
    queue = Service(seconds=0.05)
    bus = await open_bus(queue=queue)
    await bus.publish(notes(range(200)))
    await until(lambda: len(queue.taken) >= 200)
    assert len(queue.batches) < 50


async def test_an_event_comes_as_it_was_published(open_bus: OpenBus) -> None:
    """Every member of an event arrives unchanged, and two services share no object."""
    queue, sla = Service(), Service()
    bus = await open_bus(queue=queue, sla=sla)
    await bus.publish([event("ticket.noted")])
    await until(lambda: bool(queue.taken and sla.taken))
    assert queue.taken[0].model_dump_json().encode() == event("ticket.noted")
    queue.taken[0].data["list"].append("spoiled")
    assert sla.taken[0].data == {"list": []}


@pytest.mark.parametrize("failure", [ValueError("broken"), ConnectionError("away")])
async def test_a_failing_service_holds_up_no_other(open_bus: OpenBus, failure: Exception) -> None:
    """While one service can't take events, the others get them, and the producer hears nothing of it."""
    broken, sla = Service(failure), Service()
    bus = await open_bus(queue=broken, sla=sla)
    await bus.publish(notes(range(10)))
    await until(lambda: len(sla.taken) == 10 and broken.attempts > 0)
    broken.failure = None
    await bus.publish(notes(range(10, 20)))
    await until(lambda: len(sla.taken) == 20 and set(range(10, 20)) <= set(broken.positions))
    assert sla.positions == list(range(20))


async def test_stopping_lets_the_batch_at_hand_finish(open_bus: OpenBus) -> None:
    """When `stop` returns, no service is in the midst of taking events, and none is given any afterwards."""
    queue = Service(seconds=0.2)
    bus = await open_bus(queue=queue)
    publishing = asyncio.ensure_future(bus.publish(notes(range(3))))
    await until(lambda: queue.attempts > 0)
    await asyncio.gather(bus.stop(), publishing)
    attempts = queue.attempts
    assert len(queue.batches) == attempts
    await asyncio.sleep(0.3)
    assert queue.attempts == attempts


async def test_events_that_nobody_binds_are_no_error(open_bus: OpenBus) -> None:
    """An event of an unknown prefix reaches nobody, and those beside it in the batch arrive."""
    services = {name: Service() for name in BINDINGS}
    bus = await open_bus(**services)
    await bus.publish([event("weather.changed", 1), event("ticketing.moved", 2)])
    await bus.publish([event("weather.changed", 3), event("person.erased", 4), event("erasure.applied", 5)])
    known = ("person.erased", "erasure.applied")
    expected = {name: [kind for kind in known if kind.split(".")[0] in bound] for name, bound in BINDINGS.items()}
    await until(lambda: all(len(service.types) == len(expected[name]) for name, service in services.items()))
    assert {name: service.types for name, service in services.items()} == expected


@pytest.mark.parametrize("rubbish", [b"", b"{", b"[]", b'{"type": "ticket.noted"}', b"\xff"])
async def test_what_is_no_event_stops_nobody(open_bus: OpenBus, rubbish: bytes) -> None:
    """Bytes that are no event are left to the pull, and the next batch arrives."""
    queue = Service()
    bus = await open_bus(queue=queue)
    await bus.publish([rubbish])
    await bus.publish([event("ticket.noted")])
    await until(lambda: bool(queue.taken))
    assert queue.types == ["ticket.noted"]


async def test_nothing_is_published_with_an_empty_batch(open_bus: OpenBus) -> None:
    """An empty batch is done at once and reaches nobody."""
    queue = Service()
    bus = await open_bus(queue=queue)
    await bus.publish([])
    await bus.publish(notes(range(1)))
    await until(lambda: bool(queue.taken))
    assert queue.positions == [0]


async def test_starting_and_stopping_twice_does_no_harm(open_bus: OpenBus) -> None:
    """A bus that is started again delivers each event once; one that is stopped again, or never ran, just stops."""
    queue = Service()
    bus = await open_bus(queue=queue)
    await bus.start()
    await bus.publish(notes(range(5)))
    await until(lambda: len(queue.taken) >= 5)
    await asyncio.sleep(0.1)
    assert queue.positions == list(range(5))
    await bus.stop()
    await bus.stop()

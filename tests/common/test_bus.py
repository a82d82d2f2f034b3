"""The bus inside one process: whole prefixes, copies at the boundary, nobody held up, and commits before the return."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

import pytest
from firstline.common.bus import BINDINGS, SOURCES, LocalBus
from firstline.common.envelope import Envelope, bound_by, prefix_of
from firstline.common.events import CATALOGUE
from firstline.common.inbox import Inbox
from firstline.common.ports import Ports
from firstline.common.store.port import Sql, Store, Unit

T = TypeVar("T")
OpenStore = Callable[..., Awaitable[Store]]
ADD: Sql[None] = Sql("INSERT INTO fact (name) VALUES (:name)", type(None))
NAMES = Sql("SELECT name FROM fact ORDER BY name", str)
PRODUCERS = {
    "ticket": "intake",
    "policy": "intake",
    "incident": "intake",
    "queue": "queue",
    "clock": "sla",
    "delivery": "notify",
    "endpoint": "notify",
    "account": "accounts",
    "person": "accounts",
    "erasure": "accounts",
}
ALL = {"intake", "accounts", "queue", "sla", "notify"}
"""Who produces `erasure`: every service that erased something."""


def event(event_type: str, position: int = 1) -> bytes:
    """Return the JSON of an event, each on a stream of its own."""
    envelope = Envelope(
        id=f"id-{position}",
        type=event_type,
        source=PRODUCERS.get(prefix_of(event_type), "intake"),
        time=datetime(2026, 11, 23, 12, 0, tzinfo=UTC),
        stream=f"{prefix_of(event_type)}/{position}",
        version=1,
        log="log-1",
        position=position,
        hash="h",
        data={"list": []},
    )
    return envelope.model_dump_json().encode()


class Consumer:
    """A service that remembers what it was given, and fails when it is told to."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.batches: list[list[Envelope]] = []
        self.failure = failure

    async def __call__(self, events: Sequence[Envelope]) -> None:
        """Take events."""
        if self.failure is not None:
            raise self.failure
        self.batches.append(list(events))

    @property
    def types(self) -> list[str]:
        """The types taken, in order."""
        return [taken.type for batch in self.batches for taken in batch]


async def test_each_service_gets_the_whole_prefixes_that_it_binds() -> None:
    """Of one batch each service is given exactly the events of its prefixes, in order, in one call."""
    bus, consumers = LocalBus(), {name: Consumer() for name in BINDINGS}
    for name, consumer in consumers.items():
        bus.subscribe(name, consumer)
    types = list(CATALOGUE)
    await bus.publish([event(kind, position) for position, kind in enumerate(types, start=1)])
    for name, consumer in consumers.items():
        assert consumer.types == [kind for kind in types if kind.split(".")[0] in BINDINGS[name]]
        assert len(consumer.batches) == 1


async def test_a_service_without_a_share_is_left_alone() -> None:
    """A batch that holds nothing for a service does not reach it."""
    bus, intake = LocalBus(), Consumer()
    bus.subscribe("intake", intake)
    await bus.publish([event("ticket.noted")])
    await bus.publish([])
    assert intake.batches == []


def test_prefixes_are_whole_words() -> None:
    """A prefix is the first word of a type, so that `ticket` doesn't take `ticketing.moved`."""
    takes = bound_by(("ticket", "queue"))
    assert [takes(kind) for kind in ("ticket.noted", "queue.x.y", "ticketing.moved", "tick.et", "")] == [
        True,
        True,
        False,
        False,
        False,
    ]


async def test_consumers_share_nothing() -> None:
    """Each service gets objects of its own: what one does to them the other does not see, nor does the producer."""
    bus, queue, sla = LocalBus(), Consumer(), Consumer()
    bus.subscribe("queue", queue)
    bus.subscribe("sla", sla)
    await bus.publish([event("ticket.noted")])
    ((first,),), ((second,),) = queue.batches, sla.batches
    assert first == second
    assert first is not second
    first.data["list"].append("spoiled")
    assert second.data == {"list": []}


async def test_a_failing_consumer_is_alone_with_it() -> None:
    """When one service can't take events the others get them all the same, and the producer hears nothing of it."""
    bus, broken, sla = LocalBus(), Consumer(ConnectionError("away")), Consumer()
    bus.subscribe("queue", broken)
    bus.subscribe("sla", sla)
    await bus.publish([event("ticket.noted")])
    assert sla.types == ["ticket.noted"]
    broken.failure = None
    await bus.publish([event("ticket.opened", 2)])
    assert broken.types == ["ticket.opened"]


@pytest.mark.parametrize("rubbish", [b"", b"{", b"[]", b'{"type": "ticket.noted"}', b"\xff"])
async def test_what_is_no_envelope_stops_nobody(rubbish: bytes) -> None:
    """Bytes that are no envelope are left to the pull, and the next batch is delivered."""
    bus, queue = LocalBus(), Consumer()
    bus.subscribe("queue", queue)
    await bus.publish([rubbish])
    await bus.publish([event("ticket.noted")])
    assert queue.types == ["ticket.noted"]


async def test_publish_returns_after_each_inbox_has_committed(open_store: OpenStore, ports: Ports) -> None:
    """`publish` is not done before every consumer's commit is, and then each store holds what the event brought."""
    free = asyncio.Event()

    async def held_up(work: Callable[[], T]) -> T:
        await free.wait()
        return await ports.offload(work)

    async def note(unit: Unit, envelope: Envelope) -> None:
        await unit.run(ADD, name=envelope.type)

    bus = LocalBus()
    slow, quick = await open_store("queue", replace(ports, offload=held_up)), await open_store("sla")
    for name, store in (("queue", slow), ("sla", quick)):
        bus.subscribe(name, Inbox(store, {"ticket.noted": note}, ports.clock).receive)
    publishing = asyncio.ensure_future(bus.publish([event("ticket.noted")]))
    while not await quick.read(lambda unit: unit.all(NAMES)):
        await asyncio.sleep(0.001)
    assert not publishing.done()
    free.set()
    await publishing
    assert await slow.read(lambda unit: unit.all(NAMES)) == ["ticket.noted"]


def test_bindings_and_sources_agree() -> None:
    """A service pulls from exactly the services that produce what it binds; who binds account binds person."""
    assert {prefix_of(kind) for kind in CATALOGUE} == set(PRODUCERS)
    for service, prefixes in BINDINGS.items():
        everybody = ALL if "erasure" in prefixes else set()
        assert set(SOURCES[service]) == everybody | {PRODUCERS[prefix] for prefix in prefixes}
        assert ("account" in prefixes) == ("person" in prefixes)

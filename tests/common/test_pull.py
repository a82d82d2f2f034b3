"""The pull behind the push: what the bus lost is read in the producers' logs, each source for itself."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI
from firstline.common.application import build_app
from firstline.common.bus import LocalBus, Receive
from firstline.common.envelope import Envelope
from firstline.common.event_parts import EntryKey
from firstline.common.events import Actor, QueueEvent, QueueLeft, TicketNoted
from firstline.common.inbox import PLACE, Inbox, NotYet, Place
from firstline.common.permissions import Principal, Role
from firstline.common.ports import Ports, SystemClock
from firstline.common.pull import PAGE_LIMIT, LogPage, Pull, ReadLog, RemoteLog
from firstline.common.relay import log_page
from firstline.common.runtime import Runtime
from firstline.common.store.port import Sql, Store, Unit
from firstline.common.tokens import Signer, Verifier, new_key

pytestmark = pytest.mark.both_stores

OpenStore = Callable[..., Awaitable[Store]]
ADD: Sql[None] = Sql("INSERT INTO fact (name) VALUES (:name)", type(None))
NAMES = Sql("SELECT name FROM fact ORDER BY name", str)
ACTOR = Actor(id="anna", role="agent")
RELABEL: Sql[None] = Sql("UPDATE log_relay SET log = 'log-after-a-restore' WHERE id = 1", type(None))


class LossyBus(LocalBus):
    """A bus that loses what is published while it is down."""

    down = False

    async def publish(self, envelopes: Sequence[bytes]) -> None:
        """Deliver, or lose without a word."""
        if not self.down:
            await super().publish(envelopes)


def runtime(name: str, store: Store, bus: LocalBus, ports: Ports, signer: Signer) -> Runtime:
    """Return a service at work."""
    verifier = Verifier(signer.public_keys(), SystemClock())
    return Runtime(name, ports=ports, store=store, bus=bus, verifier=verifier, read_logs={}, pull_seconds=3600)


@dataclass(slots=True)
class World:
    """Intake and queue, which produce, and sla, which reads on in their logs when told so."""

    bus: LossyBus
    producers: Mapping[str, Runtime]
    store: Store
    pull: Pull
    reads: list[tuple[str, int, int]] = field(default_factory=list)
    failing: dict[str, Exception] = field(default_factory=dict)

    def read_log(self, source: str) -> ReadLog:
        """Return how a source's log is read, with failures where they are set."""

        async def read(after: int, limit: int) -> LogPage:
            self.reads.append((source, after, limit))
            if source in self.failing:
                raise self.failing[source]
            store = self.producers[source].store
            log, items = await store.read(lambda unit: log_page(unit, source, after, limit))
            return LogPage(log=log, items=[Envelope.model_validate_json(item) for item in items])

        return read

    async def note(self, stream: str, count: int = 1) -> None:
        """Append events to a stream of intake and relay them."""
        event = TicketNoted(actor=ACTOR, number="FL-7K3M-9QPX", status="open", message_id="m")
        await self._append("intake", f"ticket/{stream}", *[event] * count)

    async def leave(self, stream: str) -> None:
        """Append an event to a stream of queue and relay it."""
        key = EntryKey(out_of_turn=False, since=self.producers["queue"].ports.clock.now(), position=1)
        await self._append("queue", f"entry/{stream}", QueueLeft(actor=ACTOR, number="FL-7K3M-9QPX", key=key))

    async def _append(self, source: str, stream: str, *events: TicketNoted | QueueEvent) -> None:
        producer = self.producers[source]
        await producer.store.write(lambda unit: producer.log.append(unit, stream, *events))
        await producer.settle()

    async def known(self) -> list[str]:
        """Return what the consumer knows."""
        return await self.store.read(lambda unit: unit.all(NAMES))

    async def place(self, source: str = "intake") -> Place | None:
        """Return up to where the consumer has read."""
        return await self.store.read(lambda unit: unit.one(PLACE, source=source))


async def _note(unit: Unit, event: Envelope) -> None:
    await unit.run(ADD, name=f"{event.stream}-{event.version}")


@pytest.fixture
async def world(open_store: OpenStore, ports: Ports) -> AsyncIterator[World]:
    """Return two producers and a consumer on one bus."""
    bus, signer = LossyBus(), Signer(new_key("test"), SystemClock())
    producers = {name: runtime(name, await open_store(name), bus, ports, signer) for name in ("intake", "queue")}
    for producer in producers.values():
        await producer.start()
    store = await open_store("sla")
    inbox = Inbox(store, {"ticket.noted": _note, "queue.left": _note}, ports.clock)
    bus.subscribe("sla", inbox.receive)
    sources: dict[str, ReadLog] = {}
    world = World(bus, producers, store, Pull(store, inbox, ("ticket", "queue"), sources, ports.clock))
    sources |= {name: world.read_log(name) for name in producers}
    yield world
    for producer in producers.values():
        await producer.stop()


async def test_what_the_push_lost_is_pulled(world: World) -> None:
    """Events that the bus lost are read in the log, applied in order, and those that waited for them follow."""
    await world.note("a")
    world.bus.down = True
    await world.note("a", 2)
    world.bus.down = False
    await world.note("a")
    assert await world.known() == ["ticket/a-1"]
    assert await world.pull.once() == 3
    assert await world.known() == ["ticket/a-1", "ticket/a-2", "ticket/a-3", "ticket/a-4"]
    assert await world.pull.once() == 0


async def test_a_pushed_event_is_not_pulled_again(world: World) -> None:
    """The place moves with what the push brought, so that the pull has nothing to read."""
    await world.note("a", 3)
    place = await world.place()
    assert (place.position if place else 0) == 3
    assert await world.pull.once() == 0
    assert ("intake", 3, PAGE_LIMIT) in world.reads


async def test_the_place_moves_with_each_page(world: World) -> None:
    """A log longer than a page is read to its end, page by page, and the place is at its end."""
    world.bus.down = True
    await world.note("a", PAGE_LIMIT + 7)
    assert await world.pull.once() == PAGE_LIMIT + 7
    assert [after for source, after, _ in world.reads if source == "intake"] == [0, PAGE_LIMIT, PAGE_LIMIT + 7]
    assert len(await world.known()) == PAGE_LIMIT + 7
    place = await world.place()
    assert (place.position if place else 0) == PAGE_LIMIT + 7


async def test_a_failing_source_blocks_no_other(world: World) -> None:
    """When one log can't be read the others are, and the one is read as soon as it answers."""
    world.bus.down = True
    await world.note("a")
    await world.leave("b")
    world.failing["intake"] = httpx.ConnectError("refused")
    assert await world.pull.once() == 1
    assert await world.known() == ["entry/b-1"]
    assert await world.place() is None
    world.failing.clear()
    assert await world.pull.once() == 1
    assert await world.known() == ["entry/b-1", "ticket/a-1"]


async def test_what_is_not_bound_is_passed_over(world: World, ports: Ports, open_store: OpenStore) -> None:
    """A consumer's place moves past events of prefixes that it doesn't bind, and nothing of them is recorded."""
    store = await open_store("intake-2")
    inbox = Inbox(store, {"ticket.noted": _note}, ports.clock)
    pull = Pull(store, inbox, ("person",), {"intake": world.read_log("intake")}, SystemClock())
    await world.note("a", 2)
    assert await pull.once() == 2
    assert await store.read(lambda unit: unit.all(NAMES)) == []
    place = await store.read(lambda unit: unit.one(PLACE, source="intake"))
    assert (place.position if place else 0) == 2


async def test_waiting_events_are_tried_again(world: World) -> None:
    """Each pull tries events again that waited for another stream, also when there is nothing new to read."""
    met = False

    async def judge(unit: Unit, event: Envelope) -> None:
        if not met:
            raise NotYet("the other stream has not come")
        await _note(unit, event)

    inbox = Inbox(world.store, {"ticket.noted": judge}, world.producers["intake"].ports.clock)
    pull = Pull(world.store, inbox, ("ticket",), {"intake": world.read_log("intake")}, SystemClock())
    world.bus.down = True
    await world.note("a")
    assert await pull.once() == 1
    assert await world.known() == []
    met = True
    assert await pull.once() == 0
    assert await world.known() == ["ticket/a-1"]


async def test_a_restored_log_is_read_from_its_start(world: World) -> None:
    """When a log has another id than the place tells of it is read anew: known streams go on, and none is missed."""
    await world.note("a", 2)
    world.bus.down = True
    await world.producers["intake"].store.write(lambda unit: unit.run(RELABEL))
    await world.note("b")
    await world.note("a")
    await world.pull.once()
    assert await world.known() == ["ticket/a-1", "ticket/a-2", "ticket/a-3", "ticket/b-1"]
    assert await world.place() == Place("log-after-a-restore", 4)
    assert await world.pull.once() == 0


@dataclass(frozen=True, slots=True)
class Remote:
    """A producer's application and a client of it."""

    app: FastAPI
    client: httpx.AsyncClient
    signer: Signer

    def token(self, role: Role, life: timedelta = timedelta(minutes=5)) -> str:
        """Return a token."""
        return self.signer.token(Principal("sla", role, "sla@service.invalid"), life)


async def _nothing() -> None:
    """Start or stop nothing."""


@pytest.fixture
async def remote(world: World) -> AsyncIterator[Remote]:
    """Return intake's application, which answers in this process."""
    signer = Signer(new_key("test"), SystemClock())
    intake = world.producers["intake"]
    intake.verifier = Verifier(signer.public_keys(), SystemClock())
    app = build_app(intake, "intake", [], start=_nothing, stop=_nothing)
    async with AsyncExitStack() as stack:
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://intake")
        yield Remote(app, await stack.enter_async_context(client), signer)


async def test_a_remote_log_is_read_with_a_service_token(world: World, remote: Remote) -> None:
    """Through `/internal/log` a service reads what the bus carried: the same envelopes, page by page."""
    taken: list[Envelope] = []

    async def take(events: Sequence[Envelope]) -> None:
        taken.extend(events)

    receive: Receive = take
    world.bus.subscribe("notify", receive)
    await world.note("a", 3)
    read = RemoteLog(remote.client, lambda: remote.token(Role.SERVICE))
    page = await read(0, 2)
    assert [*page.items, *(await read(2, 2)).items] == taken
    assert page.log == taken[0].log
    assert (await read(3, 2)).items == []


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.SERVICE])
async def test_a_remote_log_is_for_services_only(remote: Remote, role: Role) -> None:
    """No person reads the log, whatever their role."""
    with pytest.raises(httpx.HTTPStatusError, match="403"):
        await RemoteLog(remote.client, lambda: remote.token(role))(0, 10)


@pytest.mark.parametrize("minutes", [None, -5])
async def test_a_remote_log_needs_a_valid_token(remote: Remote, minutes: int | None) -> None:
    """A token that is none of this desk's, or has expired, is refused."""
    token = "rubbish" if minutes is None else remote.token(Role.SERVICE, timedelta(minutes=minutes))
    with pytest.raises(httpx.HTTPStatusError, match="401"):
        await RemoteLog(remote.client, lambda: token)(0, 10)


async def test_an_empty_remote_log(remote: Remote) -> None:
    """A log without events is an empty page."""
    assert (await RemoteLog(remote.client, lambda: remote.token(Role.SERVICE))(0, 10)).items == []

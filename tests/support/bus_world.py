"""What tests of a bus need: events, services that take them, patience, and a look at the broker from outside."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import aio_pika
from aio_pika.abc import AbstractConnection
from firstline.common.amqp_topology import EXCHANGE, PARTITION, all_queues, partition_of
from firstline.common.envelope import Envelope

PATIENCE_SECONDS = 30.0
STREAM = "ticket/1"
ONLY = partition_of(STREAM)
"""The stream of events about which nothing else is said, and its partition."""


def event(event_type: str, position: int = 1, stream: str = STREAM) -> bytes:
    """Return the JSON of an event."""
    envelope = Envelope(
        id=f"id-{position}",
        type=event_type,
        source="intake",
        time=datetime(2026, 11, 23, 12, 0, tzinfo=UTC),
        stream=stream,
        version=position + 1,
        log="log-1",
        position=position,
        hash="h",
        data={"list": []},
    )
    return envelope.model_dump_json().encode()


def notes(positions: range, streams: int = 1) -> list[bytes]:
    """Return events of one type that the services queue, sla and notify take, of so many streams in turn."""
    return [event("ticket.noted", position, f"ticket/{position % streams + 1}") for position in positions]


class Service:
    """A consumer that remembers what it took; `failure` is raised instead while it is set."""

    def __init__(self, failure: Exception | None = None, seconds: float = 0) -> None:
        self.batches: list[list[Envelope]] = []
        self.attempts = 0
        self.failure = failure
        self._seconds = seconds

    async def __call__(self, events: Sequence[Envelope]) -> None:
        """Take events, in as long as it takes."""
        self.attempts += 1
        if self.failure is not None:
            raise self.failure
        await asyncio.sleep(self._seconds)
        self.batches.append(list(events))

    @property
    def taken(self) -> list[Envelope]:
        """Every event taken, in order."""
        return [event for batch in self.batches for event in batch]

    @property
    def types(self) -> list[str]:
        """The types of the events taken, in order."""
        return [event.type for event in self.taken]

    @property
    def positions(self) -> list[int]:
        """The positions of the events taken, in order."""
        return [event.position for event in self.taken]


class Picky(Service):
    """Refuses any batch that holds the event at one position."""

    refused = 3

    async def __call__(self, events: Sequence[Envelope]) -> None:
        """Take all of the events, or none of them."""
        self.failure = ValueError("no") if any(event.position == self.refused for event in events) else None
        await super().__call__(events)


async def until(met: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until a condition is met, and fail when it is not in time."""
    async with asyncio.timeout(seconds):
        while not met():
            await asyncio.sleep(0.01)


async def connected(url: str) -> AbstractConnection:
    """Return a connection of the test's own."""
    return await aio_pika.connect(url)


async def delete_queues(url: str) -> None:
    """Remove every queue of the desk."""
    async with await connected(url) as connection, connection.channel() as channel:
        for name in all_queues():
            await channel.queue_delete(name)


async def purge_queues(url: str) -> None:
    """Throw away what waits in the desk's queues, which must be there."""
    async with await connected(url) as connection, connection.channel() as channel:
        for name in all_queues():
            await (await channel.get_queue(name, ensure=False)).purge()


async def put(url: str, body: bytes, routing_key: str = "ticket.noted") -> None:
    """Publish bytes as anybody could who knows the exchange."""
    async with await connected(url) as connection, connection.channel() as channel:
        exchange = await channel.get_exchange(EXCHANGE, ensure=False)
        await exchange.publish(aio_pika.Message(body, headers={PARTITION: str(ONLY)}), routing_key)


async def count(url: str, queue: str) -> int:
    """Return how many messages a queue has ready."""
    async with await connected(url) as connection, connection.channel() as channel:
        declared = await channel.declare_queue(queue, passive=True)
        return declared.declaration_result.message_count or 0


async def until_count(url: str, queue: str, expected: int, seconds: float = 30) -> None:
    """Wait until a queue has that many messages ready."""
    async with asyncio.timeout(seconds):
        while await count(url, queue) != expected:
            await asyncio.sleep(0.1)

"""What the desk has on the broker: one exchange for events, queues for each consuming service, and its dead letters.

A service's events are dealt out to PARTITIONS queues by their stream, so that events of one stream stay in order though
several replicas take events: a queue has one active consumer. The deal is made by an exchange of the service's own,
because the routing key belongs to the event's type, by which anybody may bind queues of his own.

Everything follows from BINDINGS. Every process declares the whole of it after each (re)connect, so that whoever comes
first finds it, and what somebody deleted is there again.
"""

from zlib import crc32

import structlog
from aio_pika import ExchangeType
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import ChannelPreconditionFailed

from firstline.common.bus import BINDINGS

EXCHANGE = "firstline.events"
DEAD_EXCHANGE = "firstline.dead"

PARTITIONS = 8
"""How many queues a service has, and so how many replicas may take events at once. When it is changed, what waits in a
queue that is no more must be taken first, or is left to the pull."""

PARTITION = "partition"
"""The header that names an event's partition, as text: the broker compares numbers of different sizes as different."""

DELIVERY_LIMIT = 20
"""How often an event may come back to its queue before it counts as dead; the services' logs still have it."""

_log = structlog.get_logger(__name__)


def partition_of(stream: str) -> int:
    """Return the partition of a stream; streams of several kinds about one ticket have the same."""
    # Not Python's `hash`, which differs from process to process: all replicas have to deal alike.
    return crc32(stream.partition("/")[2].encode()) % PARTITIONS


def queue_of(service: str, partition: int) -> str:
    """Return the name of the queue from which a service takes the events of a partition."""
    return f"firstline.{service}.{partition}"


def queues_of(service: str) -> list[str]:
    """Return the names of the queues from which a service takes its events."""
    return [queue_of(service, partition) for partition in range(PARTITIONS)]


def roll_of(service: str) -> str:
    """Return the name of the queue, always empty, that counts by its consumers how many replicas are connected."""
    return f"firstline.{service}.replicas"


def all_queues() -> list[str]:
    """Return the names of all queues of the desk."""
    return [name for service in BINDINGS for name in (*queues_of(service), roll_of(service), dead_queue_of(service))]


def exchange_of(service: str) -> str:
    """Return the name of the exchange that deals out a service's events."""
    return f"firstline.{service}"


def dead_queue_of(service: str) -> str:
    """Return the name of the queue that keeps what a service could not take, for people to look at."""
    return f"firstline.{service}.dead"


async def declare(connection: AbstractConnection) -> None:
    """Declare exchanges, queues and bindings; those that exist stay as they are."""
    async with connection.channel(publisher_confirms=False) as channel:
        await channel.declare_exchange(EXCHANGE, ExchangeType.TOPIC, durable=True)
        await channel.declare_exchange(DEAD_EXCHANGE, ExchangeType.DIRECT, durable=True)
        for service, prefixes in BINDINGS.items():
            # Whole prefixes and never single types: every version of a stream has to come, or the inbox waits for ever.
            deal = await channel.declare_exchange(exchange_of(service), ExchangeType.HEADERS, durable=True)
            for prefix in prefixes:
                await deal.bind(EXCHANGE, f"{prefix}.#")
    for service in BINDINGS:
        for queue in (dead_queue_of(service), roll_of(service)):
            await _declare_queue(connection, queue, {})
        for queue in queues_of(service):
            await _declare_queue(connection, queue, _arguments(service))
        await _bind(connection, service)


def _arguments(service: str) -> dict[str, str | int]:
    """Return what makes a queue give events to one replica only, and keep each until it is taken or surely dead."""
    return {
        "x-single-active-consumer": True,
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-dead-letter-exchange": DEAD_EXCHANGE,
        "x-dead-letter-routing-key": service,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",  # at-least-once demands it
    }


async def _declare_queue(connection: AbstractConnection, name: str, arguments: dict[str, str | int]) -> None:
    """Declare a queue on a channel of its own, which a refusal closes."""
    try:
        async with connection.channel(publisher_confirms=False) as channel:
            # Quorum queues: replicated, and the only kind that counts deliveries and dead-letters at least once.
            await channel.declare_queue(name, durable=True, arguments={"x-queue-type": "quorum", **arguments})
    except ChannelPreconditionFailed as error:  # it still carries events
        _log.error(
            "a queue has other arguments than it should; delete it, it comes back", queue=name, reason=str(error)
        )


async def _bind(connection: AbstractConnection, service: str) -> None:
    """Bind a service's queues, which exist by now."""
    async with connection.channel(publisher_confirms=False) as channel:
        dead = await channel.get_queue(dead_queue_of(service), ensure=False)
        await dead.bind(DEAD_EXCHANGE, service)
        for partition in range(PARTITIONS):
            queue = await channel.get_queue(queue_of(service, partition), ensure=False)
            await queue.bind(exchange_of(service), arguments={"x-match": "all", PARTITION: str(partition)})

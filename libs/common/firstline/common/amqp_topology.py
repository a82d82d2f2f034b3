"""What the desk has on the broker: one exchange for events, a queue for each consuming service, and its dead letters.

Everything follows from BINDINGS. Every process declares the whole of it after each (re)connect, so that whoever comes
first finds it, and what somebody deleted is there again.
"""

import structlog
from aio_pika import ExchangeType
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import ChannelPreconditionFailed

from firstline.common.bus import BINDINGS

EXCHANGE = "firstline.events"
DEAD_EXCHANGE = "firstline.dead"
DELIVERY_LIMIT = 20
"""How often an event may come back to its queue before it counts as dead; the services' logs still have it."""

_log = structlog.get_logger(__name__)


def queue_of(service: str) -> str:
    """Return the name of the queue from which a service takes its events."""
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
        await _declare_queue(connection, dead_queue_of(service), {})
        await _declare_queue(connection, queue_of(service), _arguments(service))
        await _bind(connection, service, prefixes)


def _arguments(service: str) -> dict[str, str | int]:
    """Return what makes a queue keep an event until it is taken, or safely among the dead letters."""
    return {
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
            await channel.declare_queue(name, durable=True, arguments={"x-queue-type": "quorum", **arguments})
    except ChannelPreconditionFailed as error:  # it still carries events
        _log.error(
            "a queue has other arguments than it should; delete it, it comes back", queue=name, reason=str(error)
        )


async def _bind(connection: AbstractConnection, service: str, prefixes: tuple[str, ...]) -> None:
    async with connection.channel(publisher_confirms=False) as channel:
        dead = await channel.get_queue(dead_queue_of(service), ensure=False)
        await dead.bind(DEAD_EXCHANGE, service)
        queue = await channel.get_queue(queue_of(service), ensure=False)
        for prefix in prefixes:
            await queue.bind(EXCHANGE, f"{prefix}.#")

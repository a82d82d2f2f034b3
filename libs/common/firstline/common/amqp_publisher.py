"""Publishes events to the broker, in batches, and is done with a batch when the broker has confirmed all of it."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog
from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractConnection, AbstractExchange, HeadersType
from aio_pika.exceptions import DeliveryError, PublishError

from firstline.common.amqp_line import Drop, reason_of, within
from firstline.common.amqp_topology import EXCHANGE, PARTITION, declare, partition_of
from firstline.common.bus import BINDINGS, BusDown
from firstline.common.envelope import prefix_of
from firstline.common.ports import Ports

PUBLISH_SECONDS = 10.0
"""For a whole batch, until the broker has confirmed the last of its events."""

RETURNS = 3
"""How often events are published that find no queue; then the pull brings them."""

BOUND = frozenset(prefix for prefixes in BINDINGS.values() for prefix in prefixes)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An event as the broker takes it; `bound` says that some queue must get it."""

    type: str
    bound: bool
    message: Message


@dataclass(frozen=True, slots=True)
class _Use:
    """A connection at hand, and the exchange on a channel that confirms."""

    connection: AbstractConnection
    exchange: AbstractExchange
    drop: Drop


class Publisher:
    """Publishes on one connection after the other."""

    def __init__(
        self,
        ports: Ports,
        *,
        deadline: float = PUBLISH_SECONDS,
        redeclare: Callable[[AbstractConnection], Awaitable[None]] = declare,
    ) -> None:
        """Take the ports, how many seconds a batch may take, and what brings a missing queue back."""
        self.published = 0
        self.returned = 0
        self._ports = ports
        self._deadline = deadline
        self._redeclare = redeclare
        self._use: _Use | None = None

    async def begin(self, connection: AbstractConnection, drop: Drop) -> None:
        """Publish on a new connection from now on; `drop` it when it fails."""
        channel = connection.channel(publisher_confirms=True, on_return_raises=True)
        await channel.initialize()
        channel.close_callbacks.add(lambda _, error: drop(reason_of(error) if error else "a channel was closed"))
        self._use = _Use(connection, await channel.get_exchange(EXCHANGE, ensure=False), drop)

    async def end(self) -> None:
        """Refuse what is published from now on."""
        self._use = None

    async def publish(self, envelopes: Sequence[bytes]) -> None:
        """Publish events in order; return when each is confirmed, or has found no queue too often.

        Raises:
            BusDown: there is no connection, or not all events were confirmed in time.

        An event without a queue is no failure of the batch: it is in the log, and its consumers pull it.
        """
        use = self._use
        if use is None:
            raise BusDown("There is no connection to the broker.")
        batch = [outgoing for text in envelopes if (outgoing := _outgoing(text))]
        try:
            await within(self._deadline, self._publish(use, batch), self._ports, "publishing")
        except DeliveryError as error:
            raise BusDown("The broker refused events.") from error
        except Exception as error:
            self._give_up(use, reason_of(error))
            raise BusDown(f"The broker did not confirm: {reason_of(error)}") from error

    def _give_up(self, use: _Use, reason: str) -> None:
        """Use a connection no more, from this very moment, so that nobody else waits for it."""
        if self._use is use:
            self._use = None
        use.drop(reason)

    async def _publish(self, use: _Use, batch: Sequence[Outgoing]) -> None:
        """Send a batch until every event lies in a queue; after a few attempts leave the rest to be pulled."""
        left = await self._send(use.exchange, batch)
        for _ in range(RETURNS - 1):
            if not left:
                return
            # A queue that somebody deleted is made anew before the second attempt.
            await self._redeclare(use.connection)
            left = await self._send(use.exchange, left)
        if left:
            _log.warning("events found no queue; consumers pull them", events=len(left), first_type=left[0].type)

    async def _send(self, exchange: AbstractExchange, batch: Sequence[Outgoing]) -> list[Outgoing]:
        """Publish events, in an order that the driver keeps, and return those that found no queue."""
        # All at once and then waited for: waiting after each event would cost a round trip each.
        sent = [exchange.publish(one.message, one.type, mandatory=one.bound) for one in batch]
        results = await asyncio.gather(*sent, return_exceptions=True)
        failed = [result for result in results if isinstance(result, BaseException)]
        returned = [one for one, result in zip(batch, results, strict=True) if isinstance(result, PublishError)]
        self.published += len(batch) - len(failed)
        self.returned += len(returned)
        # Of several errors the first stands for all; each of the batch is published again, or pulled, in any case.
        for error in failed:
            if not isinstance(error, PublishError):
                raise error
        return returned


def _outgoing(text: bytes) -> Outgoing | None:
    """Return an event as a message; None, and a line in the log, for what is no event."""
    try:
        event = json.loads(text)
        event_type, traceparent = str(event["type"]), event.get("traceparent")
        headers: HeadersType = {PARTITION: str(partition_of(event["stream"]))}
        message = Message(
            text,
            content_type="application/cloudevents+json",
            delivery_mode=DeliveryMode.PERSISTENT,
            message_id=str(event["id"]),
            headers=headers | ({"traceparent": str(traceparent)} if traceparent else {}),
        )
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        _log.error("not an event; it is not published", reason=reason_of(error))
        return None
    return Outgoing(event_type, prefix_of(event_type) in BOUND, message)

"""The bus between processes: RabbitMQ.

Events go out and come in over two connections, because a broker that is short of memory stops reading from those that
publish, and must not stop those that take events away.
"""

import asyncio
import logging
from collections.abc import Sequence

from aio_pika.abc import AbstractConnection

from firstline.common.amqp_consumer import Consumer
from firstline.common.amqp_line import Drop, Line, Outages
from firstline.common.amqp_publisher import PUBLISH_SECONDS, Publisher
from firstline.common.amqp_topology import declare
from firstline.common.bus import Receive
from firstline.common.ports import Ports

DRIVERS = ("aio_pika", "aiormq")


class AmqpBus:
    """Carries events over RabbitMQ, and finds it again whenever it was away."""

    def __init__(self, url: str, ports: Ports, *, name: str, deadline: float = PUBLISH_SECONDS) -> None:
        """Take the broker's address, a name that it shows for this process, and seconds that a publish may take."""
        outages = Outages()
        self._ports = ports
        self._publisher = Publisher(ports, deadline=deadline)
        self._consumers: list[Consumer] = []
        self._out = Line(url, f"{name}: out", ports, outages, begin=self._begin_out, end=self._publisher.end)
        self._in = Line(url, f"{name}: in", ports, outages, begin=self._begin_in, end=self._end_in)
        self._runs = False

    def subscribe(self, service: str, receive: Receive) -> None:
        """Push events to a service, by its row in BINDINGS; only before `start`."""
        if self._runs:
            raise RuntimeError("subscribe before the bus is started")
        self._consumers.append(Consumer(service, receive, self._ports))

    async def start(self) -> None:
        """Connect in the background, and deliver to the subscribers from then on."""
        if self._runs:
            return
        self._runs = True
        for driver in DRIVERS:  # they complain of each attempt to connect; the lines say the same once per outage
            logging.getLogger(driver).setLevel(logging.CRITICAL)
        self._out.start()
        if self._consumers:
            self._in.start()

    async def stop(self) -> None:
        """Stop delivering, let the batches at hand finish, and disconnect."""
        # In first: what that work still publishes must have a way out.
        await self._in.stop()
        await self._out.stop()
        self._runs = False

    async def publish(self, envelopes: Sequence[bytes]) -> None:
        """Hand over events in the order given; return once the broker has confirmed them all.

        Events that no queue takes, although the topology says so, are left to the pull.

        Raises:
            BusDown: there is no connection, or not all events were confirmed in time.

        """
        await self._publisher.publish(envelopes)

    @property
    def connected(self) -> bool:
        """Whether events can be published, and are delivered to the subscribers."""
        return self._out.is_up and (self._in.is_up or not self._consumers)

    @property
    def published(self) -> int:
        """How many events the broker has confirmed since this process began."""
        return self._publisher.published

    @property
    def returned(self) -> int:
        """How often an event came back because no queue took it."""
        return self._publisher.returned

    @property
    def redelivered(self) -> int:
        """How many batches had to be handed over once more."""
        return sum(consumer.redelivered for consumer in self._consumers)

    async def _begin_out(self, connection: AbstractConnection, drop: Drop) -> None:
        """Declare everything, and publish on a new connection."""
        # At each connection anew: a broker that lost its disk, or was replaced, has nothing of ours.
        await declare(connection)
        await self._publisher.begin(connection, drop)

    async def _begin_in(self, connection: AbstractConnection, drop: Drop) -> None:
        """Declare everything, and consume on a new connection."""
        await declare(connection)
        for consumer in self._consumers:
            await consumer.begin(connection, drop)

    async def _end_in(self) -> None:
        """End all consumers."""
        await asyncio.gather(*(consumer.end() for consumer in self._consumers))

"""Takes one service's events off its queues, in batches, and hands them to the service.

An event is acknowledged after the service has recorded it. So it may come twice, and is never lost on the way.

Each replica stands in line at every queue; the broker gives a queue's events to the first in line, and to the next when
that one is gone. Who is the first at more queues than its share steps back to the end of some lines.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Protocol

import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection
from pydantic import ValidationError

from firstline.common.amqp_line import Drop, reason_of, within
from firstline.common.amqp_topology import PARTITIONS, queue_of, roll_of
from firstline.common.bus import Receive
from firstline.common.envelope import Envelope
from firstline.common.errors import Unavailable
from firstline.common.ports import Ports

BATCH = 200
PREFETCH = 100
"""How many events of a queue the broker sends ahead: the next batch is there when one is done."""

SETTLE_SECONDS = 5.0
SHARE_SECONDS = 2.0
"""How often a replica looks whether it takes more than its share."""

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
"""Seconds between attempts to hand over what the service could not take."""

REMEMBERED = 1000
"""Of how many events it is remembered that their refusal has been logged."""

_log = structlog.get_logger(__name__)


class Delivered(Protocol):
    """What the driver brings: bytes, and the number by which they are acknowledged."""

    @property
    def body(self) -> bytes:
        """The event's JSON, or whatever somebody put there."""

    @property
    def delivery_tag(self) -> int | None:
        """The number, on the channel that brought it."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event that is to be handed over and acknowledged."""

    tag: int
    event: Envelope


class Consumer:
    """Hands the events of a service's queues to it; works on one connection after the other."""

    def __init__(self, service: str, receive: Receive, ports: Ports) -> None:
        self.redelivered = 0
        self._service = service
        self._receive = receive
        self._ports = ports
        self._turn = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self._waits = False
        self._failures = 0
        self._complained: set[str] = set()

    async def begin(self, connection: AbstractConnection, drop: Drop) -> None:
        """Begin to take events from a new connection; `drop` it when the broker ends the delivery."""
        channel = connection.channel(publisher_confirms=False)
        await channel.initialize()
        await channel.set_qos(prefetch_count=PREFETCH)
        driver = await channel.get_underlay_channel()
        driver.on_consumer_cancel_callbacks.add(lambda _: drop(f"a queue of {self._service} is gone"))
        channel.close_callbacks.add(lambda _, error: drop(reason_of(error) if error else "a channel was closed"))
        waiting = _Waiting()
        lines = [_InLine(queue_of(self._service, partition), channel, waiting) for partition in range(PARTITIONS)]
        self._spawn(lambda: self._run(channel, waiting), "events in", drop)
        for line in lines:
            await line.stand()
        # On the roll only after standing in line everywhere: others give up queues for whoever is counted.
        await driver.basic_consume(roll_of(self._service), waiting.add)
        self._spawn(lambda: self._share(channel, lines), "shares", drop)

    def _spawn(self, work: Callable[[], Awaitable[None]], name: str, drop: Drop) -> None:
        """Start a work of this connection; its error drops the connection."""

        async def run() -> None:
            try:
                await work()
            except Exception as error:
                drop(reason_of(error))

        self._tasks.append(self._ports.spawn(run(), name=f"{self._service}: {name}"))

    async def end(self) -> None:
        """Let the batch at hand finish; what was not handed over yet goes back to its queue with the connection."""
        async with self._turn:
            for task in self._tasks:
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    async def _share(self, channel: AbstractChannel, lines: "Sequence[_InLine]") -> None:
        """Leave queues to other replicas where this one takes more than its share, for as long as the channel lasts.

        Only queues that brought something are counted: where several replicas stand in a line, none can see who is the
        first, but the first alone gets events. A queue that is quiet costs nobody anything.
        """
        while True:
            await self._ports.clock.sleep(SHARE_SECONDS)
            work = channel.declare_queue(roll_of(self._service), passive=True)
            counted = await within(SETTLE_SECONDS, work, self._ports, f"{self._service}: counting replicas")
            # Rounded up, so that together the replicas may hold all queues; one queue too many here is no harm, a queue
            # that nobody may hold would be.
            share = ceil(PARTITIONS / (counted.declaration_result.consumer_count or 1))
            for line in [line for line in lines if line.brought][share:]:
                await within(SETTLE_SECONDS, line.step_back(), self._ports, f"{self._service}: stepping back")
            for line in lines:
                line.brought = False

    async def _run(self, channel: AbstractChannel, waiting: "_Waiting") -> None:
        """Hand over what waits, batch after batch, until cancelled."""
        while True:
            batch = await self._readable(channel, await waiting.batch())
            if batch:
                await self._settle(channel, batch)

    async def _readable(self, channel: AbstractChannel, batch: Sequence[Delivered]) -> list[Arrival]:
        """Return the events of a batch; what is none goes to the dead letters at once."""
        arrivals = []
        for delivered in batch:
            tag = delivered.delivery_tag or 0
            try:
                arrivals.append(Arrival(tag, Envelope.model_validate_json(delivered.body)))
            except ValidationError as error:
                _log.error("not an event; it is among the dead letters", consumer=self._service, reason=_told(error))
                # It would be as unreadable the next time; back in the queue it would only come again, ahead of others.
                await self._reject(channel, tag, requeue=False)
        return arrivals

    async def _settle(self, channel: AbstractChannel, batch: Sequence[Arrival]) -> None:
        """Hand over a batch; where the service refuses it, each event alone, so that one holds up no other.

        The inbox parks what its handlers refuse; what is refused here is a failure of the inbox itself.
        """
        error = await self._hand_over(channel, batch)
        if error is None:
            self._failures = 0
            return
        if len(batch) == 1:
            self._complain(batch[0].event, error)
            await self._return(channel, batch)
        elif refused := [one for one in batch if await self._refused(channel, one)]:
            await self._return(channel, refused)

    async def _refused(self, channel: AbstractChannel, one: Arrival) -> bool:
        """Say whether an event can't be taken by itself, and complain of it."""
        error = await self._hand_over(channel, [one])
        if error is not None:
            self._complain(one.event, error)
        return error is not None

    async def _hand_over(self, channel: AbstractChannel, batch: Sequence[Arrival]) -> Exception | None:
        """Hand events over, again and again while the service's store is out of reach; return why it refused them."""
        pause = FIRST_PAUSE
        while True:
            async with self._turn:
                try:
                    await self._receive([arrival.event for arrival in batch])
                except Unavailable as error:
                    self._say_waiting(error)
                except Exception as error:
                    return error
                else:
                    self._waits = False
                    # After the inbox's commit. The other order would lose the batch if the process died in between.
                    await self._acknowledge(channel, batch)
                    return None
            # Outside of the turn, so that `end` needn't wait for a store that stays away.
            self.redelivered += 1
            await self._ports.clock.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def _say_waiting(self, error: Unavailable) -> None:
        """Say once that events wait for the store."""
        if not self._waits:
            _log.warning("events wait: the service can't take them now", consumer=self._service, reason=str(error))
        self._waits = True

    def _complain(self, event: Envelope, error: Exception) -> None:
        """Say once of each event that the service refused it."""
        if event.id in self._complained:
            return
        if len(self._complained) >= REMEMBERED:
            self._complained.clear()
        self._complained.add(event.id)
        _log.error(
            "the service refused an event; it is tried again, and then dead",
            consumer=self._service,
            event_id=event.id,
            event_type=event.type,
            exc_info=error,
        )

    async def _return(self, channel: AbstractChannel, batch: Sequence[Arrival]) -> None:
        """Give events back to the queue after a pause that grows with failures; the broker counts, and gives up."""
        self.redelivered += 1
        await self._ports.clock.sleep(min(FIRST_PAUSE * 2**self._failures, LONGEST_PAUSE))
        self._failures = min(self._failures + 1, 10)
        for arrival in batch:
            await self._reject(channel, arrival.tag, requeue=True)

    async def _acknowledge(self, channel: AbstractChannel, batch: Sequence[Arrival]) -> None:
        """Tell the broker that events are recorded; of a batch, all up to its last, since earlier ones are settled."""
        driver = await channel.get_underlay_channel()
        work = driver.basic_ack(batch[-1].tag, multiple=len(batch) > 1)
        await within(SETTLE_SECONDS, work, self._ports, f"{self._service}: acknowledging")

    async def _reject(self, channel: AbstractChannel, tag: int, *, requeue: bool) -> None:
        """Give a delivery back to the broker: to its queue, or to that of what can't be read."""
        driver = await channel.get_underlay_channel()
        work = driver.basic_reject(tag, requeue=requeue)
        await within(SETTLE_SECONDS, work, self._ports, f"{self._service}: rejecting")


class _InLine:
    """A place in the line at one queue."""

    def __init__(self, queue: str, channel: AbstractChannel, waiting: "_Waiting") -> None:
        self.brought = False
        """Whether events came from the queue of late."""

        self._queue = queue
        self._channel = channel
        self._waiting = waiting
        self._tag = ""

    async def stand(self) -> None:
        """Stand in line, behind all who are there."""
        driver = await self._channel.get_underlay_channel()
        self._tag = (await driver.basic_consume(self._queue, self._add)).consumer_tag or ""

    async def step_back(self) -> None:
        """Go to the end of the line; what the broker has sent already stays with us.

        Events in our hands and those that the next in line gets may be of one stream; the inbox puts them in order, as
        whenever replicas come or go (ADR 11).
        """
        driver = await self._channel.get_underlay_channel()
        await driver.basic_cancel(self._tag)
        await self.stand()

    async def _add(self, delivered: Delivered) -> None:
        """Note that something came, and keep it in its turn."""
        self.brought = True
        await self._waiting.add(delivered)


class _Waiting:
    """What the broker has sent and nobody has handed over yet."""

    def __init__(self) -> None:
        self._queue: deque[Delivered] = deque()
        self._some = asyncio.Event()

    async def add(self, delivered: Delivered) -> None:
        """Take in the next one; the driver calls this in the order of delivery."""
        self._queue.append(delivered)
        self._some.set()

    async def batch(self) -> list[Delivered]:
        """Return what is there, up to a batch; wait only while nothing is."""
        await self._some.wait()
        batch = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
        if not self._queue:
            self._some.clear()
        return batch


def _told(error: ValidationError) -> str:
    """Return what is wrong with an event, without its content."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}".removeprefix(": ")

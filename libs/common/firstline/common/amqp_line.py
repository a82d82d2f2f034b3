"""A connection to the broker that is made again whenever it is lost, with a deadline on everything that waits for it.

The driver's own reconnecting ("robust") connection lets a publish wait until the broker is back, for however long; and
its calls may ignore being cancelled while the broker does not read. So each call here is left behind when it is late.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

import aio_pika
import structlog
from aio_pika.abc import AbstractConnection
from aio_pika.connection import make_url

from firstline.common.ports import Ports

CONNECT_SECONDS = 5.0
PREPARE_SECONDS = 15.0
"""For declaring the topology and opening channels, also on a broker that has just come up with all its queues."""

CLOSE_SECONDS = 2.0
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 3.0
"""Seconds between attempts to connect."""

STEADY_SECONDS = 30.0
"""A connection that held that long is tried again at once; one that fails sooner is tried ever more slowly."""

HEARTBEAT_SECONDS = 10

T = TypeVar("T")
Drop = Callable[[str], None]
"""Gives up a connection for a reason that is logged; nothing happens when it has ended already."""

Begin = Callable[[AbstractConnection, Drop], Awaitable[None]]
End = Callable[[], Awaitable[None]]

_log = structlog.get_logger(__name__)


async def within(seconds: float, work: Awaitable[T], ports: Ports, name: str) -> T:
    """Return what the work returns, or leave it behind once it is late.

    Raises:
        TimeoutError: it was late.
        ConnectionResetError: the driver cancelled it, because its connection ended.

    """
    results: list[T] = []

    async def keep() -> None:
        results.append(await work)

    task = ports.spawn(keep(), name=name)
    task.add_done_callback(_look_at)
    try:
        await asyncio.wait([task], timeout=seconds)
        if not task.done():
            raise TimeoutError(f"{name}: no answer within {seconds:g} seconds")
    finally:
        # Not awaited: the driver may swallow the cancellation for as long as the broker does not read.
        task.cancel()
    if task.cancelled():
        raise ConnectionResetError(f"{name}: the connection ended")
    task.result()
    return results[0]


def _look_at(task: "asyncio.Task[None]") -> None:
    """Take note of how a task ended, lest the loop complains of one that was left behind."""
    if not task.cancelled():
        task.exception()


def reason_of(error: BaseException) -> str:
    """Return why something failed, for a log line."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


class Outages:
    """Says once that the bus is lost, and once that all its lines are back."""

    def __init__(self) -> None:
        self._down: set[str] = set()

    def lost(self, line: str, reason: str) -> None:
        """Note that a line is down."""
        if not self._down:
            _log.warning("bus lost", line=line, reason=reason)
        self._down.add(line)

    def back(self, line: str) -> None:
        """Note that a line is up."""
        if line in self._down:
            self._down.remove(line)
            if not self._down:
                _log.info("bus is back")


class Line:
    """One connection to the broker, whenever there is one."""

    def __init__(self, url: str, name: str, ports: Ports, outages: Outages, *, begin: Begin, end: End) -> None:
        """Describe the line.

        Args:
            url: of the broker, `amqp://` or `amqps://`; may carry the driver's parameters.
            name: shown by the broker, and in logs.
            ports: time and tasks.
            outages: is told when the line is lost and back.
            begin: makes use of a new connection; the line is up when it returns.
            end: ends that use; called even when `begin` failed half-way, and perhaps again.

        """
        address = make_url(url)
        heartbeat = int(address.query.get("heartbeat", HEARTBEAT_SECONDS))
        self._url = make_url(address, name=name, heartbeat=heartbeat)
        self._name = name
        self._ports = ports
        self._outages = outages
        self._begin, self._end = begin, end
        self._task: asyncio.Task[None] | None = None
        self.is_up = False

    def start(self) -> None:
        """Begin to connect, in the background and for ever."""
        self._task = self._ports.spawn(self._run(), name=self._name)

    async def stop(self) -> None:
        """End the use of the connection, and the connection."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            await self._end()  # once more: it may have been cancelled while the connection was being given up
        self._task = None

    async def _run(self) -> None:
        """Keep up one connection after the other."""
        clock, pause = self._ports.clock, FIRST_PAUSE
        while True:
            began = clock.monotonic()
            reason = await self._one_connection()
            self._outages.lost(self._name, reason)
            # Only a connection that held earns a quick start: a broker that drops each client at once would otherwise
            # be called five times a second by every process.
            pause = FIRST_PAUSE if clock.monotonic() - began > STEADY_SECONDS else pause
            await clock.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _one_connection(self) -> str:
        """Connect, and stay connected for as long as it goes; return why it did not."""
        wire, loss = _Wire(), _Loss()
        connection = aio_pika.Connection(self._url)
        # The only way to the socket itself, which has to be cut where the driver would wait.
        connection.kwargs["transport_factory"] = wire
        connection.close_callbacks.add(loss.closed)
        try:
            await self._within(CONNECT_SECONDS, connection.connect(), "connecting")
            await self._within(PREPARE_SECONDS, self._begin(connection, loss.drop), "preparing")
            self._come_up(loss)
            return await loss.reason
        except Exception as error:
            return reason_of(error)
        finally:
            self.is_up = False
            try:
                await self._end()
                with suppress(Exception):
                    await self._within(CLOSE_SECONDS, connection.close(), "closing")
            finally:
                wire.cut()

    def _come_up(self, loss: "_Loss") -> None:
        """Say that the line is up, unless it has ended already."""
        # The connection may have been lost while it was being prepared.
        if not loss.reason.done():
            self.is_up = True
            self._outages.back(self._name)

    async def _within(self, seconds: float, work: Awaitable[T], what: str) -> T:
        """Do a work within seconds, or raise Unavailable with the line's name."""
        return await within(seconds, work, self._ports, f"{self._name}: {what}")


class _Wire:
    """The socket of one connection. The driver itself waits for ever until a broker has read what was sent before."""

    def __init__(self) -> None:
        self._writer: asyncio.StreamWriter | None = None

    async def create(
        self, url: Any, *, ssl_context_provider: Any, **options: Any
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open the socket; the driver calls this, with its own kinds of address and TLS settings."""
        tls = await ssl_context_provider.get_context() if url.scheme == "amqps" else None
        reader, self._writer = await asyncio.open_connection(url.host, url.port, ssl=tls, **options)
        return reader, self._writer

    def cut(self) -> None:
        """End the connection at once, whatever has not been sent."""
        if self._writer is not None:
            self._writer.transport.abort()


class _Loss:
    """The end of one connection, and why it came."""

    def __init__(self) -> None:
        self.reason: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def drop(self, reason: str) -> None:
        """Give up the connection, because it does not do what it should."""
        if not self.reason.done():
            self.reason.set_result(reason)

    def closed(self, _: AbstractConnection | None, error: BaseException | None) -> None:
        """Note that the broker, or the way to it, has ended the connection."""
        self.drop(reason_of(error) if error else "the connection was closed")

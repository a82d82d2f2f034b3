"""Telling other processes that something was committed: one NOTIFY for all that was announced meanwhile.

It goes over a connection of its own after the commit, not within the transaction, where PostgreSQL makes all commits
that notify wait for one lock (ADR 7). A notice that is lost costs time, not work: whoever listens also looks by itself
every few seconds.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import asyncpg
import structlog

from firstline.common.ports import Ports

CHANNEL = "firstline"
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 5.0
CONNECT_SECONDS = 5.0

_log = structlog.get_logger(__name__)


class Notices:
    """Listeners of this process, and the connection by which they hear of other processes' commits.

    `announce` never waits for the database. The set of channels can't grow beyond the few there are, so a database that
    is away for a day leaves nothing behind that would have to be worked off.
    """

    def __init__(self, url: str | None, ports: Ports) -> None:
        """Describe the connection; with `url` None only this process's own commits are heard of."""
        self._url = url
        self._ports = ports
        self._origin = ports.ids.new()
        self._listeners: dict[str, list[asyncio.Event]] = {}
        self._to_tell: set[str] = set()
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Connect in the background."""
        if self._url is not None:
            self._task = self._ports.spawn(self._run(self._url), name="store: notices")

    async def stop(self) -> None:
        """Disconnect."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def listen(self, channel: str) -> asyncio.Event:
        """Return an event that is set when the channel is announced."""
        event = asyncio.Event()
        self._listeners.setdefault(channel, []).append(event)
        return event

    def announce(self, channels: Iterable[str]) -> None:
        """Wake this process's listeners now, and other processes' with the next notice."""
        channels = set(channels)
        if channels:
            self._wake(channels)
            self._to_tell |= channels
            self._news.set()

    def _wake(self, channels: Iterable[str]) -> None:
        """Wake the listeners of channels in this process."""
        for channel in channels:
            for event in self._listeners.get(channel, ()):
                event.set()

    async def _run(self, url: str) -> None:
        """Hear the database's notices, on a new connection each time one breaks."""
        pause = FIRST_PAUSE
        while True:
            try:
                connection = await asyncpg.connect(url, timeout=CONNECT_SECONDS, command_timeout=CONNECT_SECONDS)
            except Exception:  # of any kind: whoever listens polls meanwhile, and nobody would start this again
                await self._ports.clock.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
                continue
            pause = FIRST_PAUSE
            try:
                await self._serve(connection)
            except Exception as error:
                _log.warning("the database's notices are lost and sought again", reason=type(error).__name__)
                await self._ports.clock.sleep(pause)
            finally:
                connection.terminate()

    async def _serve(self, connection: Any) -> None:
        """Hear and tell until the connection ends."""
        connection.add_termination_listener(lambda _: self._news.set())
        await connection.add_listener(CHANNEL, self._hear)
        # After LISTEN and not before: between looking and listening nothing may be announced unheard.
        self._wake(list(self._listeners))  # whatever was announced while nobody listened
        while not connection.is_closed():
            await self._news.wait()
            self._news.clear()
            # Taken before it is sent: what is announced during the exchange belongs to the next notice. If the
            # connection breaks now, these channels are told to nobody, and the others' polling finds the work.
            told, self._to_tell = self._to_tell, set()
            if told and not connection.is_closed():
                payload = " ".join([self._origin, *sorted(told)])
                await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, payload)

    def _hear(self, _connection: Any, _pid: int, _channel: str, payload: str) -> None:
        """Take one notice."""
        # Anybody who may connect can notify on this channel; what is not ours is passed over.
        with suppress(ValueError):
            origin, *channels = payload.split(" ")
            if origin != self._origin:
                self._wake(channels)

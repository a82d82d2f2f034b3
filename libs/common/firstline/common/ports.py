"""Ports for what the outside world gives a process: time, randomness, ids, tasks and threads.

Product code takes them as arguments and never reads the wall clock or the random source itself, so that the whole
desk runs under a manual clock, or inside a simulator.
"""

import asyncio
import os
import secrets
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

import uuid_utils.compat

T = TypeVar("T")
FAILED_STATUS = 70
"""The exit status of a process that a failpoint has ended."""


class Clock(Protocol):
    """Product time (which tests and demos may move) and real durations.

    Two times, because they answer two questions: due dates and receipts are product time, back-off and time-outs are
    real. Under a manual clock the first stands still and the second must not.
    """

    def now(self) -> datetime:
        """Return the present instant of product time, aware UTC."""

    def monotonic(self) -> float:
        """Return seconds of a clock that never jumps; only differences mean anything."""

    async def sleep(self, seconds: float) -> None:
        """Wait that many real seconds: back-off, polling, time-outs."""

    async def until(self, instant: datetime) -> None:
        """Wait until product time has reached the instant."""


class Random(Protocol):
    """Unpredictable bytes."""

    def bytes(self, count: int) -> bytes:
        """Return that many random bytes, fit for secrets."""


class Ids(Protocol):
    """New identifiers."""

    def new(self) -> str:
        """Return a UUIDv7 as 36 characters of text."""


class Spawn(Protocol):
    """Starts a task that lives beside its caller."""

    def __call__(self, work: Coroutine[Any, Any, None], *, name: str) -> "asyncio.Task[None]":
        """Start `work`; the caller keeps the task and cancels it at the end of its own life."""


class Offload(Protocol):
    """Runs blocking work (an fsync, an image check) away from the event loop.

    A port as well, for a simulator lets no thread run.
    """

    async def __call__(self, work: Callable[[], T]) -> T:
        """Return what `work` returns, or raise what it raises."""


Reached = Callable[[str], None]
"""Told that a process has come to a place where a crash would matter most: after an effect, before its record."""


class SystemClock:
    """Time of the machine."""

    def now(self) -> datetime:
        """Return the machine's time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return the machine's monotonic time in seconds."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait that many seconds."""
        await asyncio.sleep(seconds)

    async def until(self, instant: datetime) -> None:
        """Wait until the instant, reading the wall clock again at least each minute because it may be set."""
        while (left := (instant - self.now()).total_seconds()) > 0:
            await asyncio.sleep(min(left, 60))


class ManualClock:
    """Product time that stands still until somebody moves it; real durations go on."""

    def __init__(self, start: datetime) -> None:
        self._now = start
        self._moved = asyncio.Event()

    def now(self) -> datetime:
        """Return the instant that was set last."""
        return self._now

    def move(self, instant: datetime) -> None:
        """Set product time and wake whoever waits for it."""
        self._now = instant
        # A new event each time: whoever waits on the old one wakes exactly once, and nobody has to clear it.
        self._moved.set()
        self._moved = asyncio.Event()

    def monotonic(self) -> float:
        """Return the machine's monotonic time in seconds."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait that many real seconds."""
        await asyncio.sleep(seconds)

    async def until(self, instant: datetime) -> None:
        """Wait until somebody has moved product time to the instant."""
        while self._now < instant:
            await self._moved.wait()


class SystemRandom:
    """The operating system's random source."""

    def bytes(self, count: int) -> bytes:
        """Return random bytes."""
        return secrets.token_bytes(count)


class SystemIds:
    """UUIDv7 from the machine's time and random source.

    Version 7 begins with the time (RFC 9562), so keys of new rows lie side by side in an index; its 74 random bits are
    not for secrets.
    """

    def new(self) -> str:
        """Return a new UUIDv7 as text."""
        return str(uuid_utils.compat.uuid7())


def spawn(work: Coroutine[Any, Any, None], *, name: str) -> "asyncio.Task[None]":
    """Start a task in the running loop."""
    return asyncio.create_task(work, name=name)


async def offload(work: Callable[[], T]) -> T:
    """Run blocking work in a thread of the default pool."""
    return await asyncio.to_thread(work)


def nobody_cares(_place: str) -> None:
    """Go on: places are of interest to tests only."""


class Failpoint:
    """Ends the process, as a kill would, when it comes to a place for the n-th time.

    Without any clean-up, as at a power cut: `finally` and buffers don't count. The process tests place it between an
    effect and its record, and look whether a promise holds after the next start.
    """

    def __init__(self, place: str, times: int = 1, end: Callable[[int], object] = os._exit) -> None:
        """Name the place, which time counts, and what ends the process with an exit status."""
        self._place = place
        self._left = times
        self._end = end

    def __call__(self, place: str) -> None:
        """End the process if this is the place and the time."""
        if place == self._place:
            self._left -= 1
            if self._left == 0:
                self._end(FAILED_STATUS)


def failpoint(setting: str) -> Reached:
    """Return what a setting asks for: nothing, or an end at `place` or at `place:times`."""
    place, _, times = setting.partition(":")
    return Failpoint(place, int(times or 1)) if place else nobody_cares


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports that every service takes, in one bundle."""

    clock: Clock
    random: Random
    ids: Ids
    spawn: Spawn
    offload: Offload
    reached: Reached = nobody_cares


def system_ports(clock: Clock | None = None, fails_at: str = "") -> Ports:
    """Return the machine's own ports, with another clock where one is given, and the setting of a failpoint."""
    return Ports(clock or SystemClock(), SystemRandom(), SystemIds(), spawn, offload, failpoint(fails_at))

"""The world's ports: time that may jump, chance and IDs from the seed, an offload that gives way before and after."""

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime, timedelta
from random import Random
from typing import Any, TypeVar

from firstline.common.mail_out import MailRefused, MailUnreachable
from firstline.common.outbound import Answer, PeerTimeout, PeerUnreachable
from loop import Loop, Owner

T = TypeVar("T")
LOOK_SECONDS = 60.0
"""After this at most whoever waits for an instant looks at the clock again, as the product's own clock does."""


class Times:
    """The machine's clock: virtual time from a start, set forward or back now and then."""

    def __init__(self, loop: Loop, start: datetime) -> None:
        self._loop = loop
        self.start = start
        self.offset = timedelta()
        self._jumped = asyncio.Event()

    def now(self) -> datetime:
        """Return the instant that the machine's clock shows."""
        return self.start + timedelta(microseconds=round(self._loop.time() * 1_000_000)) + self.offset

    def jump(self, by: timedelta) -> None:
        """Set the clock; sleepers notice within a minute."""
        self.offset += by
        self._jumped.set()
        self._jumped = asyncio.Event()

    def monotonic(self) -> float:
        """Return virtual seconds."""
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        """Wait that many virtual seconds."""
        await asyncio.sleep(seconds)

    async def until(self, instant: datetime) -> None:
        """Wait until the clock shows the instant; a jump is noticed after at most a minute."""
        while (left := (instant - self.now()).total_seconds()) > 0:
            jumped = self._jumped
            try:
                async with asyncio.timeout(left):
                    await jumped.wait()
            except TimeoutError:
                continue
            left = (instant - self.now()).total_seconds()
            await asyncio.sleep(min(max(left, 0), LOOK_SECONDS))


class Chance:
    """Bytes from a stream of the seed."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def bytes(self, count: int) -> bytes:
        """Return that many bytes."""
        return self._random.randbytes(count)


class Numbers:
    """UUIDv7 from the world's time, a count and the seed."""

    def __init__(self, times: Times, random: Random) -> None:
        self._times = times
        self._random = random
        self._count = 0

    def new(self) -> str:
        """Return a new ID, later than all before as long as the clock isn't set back."""
        self._count += 1
        stamp = int(self._times.now().timestamp() * 1000)
        tail = 0x8000000000000000 | self._random.getrandbits(62)
        digits = f"{stamp:012x}7{self._count & 0xFFF:03x}{tail:016x}"
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def spawn(work: Coroutine[Any, Any, None], *, name: str) -> "asyncio.Task[None]":
    """Start a task; it belongs to whoever starts it."""
    return asyncio.get_running_loop().create_task(work, name=name)


class Disk:
    """Where stores and files lie: it may be slow, full or broken."""

    def __init__(self, chance: Random, told: Callable[[str, Owner | None], None]) -> None:
        self._chance = chance
        self._told = told
        self.full = False
        self.errors = 0.0
        self.slow = 0.0
        """Whether it is full, the share of commits that fail, the share of operations that take up to two seconds."""

    async def run(self, owner: Owner, work: Callable[[], T]) -> T:
        """Do blocking work, with a place to be killed before it and one after it."""
        await asyncio.sleep(0)
        if self._chance.random() < self.slow:
            self._told("disk slow", None)
            await asyncio.sleep(self._chance.random() * 2)
        commits = getattr(work, "__name__", "") == "commit"
        self._fail(commits=commits)
        result = work()
        self._told("commit" if commits else "file", owner)
        await asyncio.sleep(0)
        return result

    def _fail(self, *, commits: bool) -> None:
        if self.full and not commits:
            self._told("disk full", None)
            raise OSError(28, "No space left on device")
        if self.full or (commits and self._chance.random() < self.errors):
            self._told("disk full" if self.full else "store error", None)
            raise failed(sqlite3.SQLITE_FULL if self.full else sqlite3.SQLITE_IOERR)


def failed(code: int) -> sqlite3.OperationalError:
    """Return what SQLite raises when the file can't be written."""
    error = sqlite3.OperationalError("database or disk is full" if code == sqlite3.SQLITE_FULL else "disk I/O error")
    error.sqlite_errorcode = code
    return error


class Offloading:
    """The offload port of one process."""

    def __init__(self, disk: Disk, owner: Owner) -> None:
        self._disk = disk
        self._owner = owner

    async def __call__(self, work: Callable[[], T]) -> T:
        """Return what `work` returns, or raise what it raises."""
        return await self._disk.run(self._owner, work)


class Post:
    """The mail servers outside: what they took, and how they behave."""

    def __init__(self, chance: Random, told: Callable[[str, Owner | None], None]) -> None:
        self._chance = chance
        self._told = told
        self.refused = 0.0
        self.silent = 0.0
        self.doubtful = 0.0
        self.slow = 0.0
        """Shares of mails refused for the moment, not taken, taken without a word, and taken slowly."""

        self.down = False
        self.unknown: set[str] = set()
        """Addresses that do not exist."""

        self.taken: list[tuple[bytes, str, tuple[str, ...]]] = []
        self.arrived: Callable[[bytes, str, str], None] | None = None

    def take(self, mail: bytes, mail_from: str, to: tuple[str, ...]) -> None:
        """Put a mail into the boxes that it is for."""
        self.taken.append((mail, mail_from, to))
        if self.arrived is not None:
            for address in to:
                self.arrived(mail, mail_from, address)

    async def hand_over(self, owner: Owner, mail: bytes, mail_from: str, to: tuple[str, ...]) -> None:
        """Talk to the mail server as the product's port does."""
        await asyncio.sleep(0.01 + self._chance.random() * 0.1)
        if self.down or self._chance.random() < self.silent:
            self._told("mail server away", None)
            raise MailUnreachable("relay.example could not be reached.")
        if self._chance.random() < self.slow:
            self._told("mail server slow", None)
            await asyncio.sleep(self._chance.random() * 18)
        if self.unknown.intersection(to):
            self._told("mail refused for good", None)
            raise MailRefused(550, "5.1.1 no such mailbox")
        if self._chance.random() < self.refused:
            self._told("mail refused for now", None)
            raise MailRefused(451, "4.7.1 greylisted, try again")
        self.take(mail, mail_from, to)
        self._told("mail taken", owner)
        if self._chance.random() < self.doubtful:
            self._told("mail in doubt", None)
            raise MailUnreachable("relay.example broke off.")
        await asyncio.sleep(0)


class MailWay:
    """The mail port of one process."""

    def __init__(self, post: Post, owner: Owner) -> None:
        self._post = post
        self._owner = owner

    async def discard(self, message_id: str, holds: Callable[[bytes], bool] | None = None) -> bool:
        """Keep nothing, so that nothing is to be removed."""
        return False

    async def send(self, mail: bytes, mail_from: str, to: tuple[str, ...]) -> None:
        """Send a mail; see the product's `MailPort`."""
        await self._post.hand_over(self._owner, mail, mail_from, to)


class Receiver:
    """The webhook receivers outside: what they took, and how they behave."""

    def __init__(self, chance: Random, told: Callable[[str, Owner | None], None]) -> None:
        self._chance = chance
        self._told = told
        self.failing = 0.0
        self.silent = 0.0
        self.doubtful = 0.0
        """Shares of deliveries answered by 500, not answered, and taken without an answer."""

        self.down: set[str] = set()
        self.taken: list[tuple[str, str, bytes, datetime]] = []

    async def answer(self, owner: Owner, url: str, headers: Mapping[str, str], body: bytes, at: datetime) -> Answer:
        """Take a delivery, or not."""
        await asyncio.sleep(0.01 + self._chance.random() * 0.2)
        if url in self.down:
            self._told("receiver down", None)
            raise PeerUnreachable("refused the connection.")
        if self._chance.random() < self.silent:
            self._told("receiver silent", None)
            await asyncio.sleep(15)
            raise PeerTimeout("did not answer within 15 s.")
        if self._chance.random() < self.failing:
            self._told("receiver failing", None)
            return Answer(self._chance.choice([500, 502, 429]), {"retry-after": "60"}, "no")
        self.taken.append((url, headers["webhook-id"], body, at))
        self._told("webhook taken", owner)
        if self._chance.random() < self.doubtful:
            self._told("webhook in doubt", None)
            raise PeerUnreachable("broke off.")
        await asyncio.sleep(0)
        return Answer(200, {}, "ok")


class WebhookWay:
    """The HTTP port of one process."""

    def __init__(self, receiver: Receiver, owner: Owner, times: Times) -> None:
        self._receiver = receiver
        self._owner = owner
        self._times = times

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send a request; see the product's `HttpPort`."""
        return await self._receiver.answer(self._owner, url, headers, body, self._times.now())

"""The parser port: mail is parsed in a limited child process, or in this process for tests and simulation."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from typing import Final, Protocol

from firstline.common.errors import Unavailable
from firstline.common.ports import Clock, Spawn
from firstline.intake import parsing
from firstline.intake.mail import ParsedMail
from firstline.intake.parser_child import LENGTH, READY

COMMAND: Final = (sys.executable, "-m", "firstline.intake.parser_child")
MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024
ATTEMPTS: Final = 2
RETRY_SECONDS: Final = 10


class Parser(Protocol):
    """Reads raw mails."""

    async def parse(self, raw: bytes) -> tuple[ParsedMail, list[bytes]]:
        """Return the mail and the payloads of its attachments; never raises for any bytes."""

    async def stop(self) -> None:
        """End what was started for parsing."""


class InProcessParser:
    """Parses where it is called: for tests and the simulator, not for strangers' mail."""

    async def parse(self, raw: bytes) -> tuple[ParsedMail, list[bytes]]:
        """Parse at once."""
        return parsing.parse(raw)

    async def stop(self) -> None:
        """Nothing was started."""


class ChildDied(Exception):
    """The child process ended, was killed or answered nonsense in the middle of a job."""


class MailParser:
    """Parses in one child process, which starts with the first mail and is replaced after trouble or many mails."""

    def __init__(
        self,
        clock: Clock,
        spawn: Spawn,
        *,
        seconds: float = 20,
        mails: int = 500,
        command: tuple[str, ...] = COMMAND,
    ) -> None:
        """Set the limits that this side holds; the child holds those of CPU time and memory itself.

        Args:
            clock: measures the time-out.
            spawn: starts the watch over a job.
            seconds: real time that one mail may take, on a machine that is busy with other things too.
            mails: after how many the child is replaced, so that what it may have gathered goes away.
            command: starts the child.

        """
        self._clock = clock
        self._spawn = spawn
        self._seconds = seconds
        self._mails = mails
        self._command = command
        self._child: Process | None = None
        self._served = 0
        self._turn = asyncio.Lock()

    async def parse(self, raw: bytes) -> tuple[ParsedMail, list[bytes]]:
        """Parse a mail; one that costs two children their lives is `unparseable`, read for its headers at most.

        Raises:
            Unavailable: no child can be started now.

        """
        async with self._turn:
            # Twice, because a child may die of something that has nothing to do with the mail.
            for _ in range(ATTEMPTS):
                with suppress(ChildDied):
                    return await self._ask(raw)
            with suppress(ChildDied):
                mail, _ = await self._ask(parsing.head_of(raw))
                return parsing.unparseable(raw, mail), []
            return parsing.unparseable(raw), []

    async def stop(self) -> None:
        """End the child, after the mail that it is at."""
        async with self._turn:
            await self._end()

    async def _ask(self, raw: bytes) -> tuple[ParsedMail, list[bytes]]:
        """Have the child parse a mail.

        Raises:
            ChildDied: it did not answer in time and in order; it is gone now.

        """
        if self._child is not None and self._served >= self._mails:
            await self._end()
        child = self._child or await self._start()
        # Time is over when the child is dead, so that there is one way out of every trouble.
        watch = self._spawn(self._expire(child), name="mail-parser-watch")
        try:
            answer = await _exchange(child, raw)
        except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
            await self._end()
            raise ChildDied from error
        except BaseException:  # cancelled in the middle: the pipe holds an answer that nobody will read
            _kill(child)
            self._served = self._mails
            raise
        finally:
            watch.cancel()
        self._served += 1
        return answer

    async def _start(self) -> Process:
        """Start a child that sees no setting of ours, but finds the same modules.

        Raises:
            Unavailable: it can't be started, or ends before it is ready.

        """
        environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        try:
            self._child = await asyncio.create_subprocess_exec(
                *self._command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=environment
            )
            self._served = self._mails  # until it is ready it is of no use to anyone
            assert self._child.stdout is not None
            await self._child.stdout.readexactly(len(READY))
        except (OSError, EOFError) as error:
            await self._end()
            raise Unavailable("Mail can't be parsed at the moment.", retry_after=RETRY_SECONDS) from error
        self._served = 0
        return self._child

    async def _expire(self, child: Process) -> None:
        """Kill the child when its time for one mail is over."""
        await self._clock.sleep(self._seconds)
        _kill(child)

    async def _end(self) -> None:
        """Kill the child, which holds nothing that could be lost, and wait until it is gone."""
        child, self._child = self._child, None
        if child is not None:
            _kill(child)
            await child.communicate()


def _kill(child: Process) -> None:
    """Kill a child that may be dead already."""
    with suppress(ProcessLookupError):
        child.send_signal(signal.SIGKILL)


async def _exchange(child: Process, raw: bytes) -> tuple[ParsedMail, list[bytes]]:
    """Send a mail and read the answer; raise one of several errors when it is not a proper one."""
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(LENGTH.pack(len(raw)))
    child.stdin.write(raw)
    await child.stdin.drain()
    (length,) = LENGTH.unpack(await child.stdout.readexactly(LENGTH.size))
    if length > MAX_ANSWER_BYTES:
        raise ValueError(length)
    mail = ParsedMail.from_json(json.loads(await child.stdout.readexactly(length)))
    # Enclosed mails are written out again, which may take a little more than they did.
    if sum(attachment.size for attachment in mail.attachments) > 2 * len(raw) + MAX_ANSWER_BYTES:
        raise ValueError(mail.attachments)
    return mail, [await child.stdout.readexactly(attachment.size) for attachment in mail.attachments]

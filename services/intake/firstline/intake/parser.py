"""The parser port: mail is parsed in a limited child process, or in this process for tests and simulation."""

import json
import sys
from asyncio.subprocess import Process
from contextlib import suppress
from typing import Final, Protocol

from firstline.common.ports import Clock, Spawn
from firstline.intake import parsing
from firstline.intake.child import Child, ChildDied
from firstline.intake.child_limits import LENGTH
from firstline.intake.mail import ParsedMail

COMMAND: Final = (sys.executable, "-m", "firstline.intake.parser_child")
MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024
ATTEMPTS: Final = 2


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


class MailParser(Child):
    """Parses in one child process."""

    def __init__(
        self,
        clock: Clock,
        spawn: Spawn,
        *,
        seconds: float = 20,
        mails: int = 500,
        command: tuple[str, ...] = COMMAND,
    ) -> None:
        """Set the time that one mail may take, and after how many the child is replaced."""
        super().__init__(clock, spawn, command, seconds=seconds, jobs=mails, name="mail-parser")

    async def parse(self, raw: bytes) -> tuple[ParsedMail, list[bytes]]:
        """Parse a mail; one that costs two children their lives is `unparseable`, read for its headers at most.

        Raises:
            Unavailable: no child can be started now.

        """
        async with self._turn:
            # Twice, because a child may die of something that has nothing to do with the mail.
            for _ in range(ATTEMPTS):
                with suppress(ChildDied):
                    return await self._ask(lambda child: _exchange(child, raw))
            with suppress(ChildDied):
                # A mail was accepted by 250 and can't be refused any more: its head alone still says who wrote, for a
                # specialist to see.
                mail, _ = await self._ask(lambda child: _exchange(child, parsing.head_of(raw)))
                return parsing.unparseable(raw, mail), []
            return parsing.unparseable(raw), []


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

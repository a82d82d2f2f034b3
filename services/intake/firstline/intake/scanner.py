"""The scanner port: a virus scanner, where the desk has one, looks at every file before anybody gets it."""

import asyncio
import struct
from typing import Final, Protocol

from firstline.common.errors import Unavailable
from firstline.intake.judge import Opened

RETRY_SECONDS: Final = 30
MAX_ANSWER_BYTES: Final = 4096
_LENGTH: Final = struct.Struct(">I")


class Scanner(Protocol):
    """Looks for malware."""

    async def scan(self, opened: Opened) -> str | None:
        """Return the name of what was found in a file, None for a clean one.

        Raises:
            NotFound: the file is gone.
            Unavailable: nobody can look at it now.

        """


class NoScanner:
    """Looks at nothing: the desk has no scanner."""

    async def scan(self, opened: Opened) -> str | None:
        """Find nothing."""
        del opened
        return None


class Clamd:
    """ClamAV's daemon, to which a file is streamed over TCP (its command INSTREAM)."""

    def __init__(self, host: str, port: int, *, seconds: float = 60) -> None:
        """Name the daemon, and the time that one file may take."""
        self._address = (host, port)
        self._seconds = seconds

    async def scan(self, opened: Opened) -> str | None:
        """Have the daemon look at a file; see `Scanner.scan`."""
        try:
            async with asyncio.timeout(self._seconds):
                answer = await self._ask(opened)
        except (OSError, EOFError, asyncio.LimitOverrunError) as error:  # a time-out is an OSError
            raise _nobody_looks() from error
        # By its words and nothing else: whatever isn't a clear "OK" lets no file through.
        verdict = answer.decode("utf-8", "replace").strip("\0\n ").removeprefix("stream: ")
        if verdict == "OK":
            return None
        if verdict.endswith(" FOUND"):
            return verdict.removesuffix(" FOUND")
        raise _nobody_looks()  # larger than the daemon takes, or out of order: nothing is let through for that

    async def _ask(self, opened: Opened) -> bytes:
        """Stream a file to the daemon and return what it says: chunks with their lengths, an empty one at the end."""
        reader, writer = await asyncio.open_connection(*self._address, limit=MAX_ANSWER_BYTES)
        try:
            writer.write(b"zINSTREAM\0")
            async for chunk in await opened():
                writer.write(_LENGTH.pack(len(chunk)) + chunk)
                await writer.drain()
            writer.write(_LENGTH.pack(0))
            await writer.drain()
            return await reader.readuntil(b"\0")
        finally:
            writer.close()


def _nobody_looks() -> Unavailable:
    """Return the error that leaves a file waiting."""
    return Unavailable("The virus scanner can't be reached. Files wait for it.", retry_after=RETRY_SECONDS)

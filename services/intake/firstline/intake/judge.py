"""The judge port: files are judged in a limited child process, or in this process for tests and simulation."""

import json
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from firstline.common.errors import Unavailable
from firstline.common.ports import Clock, Offload, Spawn
from firstline.intake.child import RETRY_SECONDS, Child, ChildDied
from firstline.intake.child_limits import LENGTH
from firstline.intake.files import FileRules, FileVerdict, judge, refusal

COMMAND: Final = (sys.executable, "-m", "firstline.intake.judge_child")
MAX_ANSWER_BYTES: Final = 4 * 1024 * 1024
ATTEMPTS: Final = 2

Opened = Callable[[], Awaitable[AsyncIterator[bytes]]]
"""Opens a file from its beginning."""


@dataclass(frozen=True, slots=True)
class Unjudged:
    """A file as its sender names it, its size in bytes, and how its content is read."""

    name: str
    declared_type: str
    size: int
    open: Opened


class Judge(Protocol):
    """Says of files whether they can be taken."""

    async def judge(self, file: Unjudged, rules: FileRules) -> FileVerdict:
        """Return the verdict on a file, whatever is in it.

        Raises:
            NotFound: the file is gone.
            Unavailable: it can't be read, or nobody can judge now.

        """

    async def stop(self) -> None:
        """End what was started for judging."""


class InProcessJudge:
    """Judges where it is called: for tests and the simulator, not for strangers' files."""

    def __init__(self, offload: Offload) -> None:
        """Say where blocking work runs."""
        self._offload = offload

    async def judge(self, file: Unjudged, rules: FileRules) -> FileVerdict:
        """Judge at once."""
        content = b"".join([chunk async for chunk in await file.open()])
        return await self._offload(lambda: judge(file.name, file.declared_type, content, rules))

    async def stop(self) -> None:
        """Nothing was started."""


class FileJudge(Child):
    """Judges in one child process, one file after the other.

    A file that takes more than two seconds of CPU time or 256 MiB of memory is refused as too costly. `costs` holds
    what the last verdict took: CPU seconds, and the most memory that the child has held so far.
    """

    def __init__(
        self,
        clock: Clock,
        spawn: Spawn,
        *,
        seconds: float = 20,
        files: int = 500,
        command: tuple[str, ...] = COMMAND,
    ) -> None:
        """Set the time that one file may take, and after how many the child is replaced."""
        super().__init__(clock, spawn, command, seconds=seconds, jobs=files, name="file-judge")
        self.costs: dict[str, float] = {}

    async def judge(self, file: Unjudged, rules: FileRules) -> FileVerdict:
        """Judge a file; see `Judge.judge`."""
        async with self._turn:
            # Twice, because a child may die of something that has nothing to do with the file.
            for _ in range(ATTEMPTS):
                try:
                    answer = await self._ask(lambda child: _exchange(child, file, rules))
                except ChildDied as died:
                    if died.out_of_time:
                        break
                else:
                    self.costs = answer["cost"]
                    return FileVerdict(**answer["verdict"])
            return refusal("too_costly", file.name)


async def _exchange(child: Process, file: Unjudged, rules: FileRules) -> dict[str, Any]:
    """Send a file and read the answer; raise one of several errors when it is not a proper one."""
    assert child.stdin is not None
    assert child.stdout is not None
    job = {"name": file.name, "declared_type": file.declared_type, "size": file.size, "rules": rules.to_json()}
    head = json.dumps(job).encode()
    child.stdin.write(LENGTH.pack(len(head)) + head)
    left = file.size
    async for chunk in _read(file):
        left -= len(chunk)
        child.stdin.write(chunk)
        await child.stdin.drain()
    # Shorter than was kept: a fault of the store, and no verdict on the file.
    if left:
        raise Unavailable("The file can't be read at the moment. Try again later.", retry_after=RETRY_SECONDS)
    (length,) = LENGTH.unpack(await child.stdout.readexactly(LENGTH.size))
    # The child is not believed: it may have been taken over by the file that it has just read.
    if length > MAX_ANSWER_BYTES:
        raise ValueError(length)
    answer: dict[str, Any] = json.loads(await child.stdout.readexactly(length))
    FileVerdict(**answer["verdict"])
    return answer


async def _read(file: Unjudged) -> AsyncIterator[bytes]:
    """Read the file; what fails here is no fault of the child's."""
    try:
        async for chunk in await file.open():
            yield chunk
    except OSError as error:
        raise Unavailable(
            "The file can't be read at the moment. Try again later.", retry_after=RETRY_SECONDS
        ) from error

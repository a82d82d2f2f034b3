"""A limited child process that does one job after the other; it is replaced after trouble and after many jobs."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, TypeVar

from firstline.common.errors import Unavailable
from firstline.common.ports import Clock, Spawn
from firstline.intake.child_limits import READY

T = TypeVar("T")
RETRY_SECONDS: Final = 10
BROKEN: Final = (OSError, EOFError, ValueError, KeyError, TypeError)
"""What an exchange raises whose answer is none, or no proper one."""
OUT_OF_TIME: Final = (-signal.SIGPROF, -signal.SIGXCPU)


class ChildDied(Exception):
    """The child process ended, was killed or answered nonsense in the middle of a job."""

    out_of_time = False
    """Whether the job took more CPU time than it may."""


class Child:
    """One child process, which starts with the first job."""

    def __init__(
        self, clock: Clock, spawn: Spawn, command: tuple[str, ...], *, seconds: float, jobs: int, name: str
    ) -> None:
        """Set the limits that this side holds; the child holds those of CPU time and memory itself.

        Args:
            clock: measures the time-out.
            spawn: starts the watch over a job.
            command: starts the child.
            seconds: real time that one job may take, on a machine that is busy with other things too.
            jobs: after how many the child is replaced, so that what it may have gathered goes away.
            name: what it is for, in the name of its watch and in what is said while none can be started.

        """
        self._clock = clock
        self._spawn = spawn
        self._seconds = seconds
        self._jobs = jobs
        self._command = command
        self._name = name
        self._child: Process | None = None
        self._served = 0
        self._turn = asyncio.Lock()

    async def stop(self) -> None:
        """End the child, after the job that it is at."""
        async with self._turn:
            await self._end()

    async def _ask(self, exchange: Callable[[Process], Awaitable[T]]) -> T:
        """Have the child do a job.

        Raises:
            ChildDied: it did not answer in time and in order; it is gone now.
            Unavailable: none can be started.

        """
        if self._child is not None and self._served >= self._jobs:
            await self._end()
        # Started with the first job and again after trouble: a desk that gets no mail holds no child.
        child = self._child or await self._start()
        # Time is over when the child is dead, so that there is one way out of every trouble.
        watch = self._spawn(self._expire(child), name=f"{self._name}-watch")
        try:
            answer = await exchange(child)
        except BROKEN as error:
            await self._end()
            died = ChildDied()
            died.out_of_time = child.returncode in OUT_OF_TIME
            raise died from error
        except BaseException:  # cancelled in the middle: the pipe holds an answer that nobody will read
            _kill(child)
            self._served = self._jobs
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
        # Nothing else: secrets of ours come in the environment, and a hole in a decoder would read them.
        environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        try:
            self._child = await asyncio.create_subprocess_exec(
                *self._command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=environment
            )
            self._served = self._jobs  # until it is ready it is of no use to anyone
            assert self._child.stdout is not None
            await self._child.stdout.readexactly(len(READY))
        except (OSError, EOFError) as error:
            await self._end()
            what = f"The {self._name.replace('-', ' ')} can't be started at the moment. Try again later."
            raise Unavailable(what, retry_after=RETRY_SECONDS) from error
        self._served = 0
        return self._child

    async def _expire(self, child: Process) -> None:
        """Kill the child when its time for one job is over."""
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

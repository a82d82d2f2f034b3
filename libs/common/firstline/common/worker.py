"""Work beside the requests: a step that does what is due, run again whenever it is woken, due, or polled."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

import structlog

from firstline.common.errors import Unavailable
from firstline.common.lease import Alone, Lease, LeaseLost
from firstline.common.ports import Ports

Step = Callable[[], Awaitable[int]]
"""Does what is due now, in bounded portions; returns how much it did, 0 when nothing was left."""

LONGEST_PAUSE = 30.0
OVERDUE_PAUSE = 1.0
"""Seconds of rest when work is overdue that the step could not do, so that it isn't tried without end."""

_log = structlog.get_logger(__name__)


class Worker:
    """Runs one step after another for as long as there is work, then waits for more."""

    def __init__(
        self,
        name: str,
        step: Step,
        ports: Ports,
        *,
        wake: asyncio.Event | None = None,
        next_due: Callable[[], Awaitable[datetime | None]] | None = None,
        poll_seconds: float,
        lease: Lease | None = None,
        may_break_off: bool = False,
    ) -> None:
        """Describe the work.

        Args:
            name: for logs and tasks.
            step: does what is due.
            ports: time and tasks.
            wake: set by whoever makes new work.
            next_due: tells the product time at which work falls due by itself.
            poll_seconds: the safety net when nobody wakes it.
            lease: without it nothing is done; None where every replica may work at once.
            may_break_off: whether a stop breaks the step off, because it may last and loses nothing by that.

        """
        self.name = name
        self._step = step
        self._ports = ports
        self._wake = wake or asyncio.Event()
        self._next_due = next_due
        self._poll_seconds = poll_seconds
        self._lease = lease or Alone()
        self._may_break_off = may_break_off
        self._turn = asyncio.Lock()
        self._done = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to work."""
        self._lease.start(self._wake)
        self._task = self._ports.spawn(self._run(), name=self.name)

    async def stop(self) -> None:
        """Let the step at hand finish, unless it may be broken off, then end."""
        if self._task is None:
            return
        if self._may_break_off:
            self._task.cancel()
        # In turn with the step: cancelled between two statements it would lose its work, and after an outside effect,
        # such as a sent mail, the record of it.
        async with self._turn:
            self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None
        # Last, when nothing of ours is under way that another replica might do at the same time.
        await self._lease.stop()

    async def drain(self) -> int:
        """Do all that is due now; return how much was done since the last call, by itself or for this one.

        For tests, the simulator and orderly ends: it asks no lease, so it is for a process that is alone.
        """
        async with self._turn:
            while count := await self._step():
                self._done += count
            done, self._done = self._done, 0
        return done

    async def _run(self) -> None:
        """Do step after step; rest when there is nothing to do, and longer after each failure in a row."""
        pause = 1.0
        while True:
            try:
                # Before the step and not after it: who makes work while the step runs wakes us once more.
                self._wake.clear()
                if await self._take_turn() == 0:
                    await self._rest()
                pause = 1.0
            except Exception as error:
                self._say(error, pause)
                await self._ports.clock.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)

    def _say(self, error: Exception, pause: float) -> None:
        """Log a failure; that something is out of reach for the moment is no mistake to look into."""
        if isinstance(error, Unavailable):
            _log.warning("work waits for what is out of reach", worker=self.name, in_seconds=pause, reason=str(error))
        else:
            _log.error("work failed and will be tried again", worker=self.name, in_seconds=pause, exc_info=error)

    async def _take_turn(self) -> int:
        """Do a step if this replica may; return how much it did, 0 also when the lease was lost on the way."""
        async with self._turn:
            try:
                count = await self._step() if self._lease.held else 0
            except LeaseLost:
                return 0
            self._done += count
            return count

    async def _rest(self) -> None:
        """Wait until somebody wakes us, something falls due, or the polling interval is over.

        `next_due` is product time, which a simulator moves; polling goes by the loop's time. Neither costs anything
        while nothing is due: a worker that slept a second at a time would be most of an idle desk's work.
        """
        due = await self._next_due() if self._next_due and self._lease.held else None
        waiting = [self._ports.spawn(_until_set(self._wake), name=f"{self.name}: woken")]
        if due is not None:
            clock = self._ports.clock
            # A due time that is past means that the step left it, for instance to another replica that has it locked.
            wait = clock.until(due) if due > clock.now() else clock.sleep(OVERDUE_PAUSE)
            waiting.append(self._ports.spawn(wait, name=f"{self.name}: due"))
        try:
            await asyncio.wait(waiting, timeout=self._poll_seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()


async def _until_set(event: asyncio.Event) -> None:
    """Wait for an event as a coroutine that can be raced against others."""
    await event.wait()

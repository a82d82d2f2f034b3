"""An event loop whose time is virtual and whose choices are drawn from a seed.

Every callback belongs to an owner: the process of the world that it runs in, read from a context variable. An owner can
be killed, which freezes it: its callbacks are thrown away, nothing of it runs any more, not even `finally`. Paused, its
callbacks are held back. A fuse kills it before its n-th step from now.
"""

import asyncio
import contextlib
import heapq
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, ContextVar
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

T = TypeVar("T")

MOST_STEPS_AT_ONCE = 200_000
"""Steps without time passing, after which something must be spinning."""

SWEEP = 4096
"""Tasks that are remembered before those that have ended are forgotten."""


@dataclass(eq=False)
class Owner:
    """Whose callbacks they are; `fuse` counts its steps down to its end."""

    name: str
    alive: bool = True
    paused: bool = False
    fuse: int | None = None
    burnt: Callable[[], None] | None = None
    held: list[asyncio.Handle] = field(default_factory=list)

    def may_step(self) -> bool:
        """Say whether it lives to take one more step; a fuse at its end kills it first."""
        if self.fuse is not None:
            self.fuse -= 1
            if self.fuse < 0:
                self.fuse = None
                assert self.burnt is not None
                self.burnt()
        return self.alive

    def context(self) -> Context:
        """Return a context in which everything belongs to it, and which knows nothing of who made it."""
        context = Context()
        context.run(OWNER.set, self)
        return context


OWNER: ContextVar[Owner | None] = ContextVar("owner", default=None)


class Counted(asyncio.Task[Any]):
    """A task whose hash is its number, so that sets of tasks have the same order in every process."""

    def __init__(self, number: int, work: Coroutine[Any, Any, Any], loop: "Loop", context: Context | None) -> None:
        self._number = number
        super().__init__(work, loop=loop, context=context)

    def __hash__(self) -> int:
        return self._number

    def __eq__(self, other: object) -> bool:
        return self is other


def _look(handle: asyncio.Handle) -> None:
    """Look at the exception that a step would have looked at which nobody takes any more: that is no mistake."""
    for given in handle._args or ():
        if isinstance(given, asyncio.Future) and given.done() and not given.cancelled():
            given.exception()


class Closed:
    """A server at which nobody can connect."""

    sockets = ()

    def close(self) -> None:
        """Do nothing."""


class Loop(asyncio.BaseEventLoop):
    """The loop of a simulated world; it has no sockets, no threads and no wall clock."""

    def __init__(self, chance: Random, disorder: float) -> None:
        """Take the stream of chance for the order, and the share of choices that are not first come, first served."""
        super().__init__()
        self._now = 0.0
        self._chance = chance
        self._disorder = disorder
        self._ready: list[asyncio.Handle] = []
        self._tasks: list[asyncio.Task[Any]] = []
        self._numbers = 0
        self.steps = 0
        self.complaints: list[str] = []
        self.set_exception_handler(self._complain)

    def time(self) -> float:
        """Return virtual seconds since the beginning."""
        return self._now

    def _complain(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.complaints.append(f"{context['message']}: {context.get('exception')!r}")

    def create_task(  # type: ignore[override]
        self,
        coro: Coroutine[Any, Any, T] | Generator[Any, None, T],
        *,
        name: str | None = None,
        context: Context | None = None,
    ) -> asyncio.Task[T]:
        """Start a task and keep it, because a loop alone holds tasks weakly."""
        self._numbers += 1
        task = Counted(self._numbers, coro, self, context)  # type: ignore[arg-type]
        task.set_name(name or f"task {self._numbers}")
        self._tasks.append(task)
        if len(self._tasks) > SWEEP:
            self._tasks = [known for known in self._tasks if not known.done()]
        return task

    def run_in_executor(self, _executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        """Run blocking work at once: there are no threads."""
        done: asyncio.Future[T] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:
            done.set_exception(error)
        return done

    async def create_server(self, *_args: Any, **_more: Any) -> "Closed":  # type: ignore[override]
        """Listen nowhere: who wants to speak to a process calls it over the world's lines."""
        return Closed()

    def _process_events(self, event_list: Any) -> None:
        """Nothing happens outside."""

    def _write_to_self(self) -> None:
        """Nobody waits to be woken."""

    def _run_once(self) -> None:
        ready, begun = self._ready, self.steps
        while not self._stopping:  # type: ignore[attr-defined]
            if not ready:
                self._pass_time()
                return
            self._step(self._next(ready))
            if self.steps - begun > MOST_STEPS_AT_ONCE:
                raise RuntimeError(f"spinning at {self._now}: {ready[:3]}")

    def _next(self, ready: list[asyncio.Handle]) -> asyncio.Handle:
        """Take a ready callback: mostly the first, sometimes any."""
        if len(ready) == 1:
            return ready.pop()
        if self._chance.random() < self._disorder:
            return ready.pop(int(self._chance.random() * len(ready)))
        return ready.pop(0)

    def _step(self, handle: asyncio.Handle) -> None:
        if handle._cancelled:
            return
        owner = handle._context.get(OWNER)  # type: ignore[attr-defined]
        if owner is not None:
            if owner.paused and owner.alive:
                owner.held.append(handle)
                return
            if not owner.may_step():
                _look(handle)
                return
        self.steps += 1
        handle._run()

    def _pass_time(self) -> None:
        """Move to the next timer and make ready what is due then."""
        timers = self._scheduled  # type: ignore[attr-defined]
        while timers and timers[0]._cancelled:
            heapq.heappop(timers)._scheduled = False
        if not timers:
            raise RuntimeError("the world stands still: nothing is ready and no timer runs")
        self._now = max(self._now, timers[0]._when)
        while timers and timers[0]._when <= self._now:
            timer = heapq.heappop(timers)
            timer._scheduled = False
            if not timer._cancelled:
                self._ready.append(timer)

    def resume(self, owner: Owner) -> None:
        """Let a paused owner go on with all that came in meanwhile."""
        owner.paused = False
        self._ready += owner.held
        owner.held.clear()

    def bury(self) -> None:
        """End all that was left, so that the next world begins with nothing; what that code still does is no matter."""
        for task in self._tasks:
            if not task.done():
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                with contextlib.suppress(BaseException):
                    task.get_coro().close()
        for handle in self._ready:
            _look(handle)
        self._tasks.clear()
        for timer in self._scheduled:  # type: ignore[attr-defined]
            for given in timer._args or ():
                if asyncio.iscoroutine(given):
                    given.close()
        self._ready.clear()
        self._scheduled.clear()  # type: ignore[attr-defined]
        self.close()

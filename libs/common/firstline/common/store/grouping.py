"""Gathering the inserts of concurrent callers into one commit.

A commit waits for the disk, and rows of many callers wait no longer for it than those of one: on PostgreSQL rows in one
statement were about three times as fast as a transaction each (ADR 2). Only data can be grouped so; functions of
several callers in one transaction were slower than transactions side by side.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import asyncpg

from firstline.common.errors import FirstlineError
from firstline.common.ports import Ports
from firstline.common.store.port import Insertion

GROUP_LIMIT = 256
GROUPS_AT_ONCE = 2
"""How many insertions share a commit at most, and how many such commits run at once: while one is waited for, the next
gathers."""


class Groups:
    """Insertions that wait for the next commit, and the tasks that bring them there."""

    def __init__(
        self,
        insert_all: Callable[[Sequence[Insertion]], Awaitable[None]],
        insert_one: Callable[[Insertion], Awaitable[bool]],
        ports: Ports,
    ) -> None:
        """Describe the way in.

        Args:
            insert_all: inserts many in one transaction; raises an integrity error when one of them can't go in.
            insert_one: inserts one alone; answers False when a unique key is taken.
            ports: starts tasks.

        """
        self._insert_all = insert_all
        self._insert_one = insert_one
        self._ports = ports
        self._waiting: deque[tuple[Insertion, asyncio.Future[bool]]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    async def add(self, insertion: Insertion) -> bool:
        """Return whether the insertion went in, once that is durable."""
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((insertion, done))
        # Whoever comes while all tasks are busy needs none of its own: a task takes what waits until nothing does.
        if len(self._tasks) < GROUPS_AT_ONCE:
            task = self._ports.spawn(self._work(), name="store: grouped inserts")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await done

    async def finish(self) -> None:
        """Wait until nothing waits."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _work(self) -> None:
        """Insert what waits, group after group, until nothing is left."""
        while self._waiting:
            group = [self._waiting.popleft() for _ in range(min(GROUP_LIMIT, len(self._waiting)))]
            # A caller that has gone away while its rows waited hears of nothing, so they need not go in.
            live = [(insertion, done) for insertion, done in group if not done.cancelled()]
            if live:
                await self._insert(live)

    async def _insert(self, group: list[tuple[Insertion, asyncio.Future[bool]]]) -> None:
        """Insert a group in one commit, or each alone where one of them can't go in.

        An error that is no violation, such as a database out of reach, is everybody's: nobody's rows are in.
        """
        try:
            await self._insert_all([insertion for insertion, _ in group])
        except asyncpg.IntegrityConstraintViolationError:
            # The group's transaction was rolled back as a whole, so nobody's rows are in twice. Which of them is at
            # fault, the database does not say for each.
            await asyncio.gather(*(self._alone(insertion, done) for insertion, done in group))
        except Exception as error:
            for _, done in group:
                _fail(done, error)
        else:
            for _, done in group:
                if not done.done():
                    done.set_result(True)

    async def _alone(self, insertion: Insertion, done: "asyncio.Future[bool]") -> None:
        """Insert one by itself, so that nobody is refused for another's fault."""
        try:
            stored = await self._insert_one(insertion)
        except Exception as error:
            _fail(done, error)
        else:
            if not done.done():
                done.set_result(stored)


def _fail(done: "asyncio.Future[bool]", error: Exception) -> None:
    """Tell a caller of a failure, unless it has gone away."""
    if done.done():
        return
    if isinstance(error, FirstlineError):  # each caller gets an error of its own: a traceback grows as it is raised
        error = type(error)(error.detail, retry_after=error.retry_after)
    done.set_exception(error)

"""A lease: of several replicas one at a time does a kind of work, and who has lost it is kept from storing.

The lease is a row with a fence, not a lock of a session: it works through a transaction pooler, and it ends by itself
when its holder is killed or stopped.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

import structlog

from firstline.common.errors import Conflict, Unavailable
from firstline.common.ports import Ports
from firstline.common.store.port import Sql, Store, Unit

LIFE_SECONDS = 10.0
RENEW_SECONDS = 2.5
"""How long a lease holds without being renewed, and how often it is. Another replica takes over within their sum."""

MARGIN_SECONDS = 1.0
"""How much earlier the holder itself stops to rely on it."""

TAKE: Sql[int] = Sql(
    "INSERT INTO lease (name, owner, fence, until) VALUES (:name, :owner, 1, :until)"
    " ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until,"
    " fence = CASE WHEN lease.owner = excluded.owner THEN lease.fence ELSE lease.fence + 1 END"
    " WHERE lease.owner = excluded.owner OR lease.until < :now RETURNING fence",
    int,
)
GIVE_UP: Sql[None] = Sql("UPDATE lease SET until = :now WHERE name = :name AND owner = :owner", type(None))


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a lease, and the fence that this holding of it got."""

    owner: str
    fence: int


HOLDER = Sql("SELECT owner, fence FROM lease WHERE name = :name FOR UPDATE", Holder)

_log = structlog.get_logger(__name__)


class LeaseLost(Conflict):
    """Another replica has taken over; nothing was stored."""

    title = "The lease is lost"


class Lease(Protocol):
    """The right to do a kind of work."""

    @property
    def held(self) -> bool:
        """Whether this process may begin a piece of the work now."""

    async def guard(self, unit: Unit) -> None:
        """Keep the transaction from committing once another replica has taken over.

        Raises:
            LeaseLost: it has.

        """

    def start(self, wake: asyncio.Event) -> None:
        """Begin to seek the lease; `wake` is set whenever it has been got."""

    async def stop(self) -> None:
        """Give the lease up, so that another replica needn't wait for its end."""


class Alone:
    """The lease of a process that has its store for itself: always held, never written."""

    held = True

    async def guard(self, unit: Unit) -> None:
        """Let every transaction pass."""

    def start(self, wake: asyncio.Event) -> None:
        """Do nothing."""

    async def stop(self) -> None:
        """Do nothing."""


class SharedLease:
    """A lease that replicas of a service compete for in their store."""

    def __init__(self, name: str, store: Store, ports: Ports) -> None:
        self._name = name
        self._store = store
        self._ports = ports
        self._owner = ports.ids.new()
        self._fence = 0
        self._good_until = float("-inf")
        self._task: asyncio.Task[None] | None = None

    @property
    def held(self) -> bool:
        """Whether the lease was renewed lately; a process that was stopped for a while finds that it was not."""
        return self._ports.clock.monotonic() < self._good_until

    async def guard(self, unit: Unit) -> None:
        """Lock the lease's row for this transaction, if it is still ours."""
        holder = await unit.one(HOLDER, name=self._name)
        if holder != Holder(self._owner, self._fence):
            self._good_until = float("-inf")
            raise LeaseLost(f"Another replica does the work of {self._name} now.")

    def start(self, wake: asyncio.Event) -> None:
        """Seek the lease and renew it for as long as the process lives."""
        self._task = self._ports.spawn(self._run(wake), name=f"lease {self._name}")

    async def _run(self, wake: asyncio.Event) -> None:
        while True:
            had = self.held
            try:
                await self._take()
            except Unavailable:
                _log.debug("a lease can't be renewed now", lease=self._name)
            if self.held and not had:
                _log.info("took over", lease=self._name, fence=self._fence)
                wake.set()
            await self._ports.clock.sleep(RENEW_SECONDS)

    async def _take(self) -> None:
        clock = self._ports.clock
        begun, now = clock.monotonic(), clock.now()
        until = now + timedelta(seconds=LIFE_SECONDS)
        fence = await self._store.write(
            lambda unit: unit.one(TAKE, name=self._name, owner=self._owner, until=until, now=now)
        )
        if fence is not None:
            self._fence = fence
            self._good_until = begun + LIFE_SECONDS - MARGIN_SECONDS

    async def stop(self) -> None:
        """Give the lease up."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task, self._good_until = None, float("-inf")
        now = self._ports.clock.now()
        try:
            await self._store.write(lambda unit: unit.run(GIVE_UP, name=self._name, owner=self._owner, now=now))
        except Unavailable:
            _log.debug("a lease was not given up; it ends by itself", lease=self._name)

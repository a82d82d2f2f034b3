"""A lease: of several replicas one at a time does a kind of work, and who has lost it is kept from storing.

The lease is a row with a fence, not a lock of a session: it works through a transaction pooler, and it ends by itself
when its holder is killed or stopped. No two machines' clocks are compared: another replica takes over when it has seen
the row unchanged for the lease's life, by its own clock.
"""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

import structlog

from firstline.common.errors import Conflict, Unavailable
from firstline.common.ports import Ports
from firstline.common.store.port import Sql, Store, Unit, Value

LIFE_SECONDS = 10.0
RENEW_SECONDS = 2.5
"""How long a lease holds without being renewed, and how often it is. Another replica takes over within the life and two
looks."""

MARGIN_SECONDS = 1.0
"""How much earlier the holder itself stops to rely on it."""

NOBODY = ""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a lease (NOBODY: it was given up), the fence that this holding of it got, and its last renewal."""

    owner: str
    fence: int
    renewed_at: datetime


HOLDER = Sql("SELECT owner, fence, renewed_at FROM lease WHERE name = :name FOR UPDATE", Holder)
ADD: Sql[None] = Sql(
    "INSERT INTO lease (name, owner, fence, renewed_at) VALUES (:name, :owner, :fence, :renewed_at)", type(None)
)
SET: Sql[None] = Sql(
    "UPDATE lease SET owner = :owner, fence = :fence, renewed_at = :renewed_at WHERE name = :name", type(None)
)
GIVE_UP: Sql[None] = Sql("UPDATE lease SET owner = '' WHERE name = :name AND owner = :owner", type(None))

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
        # New for each process: one that was killed and started again is somebody else, and waits like anybody.
        self._owner = ports.ids.new()
        self._fence = 0
        self._good_until = float("-inf")
        self._seen: Holder | None = None
        self._seen_since = 0.0
        self._task: asyncio.Task[None] | None = None

    @property
    def held(self) -> bool:
        """Whether the lease was renewed lately; a process that was stopped for a while finds that it was not."""
        return self._ports.clock.monotonic() < self._good_until

    async def guard(self, unit: Unit) -> None:
        """Lock the lease's row for this transaction, if it is still ours.

        The row stays locked until this transaction ends, and a replica that wants to take over waits for that lock: so
        either it sees what this transaction stored, or this one fails.
        """
        holder = await unit.one(HOLDER, name=self._name)
        if holder is None or (holder.owner, holder.fence) != (self._owner, self._fence):
            self._good_until = float("-inf")
            raise LeaseLost(f"Another replica does the work of {self._name} now.")

    def start(self, wake: asyncio.Event) -> None:
        """Seek the lease and renew it for as long as the process lives."""
        self._task = self._ports.spawn(self._run(wake), name=f"lease {self._name}")

    async def _run(self, wake: asyncio.Event) -> None:
        """Seek and renew for ever: a replica that loses the lease, or its database, goes on seeking it."""
        while True:
            had = self.held
            try:
                await self._take()
            except Unavailable:
                _log.debug("a lease can't be renewed now", lease=self._name)
            except Exception:
                _log.exception("a lease can't be renewed; it is tried again", lease=self._name)
            if self.held and not had:
                _log.info("took over", lease=self._name, fence=self._fence)
                wake.set()
            await self._ports.clock.sleep(RENEW_SECONDS)

    async def _take(self) -> None:
        """Renew or take the lease, and note until when it may be relied on and what was seen of its row."""
        # Before the database is asked: the holder's own end must never lie after the one that others count.
        begun = self._ports.clock.monotonic()
        holder = await self._store.write(self._try)
        if holder.owner == self._owner:
            self._fence = holder.fence
            self._good_until = begun + LIFE_SECONDS - MARGIN_SECONDS
        # `renewed_at` is compared for having changed, never with a clock.
        if holder != self._seen:
            self._seen, self._seen_since = holder, begun

    async def _try(self, unit: Unit) -> Holder:
        """Renew the lease, or take it where nobody has it or its holder seems dead; return who has it then."""
        found = await unit.one(HOLDER, name=self._name)
        fence = found.fence if found else 0
        mine = Holder(self._owner, fence, self._ports.clock.now())
        if found is not None and found.owner == self._owner:
            await unit.run(SET, name=self._name, **_row(mine))
            return mine
        # A higher fence at each change of hands, also back to an earlier holder: a transaction that began under the old
        # one fails in `guard`, however late it wakes up.
        mine = replace(mine, fence=fence + 1)
        if found is None:
            # Two replicas that both find no row: the second violates the key, is run again, and finds the first's.
            await unit.run(ADD, name=self._name, **_row(mine))
            return mine
        if found.owner == NOBODY or self._seems_dead(found):
            await unit.run(SET, name=self._name, **_row(mine))
            return mine
        return found

    def _seems_dead(self, holder: Holder) -> bool:
        """Say whether the holder has not renewed for the lease's life, by this process's own clock."""
        return holder == self._seen and self._ports.clock.monotonic() - self._seen_since > LIFE_SECONDS

    async def stop(self) -> None:
        """Give the lease up."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task, self._good_until = None, float("-inf")
        try:
            # Wherever the row names this owner, also after a renewal that was cancelled half-way.
            await self._store.write(lambda unit: unit.run(GIVE_UP, name=self._name, owner=self._owner))
        except Unavailable:
            _log.debug("a lease was not given up; it ends by itself", lease=self._name)


def _row(holder: Holder) -> dict[str, Value]:
    """Return a holder as parameters."""
    return {"owner": holder.owner, "fence": holder.fence, "renewed_at": holder.renewed_at}

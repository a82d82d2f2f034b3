"""A service at work: its store, log, relay, inbox and workers, started and stopped together."""

from collections.abc import Mapping, Sequence

from firstline.common import answers
from firstline.common.bus import BINDINGS, Bus
from firstline.common.errors import Unavailable
from firstline.common.inbox import Handler, Inbox
from firstline.common.lease import Alone, Lease, SharedLease
from firstline.common.log import CHANNEL, Log
from firstline.common.ports import Ports
from firstline.common.pull import Pull, ReadLog
from firstline.common.relay import Relay
from firstline.common.store.port import Sql, Store
from firstline.common.tokens import Verifier
from firstline.common.worker import Worker

RELAY_POLL_SECONDS = 5.0
FORGET_SECONDS = 3600.0
# A write and not a read: a full disk, a lost primary and a lock that hangs all let reads pass.
_TOUCH: Sql[None] = Sql(
    "INSERT INTO lease (name, owner, fence, renewed_at) VALUES ('readiness', '', 1, :now)"
    " ON CONFLICT (name) DO UPDATE SET fence = lease.fence + 1",
    type(None),
)


class Runtime:
    """What a service needs to run; the service adds its handlers and workers before `start`."""

    def __init__(
        self,
        name: str,
        *,
        ports: Ports,
        store: Store,
        bus: Bus,
        verifier: Verifier,
        read_logs: Mapping[str, ReadLog],
        pull_seconds: float = 30.0,
        shared: bool = False,
    ) -> None:
        """Describe the service.

        Args:
            name: of the service.
            ports: time, chance, ids, tasks and threads.
            store: its database.
            bus: carries its events and brings it the others'.
            verifier: tells whom a token speaks for.
            read_logs: read the logs of the services whose events it takes.
            pull_seconds: how often it reads on in them.
            shared: whether other replicas may work on the same store.

        """
        self.name = name
        self.ports = ports
        self.store = store
        self.bus = bus
        self.verifier = verifier
        self.log = Log(ports)
        self.inbox: Inbox | None = None
        self.workers: list[Worker] = []
        self.leases: dict[str, Lease] = {}
        self.read_logs = read_logs
        self._pull_seconds = pull_seconds
        self._shared = shared

    def lease(self, work: str) -> Lease:
        """Return the lease of a kind of work that only one replica may do at a time."""
        if work not in self.leases:
            self.leases[work] = SharedLease(work, self.store, self.ports) if self._shared else Alone()
        return self.leases[work]

    def consume(self, handlers: Mapping[str, Handler]) -> None:
        """Take other services' events: pushed by the bus, and pulled from their logs."""
        self.inbox = Inbox(self.store, handlers, self.ports.clock, self.name)
        self.bus.subscribe(self.name, self.inbox.receive)
        pull = Pull(self.store, self.inbox, BINDINGS[self.name], self.read_logs, self.ports.clock)
        self.workers.append(
            Worker(
                f"{self.name}: pull",
                pull.once,
                self.ports,
                next_due=pull.next_due,
                poll_seconds=self._pull_seconds,
                lease=self.lease("pull"),
                may_break_off=True,  # a log may be long and its service slow, and what was read is recorded
            )
        )

    async def start(self, *, works: Sequence[Worker] = ()) -> None:
        """Open the store and start all work.

        Raises:
            Unavailable: the store can't be reached.

        """
        await self.store.open()
        # Returns at once, whether the bus is there or not: requests are taken without it (ADR 4).
        await self.bus.start()
        # First in the list and so the last to stop: what others' last steps appended still goes out.
        self.workers[:0] = [self._relay(), self._forgetting()]
        self.workers += works
        for worker in self.workers:
            worker.start()

    def _relay(self) -> Worker:
        """Return the relay's worker, woken by each commit that appended to the log."""
        name, lease, wake = f"{self.name}: relay", self.lease("relay"), self.store.listen(CHANNEL)
        relay = Relay(self.name, self.store, self.bus, self.ports, lease)
        return Worker(name, relay.step, self.ports, wake=wake, poll_seconds=RELAY_POLL_SECONDS, lease=lease)

    def _forgetting(self) -> Worker:
        """Return the worker that forgets old answers."""
        return Worker(f"{self.name}: answers", self._forget, self.ports, poll_seconds=FORGET_SECONDS)

    async def stop(self) -> None:
        """Finish the steps at hand, commit what waits and close the store."""
        for worker in reversed(self.workers):
            await worker.stop()
        self.workers.clear()
        await self.bus.stop()  # after the relay, which still publishes its last batch
        await self.store.close()

    async def settle(self) -> int:
        """Do all work that is due now; return how much was done since the last call."""
        return sum([await worker.drain() for worker in self.workers])

    async def check_ready(self) -> None:
        """Make sure that the store takes writes.

        Raises:
            Unavailable: it doesn't.

        """
        now = self.ports.clock.now()
        try:
            await self.store.write(lambda unit: unit.run(_TOUCH, now=now))
        except Unavailable:
            raise
        except Exception as error:
            raise Unavailable("The store does not take writes. See the logs.", retry_after=5) from error

    async def _forget(self) -> int:
        """Forget old answers; return 0, so that the next look is an hour away."""
        now = self.ports.clock.now()
        await self.store.write(lambda unit: answers.forget_old(unit, now))
        return 0

"""The relay of a service: gives the log's rows gap-free positions, chains their hashes and publishes them in batches.

It never stops for the bus: what a publish did not reach, each consumer's pull fills in. Of several replicas the one
that holds the lease relays; its transactions lock the lease's row, so that two can never give one position twice.
"""

from dataclasses import dataclass, replace

import structlog

from firstline.common.bus import Bus, BusDown
from firstline.common.lease import Alone, Lease
from firstline.common.log import COLUMNS, LogRow, chained_hash, envelope_text
from firstline.common.ports import Ports
from firstline.common.store.port import Sql, Store, Unit

BATCH = 200
LONG_SECONDS = 1.0
REST = 3
"""A publish that failed after longer than this is followed by a rest from publishing, so many times as long: a broker
that takes connections and confirms nothing must not hold up the numbering, on which the pull depends.
"""


@dataclass(frozen=True, slots=True)
class Head:
    """Where the log stands: its id, the last position with its hash, and up to where it has been published."""

    log: str
    position: int
    hash: str
    published: int


HEAD = Sql("SELECT log, position, hash, published FROM log_relay WHERE id = 1", Head)
FIRST_HEAD: Sql[None] = Sql(
    "INSERT INTO log_relay (id, log, position, hash, published) VALUES (1, :log, 0, :hash, 0) ON CONFLICT DO NOTHING",
    type(None),
)
MOVE_HEAD: Sql[None] = Sql(
    "UPDATE log_relay SET position = :position, hash = :hash, published = :published WHERE id = 1", type(None)
)
# In the order of `seq`, in which versions of one stream follow each other: who gives the next version has seen the one
# before it committed. Between streams a late commit only gets a later position.
UNNUMBERED = Sql(f"SELECT {COLUMNS} FROM log_event WHERE position IS NULL ORDER BY seq LIMIT :limit", LogRow)  # noqa: S608
NUMBER: Sql[None] = Sql(
    "UPDATE log_event SET position = :position, hash = :hash WHERE stream = :stream AND version = :version", type(None)
)
PAGE = Sql(
    f"SELECT {COLUMNS} FROM log_event WHERE position > :after ORDER BY position LIMIT :limit",  # noqa: S608
    LogRow,
)

_log = structlog.get_logger(__name__)


class Relay:
    """Numbers and publishes one service's log."""

    def __init__(self, source: str, store: Store, bus: Bus, ports: Ports, lease: Lease | None = None) -> None:
        self._source = source
        self._store = store
        self._bus = bus
        self._ports = ports
        self._lease = lease or Alone()
        self._published: int | None = None
        self._bus_is_down = False
        self._rests_until = float("-inf")

    async def step(self) -> int:
        """Number what is new, publish what is numbered; return how many events went out.

        Raises:
            LeaseLost: another replica relays now.

        """
        # Numbering and publishing are two steps, so that the bus is never waited for inside a transaction, which would
        # keep the lease's row and the head locked.
        head, rows = await self._store.write(self._number)
        if head.published < head.position - len(rows):  # a crash came between numbering and publishing
            rows = await self._store.read(lambda unit: unit.all(PAGE, after=head.published, limit=BATCH))
        if rows:
            self._ports.reached("committed")
            await self._publish(head, rows)
            self._ports.reached("published")
        return len(rows)

    async def _publish(self, head: Head, rows: list[LogRow]) -> None:
        """Hand rows to the bus, unless it is at rest; what it doesn't take is left to the pull."""
        begun = self._ports.clock.monotonic()
        if begun >= self._rests_until:
            try:
                await self._bus.publish([envelope_text(row, self._source, head.log).encode() for row in rows])
            except BusDown as error:
                self._lost(error, self._ports.clock.monotonic() - begun)
            except Exception:
                _log.exception("publishing failed; consumers will pull", source=self._source, events=len(rows))
            else:
                self._reached()
        # Also after a failure: to publish again what consumers pull meanwhile would hold up all that is new.
        self._published = rows[-1].position

    def _lost(self, error: BusDown, took: float) -> None:
        """Say once that the bus is down, and rest from publishing where finding that out took long."""
        if not self._bus_is_down:
            _log.warning("events don't reach the bus; consumers pull them", source=self._source, reason=str(error))
        self._bus_is_down = True
        if took > LONG_SECONDS:
            self._rests_until = self._ports.clock.monotonic() + REST * took

    def _reached(self) -> None:
        """Say once that the bus is back."""
        if self._bus_is_down:
            _log.info("events reach the bus again", source=self._source)
        self._bus_is_down = False

    async def _number(self, unit: Unit) -> tuple[Head, list[LogRow]]:
        """Give positions and hashes to a batch of committed rows; return where the log stands then, and those rows.

        Positions are given here and not at the insert, because a number given at insert has gaps (rolled-back
        transactions) and shows up out of order (slow commits): a consumer that reads on from a position would miss rows
        (ADR 1).
        """
        await self._lease.guard(unit)
        head = await self._head(unit)
        # How far has been published is stored with the next numbering, which spares a transaction for each batch. After
        # a crash in between some events go out twice, and the inboxes know them.
        published = max(head.published, self._published or 0)
        rows = await unit.all(UNNUMBERED, limit=BATCH)
        position, last, numbered = head.position, head.hash, []
        for row in rows:
            position += 1
            last = chained_hash(last, row, position)
            numbered.append(replace(row, position=position, hash=last))
        await unit.many(
            NUMBER,
            [{"position": r.position, "hash": r.hash, "stream": r.stream, "version": r.version} for r in numbered],
        )
        if numbered or published != head.published:
            await unit.run(MOVE_HEAD, position=position, hash=last, published=published)
        return Head(head.log, position, last, published), numbered

    async def _head(self, unit: Unit) -> Head:
        """Return the log's head; the first time, begin the log."""
        head = await unit.one(HEAD)
        if head is None:
            log = self._ports.ids.new()
            # The chain begins with the log's own name, so that rows of one log can't be passed off as another's.
            await unit.run(FIRST_HEAD, log=log, hash=log)
            head = Head(log, 0, log, 0)
        return head


async def log_page(unit: Unit, source: str, after: int, limit: int) -> tuple[str | None, list[str]]:
    """Return the log's id (None before its first event) and envelopes after a position, for consumers that pull."""
    head = await unit.one(HEAD)
    rows = await unit.all(PAGE, after=after, limit=limit)
    if head is None:
        return None, []
    return head.log, [envelope_text(row, source, head.log) for row in rows]

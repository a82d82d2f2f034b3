"""The inbox of a service: each event applied once, in the order of its stream, in the transaction that records it.

An event ahead of its predecessor waits in the store; one whose handler fails is parked with its reason, and only its
own stream waits behind it.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from firstline.common.envelope import Envelope
from firstline.common.errors import NotFound, Unavailable
from firstline.common.heads import Heads, StreamHead
from firstline.common.ports import Clock
from firstline.common.store.port import Sql, Store, Unit
from firstline.common.telemetry import continued

Handler = Callable[[Unit, Envelope], Awaitable[None]]


class NotYet(Exception):
    """Raised by a handler that lacks something which another stream will bring; the event waits and is tried again."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An event that waits or is parked.

    Attributes:
        source: the service that told it.
        stream: what it happened to.
        version: its place in the stream.
        log: the name of the source's log; another one is another history.
        state: `waiting` for an earlier event of its stream or of another, or `parked`: its handler failed.
        reason: why, for people.
        envelope: the event as it came, JSON text.

    """

    source: str
    stream: str
    version: int
    log: str
    state: str
    reason: str
    envelope: str


@dataclass(frozen=True, slots=True)
class Place:
    """Up to where a producer's log has been read."""

    log: str
    position: int


PLACE = Sql("SELECT log, position FROM inbox_source WHERE source = :source", Place)
MOVE_PLACE: Sql[None] = Sql(
    "INSERT INTO inbox_source (source, log, position) VALUES (:source, :log, :position)"
    " ON CONFLICT (source) DO UPDATE SET log = excluded.log, position = excluded.position",
    type(None),
)

KEEP: Sql[None] = Sql(
    "INSERT INTO inbox_event (source, stream, version, log, state, reason, envelope, received_at)"
    " VALUES (:source, :stream, :version, :log, :state, :reason, :envelope, :received_at)"
    " ON CONFLICT (source, stream, version, log) DO UPDATE SET state = excluded.state, reason = excluded.reason",
    type(None),
)
_KEPT = "SELECT source, stream, version, log, state, reason, envelope FROM inbox_event"
SUCCESSOR = Sql(
    f"{_KEPT} WHERE source = :source AND stream = :stream AND version = :version AND log = :log AND state = 'waiting'",
    Kept,
)
KEPT_IN = Sql(f"{_KEPT} WHERE state = :state ORDER BY source, stream, version LIMIT :limit", Kept)
KEPT_ONE = Sql(f"{_KEPT} WHERE source = :source AND stream = :stream AND version = :version AND state = 'parked'", Kept)
DUE = Sql(
    "SELECT e.source, e.stream, e.version, e.log, e.state, e.reason, e.envelope FROM inbox_event e"
    " LEFT JOIN inbox_stream s ON s.source = e.source AND s.stream = e.stream"
    " WHERE e.state = 'waiting' AND e.version = COALESCE(s.version, 0) + 1"
    " AND (e.source, e.stream, e.log) > (:source, :stream, :log) ORDER BY e.source, e.stream, e.log LIMIT :limit",
    Kept,
)
# While one replica put an event aside, another may have applied it.
DROP_APPLIED: Sql[None] = Sql(
    "DELETE FROM inbox_event WHERE state = 'waiting' AND EXISTS"
    " (SELECT 1 FROM inbox_stream s WHERE s.source = inbox_event.source"
    " AND s.stream = inbox_event.stream AND s.log = inbox_event.log AND s.version >= inbox_event.version)",
    type(None),
)
WAITING = Sql("SELECT COUNT(*) FROM inbox_event WHERE state = 'waiting'", int)
DROP: Sql[None] = Sql(
    "DELETE FROM inbox_event WHERE source = :source AND stream = :stream AND version = :version AND log = :log",
    type(None),
)
DROP_UP_TO: Sql[None] = Sql(
    "DELETE FROM inbox_event WHERE source = :source AND stream = :stream AND version <= :version AND log = :log",
    type(None),
)

_log = structlog.get_logger(__name__)


class Inbox:
    """Applies other services' events to this one's store."""

    def __init__(self, store: Store, handlers: Mapping[str, Handler], clock: Clock, consumer: str = "") -> None:
        self._consumer = consumer
        self._store = store
        self._handlers = handlers
        self._clock = clock
        self._turn = asyncio.Lock()
        self.fates: Counter[str] = Counter()
        """How many events were applied, had been before (`repeated`), had to wait (`waiting`), or were parked."""

    async def receive(self, events: Sequence[Envelope]) -> None:
        """Record events: applied, waiting or parked; return once that is durable.

        Raises:
            Unavailable: nothing was recorded; the bus or the pull brings the events again.

        A batch is one transaction, since the commit is most of an event's cost. Where it fails, all of it has been
        rolled back, and each event gets its own transaction, so that the one at fault is found and parked alone.
        """

        async def all_at_once(unit: Unit) -> Counter[str]:
            heads, fates = Heads(), Counter[str]()
            await heads.read(unit, events)
            for event in events:
                following: Envelope | None = event
                while following is not None:
                    following = await self._take(unit, heads, following, fates)
            await heads.save(unit)
            await self._read_on(unit, events)
            return fates

        # When much has piled up, pull and bus bring the same events: one after the other they don't get into each
        # other's way, and the second has little to do.
        async with self._turn:
            try:
                # Counted after the commit: a unit may be run again, or fail.
                self.fates += await self._store.write(all_at_once)
            except Unavailable:
                raise
            except Exception:
                for event in events:
                    await self._receive_alone(event)

    async def _read_on(self, unit: Unit, events: Sequence[Envelope]) -> None:
        """Move the pull's places over what these events record without a gap, so that it needn't read it again.

        What earlier batches recorded beyond a gap doesn't count: a store may have come back without it.
        """
        logs = {event.source: event.log for event in reversed(events)}
        for source in sorted(logs):  # in one order, for two replicas lock the places of the same sources
            place = await unit.one(PLACE, source=source) or Place(logs[source], 0)
            recorded = {event.position for event in events if (event.source, event.log) == (source, place.log)}
            last = place.position
            while last + 1 in recorded:
                last += 1
            if last > place.position:
                await unit.run(MOVE_PLACE, source=source, log=place.log, position=last)

    async def _receive_alone(self, event: Envelope, *, kept: bool = False) -> None:
        """Take an event, then those that waited for it, each in its own transaction: one that fails stops no other."""
        following = await self._take_alone(event, kept=kept)
        while following is not None:
            following = await self._take_alone(following)

    async def _take_alone(self, event: Envelope, *, kept: bool = False) -> Envelope | None:
        """Take one event in a transaction of its own; return the kept one that follows it in its stream, if any.

        What fails is put aside with its reason: until its turn comes, or until somebody replays it.
        """

        async def take(unit: Unit) -> tuple[Envelope | None, Counter[str]]:
            if kept:
                # Dropped first: `_take` keeps it again, with a new reason, where its turn has still not come.
                await unit.run(DROP, **_place(event), version=event.version)
            heads, fates = Heads(), Counter[str]()
            await heads.read(unit, [event])
            following = await self._take(unit, heads, event, fates)
            await heads.save(unit)
            return following, fates

        try:
            following, fates = await self._store.write(take)
        except Unavailable:
            raise
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            # In a transaction of its own, because the one in which the handler failed has taken its record along.
            state = "waiting" if isinstance(error, NotYet) else "parked"
            if not await self._store.write(lambda unit: self._put_aside(unit, event, state, reason)):
                return None
            self.fates[state] += 1
            if state == "parked":
                place = {"type": event.type, "stream": event.stream, "version": event.version}
                _log.exception("an event was parked", consumer=self._consumer, **place)
            return None
        self.fates += fates
        return following

    async def _take(self, unit: Unit, heads: Heads, event: Envelope, fates: Counter[str]) -> Envelope | None:
        """Apply an event if its turn has come; return the one that waited for it, if any."""
        head = heads.of(event)
        objection = _objection(head, event)
        if objection is not None:
            await self._keep(unit, event, *objection)
            heads.keep(event)
            fates[objection[0]] += 1
            return None
        if event.version <= head.version:
            fates["repeated"] += 1
            if event.log != head.log:  # the hash proves that the logs are one up to here
                heads.move(event)
                await unit.run(DROP_UP_TO, **_place(event), version=event.version)
            return None
        await self._apply(unit, event)
        heads.move(event)
        fates["applied"] += 1
        return await self._successor(unit, event) if heads.has_kept(event) else None

    async def _apply(self, unit: Unit, event: Envelope) -> None:
        """Let the handler have an event, under the trace of the request that it comes from."""
        # Types nobody handles are recorded all the same: their versions are part of the stream's order.
        handler = self._handlers.get(event.type)
        if handler is not None:
            with continued(f"{self._consumer} {event.type}", event.traceparent):
                await handler(unit, event)

    async def _successor(self, unit: Unit, event: Envelope) -> Envelope | None:
        """Drop an event that was kept and is applied now; return the one that waited for it."""
        await unit.run(DROP, **_place(event), version=event.version)
        kept = await unit.one(SUCCESSOR, **_place(event), version=event.version + 1)
        return Envelope.model_validate_json(kept.envelope) if kept else None

    async def _put_aside(self, unit: Unit, event: Envelope, state: str, reason: str) -> bool:
        """Keep an event whose handler failed, unless another replica has applied it by now; say whether it is kept.

        The head is read under its lock, so that "by now" holds until this commit.
        """
        heads = Heads()
        await heads.read(unit, [event])
        head = heads.of(event)
        if head.log == event.log and head.version >= event.version:
            return False
        await self._keep(unit, event, state, reason)
        return True

    async def _keep(self, unit: Unit, event: Envelope, state: str, reason: str) -> None:
        """Store an event that isn't applied yet, or can't be."""
        await unit.run(
            KEEP,
            source=event.source,
            stream=event.stream,
            version=event.version,
            log=event.log,
            state=state,
            reason=_storable(reason[:1000]),
            envelope=event.model_dump_json(),
            received_at=self._clock.now(),
        )

    async def retry_waiting(self, limit: int = 200) -> int:
        """Try events again that waited for another stream, `limit` at a time; return how many are left waiting."""
        await self._store.write(lambda unit: unit.run(DROP_APPLIED))
        # By key from one to the next: what says "not yet" once more is not met again in this round.
        after = ("", "", "")
        while page := await self._due(*after, limit):
            for row in page:
                await self._again(row)
            after = (page[-1].source, page[-1].stream, page[-1].log)
        return await self._store.read(lambda unit: unit.one(WAITING)) or 0

    async def _due(self, source: str, stream: str, log: str, limit: int) -> list[Kept]:
        """Return the events after a place whose turn has come in their streams, though they wait for another."""
        return await self._store.read(lambda unit: unit.all(DUE, source=source, stream=stream, log=log, limit=limit))

    async def parked(self, limit: int = 100) -> list[Kept]:
        """Return events that are parked, for an operator."""
        return await self._store.read(lambda unit: unit.all(KEPT_IN, state="parked", limit=limit))

    async def replay(self, source: str, stream: str, version: int) -> None:
        """Take a parked event anew, after what stopped it was mended.

        Raises:
            NotFound: no such event is parked.

        """
        kept = await self._store.read(lambda unit: unit.one(KEPT_ONE, source=source, stream=stream, version=version))
        if kept is None:
            raise NotFound("No such event is parked; list the parked events first.")
        await self._again(kept)

    async def _again(self, kept: Kept) -> None:
        """Drop a kept event and receive it as if it came now; it is kept again if its turn has not come."""
        await self._receive_alone(Envelope.model_validate_json(kept.envelope), kept=True)


def _place(event: Envelope) -> dict[str, str]:
    """Return where an event stands."""
    return {"source": event.source, "stream": event.stream, "log": event.log}


def _objection(head: StreamHead, event: Envelope) -> tuple[str, str] | None:
    """Say why an event can't be taken now, if it can't: the state in which it is kept, and the reason."""
    same = (event.version, event.hash) == (head.version, head.hash)
    if event.log != head.log and not same:
        return "parked", f"the log is another one now (a restore?): {head.log} before"
    if event.version == head.version and not same:
        return "parked", "this version was applied with another content"
    if event.version > head.version + 1:
        return "waiting", f"version {head.version + 1} is missing"
    return None


def _storable(text: str) -> str:
    """Return an error's text without what no store keeps; a reason must never stop its event from being parked."""
    return text.replace("\0", "?").encode(errors="replace").decode()

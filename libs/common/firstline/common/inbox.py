"""The inbox of a service: each event applied once, in the order of its stream, in the transaction that records it.

An event ahead of its predecessor waits in the store; one whose handler fails is parked with its reason, and only its
own stream waits behind it.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from firstline.common.envelope import Envelope
from firstline.common.errors import NotFound, Unavailable
from firstline.common.ports import Clock
from firstline.common.store.port import Sql, Store, Unit

Handler = Callable[[Unit, Envelope], Awaitable[None]]


class NotYet(Exception):
    """Raised by a handler that lacks something which another stream will bring; the event waits and is tried again."""


@dataclass(frozen=True, slots=True)
class StreamHead:
    """The last event applied of a stream."""

    log: str
    version: int
    hash: str


@dataclass(frozen=True, slots=True)
class Kept:
    """An event that waits or is parked."""

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

STREAM_HEAD = Sql("SELECT log, version, hash FROM inbox_stream WHERE source = :source AND stream = :stream", StreamHead)
MOVE_STREAM: Sql[None] = Sql(
    "INSERT INTO inbox_stream (source, stream, log, version, hash) VALUES (:source, :stream, :log, :version, :hash)"
    " ON CONFLICT (source, stream) DO UPDATE SET log = excluded.log, version = excluded.version, hash = excluded.hash",
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
DROP: Sql[None] = Sql(
    "DELETE FROM inbox_event WHERE source = :source AND stream = :stream AND version = :version AND log = :log",
    type(None),
)

_log = structlog.get_logger(__name__)


class Inbox:
    """Applies other services' events to this one's store."""

    def __init__(self, store: Store, handlers: Mapping[str, Handler], clock: Clock) -> None:
        self._store = store
        self._handlers = handlers
        self._clock = clock

    async def receive(self, events: Sequence[Envelope]) -> None:
        """Record events: applied, waiting or parked; return once that is durable.

        Raises:
            Unavailable: nothing was recorded; the bus or the pull brings the events again.

        """

        async def all_at_once(unit: Unit) -> None:
            for event in events:
                await self._take(unit, event)
            await self._read_on(unit, events)

        try:
            await self._store.write(all_at_once)
        except Unavailable:
            raise
        except Exception:
            for event in events:
                await self._receive_alone(event)

    async def _read_on(self, unit: Unit, events: Sequence[Envelope]) -> None:
        """Move the pull's place where these events follow it without a gap, so that it needn't read them again."""
        first, last = events[0], events[-1]
        place = await unit.one(PLACE, source=first.source)
        follows = (place.position if place else 0) + 1 == first.position
        if follows and last.position - first.position == len(events) - 1:
            await unit.run(MOVE_PLACE, source=first.source, log=first.log, position=last.position)

    async def _receive_alone(self, event: Envelope) -> None:
        try:
            await self._store.write(lambda unit: self._take(unit, event))
        except Unavailable:
            raise
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            state = "waiting" if isinstance(error, NotYet) else "parked"
            await self._store.write(lambda unit: self._keep(unit, event, state, reason))
            if state == "parked":
                _log.exception("an event was parked", type=event.type, stream=event.stream, version=event.version)

    async def _take(self, unit: Unit, event: Envelope) -> None:
        """Apply an event if its turn has come, and after it those that waited for it."""
        head = await unit.one(STREAM_HEAD, source=event.source, stream=event.stream)
        if head is not None and head.log != event.log:
            await self._keep(unit, event, "parked", f"the log is another one now (a restore?): {head.log} before")
            return
        version = head.version if head else 0
        if event.version <= version:
            if head and event.version == version and event.hash != head.hash:
                await self._keep(unit, event, "parked", "this version was applied with another content")
            return
        if event.version > version + 1:
            await self._keep(unit, event, "waiting", f"version {version + 1} is missing")
            return
        following: Envelope | None = event
        while following is not None:
            following = await self._apply(unit, following)

    async def _apply(self, unit: Unit, event: Envelope) -> Envelope | None:
        """Apply an event whose turn it is; return the one that waited for it, if any."""
        handler = self._handlers.get(event.type)
        if handler is not None:
            await handler(unit, event)
        place = {"source": event.source, "stream": event.stream, "log": event.log}
        await unit.run(MOVE_STREAM, **place, version=event.version, hash=event.hash)
        kept = await unit.one(SUCCESSOR, **place, version=event.version + 1)
        if kept is None:
            return None
        await unit.run(DROP, **place, version=kept.version)
        return Envelope.model_validate_json(kept.envelope)

    async def _keep(self, unit: Unit, event: Envelope, state: str, reason: str) -> None:
        await unit.run(
            KEEP,
            source=event.source,
            stream=event.stream,
            version=event.version,
            log=event.log,
            state=state,
            reason=reason[:1000],
            envelope=event.model_dump_json(),
            received_at=self._clock.now(),
        )

    async def retry_waiting(self, limit: int = 200) -> int:
        """Try events again that waited for another stream; return how many are left waiting."""
        kept = await self._store.read(lambda unit: unit.all(KEPT_IN, state="waiting", limit=limit))
        for row in kept:
            await self._again(row)
        left = await self._store.read(lambda unit: unit.all(KEPT_IN, state="waiting", limit=limit))
        return len(left)

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
        event = Envelope.model_validate_json(kept.envelope)

        async def drop_and_take(unit: Unit) -> None:
            await unit.run(DROP, source=kept.source, stream=kept.stream, version=kept.version, log=kept.log)
            await self._take(unit, event)

        try:
            await self._store.write(drop_and_take)
        except Unavailable:
            raise
        except Exception as error:
            reason, state = f"{type(error).__name__}: {error}", "parked"
            if isinstance(error, NotYet):
                state = "waiting"
            await self._store.write(lambda unit: self._keep(unit, event, state, reason))

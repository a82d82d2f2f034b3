"""The log of a service: one table that is outbox, audit trail and source of replay.

Rows are appended unnumbered in the transaction that makes the change; the relay numbers, chains and publishes them.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from opentelemetry import trace

from firstline.common.events import EventData
from firstline.common.ports import Ports
from firstline.common.store.port import Sql, Unit, Value

CHANNEL = "log"
"""Announced by every transaction that appends, so that the relay wakes."""

APPEND: Sql[None] = Sql(
    "INSERT INTO log_event (id, stream, version, type, time, subject, data, salt, data_hash, traceparent)"
    " VALUES (:id, :stream, :version, :type, :time, :subject, :data, :salt, :data_hash, :traceparent)",
    type(None),
)
STREAM_VERSION = Sql("SELECT COALESCE(MAX(version), 0) FROM log_event WHERE stream = :stream", int)
ADD_NEXT: Sql[None] = Sql(
    "INSERT INTO log_event (id, stream, version, type, time, subject, data, salt, data_hash, traceparent) VALUES"
    " (:id, :stream, (SELECT COALESCE(MAX(version), 0) + 1 FROM log_event WHERE stream = :stream), :type, :time,"
    " :subject, :data, :salt, :data_hash, :traceparent)",
    type(None),
)
APPEND_NEXT = Sql(f"{ADD_NEXT.text} RETURNING version", int)


@dataclass(frozen=True, slots=True)
class LogRow:
    """A row of the log as it is read; `data` is JSON text, None once erased.

    Attributes:
        id: the event's ID, by which consumers and readers recognise it.
        stream: kind and ID of what it happened to, such as `ticket/…`.
        version: its place in the stream, from 1 and without gaps.
        type: such as `ticket.replied`; the catalogue has a model for each.
        time: when it happened, product time.
        subject: the request that it concerns, where the stream's name doesn't say so.
        data: what it says.
        data_hash: the salted SHA-256 of the data, which stays when the data is erased.
        traceparent: the trace that it belongs to (W3C Trace Context).
        position: its place in the log, from 1 and without gaps; None until the relay has numbered it.
        hash: SHA-256 of the row before and of this one: the chain.

    """

    id: str
    stream: str
    version: int
    type: str
    time: datetime
    subject: str | None
    data: str | None
    data_hash: str
    traceparent: str | None
    position: int | None
    hash: str | None


_encode = json.JSONEncoder(separators=(",", ":")).encode
COLUMNS = "id, stream, version, type, time, subject, data, data_hash, traceparent, position, hash"
STREAM_EVENTS = Sql(
    f"SELECT {COLUMNS} FROM log_event WHERE stream = :stream AND version > :after ORDER BY version LIMIT :limit",  # noqa: S608
    LogRow,
)


class Log:
    """Appends a service's events."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    async def append(self, unit: Unit, stream: str, *events: EventData, subject: str | None = None) -> int:
        """Append events to a stream in the caller's transaction; return the stream's version afterwards.

        `subject` is the ticket's ID where the stream's name does not hold it.

        Two transactions that append to one stream at once compute the same version; the unique key refuses the second,
        and the store runs its unit again.
        """
        if not events:
            return await unit.one(STREAM_VERSION, stream=stream) or 0
        version = 0
        for row in self.rows(stream, 0, *events, subject=subject):
            version = await unit.one(APPEND_NEXT, **row) or 0
        unit.announce(CHANNEL)
        return version

    def tell(self, unit: Unit, stream: str, *events: EventData, subject: str | None = None) -> None:
        """Append events at the end of the caller's transaction, together with all others that it tells.

        For units that need no version: it costs no exchange of its own.
        """
        for row in self.rows(stream, 0, *events, subject=subject):
            unit.later(ADD_NEXT, **row)
            unit.announce(CHANNEL)

    def rows(
        self, stream: str, version: int, *events: EventData, subject: str | None = None
    ) -> list[Mapping[str, Value]]:
        """Return the rows of events that follow one another from `version` on, for APPEND."""
        now = self._ports.clock.now()
        parent = current_traceparent()
        kind, _, identity = stream.partition("/")
        # Streams of queue's entries are named by the ticket's ID as well.
        about = subject or (identity if kind in ("ticket", "entry") else None)
        return [self._row(stream, version + i, event, now, parent, about) for i, event in enumerate(events)]

    def _row(
        self, stream: str, version: int, event: EventData, now: datetime, parent: str | None, subject: str | None
    ) -> Mapping[str, Value]:
        """Return an event as a row of the outbox, which gets its position from the relay."""
        data = event.model_dump_json()
        # A salt of 128 bits: many events have so little data that their plain hash would give it away after an erasure.
        salt = self._ports.random.bytes(16).hex()
        return {
            "id": self._ports.ids.new(),
            "stream": stream,
            "version": version,
            "type": event.TYPE,
            "time": now,
            "subject": subject,
            "data": data,
            "salt": salt,
            "data_hash": salted_hash(salt, data),
            "traceparent": parent,
        }


def salted_hash(salt: str, data: str) -> str:
    """Return the hash of the data that stays verifiable, and can't be guessed, once salt and data are erased."""
    return hashlib.sha256(f"{salt}:{data}".encode()).hexdigest()


def chained_hash(previous: str, row: LogRow, position: int) -> str:
    """Return the hash of a row at its position: H(previous hash, hash of the salted data, metadata)."""
    time = row.time.isoformat()
    names = (row.id, row.stream, row.version, row.type, time, row.subject, row.traceparent)
    # JSON, so that no two sets of facts read alike: joined texts could move a character from one to the next.
    facts = json.dumps((previous, position, row.data_hash, *names), separators=(",", ":"))
    return hashlib.sha256(facts.encode()).hexdigest()


def current_traceparent() -> str | None:
    """Return the W3C traceparent of the span at hand, or None where there is none."""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"


def envelope_text(row: LogRow, source: str, log: str) -> str:
    """Return a numbered row as the JSON of its envelope, without parsing its data.

    Data were written as JSON by this service itself, and go in as they are: nobody reads them on
    the way to the bus.
    """
    members = {
        "specversion": "1.0",
        "id": row.id,
        "type": row.type,
        "source": source,
        "time": row.time.isoformat().replace("+00:00", "Z"),
        "subject": row.subject,
        "stream": row.stream,
        "version": row.version,
        "log": log,
        "position": row.position,
        "hash": row.hash,
        "traceparent": row.traceparent,
        "datacontenttype": "application/json",
        "dataschema": f"/v1/schemas/{row.type}",
    }
    text = _encode({name: value for name, value in members.items() if value is not None})
    return f'{text[:-1]},"data":{row.data or "{}"}}}'

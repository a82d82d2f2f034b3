"""The log: events appended in the caller's transaction, with gap-free versions and hashes that give changes away."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from firstline.common.envelope import Envelope
from firstline.common.errors import NotFound
from firstline.common.events import Actor, TicketNoted
from firstline.common.log import APPEND, CHANNEL, STREAM_EVENTS, Log, LogRow, chained_hash, envelope_text, salted_hash
from firstline.common.ports import ManualClock, Ports
from firstline.common.store.port import Insertion, Store, Unit
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

pytestmark = pytest.mark.both_stores

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ROW = LogRow("id", "ticket/1", 2, "ticket.noted", NOON, "1", '{"a":"ü"}', "digest", "00-a-b-01", 7, "hash")


def noted(message_id: str = "m") -> TicketNoted:
    """Return an event."""
    return TicketNoted(
        actor=Actor(id="anna", role="agent"), number="FL-7K3M-9QPX", status="open", message_id=message_id
    )


def appending(log: Log, stream: str, *messages: str) -> Callable[[Unit], Awaitable[int]]:
    """Return a unit of work that appends an event for each message."""
    return lambda unit: log.append(unit, stream, *(noted(message) for message in messages))


async def events_of(store: Store, stream: str, after: int = 0, limit: int = 1000) -> list[LogRow]:
    """Return a stream's rows."""
    return await store.read(lambda unit: unit.all(STREAM_EVENTS, stream=stream, after=after, limit=limit))


async def test_versions_count_from_one_within_each_stream(store: Store, ports: Ports) -> None:
    """Each stream's versions are 1, 2, 3 ... in the order of appending, and `append` returns the last."""
    log = Log(ports)
    assert await store.write(appending(log, "ticket/1", "a", "b")) == 2
    assert await store.write(appending(log, "ticket/2", "c")) == 1
    assert await store.write(appending(log, "ticket/1", "d")) == 3
    rows = await events_of(store, "ticket/1")
    found = [(row.version, TicketNoted.model_validate_json(row.data or "").message_id) for row in rows]
    assert found == [(1, "a"), (2, "b"), (3, "d")]
    assert [row.version for row in await events_of(store, "ticket/1", after=1, limit=1)] == [2]


async def test_a_row_says_when_what_and_about_whom(store: Store, ports: Ports, clock: ManualClock) -> None:
    """A row carries product time, type, data, a new UUIDv7 and no place yet."""
    clock.move(NOON + timedelta(minutes=1))
    await store.write(appending(Log(ports), "ticket/1", "a", "b"))
    first, second = await events_of(store, "ticket/1")
    assert (first.time, first.type, first.subject) == (clock.now(), "ticket.noted", "1")
    assert first.data == noted("a").model_dump_json()
    assert (first.position, first.hash, first.traceparent) == (None, None, None)
    assert (first.id[14], first.id != second.id) == ("7", True)


@pytest.mark.parametrize(
    ("stream", "subject"),
    [("ticket/1", "1"), ("entry/1", "1"), ("clock/1", None), ("person/1", None), ("policy/bitrix24", None)],
)
async def test_subjects_are_tickets(store: Store, ports: Ports, stream: str, subject: str | None) -> None:
    """Events of a ticket or of its entry have the ticket as subject, others none."""
    await store.write(appending(Log(ports), stream, "a"))
    assert [row.subject for row in await events_of(store, stream)] == [subject]


async def test_a_subject_may_be_said(store: Store, ports: Ports) -> None:
    """Where the stream's name does not hold the ticket the producer names it."""
    await store.write(lambda unit: Log(ports).append(unit, "clock/9", noted(), subject="1"))
    assert [row.subject for row in await events_of(store, "clock/9")] == ["1"]


async def test_concurrent_appends_leave_no_gap(store: Store, ports: Ports) -> None:
    """Sixty concurrent units on three streams leave versions 1 to n in each, whichever of them fail."""
    log = Log(ports)

    async def one(number: int) -> None:
        async def work(unit: Unit) -> None:
            await log.append(unit, f"ticket/{number % 3}", noted(f"m{number}"), noted(f"n{number}"))
            if number % 5 == 0:
                raise NotFound("nothing here")

        await store.write(work)

    results = await asyncio.gather(*(one(number) for number in range(60)), return_exceptions=True)
    assert sum(isinstance(result, NotFound) for result in results) == 12
    for stream in range(3):
        assert [row.version for row in await events_of(store, f"ticket/{stream}")] == list(range(1, 33))


async def test_appending_wakes_the_relay(store: Store, ports: Ports) -> None:
    """A committed append is announced, and one that failed is not."""
    woken = store.listen(CHANNEL)
    await asyncio.sleep(0.2)  # a store of several processes also wakes its listeners once it hears the others
    woken.clear()

    async def fail(unit: Unit) -> None:
        await Log(ports).append(unit, "ticket/1", noted())
        raise NotFound("nothing here")

    with pytest.raises(NotFound):
        await store.write(fail)
    assert not woken.is_set()
    await store.write(appending(Log(ports), "ticket/1", "a"))
    assert woken.is_set()


async def test_a_new_stream_goes_in_by_insertion(store: Store, ports: Ports) -> None:
    """Rows made beforehand are inserted in one group, and a version that is taken refuses them."""
    rows = tuple((APPEND, row) for row in Log(ports).rows("ticket/1", 1, noted("a"), noted("b")))
    assert await store.insert(Insertion(rows, (CHANNEL,)))
    taken = tuple((APPEND, row) for row in Log(ports).rows("ticket/1", 2, noted("c")))
    assert not await store.insert(Insertion(taken))
    assert [row.version for row in await events_of(store, "ticket/1")] == [1, 2]


async def test_the_trace_of_the_caller_is_kept(store: Store, ports: Ports) -> None:
    """An event appended inside a span carries that span's W3C traceparent, though another task runs the unit."""
    with TracerProvider().get_tracer("test").start_as_current_span("request") as span:
        await store.write(appending(Log(ports), "ticket/1", "a"))
    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier, set_span_in_context(span))
    (row,) = await events_of(store, "ticket/1")
    assert row.traceparent == carrier["traceparent"]


async def test_data_is_hashed_with_a_salt_of_its_own(store: Store, ports: Ports) -> None:
    """Equal data has different hashes, so that an erased value can't be guessed from its hash."""
    await store.write(appending(Log(ports), "ticket/1", "a", "a"))
    first, second = await events_of(store, "ticket/1")
    assert first.data == second.data
    assert first.data_hash != second.data_hash
    assert salted_hash("salt", "dätä") == hashlib.sha256("salt:dätä".encode()).hexdigest()


@pytest.mark.parametrize(
    "changed",
    [
        {"id": "other"},
        {"stream": "ticket/2"},
        {"version": 3},
        {"type": "ticket.opened"},
        {"time": NOON + timedelta(microseconds=1)},
        {"subject": "2"},
        {"subject": None},
        {"traceparent": None},
        {"data_hash": "forged"},
    ],
)
def test_every_fact_is_in_the_chained_hash(changed: dict[str, Any]) -> None:
    """Changing any member of a row, its position or what came before changes its hash."""
    assert chained_hash("before", replace(ROW, **changed), 7) != chained_hash("before", ROW, 7)
    assert chained_hash("before", ROW, 7) == chained_hash("before", ROW, 7)
    assert len({chained_hash("before", ROW, 7), chained_hash("before", ROW, 8), chained_hash("else", ROW, 7)}) == 3


def test_data_does_not_matter_once_it_is_erased() -> None:
    """The chained hash stands on the data's hash, so that it still verifies after the data was erased."""
    assert chained_hash("before", replace(ROW, data=None), 7) == chained_hash("before", ROW, 7)


def test_an_envelope_is_a_cloud_event() -> None:
    """A numbered row becomes CloudEvents JSON with its place in stream and log; absent members are left out."""
    envelope = Envelope.model_validate_json(envelope_text(replace(ROW, traceparent=None), "intake", "log-1"))
    assert envelope == Envelope(
        id="id",
        type="ticket.noted",
        source="intake",
        time=NOON,
        subject="1",
        stream="ticket/1",
        version=2,
        log="log-1",
        position=7,
        hash="hash",
        dataschema="/v1/schemas/ticket.noted",
        data={"a": "ü"},
    )
    assert "traceparent" not in envelope_text(replace(ROW, traceparent=None), "intake", "log-1")


def test_an_erased_row_is_an_envelope_without_data() -> None:
    """After its data was erased a row still travels, empty."""
    assert Envelope.model_validate_json(envelope_text(replace(ROW, data=None), "intake", "log-1")).data == {}


async def test_appending_nothing_tells_where_the_stream_is(store: Store, ports: Ports) -> None:
    """An append without events changes nothing and returns the stream's version."""
    log = Log(ports)
    assert await store.write(lambda unit: log.append(unit, "ticket/1")) == 0
    await store.write(appending(log, "ticket/1", "a", "b"))
    assert await store.write(lambda unit: log.append(unit, "ticket/1")) == 2
    assert len(await events_of(store, "ticket/1")) == 2

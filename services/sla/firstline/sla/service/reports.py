"""Reports over a span of time, read in portions so that other work goes on between them (clauses 2.1, 2.3)."""

from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from functools import partial

from firstline.common.store.port import Store, Unit, Value
from firstline.sla.answers import once, uncut
from firstline.sla.reports import By, Groups, Report, ReportName
from firstline.sla.service.clocks import Sla
from firstline.sla.store.records import ENDED_IN, LATE_NOW, TAKEN_IN, Ended, LateNow, Taken

ROWS_A_READ = 500
"""So many rows are read and summed at a time: some milliseconds, in which nobody else is served on SQLite."""


async def make_report(sla: Sla, name: ReportName, by: By, start: datetime, until: datetime) -> Report:
    """Return a report on what ended, or came in, from `start` until before `until`."""
    store = sla.runtime.store
    groups = Groups(name, by)
    portions = _taken_alone(store, start, until) if name == "requests" else _ended_once(store, start, until)
    async for portion in portions:
        for rows in portion:
            groups.add(*rows)
        # Lets waiting callers in: summing never waits for anything by itself.
        await sla.runtime.ports.clock.sleep(0)
    return groups.report()


async def _ended_once(store: Store, start: datetime, until: datetime) -> AsyncIterator[Iterable[tuple[Ended, ...]]]:
    """Yield the runs that ended in a span, by the events that ended them, in portions."""
    async for portion in ended_in(store, start, until):
        yield once(portion)


async def _taken_alone(store: Store, start: datetime, until: datetime) -> AsyncIterator[Iterable[tuple[Taken, ...]]]:
    """Yield the requests that came in in a span, each by itself, in portions."""
    async for portion in taken_in(store, start, until):
        yield ((row,) for row in portion)


async def ended_in(store: Store, start: datetime, until: datetime) -> AsyncIterator[list[Ended]]:
    """Yield the runs that ended in a span, in order of time, in portions that part no two that one event has ended."""
    after = (start, "", "", "")
    while True:
        portion = await store.read(partial(_ended, until, after))
        more = len(portion) == ROWS_A_READ
        portion = uncut(portion) if more else portion
        if portion:
            yield portion
        if not more:
            return
        last = portion[-1]
        after = (last.ended_at, last.ticket_id, last.target, last.ended_by)


async def _ended(until: datetime, after: tuple[datetime, str, str, str], unit: Unit) -> list[Ended]:
    """Return a portion of the runs that ended, after a place."""
    at, ticket_id, target, event = after
    place: dict[str, Value] = {"after": at, "after_id": ticket_id, "after_target": target, "after_event": event}
    return await unit.all(ENDED_IN, until=until, limit=ROWS_A_READ, **place)


async def taken_in(store: Store, start: datetime, until: datetime) -> AsyncIterator[list[Taken]]:
    """Yield the requests that came in in a span, in order of time, in portions."""
    after = (start, "")
    while True:
        portion = await store.read(partial(_taken, until, after))
        if portion:
            yield portion
        if len(portion) < ROWS_A_READ:
            return
        after = (portion[-1].taken_at, portion[-1].ticket_id)


async def _taken(until: datetime, after: tuple[datetime, str], unit: Unit) -> list[Taken]:
    """Return a portion of the requests that came in, after a place."""
    return await unit.all(TAKEN_IN, until=until, after=after[0], after_id=after[1], limit=ROWS_A_READ)


async def late_now(unit: Unit) -> list[LateNow]:
    """Return how many clocks of each target are late and unanswered now."""
    return await unit.all(LATE_NOW)

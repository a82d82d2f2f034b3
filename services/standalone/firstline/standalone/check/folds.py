"""Whether what queue keeps (P15, P18), and what sla told (P20), is what the history gives when it is told anew."""

from bisect import bisect_right
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from firstline.common.events import (
    CATALOGUE,
    ClockBreached,
    ClockEvent,
    ClockScheduled,
    ClockWarned,
    QueueClaimed,
    QueueEvent,
    TicketEvent,
)
from firstline.common.log import LogRow
from firstline.common.store.port import Sql
from firstline.queue.entry import Entry, Rules, fold
from firstline.queue.store import ENTRIES_AFTER
from firstline.standalone.check.books import Books, Finding
from firstline.standalone.check.logs import LIMIT


@dataclass(frozen=True, slots=True)
class Ruled:
    """The order that a policy version sets, and from when."""

    effective_from: datetime
    levels: list[str]
    max_in_a_row: int


# Apart from queue's own statements, which would overlook what they themselves lose.
NOT_SERVED = Sql(
    "SELECT ticket_id FROM queue_entry WHERE turn IS NOT NULL AND (agent IS NULL AND free_turn IS NULL"
    " OR agent IS NOT NULL AND lease_expires_at < :before) ORDER BY ticket_id LIMIT :limit",
    str,
)
ORDERS = Sql("SELECT effective_from, levels, max_in_a_row FROM queue_policy ORDER BY effective_from, version", Ruled)


async def orders(books: Books) -> list[Ruled]:
    """Return the orders of all policy versions, by the time from which they hold."""
    return await books.stores["queue"].read(lambda unit: unit.all(ORDERS))


class Entries:
    """Tells intake's log anew, as queue should have heard it.

    By queue's own `fold`, on purpose: what is looked for are events that were lost, repeated or applied in another
    order. Whether `fold` itself is right, tests say.
    """

    def __init__(self, ruled: list[Ruled]) -> None:
        self.found: dict[str, Entry | None] = {}
        """None for a request of which something was erased."""

        self._from = [one.effective_from for one in ruled]
        self._rules = [Rules(tuple(one.levels), one.max_in_a_row) for one in ruled]

    def read(self, row: LogRow) -> Iterator[Finding]:
        """Take the next row."""
        kind, _, ticket_id = row.stream.partition("/")
        if kind != "ticket":
            return
        before = self.found.get(ticket_id)
        if row.data is None or (before is None and ticket_id in self.found):
            self.found[ticket_id] = None
            return
        event = cast("TicketEvent", CATALOGUE[row.type].model_validate_json(row.data))
        try:
            self.found[ticket_id] = fold(before, ticket_id, event, row.time, row.position or 0, self._at(row.time))
        except LookupError:
            yield Finding("P4", "intake", row.stream, "its first event is not its submission")

    def _at(self, time: datetime) -> Rules:
        """Return the order that held at a time."""
        index = bisect_right(self._from, time)
        return self._rules[index - 1] if index else Rules()


async def queue_differs(books: Books, entries: Entries) -> AsyncIterator[Finding]:
    """Yield the entries that are not what intake's log makes of them."""
    left = {ticket_id: entry for ticket_id, entry in entries.found.items() if entry is not None}
    async for page in books.rows("queue", ENTRIES_AFTER, lambda entry: entry.ticket_id):
        for kept in page:
            books.looked["P18"] += 1
            # What is left in the end is what queue has never heard of.
            told = left.pop(kept.ticket_id, None)
            if told is None and entries.found.get(kept.ticket_id, kept) is None:
                continue  # erased in part: nobody can tell any more
            if told is None or _place(told) != _place(kept):
                what = f"the log tells {_place(told) if told else 'nothing of it'}"
                yield Finding("P18", "queue", f"ticket {kept.ticket_id}: {_place(kept)}", what)
    for ticket_id in left:
        yield Finding("P18", "queue", f"ticket {ticket_id}", "queue has never heard of it")
    stuck = books.stores["queue"].read(lambda unit: unit.all(NOT_SERVED, before=books.settled_before, limit=LIMIT))
    for ticket_id in await stuck:
        yield Finding("P18", "queue", f"ticket {ticket_id}", "it waits, and nobody can claim it")


def _place(entry: Entry) -> str:
    """Return what of an entry has to agree: status, turn and key; claims and owners are in no event of intake's."""
    key = f"since {entry.since}, position {entry.position}" if entry.key else "no place"
    return f"{entry.status}, {'out of turn' if entry.out_of_turn else 'in turn'}, {key}"


class Fences:
    """Follows queue's log: each claim of a request has a higher fence than all before it."""

    def __init__(self) -> None:
        self.count = 0
        self._highest: dict[str, int] = {}

    def read(self, row: LogRow) -> Iterator[Finding]:
        """Take the next row."""
        if row.data is None or not row.type.startswith("queue."):
            return
        fence = cast("QueueEvent", CATALOGUE[row.type].model_validate_json(row.data)).fence
        highest = self._highest.get(row.stream, 0)
        claimed = row.type == QueueClaimed.TYPE
        self.count += claimed
        if claimed and fence <= highest:
            yield Finding("P15", "queue", f"{row.stream} version {row.version}", f"fence {fence} after {highest}")
        # Of all events and not of claims alone: a transfer has a fence, too, that the next claim must exceed.
        self._highest[row.stream] = max(fence, highest)


class Milestones:
    """Follows sla's log: no warning and no breach twice of one deadline once scheduled, no breach early.

    Of several warnings each is known by the minutes that are counted at its instant.
    """

    def __init__(self) -> None:
        self.count = 0
        self._told: dict[str, set[tuple[str, datetime | None, float]]] = {}

    def read(self, row: LogRow) -> Iterator[Finding]:
        """Take the next row."""
        if row.type == ClockScheduled.TYPE:
            # A clock that is scheduled anew may reach the same deadline again, and is then told of it again.
            self._told.pop(row.stream, None)
        if row.type not in (ClockWarned.TYPE, ClockBreached.TYPE) or row.data is None:
            return
        self.count += 1
        event = cast("ClockEvent", CATALOGUE[row.type].model_validate_json(row.data))
        due_at, counted = event.due_at, event.elapsed_minutes
        place = f"{row.stream} version {row.version}"
        told = self._told.setdefault(row.stream, set())
        if (row.type, due_at, counted) in told:
            yield Finding("P20", "sla", place, f"{row.type} for a second time")
        if row.type == ClockBreached.TYPE and due_at is not None and row.time < due_at:
            yield Finding("P20", "sla", place, f"told at {row.time}, before the deadline {due_at}")
        told.add((row.type, due_at, counted))

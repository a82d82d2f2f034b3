"""Whether what queue (P15, P18) and sla (P19, P20) keep is what the history gives when it is told anew."""

from bisect import bisect_right
from collections.abc import AsyncIterator, Iterable, Iterator
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
from firstline.common.policy.model import Policy
from firstline.common.store.port import Sql
from firstline.queue.entry import Entry, Rules, fold
from firstline.queue.store import ENTRIES_AFTER
from firstline.sla.service.clocks import fold_facts
from firstline.sla.service.terms import Terms, terms_of
from firstline.sla.store import CLOCKS_OF, FACTS, POLICY, TICKETS_AFTER, StoredClock, Ticket
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


async def clocks_differ(books: Books, tickets: Iterable[str]) -> AsyncIterator[Finding]:
    """Yield the clocks that are not what sla's history gives, and requests and deadlines that it missed."""
    left = set(tickets)
    terms: dict[str, Terms | None] = {}
    async for page in books.rows("sla", TICKETS_AFTER, lambda ticket: ticket.id):
        ids = [ticket.id for ticket in page]
        kept: dict[str, dict[str, StoredClock]] = {ticket_id: {} for ticket_id in ids}
        for clock in await books.stores["sla"].read(lambda unit, ids=ids: unit.all(CLOCKS_OF, ticket_ids=ids)):  # type: ignore[misc]
            kept[clock.ticket_id][clock.target] = clock
        left -= set(ids)
        for ticket in page:
            if ticket.policy_version not in terms:
                terms[ticket.policy_version] = await _terms(books, ticket.policy_version)
            async for finding in _of_ticket(books, ticket, terms[ticket.policy_version], kept[ticket.id]):
                yield finding
    for ticket_id in left:
        yield Finding("P19", "sla", f"ticket {ticket_id}", "sla has never heard of it")


def _told_at(terms: Terms, due_at: datetime) -> datetime:
    """Return when a breach is told: it may wait until staff are back."""
    return terms.staff.add(due_at, 0) if terms.staff else due_at


async def _terms(books: Books, version: str) -> Terms | None:
    """Return what a policy version says of clocks; None where sla has never heard of it."""
    document = await books.stores["sla"].read(lambda unit: unit.one(POLICY, version=version))
    return None if document is None else terms_of(Policy.from_document(document))


async def _of_ticket(
    books: Books, ticket: Ticket, terms: Terms | None, kept: dict[str, StoredClock]
) -> AsyncIterator[Finding]:
    """Yield what is wrong with one request's clocks."""
    if terms is None:
        yield Finding("P19", "sla", f"ticket {ticket.id}", f"its policy {ticket.policy_version} is not there")
        return
    facts = await books.stores["sla"].read(lambda unit: unit.all(FACTS, ticket_id=ticket.id))
    for clock in fold_facts(terms, facts, books.now):
        books.looked["P19"] += 1
        place, stored = f"ticket {ticket.id}, {clock.target}", kept.get(clock.target)
        if stored is None or (stored.state, stored.due_at) != (clock.state, clock.due_at):
            shown = f"{stored.state}, due {stored.due_at}" if stored else "not there"
            yield Finding("P19", "sla", place, f"{shown}, and its history gives {clock.state}, due {clock.due_at}")
        elif clock.due_at and not stored.breached and _told_at(terms, clock.due_at) < books.settled_before:
            yield Finding("P20", "sla", place, f"its deadline {clock.due_at} has passed, and nobody was told")

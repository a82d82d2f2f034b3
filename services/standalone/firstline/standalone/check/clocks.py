"""Whether the clocks that sla keeps are what their history gives (P19), by the hours that count (P22)."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime

from firstline.common.errors import Invalid
from firstline.common.policy.model import Policy
from firstline.intake.store.directory import POLICIES
from firstline.sla.service.clocks import fold_facts
from firstline.sla.service.terms import Terms, terms_of
from firstline.sla.store import TICKETS_AFTER, Ticket
from firstline.sla.store.clocks import CLOCKS_OF, StoredClock
from firstline.sla.store.facts import FACTS
from firstline.sla.store.policies import NEWEST_VERSION, POLICY
from firstline.sla.store.recomputes import FOLLOWING
from firstline.standalone.check.books import Books, Finding

Kept = dict[str, StoredClock]
"""The clocks of a request, by what they time."""


@dataclass(slots=True)
class Versions:
    """What policy versions say of clocks, as far as sla has heard of them, and the newest of them.

    `newest` is None while what is open is still being timed by it.
    """

    books: Books
    newest: str | None
    known: dict[str, Terms | None]

    async def of(self, version: str) -> Terms | None:
        """Return what a version says; None where sla has never heard of it."""
        if version not in self.known:
            document = await self.books.stores["sla"].read(lambda unit: unit.one(POLICY, version=version))
            self.known[version] = None if document is None else terms_of(Policy.from_document(document))
        return self.known[version]


async def clocks_differ(books: Books, tickets: Iterable[str]) -> AsyncIterator[Finding]:
    """Yield the clocks that are not what sla's history gives, and requests, versions and deadlines that it missed."""
    left, sla = set(tickets), books.stores["sla"]
    newest = await sla.read(lambda unit: unit.one(NEWEST_VERSION))
    async for finding in _another_is_newest(books, newest):
        yield finding
    under_way = await sla.read(lambda unit: unit.one(FOLLOWING))
    versions = Versions(books, None if under_way else newest, {})
    async for page in books.rows("sla", TICKETS_AFTER, lambda ticket: ticket.id):
        ids = [ticket.id for ticket in page]
        kept: dict[str, Kept] = {ticket_id: {} for ticket_id in ids}
        for clock in await sla.read(lambda unit, ids=ids: unit.all(CLOCKS_OF, ticket_ids=ids)):  # type: ignore[misc]
            kept[clock.ticket_id][clock.target] = clock
        left -= set(ids)
        for ticket in page:
            async for finding in _of_ticket(books, ticket, versions, kept[ticket.id]):
                yield finding
    for ticket_id in left:
        yield Finding("P19", "sla", f"ticket {ticket_id}", "sla has never heard of it")


async def _another_is_newest(books: Books, newest: str | None) -> AsyncIterator[Finding]:
    """Find that sla takes another version for the newest than the one that intake published last."""
    for last in (await books.stores["intake"].read(lambda unit: unit.all(POLICIES)))[-1:]:
        books.looked["P22"] += 1
        if last.version != newest:
            yield Finding("P22", "sla", "the newest policy version", f"{newest} is, and {last.version} came after it")


async def _of_ticket(books: Books, ticket: Ticket, versions: Versions, kept: Kept) -> AsyncIterator[Finding]:
    """Yield what is wrong with one request's clocks."""
    targets, hours = await versions.of(ticket.targets), await versions.of(ticket.hours)
    if targets is None or hours is None:
        missing = ticket.hours if targets else ticket.targets
        yield Finding("P19", "sla", f"ticket {ticket.id}", f"its policy {missing} is not there")
        return
    terms = targets.by_hours_of(hours)
    facts = await books.stores["sla"].read(lambda unit: unit.all(FACTS, ticket_id=ticket.id))
    for clock in fold_facts(terms, facts, books.now):
        books.looked["P19"] += 1
        place, stored = f"ticket {ticket.id}, {clock.target}", kept.get(clock.target)
        if stored is None or (stored.state, stored.due_at) != (clock.state, clock.due_at):
            shown = f"{stored.state}, due {stored.due_at}" if stored else "not there"
            yield Finding("P19", "sla", place, f"{shown}, and its history gives {clock.state}, due {clock.due_at}")
        elif clock.due_at and not stored.breached and _told_at(terms, clock.due_at) < books.settled_before:
            yield Finding("P20", "sla", place, f"its deadline {clock.due_at} has passed, and nobody was told")
    newest = await versions.of(versions.newest) if versions.newest else None
    if newest is None or not any(clock.state in ("running", "paused") for clock in kept.values()):
        return
    books.looked["P22"] += 1
    if not hours.has_hours_of(newest):
        try:
            fold_facts(targets.by_hours_of(newest), facts, books.now)
        except Invalid:
            return  # they can't time it, so it keeps those that it has
        yield Finding("P22", "sla", f"ticket {ticket.id}", f"timed by the hours of {ticket.hours}, no longer in force")


def _told_at(terms: Terms, due_at: datetime) -> datetime:
    """Return when a breach is told: it may wait until staff are back."""
    return terms.staff.add(due_at, 0) if terms.staff else due_at

"""Recompute: the clocks that run are timed by another policy version, in portions (clauses 2.1, 2.3).

A request keeps the terms that it was taken under, until somebody asks for this. A portion is one transaction that moves
the requests, their clocks and the recompute's own place together, so that it goes on where it was broken off.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import groupby

from firstline.common.errors import Conflict, Fault, Invalid, NotFound
from firstline.common.permissions import Access
from firstline.common.store.port import Unit, Value
from firstline.sla import clock as rules
from firstline.sla.service import milestones
from firstline.sla.service.clocks import DUE_CHANNEL, NoPolicy, Sla, completed, dropped, fold_facts, publish
from firstline.sla.service.terms import Terms
from firstline.sla.store import CLOCKS_TO_TIME, FACTS_OF, NEWEST_VERSION, TICKETS_TO_TIME, FactOf, StoredClock, Ticket
from firstline.sla.store.recomputes import (
    ADD,
    ADD_CHANGE,
    ALIVE,
    KNOWN_VERSION,
    RECOMPUTE_TO_CHANGE,
    RUNNING,
    SAVE,
    SET_TERMS,
    Change,
    Recompute,
    Scope,
)

RECOMPUTE_CHANNEL = "recompute"
REQUESTS_A_PORTION = 500
COUNTS = ("requests", "clocks", "changed", "later", "earlier", "breached", "relieved", "failed")


class AlreadyEnded(Conflict):
    """The recompute has come to its end, so it can't be stopped."""

    title = "It has ended"


@dataclass(frozen=True, slots=True)
class Moved:
    """A request under its new terms: how its clocks stood and how they stand then, or why it can't be timed by them."""

    ticket: Ticket
    terms: Terms
    before: list[StoredClock]
    after: tuple[rules.Clock, ...] = ()
    problem: str | None = None


async def begin(sla: Sla, unit: Unit, access: Access, version: str | None, scope: Scope, *, dry_run: bool) -> Recompute:
    """Ask for a recompute by a policy version, the newest unless one is named; a worker does it.

    Raises:
        Invalid: that version isn't known here.
        NoPolicy: none is.

    """
    wanted = version or await unit.one(NEWEST_VERSION)
    if wanted is None:
        raise NoPolicy("No policy has arrived here yet. Try again in a moment.")
    if await unit.one(KNOWN_VERSION, version=wanted) is None:
        fault = Fault("/policy_version", "Name a version that was in force, or leave it out for the newest.")
        raise Invalid("This policy version is not known here.", faults=(fault,))
    now = sla.runtime.ports.clock.now()
    begun = Recompute(
        sla.runtime.ports.ids.new(),
        wanted,
        scope,
        dry_run,
        "running",
        access.principal.id,
        now,
        None,
        "",
        *(0 for _ in COUNTS),
    )
    await unit.run(ADD, **asdict(begun))
    # A worker does it: a desk with a hundred thousand open requests takes longer than a caller waits.
    unit.announce(RECOMPUTE_CHANNEL)
    return begun


async def cancel(sla: Sla, unit: Unit, recompute_id: str) -> Recompute:
    """Stop a recompute; what it has done stays.

    Raises:
        NotFound: there is none with this ID.
        AlreadyEnded: it has ended.

    """
    # Waits for the portion that is under way, which holds the row.
    found = await unit.one(RECOMPUTE_TO_CHANGE, id=recompute_id)
    if found is None:
        raise NotFound("There is no recompute with this ID. List them first.")
    if found.state != "running":
        raise AlreadyEnded(f"This recompute is {found.state}. Ask for another one.")
    return await _save(unit, replace(found, state="cancelled", ended_at=sla.runtime.ports.clock.now()))


async def go_on(sla: Sla, unit: Unit, portion: int = REQUESTS_A_PORTION) -> int:
    """Do the next portion of the oldest recompute that runs; return how much there was to do, 0 when nothing."""
    # Locked until the commit: a second worker waits here, and then goes on behind this portion.
    running = await unit.one(RUNNING)
    if running is None:
        return 0
    now = sla.runtime.ports.clock.now()
    ids = await unit.all(ALIVE, after=running.after, limit=portion)
    if not ids:
        await _save(unit, replace(running, state="done", ended_at=now))
        return 1
    found = await _moved(sla, unit, running, ids, now)
    changes = [change for moved in found for change in _changes(moved, now)]
    if not running.dry_run:
        await _apply(sla, unit, running, [moved for moved in found if moved.problem is None], now)
    # What is done is told by events; what is only tried, or can't be done, stands here.
    listed = [change for change in changes if running.dry_run or change.problem is not None]
    await unit.many(ADD_CHANGE, [_row(running, change) for change in listed])
    await _save(unit, _counted(running, found, changes))
    return len(ids)


async def _moved(sla: Sla, unit: Unit, running: Recompute, ids: list[str], now: datetime) -> list[Moved]:
    """Return requests under the new terms; their rows stay locked until the commit."""
    tickets = await unit.all(TICKETS_TO_TIME, ids=ids)
    before: dict[str, list[StoredClock]] = defaultdict(list)
    for clock in await unit.all(CLOCKS_TO_TIME, ticket_ids=ids):
        before[clock.ticket_id].append(clock)
    facts = {
        ticket_id: list(told)
        for ticket_id, told in groupby(await unit.all(FACTS_OF, ticket_ids=ids), lambda fact: fact.ticket_id)
    }
    return [
        await _fold(sla, unit, ticket, _under(ticket, running), before[ticket.id], facts.get(ticket.id, []), now)
        for ticket in tickets
    ]


def _under(ticket: Ticket, running: Recompute) -> Ticket:
    """Return a ticket that is timed by the version that is wanted, as far as that is wanted."""
    version = running.policy_version
    return replace(
        ticket,
        calendar_version=ticket.calendar_version if running.scope == "targets" else version,
        targets_version=ticket.targets_version if running.scope == "calendar" else version,
    )


async def _fold(
    sla: Sla, unit: Unit, ticket: Ticket, then: Ticket, stored: list[StoredClock], facts: list[FactOf], now: datetime
) -> Moved:
    """Return one request under the new terms, or why they can't time it."""
    terms, own = await sla.terms_for(unit, then), await sla.terms_for(unit, ticket)
    before = [completed(own, facts, clock) for clock in stored]
    try:
        after = fold_facts(terms, facts, now)
    except Invalid as error:  # a target that is longer than the new calendar lasts
        return Moved(ticket, own, before, problem=error.faults[0].detail if error.faults else error.detail)
    if {clock.target for clock in before} - {clock.target for clock in after}:
        after = (*dropped(fold_facts(own, facts, now), after), *after)
    return Moved(then, terms, before, after)


def _changes(moved: Moved, now: datetime) -> Iterator[Change]:
    """Yield the clocks that stand otherwise under the new terms, and all of a request that they can't time."""
    stored = {clock.target: clock for clock in moved.before}
    for clock in moved.after:
        before = stored.get(clock.target) or _not_yet(moved.ticket, clock)
        # A breach may be held until staff are back: what counts is the deadline, not what was told of it.
        was_late = before.breached or (before.due_at is not None and before.due_at <= now)
        if (before.due_at, was_late) != (clock.due_at, clock.breached):
            yield Change(
                moved.ticket.id,
                clock.target,
                moved.ticket.number,
                before.due_at,
                clock.due_at,
                was_late,
                clock.breached,
            )
    for kept in moved.before if moved.problem else []:
        stands = (kept.due_at, kept.due_at, kept.breached, kept.breached)
        yield Change(moved.ticket.id, kept.target, moved.ticket.number, *stands, moved.problem)


def _not_yet(ticket: Ticket, clock: rules.Clock, clock_id: str = "") -> StoredClock:
    """Return a clock as it is before its target is timed."""
    return StoredClock(clock_id, ticket.id, clock.target)


async def _apply(sla: Sla, unit: Unit, running: Recompute, found: list[Moved], now: datetime) -> None:
    """Move requests to their new terms and publish what becomes of their clocks."""
    clocks: list[StoredClock] = []
    for moved in found:
        stored = {clock.target: clock for clock in moved.before}
        for clock in moved.after:
            before = stored.get(clock.target) or _not_yet(moved.ticket, clock, sla.runtime.ports.ids.new())
            after = publish(sla, unit, moved.ticket, moved.terms, clock, before, now)
            clocks += [after] if after != stored.get(clock.target) else []
    version, ids = running.policy_version, [moved.ticket.id for moved in found]
    hours, targets = (None if running.scope == other else version for other in ("targets", "calendar"))
    # With the clocks, or a message in between would be timed by the old terms.
    await unit.run(SET_TERMS, calendar_version=hours, targets_version=targets, ids=ids)
    await milestones.save(unit, *clocks)
    unit.announce(DUE_CHANNEL)


def _counted(running: Recompute, found: list[Moved], changes: list[Change]) -> Recompute:
    """Return a recompute after a portion."""
    due = [change for change in changes if change.problem is None]
    both = [(one.due_before, one.due_after) for one in due if one.due_before and one.due_after]
    return replace(
        running,
        after=found[-1].ticket.id,
        requests=running.requests + len(found),
        clocks=running.clocks + sum(len(moved.after) for moved in found),
        changed=running.changed + len(due),
        later=running.later + sum(before < after for before, after in both),
        earlier=running.earlier + sum(before > after for before, after in both),
        breached=running.breached + sum(one.breached_after and not one.breached_before for one in due),
        relieved=running.relieved + sum(one.breached_before and not one.breached_after for one in due),
        failed=running.failed + sum(moved.problem is not None for moved in found),
    )


def _row(running: Recompute, change: Change) -> dict[str, Value]:
    """Return a change as the parameters of its insertion."""
    return {"recompute_id": running.id, **{name: getattr(change, name) for name in Change.__slots__}}


async def _save(unit: Unit, recompute: Recompute) -> Recompute:
    """Store how far a recompute has come, in the transaction of what it did."""
    given = asdict(recompute)
    await unit.run(SAVE, **{name: given[name] for name in ("id", "state", "ended_at", "after", *COUNTS)})
    return recompute

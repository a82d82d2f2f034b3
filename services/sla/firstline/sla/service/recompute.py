"""Recompute: the clocks that run are timed by other terms, in portions (clauses 2.1, 2.3).

The publication of a version with other hours begins one by itself; a request's targets stay until somebody asks. A
portion is one transaction that moves the requests, their clocks and the recompute's own place together, so that it goes
on where it was broken off.
"""

from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import datetime, timedelta

from firstline.common.errors import Conflict, Fault, Invalid, NotFound
from firstline.common.permissions import Access
from firstline.common.store.port import Unit, Value
from firstline.sla.service import retiming
from firstline.sla.service.clocks import Sla
from firstline.sla.service.retiming import Moved, Wanted
from firstline.sla.store import TICKETS_TO_TIME
from firstline.sla.store.policies import IN_FORCE_TO_CHANGE, KNOWN_VERSION
from firstline.sla.store.recomputes import (
    ADD,
    ADD_CHANGE,
    ALIVE,
    ASKED_FOR,
    FORGET,
    FORGET_CHANGES,
    OLDEST,
    PUBLICATION,
    RECOMPUTE,
    RECOMPUTE_TO_CHANGE,
    RUNNING,
    SAVE,
    Change,
    Recompute,
    Scope,
)

RECOMPUTE_CHANNEL = "recompute"
REQUESTS_A_PORTION = 1000
CHANGES_A_PORTION = 1000
MOST_WAITING = 10
KEPT = timedelta(days=30)
COUNTS = ("requests", "clocks", "changed", "later", "earlier", "breached", "relieved", "failed")

_Stands = tuple[datetime | None, bool, float | None, str | None]
"""How a clock stands: deadline, whether it is late, and the minutes and rule of its target."""


class TooManyRecomputes(Conflict):
    """So many recomputes wait already that another would only wait behind them."""

    title = "Too many recomputes wait"


class AlreadyEnded(Conflict):
    """The recompute has come to its end, so it can't be stopped."""

    title = "It has ended"


class HoursCount(Conflict):
    """The newest hours count for every open request, so what times them by these can't be stopped."""

    title = "The newest hours count for all"


async def begin(sla: Sla, unit: Unit, access: Access, version: str | None, scope: Scope, *, dry_run: bool) -> Recompute:
    """Ask for a recompute by a policy version, the newest unless one is named; a worker does it.

    Raises:
        Invalid: that version isn't known here, or it has other hours than the newest, which count for all.
        NoPolicy: none is.
        TooManyRecomputes: others have to be finished first.

    """
    # Until the commit: parallel callers take turns, or each would count without the others'.
    await unit.one(IN_FORCE_TO_CHANGE)
    if (await unit.one(ASKED_FOR) or 0) >= MOST_WAITING:
        advice = "Cancel one of them, or try again when they are done."
        raise TooManyRecomputes(f"{MOST_WAITING} recomputes wait or run already. {advice}")
    newest = await sla.newest(unit)
    wanted = version or newest
    if await unit.one(KNOWN_VERSION, version=wanted) is None:
        fault = Fault("/policy_version", "Name a version that was in force, or leave it out for the newest.")
        raise Invalid("This policy version is not known here.", faults=(fault,))
    if scope != "targets" and not await sla.same_hours(unit, wanted, newest):
        fault = Fault("/scope", "Ask for its `targets` alone, or publish that policy again.")
        raise Invalid(f"The hours of the newest version, {newest}, count for all requests.", faults=(fault,))
    return await _begun(sla, unit, wanted, scope, access.principal.id, dry_run=dry_run)


async def follow(sla: Sla, unit: Unit, version: str) -> None:
    """Begin to time what is open by the hours of a version, because it was published."""
    await _begun(sla, unit, version, "calendar", PUBLICATION, dry_run=False)


async def _begun(sla: Sla, unit: Unit, version: str, scope: Scope, by: str, *, dry_run: bool) -> Recompute:
    """Store a recompute that is to be done."""
    counts = (0 for _ in COUNTS)
    new, now = sla.runtime.ports.ids.new(), sla.runtime.ports.clock.now()
    begun = Recompute(new, version, scope, dry_run, "running", by, now, None, "", *counts)
    await unit.run(ADD, **asdict(begun))
    # A worker does it: a desk with a hundred thousand open requests takes longer than a caller waits.
    unit.announce(RECOMPUTE_CHANNEL)
    return begun


async def find(unit: Unit, recompute_id: str) -> Recompute:
    """Return a recompute.

    Raises:
        NotFound: there is none with this ID.

    """
    return _there(await unit.one(RECOMPUTE, id=recompute_id))


async def cancel(sla: Sla, unit: Unit, recompute_id: str) -> Recompute:
    """Stop a recompute; what it has done stays.

    Raises:
        NotFound: there is none with this ID.
        AlreadyEnded: it has ended.
        HoursCount: the publication of a version began it.

    """
    # Waits for the portion that is under way, which holds the row.
    found = _there(await unit.one(RECOMPUTE_TO_CHANGE, id=recompute_id))
    if found.state != "running":
        raise AlreadyEnded(f"This recompute is {found.state}. Ask for another one.")
    if found.asked_by == PUBLICATION:
        raise HoursCount("Publish the former policy again to go back to its hours.")
    return await _save(unit, replace(found, state="cancelled", ended_at=sla.runtime.ports.clock.now()))


def _there(found: Recompute | None) -> Recompute:
    """Return a recompute that was looked for, or raise NotFound."""
    if found is None:
        raise NotFound("There is no recompute with this ID. List them first.")
    return found


async def go_on(sla: Sla, unit: Unit, portion: int = REQUESTS_A_PORTION) -> int:
    """Do the next portion of the oldest recompute that runs; return how much there was to do, 0 when nothing."""
    # Locked until the commit: a second worker waits here, and then goes on behind this portion.
    running = await unit.one(RUNNING)
    if running is None:
        return 0
    now, newest = sla.runtime.ports.clock.now(), await sla.newest(unit)
    if running.asked_by == PUBLICATION and not await sla.same_hours(unit, running.policy_version, newest):
        await _save(unit, replace(running, state="overtaken", ended_at=now))
        return 1
    ids = await unit.all(ALIVE, after=running.after, limit=portion)
    if not ids:
        await _save(unit, replace(running, state="done", ended_at=now))
        return 1
    to = Wanted(newest, None if running.scope == "calendar" else running.policy_version)
    # Their rows stay locked until the commit.
    tickets = await unit.all(TICKETS_TO_TIME, ids=ids)
    found = await retiming.move(sla, unit, tickets, to, now, dry_run=running.dry_run)
    changes = [change for moved in found for change in _changes(moved, now)]
    # What is done is told by events; what is only tried, or can't be done, stands here.
    listed = [change for change in changes if running.dry_run or change.problem is not None]
    await unit.many(ADD_CHANGE, [_row(running, change) for change in listed])
    await _save(unit, _counted(running, found, changes))
    return len(ids)


async def forget(sla: Sla, unit: Unit, portion: int = CHANGES_A_PORTION) -> int:
    """Forget a portion of the oldest recompute, and it after its last one; return 0 where it isn't old enough."""
    oldest, before = await unit.one(OLDEST), sla.runtime.ports.clock.now() - KEPT
    if oldest is None or oldest.ended_at is None or oldest.ended_at >= before:
        return 0
    gone = await unit.run(FORGET_CHANGES, id=oldest.id, limit=portion)
    if gone < portion:
        await unit.run(FORGET, id=oldest.id)
    return max(1, gone)


def _changes(moved: Moved, now: datetime) -> Iterator[Change]:
    """Yield the clocks that stand otherwise under the new terms, and all of a request that they can't time."""
    stored = {clock.target: clock for clock in moved.before}
    for clock in moved.after:
        before = stored.get(clock.target)
        # One that an earlier recompute stopped for good, and that is timed again, stands there idle.
        if before is None or before.state == "idle" != clock.state:
            before = retiming.not_yet(moved.ticket, clock)
        # A breach may be held until staff are back: what counts is the deadline, not what was told of it.
        was_late = before.breached or (before.due_at is not None and before.due_at <= now)
        target = (None, None) if clock.target in moved.gone else (clock.target_minutes, clock.rule)
        # A clock that is paused has no deadline: of that one only the target tells what changes.
        stands = (before.due_at, was_late, before.target_minutes, before.rule)
        then = (clock.due_at, clock.breached, *target)
        if stands != then:
            yield _change(moved, clock.target, stands, then)
    for kept in moved.before if moved.problem else []:
        stays = (kept.due_at, kept.breached, kept.target_minutes, kept.rule)
        yield _change(moved, kept.target, stays, stays)


def _change(moved: Moved, target: str, now: _Stands, then: _Stands) -> Change:
    """Return a clock's change from how it stands to how it stands then."""
    (due, late, minutes, rule), (due_then, late_then, minutes_then, rule_then) = now, then
    both = (due, due_then, late, late_then, minutes, minutes_then, rule, rule_then)
    return Change(moved.ticket.id, target, moved.ticket.number, *both, moved.problem)


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

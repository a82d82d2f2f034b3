"""What-if at work: recorded answers are recounted in small portions, beside everything else (clause 2.3)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from firstline.common.errors import Conflict, Invalid, NotFound
from firstline.common.lease import Lease
from firstline.common.policy.model import Policy
from firstline.common.store.port import Unit, Value
from firstline.sla.answers import once, uncut
from firstline.sla.changes import OPEN_TO_CHANGE, BadChange, Settings, changed
from firstline.sla.clock import INSTANT
from firstline.sla.recount import GROUPS, CameWith, Judged, Tally, Trial, lateness
from firstline.sla.reports import RESPONSES, By
from firstline.sla.service.clocks import NoPolicy, Sla
from firstline.sla.service.terms import terms_of
from firstline.sla.store.facts import FACTS_OF, FactOf
from firstline.sla.store.policies import IN_FORCE_TO_CHANGE, NEWEST_VERSION, POLICY
from firstline.sla.store.simulations import (
    ADD,
    ANSWERS_IN,
    CAME,
    CANCEL,
    COUNT_ENDED,
    FORGET,
    NEXT,
    PROGRESS,
    SIMULATION,
    UNFINISHED,
    Answer,
    Came,
    Simulation,
)

CHANNEL = "simulations"
PORTION = 50
"""So many ended runs are recounted at a time: a few milliseconds, after which others have their turn."""

BREATH = 0.001
"""Seconds that are left to others after each portion."""

SAVED_EVERY = 0.5
"""Seconds after which progress is written down, so that a restart goes on from there."""

REMEMBERED = 5_000
"""So many tickets are remembered, so that one with several answers is mostly folded once."""

MOST_WAITING = 10
KEPT = timedelta(days=30)
Place = tuple[datetime, str, str, str]


class TooMany(Conflict):
    """So many simulations wait already that another would only wait behind them."""

    title = "Too many simulations wait"


async def ask(sla: Sla, unit: Unit, by: str, settings: Settings, start: datetime, until: datetime) -> Simulation:
    """Take a simulation on, to be worked on in its turn.

    Raises:
        BadChange: the changes can't be tried on the newest policy.
        TooMany: others have to be finished first.
        NoPolicy: none has arrived.

    """
    changed(await _document(unit, await unit.one(NEWEST_VERSION)), settings)
    now = sla.runtime.ports.clock.now()
    until = min(until, now + INSTANT)  # what comes later would be there for some portions and not for others
    await unit.run(FORGET, before=now - KEPT)
    total = await unit.one(COUNT_ENDED, start=start, until=until) or 0
    # Until the commit: parallel callers take turns, or each would count without the others'.
    await unit.one(IN_FORCE_TO_CHANGE)
    if (await unit.one(UNFINISHED) or 0) >= MOST_WAITING:
        raise TooMany(f"{MOST_WAITING} simulations wait already. Cancel one of them, or try again when they are done.")
    made = Simulation(
        id=sla.runtime.ports.ids.new(),
        made_at=now,
        made_by=by,
        changes=dict(settings),
        start=start,
        until=until,
        state="waiting",
        total=total,
        done=0,
        place=None,
        tally=Tally().document(),
        finished_at=None,
    )
    await unit.run(ADD, **{name: getattr(made, name) for name in Simulation.__slots__})
    unit.announce(CHANNEL)
    return made


async def basis(unit: Unit) -> Mapping[str, Any]:
    """Return the parts of the newest policy that can be changed, by their names, and its version.

    Raises:
        NoPolicy: none has arrived.

    """
    version = await unit.one(NEWEST_VERSION)
    document = await _document(unit, version)
    return {"version": version, **{part: document[part] for part in OPEN_TO_CHANGE}}


async def find(unit: Unit, simulation_id: str) -> Simulation:
    """Return a simulation.

    Raises:
        NotFound: there is none with this ID, or it is older than 30 days.

    """
    found = await unit.one(SIMULATION, id=simulation_id)
    if found is None:
        raise NotFound("There is no simulation with this ID. They are kept for 30 days; ask for another one.")
    return found


async def cancel(sla: Sla, unit: Unit, simulation_id: str) -> Simulation:
    """End a simulation where it is; one that has ended stays as it is.

    Raises:
        NotFound: there is none with this ID.

    """
    await find(unit, simulation_id)
    await unit.run(CANCEL, id=simulation_id, now=sla.runtime.ports.clock.now())
    return await find(unit, simulation_id)


async def _document(unit: Unit, version: str | None) -> Mapping[str, Any]:
    """Return the document of a policy version."""
    document = await unit.one(POLICY, version=version) if version else None
    if document is None:
        raise NoPolicy("No policy has arrived here yet. Try again in a moment.")
    return document


_Judged = tuple[str, str | None, str | None]
"""A ticket, and the versions whose hours and targets judged it, where those were not its own."""

_Lateness = dict[_Judged, Mapping[tuple[Any, str], bool | None]]


@dataclass(slots=True)
class _Work:
    """A simulation as far as this process has come with it."""

    job: Simulation
    tally: Tally
    place: Place
    done: int
    trials: dict[tuple[str, str, str], Trial]
    known: _Lateness
    saved_at: float

    @property
    def urgencies(self) -> bool:
        """Whether the changes may give requests another first urgency."""
        return any(path.startswith(("urgency", "scope")) for path in self.job.changes)


class Recounting:
    """Works on simulations one after the other, the oldest first."""

    def __init__(self, sla: Sla, lease: Lease) -> None:
        self._sla, self._lease = sla, lease
        self._work: _Work | None = None

    async def step(self) -> int:
        """Recount a portion; return how many runs it had, 0 when nothing waits.

        Raises:
            LeaseLost: another replica works on it now.

        """
        work = self._work = self._work or await self._next()
        if work is None:
            return 0
        clock = self._sla.runtime.ports.clock
        try:
            portion, would_be, more = await self._sla.runtime.store.read(lambda unit: self._portion(unit, work))
        except (Invalid, ValidationError) as error:
            work.tally.problem = _reason(error)
            await self._save(work, "failed")
            return 1
        self._count(work, portion, would_be)
        if not more:
            await self._save(work, "done")
        elif clock.monotonic() - work.saved_at >= SAVED_EVERY:
            await self._save(work, "running")
        await clock.sleep(BREATH)
        return max(1, len(portion))

    async def _next(self) -> _Work | None:
        """Return the what-if whose turn it is, with how far it has come."""
        job = await self._sla.runtime.store.read(lambda unit: unit.one(NEXT))
        if job is None:
            return None
        place: Place = (job.start, "", "", "")
        if job.place:
            at, ticket_id, target, event = job.place
            place = (datetime.fromisoformat(at), ticket_id, target, event)
        began = self._sla.runtime.ports.clock.monotonic()
        return _Work(job, Tally.read(job.tally), place, job.done, {}, {}, began - SAVED_EVERY)

    async def _portion(self, unit: Unit, work: _Work) -> tuple[list[Answer], _Lateness, bool]:
        """Return the next runs, the lateness under the changes of all runs of their tickets, and if more may come."""
        at, ticket_id, target, event = work.place
        place: dict[str, Value] = {"after": at, "after_id": ticket_id, "after_target": target, "after_event": event}
        portion = await unit.all(ANSWERS_IN, until=work.job.until, limit=PORTION, **place)
        more = len(portion) == PORTION
        portion = uncut(portion) if more else portion
        new = {_judged(row): row.policy_version for row in portion if _counts(row) and _judged(row) not in work.known}
        return portion, await self._recount(unit, work, new), more

    @staticmethod
    def _count(work: _Work, portion: list[Answer], found: _Lateness) -> None:
        """Count a portion, and remember its tickets for their next answers."""
        work.known |= found
        for rows in once(filter(_counts, portion)):
            would_be = [work.known[_judged(row)].get((row.target, row.ended_by)) for row in rows]
            judged = {row.target: Judged(bool(row.late), bool(late)) for row, late in zip(rows, would_be, strict=True)}
            work.tally.add(_keys(rows[0]), judged)
        if portion:
            last = portion[-1]
            work.place = (last.ended_at, last.ticket_id, last.target, last.ended_by)
            work.done += len(portion)
        while len(work.known) > REMEMBERED:
            del work.known[next(iter(work.known))]

    async def _recount(self, unit: Unit, work: _Work, wanted: Mapping[_Judged, str]) -> _Lateness:
        """Return the lateness of all ended runs of tickets under the changes, by the versions that judged them."""
        ids = sorted({ticket_id for ticket_id, _, _ in wanted})
        facts: dict[str, list[FactOf]] = {ticket_id: [] for ticket_id in ids}
        for row in await unit.all(FACTS_OF, ticket_ids=ids):
            facts[row.ticket_id].append(row)
        came = {row.ticket_id: _came(row) for row in await unit.all(CAME, ticket_ids=ids)} if work.urgencies else {}
        found: _Lateness = {}
        for judged, own in wanted.items():
            ticket_id, hours, targets = judged
            trial = await self._trial(unit, work, own, hours or own, targets or own)
            found[judged] = lateness(facts[ticket_id], came.get(ticket_id), trial)
        return found

    async def _trial(self, unit: Unit, work: _Work, own: str, hours: str, targets: str) -> Trial:
        """Return the rules that an answer was counted by and those that are tried; each combination is made once."""
        key = (own, hours, targets)
        if key not in work.trials:
            was, tried = [await self._tried(unit, own, changes) for changes in ({}, work.job.changes)]
            by_hours = terms_of(await self._tried(unit, hours, work.job.changes))
            by_targets = terms_of(await self._tried(unit, targets, work.job.changes))
            work.trials[key] = Trial(was, tried, by_targets.rules, by_hours.calendar, work.urgencies)
        return work.trials[key]

    async def _tried(self, unit: Unit, version: str, changes: Settings) -> Policy:
        """Return a policy version with changes; one in which they make no sense is judged as it was."""
        document = await _document(unit, version)
        try:
            return changed(document, changes, strict=False)
        except BadChange:
            return Policy.from_document(document)

    async def _save(self, work: _Work, state: str) -> None:
        """Write progress down; what was cancelled meanwhile is let go, like what has ended."""
        now = self._sla.runtime.ports.clock.now()

        async def store(unit: Unit) -> int:
            await self._lease.guard(unit)
            return await unit.run(
                PROGRESS,
                id=work.job.id,
                state=state,
                done=work.done,
                place=[work.place[0].isoformat(), *work.place[1:]],
                tally=work.tally.document(),
                finished_at=None if state == "running" else now,
            )

        self._work = None  # where the lease is lost, another replica goes on from what is written down
        if await self._sla.runtime.store.write(store) and state == "running":
            self._work = work
        work.saved_at = self._sla.runtime.ports.clock.monotonic()


def _reason(error: Invalid | ValidationError) -> str:
    """Say why no more can be recounted: a policy version can't be read, or no clock can be folded by it."""
    if isinstance(error, ValidationError):
        places = sorted({"/" + "/".join(map(str, at["loc"])) for at in error.errors()})
        return f"A policy version by which answers were counted can't be read by this release: {', '.join(places)}."
    return " ".join([error.detail, *(f"{fault.pointer}: {fault.detail}" for fault in error.faults)])


def _counts(row: Answer) -> bool:
    """Say whether a run is an answer, or the resolution where that was timed."""
    return row.outcome == "met" and (row.target in RESPONSES or row.late is not None)


def _keys(row: Answer) -> dict[By, str | None]:
    """Return the group that an answer belongs to, by each way of grouping."""
    return {by: getattr(row, "organization_id" if by == "organization" else by) for by in GROUPS}


def _judged(row: Answer) -> _Judged:
    """Return what an answer is judged by: its request and two versions of the policy."""
    return (row.ticket_id, row.hours_version, row.targets_version)


def _came(row: Came) -> CameWith | None:
    """Return what a request came with, where that is known."""
    if row.covered is None:
        return None
    return CameWith(row.first_topic, row.recovery, row.claim, covered=row.covered)


def lines(tally: Tally, by: By) -> Sequence[tuple[str | None, Sequence[int]]]:
    """Return the groups of a tally: months in order, of all others those that change most first."""
    found = list(tally.groups[by].items())
    if by == "month":
        return sorted(found, key=lambda one: str(one[0]))
    return sorted(found, key=lambda one: (-one[1][2] - one[1][3], -one[1][0], str(one[0] or "")))

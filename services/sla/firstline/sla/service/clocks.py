"""The clocks of a ticket: the terms by which they are timed, what its facts make of them, telling what changed."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from firstline.common.errors import Unavailable
from firstline.common.paging import Cursors
from firstline.common.policy.model import Policy
from firstline.common.runtime import Runtime
from firstline.common.store.port import Unit
from firstline.sla import clock as rules
from firstline.sla.history import ClockEvent
from firstline.sla.service import milestones
from firstline.sla.service.terms import Terms, terms_of
from firstline.sla.service.waits import LastWaits
from firstline.sla.store import Ticket
from firstline.sla.store.clocks import StoredClock
from firstline.sla.store.facts import FACTS
from firstline.sla.store.policies import HOLD_NEWEST, NEWEST_VERSION, POLICY

DUE_CHANNEL = "due"
CALCULATIONS = 2
"""How many calculations on calendars run at once, whoever asks for them."""


class NoPolicy(Unavailable):
    """No policy has reached this service yet, or not this version."""

    title = "The policy is not known here yet"


class Sla:
    """The service's instance; policy versions once read are kept."""

    def __init__(self, runtime: Runtime, cursors: Cursors) -> None:
        self.runtime = runtime
        self.cursors = cursors
        self.last_waits = LastWaits(runtime.ports.clock)
        self.calculating = asyncio.Semaphore(CALCULATIONS)
        self._terms: dict[str, Terms] = {}
        self._mixed: dict[tuple[str, str], Terms] = {}

    async def newest(self, unit: Unit, *, hold: bool = False) -> str:
        """Return the policy version that was published last; one that is held is that until the commit.

        Raises:
            NoPolicy: none has arrived.

        """
        version = await unit.one(HOLD_NEWEST if hold else NEWEST_VERSION)
        if version is None:
            raise NoPolicy("No policy has arrived here yet. Try again in a moment.")
        return version

    async def terms(self, unit: Unit, version: str | None = None) -> Terms:
        """Return the terms of a policy version, or of the newest.

        Raises:
            NoPolicy: it has not been published here.

        """
        wanted = version or await self.newest(unit)
        if wanted not in self._terms:
            document = await unit.one(POLICY, version=wanted)
            if document is None:
                raise NoPolicy(f"The policy version {wanted} has not arrived here yet. Try again in a moment.")
            # A version never changes once it is published, so none of them has to be read twice.
            self._terms[wanted] = terms_of(Policy.from_document(document))
        return self._terms[wanted]

    async def terms_for(self, unit: Unit, ticket: Ticket) -> Terms:
        """Return the terms by which a ticket is timed: the hours of one version, and the targets of maybe another.

        Raises:
            NoPolicy: one of them has not been published here.

        """
        targets, hours = ticket.targets, ticket.hours
        if hours == targets:
            return await self.terms(unit, targets)
        if (targets, hours) not in self._mixed:
            mixed = (await self.terms(unit, targets)).by_hours_of(await self.terms(unit, hours))
            self._mixed[targets, hours] = mixed
        return self._mixed[targets, hours]

    async def same_hours(self, unit: Unit, one: str, other: str) -> bool:
        """Say whether two policy versions have the same hours, so that clocks don't differ by them."""
        return one == other or (await self.terms(unit, one)).has_hours_of(await self.terms(unit, other))


async def clocks_at(sla: Sla, unit: Unit, ticket: Ticket, as_of: datetime) -> tuple[rules.Clock, ...]:
    """Return a ticket's clocks at an instant, folded from its history."""
    terms = await sla.terms_for(unit, ticket)
    return fold_facts(terms, await unit.all(FACTS, ticket_id=ticket.id), as_of)


async def explained_at(sla: Sla, unit: Unit, ticket: Ticket, as_of: datetime) -> tuple[rules.Explanation, ...]:
    """Return the explanation of each of a ticket's clocks at an instant."""
    terms = await sla.terms_for(unit, ticket)
    facts = await unit.all(FACTS, ticket_id=ticket.id)
    return rules.explain(facts, terms.rules, terms.calendar, _seen_from(as_of, facts))


def fold_facts(terms: Terms, facts: Sequence[ClockEvent], as_of: datetime) -> tuple[rules.Clock, ...]:
    """Return the clocks of a ticket at an instant, told from its facts."""
    return rules.fold(facts, terms.rules, terms.calendar, _seen_from(as_of, facts))


def _seen_from(as_of: datetime, facts: Sequence[ClockEvent]) -> datetime:
    """Return the instant to judge at: what has happened stays known when the machine's clock is set back."""
    return max([as_of, *[fact.at for fact in facts]])


def completed(terms: Terms, facts: Sequence[ClockEvent], clock: StoredClock) -> StoredClock:
    """Return a stored clock as this release keeps it."""
    if clock.warnings is not None:
        return clock
    seen_from = _seen_from(rules.BEGINNING, facts)
    found = (folded for folded in fold_facts(terms, facts, seen_from) if folded.target == clock.target)
    return milestones.completed(clock, next(found, None))


def dropped(before: tuple[rules.Clock, ...], after: tuple[rules.Clock, ...]) -> list[rules.Clock]:
    """Return, stopped, the clocks of targets that a request no longer has."""
    kept = {clock.target for clock in after}
    return [
        replace(clock, state="idle", due_at=None, warnings=(), breached=False)
        for clock in before
        if clock.target not in kept
    ]


def publish(
    sla: Sla, unit: Unit, ticket: Ticket, terms: Terms, clock: rules.Clock, stored: StoredClock, as_of: datetime
) -> StoredClock:
    """Publish what became of a clock since it was stored last; return how to store it."""
    now = milestones.after(stored, clock, as_of, terms.staff)
    kind = milestones.became(stored, now)
    if kind is not None:
        due_at = now.due_at or stored.due_at
        milestones.say(sla.runtime, unit, ticket, now, kind, clock.elapsed_minutes, due_at)
    return now

"""Keeping what reports count: requests as they come in and are judged, and each run of a clock when it ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from firstline.common.calendar import Calendar
from firstline.common.events import Changes, TicketClosed, TicketSubmitted, TicketTriaged
from firstline.common.store.port import Unit
from firstline.sla.history import ClockEvent
from firstline.sla.runs import ENDS, Run, key_of, runs
from firstline.sla.store import Ticket
from firstline.sla.store.records import (
    ADD_TAKEN,
    JUDGED,
    RATED,
    REOPENED,
    SAVE_RUN,
    SET_VERDICT,
    TAKEN,
    TOOK_OUT_OF_TURN,
    Ended,
    Taken,
)
from firstline.sla.targets import TargetRules


@dataclass(frozen=True, slots=True)
class Grouped:
    """By what reports group a run, beside what the ticket itself says."""

    agent: str | None
    topic: str | None
    tier: str | None


async def taken(unit: Unit, calendar: Calendar, ticket: Ticket, data: TicketSubmitted, at: datetime) -> None:
    """Count a request that came in, or was split off, at an instant."""
    row = Taken(
        ticket_id=ticket.id,
        taken_at=at,
        month=month_of(at, calendar),
        organization_id=ticket.organization_id,
        topic=data.topic,
        tier=data.tier,
        urgency=data.urgency,
        verdict=data.scope.verdict,
        split_off=data.split_from is not None,
        out_of_turn=False,
        reopened=0,
        mark=None,
        first_topic=data.topic,
        recovery=data.recovery,
        claim=data.urgency_claim,
        covered=data.scope.verdict != "out",
    )
    await unit.run(ADD_TAKEN, **{name: getattr(row, name) for name in Taken.__slots__})


async def judged(unit: Unit, ticket_id: str, data: TicketTriaged) -> None:
    """Count a request from now on by what staff judged it to be."""
    given = {"topic": data.topic, "tier": data.tier, "urgency": data.urgency, "verdict": _verdict(data.changes)}
    await unit.run(JUDGED, ticket_id=ticket_id, **given)


async def closed(unit: Unit, ticket_id: str, data: TicketClosed) -> None:
    """Count a request that was closed as out of scope as that."""
    verdict = _verdict(data.changes)
    if verdict is not None:
        await unit.run(SET_VERDICT, ticket_id=ticket_id, verdict=verdict)


async def reopened(unit: Unit, ticket_id: str) -> None:
    """Count that a request was reopened."""
    await unit.run(REOPENED, ticket_id=ticket_id)


async def rated(unit: Unit, ticket_id: str, mark: str) -> None:
    """Count how its client rated the handling; the last mark stands."""
    await unit.run(RATED, ticket_id=ticket_id, mark=mark)


async def took_out_of_turn(unit: Unit, ticket_id: str) -> None:
    """Count that somebody has taken a request before others that came earlier."""
    await unit.run(TOOK_OUT_OF_TURN, ticket_id=ticket_id, yes=True)


def _verdict(changes: Changes) -> str | None:
    """Return what was judged of the scope, None where nothing was."""
    scope = changes.get("scope")
    return scope[1]["verdict"] if scope else None


def month_of(at: datetime, calendar: Calendar) -> str:
    """Return the month of an instant in the calendar's time zone, such as `2026-11`."""
    return f"{at.astimezone(calendar.hours.tz):%Y-%m}"


async def keep_ended(
    unit: Unit,
    ticket: Ticket,
    history: Sequence[ClockEvent],
    targets: TargetRules,
    calendar: Calendar,
    by: str | None,
) -> None:
    """Keep the runs that the last event of a history ended; `by` is who did it for the desk.

    What a ticket has once, its first response and its resolution, is kept once: a later end replaces the earlier one.
    """
    last = history[-1]
    if last.type not in ENDS:
        return
    about = await unit.one(TAKEN, ticket_id=ticket.id)
    topic, tier = (about.topic, about.tier) if about else (None, None)
    # The whole history is read again: sums that were kept beside it could come to say something else.
    for event_id, run in runs(history, targets, calendar):
        if event_id == last.id:
            row = _ended(ticket, event_id, run, calendar, Grouped(by, topic, tier))
            await unit.run(SAVE_RUN, **{name: getattr(row, name) for name in Ended.__slots__})


def _ended(ticket: Ticket, event_id: str, run: Run, calendar: Calendar, about: Grouped) -> Ended:
    """Return the row of an ended run."""
    return Ended(
        ticket_id=ticket.id,
        target=run.target,
        ended_by=key_of(event_id, run.target),
        started_at=run.started_at,
        ended_at=run.ended_at,
        month=month_of(run.ended_at, calendar),
        outcome=run.outcome,
        late=run.late,
        target_minutes=run.target_minutes,
        minutes=run.minutes,
        gross=run.gross,
        client=run.waited["client"],
        third_party=run.waited["third_party"],
        release=run.waited["release"],
        owed=run.owed,
        agent=about.agent,
        topic=about.topic,
        tier=about.tier,
        organization_id=ticket.organization_id,
        urgency=ticket.urgency,
        hours_version=ticket.hours,
        targets_version=ticket.targets_version,
    )

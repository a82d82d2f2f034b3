"""Business time (clause 2.1): add, subtract, count, list and ask, on the policy's calendar or one sent along."""

from fastapi import APIRouter, Depends

from firstline.common.application import permit
from firstline.sla.api.context import SlaHere, calendar_of
from firstline.sla.schemas import (
    AddIn,
    BetweenIn,
    DueOut,
    MinutesOut,
    OpenIn,
    OpenOut,
    PeriodsIn,
    PeriodsOut,
    open_out,
    period_out,
)

router = APIRouter(prefix="/v1/calendar", tags=["time"], dependencies=[Depends(permit("calendar.compute"))])


@router.post("/add")
async def add_business_time(body: AddIn, sla: SlaHere) -> DueOut:
    """Go forward by business minutes; time that runs out exactly at closing is due at the closing instant."""
    calendar = await calendar_of(sla, body.calendar)
    return DueOut(due=calendar.add(body.start, body.minutes))


@router.post("/subtract")
async def subtract_business_time(body: AddIn, sla: SlaHere) -> DueOut:
    """Go back by business minutes."""
    calendar = await calendar_of(sla, body.calendar)
    return DueOut(due=calendar.subtract(body.start, body.minutes))


@router.post("/between")
async def count_business_time(body: BetweenIn, sla: SlaHere) -> MinutesOut:
    """Count the business minutes between two instants; 0 when the end comes first."""
    calendar = await calendar_of(sla, body.calendar)
    return MinutesOut(minutes=calendar.between(body.start, body.end))


@router.post("/periods")
async def list_business_periods(body: PeriodsIn, sla: SlaHere) -> PeriodsOut:
    """List the next stretches of business time; the first begins at `start` when that is open."""
    calendar = await calendar_of(sla, body.calendar)
    return PeriodsOut(periods=[period_out(period) for period in calendar.periods(body.start, body.count)])


@router.post("/open")
async def ask_whether_open(body: OpenIn, sla: SlaHere) -> OpenOut:
    """Say whether an instant is business time, and when the next opening and closing are."""
    calendar = await calendar_of(sla, body.calendar)
    return open_out(calendar.open_at(body.at or sla.runtime.ports.clock.now()))

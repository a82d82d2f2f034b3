"""Business time (clause 2.1): add, subtract, count, list and ask, on the policy's calendar or one sent along."""

from fastapi import APIRouter, Depends

from firstline.common.application import permit
from firstline.sla.api.context import SlaHere, calculated
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
    due = await calculated(sla, body.calendar, lambda calendar: calendar.add(body.start, body.minutes))
    return DueOut(due=due)


@router.post("/subtract")
async def subtract_business_time(body: AddIn, sla: SlaHere) -> DueOut:
    """Go back by business minutes."""
    due = await calculated(sla, body.calendar, lambda calendar: calendar.subtract(body.start, body.minutes))
    return DueOut(due=due)


@router.post("/between")
async def count_business_time(body: BetweenIn, sla: SlaHere) -> MinutesOut:
    """Count the business minutes between two instants; 0 when the end comes first."""
    minutes = await calculated(sla, body.calendar, lambda calendar: calendar.between(body.start, body.end))
    return MinutesOut(minutes=minutes)


@router.post("/periods")
async def list_business_periods(body: PeriodsIn, sla: SlaHere) -> PeriodsOut:
    """List the next stretches of business time; the first begins at `start` when that is open."""
    periods = await calculated(sla, body.calendar, lambda calendar: calendar.periods(body.start, body.count))
    return PeriodsOut(periods=[period_out(period) for period in periods])


@router.post("/open")
async def ask_whether_open(body: OpenIn, sla: SlaHere) -> OpenOut:
    """Say whether an instant is business time, and when the next opening and closing are."""
    at = body.at or sla.runtime.ports.clock.now()
    return open_out(await calculated(sla, body.calendar, lambda calendar: calendar.open_at(at)))

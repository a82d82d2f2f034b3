"""When the next answer is to be expected, and how good such forecasts have been (clause 2.3)."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from firstline.common.application import permit
from firstline.common.permissions import Access
from firstline.sla.api.context import SlaHere
from firstline.sla.schemas import AccuracyOut, ForecastOut, accuracy_out, forecast_out
from firstline.sla.service.forecasts import expected, score

router = APIRouter(prefix="/v1/forecasts", tags=["time"])


@router.get("/accuracy", dependencies=[Depends(permit("forecasts.read"))])
async def read_accuracy(sla: SlaHere) -> AccuracyOut:
    """Read how often the last 1,000 answers came within their forecasts."""
    return accuracy_out(await sla.runtime.store.read(score))


@router.get("/{ticket_id}")
async def read_forecast(
    ticket_id: Annotated[str, Path(description="The request's ID or number.")],
    sla: SlaHere,
    access: Annotated[Access, Depends(permit("forecasts.read"))],
) -> ForecastOut:
    """Read when the next answer to a request is to be expected; nobody is bound by it.

    It is told from the last answers that had about as many requests before them. With fewer than 30 such answers no
    instant is named but the earliest one that the working hours allow.
    """
    now = sla.runtime.ports.clock.now()
    return forecast_out(await sla.runtime.store.read(lambda unit: expected(sla, unit, access, ticket_id, now)))

"""What the routes have in common: the service's instance, and the calendar of a request."""

from typing import Annotated, Any

from fastapi import Depends, Request

from firstline.common.calendar import Calendar, parse_calendar
from firstline.common.errors import Fault, Invalid
from firstline.sla.service.clocks import Sla


async def sla_of(request: Request) -> Sla:
    """Return the service's instance."""
    sla: Sla = request.app.state.sla
    return sla


SlaHere = Annotated[Sla, Depends(sla_of)]


async def calendar_of(sla: Sla, given: dict[str, Any] | None) -> Calendar:
    """Return the calendar that was given, else that of the newest policy.

    Raises:
        Invalid: the one given has mistakes; their pointers lead into `/calendar`.
        NoPolicy: none was given and no policy has arrived.

    """
    if given is None:
        return (await sla.runtime.store.read(sla.terms)).calendar
    try:
        return parse_calendar(given)
    except Invalid as error:
        faults = tuple(Fault(f"/calendar{fault.pointer}", fault.detail) for fault in error.faults)
        raise Invalid(error.detail, faults=faults) from error

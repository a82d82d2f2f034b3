"""What the routes have in common: the service's instance, and the calendar of a request."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request

from firstline.common.calendar import Calendar, parse_calendar
from firstline.common.errors import Fault, Invalid
from firstline.sla.service.clocks import Sla

T = TypeVar("T")


async def sla_of(request: Request) -> Sla:
    """Return the service's instance."""
    sla: Sla = request.app.state.sla
    return sla


SlaHere = Annotated[Sla, Depends(sla_of)]


async def calculated(sla: Sla, given: dict[str, Any] | None, work: Callable[[Calendar], T]) -> T:
    """Return what comes out of calculating on the calendar that was given, or on that of the newest policy.

    In a thread, and two at a time: centuries of crowded days take seconds to work out, and nobody else shall wait.

    Raises:
        Invalid: the one given has mistakes; their pointers lead into `/calendar`.
        NoPolicy: none was given and no policy has arrived.

    """
    known = None if given is not None else (await sla.runtime.store.read(sla.terms)).calendar
    async with sla.calculating:
        return await sla.runtime.ports.offload(lambda: work(known or _parsed(given)))


def _parsed(given: object) -> Calendar:
    """Return the calendar that was sent along; raise Invalid with pointers into the body."""
    try:
        return parse_calendar(given)
    except Invalid as error:
        faults = tuple(Fault(f"/calendar{fault.pointer}", fault.detail) for fault in error.faults)
        raise Invalid(error.detail, faults=faults) from error

"""Product time moved by hand (development only): it survives a restart and never goes back."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from firstline.common.application import public
from firstline.common.errors import Conflict, NotFound
from firstline.common.ports import ManualClock, Offload

END_OF_TIME = datetime(9000, 1, 1, tzinfo=UTC)
"""Deadlines are counted from what is set here, and years end at 9999."""

Settle = Callable[[], Awaitable[int]]
router = APIRouter(prefix="/v1/dev", tags=["development"], dependencies=[Depends(public)])


class TimeGoesForward(Conflict):
    """Product time can't be moved back."""

    title = "Time goes forward only"


class ClockIn(BaseModel):
    """The instant to move to."""

    model_config = ConfigDict(extra="forbid")
    now: AwareDatetime = Field(examples=["2026-11-23T06:00:00Z"], lt=END_OF_TIME)


class ClockOut(BaseModel):
    """The present instant of product time."""

    now: datetime


class HandMovedTime:
    """A manual clock with its place on disk, and the way to settle the desk after each move."""

    def __init__(self, clock: ManualClock, path: Path, offload: Offload, settle: Settle) -> None:
        self.clock = clock
        self._path = path
        self._offload = offload
        self._settle = settle
        self._turn = asyncio.Lock()

    async def move(self, instant: datetime) -> datetime:
        """Move product time and return once due work and events have settled.

        Raises:
            TimeGoesForward: the instant is before the present one (on a fresh desk any instant will do).

        """
        instant = instant.astimezone(UTC)
        # One after the other: two moves at once could write their instants in one order and set them in the other.
        async with self._turn:
            if self._path.exists() and instant < self.clock.now():
                raise TimeGoesForward(f"It is {self.clock.now().isoformat()} already; choose that or a later instant.")
            # On disk before anything happens by it: after a restart time must not lie before what it has caused.
            await self._offload(lambda: self._keep(instant))
            self.clock.move(instant)
            await self._settle()
        return instant

    def _keep(self, instant: datetime) -> None:
        """Write the instant so that a crash leaves the old one or the new one."""
        draft = self._path.with_suffix(".draft")
        draft.write_text(json.dumps({"now": instant.isoformat()}), "utf-8")
        draft.replace(self._path)


def kept_time(path: Path) -> datetime | None:
    """Return the instant that was set last, None on a fresh desk."""
    if not path.exists():
        return None
    return datetime.fromisoformat(json.loads(path.read_text("utf-8"))["now"])


async def _time(request: Request) -> HandMovedTime:
    """Return the clock that is moved by hand; NotFound where time is the machine's."""
    time: HandMovedTime | None = request.app.state.time
    if time is None:
        raise NotFound("Time can't be moved here. Start a desk in development with FIRSTLINE_CLOCK=manual.")
    return time


@router.get("/clock")
async def read_clock(time: Annotated[HandMovedTime, Depends(_time)]) -> ClockOut:
    """Read product time (development, manual clock)."""
    return ClockOut(now=time.clock.now())


@router.put("/clock")
async def move_clock(body: ClockIn, time: Annotated[HandMovedTime, Depends(_time)]) -> ClockOut:
    """Move product time forward; answers once all that fell due has been done (development, manual clock)."""
    return ClockOut(now=await time.move(body.now))

"""Request and response bodies of sla's API."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, field_validator

from firstline.common.calendar import FIRST_YEAR, LAST_YEAR, Openness, Period
from firstline.sla.clock import Clock, Explanation
from firstline.sla.history import ClockEvent as HistoryEvent

CalendarData = dict[str, Any]
EVENTS_LIMIT = 10_000
TARGET_CHANGES_LIMIT = 20
"""Each change judges all that went before it anew, so many of them would take minutes."""

PERIODS_LIMIT = 1_000
_CALENDAR_EXAMPLE = {"tz": "UTC", "hours": {"mon": [["06:00", "16:00"]], "tue": [["06:00", "16:00"]]}}


def _countable(at: datetime) -> datetime:
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise ValueError(f"Business time is counted from the year {FIRST_YEAR} to the year {LAST_YEAR}.")
    return at


Instant = Annotated[AwareDatetime, AfterValidator(_countable)]


class Body(BaseModel):
    """A request body: an unknown member is a mistake and is refused."""

    model_config = ConfigDict(extra="forbid")


class CalendarBody(Body):
    """What calculations on a calendar share."""

    calendar: CalendarData | None = Field(
        None,
        description="Working hours as data: tz, hours, holidays, breaks, overrides. Default: the policy's.",
        examples=[_CALENDAR_EXAMPLE],
    )


class AddIn(CalendarBody):
    """An instant and business minutes to go from it."""

    start: AwareDatetime = Field(examples=["2026-11-20T15:30:00Z"])
    minutes: float = Field(ge=0, allow_inf_nan=False, examples=[180])


class BetweenIn(CalendarBody):
    """Two instants."""

    start: AwareDatetime
    end: AwareDatetime


class PeriodsIn(CalendarBody):
    """How many stretches of business time are wanted from an instant on."""

    start: AwareDatetime
    count: int = Field(ge=1, le=PERIODS_LIMIT)


class OpenIn(CalendarBody):
    """An instant; the present one when left out."""

    at: AwareDatetime | None = None


class DueOut(BaseModel):
    """The instant at which the time is over."""

    due: datetime


class MinutesOut(BaseModel):
    """Business minutes."""

    minutes: float


class PeriodOut(BaseModel):
    """A stretch of business time, half-open; `end` is null when it never closes."""

    start: datetime
    end: datetime | None


class PeriodsOut(BaseModel):
    """Stretches of business time in their order."""

    periods: list[PeriodOut]


class OpenOut(BaseModel):
    """Whether the desk is open, and when that changes; null for what never comes."""

    open: bool
    next_opening: datetime | None
    next_closing: datetime | None


class TargetsIn(Body):
    """Business minutes by target."""

    first_response: float | None = Field(None, ge=0, allow_inf_nan=False)
    next_response: float | None = Field(None, ge=0, allow_inf_nan=False)
    resolution: float | None = Field(None, ge=0, allow_inf_nan=False)


class EventIn(Body):
    """One event of a history."""

    type: Literal[
        "created",
        "client_message",
        "staff_reply",
        "internal_note",
        "wait",
        "resume",
        "resolved",
        "closed",
        "reopened",
        "targets_changed",
    ]
    at: Instant
    cause: Literal["client", "third_party", "release"] | None = Field(None, description="Of `wait`.")
    targets: TargetsIn | None = Field(None, description="Of `targets_changed`.")
    id: str | None = Field(None, description="Events with the same id count once.")


class ComputeIn(CalendarBody):
    """A history to be folded into clocks."""

    targets: TargetsIn = Field(examples=[{"first_response": 600, "next_response": 600}])
    events: list[EventIn] = Field(
        max_length=EVENTS_LIMIT, examples=[[{"type": "created", "at": "2026-11-20T15:30:00Z"}]]
    )
    as_of: Instant

    @field_validator("events")
    @classmethod
    def _few_changes(cls, events: list[EventIn]) -> list[EventIn]:
        if sum(event.type == "targets_changed" for event in events) > TARGET_CHANGES_LIMIT:
            raise ValueError(f"At most {TARGET_CHANGES_LIMIT} changes of the targets.")
        return events


class ClockOut(BaseModel):
    """A clock: `due_at` is null while nothing runs; `breached` stays until answered, closed or reopened."""

    target: Literal["first_response", "next_response", "resolution"]
    state: Literal["idle", "running", "paused", "met"]
    due_at: datetime | None
    elapsed_minutes: float
    breached: bool


class TicketClockOut(ClockOut):
    """A request's clock as it stands now."""

    id: str
    ticket_id: str
    number: str
    warn_at: datetime | None
    policy_version: str
    as_of: datetime


class IntervalOut(BaseModel):
    """A stretch of a clock's run; `counted` says whether its business minutes went into the clock."""

    start: datetime
    end: datetime
    reason: Literal["open", "waiting", "resolved", "closed"]
    cause: Literal["client", "third_party", "release"] | None
    counted: bool
    business_minutes: float
    closed_minutes: float


class ExplanationOut(BaseModel):
    """Where a clock's elapsed time comes from."""

    target: Literal["first_response", "next_response", "resolution"]
    intervals: list[IntervalOut]


class ComputeOut(BaseModel):
    """Clocks at the instant asked for, and where their time comes from."""

    clocks: list[ClockOut]
    explanation: list[ExplanationOut]


def targets_of(given: TargetsIn) -> dict[Any, float]:
    """Return the targets that were given."""
    return {name: minutes for name, minutes in given.model_dump().items() if minutes is not None}


def history_event(given: EventIn) -> HistoryEvent:
    """Return an event of the body as the rules know it."""
    targets = targets_of(given.targets) if given.targets else None
    return HistoryEvent(type=given.type, at=given.at, cause=given.cause, targets=targets, id=given.id)


def clock_out(clock: Clock) -> ClockOut:
    """Return a clock's document."""
    return ClockOut(
        target=clock.target,
        state=clock.state,
        due_at=clock.due_at,
        elapsed_minutes=clock.elapsed_minutes,
        breached=clock.breached,
    )


def explanation_out(explanation: Explanation) -> ExplanationOut:
    """Return an explanation's document."""
    return ExplanationOut(
        target=explanation.target,
        intervals=[
            IntervalOut(
                start=i.start,
                end=i.end,
                reason=i.reason,
                cause=i.cause,
                counted=i.counted,
                business_minutes=i.business_minutes,
                closed_minutes=i.closed_minutes,
            )
            for i in explanation.intervals
        ],
    )


def period_out(period: Period) -> PeriodOut:
    """Return a stretch's document."""
    return PeriodOut(start=period.start, end=period.end)


def open_out(openness: Openness) -> OpenOut:
    """Return the document of being open or closed."""
    return OpenOut(open=openness.open, next_opening=openness.next_opening, next_closing=openness.next_closing)

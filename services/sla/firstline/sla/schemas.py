"""Request and response bodies of sla's API."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from firstline.common.calendar import FIRST_YEAR, LAST_YEAR, Openness, Period
from firstline.common.policy.targets import TargetRule, WarnBefore
from firstline.sla.clock import Clock, Explanation
from firstline.sla.history import ClockEvent as HistoryEvent
from firstline.sla.service.forecasts import Expected
from firstline.sla.store import Score
from firstline.sla.words import TimedBy, in_words

CalendarData = dict[str, Any]
EVENTS_LIMIT = 10_000
YEARS_LIMIT = 50
TARGET_CHANGES_LIMIT = 20
"""Each change judges all that went before it anew, so many of them would take minutes."""

RULES_LIMIT = 100

PERIODS_LIMIT = 1_000
_CALENDAR_EXAMPLE = {"tz": "UTC", "hours": {"mon": [["06:00", "16:00"]], "tue": [["06:00", "16:00"]]}}


def _countable(at: datetime) -> datetime:
    """Refuse an instant that no calendar counts from."""
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
        description="Working hours as data: tz, hours, hours_from, holidays, public_holidays, works_as, breaks, "
        "overrides. Default: the policy's.",
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


class TraitsIn(Body):
    """What a request is like from an event on, as far as it says that; rules choose the targets by it."""

    urgency: str | None = None
    topic: str | None = None
    tier: str | None = None
    organization_id: str | None = None
    entitlement: str | None = None
    edition: str | None = None


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
    targets: TargetsIn | None = Field(None, description="Of `targets_changed`: minutes, whatever the rules say.")
    traits: TraitsIn | None = Field(None, description="What the request is like from now on; members left out stay.")
    id: str | None = Field(None, description="Events with the same id count once.")


class ComputeIn(CalendarBody):
    """A history to be folded into clocks."""

    targets: TargetsIn = Field(examples=[{"first_response": 600, "next_response": 600}])
    events: list[EventIn] = Field(
        max_length=EVENTS_LIMIT, examples=[[{"type": "created", "at": "2026-11-20T15:30:00Z"}]]
    )
    as_of: Instant
    rules: list[TargetRule] = Field(
        [],
        max_length=RULES_LIMIT,
        description="Rules as in a policy's `targets.rules`; the first that fits wins, and `targets` where none does.",
        examples=[[{"code": "recovery", "when": {"urgency": ["high"]}, "minutes": {"first_response": 60}}]],
    )
    warn_before: list[WarnBefore] = Field([], max_length=RULES_LIMIT, examples=[[{"share": 0.25}, {"minutes": 30}]])

    @field_validator("as_of")
    @classmethod
    def _few_years(cls, as_of: datetime, info: ValidationInfo) -> datetime:
        """Refuse a history that is longer than any request's: each of its years has to be worked out."""
        first = min((event.at for event in info.data.get("events", ())), default=as_of)
        if as_of - first > timedelta(days=366 * YEARS_LIMIT):
            raise ValueError(f"At most {YEARS_LIMIT} years after the first event.")
        return as_of

    @field_validator("events")
    @classmethod
    def _few_changes(cls, events: list[EventIn]) -> list[EventIn]:
        """Refuse more changes of the targets than are judged in a moment."""
        if sum(event.type == "targets_changed" or event.traits is not None for event in events) > TARGET_CHANGES_LIMIT:
            raise ValueError(f"At most {TARGET_CHANGES_LIMIT} changes of the targets.")
        return events


class WarningOut(BaseModel):
    """An instant at which a clock warns, and the business minutes that are counted then."""

    at: datetime
    counted_minutes: float


class ClockOut(BaseModel):
    """A clock: `due_at` is null while nothing runs; `breached` stays until answered, closed or reopened."""

    target: Literal["first_response", "next_response", "resolution"]
    state: Literal["idle", "running", "paused", "met"]
    due_at: datetime | None
    elapsed_minutes: float
    breached: bool
    target_minutes: float
    rule: str | None = Field(description="The rule or the urgency level that gives the target, as the policy calls it.")
    warnings: list[WarningOut] = Field(description="The earliest first; none while nothing runs.")


class TicketClockOut(ClockOut):
    """A request's clock as it stands now."""

    id: str
    ticket_id: str
    number: str
    warn_at: datetime | None
    policy_version: str
    targets_version: str = Field(description="The one whose targets it has: another one after a recompute.")
    hours_version: str = Field(description="The policy version whose hours count: the newest for what runs.")
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
    rule: str | None = Field(description="The rule that gave the target then.")


class ExplanationOut(BaseModel):
    """Where a clock's elapsed time comes from, and by which rule its target is given; in data and in words."""

    target: Literal["first_response", "next_response", "resolution"]
    intervals: list[IntervalOut]
    target_minutes: float
    rule: str | None
    policy_version: str | None = Field(description="The policy version under which the request was taken.")
    targets_version: str | None = Field(description="The one whose targets it has: another one after a recompute.")
    hours_version: str | None = Field(description="The policy version by whose hours it was counted.")
    words: list[str]


class ComputeOut(BaseModel):
    """Clocks at the instant asked for, and where their time comes from."""

    clocks: list[ClockOut]
    explanation: list[ExplanationOut]


class ForecastOut(BaseModel):
    """When the next answer to a request is to be expected; the minutes are business minutes from `as_of`."""

    ticket_id: str
    number: str
    state: Literal["expected", "unsure", "not_owed"] = Field(
        description="`unsure`: too few answers lately with a queue like this. `not_owed`: it is not our turn to answer."
    )
    binding: Literal[False] = False
    note: str
    ahead: int | None = Field(description="Requests that are served before it, up to 1,000.")
    p50_minutes: float | None
    p90_minutes: float | None
    p50_at: datetime | None = Field(description="Half of such answers come by then.")
    p90_at: datetime | None = Field(description="Nine of ten such answers come by then.")
    earliest_at: datetime | None = Field(description="Now while the desk is open, else the next opening.")
    based_on: int = Field(description="How many of the last answers were looked at for such a queue.")
    as_of: datetime


class AccuracyOut(BaseModel):
    """Of the last answers about which something had been foretold: how many came within the forecast."""

    answers: int
    within_p50: int
    within_p90: int
    share_within_p50: float | None
    share_within_p90: float | None


def forecast_out(expected: Expected) -> ForecastOut:
    """Return a forecast's document."""
    forecast = expected.forecast
    state: Literal["expected", "unsure", "not_owed"] = "expected" if forecast else "unsure"
    if expected.ahead is None:
        state = "not_owed"
    return ForecastOut(
        ticket_id=expected.ticket.id,
        number=expected.ticket.number,
        state=state,
        note=_NOTES[state],
        ahead=expected.ahead,
        p50_minutes=forecast.p50 if forecast else None,
        p90_minutes=forecast.p90 if forecast else None,
        p50_at=expected.p50_at,
        p90_at=expected.p90_at,
        earliest_at=expected.earliest_at,
        based_on=expected.based_on,
        as_of=expected.as_of,
    )


_NOTES = {
    "expected": "An estimate from the last answers, not a promise.",
    "unsure": "Too few answers lately, with a queue like this, for an estimate.",
    "not_owed": "No answer is owed now.",
}


def accuracy_out(score: Score) -> AccuracyOut:
    """Return the document of how often forecasts came true."""
    answers = score.answers
    return AccuracyOut(
        answers=answers,
        within_p50=score.within_p50,
        within_p90=score.within_p90,
        share_within_p50=score.within_p50 / answers if answers else None,
        share_within_p90=score.within_p90 / answers if answers else None,
    )


def targets_of(given: TargetsIn) -> dict[Any, float]:
    """Return the targets that were given."""
    return {name: minutes for name, minutes in given.model_dump().items() if minutes is not None}


def history_event(given: EventIn) -> HistoryEvent:
    """Return an event of the body as the rules know it."""
    targets = targets_of(given.targets) if given.targets and given.type == "targets_changed" else None
    traits = given.traits.model_dump(exclude_unset=True) if given.traits else None
    return HistoryEvent(
        type=given.type, at=given.at, cause=given.cause, targets=targets, id=given.id, traits=traits or None
    )


def clock_out(clock: Clock) -> ClockOut:
    """Return a clock's document."""
    return ClockOut(
        target=clock.target,
        state=clock.state,
        due_at=clock.due_at,
        elapsed_minutes=clock.elapsed_minutes,
        breached=clock.breached,
        target_minutes=clock.target_minutes,
        rule=clock.rule,
        warnings=[WarningOut(at=w.at, counted_minutes=w.counted_minutes) for w in clock.warnings],
    )


def explanation_out(explanation: Explanation, by: TimedBy | None = None) -> ExplanationOut:
    """Return an explanation's document; of a request's clock with the versions of the policy that it is timed by."""
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
                rule=i.rule.code,
            )
            for i in explanation.intervals
        ],
        target_minutes=explanation.target_minutes,
        rule=explanation.rule,
        policy_version=by.policy if by else None,
        targets_version=by.targets if by else None,
        hours_version=by.hours if by else None,
        words=in_words(explanation, by),
    )


def period_out(period: Period) -> PeriodOut:
    """Return a stretch's document."""
    return PeriodOut(start=period.start, end=period.end)


def open_out(openness: Openness) -> OpenOut:
    """Return the document of being open or closed."""
    return OpenOut(open=openness.open, next_opening=openness.next_opening, next_closing=openness.next_closing)

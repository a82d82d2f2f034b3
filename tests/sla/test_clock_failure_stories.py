"""Wrong timing that other help desks were known for; each story told against our clocks."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from firstline.common.calendar import Calendar, parse_calendar
from firstline.sla.clock import Clock, fold
from firstline.sla.history import ClockEvent
from firstline.sla.targets import Warn, fixed

WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def office(tz: str = "UTC", days: tuple[str, ...] = WEEK[:5], **more: Any) -> Calendar:
    """Return a calendar open from 06:00 to 16:00."""
    return parse_calendar({"tz": tz, "hours": {day: [["06:00", "16:00"]] for day in days}, **more})


def at(text: str) -> datetime:
    """Return an instant in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def response(calendar: Calendar, as_of: str, *events: ClockEvent, minutes: float = 600) -> Clock:
    """Return the first response's clock with its warning at 75 %."""
    return fold(events, fixed({"first_response": minutes}, Warn(0.75)), calendar, at(as_of))[0]


def test_elapsed_time_is_business_time_and_holidays_surprise_nobody() -> None:
    """zammad#390: over a holiday and a weekend the clock shows the minutes worked, not days."""
    created = ClockEvent("created", at("2026-12-24T15:00"))
    clock = response(office(holidays=["2026-12-25"]), "2026-12-28T07:00", created)
    assert clock.elapsed_minutes == 120


@pytest.mark.parametrize("hour", range(0, 24, 3))
@pytest.mark.parametrize("day", range(7))
def test_nothing_is_due_at_midnight_or_at_the_weekend(day: int, hour: int) -> None:
    """zammad#4432, glpi#22678: warnings and deadlines fall into working hours, whenever the request came."""
    calendar = office()
    created = at("2026-11-20T00:00") + timedelta(days=day, hours=hour)
    clock = fold([ClockEvent("created", created)], fixed({"first_response": 37}, Warn(0.75)), calendar, created)[0]
    for instant in (clock.warn_at, clock.due_at):
        assert instant is not None
        assert calendar.open_at(instant - timedelta(microseconds=1)).open


def test_a_pause_over_the_weekend_costs_the_business_time_in_it() -> None:
    """glpi#10594, PR 14937: Friday 15:00 to Monday 07:00 is two working hours, neither 64 nor none."""
    events = [ClockEvent("created", at("2026-11-20T06:00")), ClockEvent("wait", at("2026-11-20T15:00"), "third_party")]
    clock = response(office(), "2026-11-23T07:00", *events, ClockEvent("resume", at("2026-11-23T07:00")))
    assert clock.elapsed_minutes == 540
    assert clock.due_at == at("2026-11-23T08:00")


def test_hold_time_is_not_added_to_the_wall_clock_of_creation() -> None:
    """frappe/helpdesk PR 2449: an hour's hold moves the deadline by an hour of work, past closing to the morning."""
    created = ClockEvent("created", at("2026-11-20T15:30"))
    hold = [ClockEvent("wait", at("2026-11-20T15:40"), "client"), ClockEvent("resume", at("2026-11-23T06:40"))]
    assert response(office(), "2026-11-20T15:30", created, minutes=60).due_at == at("2026-11-23T06:30")
    assert response(office(), "2026-11-23T06:40", created, *hold, minutes=60).due_at == at("2026-11-23T07:30")


@pytest.mark.parametrize("tz", ["Pacific/Auckland", "America/Los_Angeles", "Asia/Kathmandu"])
def test_another_time_zone_escalates_nothing_at_creation(tz: str) -> None:
    """glpi#15429: hours of another zone shift the deadline; a new request has its whole time ahead of it."""
    calendar, created = office(tz), at("2026-11-23T05:00")
    clock = fold([ClockEvent("created", created)], {"first_response": 600}, calendar, created)[0]
    assert not clock.breached
    assert clock.due_at is not None
    assert calendar.between(created, clock.due_at) == 600


@pytest.mark.parametrize("day", range(7))
def test_each_weekday_works_alone(day: int) -> None:
    """osTicket#6739: a schedule of one weekday needs no other weekdays beside it."""
    clock = response(office(days=(WEEK[day],)), "2026-11-23T00:00", ClockEvent("created", at("2026-11-23T00:00")))
    assert clock.due_at == at("2026-11-23T16:00") + timedelta(days=day)


def test_a_changed_calendar_times_open_clocks_as_if_it_had_always_been_so() -> None:
    """Invariant P22: a holiday entered later moves the deadline to where replaying from creation puts it."""
    created = ClockEvent("created", at("2026-11-20T15:30"))
    assert response(office(), "2026-11-22T00:00", created, minutes=180).due_at == at("2026-11-23T08:30")
    changed = office(holidays=["2026-11-23"])
    assert response(changed, "2026-11-22T00:00", created, minutes=180).due_at == at("2026-11-24T08:30")

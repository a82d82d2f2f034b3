"""Business time by example: clause 2.1's hours, the policy reading's vectors, edges, changes of the clock, limits."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import available_timezones

import pytest
from firstline.common.calendar import Calendar, CalendarExhausted, Openness, Period, parse_calendar
from firstline.common.calendar_data import read_working_hours
from firstline.common.calendar_year import work_out
from firstline.common.errors import Invalid

WORKDAYS = ("mon", "tue", "wed", "thu", "fri")
EVERY_DAY = (*WORKDAYS, "sat", "sun")


def calendar(*intervals: tuple[str, str], tz: str = "UTC", days: tuple[str, ...] = WORKDAYS, **more: Any) -> Calendar:
    """Return a calendar with the same intervals on some days; 06:00 to 16:00 by default."""
    hours = {day: [list(pair) for pair in intervals or (("06:00", "16:00"),)] for day in days}
    return parse_calendar({"tz": tz, "hours": hours, **more})


def at(text: str) -> datetime:
    """Return an instant in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "minutes", "holidays", "due"),
    [
        ("2026-11-20T15:30", 180, [], "2026-11-23T08:30"),
        ("2026-11-20T15:30", 180, ["2026-11-23"], "2026-11-24T08:30"),
        ("2026-11-21T12:00", 180, [], "2026-11-23T09:00"),
        ("2026-11-20T16:00:00", 180, [], "2026-11-23T09:00"),
        ("2026-11-23T06:00", 600, [], "2026-11-23T16:00"),
        ("2026-11-23T06:00", 601, [], "2026-11-24T06:01"),
        ("2026-11-23T05:59:59", 300, [], "2026-11-23T11:00"),
        ("2026-11-20T15:59:59", 1440, [], "2026-11-25T09:59:59"),
    ],
)
def test_the_policys_vectors(start: str, minutes: int, holidays: list[str], due: str) -> None:
    """The computed examples for 06:00 to 16:00 UTC on business days come out to the second, there and back."""
    office = calendar(holidays=holidays)
    assert office.add(at(start), minutes) == at(due)
    assert office.between(at(start), at(due)) == minutes


def test_time_that_runs_out_at_closing_is_due_at_closing() -> None:
    """Ten hours from Monday's opening end on Monday, not at Tuesday's opening; subtracting them ends at the opening."""
    assert calendar().add(at("2026-11-23T06:00"), 600) == at("2026-11-23T16:00")
    assert calendar().subtract(at("2026-11-24T06:00"), 600) == at("2026-11-23T06:00")


@pytest.mark.parametrize(
    ("start", "later", "earlier"),
    [
        ("2026-11-21T12:00", "2026-11-23T06:00", "2026-11-20T16:00"),
        ("2026-11-20T16:00", "2026-11-23T06:00", "2026-11-20T16:00"),
        ("2026-11-23T06:00", "2026-11-23T06:00", "2026-11-23T06:00"),
        ("2026-11-23T10:30", "2026-11-23T10:30", "2026-11-23T10:30"),
        ("2027-01-01T00:00", "2027-01-01T06:00", "2026-12-31T16:00"),
    ],
)
def test_no_time_at_all_goes_to_the_next_opening_or_the_previous_closing(start: str, later: str, earlier: str) -> None:
    """Zero minutes leave an open instant as it is and move a closed one; the closing instant itself is closed."""
    assert calendar().add(at(start), 0) == at(later)
    assert calendar().subtract(at(start), 0) == at(earlier)


def test_the_end_before_the_start_is_no_time() -> None:
    """`between` never answers less than zero."""
    assert calendar().between(at("2026-11-24T10:00"), at("2026-11-23T10:00")) == 0


def test_amounts_are_exact_to_the_microsecond() -> None:
    """Fractions of minutes neither drift nor round beyond a microsecond, however often they are added."""
    office, now = calendar(), at("2026-11-23T06:00")
    for _ in range(1000):
        now = office.add(now, 0.1)
    assert now == at("2026-11-23T07:40")
    assert office.add(now, timedelta(microseconds=1)) - now == timedelta(microseconds=1)
    assert office.between(now, now + timedelta(microseconds=3)) == 0.00000005
    assert isinstance(office.between(now, now + timedelta(minutes=3)), int)


def test_any_offset_is_taken_and_utc_is_answered() -> None:
    """An instant written with another offset is the same instant."""
    there = datetime(2026, 11, 23, 11, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    due = calendar().add(there, 60)
    assert due == at("2026-11-23T07:00")
    assert due.tzinfo is UTC


def test_a_night_shift_belongs_to_the_date_it_starts_on() -> None:
    """Friday's night runs into Saturday; a holiday on Saturday doesn't shorten it, one on Friday takes all of it."""
    night = ("22:00", "06:00")
    week = at("2026-11-20T00:00"), at("2026-11-22T00:00")
    assert calendar(night, days=("fri",)).between(*week) == 480
    assert calendar(night, days=("fri",), holidays=["2026-11-21"]).between(*week) == 480
    assert calendar(night, days=("fri",), holidays=["2026-11-20"]).between(*week) == 0


def test_overrides_beat_holidays_beat_hours_and_breaks_cut_all() -> None:
    """A date with own hours is open on a holiday; a break cuts it, and one past midnight cuts the next date too."""
    office = calendar(
        holidays=["2026-11-23", "2026-11-24"],
        overrides={"2026-11-24": [["09:00", "13:00"]], "2026-11-25": [], "2026-11-28": [["00:00", "24:00"]]},
        breaks={"2026-11-24": [["11:30", "12:00"]], "2026-11-27": [["15:00", "01:00"]]},
    )
    days = [at("2026-11-23T00:00") + timedelta(days=day) for day in range(7)]
    assert [office.between(day, day + timedelta(days=1)) for day in days] == [0, 210, 0, 600, 540, 1380, 0]


def test_overlapping_and_touching_intervals_count_once() -> None:
    """Two descriptions of the same minute are one minute, and no closing lies between touching intervals."""
    office = calendar(("06:00", "10:00"), ("09:00", "12:00"), ("12:00", "16:00"))
    assert office.periods(at("2026-11-23T00:00"), 1) == (Period(at("2026-11-23T06:00"), at("2026-11-23T16:00")),)


@pytest.mark.parametrize(
    ("tz", "day", "minutes"),
    [
        ("Europe/Berlin", "2026-03-29", 23 * 60),
        ("Europe/Berlin", "2026-10-25", 25 * 60),
        ("Australia/Lord_Howe", "2026-04-05", 24 * 60 + 30),
        ("Australia/Lord_Howe", "2026-10-04", 23 * 60 + 30),
        ("Antarctica/Troll", "2026-10-25", 26 * 60),
        ("Pacific/Apia", "2011-12-30", 0),
        ("Asia/Kathmandu", "2026-10-25", 24 * 60),
    ],
)
def test_a_day_on_which_the_clock_changes_has_the_hours_that_pass(tz: str, day: str, minutes: int) -> None:
    """A date open from 00:00 to 24:00 is as long as it lasts; one that a zone leaves out has no time at all."""
    office = parse_calendar({"tz": tz, "overrides": {day: [["00:00", "24:00"]], "2030-01-01": [["00:00", "00:01"]]}})
    noon = at(f"{day}T12:00")
    assert office.between(noon - timedelta(days=3), noon + timedelta(days=3)) == minutes


@pytest.mark.parametrize(
    ("interval", "opened"),
    [
        (("02:30", "04:00"), ["2026-10-25T00:30/2026-10-25T01:00", "2026-10-25T01:30/2026-10-25T03:00"]),
        (("01:00", "02:30"), ["2026-10-24T23:00/2026-10-25T00:30", "2026-10-25T01:00/2026-10-25T01:30"]),
        (("02:10", "02:20"), ["2026-10-25T00:10/2026-10-25T00:20", "2026-10-25T01:10/2026-10-25T01:20"]),
        (("01:00", "03:00"), ["2026-10-24T23:00/2026-10-25T02:00"]),
    ],
)
def test_an_edge_inside_a_repeated_hour_holds_each_time_the_clock_shows_it(
    interval: tuple[str, str], opened: list[str]
) -> None:
    """When 02:00 to 03:00 comes twice, readings inside an interval are open both times and others closed both times."""
    office = calendar(interval, tz="Europe/Berlin", days=("sun",))
    found = office.periods(at("2026-10-24T12:00"), len(opened))
    assert [f"{period.start:%FT%R}/{period.end:%FT%R}" for period in found] == opened


@pytest.mark.parametrize(
    ("interval", "opened"),
    [(("02:30", "04:00"), "01:00-02:00"), (("01:30", "02:30"), "00:30-01:00"), (("01:00", "03:30"), "00:00-01:30")],
)
def test_an_edge_inside_a_skipped_hour_falls_on_the_change(interval: tuple[str, str], opened: str) -> None:
    """When the clock jumps from 02:00 to 03:00, readings between never come: what starts there starts with the jump."""
    first = calendar(interval, tz="Europe/Berlin", days=("sun",)).periods(at("2026-03-28T12:00"), 1)[0]
    assert f"{first.start:%R}-{first.end:%R}" == opened


def test_an_interval_wholly_inside_a_skipped_hour_does_not_open() -> None:
    """Sunday's 02:10 to 02:20 is left out on the day of the jump."""
    first = calendar(("02:10", "02:20"), tz="Europe/Berlin", days=("sun",)).periods(at("2026-03-28T12:00"), 1)[0]
    assert first.start == at("2026-04-05T00:10")


def test_open_at_tells_the_state_and_both_edges() -> None:
    """Open: the closing ahead and the opening after it. Closed: the opening ahead and its closing."""
    office = calendar()
    friday, monday = (at("2026-11-20T06:00"), at("2026-11-20T16:00")), (at("2026-11-23T06:00"), at("2026-11-23T16:00"))
    assert office.open_at(friday[0]) == Openness(open=True, next_opening=monday[0], next_closing=friday[1])
    assert office.open_at(friday[1]) == Openness(open=False, next_opening=monday[0], next_closing=monday[1])


def test_periods_begin_at_the_start_when_that_is_open() -> None:
    """The first period is what is left of the present one; none asked for is none given."""
    found = calendar().periods(at("2026-11-20T15:00"), 2)
    assert found == (
        Period(at("2026-11-20T15:00"), at("2026-11-20T16:00")),
        Period(at("2026-11-23T06:00"), at("2026-11-23T16:00")),
    )
    assert calendar().periods(at("2026-11-20T15:00"), 0) == ()


def test_a_stretch_that_crosses_new_year_is_one() -> None:
    """Year ends are not closings."""
    night = calendar(("20:00", "04:00"), days=EVERY_DAY)
    assert night.periods(at("2026-12-31T12:00"), 1) == (Period(at("2026-12-31T20:00"), at("2027-01-01T04:00")),)
    assert night.open_at(at("2027-01-01T00:00")).next_closing == at("2027-01-01T04:00")
    assert night.add(at("2026-12-31T20:00"), 240) == at("2027-01-01T00:00")
    assert night.subtract(at("2027-01-01T00:00"), 240) == at("2026-12-31T20:00")


@pytest.mark.parametrize("tz", ["UTC", "Europe/Berlin", "Africa/Casablanca"])
def test_a_desk_that_never_closes_says_so(tz: str) -> None:
    """Round the clock there is one period without an end, after the last special date at any rate."""
    always = calendar(("00:00", "24:00"), tz=tz, days=EVERY_DAY, holidays=["2026-12-25"])
    now = at("2026-12-27T00:00")
    assert always.open_at(now) == Openness(open=True, next_opening=None, next_closing=None)
    assert always.periods(now, 2) == (Period(now, None),)
    assert always.open_at(at("2026-12-20T00:00")).next_closing is not None
    assert (
        calendar(("00:00", "24:00"), tz=tz, days=EVERY_DAY, holidays=["2030-05-01"]).periods(now, 1)[0].end is not None
    )
    assert always.add(now, 1440) == now + timedelta(days=1)


def test_an_interrupted_year_is_not_joined_to_an_unbroken_one() -> None:
    """Closing on New Year's Eve ends a period even if the desk never closes afterwards."""
    always = calendar(
        ("00:00", "24:00"), days=EVERY_DAY, holidays=["2026-12-24"], breaks={"2026-12-31": [["12:00", "24:00"]]}
    )
    first, second = always.periods(at("2026-12-25T00:00"), 5)
    assert first == Period(at("2026-12-25T00:00"), at("2026-12-31T12:00"))
    assert second == Period(at("2027-01-01T00:00"), None)


def test_a_calendar_of_single_dates_ends() -> None:
    """After the last opening nothing can be added, nothing opens; before the first nothing can be subtracted."""
    fair = parse_calendar({"tz": "UTC", "overrides": {"2026-05-01": [["09:00", "10:00"]]}})
    assert fair.add(at("2026-01-01T00:00"), 60) == at("2026-05-01T10:00")
    assert fair.open_at(at("2026-06-01T00:00")) == Openness(open=False, next_opening=None, next_closing=None)
    assert fair.periods(at("2026-01-01T00:00"), 9) == (Period(at("2026-05-01T09:00"), at("2026-05-01T10:00")),)
    impossible: list[Callable[[], object]] = [
        lambda: fair.add(at("2026-01-01T00:00"), 61),
        lambda: fair.add(at("2026-06-01T00:00"), 0),
        lambda: fair.subtract(at("2026-05-01T09:00"), 1),
        lambda: fair.subtract(at("2026-05-01T09:00") - timedelta(minutes=1), 0),
    ]
    for operation in impossible:
        with pytest.raises(CalendarExhausted):
            operation()


@pytest.mark.parametrize("minutes", [-1, -0.001, float("nan"), timedelta(microseconds=-1)])
def test_a_negative_amount_is_refused(minutes: float | timedelta) -> None:
    """Neither `add` nor `subtract` goes the other way, and what is not a number is none."""
    for operation in (calendar().add, calendar().subtract):
        with pytest.raises(Invalid, match="not negative") as caught:
            operation(at("2026-11-23T10:00"), minutes)
        assert [fault.pointer for fault in caught.value.faults] == ["/minutes"]


@pytest.mark.parametrize("minutes", [1.4e9, 10**12, 10**400, float("inf"), timedelta.max])
def test_an_amount_that_leads_past_the_last_year_is_refused(minutes: float | timedelta) -> None:
    """An endless amount is an answer at once, not an endless search."""
    with pytest.raises(CalendarExhausted):
        calendar().add(at("2026-11-23T10:00"), minutes)
    with pytest.raises(CalendarExhausted):
        calendar().subtract(at("2026-11-23T10:00"), minutes)


@pytest.mark.parametrize("count", [-1, 1001])
def test_a_senseless_number_of_periods_is_refused(count: int) -> None:
    """Periods are asked for by the thousand at most."""
    with pytest.raises(Invalid, match="periods") as caught:
        calendar().periods(at("2026-11-23T10:00"), count)
    assert caught.value.faults[0].pointer == "/count"


@pytest.mark.parametrize(
    "wrong",
    [
        datetime(2026, 11, 23, 10),
        at("0001-06-01T00:00"),
        at("9999-01-01T00:00"),
        datetime(9998, 12, 31, 23, tzinfo=timezone(timedelta(hours=-5))),
        datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-5))),
    ],
)
def test_instants_without_an_offset_or_far_outside_are_refused(wrong: datetime) -> None:
    """A naive time could mean anything; the years 1 and 9999 have no neighbours to count from."""
    office, fine = calendar(), at("2026-11-23T10:00")
    operations: list[tuple[str, Callable[[], object]]] = [
        ("/start", lambda: office.add(wrong, 1)),
        ("/start", lambda: office.subtract(wrong, 1)),
        ("/start", lambda: office.between(wrong, fine)),
        ("/end", lambda: office.between(fine, wrong)),
        ("/start", lambda: office.periods(wrong, 1)),
        ("/at", lambda: office.open_at(wrong)),
    ]
    for pointer, operation in operations:
        with pytest.raises(Invalid) as caught:
            operation()
        assert [fault.pointer for fault in caught.value.faults] == [pointer]


@pytest.mark.parametrize(
    "tz", sorted(name for name in available_timezones() if "/" in name and "Etc" not in name)[::25]
)
def test_far_years_are_taken_from_another_of_the_same_shape(tz: str) -> None:
    """Before and after all changes of the rules a year is like any other with its weekdays, in every time zone."""
    data = {"tz": tz, "hours": {day: [["01:30", "02:30"], ["22:00", "03:00"]] for day in EVERY_DAY}}
    office = parse_calendar(data)
    for year in (1709, 1799, 2104, 2900):
        own = work_out(read_working_hours(data), year)
        for near in range(year - 28, year):
            office.add(datetime(near, 6, 1, tzinfo=UTC), 1)
        opened = [(own.instant(begin), own.instant(end)) for begin, end in zip(own.opens, own.closes, strict=True)]
        total = timedelta(microseconds=own.sums[-1])
        assert sum((office.elapsed(*stretch) for stretch in opened), timedelta()) == total
        assert office.elapsed(own.start, datetime(year + 1, 1, 1, tzinfo=UTC)) == total


@pytest.mark.parametrize("tz", ["Africa/Casablanca", "Asia/Gaza"])
def test_near_years_are_each_worked_out(tz: str) -> None:
    """Where the rules differ from year to year (Ramadan) no year is taken from another."""
    data = {"tz": tz, "hours": {day: [["01:30", "02:30"]] for day in EVERY_DAY}}
    office = parse_calendar(data)
    for year in range(2008, 2100):
        total = timedelta(microseconds=work_out(read_working_hours(data), year).sums[-1])
        assert office.elapsed(datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)) == total


@pytest.mark.parametrize("visited", [["2145", "2151"], ["2151", "2145"]])
def test_a_special_date_at_a_far_new_year_touches_its_own_years_only(visited: list[str]) -> None:
    """The night shift of 2150's last date reaches into 2151, and not into 2145, which has the same weekdays."""
    office = calendar(overrides={"2150-12-31": [["22:00", "06:00"]]})
    found = {year: office.between(at(f"{year}-01-01T00:00"), at(f"{year}-01-01T06:00")) for year in visited}
    assert found == {"2145": 0, "2151": 360}


def test_centuries_are_crossed_and_few_years_kept() -> None:
    """A calendar used over seven thousand years stays small and exact."""
    office = calendar(tz="Europe/Berlin", days=("mon",))
    start = at("2026-11-23T05:00")
    due = office.add(start, 600 * 52 * 7000)
    assert due.weekday() == 0
    assert office.between(start, due) == 600 * 52 * 7000
    assert office.subtract(due, 600 * 52 * 7000) == start
    assert len(office._years) <= 64

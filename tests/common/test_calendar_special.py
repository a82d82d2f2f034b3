"""Days unlike others: public holidays by country and part, days that work as another, hours that change on a date."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from firstline.common.calendar import Calendar, parse_calendar
from firstline.common.calendar_public import with_public_dates

WEEK = {day: [["06:00", "16:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}


def office(**more: Any) -> Calendar:
    """Return a calendar open from Monday to Friday, 06:00 to 16:00 in UTC."""
    return parse_calendar({"tz": "UTC", "hours": WEEK, **more})


def minutes(calendar: Calendar, day: str) -> float:
    """Return the business minutes of one date."""
    start = at(day)
    return calendar.between(start, start + timedelta(days=1))


def at(text: str) -> datetime:
    """Return an instant in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_public_holidays_close_the_desk() -> None:
    """A country's days count everywhere in it, a part's only there; other kinds count where they are named."""
    country = office(public_holidays={"country": "DE"})
    part = office(public_holidays={"country": "DE", "subdivision": "BY"})
    named = office(public_holidays={"country": "DE", "subdivision": "Bayern", "categories": ["public", "catholic"]})
    assert [minutes(country, day) for day in ("2026-04-03", "2026-01-06", "2027-01-01")] == [0, 600, 0]
    assert [minutes(part, day) for day in ("2026-04-03", "2026-01-06")] == [0, 0]
    assert [minutes(named, day) for day in ("2028-08-15", "2026-01-06")] == [0, 0]


def test_public_holidays_interrupt_a_desk_that_never_closes() -> None:
    """Around the clock but for holidays, the next closing is the next holiday, in whichever year it lies."""
    whole = {day: [["00:00", "24:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
    state = office(hours=whole, public_holidays={"country": "DE"}).open_at(at("2027-12-27"))
    assert (state.open, state.next_closing, state.next_opening) == (True, at("2028-01-01"), at("2028-01-02"))


def test_dates_that_are_written_down_beat_the_tables() -> None:
    """A year that stands in the calendar is taken as it stands, the years around it are worked out."""
    given = {"country": "DE", "dates": {"2026": ["2026-11-23"]}}
    calendar = office(public_holidays=given)
    assert [minutes(calendar, day) for day in ("2026-11-23", "2026-12-25", "2028-12-25")] == [0, 600, 0]
    assert minutes(office(public_holidays={**given, "dates": {"2101": ["2101-03-01"]}}), "2101-03-01") == 0


def test_what_is_published_has_its_dates() -> None:
    """Twelve years are written down, and years that were written down before stay as they were."""
    given = {"tz": "UTC", "hours": WEEK, "public_holidays": {"country": "DE", "dates": {"2026": []}}}
    written = with_public_dates(given, date(2026, 6, 1))
    dates = written["public_holidays"]["dates"]
    assert list(dates) == [str(year) for year in range(2025, 2037)]
    assert dates["2026"] == []
    assert "2027-12-25" in dates["2027"]
    assert with_public_dates(written, date(2026, 6, 1)) == written
    assert with_public_dates({"tz": "UTC"}, date(2026, 6, 1)) == {"tz": "UTC"}


def test_a_day_works_as_another() -> None:
    """A Saturday that works as Monday has Monday's hours, a holiday too; its own hours beat both."""
    days = {"2026-11-28": "mon", "2026-12-25": "wed", "2026-11-27": "sun", "2026-11-26": "sat"}
    calendar = office(holidays=["2026-12-25"], works_as=days, overrides={"2026-11-26": [["10:00", "11:00"]]})
    found = [minutes(calendar, day) for day in ("2026-11-28", "2026-12-25", "2026-11-27", "2026-11-26")]
    assert found == [600, 600, 0, 60]


def test_hours_change_from_a_date_on_and_earlier_dates_keep_theirs() -> None:
    """Old deadlines stay where they were; a night shift belongs to the hours of the date it starts on."""
    later = {"2027-01-04": {"mon": [["08:00", "12:00"]]}, "2026-12-01": {"sun": [["22:00", "02:00"]]}}
    calendar = office(hours_from=later)
    assert [minutes(calendar, day) for day in ("2026-11-30", "2026-12-07", "2026-12-06")] == [600, 120, 120]
    assert [minutes(calendar, day) for day in ("2027-01-03", "2027-01-04", "2027-01-05")] == [120, 360, 0]
    assert calendar.add(at("2026-11-30T15:00"), 120) == at("2026-12-06T23:00")
    assert minutes(calendar, "2199-12-30") == 240
    assert minutes(office(hours_from={"2150-06-01": {}}), "2149-06-02") == 600
    assert minutes(office(hours_from={"2150-06-01": {}}), "2151-06-01") == 0

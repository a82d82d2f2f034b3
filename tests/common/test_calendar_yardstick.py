"""The calendar against another implementation, businesstimedelta on pytz zones, where that one can be trusted."""

from datetime import UTC, date, datetime, time, timedelta
from random import Random

import pytest
import pytz
from businesstimedelta import BusinessTimeDelta, HolidayRule, LunchTimeRule, Rules, WorkDayRule
from firstline.common.calendar import parse_calendar

HOLIDAYS = [date(2026, 5, 1), date(2026, 12, 24), date(2026, 12, 25), date(2027, 1, 1), date(2031, 1, 1)]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Sydney"])
@pytest.mark.parametrize("lunch", [False, True])
def test_sums_and_differences_are_those_of_another_implementation(zone: str, lunch: bool) -> None:
    """Office hours with holidays and a lunch hour over a year: the same due instants and the same spans."""
    tz = pytz.timezone(zone)
    rules = [WorkDayRule(time(8), time(17, 30), [0, 1, 2, 3, 4], tz=tz), HolidayRule(HOLIDAYS, tz=tz)]
    rules += [LunchTimeRule(time(12), time(13), [0, 1, 2, 3, 4], tz=tz)] if lunch else []
    other = Rules(rules)
    day = [["08:00", "12:00"], ["13:00", "17:30"]] if lunch else [["08:00", "17:30"]]
    hours = dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), day)
    ours = parse_calendar({"tz": zone, "hours": hours, "holidays": [str(day) for day in HOLIDAYS]})
    pick = Random(f"{zone}{lunch}")
    for _ in range(30):
        start = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=pick.randrange(0, 300 * 86_400))
        minutes = pick.randrange(1, 3000)
        assert ours.add(start, minutes) == start + BusinessTimeDelta(other, seconds=minutes * 60)
        end = start + timedelta(seconds=pick.randrange(0, 20 * 86_400))
        assert ours.elapsed(start, end) == other.difference(start, end).timedelta

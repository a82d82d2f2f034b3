"""The calendar against a minute-by-minute walk on random calendars (POLICY clause 2.1, invariant P19's ground)."""

import os
from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from firstline.common.calendar import Calendar, CalendarExhausted, parse_calendar
from minute_calendar import MinuteCalendar, is_public
from random_calendars import ZONES, clock_changes, random_calendar

CALENDARS = int(os.environ.get("FIRSTLINE_ORACLE_CALENDARS", "5000"))
PARTS = 10
QUESTIONS = 4
MICROSECOND = timedelta(microseconds=1)
HALF_HOURS = [
    "America/St_Johns",
    "America/Caracas",
    "Australia/Lord_Howe",
    "Australia/Adelaide",
    "Pacific/Chatham",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Asia/Tehran",
    "Asia/Pyongyang",
]
"""Zones whose offsets have, or had, halves and quarters of hours."""


@pytest.fixture(scope="session")
def changes() -> dict[str, list[datetime]]:
    """The days on which clocks change, by zone."""
    return {zone: clock_changes(zone) for zone in ZONES}


@pytest.mark.soak
@pytest.mark.parametrize("part", range(PARTS))
def test_every_operation_agrees_with_a_walk_through_every_minute(part: int, changes: dict[str, list[datetime]]) -> None:
    """Random calendars in 22 time zones, most of them over a clock change: not one difference."""
    compared, kinds, days_off = Counter[str](), Counter[str](), 0
    for seed in range(part, CALENDARS, PARTS):
        pick = Random(seed)
        zone = pick.choice(ZONES)
        moved = bool(changes[zone]) and pick.random() < 0.6
        centre = pick.choice(changes[zone]) if moved else somewhere(pick)
        data = random_calendar(pick, zone, centre.date())
        kinds.update(name for name in ("hours_from", "works_as", "public_holidays") if data.get(name))
        kinds["half-hour zone"] += zone in HALF_HOURS
        kinds["clock change"] += moved
        kinds["leap day"] += centre.month == 2 and centre.day == 29
        days_off += is_public(data.get("public_holidays"), centre.date())
        days = pick.choice([2, 2, 2, 2, 2, 2, 4])
        walk = MinuteCalendar(data, centre - timedelta(days=0 if moved else 1), days)
        compared += compare(pick, parse_calendar(data), walk, f"seed {seed}: {data}")
    least = QUESTIONS * CALENDARS // PARTS // 3
    assert all(compared[name] > least for name in ("add", "subtract", "between", "periods", "open_at")), compared
    assert all(kinds[name] > CALENDARS // PARTS // 10 for name in ("hours_from", "works_as", "public_holidays")), kinds
    assert all(kinds[name] > CALENDARS // PARTS // 50 for name in ("half-hour zone", "clock change", "leap day")), kinds
    assert days_off >= CALENDARS // PARTS // 200


@pytest.mark.parametrize(
    ("zone", "first"),
    [
        ("Europe/Amsterdam", datetime(1937, 6, 30, tzinfo=UTC)),
        ("Africa/Monrovia", datetime(1972, 1, 6, tzinfo=UTC)),
        ("America/New_York", datetime(1883, 11, 17, tzinfo=UTC)),
        ("Asia/Kathmandu", datetime(1919, 12, 31, tzinfo=UTC)),
    ],
)
def test_offsets_with_seconds_agree_with_a_walk_through_every_second(zone: str, first: datetime) -> None:
    """Historic offsets such as -0:44:30 shift openings by seconds, before and after they were given up."""
    for seed in range(3):
        pick = Random(seed)
        data = random_calendar(pick, zone, first.date() + timedelta(days=1))
        compare(pick, parse_calendar(data), MinuteCalendar(data, first, 2, step=1), f"seed {seed}: {data}")


def somewhere(pick: Random) -> datetime:
    """Return a random midnight; New Year, the end of the year and leap days are among the likelier ones."""
    if pick.random() < 0.15:
        return datetime(pick.randrange(2000, 2040, 4), 2, 29, tzinfo=UTC)
    if pick.random() < 0.2:
        return datetime(pick.randrange(2000, 2040), 12, 25, tzinfo=UTC)
    if pick.random() < 0.2:
        return datetime(pick.randrange(2000, 2040), 1, 1, tzinfo=UTC)
    return datetime(2000, 1, 1, tzinfo=UTC) + timedelta(days=pick.randrange(0, 14_000))


def instant(pick: Random, walk: MinuteCalendar) -> datetime:
    """Return an instant of the span: on a minute, a quarter, an hour, or anywhere."""
    grain = MICROSECOND * pick.choice([1, 60_000_000, 900_000_000, 3_600_000_000])
    return walk.first_instant + grain * pick.randrange(0, (walk.last_instant - walk.first_instant) // grain)


def compare(pick: Random, calendar: Calendar, walk: MinuteCalendar, name: str) -> Counter[str]:
    """Ask both the same questions and return how many of each the walk could answer."""
    compared: Counter[str] = Counter()
    for _ in range(QUESTIONS):
        start, end = instant(pick, walk), instant(pick, walk)
        spent = walk.between(start, end)
        assert calendar.elapsed(start, end) == spent, name
        assert calendar.between(start, end) == spent / timedelta(minutes=1), name
        compared["between"] += 1
        for amount in (spent, pick.choice([timedelta(0), MICROSECOND * pick.randrange(0, 86_400_000_000)])):
            compared["add"] += same_sum(calendar, walk, start, amount, name)
            compared["subtract"] += same_difference(calendar, walk, end, amount, name)
        stretches = walk.periods(start)
        found = calendar.periods(start, len(stretches))
        assert [(period.start, period.end) for period in found] == stretches, f"periods {start} {name}"
        compared["periods"] += len(stretches) > 0
        compared["open_at"] += same_state(calendar, walk, start, stretches, name)
    return compared


def same_sum(calendar: Calendar, walk: MinuteCalendar, start: datetime, amount: timedelta, name: str) -> bool:
    """Compare additions; where the walk ran off its span the result must lie beyond the span."""
    expected = walk.add(start, amount)
    try:
        found = calendar.add(start, amount)
    except CalendarExhausted:
        assert expected is None, name
        return False
    assert found == expected if expected else found >= walk.last_instant, f"add {start} {amount} {name}"
    return expected is not None


def same_difference(calendar: Calendar, walk: MinuteCalendar, start: datetime, amount: timedelta, name: str) -> bool:
    """Compare subtractions in the same way."""
    expected = walk.subtract(start, amount)
    try:
        found = calendar.subtract(start, amount)
    except CalendarExhausted:
        assert expected is None, name
        return False
    assert found == expected if expected else found <= walk.first_instant, f"subtract {start} {amount} {name}"
    return expected is not None


def same_state(
    calendar: Calendar,
    walk: MinuteCalendar,
    at: datetime,
    stretches: list[tuple[datetime, datetime]],
    name: str,
) -> bool:
    """Compare open or closed, and the next opening and closing where the walk reached them."""
    found = calendar.open_at(at)
    assert found.open == walk.is_open(at), f"open {at} {name}"
    openings = [begin for begin, _ in stretches if begin > at]
    if openings:
        assert found.next_opening == openings[0], f"next opening {at} {name}"
    if stretches:
        assert found.next_closing == stretches[0][1], f"next closing {at} {name}"
    return bool(stretches)

"""Random working hours around the places where calendars go wrong: changes of the clock, nights, New Year."""

from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from minute_calendar import NAMES

ZONES = [
    "UTC",
    "Europe/Berlin",
    "Europe/Dublin",
    "Europe/Lisbon",
    "America/New_York",
    "America/St_Johns",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/Caracas",
    "Australia/Lord_Howe",
    "Australia/Adelaide",
    "Pacific/Auckland",
    "Pacific/Chatham",
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Asia/Tehran",
    "Asia/Gaza",
    "Asia/Pyongyang",
    "Africa/Casablanca",
    "Antarctica/Troll",
]

COUNTRIES: list[dict[str, Any]] = [
    {"country": "DE", "subdivision": "BY", "categories": ["public", "catholic"]},
    {"country": "US", "subdivision": "CA"},
    {"country": "GB", "subdivision": "SCT"},
    {"country": "IN"},
    {"country": "JP"},
    {"country": "BR", "subdivision": "SP"},
    {"country": "SA"},
    {"country": "NZ"},
]
"""Countries and parts, with moving feasts, lunar years, substitutes for Sundays and holidays of one part only."""


def clock_changes(zone: str) -> list[datetime]:
    """Return the UTC midnights before the days of 2008 to 2032 on which the zone's offset changes."""
    tz = ZoneInfo(zone)
    days = [datetime(2008, 1, 1, tzinfo=UTC) + timedelta(days=number) for number in range(25 * 365)]
    offsets = [day.astimezone(tz).utcoffset() for day in days]
    return [day for day, old, new in zip(days, offsets, offsets[1:], strict=False) if old != new]


def random_calendar(pick: Random, zone: str, centre: date) -> dict[str, Any]:
    """Return a calendar with everything that the format knows, its dates within four days of the centre."""
    grain = pick.choice([1, 5, 15, 30, 60])
    week = {name: intervals(pick, grain) for name in NAMES if pick.random() < 0.85}
    week[NAMES[centre.weekday()]] = intervals(pick, grain) or [["00:00", "24:00"]]
    if pick.random() < 0.08:
        week = {name: [["00:00", "24:00"]] for name in NAMES}
    near = [str(centre + timedelta(days=shift)) for shift in range(-4, 5)]
    public = {"public_holidays": public_holidays(pick, centre, near)} if pick.random() < 0.3 else {}
    return {
        **public,
        "hours_from": {day: other_week(pick, grain) for day in near if pick.random() < 0.06},
        "works_as": {day: pick.choice(NAMES) for day in near if pick.random() < 0.1},
        "tz": zone,
        "hours": week,
        "holidays": [day for day in near if pick.random() < 0.12],
        "breaks": {day: intervals(pick, grain) for day in near if pick.random() < 0.25},
        "overrides": {day: intervals(pick, grain) for day in near if pick.random() < 0.15},
    }


def other_week(pick: Random, grain: int) -> dict[str, Any]:
    """Return the hours of a whole week."""
    return {name: intervals(pick, grain) for name in NAMES if pick.random() < 0.85}


def public_holidays(pick: Random, centre: date, near: list[str]) -> dict[str, Any]:
    """Return a country with its tables, or with dates of the centre's year that stand in none."""
    named = pick.choice(COUNTRIES)
    if pick.random() < 0.3:
        days = [day for day in near if day.startswith(f"{centre.year:04}") and pick.random() < 0.3]
        return {**named, "dates": {f"{centre.year:04}": days}}
    return dict(named)


def intervals(pick: Random, grain: int) -> list[list[str]]:
    """Return up to three intervals: by day, at night when clocks change, past midnight; they may overlap."""
    found = []
    for _ in range(pick.choice([0, 1, 1, 1, 2, 3])):
        latest = pick.choice([300, 1440, 1440])
        start = pick.randrange(0, latest, grain)
        end = pick.randrange(start + grain, 1441, grain) if pick.random() < 0.8 else pick.randrange(0, 1441, grain)
        if start != end:
            found.append([clock(start), clock(end)])
    return found


def clock(minute: int) -> str:
    """Return a time of day as text."""
    return f"{minute // 60:02}:{minute % 60:02}"

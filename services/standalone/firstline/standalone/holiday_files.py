"""Reads holidays out of iCalendar files: the dates of all-day events, those repeated each year too (clause 2.1)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

import icalendar

from firstline.common.calendar_data import MAX_DATES

DAY: Final = timedelta(days=1)
YEARS: Final = 10
LONGEST: Final = 366
"""Days that one event may last."""


class HolidaysNotReadable(Exception):
    """The file is no calendar, or an event in it can't be turned into dates; the text says which, and what to do."""


@dataclass(frozen=True, slots=True)
class Holidays:
    """What a file holds: sorted dates with the names of their events, and the events left out as not all-day."""

    dates: tuple[tuple[date, str], ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Event:
    """An all-day event: its days, where it is repeated yearly, and the first days that are excepted.

    Attributes:
        length: how many days it lasts.
        yearly: whether it comes each year.
        step: every so many years.
        until: the last day on which it may begin.
        count: how often it comes in all; None: without such an end.
        without: first days on which it doesn't come.

    """

    name: str
    first: date
    length: timedelta
    yearly: bool
    step: int
    until: date
    count: int | None
    without: frozenset[date]


def read_holidays(content: bytes, first: int | None = None, last: int | None = None) -> Holidays:
    """Return the holidays of a file from one year to another; by default ten years from its first event.

    Raises:
        HolidaysNotReadable: the file is no calendar, has no all-day event, or one that this can't work out.

    """
    try:
        found = icalendar.Calendar.from_ical(content)
        components = found.walk("VEVENT")
    except (ValueError, AttributeError) as error:
        advice = "Save the calendar as an .ics file once more and import that."
        raise HolidaysNotReadable(f"This is not an iCalendar file: {str(error)[:200]}. {advice}") from error
    events, left_out = [], []
    for number, component in enumerate(components, 1):
        name = f"event {number} ({' '.join(str(component.get('summary', 'without a name')).split())})"
        event = _event(component, name)
        if event is None:
            left_out.append(name)
        else:
            events.append(event)
    if not events:
        raise HolidaysNotReadable("There is no all-day event in this file, so no holiday either. Is it the right one?")
    start = min(event.first.year for event in events) if first is None else first
    end = start + YEARS - 1 if last is None else last
    dates: dict[date, str] = {}
    for event in events:
        for day in _days(event, end):
            if start <= day.year <= end:
                dates.setdefault(day, event.name)
    if len(dates) > MAX_DATES:
        text = f"That is {len(dates):,} dates; a policy takes {MAX_DATES:,}. Name fewer years with --from and --until."
        raise HolidaysNotReadable(text)
    return Holidays(tuple(sorted(dates.items())), tuple(left_out))


def _event(component: Any, name: str) -> _Event | None:
    """Return an all-day event; None for one that begins at a time of day."""
    if component.errors:
        _refuse(name, f"is damaged ({component.errors[0][0]}: {component.errors[0][1]})", "Correct or remove it.")
    if component.get("dtstart") is None:
        _refuse(name, "has no start", "Correct or remove it.")
    first = component.get("dtstart").dt
    # A datetime is a date to Python, so it is asked for first.
    if isinstance(first, datetime) or not isinstance(first, date):
        return None
    if component.get("recurrence-id") or component.get("rdate"):
        _refuse(name, "moves single dates of a series", "Write those dates as events of their own.")
    end = component.get("dtend")
    length = end.dt - first if end else component.get("duration").dt if component.get("duration") else DAY
    if not DAY <= length <= LONGEST * DAY:
        _refuse(name, f"lasts {length.days} days", f"A holiday lasts 1 to {LONGEST} days.")
    yearly, step, until, count = _repeated(component.get("rrule"), first, name)
    shown = " ".join(str(component.get("summary", "")).split())
    return _Event(shown, first, length, yearly, step, until, count, _excepted(component.get("exdate")))


def _repeated(rule: Any, first: date, name: str) -> tuple[bool, int, date, int | None]:
    """Return whether and how an event is repeated each year, up to which date and how often."""
    if rule is None:
        return False, 1, date.max, None
    if isinstance(rule, list) or rule.get("FREQ") != ["YEARLY"]:
        _refuse(name, "is not repeated once a year", "Write its dates as events of their own.")
    same_day = {"BYMONTH": [first.month], "BYMONTHDAY": [first.day]}
    for part, value in rule.items():
        # Rules such as "the third Monday" are refused rather than
        # worked out nearly right: a wrong holiday moves deadlines.
        if part not in {"FREQ", "INTERVAL", "UNTIL", "COUNT", "WKST"} and value != same_day.get(part):
            _refuse(name, f"moves from year to year ({part})", "Write its dates as events of their own.")
    until = rule.get("UNTIL", [date.max])[0]
    until = until.date() if isinstance(until, datetime) else until
    return True, max(rule.get("INTERVAL", [1])[0], 1), until, rule.get("COUNT", [None])[0]


def _excepted(found: Any) -> frozenset[date]:
    """Return the first days of repetitions that are left out (EXDATE, RFC 5545)."""
    lists = found if isinstance(found, list) else [found] if found else []
    moments = [entry.dt for one in lists for entry in one.dts]
    return frozenset(moment.date() if isinstance(moment, datetime) else moment for moment in moments)


def _days(event: _Event, last: int) -> Iterator[date]:
    """Yield the days of an event and of its repetitions up to a year."""
    for first in _starts(event, last):
        if first not in event.without:
            for place in range(event.length.days):
                yield first + place * DAY


def _starts(event: _Event, last: int) -> Iterator[date]:
    """Yield the first day of an event and of its repetitions, up to a year.

    A 29 February is repeated in leap years only, and a repetition that doesn't exist uses nothing of COUNT (RFC 5545,
    3.3.10).
    """
    left = event.count
    for year in range(event.first.year, last + 1 if event.yearly else event.first.year + 1, event.step):
        try:
            start = event.first.replace(year=year)
        except ValueError:  # 29 February
            continue
        if start > event.until or left == 0:
            return
        left = left - 1 if left is not None else None
        yield start


def _refuse(name: str, problem: str, remedy: str) -> None:
    """Raise the error that names an event, what is wrong with it and what to do."""
    raise HolidaysNotReadable(f"The {name} {problem}. {remedy}")

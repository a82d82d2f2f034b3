"""Reads holidays out of iCalendar files: the dates of all-day events with their repetitions (clause 2.1)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final, NoReturn

import icalendar
from dateutil.rrule import rrule, rrulestr

from firstline.common.calendar_data import MAX_DATES

DAY: Final = timedelta(days=1)
YEARS: Final = 10
LONGEST: Final = 366
"""Days that one event may last."""
OFTEN: Final = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY")
ADVICE: Final = "Write its dates as events of their own."


class HolidaysNotReadable(Exception):
    """The file is no calendar, or an event in it can't be turned into dates; the text says which, and what to do."""


@dataclass(frozen=True, slots=True)
class Holidays:
    """What a file holds: sorted dates with the names of their events, and the events left out, each with why."""

    dates: tuple[tuple[date, str], ...]
    left_out: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Event:
    """An all-day event: its days, how it is repeated, and the first days that are excepted.

    Attributes:
        length: how many days it lasts.
        rule: its first days; None where it isn't repeated.
        until: the last day on which it may begin.
        without: first days on which it doesn't come.

    """

    name: str
    first: date
    length: timedelta
    rule: rrule | None
    until: date
    without: frozenset[date]


def read_holidays(content: bytes, first: int | None = None, last: int | None = None) -> Holidays:
    """Return the holidays of a file from one year to another; by default ten years from its first event.

    Raises:
        HolidaysNotReadable: the file is no calendar, has no all-day event in these years, or one that this can't work
            out.

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
        if isinstance(event, str):
            left_out.append((name, event))
        else:
            events.append(event)
    if not events:
        raise HolidaysNotReadable(
            "There is no all-day event in this file that takes place, so no holiday either. Is it the right one?"
        )
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
    if not dates:
        text = f"No event falls into the years {start} to {end}. Name others with --from and --until."
        raise HolidaysNotReadable(text)
    return Holidays(tuple(sorted(dates.items())), tuple(left_out))


def _event(component: Any, name: str) -> _Event | str:
    """Return an all-day event, or why it is left out: it begins at a time of day, or was cancelled."""
    if component.errors:
        _refuse(name, f"is damaged ({component.errors[0][0]}: {component.errors[0][1]})", "Correct or remove it.")
    if component.get("dtstart") is None:
        _refuse(name, "has no start", "Correct or remove it.")
    first = component.get("dtstart").dt
    # A datetime is a date to Python, so it is asked for first.
    if isinstance(first, datetime) or not isinstance(first, date):
        return "doesn't last whole days"
    if component.get("recurrence-id") or component.get("rdate"):
        _refuse(name, "moves single dates of a series", "Write those dates as events of their own.")
    if str(component.get("status", "")).upper() == "CANCELLED":
        return "was cancelled"
    end = component.get("dtend")
    length = end.dt - first if end else component.get("duration").dt if component.get("duration") else DAY
    if not DAY <= length <= LONGEST * DAY:
        _refuse(name, f"lasts {length.days} days", f"A holiday lasts 1 to {LONGEST} days.")
    rule, until = _repeated(component.get("rrule"), first, name)
    shown = " ".join(str(component.get("summary", "")).split())
    return _Event(shown, first, length, rule, until, _excepted(component.get("exdate")))


def _repeated(rule: Any, first: date, name: str) -> tuple[rrule | None, date]:
    """Return how an event is repeated (RRULE, RFC 5545), None for one that isn't, and the last day for it to begin.

    A 29 February is repeated in leap years only, and a repetition that doesn't exist uses nothing of COUNT.
    """
    if rule is None:
        return None, date.max
    if isinstance(rule, list) or rule.get("FREQ", [""])[0] not in OFTEN or min(rule.get("INTERVAL", [1])) < 1:
        _refuse(name, "is repeated by a rule that makes no days", ADVICE)
    # The end is looked at here: it may be a day, or an instant in a time zone.
    endless: Any = icalendar.vRecur({part: value for part, value in rule.items() if part != "UNTIL"})
    try:
        starts = rrulestr(endless.to_ical().decode(), dtstart=datetime.combine(first, time.min))
    except ValueError as error:
        _refuse(name, f"is repeated by a rule that can't be read ({error})", ADVICE)
    # Programs differ in whether such a first day counts, and a wrong holiday moves deadlines.
    if next(iter(starts), None) != datetime.combine(first, time.min):
        _refuse(name, "begins on a day that its own rule leaves out", ADVICE)
    until = rule.get("UNTIL", [date.max])[0]
    return starts, until.date() if isinstance(until, datetime) else until


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
    """Yield the first day of an event and of its repetitions, up to a year."""
    for start in map(datetime.date, event.rule or [datetime.combine(event.first, time.min)]):
        if start.year > last or start > event.until:
            return
        yield start


def _refuse(name: str, problem: str, remedy: str) -> NoReturn:
    """Raise the error that names an event, what is wrong with it and what to do."""
    raise HolidaysNotReadable(f"The {name} {problem}. {remedy}")

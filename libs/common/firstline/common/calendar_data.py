"""Working hours as data: what a policy or a caller may write down, read strictly and with every mistake named.

The form is `{"tz", "hours", "holidays", "breaks", "overrides"}`; only `tz` and somewhere an opening must be there
(policy clause 2.1).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from firstline.common.errors import Fault, Invalid

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES = 24 * 60
MAX_INTERVALS = 24
MAX_DATES = 1_000

Spans = tuple[tuple[int, int], ...]
"""Sorted, disjoint half-open intervals in minutes from local midnight; an end above 1440 lies on the next date."""

_MEMBERS = ("tz", "hours", "holidays", "breaks", "overrides")
_TIME = re.compile(r"(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00)")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class WorkingHours:
    """Working hours of one place, in its local time; dates are proleptic Gregorian ordinals.

    Attributes:
        tz: the place's time zone.
        week: intervals that start on each weekday, Monday first.
        holidays: dates on which no interval of `week` starts.
        breaks: local times cut out of whatever is open then.
        overrides: dates with their own intervals; they beat holidays and the week.

    """

    tz: ZoneInfo
    week: tuple[Spans, ...]
    holidays: frozenset[int]
    breaks: Mapping[int, Spans]
    overrides: Mapping[int, Spans]

    def on(self, ordinal: int) -> Spans:
        """Return the intervals that start on a date."""
        special = self.overrides.get(ordinal)
        if special is not None:
            return special
        return () if ordinal in self.holidays else self.week[(ordinal - 1) % 7]

    def special_years(self) -> frozenset[int]:
        """Return the years that some dated entry can touch, in whatever time zone."""
        days = (*self.holidays, *self.breaks, *self.overrides)
        last = date.max.toordinal()
        near = (min(max(day + step, 1), last) for day in days for step in (-3, 3))
        return frozenset(date.fromordinal(day).year for day in near)


def read_working_hours(data: object) -> WorkingHours:
    """Read the JSON form of a calendar.

    Overlapping or touching intervals of a day count once. An interval that ends before it starts runs past
    midnight; one that ends when it starts is refused, because it could mean nothing or a whole day.

    Raises:
        Invalid: with one fault for each mistake, a calendar that never opens included, each with a JSON pointer.

    """
    faults: list[Fault] = []
    members = _object(data, "", faults)
    faults += [Fault(_under("", name), "Unknown member; a calendar has " + ", ".join(_MEMBERS) + ".")
               for name in members if name not in _MEMBERS]  # fmt: skip
    hours = _object(members.get("hours", {}), "/hours", faults)
    faults += [Fault(_under("/hours", day), "Unknown day; write " + ", ".join(WEEKDAYS) + ".")
               for day in hours if day not in WEEKDAYS]  # fmt: skip
    tz = _zone(members.get("tz"), faults)
    week = tuple(_spans(hours.get(day, []), f"/hours/{day}", faults) for day in WEEKDAYS)
    holidays = _holidays(members.get("holidays", []), faults)
    breaks = _dated(members.get("breaks", {}), "/breaks", faults)
    overrides = _dated(members.get("overrides", {}), "/overrides", faults)
    if not faults and not any((*week, *overrides.values())):
        faults.append(Fault("/hours", "The calendar never opens; give at least one day working hours."))
    if faults or tz is None:
        raise Invalid("The calendar has mistakes; each is named below.", faults=tuple(faults))
    return WorkingHours(tz, week, holidays, breaks, overrides)


def _under(pointer: str, name: object) -> str:
    return f"{pointer}/{str(name).replace('~', '~0').replace('/', '~1')}"


def _object(value: object, pointer: str, faults: list[Fault]) -> Mapping[object, object]:
    if isinstance(value, Mapping):
        return value
    faults.append(Fault(pointer, "Must be an object."))
    return {}


def _list(value: object, pointer: str, most: int, faults: list[Fault]) -> list[object]:
    if not isinstance(value, list | tuple):
        faults.append(Fault(pointer, "Must be a list."))
    elif len(value) > most:
        faults.append(Fault(pointer, f"Too many entries; at most {most:,} are taken."))
    else:
        return list(value)
    return []


def _zone(name: object, faults: list[Fault]) -> ZoneInfo | None:
    try:
        if isinstance(name, str) and name:
            return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    faults.append(Fault("/tz", "Must be the IANA name of a time zone, such as UTC or Europe/Berlin."))
    return None


def _day(text: object, pointer: str, faults: list[Fault]) -> int | None:
    try:
        if isinstance(text, str) and _DATE.fullmatch(text):
            return date.fromisoformat(text).toordinal()
    except ValueError:
        pass
    faults.append(Fault(pointer, "Must be a date that exists, written YYYY-MM-DD."))
    return None


def _holidays(value: object, faults: list[Fault]) -> frozenset[int]:
    listed = _list(value, "/holidays", MAX_DATES, faults)
    days = (_day(text, f"/holidays/{place}", faults) for place, text in enumerate(listed))
    return frozenset(day for day in days if day is not None)


def _dated(value: object, pointer: str, faults: list[Fault]) -> Mapping[int, Spans]:
    entries = _object(value, pointer, faults)
    if len(entries) > MAX_DATES:
        faults.append(Fault(pointer, f"Too many dates; at most {MAX_DATES:,} are taken."))
        return {}
    dated: dict[int, Spans] = {}
    for text, intervals in entries.items():
        place = _under(pointer, text)
        day = _day(text, place, faults)
        spans = _spans(intervals, place, faults)
        if day is not None:
            dated[day] = spans
    return dated


def _spans(value: object, pointer: str, faults: list[Fault]) -> Spans:
    listed = _list(value, pointer, MAX_INTERVALS, faults)
    read = [_span(pair, f"{pointer}/{place}", faults) for place, pair in enumerate(listed)]
    return joined(sorted(span for span in read if span is not None))


def _span(pair: object, pointer: str, faults: list[Fault]) -> tuple[int, int] | None:
    if not isinstance(pair, list | tuple) or len(pair) != 2:  # noqa: PLR2004 - from and to
        faults.append(Fault(pointer, 'Must be a pair of times, such as ["06:00", "16:00"].'))
        return None
    start, end = (_minute(text, f"{pointer}/{place}", faults) for place, text in enumerate(pair))
    if start is None or end is None:
        return None
    if start == DAY_MINUTES:
        faults.append(Fault(f"{pointer}/0", "24:00 only ends a day; an interval of the next date starts at 00:00."))
    elif start == end:
        faults.append(Fault(pointer, "Starts and ends at the same time; a whole day is 00:00 to 24:00."))
    return (start, end if end > start else end + DAY_MINUTES)


def _minute(text: object, pointer: str, faults: list[Fault]) -> int | None:
    if isinstance(text, str) and _TIME.fullmatch(text):
        return int(text[:2]) * 60 + int(text[3:])
    faults.append(Fault(pointer, "Must be a time of day as text, from 00:00 to 24:00."))
    return None


def joined(spans: list[tuple[int, int]]) -> Spans:
    """Return sorted spans with those that overlap or touch made one."""
    whole: list[tuple[int, int]] = []
    for start, end in spans:
        if whole and start <= whole[-1][1]:
            whole[-1] = (whole[-1][0], max(end, whole[-1][1]))
        else:
            whole.append((start, end))
    return tuple(whole)

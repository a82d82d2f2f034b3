"""Working hours as data: what a policy or a caller may write down, read strictly and with every mistake named.

The form is `{"tz", "hours", "hours_from", "holidays", "public_holidays", "works_as", "breaks", "overrides"}`; only `tz`
and somewhere an opening must be there (policy clause 2.1). On a date the overrides count before the weekday that it
works as, that before holidays, and holidays before the hours in force.
"""

import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from firstline.common.calendar_public import PUBLIC_YEARS, PublicHolidays, country
from firstline.common.errors import Fault, Invalid

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES = 24 * 60
MAX_INTERVALS = 24
MAX_DATES = 1_000
MAX_CHANGES = 100

Spans = tuple[tuple[int, int], ...]
"""Sorted, disjoint half-open intervals in minutes from local midnight; an end above 1440 lies on the next date."""

Week = tuple[Spans, ...]
"""The intervals that start on each weekday, Monday first."""

_MEMBERS = ("tz", "hours", "hours_from", "holidays", "public_holidays", "works_as", "breaks", "overrides")
_PUBLIC_MEMBERS = ("country", "subdivision", "categories", "dates")
# Strict, because Python's own readers take more: `date.fromisoformat` accepts 20261123 and 2026-W48-1.
_TIME = re.compile(r"(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00)")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_YEAR = re.compile(r"(?!0000)[0-9]{4}")


@dataclass(frozen=True, slots=True)
class WorkingHours:
    """Working hours of one place, in its local time; dates are proleptic Gregorian ordinals.

    Attributes:
        tz: the place's time zone.
        week: the weekly hours at first.
        holidays: dates on which no interval of the week starts.
        breaks: local times cut out of whatever is open then.
        overrides: dates with their own intervals; they beat everything but breaks.
        works_as: dates that have the hours of another weekday (0 is Monday), holidays or not.
        changed_on: dates from which other weekly hours hold, sorted.
        changed_to: those hours.
        public: whose public holidays are holidays too.

    """

    tz: ZoneInfo
    week: Week
    holidays: frozenset[int]
    breaks: Mapping[int, Spans]
    overrides: Mapping[int, Spans]
    works_as: Mapping[int, int]
    changed_on: tuple[int, ...]
    changed_to: tuple[Week, ...]
    public: PublicHolidays | None

    def on(self, ordinal: int) -> Spans:
        """Return the intervals that start on a date."""
        special = self.overrides.get(ordinal)
        if special is not None:
            return special
        weekday = self.works_as.get(ordinal)
        if weekday is None:
            if ordinal in self.holidays or (self.public is not None and self.public.has(ordinal)):
                return ()
            # Ordinal 1 was a Monday.
            weekday = (ordinal - 1) % 7
        changes = self.changes_until(ordinal)
        return (self.changed_to[changes - 1] if changes else self.week)[weekday]

    def changes_until(self, ordinal: int) -> int:
        """Return how often the weekly hours have changed until a date, that date included."""
        return bisect_right(self.changed_on, ordinal)

    def special_years(self) -> frozenset[int]:
        """Return the years that some dated entry can touch, in whatever time zone."""
        days = (*self.holidays, *self.breaks, *self.overrides, *self.works_as, *self.changed_on)
        last = date.max.toordinal()
        # An interval may run into the next date, and its local date
        # lies up to a day beside that of UTC: three days are ample.
        near = (min(max(day + step, 1), last) for day in days for step in (-3, 3))
        years = frozenset(date.fromordinal(day).year for day in near)
        return years if self.public is None else years | {*PUBLIC_YEARS, *self.public.dates}


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
    week = _week(members.get("hours", {}), "/hours", faults)
    tz = _zone(members.get("tz"), faults)
    later = _later(members.get("hours_from", {}), faults)
    holidays = _dates(members.get("holidays", []), "/holidays", faults)
    public = _public(members["public_holidays"], faults) if "public_holidays" in members else None
    works_as = _works_as(members.get("works_as", {}), faults)
    breaks = _dated(members.get("breaks", {}), "/breaks", faults)
    overrides = _dated(members.get("overrides", {}), "/overrides", faults)
    if not faults and not any((*week, *(spans for other in later.values() for spans in other), *overrides.values())):
        faults.append(Fault("/hours", "The calendar never opens; give at least one day working hours."))
    if faults or tz is None:
        raise Invalid("The calendar has mistakes; each is named below.", faults=tuple(faults))
    changed_on = tuple(sorted(later))
    changed_to = tuple(later[day] for day in changed_on)
    return WorkingHours(tz, week, holidays, breaks, overrides, works_as, changed_on, changed_to, public)


def _under(pointer: str, name: object) -> str:
    """Return the JSON pointer (RFC 6901) to a member, its name escaped."""
    return f"{pointer}/{str(name).replace('~', '~0').replace('/', '~1')}"


def _object(value: object, pointer: str, faults: list[Fault]) -> Mapping[object, object]:
    """Return a mapping, or an empty one and a fault, so that reading goes on and all mistakes are named at once."""
    if isinstance(value, Mapping):
        return value
    faults.append(Fault(pointer, "Must be an object."))
    return {}


def _list(value: object, pointer: str, most: int, faults: list[Fault]) -> list[object]:
    """Return a list of at most so many entries, or an empty one and a fault."""
    if not isinstance(value, list | tuple):
        faults.append(Fault(pointer, "Must be a list."))
    elif len(value) > most:
        faults.append(Fault(pointer, f"Too many entries; at most {most:,} are taken."))
    else:
        return list(value)
    return []


def _zone(name: object, faults: list[Fault]) -> ZoneInfo | None:
    """Return a time zone by its IANA name, or None and a fault."""
    try:
        if isinstance(name, str) and name:
            return ZoneInfo(name)
    # ValueError for names that would lead out of the folder of zones, OSError for the name of a folder in it.
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    faults.append(Fault("/tz", "Must be the IANA name of a time zone, such as UTC or Europe/Berlin."))
    return None


def _day(text: object, pointer: str, faults: list[Fault]) -> int | None:
    """Return a date as an ordinal, or None and a fault."""
    try:
        if isinstance(text, str) and _DATE.fullmatch(text):
            return date.fromisoformat(text).toordinal()
    except ValueError:
        pass
    faults.append(Fault(pointer, "Must be a date that exists, written YYYY-MM-DD."))
    return None


def _week(value: object, pointer: str, faults: list[Fault]) -> Week:
    """Return the intervals of each weekday; days that are not named are closed."""
    hours = _object(value, pointer, faults)
    faults += [Fault(_under(pointer, day), "Unknown day; write " + ", ".join(WEEKDAYS) + ".")
               for day in hours if day not in WEEKDAYS]  # fmt: skip
    return tuple(_spans(hours.get(day, []), f"{pointer}/{day}", faults) for day in WEEKDAYS)


def _later(value: object, faults: list[Fault]) -> Mapping[int, Week]:
    """Return the weekly hours that begin on later dates."""
    entries = _entries(value, "/hours_from", MAX_CHANGES, faults)
    read = [(_day(day, place, faults), _week(hours, place, faults)) for day, place, hours in entries]
    return {day: week for day, week in read if day is not None}


def _dates(value: object, pointer: str, faults: list[Fault]) -> frozenset[int]:
    """Return a list of dates as ordinals."""
    listed = _list(value, pointer, MAX_DATES, faults)
    days = (_day(text, f"{pointer}/{place}", faults) for place, text in enumerate(listed))
    return frozenset(day for day in days if day is not None)


def _works_as(value: object, faults: list[Fault]) -> Mapping[int, int]:
    """Return which dates have the hours of which weekday, as India's and China's make-up days need it."""
    read: dict[int, int] = {}
    for text, place, weekday in _entries(value, "/works_as", MAX_DATES, faults):
        day = _day(text, place, faults)
        if weekday not in WEEKDAYS:
            faults.append(Fault(place, "Must be the weekday whose hours count: " + ", ".join(WEEKDAYS) + "."))
        elif day is not None:
            read[day] = WEEKDAYS.index(str(weekday))
    return read


def _public(value: object, faults: list[Fault]) -> PublicHolidays | None:
    """Read whose public holidays count; what they are is left to the tables."""
    pointer = "/public_holidays"
    members = _object(value, pointer, faults)
    faults += [Fault(_under(pointer, name), "Unknown member; there are " + ", ".join(_PUBLIC_MEMBERS) + ".")
               for name in members if name not in _PUBLIC_MEMBERS]  # fmt: skip
    dates = _public_dates(members.get("dates", {}), f"{pointer}/dates", faults)
    code, part = members.get("country"), members.get("subdivision")
    known = country(code) if isinstance(code, str) else None
    if known is None:
        text = "Must be the code of a country whose public holidays are known, such as DE, US or IN."
        faults.append(Fault(f"{pointer}/country", text))
        return None
    if part is not None and (not isinstance(part, str) or part not in {*known.parts, *known.part_names}):
        advice = f"is one of {', '.join(known.parts)}" if known.parts else "must be left out: this country has none"
        faults.append(Fault(f"{pointer}/subdivision", f"Unknown part of {code}; it {advice}."))
    kinds = _list(members.get("categories", ["public"]), f"{pointer}/categories", len(known.categories), faults)
    if not kinds or any(kind not in known.categories for kind in kinds):
        text = f"The kinds of holidays known of {code} are {', '.join(known.categories)}; name at least one."
        faults.append(Fault(f"{pointer}/categories", text))
    return PublicHolidays(str(code), None if part is None else str(part), tuple(map(str, kinds)), dates)


def _public_dates(value: object, pointer: str, faults: list[Fault]) -> Mapping[int, frozenset[int]]:
    """Return the public holidays that are written down, by year; a year that is there is there completely."""
    dates: dict[int, frozenset[int]] = {}
    for year, place, days in _entries(value, pointer, len(PUBLIC_YEARS), faults):
        if not isinstance(year, str) or not _YEAR.fullmatch(year):
            faults.append(Fault(place, "Must be a year of four digits, in quotes."))
            continue
        dates[int(year)] = _dates(days, place, faults)
        if any(date.fromordinal(day).year != int(year) for day in dates[int(year)]):
            faults.append(Fault(place, f"Every date here must lie in {year}."))
    return dates


def _entries(value: object, pointer: str, most: int, faults: list[Fault]) -> list[tuple[object, str, object]]:
    """Return an object's names, the pointers to what they name, and that; nothing when they are too many."""
    entries = _object(value, pointer, faults)
    if len(entries) > most:
        faults.append(Fault(pointer, f"Too many dates; at most {most:,} are taken."))
        return []
    return [(name, _under(pointer, name), entry) for name, entry in entries.items()]


def _dated(value: object, pointer: str, faults: list[Fault]) -> Mapping[int, Spans]:
    """Return the intervals of single dates."""
    dated: dict[int, Spans] = {}
    for text, place, intervals in _entries(value, pointer, MAX_DATES, faults):
        day = _day(text, place, faults)
        spans = _spans(intervals, place, faults)
        if day is not None:
            dated[day] = spans
    return dated


def _spans(value: object, pointer: str, faults: list[Fault]) -> Spans:
    """Return the intervals of a day, sorted, those that overlap or touch made one."""
    listed = _list(value, pointer, MAX_INTERVALS, faults)
    read = [_span(pair, f"{pointer}/{place}", faults) for place, pair in enumerate(listed)]
    return joined(sorted(span for span in read if span is not None))


def _span(pair: object, pointer: str, faults: list[Fault]) -> tuple[int, int] | None:
    """Return an interval in minutes from midnight, or None and a fault; one past midnight ends above 1440."""
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
    """Return a time of day in minutes, or None and a fault."""
    # Text only: a number says neither minutes nor hours, and YAML 1.1 makes 960 of a bare 16:00.
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

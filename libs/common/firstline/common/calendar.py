"""Exact business time: adding, subtracting and measuring it on a calendar of working hours (policy clause 2.1).

One rule decides everything: an instant is business time when its local wall-clock reading lies inside an interval of
the date on which that interval starts, and in no break. Readings that a DST change repeats therefore count each time
they occur, and readings that it skips never count: elapsed time, not the difference of readings. Intervals are
half-open. Results are aware UTC and exact to the microsecond.
"""

from bisect import bisect_left, bisect_right
from calendar import isleap
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import islice

from firstline.common.calendar_data import WorkingHours, read_working_hours
from firstline.common.calendar_year import MICROSECOND, MINUTE, Year, work_out
from firstline.common.errors import Fault, Invalid

FIRST_YEAR, LAST_YEAR = 2, 9998
MAX_PERIODS = 1_000

_MOST_MINUTES = LAST_YEAR * 366 * 24 * 60
# Time zones change by date between these years; before and after them each year of one shape is like the others.
_CHANGING = range(1800, 2100)
# A walk over centuries must not keep them all; a desk looks at a few years.
_KEPT_YEARS = 64


class CalendarExhausted(Invalid):
    """The calendar has less business time left than was asked for."""

    title = "Not enough business time"


@dataclass(frozen=True, slots=True)
class Period:
    """One stretch of business time without a gap, half-open; `end` is None when it never closes again."""

    start: datetime
    end: datetime | None


@dataclass(frozen=True, slots=True)
class Openness:
    """Whether an instant is business time, when the next stretch begins and when this or the next one ends.

    A None stands for an opening or closing that never comes.
    """

    open: bool
    next_opening: datetime | None
    next_closing: datetime | None


class Calendar:
    """Working hours that can be calculated with, in threads too; years are worked out when needed, and some kept."""

    __slots__ = ("_last_special", "_special", "_years", "hours")

    def __init__(self, hours: WorkingHours) -> None:
        self.hours = hours
        self._special = hours.special_years()
        self._last_special = max(self._special, default=0)
        self._years: dict[object, Year] = {}

    def add(self, start: datetime, minutes: float | timedelta) -> datetime:
        """Return the instant at which that much business time has passed since `start`.

        Time that runs out exactly at closing is due at the closing instant. No time at all from a closed instant is
        the next opening.

        Args:
            start: an aware instant.
            minutes: business minutes, fractions allowed, or the same as a timedelta.

        Raises:
            Invalid: a naive start, a negative or endless amount.
            CalendarExhausted: the amount doesn't fit in before the year 9999.

        """
        amount = _amount(minutes)
        start = _utc(start, "/start")
        if not amount:
            return self._open_from(start)
        # From the year's beginning instead of from `start`: then prefix sums answer by bisection, and the cost grows
        # with the years between and not with the days.
        year = self._year(start.year)
        amount += year.before(start)
        # Only while more is left than the year has: time that runs out at its last closing is due then, and not at the
        # next year's first opening. `bisect_left` keeps the same rule between stretches.
        while amount > year.sums[-1]:
            amount -= year.sums[-1]
            year = self._year(year.start.year + 1)
        index = bisect_left(year.sums, amount) - 1
        return year.instant(year.opens[index] + amount - year.sums[index])

    def subtract(self, start: datetime, minutes: float | timedelta) -> datetime:
        """Return the latest instant from which that much business time passes until `start`.

        Time that runs out exactly at an opening answers the opening. No time at all from a closed instant is the
        previous closing. Arguments and errors are those of `add`.
        """
        amount = _amount(minutes)
        start = _utc(start, "/start")
        if not amount:
            return self._open_until(start)
        year = self._year(start.year)
        left = year.before(start) - amount
        # `left` is always less than the year's total, for the amount is positive; with `bisect_right` a place between
        # two stretches is the later one's opening.
        while left < 0:
            year = self._year(year.start.year - 1)
            left += year.sums[-1]
        index = bisect_right(year.sums, left) - 1
        return year.instant(year.opens[index] + left - year.sums[index])

    def between(self, start: datetime, end: datetime) -> float:
        """Return the business minutes from `start` to `end`; 0 when the end comes first."""
        spent = self._microseconds(start, end)
        # Whole minutes as a whole number, which no JSON writer turns into 480.0.
        return spent / MINUTE if spent % MINUTE else spent // MINUTE

    def elapsed(self, start: datetime, end: datetime) -> timedelta:
        """Return the business time from `start` to `end`, for sums that must stay exact."""
        return self._microseconds(start, end) * MICROSECOND

    def periods(self, start: datetime, count: int) -> tuple[Period, ...]:
        """Return the next stretches of business time; the first begins at `start` when that is open.

        Fewer come back when the calendar has no more. A stretch may cross midnight and New Year.

        Raises:
            Invalid: a naive start, a count below 0 or above 1,000.

        """
        if not 0 <= count <= MAX_PERIODS:
            raise Invalid(
                f"The number of periods must lie between 0 and {MAX_PERIODS:,}.",
                faults=(Fault("/count", f"Must be a whole number from 0 to {MAX_PERIODS:,}."),),
            )
        start = _utc(start, "/start")
        return tuple(Period(max(start, found.start), found.end) for found in islice(self._from(start), count))

    def open_at(self, at: datetime) -> Openness:
        """Return whether `at` is business time, the next opening after it and the next closing after it."""
        at = _utc(at, "/at")
        first, second = (*islice(self._from(at), 2), None, None)[:2]
        if first is None:
            return Openness(open=False, next_opening=None, next_closing=None)
        if first.start > at:
            return Openness(open=False, next_opening=first.start, next_closing=first.end)
        return Openness(open=True, next_opening=second.start if second else None, next_closing=first.end)

    def _microseconds(self, start: datetime, end: datetime) -> int:
        """Return the business time between two instants in microseconds; 0 when the end comes first."""
        start, end = _utc(start, "/start"), _utc(end, "/end")
        if end <= start:
            return 0
        first, last = self._year(start.year), self._year(end.year)
        total = last.before(end) - first.before(start)
        if first is not last:
            total += sum(self._year(number).sums[-1] for number in range(start.year, end.year))
        return total

    def _open_from(self, at: datetime) -> datetime:
        """Return the instant itself if it is open, else the next opening."""
        found = next(self._from(at), None)
        if found is None:
            raise _exhausted()
        return max(at, found.start)

    def _open_until(self, at: datetime) -> datetime:
        """Return the instant itself if it is open or closing, else the closing before it."""
        year = self._year(at.year)
        while (index := bisect_right(year.opens, year.place(at)) - 1) < 0:
            year = self._year(year.start.year - 1)
        return min(at, year.instant(year.closes[index]))

    def _from(self, at: datetime) -> Iterator[Period]:
        """Yield whole stretches that end after `at`, those that cross New Year in one piece."""
        held: Period | None = None
        for number in range(at.year, LAST_YEAR + 1):
            year = self._year(number)
            # A year without special dates and without a gap is like all years after it.
            if held and year.unbroken and number > self._last_special:
                yield Period(held.start, None)
                return
            for index in range(bisect_right(year.closes, year.place(at)), len(year.opens)):
                opening, closing = year.instant(year.opens[index]), year.instant(year.closes[index])
                if held and held.end == opening:
                    held = Period(held.start, closing)
                    continue
                if held:
                    yield held
                held = Period(opening, closing)
        if held:
            yield held

    def _year(self, number: int) -> Year:
        """Return a year worked out; years of one shape outside of those in which zones change by date share the work.

        Raises CalendarExhausted beyond the years in which business time is counted: a walk for more time than a
        calendar has ends there, after some thousand look-ups and a handful of years worked out.
        """
        year = self._years.get(number)
        if year is not None:
            return year
        if not FIRST_YEAR <= number <= LAST_YEAR:
            raise _exhausted()
        if number in _CHANGING or number in self._special:
            return self._kept(number, number)
        first = date(number, 1, 1)
        shape = (number >= _CHANGING.stop, self.hours.changes_until(first.toordinal()), first.weekday(), isleap(number))
        return replace(self._kept(shape, number), start=datetime(number, 1, 1, tzinfo=UTC))

    def _kept(self, key: object, number: int) -> Year:
        """Return a year from the few that are kept, working it out when it is not among them."""
        year = self._years.get(key)
        if year is None:
            # All at once: threads share a calendar, and looking for the oldest would be a step that another can cross.
            if len(self._years) >= _KEPT_YEARS:
                self._years.clear()
            year = self._years[key] = work_out(self.hours, number)
        return year


def parse_calendar(data: object) -> Calendar:
    """Read a calendar from its JSON form.

    Raises:
        Invalid: with one fault for each mistake, or when the calendar never opens.

    """
    return Calendar(read_working_hours(data))


def _utc(at: datetime, pointer: str) -> datetime:
    """Return an instant in UTC.

    Raises Invalid for a naive instant, or one outside the years in which business time is counted.
    """
    if at.tzinfo is not UTC:
        if at.utcoffset() is None:
            raise Invalid(
                "An instant needs its offset from UTC.",
                faults=(Fault(pointer, "Add Z or an offset such as +02:00."),),
            )
        # Looked at before the conversion, which itself fails near the years 1 and 9999, and again after it.
        if FIRST_YEAR <= at.year <= LAST_YEAR:
            at = at.astimezone(UTC)
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        text = f"Business time is counted from the year {FIRST_YEAR} to the year {LAST_YEAR}."
        raise Invalid(text, faults=(Fault(pointer, text),))
    return at


def _amount(minutes: float | timedelta) -> int:
    """Return an amount as whole microseconds, rounding fractions of one.

    Raises Invalid for what is negative or no number, and CalendarExhausted for more than all years hold.
    """
    if isinstance(minutes, timedelta):
        amount = minutes // MICROSECOND
    elif minutes > _MOST_MINUTES:
        raise _exhausted()
    else:
        # What is not a number is in no order to 0 either.
        amount = round(minutes * MINUTE) if minutes >= 0 else -1
    if amount < 0:
        text = "The minutes must be a number that is not negative."
        raise Invalid(text, faults=(Fault("/minutes", text),))
    return amount


def _exhausted() -> CalendarExhausted:
    """Return the error of a calendar that ends before the time is over."""
    text = "The calendar has less business time than that."
    return CalendarExhausted(text, faults=(Fault("/minutes", text),))

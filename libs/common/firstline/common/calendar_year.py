"""One year of a calendar worked out: from local working hours to stretches of UTC with prefix sums.

All places in a year are integer microseconds from its start in UTC, so nothing is ever rounded.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from zoneinfo import ZoneInfo

from firstline.common.calendar_data import Spans, WorkingHours, joined

MICROSECOND = timedelta(microseconds=1)
MINUTE = 60_000_000
DAY = 24 * 60 * MINUTE

# No zone in the tz database has ever changed its offset twice within three days.
_PROBE = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Year:
    """Business time of one UTC year.

    Attributes:
        start: the instant from which places are counted.
        opens: where each stretch begins, sorted.
        closes: where each stretch ends.
        sums: business time before each stretch, and the year's total at the end.
        unbroken: the whole year is one stretch.

    """

    start: datetime
    opens: list[int]
    closes: list[int]
    sums: list[int]
    unbroken: bool

    def place(self, at: datetime) -> int:
        """Return where an instant lies, below 0 when before the year."""
        return (at - self.start) // MICROSECOND

    def instant(self, place: int) -> datetime:
        """Return the instant at a place."""
        return self.start + place * MICROSECOND

    def before(self, at: datetime) -> int:
        """Return the business time between the start of the year and an instant in it."""
        place = (at - self.start) // MICROSECOND
        index = bisect_right(self.opens, place) - 1
        if index < 0:
            return 0
        return self.sums[index] + min(self.closes[index], place) - self.opens[index]


def work_out(hours: WorkingHours, number: int) -> Year:
    """Return one year of working hours, going through its pieces of constant UTC offset."""
    start, end = date(number, 1, 1).toordinal(), date(number + 1, 1, 1).toordinal()
    local = _local(hours, start, end)
    # Within a piece of constant offset local readings and UTC differ by one number, so DST needs no case of its own: a
    # reading that is repeated lies in two pieces, one that is skipped in none.
    local_closes = [closing for _, closing in local]
    found: list[tuple[int, int]] = []
    for begin, until, offset in _offsets(hours.tz, number):
        for index in range(bisect_right(local_closes, begin + offset), len(local)):
            opening, closing = local[index][0] - offset, local[index][1] - offset
            if opening >= until:
                break
            found.append((max(opening, begin), min(closing, until)))
    spans = joined(found)
    sums = accumulate((closing - opening for opening, closing in spans), initial=0)
    whole = spans == ((0, (end - start) * DAY),)
    beginning = datetime(number, 1, 1, tzinfo=UTC)
    return Year(beginning, [opening for opening, _ in spans], [closing for _, closing in spans], list(sums), whole)


def _local(hours: WorkingHours, start: int, end: int) -> list[tuple[int, int]]:
    """Return the open local readings around the dates from `start` to `end`, in microseconds from `start`."""
    opened: list[tuple[int, int]] = []
    cut: list[tuple[int, int]] = []
    # A night shift of two dates earlier may still be open where local time is ahead of UTC.
    for day in range(start - 2, end + 1):
        opened += _placed(hours.on(day), day - start)
        if day in hours.breaks:
            cut += _placed(hours.breaks[day], day - start)
    return _without(joined(opened), joined(cut))


def _placed(spans: Spans, day: int) -> list[tuple[int, int]]:
    """Return a date's spans in microseconds from the first date."""
    return [(day * DAY + begin * MINUTE, day * DAY + until * MINUTE) for begin, until in spans]


def _without(spans: Spans, cuts: Spans) -> list[tuple[int, int]]:
    """Return spans without the cuts; both are sorted and disjoint."""
    left: list[tuple[int, int]] = []
    ends = [end for _, end in cuts]
    for opening, closing in spans:
        begin = opening
        for index in range(bisect_right(ends, opening), len(cuts)):
            cut, resumed = cuts[index]
            if cut >= closing:
                break
            if cut > begin:
                left.append((begin, cut))
            begin = resumed
        if begin < closing:
            left.append((begin, closing))
    return left


def _offsets(tz: ZoneInfo, number: int) -> Iterator[tuple[int, int, int]]:
    """Yield the year's pieces of constant UTC offset as (begin, end, offset)."""
    start, end = datetime(number, 1, 1, tzinfo=UTC), datetime(number + 1, 1, 1, tzinfo=UTC)
    begin, at, offset = start, start, _offset(tz, start)
    while at < end:
        ahead = min(at + _PROBE, end)
        later = _offset(tz, ahead)
        if later != offset:
            change = _change(tz, at, ahead)
            yield (begin - start) // MICROSECOND, (change - start) // MICROSECOND, offset
            begin, offset = change, later
        at = ahead
    if begin < end:
        yield (begin - start) // MICROSECOND, (end - start) // MICROSECOND, offset


def _offset(tz: ZoneInfo, at: datetime) -> int:
    """Return the offset from UTC at an instant, in microseconds."""
    return (at.astimezone(tz).replace(tzinfo=UTC) - at) // MICROSECOND


def _change(tz: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """Return the instant between two at which the UTC offset changes; zones change at whole seconds."""
    old = _offset(tz, before)
    seconds = range(int((after - before).total_seconds()))
    changed = bisect_left(seconds, True, key=lambda second: _offset(tz, before + timedelta(seconds=second)) != old)
    return before + timedelta(seconds=changed)

"""Laws of business time on generated calendars: adding and measuring undo each other, and order is kept."""

from datetime import UTC, datetime, timedelta
from random import Random

from firstline.common.calendar import Calendar, parse_calendar
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from random_calendars import ZONES, random_calendar

CENTRE = datetime(2026, 10, 25, tzinfo=UTC)

calendars = st.builds(
    lambda seed, zone: parse_calendar(random_calendar(Random(seed), zone, CENTRE.date())),
    st.integers(0, 2**32),
    st.sampled_from(ZONES),
)
instants = st.datetimes(datetime(2026, 10, 1), datetime(2027, 4, 30)).map(lambda naive: naive.replace(tzinfo=UTC))
amounts = st.timedeltas(timedelta(microseconds=1), timedelta(days=40))
law = settings(max_examples=150, deadline=None, derandomize=True)


@law
@given(calendars, instants, amounts)
def test_what_was_added_lies_between(calendar: Calendar, start: datetime, amount: timedelta) -> None:
    """The business time between a start and its due instant is the amount, and there is no earlier such instant."""
    due = calendar.add(start, amount)
    assert calendar.elapsed(start, due) == amount
    assert calendar.elapsed(start, due - timedelta(microseconds=1)) == amount - timedelta(microseconds=1)


@law
@given(calendars, instants, amounts)
def test_what_was_subtracted_lies_between(calendar: Calendar, end: datetime, amount: timedelta) -> None:
    """The mirror of adding: the amount lies between, and there is no later such instant."""
    start = calendar.subtract(end, amount)
    assert calendar.elapsed(start, end) == amount
    assert calendar.elapsed(start + timedelta(microseconds=1), end) == amount - timedelta(microseconds=1)


@law
@given(calendars, instants, amounts, amounts)
def test_adding_twice_is_adding_the_sum(calendar: Calendar, start: datetime, one: timedelta, two: timedelta) -> None:
    """No time is lost or won where one deadline becomes the next start."""
    assert calendar.add(calendar.add(start, one), two) == calendar.add(start, one + two)


@law
@given(calendars, instants, instants, amounts)
def test_later_starts_are_never_due_earlier(
    calendar: Calendar, one: datetime, two: datetime, amount: timedelta
) -> None:
    """First come, first due."""
    first, second = sorted([one, two])
    assert calendar.add(first, amount) <= calendar.add(second, amount)


@law
@given(calendars, instants, instants, instants)
def test_measuring_is_additive_and_bounded(calendar: Calendar, one: datetime, two: datetime, three: datetime) -> None:
    """Parts sum up to the whole, business time never exceeds wall time and never decreases (invariant P21)."""
    first, second, third = sorted([one, two, three])
    parts = calendar.elapsed(first, second), calendar.elapsed(second, third)
    assert sum(parts, timedelta()) == calendar.elapsed(first, third)
    assert timedelta() <= parts[0] <= second - first


@law
@given(calendars, instants)
def test_periods_and_state_agree(calendar: Calendar, at: datetime) -> None:
    """An instant is open exactly when the next period has begun, and the period holds no closed time."""
    assume(calendar.open_at(at + timedelta(days=30)).next_closing is not None)
    first, second = calendar.periods(at, 2)
    state = calendar.open_at(at)
    assert first.end is not None
    assert state.open == (first.start == at)
    assert state.next_closing == first.end
    assert state.next_opening == (second.start if state.open else first.start)
    assert calendar.elapsed(at, first.end) == first.end - first.start
    assert calendar.elapsed(first.end, second.start) == timedelta()
    assert calendar.add(at, 0) == first.start

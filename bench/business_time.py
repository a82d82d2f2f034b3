"""Business time added and measured, against businesstimedelta in the same run (calendar of clause 2.1, UTC).

Both sides take the same questions, turn about; the medians of the repetitions count, and every pair of answers is
compared.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from statistics import median
from time import process_time

from businesstimedelta import BusinessTimeDelta, HolidayRule, LunchTimeRule, Rules, WorkDayRule
from firstline.common.calendar import Calendar, parse_calendar
from report import Figure, publish

REPETITIONS = 9
QUESTIONS = 150
OUR_ROUNDS = 40
HOLIDAYS = [
    date(year, month, day)
    for year in (2025, 2026, 2027, 2028)
    for month, day in ((1, 1), (1, 6), (4, 3), (4, 6), (5, 1), (5, 14), (10, 3), (12, 24), (12, 25), (12, 31))
]

Question = tuple[datetime, datetime]


def questions(days: int) -> list[Question]:
    """Return random starts of 2026 and ends so many days later, on whole seconds."""
    pick = Random(days)
    starts = [
        datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=pick.randrange(365 * 86_400)) for _ in range(QUESTIONS)
    ]
    return [(start, start + timedelta(days=days, seconds=pick.randrange(3_600))) for start in starts]


def seconds_each(ask: Callable[[Question], object], asked: list[Question], rounds: int) -> float:
    """Return the CPU seconds of one question."""
    begin = process_time()
    for _ in range(rounds):
        for question in asked:
            ask(question)
    return (process_time() - begin) / rounds / len(asked)


def measure(
    ours: Callable[[Question], object], theirs: Callable[[Question], object], asked: list[Question]
) -> tuple[float, float, int]:
    """Return the median CPU seconds of both sides and the number of differing answers."""
    differing = sum(ours(question) != theirs(question) for question in asked)
    pairs = [(seconds_each(ours, asked, OUR_ROUNDS), seconds_each(theirs, asked, 1)) for _ in range(REPETITIONS)]
    return median(own for own, _ in pairs), median(other for _, other in pairs), differing


def calendars(midday_break: bool) -> tuple[Calendar, Rules]:
    """Return the policy's hours with public holidays, and perhaps a midday break, on both sides."""
    day = [["06:00", "11:30"], ["12:00", "16:00"]] if midday_break else [["06:00", "16:00"]]
    hours = dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), day)
    rules = [WorkDayRule(time(6), time(16), [0, 1, 2, 3, 4]), HolidayRule(HOLIDAYS)]
    if midday_break:
        rules.append(LunchTimeRule(time(11, 30), time(12), [0, 1, 2, 3, 4]))
    return parse_calendar({"tz": "UTC", "hours": hours, "holidays": [str(day) for day in HOLIDAYS]}), Rules(rules)


def compare(name: str, days: int | None, midday_break: bool, floor: float | None, aim: str) -> Figure:
    """Measure additions of eight hours, or differences over so many days."""
    ours, theirs = calendars(midday_break)
    eight_hours = BusinessTimeDelta(theirs, hours=8)
    if days is None:
        cost, yardstick, differing = measure(lambda q: ours.add(q[0], 480), lambda q: q[0] + eight_hours, questions(1))
    else:
        cost, yardstick, differing = measure(
            lambda q: ours.elapsed(*q), lambda q: theirs.difference(*q).timedelta, questions(days)
        )
    note = f"businesstimedelta {1 / yardstick:,.0f}/s; {differing} of {QUESTIONS} answers differ{aim}"
    return Figure(name, 1 / cost, "ops/s", floor, yardstick / cost, note)


def main() -> None:
    """Measure with and without a break at noon, which costs the other side most."""
    figures = [
        compare("add 8 h", None, midday_break=True, floor=50, aim="; aim 100"),
        compare("difference, month", 30, midday_break=True, floor=300, aim="; aim 900"),
        compare("difference, week", 7, midday_break=True, floor=None, aim=""),
        compare("add 8 h, no break", None, midday_break=False, floor=None, aim=""),
        compare("difference, month, no break", 30, midday_break=False, floor=None, aim=""),
    ]
    publish("business_time", figures)


if __name__ == "__main__":
    main()

"""Planned releases: the version that holds a solution, and when it is expected (clause 2.2)."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Literal

Precision = Literal["day", "week", "month", "quarter", "year"]
"""How exactly a date is planned: any day of the period stands for the whole of it."""

MONTHS_A_QUARTER = 3
MONTHS_A_YEAR = 12
MONTHS: Mapping[str, int] = {"month": 1, "quarter": MONTHS_A_QUARTER, "year": MONTHS_A_YEAR}


def last_day(day: date, precision: Precision) -> date:
    """Return the last day of the period that a day stands for."""
    if precision == "day":
        return day
    if precision == "week":
        return date.fromordinal(min(day.toordinal() + 6 - day.weekday(), date.max.toordinal()))
    length = MONTHS[precision]
    following = (day.month - 1) // length * length + length
    years, month = divmod(following, MONTHS_A_YEAR)
    if day.year + years > date.max.year:
        return date.max
    return date(day.year + years, month + 1, 1) - timedelta(days=1)


def term(planned: Mapping[str, Any] | None) -> str | None:
    """Return when a planned release is expected, no more exactly than it was planned; None where that is open.

    In a form that every language reads: `2027-03-15`, `2027-W11`, `2027-03`, `2027-Q1`, `2027`.
    """
    if planned is None or planned.get("date") is None:
        return None
    day = date.fromisoformat(planned["date"])
    match planned["precision"]:
        case "week":
            # The year of the ISO week, which differs from the calendar's around New Year.
            year, week, _ = day.isocalendar()
            return f"{year}-W{week:02}"
        case "month":
            return f"{day:%Y-%m}"
        case "quarter":
            return f"{day:%Y}-Q{(day.month - 1) // MONTHS_A_QUARTER + 1}"
        case "year":
            return f"{day:%Y}"
        case _:
            return day.isoformat()

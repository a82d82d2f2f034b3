"""Planned releases: how exactly they are told, and when their time is over (clause 2.2)."""

from datetime import date

import pytest
from firstline.common.releases import Precision, last_day, term


@pytest.mark.parametrize(
    ("precision", "said", "last"),
    [
        ("day", "2027-02-15", date(2027, 2, 15)),
        ("week", "2027-W07", date(2027, 2, 21)),
        ("month", "2027-02", date(2027, 2, 28)),
        ("quarter", "2027-Q1", date(2027, 3, 31)),
        ("year", "2027", date(2027, 12, 31)),
    ],
)
def test_a_term_is_as_exact_as_its_plan(precision: Precision, said: str, last: date) -> None:
    """A day stands for the whole of its period, which ends with its last day."""
    assert term({"version": "24.200", "date": "2027-02-15", "precision": precision}) == said
    assert last_day(date(2027, 2, 15), precision) == last


@pytest.mark.parametrize("plan", [None, {"version": "24.200", "date": None, "precision": None}])
def test_what_is_open_has_no_term(plan: dict[str, str] | None) -> None:
    """Without a plan or without its date nothing is said of the time."""
    assert term(plan) is None


@pytest.mark.parametrize("precision", ["week", "month", "quarter", "year"])
def test_periods_end_within_the_calendar(precision: Precision) -> None:
    """The last period that there is ends with the last day that there is; the end of a year ends all periods."""
    assert last_day(date(2028, 12, 31), precision) == date(2028, 12, 31)
    assert last_day(date.max, precision) == date.max

"""Reports as charts: which groups are drawn."""

from firstline.sla.pictures import MOST_BARS, chart_of
from firstline.sla.reports import By, Line, Report

MONTHS = [f"{2024 + place // 12}-{place % 12 + 1:02d}" for place in range(MOST_BARS + 4)]


def _requests(by: By, keys: list[str]) -> Report:
    """Return a report that counted something in each group, the most in the first."""
    lines: list[Line] = [
        {"key": key, "requests": len(keys) - place, "reopened_share": None} for place, key in enumerate(keys)
    ]
    return Report("requests", by, lines, {"key": None, "requests": len(keys), "reopened_share": None})


def test_of_many_months_the_latest_are_drawn() -> None:
    """A chart of years ends with the month that is last in the table, and says how many it leaves to that."""
    chart = chart_of(_requests("month", MONTHS), {month: month for month in MONTHS})
    assert [bar.label for bar in chart.bars] == MONTHS[-MOST_BARS:]
    assert "and 4 more in the table" in chart.description


def test_of_other_groups_the_largest_are_drawn() -> None:
    """Lines come with the largest first, so a chart begins as its table does."""
    names = [f"topic {place}" for place in range(MOST_BARS + 1)]
    chart = chart_of(_requests("topic", names), {name: name for name in names})
    assert [bar.label for bar in chart.bars] == names[:MOST_BARS]

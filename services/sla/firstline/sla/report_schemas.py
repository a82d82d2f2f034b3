"""Documents of reports."""

from collections.abc import Mapping
from datetime import datetime

from pydantic import BaseModel, Field

from firstline.sla.pictures import key_of
from firstline.sla.reports import By, Line, Report, ReportName

Figures = dict[str, int | float | None]


class ReportLineOut(BaseModel):
    """One group of a report; `key` is null for what names none."""

    key: str | None
    label: str
    figures: Figures


class ReportOut(BaseModel):
    """A report; minutes are business minutes, shares lie between 0 and 1."""

    name: ReportName
    by: By
    start: datetime = Field(serialization_alias="from")
    until: datetime
    lines: list[ReportLineOut] = Field(description="One for each group, the largest first; months in their order.")
    total: Figures = Field(
        examples=[{"answers": 41, "in_time": 39, "late": 2, "share": 0.9512, "unanswered": 1, "unanswered_late": 0}]
    )
    late_now: dict[str, int] = Field(
        description="Of `attainment`: how many clocks of each target are late and still unanswered at this moment."
    )


def report_out(
    report: Report, labels: Mapping[str | None, str], start: datetime, until: datetime, late_now: Mapping[str, int]
) -> ReportOut:
    """Return a report's document."""
    lines = [
        ReportLineOut(key=key_of(line), label=labels[key_of(line)], figures=_figures(line)) for line in report.lines
    ]
    total = _figures(report.total)
    return ReportOut(
        name=report.name, by=report.by, start=start, until=until, lines=lines, total=total, late_now=dict(late_now)
    )


def _figures(line: Line) -> Figures:
    """Return the figures of a line without its key."""
    return {name: value for name, value in line.items() if name != "key" and not isinstance(value, str)}

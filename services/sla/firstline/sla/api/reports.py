"""Reports on targets, times, waiting and numbers of requests, as JSON, CSV and charts (clauses 2.1, 2.3)."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response

from firstline.common.application import permit
from firstline.common.errors import Fault, Invalid
from firstline.common.permissions import Access
from firstline.sla.api.context import SlaHere
from firstline.sla.charts import svg
from firstline.sla.clock import INSTANT
from firstline.sla.pictures import chart_of, key_of
from firstline.sla.report_schemas import ReportOut, report_out
from firstline.sla.reports import GROUPS, By, Report, ReportName, names_of
from firstline.sla.schemas import Instant
from firstline.sla.service.labels import labels_of
from firstline.sla.service.reports import late_now, make_report
from firstline.sla.spreadsheets import csv_text

router = APIRouter(prefix="/v1/reports", tags=["reports"])
DEFAULT_SPAN = timedelta(days=30)
LONGEST_SPAN = timedelta(days=1100)
STANDS_ALONE = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
"""Lets a picture be opened by itself, with its own colours and nothing else."""

FORMATS: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "text/csv": {"schema": {"type": "string"}},
            "image/svg+xml": {"schema": {"type": "string"}},
        }
    }
}


@router.get("/{name}", response_model=ReportOut, responses=FORMATS)
async def read_report(
    name: ReportName,
    sla: SlaHere,
    _access: Annotated[Access, Depends(permit("reports.read"))],
    by: Annotated[By | None, Query(description="What to group by. Default: the report's first.")] = None,
    start: Annotated[Instant | None, Query(alias="from", description="Default: 30 days before `until`.")] = None,
    until: Annotated[Instant | None, Query(description="Not included. Default: now, included.")] = None,
    form: Annotated[Literal["json", "csv", "svg"], Query(alias="format")] = "json",
) -> Response | ReportOut:
    """Read how many answers came in time, how long they took, whose time it was, or how many requests came in.

    `attainment` and `response-times` count answers by the instant at which they were given, `whose-time` requests by
    that at which they were resolved or closed, `requests` by that at which they came in. Nothing older than the
    release that began to count stands in them. A report costs about a second of work for each 100,000 rows of its span.
    """
    first, last = span_of(sla.runtime.ports.clock.now(), start, until)
    grouped = _grouped(name, by)
    report = await make_report(sla, name, grouped, first, last)
    labels = await sla.runtime.store.read(
        lambda unit: labels_of(unit, grouped, [key_of(line) for line in report.lines])
    )
    if form == "svg":
        return Response(svg(chart_of(report, labels)), media_type="image/svg+xml", headers=STANDS_ALONE)
    if form == "csv":
        headers = {"Content-Disposition": f'attachment; filename="{name}-by-{grouped}.csv"'}
        return Response(_table(report, labels), media_type="text/csv; charset=utf-8", headers=headers)
    late = await sla.runtime.store.read(late_now) if name == "attainment" else []
    return report_out(report, labels, first, last, {found.target: found.clocks for found in late})


def span_of(
    now: datetime, start: datetime | None, until: datetime | None, of: str = "report", place: str = "#query/from"
) -> tuple[datetime, datetime]:
    """Return the span asked for, from its start until before its end; `of` and `place` say what and where in errors.

    Raises:
        Invalid: it is empty, too long, or has not begun.

    """
    # The end isn't included, so the step behind now is what takes in that which happened at this very instant.
    last = until or now + INSTANT
    first = start or last - DEFAULT_SPAN
    if not first < last:
        fault = Fault(place, "Give a `from` that lies before `until`.")
        raise Invalid(f"The span of the {of} has no length.", faults=(fault,))
    if first > now:
        fault = Fault(place, "Give a `from` that has passed: nothing was answered after now.")
        raise Invalid(f"The span of the {of} has not begun.", faults=(fault,))
    if last - first > LONGEST_SPAN:
        fault = Fault(place, f"At most {LONGEST_SPAN.days:,} days before `until`; ask for several {of}s.")
        raise Invalid(f"The span of the {of} is too long.", faults=(fault,))
    return first, last


def _grouped(name: ReportName, by: By | None) -> By:
    """Return what to group by; raise Invalid for what the report doesn't have."""
    if by is not None and by not in GROUPS[name]:
        fault = Fault("#query/by", f"Use one of: {', '.join(GROUPS[name])}.")
        raise Invalid(f"The report {name} can't be grouped by {by}.", faults=(fault,))
    return by or GROUPS[name][0]


def _table(report: Report, labels: dict[str | None, str]) -> str:
    """Return a report as CSV, with the sum as its last row."""
    names = [name for name in names_of(report) if name != "key"]
    rows = [[line["key"], labels[line["key"]], *(line.get(name) for name in names)] for line in report.lines]  # type: ignore[index]
    rows.append(["", "all", *(report.total.get(name) for name in names)])
    return csv_text([report.by, "label", *names], rows)

"""Reports for supervisors, as a page, as pictures and as files (clauses 2.1, 2.3)."""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query, Response

from firstline.web import reports
from firstline.web.reports import Wish
from firstline.web.visit import Visiting

router = APIRouter(prefix="/console/reports")

Name = Literal["attainment", "response-times", "whose-time", "requests"]
Days = Annotated[str, Query(max_length=10)]
By = Annotated[str, Query(max_length=20)]
KEPT_HEADERS: Final = ("content-type", "content-disposition", "content-security-policy")


@router.get("")
async def show_reports(visit: Visiting, days: Days = "", by: By = "") -> Response:
    """Show every report with its chart and its table."""
    wish = Wish.of(days, by)
    tables = [
        reports.table(name, wish, await visit.desk.report(name, wish.wanted(name, visit.now))) for name in reports.KINDS
    ]
    spans, groups = reports.SPANS, reports.GROUPS
    return await visit.page("reports.html", here="reports", tables=tables, wish=wish, spans=spans, groups=groups)


@router.get("/{name}.{form}")
async def report_file(
    visit: Visiting, name: Name, form: Literal["svg", "csv"], days: Days = "", by: By = ""
) -> Response:
    """Hand on a report as a picture or as a table for spreadsheets."""
    wanted = Wish.of(days, by).wanted(name, visit.now)
    answer = await visit.desk.report_file(name, form, wanted)
    kept = {header: answer.headers[header] for header in KEPT_HEADERS if header in answer.headers}
    return visit.finish(Response(answer.content, headers={**kept, "Cache-Control": "no-store"}))

"""The supervisor's reports as pages: charts, tables, files, and who gets them (clauses 2.1, 2.3)."""

from collections.abc import Awaitable, Callable
from typing import Any

from firstline.web.reports import KINDS, Wish, table

Visit = Callable[[str], Awaitable[Any]]


async def test_a_supervisor_reads_what_was_answered(visitor: Visit) -> None:
    """A request that was sent and answered stands in every report, as a chart, a table and a file."""
    client, specialist, supervisor = await visitor("client"), await visitor("specialist"), await visitor("supervisor")
    await client.open("/requests/new")
    await client.send("/requests", subject="White page", body="Since noon.", topic="updates")
    number = client.path.split("/")[2]
    await specialist.open("/console")
    await specialist.send("/console/next")
    await specialist.send(f"/console/{number}/resolve", solution="Reload it.")
    assert specialist.answer.status_code == 200
    page = await supervisor.open("/console/reports?days=7&by=topic")
    assert supervisor.answer.status_code == 200
    assert page.misnested == []
    assert page.text.count("Updates and maintenance of the product") == len(KINDS)
    assert "/console/reports" in page.values("href")
    for picture in [path for path in page.values("src") if "/console/reports/" in path]:
        answer = await supervisor.browser.get(picture)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml")
        assert "style-src 'unsafe-inline'" in answer.headers["content-security-policy"]
        assert "Updates and maintenance of the" in answer.text
    for file in [path for path in page.values("href") if ".csv?" in path]:
        answer = await supervisor.browser.get(file)
        assert answer.headers["content-disposition"].startswith("attachment")
        assert "updates,Updates and maintenance of the product," in answer.text


async def test_reports_are_not_for_specialists(visitor: Visit) -> None:
    """A specialist finds no link to reports, and is refused at their address, as a page and as a file."""
    specialist = await visitor("specialist")
    assert "/console/reports" not in (await specialist.open("/console")).values("href")
    for path in ("/console/reports", "/console/reports/attainment.svg", "/console/reports/requests.csv"):
        await specialist.open(path)
        assert specialist.answer.status_code == 403


async def test_an_address_that_was_changed_by_hand_still_answers(visitor: Visit) -> None:
    """Spans and groups that there aren't are taken as the usual ones; a report that there isn't is not found."""
    supervisor = await visitor("supervisor")
    await supervisor.open("/console/reports?days=x&by=mood")
    assert supervisor.answer.status_code == 200
    await supervisor.open("/console/reports/mood.svg")
    assert supervisor.answer.status_code == 404


def test_what_is_late_now_is_said_beside() -> None:
    """Where clocks are late and unanswered, the page says how many, in the right form."""
    figures = {"answers": 1200, "share": None, "late": 0, "unanswered_late": 3}
    report = {"by": "target", "lines": [], "total": figures, "late_now": {"first_response": 1}}
    shown = table("attainment", Wish.of("", ""), report)
    assert shown.remark == "1 clock is late and unanswered at this moment."
    assert shown.rows == (("All", ("1,200", "\u2013", "0", "3")),)
    assert table("attainment", Wish.of("", ""), report | {"late_now": {}}).remark == ""

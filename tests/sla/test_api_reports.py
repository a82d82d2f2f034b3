"""Reports over HTTP: who may read them, their forms, what is said of bad questions."""

import csv
from datetime import timedelta
from io import StringIO
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pytest
from sla_world import MONDAY, World

MINUTE = timedelta(minutes=1)
SVG = "{http://www.w3.org/2000/svg}"


async def report(world: World, name: str, **query: Any) -> httpx.Response:
    """Read a report as a supervisor."""
    answer = await world.get(f"/v1/reports/{name}", "supervisor", **query)
    assert answer.status_code == 200, answer.text
    return answer


async def answered(world: World, minutes: float, agent: str = "anna", **data: Any) -> None:
    """Let a request come in now and be answered so many minutes later."""
    at = world.clock.now()
    ticket = await world.submit(at, **data)
    event = world.event(ticket, "ticket.replied", at + minutes * MINUTE, side="staff")
    await world.deliver(
        event.model_copy(update={"data": event.data | {"author": event.data["author"] | {"id": agent}}})
    )


@pytest.mark.parametrize("name", ["attainment", "response-times", "whose-time", "requests"])
async def test_reports_are_for_those_who_lead(world: World, name: str) -> None:
    """Supervisors and admins read reports; specialists and clients are refused."""
    answers = {who: await world.get(f"/v1/reports/{name}", who) for who in ("client", "partner", "agent", "admin")}
    assert {who: answer.status_code for who, answer in answers.items()} == {
        "client": 403,
        "partner": 403,
        "agent": 403,
        "admin": 200,
    }
    assert (await world.get(f"/v1/reports/{name}", None)).status_code == 401


async def test_answers_are_counted_by_their_instant(world: World) -> None:
    """A report counts what was answered from its first instant until before its last, and says how much was late."""
    await answered(world, 30)
    await answered(world, 601)
    world.clock.move(MONDAY + timedelta(days=3))
    first = (await report(world, "attainment")).json()["total"]
    assert (first["answers"], first["late"], first["share"]) == (2, 1, 0.5)
    until = (MONDAY + 30 * MINUTE).isoformat()
    assert (await report(world, "attainment", until=until)).json()["total"]["answers"] == 0
    until = (MONDAY + 31 * MINUTE).isoformat()
    document = (await report(world, "attainment", until=until, by="agent")).json()
    assert [(line["key"], line["figures"]["answers"]) for line in document["lines"]] == [("anna", 1)]
    assert (document["until"], document["name"], document["by"]) == ("2026-11-23T06:31:00Z", "attainment", "agent")


async def test_what_is_late_now_is_counted_beside(world: World) -> None:
    """A desk that never answers doesn't look better for it: clocks that are late and unanswered are named."""
    await world.submit()
    await world.move(MONDAY + timedelta(days=2))
    document = (await report(world, "attainment")).json()
    assert (document["total"]["answers"], document["total"]["share"]) == (0, None)
    assert document["late_now"] == {"first_response": 1, "next_response": 1}


async def test_minutes_are_told_to_a_hundredth(world: World) -> None:
    """Business minutes in JSON and CSV have two decimals at most, and whole ones none."""
    await answered(world, 20 / 3)
    world.clock.move(MONDAY + timedelta(hours=1))
    first = await report(world, "response-times", by="agent", format="csv")
    assert first.text.splitlines()[1] == "anna,anna,1" + 8 * ",6.67"
    await answered(world, 30, "ben")
    world.clock.move(MONDAY + timedelta(hours=3))
    second = await report(world, "response-times", by="agent")
    assert '"net_p50":30,"' in second.text
    assert '"net_p50":6.67,"' in second.text


async def test_a_table_holds_no_formula(world: World) -> None:
    """Text that a spreadsheet would evaluate is text in the CSV, and every line has all columns."""
    data = {"id": "org-1", "name": '=HYPERLINK("http://evil.example","x")', "kind": "customer"}
    await world.deliver(world.envelope("organization/org-1", "account.organization_changed", 1, MONDAY, data))
    await answered(world, 5, agent="@anna", organization_id="org-1")
    await answered(world, 5, agent="\uff1d1+1", organization_id=None)
    world.clock.move(MONDAY + timedelta(hours=1))
    for by in ("organization", "agent"):
        answer = await report(world, "attainment", by=by, format="csv")
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert answer.headers["content-disposition"] == f'attachment; filename="attainment-by-{by}.csv"'
        rows = list(csv.reader(StringIO(answer.text)))
        assert rows[0][:4] == [by, "label", "answers", "in_time"]
        assert {len(row) for row in rows} == {len(rows[0])}
        cells = [cell for row in rows for cell in row]
        assert [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\uff1d"))] == []
        assert rows[-1][:3] == ["", "all", "2"]
    assert "'@anna" in cells


async def test_a_chart_can_be_read_without_seeing_it(world: World) -> None:
    """A chart is an image with a title and a description that hold the figures; names can't break out of it."""
    data = {"id": "org-1", "name": "<script>alert(1)</script> & Sons", "kind": "customer"}
    await world.deliver(world.envelope("organization/org-1", "account.organization_changed", 1, MONDAY, data))
    await answered(world, 5, organization_id="org-1")
    world.clock.move(MONDAY + timedelta(hours=1))
    for name in ("attainment", "response-times", "requests"):
        answer = await report(world, name, by="organization", format="svg")
        assert answer.headers["content-type"] == "image/svg+xml"
        drawing = ET.fromstring(answer.text)
        assert drawing.get("role") == "img"
        ids = [part.get("id") for part in (drawing.find(f"{SVG}title"), drawing.find(f"{SVG}desc")) if part is not None]
        assert drawing.get("aria-labelledby") == " ".join(str(one) for one in ids)
        description = drawing.findtext(f"{SVG}desc") or ""
        assert "<script>alert(1)</script> & Sons" in description
        assert "script" not in {part.tag.removeprefix(SVG) for part in drawing.iter()}
    assert "1 · 0 % reopened" in description
    empty = await report(world, "whose-time", format="svg", until=MONDAY.isoformat())
    assert "Nothing to show" in empty.text


async def test_groups_are_called_by_their_names(world: World) -> None:
    """Topics are called as the policy calls them, staff by their names until they are erased, the rest by their IDs."""
    person = {"id": "p-1", "email": "anna@desk.example", "name": "Anna", "role": "agent", "active": True}
    await world.deliver(world.envelope("person/p-1", "account.person_changed", 1, MONDAY, person))
    await answered(world, 5, agent="p-1", topic="updates")
    await answered(world, 5, agent="ben", topic=None)
    world.clock.move(MONDAY + timedelta(hours=1))
    agents = (await report(world, "response-times", by="agent")).json()["lines"]
    assert {line["key"]: line["label"] for line in agents} == {"p-1": "Anna", "ben": "ben"}
    topics = (await report(world, "requests", by="topic")).json()["lines"]
    assert {line["key"]: line["label"] for line in topics} == {
        "updates": "Updates and maintenance of the product",
        None: "No topic named",
    }
    await world.deliver(world.envelope("person/p-1", "person.erased", 2, MONDAY, {"id": "p-1"}))
    agents = (await report(world, "response-times", by="agent")).json()["lines"]
    assert {line["label"] for line in agents} == {"p-1", "ben"}


@pytest.mark.parametrize(
    ("path", "query", "pointer", "advice"),
    [
        ("whose-time", {"by": "target"}, "#query/by", "Use one of: topic, tier"),
        ("attainment", {"by": "mood"}, "#query/by", "target"),
        ("attainment", {"from": "2026-11-24T00:00:00Z", "until": "2026-11-23T00:00:00Z"}, "#query/from", "before"),
        ("attainment", {"from": "2020-01-01T00:00:00Z"}, "#query/from", "ask for several reports"),
        ("attainment", {"until": "0001-01-01T00:00:00Z"}, "#query/until", "from the year 2"),
        ("requests", {"from": "9999-12-31T23:59:59-12:00"}, "#query/from", "from the year 2"),
        ("attainment", {"from": "2030-01-01T00:00:00Z", "until": "2031-01-01T00:00:00Z"}, "#query/from", "has passed"),
        ("moods", {}, "", "attainment"),
    ],
)
async def test_a_bad_question_is_told_what_to_ask(
    world: World, path: str, query: dict[str, str], pointer: str, advice: str
) -> None:
    """A report that can't be made says where the mistake is and what would do."""
    answer = await world.get(f"/v1/reports/{path}", "supervisor", **query)
    assert answer.status_code == 422, answer.text
    (fault,) = answer.json()["errors"]
    assert pointer in fault["pointer"]
    assert advice in fault["detail"]

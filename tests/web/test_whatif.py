"""What-if as pages: a form with the policy's figures, how far it is, the result, and who gets it (clauses 2.1, 2.3)."""

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from firstline.common.policy.loader import load_policy
from firstline.standalone.desk import settle
from firstline.web import figures, trials, whatif
from firstline.web.figures import Unreadable

Visit = Callable[[str], Awaitable[Any]]
PAGE = "/console/what-if"
NORMAL = "targets.normal.first_response"
TODAY = date(2026, 11, 24)


async def answered_after(visitor: Visit, wait: timedelta) -> Any:
    """Let a client ask and a specialist answer after a while; return the supervisor."""
    client, specialist, supervisor = await visitor("client"), await visitor("specialist"), await visitor("supervisor")
    await client.open("/requests/new")
    await client.send("/requests", subject="White page", body="Since noon.", topic="usage")
    number = client.path.split("/")[2]
    supervisor.desk.ports.clock.move(supervisor.desk.ports.clock.now() + wait)
    await specialist.open("/console")
    await specialist.send("/console/next")
    await specialist.send(f"/console/{number}/resolve", solution="Reload it.")
    assert specialist.answer.status_code == 200
    supervisor.desk.ports.clock.move(supervisor.desk.ports.clock.now() + timedelta(minutes=1))
    return supervisor


def filled(page: Any) -> dict[str, str]:
    """Return what a browser would send for the form as it is, choices too."""
    html = page.form(PAGE)
    return {name: value for name, value in html.items() if name != "csrf"}


async def test_a_supervisor_asks_what_if(visitor: Visit, policy: dict[str, Any]) -> None:
    """From the reports to the form with the policy's figures, to how many would have been late beside how many were."""
    supervisor = await answered_after(visitor, timedelta(hours=2))
    assert PAGE in (await supervisor.open("/console/reports")).values("href")
    page = await supervisor.open(PAGE)
    assert (supervisor.answer.status_code, page.misnested) == (200, [])
    given = filled(page)
    assert (given[NORMAL], given["targets.high.next_response"]) == ("10 h", "3 h")
    assert (given["calendar.hours.fri"], given["calendar.hours.sun"]) == ("06:00-16:00", "closed")
    await supervisor.send(PAGE, **{**chosen(page), NORMAL: "1 h 30 min", "days": "7"})
    assert supervisor.path.startswith(f"{PAGE}/")
    path = supervisor.path
    page = await supervisor.open(f"{path}?by=topic")
    assert "refresh" not in supervisor.answer.headers
    told = " ".join(page.text.split())
    assert "Normal, first answer: 1 h 30 min (the policy says: 10 h)" in told
    assert "Of 1 answer, 1 (100%) would have been late; 0 (0%) were." in told
    assert next(topic["title"] for topic in policy["scope"]["topics"] if topic["code"] == "usage") in told
    for form, words in (("svg", "late of 1"), ("csv", "newly_late"), ("json", '"newly_late":1')):
        answer = await supervisor.browser.get(f"{path}.{form}?by=topic")
        assert (answer.status_code, words in answer.text) == (200, True), answer.text
        assert f"{path}.{form}?by=topic" in page.values("src") + page.values("href")
    page = await supervisor.open(f"{PAGE}?like={path.rpartition('/')[2]}")
    assert filled(page)[NORMAL] == "1 h 30 min"
    assert (path in page.values("href"), "Answers of 7 days" in page.text) == (True, True)


def chosen(page: Any) -> dict[str, str]:
    """Return what a browser sends for the choices of the form as they are."""
    found, name = {}, ""
    for tag, given in page.elements:
        if tag == "select":
            name = given["name"]
        elif tag == "option" and ("selected" in given or name not in found):
            found[name] = given["value"]
    return found


async def test_what_waits_says_so_until_it_is_cancelled(visitor: Visit) -> None:
    """A simulation that is not done is looked at again every two seconds without a script, and can be cancelled."""
    supervisor = await visitor("supervisor")
    workers = supervisor.desk.runtimes["sla"].workers
    await next(worker for worker in workers if worker.name == "sla: simulations").stop()
    page = await supervisor.open(PAGE)
    typed = page.form(PAGE) | chosen(page) | {"calendar.hours.sat": "8:00 - 12:00"}
    # Not sent as elsewhere, which waits until all is done.
    path = (await supervisor.browser.post(PAGE, data=typed)).url.path
    page = await supervisor.open(path)
    assert supervisor.answer.headers["refresh"] == "2"
    assert ("It waits for its turn" in page.text, page.all("progress")[0]["value"]) == (True, "0")
    assert "waits" in (await supervisor.open(PAGE)).text
    await supervisor.open(path)
    page = await supervisor.send(f"{path}/cancel")
    assert "It was cancelled." in page.text
    assert "Saturday: 08:00-12:00 (the policy says: closed)" in " ".join(page.text.split())
    assert "refresh" not in supervisor.answer.headers


async def test_the_same_form_sent_twice_is_one_simulation(visitor: Visit) -> None:
    """A form that is sent again, a while later too, leads to what it began the first time."""
    supervisor = await visitor("supervisor")
    page = await supervisor.open(PAGE)
    typed = page.form(PAGE) | chosen(page) | {NORMAL: "4 h"}
    first = await supervisor.browser.post(PAGE, data=typed)
    supervisor.desk.ports.clock.move(supervisor.desk.ports.clock.now() + timedelta(minutes=3))
    again = await supervisor.browser.post(PAGE, data=typed)
    await settle(supervisor.desk.runtimes)
    assert first.url == again.url
    assert first.url.path != PAGE


async def test_what_is_wrong_is_said_beside_it_and_nothing_is_lost(visitor: Visit) -> None:
    """A number without its unit, hours that are none, and what the API refuses: each at its field, as it was typed."""
    supervisor = await visitor("supervisor")
    usual = chosen(await supervisor.open(PAGE))
    page = await supervisor.send(PAGE, **usual)
    assert (supervisor.answer.status_code, "Nothing is changed yet" in page.text) == (422, True)
    typed = {NORMAL: "240", "calendar.hours.sat": "8-12", "targets.high.first_response": "2 h"}
    page = await supervisor.send(PAGE, **usual, **typed)
    assert supervisor.answer.status_code == 422
    assert {name: filled(page)[name] for name in typed} == typed
    assert "Normal, first answer: Say whether it is hours or minutes: 240 h or 240 min." in page.text
    invalid = [given["name"] for given in page.all("input") if given.get("aria-invalid")]
    assert invalid == [NORMAL, "calendar.hours.sat"]
    assert {f"#{name}" for name in invalid} <= set(page.values("href"))
    week = {f"calendar.hours.{day}": "closed" for day in trials.DAYS}
    page = await supervisor.send(PAGE, **usual, **week, **{NORMAL: "4 h", "targets.high.first_response": "3 h"})
    assert (supervisor.answer.status_code, filled(page)["calendar.hours.mon"]) == (422, "closed")
    assert "never opens" in page.text
    assert [given["name"] for given in page.all("input") if given.get("aria-invalid")] == ["calendar.hours.mon"]
    (at,) = [given["value"] for given in page.all("input") if given.get("name") == "at"]
    assert datetime.fromisoformat(at).tzinfo is not None


async def test_what_if_is_for_those_who_lead(visitor: Visit) -> None:
    """Specialists and clients are refused at each address, and find no link."""
    for title in ("specialist", "client"):
        somebody = await visitor(title)
        page = await somebody.open("/console" if title == "specialist" else "/requests")
        assert PAGE not in page.values("href")
        csrf = page.form("/sign-out")["csrf"]
        for path in (PAGE, f"{PAGE}/s1", f"{PAGE}/s1.svg"):
            await somebody.open(path)
            assert somebody.answer.status_code == 403, path
        for path in (PAGE, f"{PAGE}/s1/cancel"):
            assert (await somebody.browser.post(path, data={"csrf": csrf})).status_code == 403, path
    supervisor = await visitor("supervisor")
    await supervisor.open(f"{PAGE}/s1")
    assert supervisor.answer.status_code == 404


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("", None), ("4 h", 240), ("90 min", 90), ("1 h 30 min", 90), ("1.5 h", 90), ("2hours", 120), ("1,5h", 90)],
)
def test_lengths_are_read_as_people_write_them(text: str, minutes: int | None) -> None:
    """Hours and minutes are read in the usual ways, and written so that they are read alike."""
    assert figures.minutes_of(text) == minutes
    assert figures.minutes_of(figures.length(minutes)) == minutes


@pytest.mark.parametrize("text", ["240", "soon", "0 h", "-5 min", "999999 h", " ", "h", "1 h 30"])
def test_what_is_no_length_is_told(text: str) -> None:
    """What can't be read, has no unit or no length is never guessed."""
    with pytest.raises(Unreadable):
        figures.minutes_of(text)


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("", "closed"),
        ("Closed", "closed"),
        ("8:00-12:00", "08:00-12:00"),
        ("08:00 \u2013 12:00, 13:00 - 17:30", "08:00-12:00,13:00-17:30"),
        ("22:00-06:00", "22:00-06:00"),
    ],
)
def test_hours_are_read_as_people_write_them(text: str, hours: str) -> None:
    """Hours are read with dashes, spaces and short hours, and written so that they are read alike."""
    assert figures.hours_of(text) == hours
    assert figures.hours_of(figures.hours_text(hours)) == hours


@pytest.mark.parametrize("text", ["8-12", "25:00-26:00", "08:00", "08:00-08:00", "08:00-12:00;13:00-17:00", "open"])
def test_what_is_no_hours_is_told(text: str) -> None:
    """What is no span of a day is told with what would do."""
    with pytest.raises(Unreadable):
        figures.hours_of(text)


def test_rules_of_targets_are_tried_all_together() -> None:
    """A policy with rules has fields for each; a change of one is sent with the others, and told alone."""
    document = load_policy(Path(__file__).parents[1] / "policy/nightwatch.yaml").document()
    found = trials.basis(document, TODAY)
    assert [group.title for group in found.targets][-2:] == ["Rule berth_gold", "Rule crane_check"]
    path = "targets.rules.berth_gold.first_response"
    typed = {name: entry.value for name, entry in found.entries.items()}
    assert trials.changes(found, typed.__getitem__) == ({}, {})
    tried, wrong = trials.changes(found, (typed | {path: "45 min"}).__getitem__)
    assert (list(tried), wrong) == (["targets.rules"], {})
    assert [rule["minutes"]["first_response"] for rule in tried["targets.rules"]] == [45, 90]
    assert trials.told(found, tried) == (trials.Tried("Rule berth_gold, first answer", "45 min", "20 min"),)
    assert trials.values(found, tried) == typed | {path: "45 min"}
    assert trials.field_of(found, "targets.rules") in found.entries


def test_hours_that_change_on_a_date_are_tried_for_all_the_time(policy: dict[str, Any]) -> None:
    """The form shows the hours in force today; a change of a day is sent with the whole week and without dates."""
    calendar = policy["calendar"] | {"hours_from": {"2026-11-01": {"mon": [["09:00", "12:00"]]}, "2027-01-01": {}}}
    found = trials.basis(policy | {"calendar": calendar}, TODAY)
    typed = {name: entry.value for name, entry in found.entries.items()}
    assert (typed["calendar.hours.mon"], typed["calendar.hours.tue"]) == ("09:00-12:00", "closed")
    tried, _ = trials.changes(found, (typed | {"calendar.hours.tue": "09:00-10:00"}).__getitem__)
    assert (tried["calendar.hours_from"], tried["calendar.hours.mon"], len(tried)) == ({}, "09:00-12:00", 8)
    assert trials.told(found, tried) == (trials.Tried("Tuesday", "09:00-10:00", "closed"),)
    assert trials.covered(found, tried)


def test_what_a_command_asked_for_is_shown_as_it_was_given(policy: dict[str, Any]) -> None:
    """Changes that the form has no field for are named by their paths, and not offered to be changed there."""
    found = trials.basis(policy, TODAY)
    tried = {"targets.first_response": 240, "urgency.recovery.partial": None}
    assert trials.told(found, tried) == (
        trials.Tried("targets.first_response", "240"),
        trials.Tried("A site partly down starts as", "no urgency of its own", "High"),
    )
    assert (trials.covered(found, tried), trials.covered(found, {"urgency.default": "high"})) == (False, True)


def test_an_outcome_without_answers_says_so() -> None:
    """Where no answer was given there is no share of them."""
    total = dict.fromkeys(("answers", "late", "late_then", "newly_late", "no_longer_late"), 0)
    span = {"from": "2026-11-17T12:00:00Z", "until": "2026-11-24T12:00:00Z"}
    job = {"state": "done", "done": 0, "runs": 0, "total": total, "lines": [], **span}
    shown = whatif.outcome(job, datetime(2026, 11, 24, 12, tzinfo=UTC))
    assert (shown.sentence, shown.percent, shown.over) == ("No answer was given in this time.", 0, True)
    failed = {**job, "state": "failed", "problem": "A target is out of range."}
    assert whatif.outcome(failed, datetime(2026, 11, 24, 12, tzinfo=UTC)).problem == "A target is out of range."

"""What-if: recorded answers recounted, held against the clocks themselves and against a life minute by minute (2.3)."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pytest
from firstline.common.store.port import Sql
from firstline.sla.service import reports, simulations
from minute_calendar import MinuteCalendar
from minute_reports import Ended
from sla_stories import DAYS, HOURS, MINUTE, PLANS, UNTIL, Rows, lived, story
from sla_world import MONDAY, World, open_world

HISTORIES = 60
GROUPS = ("target", "topic", "tier", "agent", "organization", "urgency", "month")
LONGER = {"tz": "UTC", "hours": {day: [["05:00", "12:00"], ["12:30", "18:00"]] for day in HOURS["hours"]}}
TRIED = {
    "normal": {"first_response": 90, "next_response": 45},
    "high": {"first_response": 90, "next_response": 20, "resolution": 60},
}
SPAN = {"from": (MONDAY - MINUTE).isoformat(), "until": (UNTIL + MINUTE).isoformat()}


async def ask(world: World, changes: Mapping[str, Any], status: int = 202, **more: Any) -> Any:
    """Ask what if, as a supervisor; return the document of the answer."""
    answer = await world.post("/v1/simulations", {"set": changes, **SPAN, **more}, "supervisor")
    assert answer.status_code == status, answer.text
    return answer.json()


async def settled(world: World, simulation_id: str, **query: str) -> Any:
    """Let the simulation be worked on to its end; return its document."""
    await world.runtime.settle()
    answer = await read(world, simulation_id, **query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def read(world: World, simulation_id: str, who: str = "supervisor", **query: str) -> httpx.Response:
    """Read a simulation."""
    return await world.get(f"/v1/simulations/{simulation_id}", who, **query)


async def tell_stories(world: World, walk: MinuteCalendar, tried: MinuteCalendar | None = None) -> tuple[Rows, Rows]:
    """Let random requests happen; return what ended of them as it was, and as it would have been as tried."""
    await world.deliver(world.policy("plans", minutes=PLANS, calendar=HOURS))
    world.clock.move(UNTIL)
    was: Rows = []
    would: Rows = []
    for seed in range(HISTORIES):
        told, events = story(world, seed)
        for event in events:
            await world.deliver(event)
        was += lived(told, walk)
        would += lived(told, tried or walk, TRIED)
    return was, would


@pytest.fixture(scope="module")
def walk() -> MinuteCalendar:
    """Return the calendar of the stories, every minute of it."""
    return MinuteCalendar(HOURS, MONDAY, 2 * DAYS)


async def test_nothing_changed_is_what_the_clocks_said(bare: World, walk: MinuteCalendar) -> None:
    """A recount without a change agrees with the clocks, answer by answer and with the report, in every group."""
    await tell_stories(bare, walk)
    simulation = await ask(bare, {})
    report = (await bare.get("/v1/reports/attainment", "supervisor", **SPAN)).json()
    for by in GROUPS:
        document = await settled(bare, simulation["id"], by=by)
        assert document["state"] == "done"
        assert document["total"]["late"] == document["total"]["late_then"] == report["total"]["late"] > 10
        assert {line["newly_late"] + line["no_longer_late"] for line in document["lines"]} == {0}
        if by != "target":
            assert sum(line["answers"] for line in document["lines"]) == document["total"]["answers"]


@pytest.mark.parametrize("other_hours", [False, True])
async def test_changes_say_what_a_life_under_them_says(bare: World, walk: MinuteCalendar, other_hours: bool) -> None:
    """Under other targets, and other hours too, exactly those answers are late that an oracle would have found late."""
    tried = MinuteCalendar(LONGER, MONDAY, 2 * DAYS) if other_hours else walk
    was, would = await tell_stories(bare, walk, tried)
    changes: dict[str, Any] = {"targets.first_response": 90, "targets.normal.next_response": 45}
    changes |= {"targets.minutes.high.next_response": 20, "targets.high.resolution": 60}
    changes |= {"calendar.hours": "05:00-12:00,12:30-18:00"} if other_hours else {}
    simulation = await ask(bare, changes)
    answers = [
        (about, then, now)
        for (about, then), (_, now) in zip(would, was, strict=True)
        if then.outcome == "met" and (then.target != "resolution" or now.late is not None)
    ]
    for by in GROUPS:
        document = await settled(bare, simulation["id"], by=by)
        found = {line["key"]: Counter({k: line[k] for k in _FIGURES if line[k]}) for line in document["lines"]}
        groups = {about[by] for about, _, _ in answers}
        assert found == {key: counted([one for one in answers if one[0][by] == key]) for key in groups}, by
    assert Counter({k: n for k, n in document["total"].items() if n}) == counted(answers)
    assert document["total"]["newly_late"] > 2


def counted(answers: list[tuple[Any, Ended, Ended]]) -> Counter[str]:
    """Count the messages that answered, each once: late if anything that it ended was."""
    counts: Counter[str] = Counter()
    for fact in {id(now.fact) for _, _, now in answers}:
        ended = [(then, now) for _, then, now in answers if id(now.fact) == fact]
        late, late_then = any(now.late for _, now in ended), any(then.late for then, _ in ended)
        counts["answers"] += 1
        counts.update(name for name, so in (("late", late), ("late_then", late_then)) if so)
        if late != late_then:
            counts["no_longer_late" if late else "newly_late"] += 1
    return counts


_FIGURES = ("answers", "late", "late_then", "newly_late", "no_longer_late")


async def test_other_urgencies_change_what_was_never_judged(world: World) -> None:
    """A recovery that no longer gives high is timed as normal, unless a specialist has judged it."""
    judged = await world.submit(recovery="full", urgency="high", topic="updates")
    plain = await world.submit(recovery="full", urgency="high", topic="updates")
    split = await world.submit(recovery="none", urgency="high", split_from="other")
    for ticket in (judged, plain, split):
        await world.answer(ticket, MONDAY + 200 * MINUTE)
    await world.tell(judged, "ticket.triaged", MONDAY + 201 * MINUTE, urgency="normal", topic="updates")
    await world.tell(judged, "ticket.triaged", MONDAY + 202 * MINUTE, urgency="high", topic="updates")
    await world.ask(judged, MONDAY + 203 * MINUTE)
    await world.answer(judged, MONDAY + 403 * MINUTE)
    world.clock.move(MONDAY + timedelta(days=1))
    total = (await settled(world, (await ask(world, {"urgency.recovery.full": "normal"}))["id"]))["total"]
    assert (total["answers"], total["late"], total["late_then"], total["no_longer_late"]) == (4, 4, 2, 2)
    total = (await settled(world, (await ask(world, {"urgency.recovery.full": None}))["id"]))["total"]
    assert (total["late"], total["late_then"]) == (4, 2)
    plain_answer = {"targets.high.first_response": 300, "targets.high.next_response": 300}
    assert (await settled(world, (await ask(world, plain_answer))["id"]))["total"]["late_then"] == 0


_FAR_RULE = {"code": "far", "when": {"urgency": ["high"]}, "minutes": {"resolution": 10**10}}


@pytest.mark.parametrize(
    ("changes", "place", "advice"),
    [
        ({"targets.frist_response": 240}, "targets.frist_response", "Did you mean targets.first_response?"),
        ({"targets.urgent.first_response": 240}, "targets.urgent.first_response", "There are: normal, high"),
        ({"target.first_response": 240}, "target.first_response", "Did you mean targets?"),
        ({"targets.first_response": -5}, "targets.first_response", "greater than 0"),
        ({"targets.first_response": "soon"}, "targets.first_response", "valid integer"),
        ({"calendar.hours.monday": "06:00-20:00"}, "calendar.hours.monday", "Did you mean calendar.hours.mon?"),
        ({"calendar.hours.mon": "25:00-26:00"}, "calendar.hours.mon", "correct the calendar"),
        ({"calendar.tz": "Mars/Olympus"}, "calendar.tz", "correct the calendar"),
        ({"calendar.hour": 3}, "calendar.hour", "Did you mean calendar.hours?"),
        ({"urgency.recovery.total": "high"}, "urgency.recovery.total", "There are: partial, full"),
        ({"urgency.recovery.full": "huge"}, "urgency.recovery.full", "huge"),
        ({"scope.topics.update.urgency": "high"}, "scope.topics.update.urgency", "Did you mean scope.topics.updates?"),
        ({"out_of_turn.max_in_a_row": 3}, "out_of_turn.max_in_a_row", "nothing to try"),
        ({"calendar.tz.x": 1}, "calendar.tz.x", "Give all of it as calendar.tz."),
        ({"calendar.hours": 5, "calendar.hours.mon": "08:00-12:00"}, "calendar.hours", "or give calendar.hours.mon"),
        ({"targets.rules": 5, "targets.first_response": 240}, "targets.rules", "a list of objects with code, when"),
        ({"targets.rules": [1], "targets.first_response": 240}, "targets.rules", "a list of objects with code, when"),
        ({"targets.rules": [{}], "targets.first_response": 240}, "targets.rules", "a list of objects with code, when"),
        ({"targets.rules": [{"minutes": 5}], "targets.first_response": 240}, "targets.rules", "a list of objects"),
        ({"targets.first_response": 10**12}, "targets.first_response", "less than or equal to 1000000"),
        ({"targets.rules": [_FAR_RULE]}, "targets.rules", "less than or equal to 1000000"),
    ],
)
async def test_a_bad_change_is_named_with_its_remedy(
    world: World, changes: Mapping[str, Any], place: str, advice: str
) -> None:
    """A change that names nothing, or would spoil the policy, is refused at once, with its place and what would do."""
    faults = (await ask(world, changes, 422))["errors"]
    assert {fault["pointer"] for fault in faults} == {f"/set/{place}"}, faults
    assert advice in faults[0]["detail"]


@pytest.mark.parametrize("name", ["from", "until"])
@pytest.mark.parametrize("at", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
async def test_a_span_keeps_to_the_years_that_are_counted(world: World, name: str, at: str) -> None:
    """An end of the span for which no business time is counted is refused with its place and the years that are."""
    (fault,) = (await ask(world, {}, 422, **{name: at}))["errors"]
    assert (fault["pointer"], "from the year 2 to the year 9998" in fault["detail"]) == (f"/{name}", True)


@pytest.mark.parametrize(
    ("span", "detail", "advice"),
    [
        ({"from": "2030-01-01T00:00:00Z", "until": "2031-01-01T00:00:00Z"}, "not begun", "that has passed"),
        ({"from": "2026-11-20T00:00:00Z", "until": "2026-11-19T00:00:00Z"}, "no length", "before `until`"),
        ({"from": "2020-01-01T00:00:00Z"}, "too long", "ask for several simulations"),
    ],
)
async def test_a_bad_span_is_told_where_it_stands(
    world: World, span: Mapping[str, str], detail: str, advice: str
) -> None:
    """A span in the future, backwards or too long is refused at its member of the body, as that of a simulation."""
    document = await ask(world, {}, 422, **span)
    assert f"The span of the simulation {'has' if detail != 'too long' else 'is'} {detail}." == document["detail"]
    (fault,) = document["errors"]
    assert (fault["pointer"], advice in fault["detail"]) == ("/from", True)


_OTHER_DOCUMENT: Sql[None] = Sql("UPDATE policy SET document = :document", type(None))


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (
            {"minutes": {"normal": {"first_response": 10**12}}},
            "A policy version by which answers were counted can't be read by this release: /targets/minutes/normal/",
        ),
        ({"calendar": {"tz": "UTC", "hours": {}}}, "The calendar has mistakes; each is named below. /hours: "),
    ],
)
async def test_what_could_not_be_finished_says_why(world: World, wrong: Mapping[str, Any], reason: str) -> None:
    """A simulation that breaks off over a version of the policy that no clock can be counted by keeps the reason."""
    await world.answer(await world.submit(), MONDAY + 30 * MINUTE)
    world.clock.move(MONDAY + timedelta(days=1))
    worker = next(one for one in world.runtime.workers if one.name == "sla: simulations")
    await worker.stop()
    simulation = await ask(world, {})
    document = world.policy("earlier", **wrong).data["document"]
    await world.runtime.store.write(lambda unit: unit.run(_OTHER_DOCUMENT, document=document))
    await simulations.Recounting(world.app.state.sla, world.runtime.lease("simulations")).step()
    told = (await read(world, simulation["id"])).json()
    assert (told["state"], told["done"]) == ("failed", 0)
    assert told["problem"].startswith(reason)


async def test_a_change_may_be_of_any_hours_target_or_urgency(world: World) -> None:
    """What can be tried is taken: targets for all or one urgency, rules, hours in short, zones, topics' urgencies."""
    rule = {"code": "bank", "when": {"organization_id": ["bank"]}, "minutes": {"first_response": 30}}
    for changes in (
        {"targets.resolution": 3000, "targets.first_response": None},
        {"targets.rules": [rule]},
        {"calendar.hours.sat": "08:00-12:00", "calendar.hours.fri": "closed", "calendar.holidays": ["2026-11-24"]},
        {"calendar.overrides.2026-11-25": "09:00-10:00", "calendar.tz": "Europe/Berlin"},
        {"scope.topics.usage.urgency": "high", "scope.topics.updates.failed_update.urgency": "normal"},
        {"urgency.default": "high"},
    ):
        assert (await ask(world, changes))["state"] == "waiting"
    await world.runtime.settle()


async def test_a_simulation_is_for_those_who_lead_and_shows_its_progress(world: World) -> None:
    """It is taken with 202, tells how far it has come, is repeated by its key, and others may not read it."""
    ticket = await world.submit()
    await world.answer(ticket, MONDAY + 300 * MINUTE)
    world.clock.move(MONDAY + timedelta(days=1))
    body = {"set": {"targets.first_response": 240}}
    headers = {**world.headers("supervisor"), "Idempotency-Key": "once"}
    first, again = [await world.client.post("/v1/simulations", json=body, headers=headers) for _ in range(2)]
    assert (first.status_code, again.json()) == (202, first.json())
    assert (first.json()["state"], first.json()["done"], first.json()["runs"]) == ("waiting", 0, 2)
    document = await settled(world, first.json()["id"])
    assert (document["state"], document["done"], document["runs"]) == ("done", 2, 2)
    assert (document["total"]["late"], document["total"]["late_then"]) == (0, 1)
    assert [(line["label"], line["late_then"]) for line in document["lines"]] == [("somebody", 1)]
    for who in ("client", "partner", "agent"):
        assert (await read(world, document["id"], who)).status_code == 403
        assert (await world.post("/v1/simulations", body, who)).status_code == 403
    assert (await read(world, "none")).status_code == 404
    table = await read(world, document["id"], format="csv")
    assert table.text.splitlines() == [
        "agent,label,answers,late,late_then,newly_late,no_longer_late",
        "somebody,somebody,1,0,1,1,0",
        ",all,1,0,1,1,0",
    ]
    drawing = ET.fromstring((await read(world, document["id"], format="svg")).text)
    words = "".join(drawing.itertext())
    assert "What if targets.first_response = 240?" in words
    assert "All answers: 0 \u2192 1 late of 1." in words


async def test_what_can_be_changed_and_what_was_asked_is_told(world: World) -> None:
    """Who leads reads the newest policy's parts, internal targets too, and their own simulations, newest first."""
    basis = (await world.get("/v1/simulations/policy", "supervisor")).json()
    assert set(basis) == {"version", "calendar", "targets", "urgency", "scope"}
    assert (basis["targets"]["internal"], basis["targets"]["minutes"]["normal"]["first_response"]) == (True, 600)
    assert (await world.get("/v1/simulations", "supervisor")).json() == {"items": []}
    made = []
    for changes in ({"targets.first_response": 240}, {"urgency.default": "high"}):
        made.append((await ask(world, changes))["id"])
        world.clock.move(world.clock.now() + MINUTE)
    await world.runtime.settle()
    items = (await world.get("/v1/simulations", "supervisor")).json()["items"]
    assert [(one["id"], one["state"]) for one in items] == [(made[1], "done"), (made[0], "done")]
    assert items[1]["set"] == {"targets.first_response": 240}
    assert (await world.get("/v1/simulations", "admin")).json()["items"] == []
    for path in ("/v1/simulations", "/v1/simulations/policy"):
        assert (await world.get(path, "agent")).status_code == 403


async def test_no_policy_is_told(bare: World) -> None:
    """Before any policy has arrived there is nothing to change, and it is said to try again."""
    answer = await bare.get("/v1/simulations/policy", "supervisor")
    assert (answer.status_code, "No policy" in answer.text) == (503, True)


async def test_it_goes_on_after_a_restart_and_ends_when_cancelled(store_path: Path, walk: MinuteCalendar) -> None:
    """What is written down is counted once, whenever the process stops; a cancelled simulation counts no further."""
    async with open_world(store_path) as world:
        await tell_stories(world, walk)
        worker = next(one for one in world.runtime.workers if one.name == "sla: simulations")
        await worker.stop()
        whole, cancelled = await ask(world, {"targets.first_response": 1}), await ask(world, {})
        recounting = simulations.Recounting(world.app.state.sla, world.runtime.lease("simulations"))
        counted = await recounting.step()
        # The runs that the last of its events has ended, at most three, come with the next portion.
        assert simulations.PORTION - 3 <= counted < simulations.PORTION
        begun = (await read(world, whole["id"])).json()
        assert (begun["state"], begun["done"]) == ("running", counted)
        answer = await world.client.delete(f"/v1/simulations/{cancelled['id']}", headers=world.headers("supervisor"))
        assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    async with open_world(store_path, UNTIL) as world:
        document = await settled(world, whole["id"])
        assert (document["state"], document["done"]) == ("done", document["runs"])
        assert document["runs"] > 2 * simulations.PORTION
        fresh = await settled(world, (await ask(world, {"targets.first_response": 1}))["id"])
        assert document["total"] == fresh["total"]
        assert (await read(world, cancelled["id"])).json()["done"] == 0


async def test_a_running_simulation_can_be_cancelled(bare: World, walk: MinuteCalendar) -> None:
    """Cancelling ends it at the next time that progress is written down, and the one behind it has its turn."""
    await tell_stories(bare, walk)
    worker = next(one for one in bare.runtime.workers if one.name == "sla: simulations")
    await worker.stop()
    first, second = await ask(bare, {}), await ask(bare, {})
    recounting = simulations.Recounting(bare.app.state.sla, bare.runtime.lease("simulations"))
    await recounting.step()
    await bare.client.delete(f"/v1/simulations/{first['id']}", headers=bare.headers("supervisor"))
    while await recounting.step():
        pass
    assert (await read(bare, first["id"])).json()["state"] == "cancelled"
    assert (await read(bare, second["id"])).json()["state"] == "done"


async def test_only_so_many_wait(world: World) -> None:
    """Whoever asks for more simulations than can wait is told to cancel one."""
    worker = next(one for one in world.runtime.workers if one.name == "sla: simulations")
    await worker.stop()
    await asyncio.gather(*(ask(world, {}) for _ in range(simulations.MOST_WAITING)))
    assert "Cancel one" in (await ask(world, {}, 409))["detail"]


@pytest.mark.parametrize("size", [2, 3, 4])
async def test_an_answer_is_counted_once_wherever_portions_end(
    world: World, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """A first answer ends two runs; a portion that would part them counts neither twice nor not at all."""
    monkeypatch.setattr(simulations, "PORTION", size)
    monkeypatch.setattr(reports, "ROWS_A_READ", size)
    for number in range(3):
        ticket = await world.submit()
        await world.answer(ticket, MONDAY + (30 + number) * MINUTE)
        await world.ask(ticket, MONDAY + (40 + number) * MINUTE)
        await world.answer(ticket, MONDAY + (50 + number) * MINUTE)
    world.clock.move(MONDAY + timedelta(days=1))
    document = await settled(world, (await ask(world, {"targets.first_response": 10}))["id"])
    assert (document["done"], document["total"]["answers"], document["total"]["late_then"]) == (9, 6, 3)
    for name in ("attainment", "response-times"):
        report = (await world.get(f"/v1/reports/{name}", "supervisor", **SPAN)).json()
        by_target = {line["key"]: line["figures"]["answers"] for line in report["lines"] if name == "attainment"}
        assert (report["total"]["answers"], by_target or _BY_TARGET) == (6, _BY_TARGET)


_BY_TARGET = {"first_response": 3, "next_response": 6}


async def test_versions_of_their_own(world: World) -> None:
    """Answers under an earlier version are recounted from that version's own rules."""
    await world.deliver(world.policy("earlier", minutes={"normal": {"first_response": 60}}))
    await world.deliver(world.policy("newest"))
    ticket = await world.submit(policy_version="earlier")
    await world.answer(ticket, MONDAY + 90 * MINUTE)
    world.clock.move(MONDAY + timedelta(days=1))
    total = (await settled(world, (await ask(world, {"calendar.hours.tue": "closed"}))["id"]))["total"]
    assert (total["answers"], total["late"], total["late_then"]) == (1, 1, 1)

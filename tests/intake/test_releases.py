"""Hand-over to development, planned releases and their shipping (clauses 2.2, 2.3)."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from firstline.common.permissions import Principal, Role
from firstline.intake.service.releases import REQUESTS_A_STEP, bring_back
from intake_world import OpenWorld, World

CLARA, ANNA = "client:clara", "agent:anna"
PLAN = {"version": "24.200", "date": "2027-02-01", "precision": "quarter"}


async def handed_over(world: World, plan: dict[str, Any] | None = PLAN, **more: Any) -> dict[str, Any]:
    """Return a new request that development has."""
    ticket = await world.submit(CLARA, **more)
    body = {"defect_ref": "BUG-4711", "planned_release": plan}
    return await world.must(ticket, "handover", body)


async def ship(world: World, version: str = "24.200", who: str = ANNA, **body: Any) -> dict[str, Any]:
    """Ship a release, which has to succeed; return the answer."""
    answer = await world.post(f"/v1/releases/{version}/ship", body, who)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def test_a_request_in_development_says_what_it_waits_for(world: World) -> None:
    """It waits for the release, with the policy's circumstance, the plan and since when; the defect is for staff."""
    ticket = await handed_over(world)
    assert (ticket["status"], ticket["waiting_cause"], ticket["circumstance"]) == ("waiting", "release", "release")
    assert ticket["circumstance_text"] == "The solution needs a new version of the product."
    assert ticket["planned_release"] == {**PLAN, "term": "2027-Q1"}
    assert (ticket["waiting_since"], ticket["defect_ref"]) == ("2026-11-23T12:00:00Z", "BUG-4711")
    assert (await world.get(f"/v1/tickets/{ticket['id']}", CLARA)).json()["defect_ref"] is None
    told = await world.events(ticket["id"], after=1)
    assert [kind for kind, _ in told] == ["ticket.handed_over", "ticket.waiting"]
    assert (told[0][1]["defect_ref"], told[0][1]["planned_release"]) == ("BUG-4711", PLAN)
    assert (told[1][1]["cause"], told[1][1]["circumstance"]) == ("release", "release")


async def test_a_system_knows_the_events_of_what_it_shipped(world: World) -> None:
    """What a system ships by a key names the key in each event that follows, also where the worker brings back."""
    tickets = [await handed_over(world) for _ in range(REQUESTS_A_STEP + 1)]
    key = Principal("builds", Role.AGENT, "builds@firstline.example", "builds", client_id="key-1")
    assert (await world.post("/v1/releases/24.200/ship", {}, key)).status_code == 200
    await world.runtime.settle()
    for ticket in (tickets[0], tickets[-1]):
        assert {data["actor"]["client_id"] for _, data in await world.events(ticket["id"], after=3)} == {"key-1"}


async def test_a_plan_may_come_later_and_slip(world: World) -> None:
    """A request without a plan gets one; a plan that moves tells what it was; the same plan again tells nothing."""
    ticket = await handed_over(world, None)
    assert ticket["planned_release"] is None
    later = {"version": "24.300", "date": None, "precision": None}
    for plan in (PLAN, later, {"version": "24.300"}):
        ticket = await world.must(ticket, "release-plan", {"planned_release": plan})
    assert ticket["planned_release"] == {**later, "term": None}
    told = await world.events(ticket["id"], after=3)
    assert [(kind, data["planned_release"], data["before"]) for kind, data in told] == [
        ("ticket.release_planned", PLAN, None),
        ("ticket.release_planned", later, PLAN),
    ]
    await ship(world)
    assert (await world.ticket(ticket["id"]))["status"] == "waiting"


async def test_a_release_brings_its_requests_back(world: World) -> None:
    """Those that wait for it are open again and say with which version; those of another release go on waiting."""
    first, second = await handed_over(world), await handed_over(world)
    other = await handed_over(world, {"version": "24.300"})
    world.move(hours=1)
    shipped = await ship(world, note="Get it at the download page.")
    assert shipped == {
        "version": "24.200",
        "note": "Get it at the download page.",
        "shipped_at": "2026-11-23T13:00:00Z",
    }
    for ticket in (first, second):
        back = await world.ticket(ticket["id"])
        assert (back["status"], back["waiting_cause"], back["waiting_since"]) == ("open", None, None)
        assert (back["released_in"], back["planned_release"]["version"]) == ("24.200", "24.200")
        told = await world.events(ticket["id"], after=3)
        assert [(kind, data["status"]) for kind, data in told] == [
            ("ticket.released", "open"),
            ("ticket.resumed", "open"),
        ]
        assert (told[0][1]["version"], told[0][1]["note"]) == ("24.200", "Get it at the download page.")
        assert (told[0][1]["actor"]["id"], told[1][1]["cause"]) == ("anna", "release")
    assert (await world.ticket(other["id"]))["status"] == "waiting"


async def test_shipping_twice_is_shipping_once(world: World) -> None:
    """A repetition, also of many at once, gives the first answer and tells nobody again."""
    ticket = await handed_over(world)
    world.move(hours=1)
    answers = await asyncio.gather(*(ship(world, note=f"{nth}") for nth in range(4)))
    assert all(answer == answers[0] for answer in answers)
    world.move(hours=1)
    assert await ship(world) == answers[0]
    await world.runtime.settle()
    assert len(await world.events(ticket["id"], after=3)) == 2


async def test_many_come_back_in_portions(world: World, opened: OpenWorld, tmp_path: Path) -> None:
    """What one portion leaves is left to the worker, also to that of the next start."""
    tickets = [await handed_over(world) for _ in range(2 * REQUESTS_A_STEP + 1)]
    for worker in world.runtime.workers:
        await worker.stop()
    await ship(world)
    statuses = [(await world.ticket(ticket["id"]))["status"] for ticket in tickets]
    assert statuses == ["open"] * REQUESTS_A_STEP + ["waiting"] * (REQUESTS_A_STEP + 1)
    shown = (await world.get("/v1/releases/24.200")).json()
    assert (shown["waiting"], shown["shipped_at"] is None) == (REQUESTS_A_STEP + 1, False)
    async with opened(tmp_path) as restarted:
        await restarted.runtime.settle()
        assert {(await restarted.ticket(ticket["id"]))["status"] for ticket in tickets} == {"open"}
        assert (await restarted.get("/v1/releases/24.200")).json()["waiting"] == 0
        assert await restarted.runtime.store.write(lambda unit: bring_back(restarted.desk, unit)) == 0


async def test_nothing_waits_for_what_is_out(world: World) -> None:
    """A hand-over or a plan that names a shipped release is refused with its date, and changes nothing."""
    waiting, new = await handed_over(world, {"version": "24.300"}), await world.submit(CLARA)
    await ship(world)
    before = world.stored()
    for ticket, verb, body in (
        (new, "handover", {"defect_ref": "BUG-1", "planned_release": PLAN}),
        (waiting, "release-plan", {"planned_release": PLAN}),
    ):
        answer = await world.verb(ticket, verb, body)
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/release-shipped")
        assert "2026-11-23" in answer.json()["detail"]
    assert world.stored() == before


async def test_whoever_does_not_wait_any_more_is_left_alone(world: World) -> None:
    """A request that was resolved, closed or resumed meanwhile is not told of the release."""
    endings: list[tuple[str, dict[str, Any]]] = [("resolve", {}), ("close", {"reason": "aborted"}), ("resume", {})]
    tickets = [await world.must(await handed_over(world), *ending) for ending in endings]
    await ship(world)
    for ticket in tickets:
        assert (await world.ticket(ticket["id"]))["version"] == ticket["version"]


@pytest.mark.parametrize(
    ("plan", "pointer"),
    [
        ({"version": "24/200"}, "/planned_release/version"),
        ({"version": "24.200", "precision": "day"}, "/planned_release"),
        ({"version": "24.200", "date": "2026-11-22"}, "/planned_release/date"),
        ({"version": "24.200", "date": "2026-10-31", "precision": "month"}, "/planned_release/date"),
        ({"version": "24.200", "date": "soon"}, "/planned_release/date"),
        ({}, "/planned_release/version"),
    ],
)
async def test_bad_plans_say_what_to_change(world: World, plan: dict[str, Any], pointer: str) -> None:
    """A version that fits no path, a date that is over or none, and a precision of nothing are refused."""
    ticket = await world.submit(CLARA)
    before = world.stored()
    answer = await world.verb(ticket, "handover", {"defect_ref": "BUG-1", "planned_release": plan})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
    assert world.stored() == before


async def test_this_month_is_not_over(world: World) -> None:
    """A date stands for the whole of its period, so one of the past may still be to come."""
    ticket = await handed_over(world, {"version": "24.200", "date": "2026-11-01", "precision": "month"})
    assert ticket["planned_release"]["term"] == "2026-11"


async def test_only_what_waits_for_a_release_can_be_planned(world: World) -> None:
    """Elsewhere the plan is refused, with the verbs that are possible."""
    ticket = await world.must(await world.submit(CLARA), "wait", {"cause": "client"})
    answer = await world.verb(ticket, "release-plan", {"planned_release": PLAN})
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/illegal-transition")
    assert "release-plan" not in answer.json()["allowed"]


async def test_releases_are_for_staff(world: World) -> None:
    """Clients can neither hand over nor see or ship releases; staff list what is planned with who waits."""
    await handed_over(world)
    await handed_over(world, {"version": "24.300"})
    await handed_over(world)
    listed = (await world.get("/v1/releases", limit=1)).json()
    assert [(one["version"], one["waiting"]) for one in listed["items"]] == [("24.200", 2)]
    following = (await world.get("/v1/releases", cursor=listed["next"])).json()
    assert [(one["version"], one["waiting"]) for one in following["items"]] == [("24.300", 1)]
    assert (await world.get("/v1/releases/25.0")).status_code == 404
    for path in ("/v1/releases", "/v1/releases/24.200"):
        assert (await world.get(path, CLARA)).status_code == 403
    assert (await world.post("/v1/releases/24.200/ship", {}, CLARA)).status_code == 403


async def test_whoever_waits_again_comes_back_too(world: World) -> None:
    """A request that is taken up and then waits for its planned release again comes back with that release."""
    ticket = await handed_over(world)
    await world.must(ticket, "resume", {})
    await world.must(ticket, "wait", {"cause": "release"})
    await ship(world)
    await world.runtime.store.write(lambda unit: bring_back(world.app.state.intake, unit))
    after = await world.ticket(ticket["id"])
    assert (after["status"], after["released_in"]) == ("open", "24.200")
    waiting = await world.must(ticket, "wait", {"cause": "release"})
    assert waiting["status"] == "waiting"


async def test_those_that_requests_wait_for_are_listed_alone(world: World) -> None:
    """A plan that was given up stays a release, but not among those that requests wait for now."""
    await handed_over(world)
    moved = await handed_over(world, {"version": "24.100"})
    await world.must(moved, "release-plan", {"planned_release": {"version": "24.300"}})
    every, awaited = [
        [(one["version"], one["waiting"]) for one in (await world.get("/v1/releases", **given)).json()["items"]]
        for given in ({}, {"waiting": "true"})
    ]
    assert every == [("24.100", 0), ("24.200", 1), ("24.300", 1)]
    assert awaited == [("24.200", 1), ("24.300", 1)]

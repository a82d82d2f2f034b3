"""The newest version's hours count for all that is open, from its publication on, whatever comes when (2.1)."""

import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from firstline.common.store.migrate import configuration
from firstline.sla.service.recompute import go_on
from sla_world import MONDAY, VERSION, Ticket, World, open_world

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PATH = "/v1/clocks/recomputes"
WEEK = {day: [["06:00", "16:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}
SHUT_TODAY = {"tz": "UTC", "hours": WEEK, "holidays": ["2026-11-23"]}
SHUT_TILL_WEDNESDAY = {"tz": "UTC", "hours": WEEK, "holidays": ["2026-11-23", "2026-11-24"]}
TODAY, TOMORROW, WEDNESDAY = (f"2026-11-{day}T16:00:00Z" for day in (23, 24, 25))
BOTH = ("first_response", "next_response")


async def due(world: World, ticket: Ticket) -> dict[str, Any]:
    """Return when a request's clocks are due."""
    return {target: clock["due_at"] for target, clock in (await world.clocks(ticket)).items()}


async def recomputes(world: World) -> list[dict[str, Any]]:
    """Return the recomputes, the oldest first."""
    found: list[dict[str, Any]] = (await world.get(PATH, who="supervisor")).json()["items"]
    return found[::-1]


async def publish(world: World, *changes: dict[str, Any]) -> None:
    """Publish versions one after the other, and let what they begin come to its end."""
    for number, change in enumerate(changes, 2):
        await world.deliver(world.policy(f"test-{number}", **change))
    await world.runtime.settle()


async def test_new_hours_time_what_is_open_by_themselves(world: World) -> None:
    """A holiday that was forgotten moves the deadlines, which are told; the targets stay the request's own."""
    ticket = await world.submit()
    await publish(world, {"calendar": SHUT_TODAY, "minutes": {"normal": {"first_response": 60}}})
    assert await due(world, ticket) == dict.fromkeys(BOTH, TOMORROW)
    told = [data for what, data in (await world.events(ticket))[2:] if what == "scheduled"]
    assert [(data["due_at"], data["policy_version"]) for data in told] == [(MONDAY + 34 * HOUR, VERSION)] * 2
    (done,) = await recomputes(world)
    names = ("asked_by", "policy_version", "scope", "state", "requests", "changed", "later")
    assert [done[name] for name in names] == ["policy.published", "test-2", "calendar", "done", 1, 2, 2]
    clock = (await world.clocks(ticket))["first_response"]
    assert (clock["policy_version"], clock["hours_version"]) == (VERSION, "test-2")
    explained = (await world.get(f"/v1/clocks/{clock['id']}/explanation")).json()
    assert explained["words"][0] == f"Under policy {VERSION}, by the hours of test-2."
    assert explained["hours_version"] == "test-2"


async def test_text_and_targets_alone_begin_nothing(world: World) -> None:
    """Only other hours do, however the same ones are written."""
    ticket = await world.submit()
    own = world.policy().data["document"]["calendar"]
    written_otherwise = {**own, "hours": dict(reversed(own["hours"].items())), "breaks": {}}
    await publish(world, {"title": "Another"}, {"calendar": written_otherwise, "targets": {"warning_share": 0.5}})
    assert await recomputes(world) == []
    assert await due(world, ticket) == dict.fromkeys(BOTH, TODAY)


async def test_hours_of_the_staff_move_what_is_told(world: World) -> None:
    """Where milestones wait for the staff's hours, other ones of these begin a recompute too."""
    ticket = await world.submit()
    afternoon = {"tz": "UTC", "hours": {day: [["15:00", "16:00"]] for day in WEEK}}
    await publish(world, {"targets": {"tell_in_hours": True, "staff_calendar": afternoon}})
    assert [one["state"] for one in await recomputes(world)] == ["done"]
    await world.move(MONDAY + 8 * HOUR)
    assert "warned" not in {what for what, _ in await world.told(ticket)}
    await world.move(MONDAY + 9 * HOUR)
    assert "warned" in {what for what, _ in await world.told(ticket)}


async def test_versions_soon_after_one_another_end_at_the_newest(world: World) -> None:
    """Those under way are overtaken, and their requests timed by the newest."""
    tickets = [await world.submit() for _ in range(3)]
    await world.recomputing.stop()
    sla = world.app.state.sla
    await world.deliver(world.policy("test-2", calendar=SHUT_TODAY))
    await world.runtime.store.write(lambda unit: go_on(sla, unit, portion=2))
    assert [await due(world, ticket) for ticket in tickets] == [
        dict.fromkeys(BOTH, instant) for instant in (TOMORROW, TOMORROW, TODAY)
    ]
    await world.deliver(world.policy("test-3", calendar=SHUT_TILL_WEDNESDAY), world.policy("test-4", title="Fourth"))
    await world.recomputing.drain()
    assert [await due(world, ticket) for ticket in tickets] == [dict.fromkeys(BOTH, TODAY)] * 3
    states = [(one["policy_version"], one["state"]) for one in await recomputes(world)]
    assert states == [("test-2", "overtaken"), ("test-3", "overtaken"), ("test-4", "done")]


async def test_it_goes_on_where_it_was_broken_off(store_path: Path) -> None:
    """A restart in the middle of it does the rest, and no request twice."""
    async with open_world(store_path) as world:
        await world.deliver(world.policy())
        tickets = [await world.submit() for _ in range(5)]
        await world.recomputing.stop()
        await world.deliver(world.policy("test-2", calendar=SHUT_TODAY))
        assert await world.runtime.store.write(lambda unit: go_on(world.app.state.sla, unit, portion=2)) == 2
    async with open_world(store_path) as again:
        await again.runtime.settle()
        (done,) = await recomputes(again)
        assert (done["state"], done["requests"]) == ("done", 5)
        for ticket in tickets:
            assert (await again.told(ticket)).count(("scheduled", "first_response")) == 2


async def test_a_version_that_comes_late_changes_nothing(world: World) -> None:
    """Versions of policies of other names come in any order; the newest is the one that was published last."""
    ticket = await world.submit()
    late = world.policy("other-1", "other", calendar=SHUT_TILL_WEDNESDAY)
    await publish(world, {"calendar": SHUT_TODAY})
    await world.deliver(late)
    await world.runtime.settle()
    assert await due(world, ticket) == dict.fromkeys(BOTH, TOMORROW)
    assert [one["policy_version"] for one in await recomputes(world)] == ["test-2"]


async def test_an_old_version_that_is_published_again_counts_again(world: World) -> None:
    """Whoever goes back to a policy goes back to its hours."""
    ticket = await world.submit()
    await publish(world, {"calendar": SHUT_TODAY})
    await world.deliver(world.policy())
    await world.runtime.settle()
    assert await due(world, ticket) == dict.fromkeys(BOTH, TODAY)
    assert [one["policy_version"] for one in await recomputes(world)] == ["test-2", VERSION]


@pytest.mark.parametrize("then", ["ask", "reopen"])
async def test_what_runs_again_later_is_timed_by_the_newest(world: World, then: str) -> None:
    """A request without a clock that runs is passed over; its next message, or its reopening, counts by the newest."""
    ticket = await world.submit()
    await world.answer(ticket, MONDAY + HOUR)
    if then == "reopen":
        await world.tell(ticket, "ticket.resolved", MONDAY + HOUR)
    await publish(world, {"calendar": SHUT_TODAY})
    assert [one["requests"] for one in await recomputes(world)] == [0]
    assert {clock["hours_version"] for clock in (await world.clocks(ticket)).values()} == {VERSION}
    await (world.ask(ticket) if then == "ask" else world.tell(ticket, "ticket.reopened"))
    assert (await due(world, ticket))["next_response"] == TOMORROW
    assert {clock["hours_version"] for clock in (await world.clocks(ticket)).values()} == {"test-2"}


async def test_a_request_that_was_taken_before_and_comes_after_is_timed_by_the_newest(world: World) -> None:
    """News of a request may come after a version that it was not taken under, and after what that began."""
    await publish(world, {"calendar": SHUT_TODAY})
    ticket = await world.submit(policy_version=VERSION)
    assert await due(world, ticket) == dict.fromkeys(BOTH, TOMORROW)
    assert len(await world.told(ticket)) == 2


async def test_nothing_is_told_by_hours_that_count_no_longer(world: World) -> None:
    """What falls due before the recompute has come to it is timed anew first, by whoever would tell it."""
    due_now, answered = await world.submit(), await world.submit()
    await world.milestones.stop()
    await world.recomputing.stop()
    await world.deliver(world.policy("test-2", calendar=SHUT_TODAY))
    world.clock.move(MONDAY + 12 * HOUR)
    assert await world.milestones.drain() == 4
    await world.answer(answered)
    for ticket in (due_now, answered):
        assert {what for what, _ in await world.told(ticket)} <= {"scheduled", "met"}
    assert await due(world, due_now) == dict.fromkeys(BOTH, TOMORROW)
    await world.recomputing.drain()
    world.clock.move(MONDAY + 34 * HOUR)
    await world.milestones.drain()
    assert [what for what, _ in await world.told(due_now)][2:] == ["scheduled"] * 2 + ["warned", "breached"] * 2


async def test_who_was_late_by_a_mistake_no_longer_is(world: World) -> None:
    """A breach that was told is told; the clock says that it isn't late, and the deadline is told of anew."""
    ticket = await world.submit()
    await world.move(MONDAY + 11 * HOUR)
    assert ("breached", "first_response") in await world.told(ticket)
    await publish(world, {"calendar": SHUT_TODAY})
    assert [one["relieved"] for one in await recomputes(world)] == [2]
    assert not (await world.clocks(ticket))["first_response"]["breached"]
    await world.move(MONDAY + 35 * HOUR)
    assert (await world.told(ticket)).count(("breached", "first_response")) == 2


async def test_what_the_newest_hours_cannot_time_stays_as_it_is(world: World) -> None:
    """Hours that end before a target is used up leave its request where it is, counted and named with the reason."""
    ticket = await world.submit()
    await publish(world, {"calendar": {"tz": "UTC", "overrides": {"2026-11-23": [["06:00", "07:00"]]}}})
    (done,) = await recomputes(world)
    assert (done["state"], done["requests"], done["failed"]) == ("done", 1, 1)
    listed = (await world.get(f"{PATH}/{done['id']}/changes", who="supervisor")).json()["items"]
    assert {one["problem"] for one in listed} == {"The calendar has less business time than that."}
    assert await due(world, ticket) == dict.fromkeys(BOTH, TODAY)
    await world.move(MONDAY + 10 * HOUR)
    assert ("breached", "first_response") in await world.told(ticket)


async def test_by_hand_no_other_hours_can_be_had(world: World) -> None:
    """Older hours are refused with advice, targets alone are not; what the publication began can't be stopped."""
    ticket = await world.submit()
    await world.recomputing.stop()
    await world.deliver(world.policy("test-2", calendar=SHUT_TODAY))
    (begun,) = await recomputes(world)
    stopped = await world.post(f"{PATH}/{begun['id']}/cancel", {}, who="supervisor")
    assert (stopped.status_code, stopped.json()["title"]) == (409, "The newest hours count for all")
    for scope, status in (("all", 422), ("calendar", 422), ("targets", 202)):
        body = {"policy_version": VERSION, "scope": scope}
        assert (await world.post(PATH, body, who="supervisor")).status_code == status, scope
    assert (await world.post(PATH, {"scope": "calendar"}, who="supervisor")).status_code == 202
    await world.recomputing.drain()
    assert await due(world, ticket) == dict.fromkeys(BOTH, TOMORROW)
    assert [(one["scope"], one["changed"]) for one in await recomputes(world)] == [
        ("calendar", 2), ("targets", 0), ("calendar", 0),
    ]  # fmt: skip


async def test_an_upgrade_times_what_is_open_by_the_newest(tmp_path: Path) -> None:
    """A store of a release that left the hours as they were is brought to the newest after its migration."""
    path = tmp_path / "sla.db"
    config = configuration("sla", f"sqlite:///{path}")
    command.upgrade(config, "head")
    async with open_world(path) as world:
        await world.deliver(world.policy())
        ticket = await world.submit()
        await world.recomputing.stop()
        await world.deliver(world.policy("test-2", calendar=SHUT_TODAY))
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE ticket SET calendar_version = NULL")
    connection.close()
    command.downgrade(config, "0010")
    command.upgrade(config, "head")
    async with open_world(path) as again:
        await again.runtime.settle()
        assert await due(again, ticket) == dict.fromkeys(BOTH, TOMORROW)
        assert [(one["asked_by"], one["state"]) for one in await recomputes(again)] == [("policy.published", "done")]

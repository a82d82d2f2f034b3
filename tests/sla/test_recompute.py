"""Recompute: open requests are timed by another policy version, tried first, in portions, told as it goes."""

from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from firstline.common.store.port import Unit
from firstline.sla.service.recompute import MOST_WAITING, forget, go_on
from firstline.sla.store.recomputes import CHANGES
from sla_world import MONDAY, Ticket, World, open_world

HOUR = timedelta(hours=1)
SHORTER = {"normal": {"first_response": 180}}
PATH = "/v1/clocks/recomputes"
FIRST = {"ticket_id": "", "target": ""}


@pytest.fixture
async def newer(world: World) -> World:
    """Return the world with a newer policy: only the first answer is timed, and owed within three hours."""
    await world.deliver(world.policy("test-2", minutes=SHORTER))
    return world


async def ask(world: World, **body: Any) -> dict[str, Any]:
    """Ask for a recompute, let it be done, and return how it ended."""
    begun = await world.post(PATH, body, who="supervisor")
    assert (begun.status_code, begun.json()["state"]) == (202, "running")
    await world.runtime.settle()
    ended: dict[str, Any] = (await world.get(f"{PATH}/{begun.json()['id']}", who="supervisor")).json()
    assert ended["state"] == "done"
    return ended


async def changes(world: World, recompute: dict[str, Any], **query: Any) -> list[dict[str, Any]]:
    """Return what a recompute changes, as listed."""
    items: list[dict[str, Any]] = (
        await world.get(f"{PATH}/{recompute['id']}/changes", who="supervisor", **query)
    ).json()["items"]
    return items


async def due(world: World, ticket: Ticket) -> dict[str, Any]:
    """Return when a request's clocks are due."""
    return {target: clock["due_at"] for target, clock in (await world.clocks(ticket)).items()}


async def test_a_request_keeps_its_targets_until_somebody_asks(newer: World) -> None:
    """Newer targets change nothing of what was taken before; only what comes in then is timed by them (design 7)."""
    old, new = await newer.submit(), await newer.submit(policy_version="test-2")
    assert await due(newer, old) == dict.fromkeys(("first_response", "next_response"), "2026-11-23T16:00:00Z")
    assert await due(newer, new) == {"first_response": "2026-11-23T09:00:00Z"}


async def test_a_dry_run_says_what_would_change_and_changes_nothing(newer: World) -> None:
    """Deadlines before and after are listed; clocks, events and terms stay as they are."""
    ticket = await newer.submit()
    told, before = await newer.events(ticket), await due(newer, ticket)
    tried = await ask(newer, dry_run=True)
    counts = {name: tried[name] for name in ("policy_version", "requests", "clocks", "changed", "earlier", "later")}
    assert counts == {
        "policy_version": "test-2", "requests": 1, "clocks": 2, "changed": 2, "earlier": 1, "later": 0,
    }  # fmt: skip
    first, dropped = await changes(newer, tried)
    assert (first["number"], first["target"], first["due_before"], first["due_after"]) == (
        ticket.number, "first_response", "2026-11-23T16:00:00Z", "2026-11-23T09:00:00Z",
    )  # fmt: skip
    assert (dropped["target"], dropped["due_after"], dropped["problem"]) == ("next_response", None, None)
    assert (await newer.events(ticket), await due(newer, ticket)) == (told, before)


async def test_clocks_say_whose_targets_they_have(newer: World) -> None:
    """A clock and its explanation name the version that gives the target, beside the one it was taken under."""
    ticket = await newer.submit()
    await ask(newer, scope="targets")
    (clock,) = (await newer.clocks(ticket)).values()
    explained = (await newer.get(f"/v1/clocks/{clock['id']}/explanation")).json()
    for told in (clock, explained):
        assert (told["policy_version"], told["targets_version"], told["hours_version"]) == (
            "test-1",
            "test-2",
            "test-2",
        )
        assert told["target_minutes"] == 180
    assert explained["words"][0] == "Under policy test-1, by the targets of test-2, by the hours of test-2."


async def test_a_dry_run_lists_what_changes_of_a_waiting_request(newer: World) -> None:
    """A clock that is paused has no deadline, but its target and who gives it change, as the run then shows."""
    ticket = await newer.submit()
    await newer.tell(ticket, "ticket.waiting", MONDAY, cause="client")
    tried = await ask(newer, dry_run=True)
    assert (tried["changed"], tried["later"], tried["earlier"]) == (2, 0, 0)
    first, following = await changes(newer, tried)
    assert (first["due_before"], first["due_after"], first["rule_after"]) == (None, None, "normal")
    assert (first["minutes_before"], first["minutes_after"]) == (600, 180)
    # Of what is not timed any more there is no target.
    assert (following["minutes_before"], following["minutes_after"], following["rule_after"]) == (600, None, None)
    await ask(newer)
    assert (await newer.clocks(ticket))["first_response"]["target_minutes"] == 180
    back = await ask(newer, policy_version="test-1", scope="targets", dry_run=True)
    minutes = [(one["minutes_before"], one["minutes_after"]) for one in await changes(newer, back)]
    assert minutes == [(180, 600), (None, 600)]


async def test_another_rule_with_the_same_minutes_is_neither_later_nor_earlier(world: World) -> None:
    """The clock is listed, for its rule is another one; its deadline stays where it is."""
    await world.submit()
    rule = {"code": "own", "when": {"urgency": ["normal"]}, "minutes": {"first_response": 600, "next_response": 600}}
    await world.deliver(world.policy("test-2", targets={"rules": [rule]}))
    tried = await ask(world, dry_run=True)
    assert (tried["changed"], tried["later"], tried["earlier"]) == (2, 0, 0)
    first, _ = await changes(world, tried)
    assert (first["rule_before"], first["rule_after"]) == ("normal", "own")
    assert (first["due_before"], first["minutes_before"]) == (first["due_after"], first["minutes_after"])


@pytest.mark.parametrize("scope", ["targets", "all"])
async def test_it_applies_what_is_asked_for(newer: World, scope: str) -> None:
    """The targets are the newer policy's then; new deadlines are told, and later events follow them."""
    ticket = await newer.submit()
    await ask(newer, scope=scope)
    assert await due(newer, ticket) == {"first_response": "2026-11-23T09:00:00Z"}
    (scheduled,) = [data for what, data in (await newer.events(ticket))[2:] if what == "scheduled"]
    assert (scheduled["due_at"], scheduled["policy_version"]) == (MONDAY + 3 * HOUR, "test-2")
    await newer.tell(ticket, "ticket.waiting", MONDAY + HOUR, cause="third_party")
    await newer.tell(ticket, "ticket.resumed", MONDAY + 2 * HOUR, cause="third_party")
    assert await due(newer, ticket) == {"first_response": "2026-11-23T10:00:00Z"}


async def test_what_is_late_by_the_new_terms_is_told_at_once(world: World) -> None:
    """A deadline that has passed already is breached now, and who was late by mistake no longer is."""
    late, in_time = await world.submit(), await world.submit(urgency="high")
    await world.move(MONDAY + 4 * HOUR)
    assert ("breached", "first_response") in await world.told(in_time)
    slow = {"first_response": 600, "next_response": 600}
    await world.deliver(world.policy("test-2", minutes={"normal": {"first_response": 60}, "high": slow}))
    done = await ask(world)
    assert (done["breached"], done["relieved"]) == (1, 2)
    await world.runtime.settle()
    assert ("breached", "first_response") in await world.told(late)
    clock = (await world.clocks(in_time))["first_response"]
    assert (clock["breached"], clock["due_at"]) == (False, "2026-11-23T16:00:00Z")


async def test_it_goes_on_where_it_was_broken_off(store_path: Path) -> None:
    """Portion by portion; after a restart the rest is done, and no request twice."""
    async with open_world(store_path) as world:
        await world.deliver(world.policy(), world.policy("test-2", minutes=SHORTER))
        tickets = [await world.submit() for _ in range(5)]
        await world.recomputing.stop()
        begun = (await world.post(PATH, {}, who="supervisor")).json()
        for _ in range(2):
            sla = world.app.state.sla
            assert await world.runtime.store.write(lambda unit: go_on(sla, unit, portion=2)) == 2  # noqa: B023
        half = (await world.get(f"{PATH}/{begun['id']}", who="supervisor")).json()
        assert (half["state"], half["requests"]) == ("running", 4)
    async with open_world(store_path) as again:
        await again.runtime.settle()
        done = (await again.get(f"{PATH}/{begun['id']}", who="supervisor")).json()
        assert (done["state"], done["requests"], done["changed"]) == ("done", 5, 10)
        for ticket in tickets:
            assert (await again.told(ticket)).count(("scheduled", "first_response")) == 2


async def test_what_ends_in_the_middle_of_it_is_left_out(newer: World) -> None:
    """Answered, resolved and closed requests have no clock that runs, so they keep their terms."""
    ticket = await newer.submit()
    await newer.answer(ticket, MONDAY + HOUR)
    assert (await ask(newer))["requests"] == 0


async def test_a_request_that_the_new_terms_cannot_time_stays_as_it_is(world: World) -> None:
    """It is counted and named with the reason, and the others are done."""
    ticket, other = await world.submit(), await world.submit(urgency="high")
    seldom = {"tz": "UTC", "hours": {"mon": [["06:00", "06:01"]]}}
    minutes = {"normal": {"first_response": 1_000_000}, "high": {"first_response": 1}}
    await world.deliver(world.policy("test-2", calendar=seldom, minutes=minutes))
    await world.runtime.settle()
    before = await due(world, ticket)
    done = await ask(world)
    assert (done["requests"], done["failed"], done["changed"]) == (2, 1, 2)
    assert {bool(one["problem"]) for one in await changes(world, done) if one["ticket_id"] == ticket.id} == {True}
    assert await due(world, ticket) == before
    assert set(await due(world, other)) == {"first_response"}


@pytest.mark.parametrize("seed", range(20))
async def test_it_gives_what_the_new_terms_would_have_given_from_the_start(newer: World, seed: int) -> None:
    """Of two requests with one history, one taken under the newer policy, one recomputed, the clocks are the same."""
    chance = Random(seed)
    story, at = [], MONDAY
    for _ in range(chance.randrange(6)):
        at += timedelta(minutes=chance.randrange(1, 900))
        event = chance.choice(["ticket.waiting", "ticket.resumed", "ticket.replied", "ticket.triaged"])
        story.append((event, at, chance.choice(["client", "third_party"]), chance.choice(["staff", "client"])))
    old, new = await newer.submit(), await newer.submit(policy_version="test-2")
    newer.clock.move(at)
    for event, when, cause, side in story:
        more: dict[str, Any] = {"urgency": chance.choice(["normal", "high"])} if event == "ticket.triaged" else {}
        more |= {"cause": cause} if event in ("ticket.waiting", "ticket.resumed") else {}
        more |= {"side": side} if event == "ticket.replied" else {}
        for ticket in (old, new):
            await newer.tell(ticket, event, when, **more)
    await ask(newer)
    told = ("state", "due_at", "elapsed_minutes", "breached", "target_minutes", "rule")
    shown = [
        {target: [clock[name] for name in told] for target, clock in (await newer.clocks(ticket)).items()}
        for ticket in (old, new)
    ]
    running = any(clock[0] in ("running", "paused") for clock in shown[1].values())
    assert shown[0] == shown[1] or not running


async def test_who_may_and_what_is_refused(newer: World) -> None:
    """Supervisors and admins may; an unknown version, what has ended and an unknown ID are refused with advice."""
    for who, status in (("client", 403), ("agent", 403), ("supervisor", 202), ("admin", 202)):
        assert (await newer.post(PATH, {"dry_run": True}, who=who)).status_code == status
    unknown = await newer.post(PATH, {"policy_version": "none"}, who="supervisor")
    assert (unknown.status_code, unknown.json()["errors"][0]["pointer"]) == (422, "/policy_version")
    done = await ask(newer)
    ended = await newer.post(f"{PATH}/{done['id']}/cancel", {}, who="supervisor")
    assert (ended.status_code, ended.json()["detail"]) == (409, "This recompute is done. Ask for another one.")
    for path in ("none", "none/changes"):
        assert (await newer.get(f"{PATH}/{path}", who="supervisor")).status_code == 404
    assert (await newer.post(f"{PATH}/none/cancel", {}, who="supervisor")).status_code == 404
    assert len((await newer.get(PATH, who="supervisor")).json()["items"]) == 3


async def test_only_so_many_wait(newer: World) -> None:
    """Whoever asks for more than may wait is told to cancel one; a publication's own is never refused."""
    await newer.recomputing.stop()
    begun = [await newer.post(PATH, {"dry_run": True}, who="supervisor") for _ in range(MOST_WAITING)]
    assert {one.status_code for one in begun} == {202}
    refused = await newer.post(PATH, {"dry_run": True}, who="supervisor")
    assert (refused.status_code, "Cancel one" in refused.json()["detail"]) == (409, True)
    week = {"tz": "UTC", "hours": {"mon": [["06:00", "16:00"]]}}
    await newer.deliver(newer.policy("test-3", calendar=week))
    assert (await newer.get(PATH, who="supervisor")).json()["items"][0]["asked_by"] == "policy.published"
    await newer.post(f"{PATH}/{begun[0].json()['id']}/cancel", {}, who="supervisor")
    # What publications began counts for nobody.
    assert (await newer.post(PATH, {"dry_run": True}, who="supervisor")).status_code == 202


async def test_ended_ones_are_forgotten_after_thirty_days(newer: World) -> None:
    """Portion by portion, with what they would have changed; a younger one stays."""
    await newer.submit()
    await newer.submit()
    old = await ask(newer, dry_run=True)
    newer.clock.move(MONDAY + timedelta(days=29))
    young = await ask(newer, dry_run=True)
    assert len(await changes(newer, old)) == 4
    newer.clock.move(MONDAY + timedelta(days=31))

    async def step(unit: Unit) -> int:
        return await forget(newer.app.state.sla, unit, portion=3)

    assert await newer.runtime.store.write(step) == 3
    assert len(await changes(newer, old)) == 1
    await newer.recomputing.drain()
    left = (await newer.get(PATH, who="supervisor")).json()["items"]
    assert [one["id"] for one in left] == [young["id"]]
    assert await newer.runtime.store.read(lambda unit: unit.all(CHANGES, **FIRST, id=old["id"], limit=9)) == []


async def test_one_that_is_stopped_does_no_more(newer: World) -> None:
    """What it has done stays; its state says that it was stopped."""
    ticket = await newer.submit()
    await newer.recomputing.stop()
    begun = (await newer.post(PATH, {}, who="supervisor")).json()
    stopped = await newer.post(f"{PATH}/{begun['id']}/cancel", {}, who="supervisor")
    assert (stopped.status_code, stopped.json()["state"]) == (200, "cancelled")
    newer.recomputing.start()
    await newer.runtime.settle()
    assert set(await due(newer, ticket)) == {"first_response", "next_response"}


async def test_changes_come_in_pages(newer: World) -> None:
    """A page at a time, by request and target, with the place of the next."""
    for _ in range(3):
        await newer.submit()
    tried = await ask(newer, dry_run=True)
    page = (await newer.get(f"{PATH}/{tried['id']}/changes", who="supervisor", limit=4)).json()
    rest = await changes(newer, tried, limit=4, cursor=page["next"])
    assert (len(page["items"]), len(rest)) == (4, 2)
    assert page["items"] + rest == await changes(newer, tried)

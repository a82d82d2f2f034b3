"""Rules of targets in the service: what events say of a request, waiting for a licence, an upgrade (clause 2.3)."""

import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

from firstline.common.envelope import Envelope
from firstline.common.pull import LogPage
from firstline.common.store.port import Sql, Unit
from sla_world import MONDAY, Ticket, World, open_world

HOUR = timedelta(hours=1)
FIRST, NEXT = "first_response", "next_response"
TEN, ONE = MONDAY + 10 * HOUR, MONDAY + HOUR


def rule(code: str, minutes: int, **when: list[str]) -> dict[str, Any]:
    """Return a rule of a policy for the first response alone."""
    return {"code": code, "when": when, "minutes": {FIRST: minutes}}


async def ruled(world: World, *rules: dict[str, Any]) -> None:
    """Publish a policy with rules."""
    await world.deliver(world.policy("ruled", targets={"rules": list(rules)}))


async def first(world: World, ticket: Ticket) -> tuple[Any, ...]:
    """Return by which rule a request's first answer is owed, and when."""
    found = (await world.clocks(ticket))[FIRST]
    return found["rule"], found["target_minutes"], found["due_at"]


async def test_every_property_of_a_request_may_decide(world: World) -> None:
    """Topic, tier, organisation and entitlement come with the request; the first rule of the policy that fits wins."""
    await ruled(
        world,
        rule("lapsed", 900, entitlement=["expired"]),
        rule("shop", 60, organization_id=["shop"]),
        rule("updates", 120, topic=["updates"], tier=["helpdesk"]),
    )
    given: list[tuple[str, dict[str, Any]]] = [
        ("lapsed", {"entitlement": "expired", "organization_id": "shop"}),
        ("shop", {"organization_id": "shop", "topic": "updates"}),
        ("updates", {"topic": "updates.failed_update"}),
        ("normal", {"topic": "updates", "tier": "development"}),
        ("high", {"urgency": "high"}),
    ]
    for code, data in given:
        ticket = await world.submit(policy_version="ruled", **data)
        assert (await first(world, ticket))[0] == code


async def test_a_judgement_of_the_topic_moves_the_deadline_and_says_the_rule(world: World) -> None:
    """The event names the rule and its minutes; a judgement under which nothing is new tells nothing."""
    await ruled(world, rule("updates", 60, topic=["updates"]))
    ticket = await world.submit(policy_version="ruled")
    for _ in range(2):
        await world.tell(ticket, "ticket.triaged", MONDAY + 0.5 * HOUR, urgency="normal", topic="updates")
    assert await world.told(ticket, "rule", "target_minutes", "due_at") == [
        ("scheduled", FIRST, "normal", 600, TEN),
        ("scheduled", NEXT, "normal", 600, TEN),
        ("cancelled", NEXT, "normal", 600, TEN),
        ("scheduled", FIRST, "updates", 60, ONE),
    ]
    await world.tell(ticket, "ticket.triaged", MONDAY + 0.5 * HOUR, urgency="normal", topic=None)
    assert await first(world, ticket) == ("normal", 600, "2026-11-23T16:00:00Z")


async def licence(world: World, edition: str | None, version: int = 1) -> None:
    """Let accounts tell of the licence."""
    data = {"id": "L", "key_sha256": "k", "last4": "1234", "product": "Box", "edition": edition}
    await world.deliver(world.envelope("licence/L", "account.licence_changed", version, world.clock.now(), data))


async def test_a_licences_edition_decides_and_is_waited_for(world: World) -> None:
    """A request under a policy that asks for the edition waits until its licence is known; others don't."""
    await ruled(world, rule("team", 60, edition=["Team"]))
    plain = await world.submit(licence_id="L")
    ticket = await world.submit(policy_version="ruled", licence_id="L")
    assert (await first(world, plain))[0] == "normal"
    assert await world.clocks(ticket) == {}
    await licence(world, "Team")
    assert world.runtime.inbox is not None
    await world.runtime.inbox.retry_waiting()
    assert await first(world, ticket) == ("team", 60, "2026-11-23T07:00:00Z")
    await licence(world, None, 2)
    assert (await first(world, ticket))[0] == "team"


async def test_a_licence_named_later_decides_from_then_on(world: World) -> None:
    """The client's message that gives the key brings the edition, and what it entitles to."""
    await licence(world, "Team")
    await ruled(world, rule("team", 60, edition=["Team"], entitlement=["active"]))
    ticket = await world.submit(policy_version="ruled", entitlement="unknown")
    assert (await first(world, ticket))[0] == "normal"
    await world.ask(ticket, MONDAY + 0.5 * HOUR, licence_id="L", entitlement="active")
    assert await first(world, ticket) == ("team", 60, "2026-11-23T07:00:00Z")


AS_BEFORE = [
    Sql("UPDATE fact SET targets = traits, traits = NULL", type(None)),
    Sql("UPDATE clock SET rule = NULL, target_minutes = NULL, warnings = NULL, told = 0", type(None)),
    Sql("DELETE FROM licence", type(None)),
    Sql("INSERT INTO refill (source, position) VALUES ('accounts', 0), ('intake', 0)", type(None)),
]
MINUTES = {"normal": '{"first_response":600,"next_response":600}', "high": '{"first_response":180,"next_response":180}'}


async def before_the_upgrade(world: World) -> tuple[Ticket, list[Envelope]]:
    """Return a request and its events, kept as the release before this one kept them."""
    await world.deliver(world.policy())
    ticket = world.ticket()
    told = [
        world.event(ticket, "ticket.submitted", topic="updates"),
        world.event(ticket, "ticket.triaged", MONDAY + HOUR, urgency="normal", topic="cloud"),
        world.event(ticket, "ticket.triaged", MONDAY + 2 * HOUR, urgency="high", topic="cloud"),
    ]
    await world.deliver(*told)

    async def go_back(unit: Unit) -> None:
        for statement in AS_BEFORE:
            await unit.run(statement)

    await world.runtime.store.write(go_back)
    return ticket, told


def as_kept_before(path: Path, told: list[Envelope]) -> None:
    """Give the facts the targets that the earlier release chose, without the judgement that changed no urgency."""
    with sqlite3.connect(path) as database:
        database.execute("DELETE FROM fact WHERE id = ?", [told[1].id])
        database.execute("UPDATE fact SET targets = ? WHERE id = ?", [MINUTES["normal"], told[0].id])
        database.execute("UPDATE fact SET targets = ? WHERE id = ?", [MINUTES["high"], told[2].id])
    database.close()


async def test_clocks_of_an_earlier_release_go_on(store_path: Path) -> None:
    """Without anything read anew they are due as before, and their warnings and breaches come once, in order."""
    async with open_world(store_path) as world:
        ticket, told = await before_the_upgrade(world)
    as_kept_before(store_path, told)
    async with open_world(store_path, MONDAY + 2 * HOUR) as world:
        assert [clock["due_at"] for clock in (await world.clocks(ticket)).values()] == ["2026-11-23T09:00:00Z"] * 2
        await world.move(MONDAY + 4 * HOUR)
        milestones = [
            event for event in await world.told(ticket, "elapsed_minutes") if event[0] in ("warned", "breached")
        ]
        assert sorted(milestones) == sorted(
            (what, target, minutes)
            for what, minutes in (("warned", 135), ("breached", 180))
            for target in (FIRST, NEXT)
        )


async def test_an_upgrade_reads_what_requests_are_like_from_the_logs(store_path: Path) -> None:
    """Afterwards every fact says it, judgements that left none before too, and the clocks stand as they stood."""
    async with open_world(store_path) as world:
        ticket, told = await before_the_upgrade(world)
    as_kept_before(store_path, told)

    async def intake(after: int, _limit: int) -> LogPage:
        return LogPage(log="log of intake", items=[event for event in told if event.position > after][:2])

    async def accounts(_after: int, _limit: int) -> LogPage:
        return LogPage(log="log of accounts", items=[])

    start = MONDAY + 2 * HOUR
    async with open_world(store_path, start, {"intake": intake, "accounts": accounts}) as world:
        refilling = next(worker for worker in world.runtime.workers if worker.name == "sla: refill")
        await refilling.drain()
        assert [clock["due_at"] for clock in (await world.clocks(ticket)).values()] == ["2026-11-23T09:00:00Z"] * 2
        assert {clock["rule"] for clock in (await world.clocks(ticket)).values()} == {"high"}
    with sqlite3.connect(store_path) as database:
        kept = database.execute("SELECT json_extract(traits, '$.topic'), targets FROM fact ORDER BY at").fetchall()
        left = database.execute("SELECT * FROM refill").fetchall()
    database.close()
    assert (kept, left) == ([("updates", None), ("cloud", None), ("cloud", None)], [])

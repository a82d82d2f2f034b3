"""What clients claim of urgency, what becomes of it, and the figures of it (clause 2.1, POLICY reading A6)."""

import asyncio
from typing import Any

import pytest
from intake_world import World

REPORT = "/v1/reports/urgency-claims"
CONFIRMED = {"urgency": "high", "reason": "The shop is down."}
RETURNED = {"urgency": "normal", "reason": "One page is slow."}


async def figures(world: World) -> list[tuple[str | None, int, int, float]]:
    """Return the report as a supervisor reads it."""
    items = (await world.get(REPORT, "supervisor:sven")).json()["items"]
    return [(i["organization_id"], i["confirmed"], i["returned"], i["returned_share"]) for i in items]


async def test_a_claim_is_kept_and_changes_nothing(world: World) -> None:
    """What the client thinks of the urgency is seen by everybody and told, and the request stays in turn."""
    ticket = await world.submit(urgency_claim="high")
    assert (ticket["urgency"], ticket["urgency_claim"]) == ("normal", "high")
    ((_, told),) = await world.events(ticket["id"])
    assert told["urgency_claim"] == "high"
    assert (await world.submit())["urgency_claim"] is None


async def test_judged_claims_are_counted_by_organisation(world: World) -> None:
    """The first judgement of a provisional urgency counts once, for its organisation; other judgements don't."""
    assert await figures(world) == []
    for who, judgement in (
        ("client:clara@acme", CONFIRMED),
        ("client:clara@acme", RETURNED),
        ("client:kim@acme", RETURNED),
        ("client:ben@bolt", CONFIRMED),
        ("client:dora", RETURNED),
    ):
        ticket = await world.submit(who, recovery="full")
        await world.must(ticket, "triage", judgement)
        await world.must(ticket, "triage", RETURNED)
    ordinary = await world.submit("client:clara@acme")
    await world.must(ordinary, "triage", CONFIRMED)
    await world.must(await world.submit("client:clara@acme", recovery="full"), "triage", {"complexity": "hard"})
    assert await figures(world) == [(None, 0, 1, 1.0), ("acme", 1, 2, 0.667), ("bolt", 1, 0, 0.0)]


async def test_the_report_is_read_by_pages(world: World) -> None:
    """Pages follow one another without a gap; a cursor that is none is refused."""
    for name in ("acme", "bolt", "crane"):
        await world.must(await world.submit(f"client:clara@{name}", recovery="full"), "triage", RETURNED)
    found: list[str] = []
    query: dict[str, Any] = {"limit": 1}
    while True:
        page = (await world.get(REPORT, "admin:ada", **query)).json()
        found += [item["organization_id"] for item in page["items"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert found == ["acme", "bolt", "crane"]
    assert (await world.get(REPORT, "admin:ada", cursor="nonsense")).status_code == 422


async def test_two_judgements_at_once_count_once(world: World) -> None:
    """Of two specialists the first judges the claim; a retry is not counted again."""
    ticket = await world.submit("client:clara@acme", recovery="full")
    await asyncio.gather(*(world.verb(ticket, "triage", RETURNED, who) for who in ("agent:anna", "agent:ben")))
    other = await world.submit("client:clara@acme", recovery="full")
    for _ in range(2):
        await world.verb(other, "triage", RETURNED, Idempotency_Key="once")
    assert await figures(world) == [("acme", 0, 2, 1.0)]


@pytest.mark.parametrize("who", ["client:clara", "partner:pia@acme", "agent:anna"])
async def test_the_report_is_for_supervisors(world: World, who: str) -> None:
    """Nobody else reads how organisations claim."""
    assert (await world.get(REPORT, who)).status_code == 403

"""What queue does when accounts tells of people and intake of policies."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from firstline.common.policy.loader import load_policy
from firstline.queue.store import ADDRESSES, PERSON

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def policy() -> dict[str, Any]:
    """Return the document of the policy that comes along."""
    return load_policy(Path(__file__).parents[2] / "policies" / "bitrix24.yaml").document()


def _order(policy: dict[str, Any], **order: Any) -> dict[str, Any]:
    return policy | {"out_of_turn": policy["out_of_turn"] | order}


@pytest.mark.parametrize("change", [{"active": False}, {"role": "client"}])
async def test_who_stops_serving_holds_nothing(world: Any, change: dict[str, Any]) -> None:
    """When an agent is deactivated or becomes a client all their claims come back; others' claims stay."""
    tickets = [await world.submit() for _ in range(3)]
    await world.take()
    await world.take("agent:boris")
    await world.take()
    await world.person(id="anna")
    assert [item["claimed_by"] for item in await world.items()] == ["anna", "boris", "anna"]
    await world.person(id="anna", **change)
    assert [item["claimed_by"] for item in await world.items()] == [None, "boris", None]
    released = (await world.events(tickets[0]))[-1]
    assert (released["type"], released["reason"], released["agent"]) == ("queue.released", "deactivated", "anna")
    assert (await world.take("agent:carl"))["fence"] == 2


async def test_an_erased_person_leaves_no_address(world: Any) -> None:
    """After the erasure no copy of the address is left, and the person's claims have ended."""
    ticket, other = [await world.submit() for _ in range(2)]
    await world.take()
    await world.tell(other, "ticket.noted", recipients=[{"address": "carl@shop.example"}])
    await world.person(id="anna", email="Clara@Shop.example", role="client")
    store = world.runtime.store
    assert (await store.read(lambda unit: unit.one(PERSON, id="anna"))).address == "clara@shop.example"
    await world.person("person.erased", id="anna")
    assert await store.read(lambda unit: unit.one(PERSON, id="anna")) is None
    assert await store.read(lambda unit: unit.all(ADDRESSES, ticket_id=ticket.id)) == []
    assert await store.read(lambda unit: unit.all(ADDRESSES, ticket_id=other.id)) == ["carl@shop.example"]
    assert [item["claimed_by"] for item in await world.items()] == [None, None]


async def test_an_erased_agent_holds_nothing(world: Any) -> None:
    """An erasure ends claims also of somebody whom accounts never told of."""
    await world.submit()
    await world.take()
    await world.person("person.erased", id="anna")
    assert [item["claimed_by"] for item in await world.items()] == [None]


async def test_without_a_policy_high_goes_first(world: Any) -> None:
    """Before any policy has arrived high urgency is out of turn, and nothing bounds it."""
    plain, urgent = await world.submit(), await world.submit(urgency="high")
    assert await world.numbers() == [urgent.number, plain.number]


async def test_the_bound_lets_others_through(world: Any, policy: dict[str, Any]) -> None:
    """With a bound of two every third claim gets the first in turn; that it passes over urgent ones is recorded."""
    await world.publish_policy(_order(policy, max_in_a_row=2), "v1", world.clock.now())
    plain = [await world.submit() for _ in range(2)]
    urgent = [await world.submit(urgency="high") for _ in range(5)]
    taken = [(await world.take())["number"] for _ in range(7)]
    expected = [urgent[0], urgent[1], plain[0], urgent[2], urgent[3], plain[1], urgent[4]]
    assert taken == [ticket.number for ticket in expected]
    assert ("queue.claimed", "out_of_turn") in await world.told(plain[0])


async def test_each_wish_is_bounded_for_itself(world: Any, policy: dict[str, Any]) -> None:
    """A tier's plain entry is not kept waiting for ever by claims of another tier that start the count anew."""
    await world.publish_policy(_order(policy, max_in_a_row=1), "v1", world.clock.now())
    deep = "technical_support"
    plain = {tier: await world.submit(tier=tier) for tier in ("helpdesk", deep)}
    for tier in ("helpdesk", deep, "helpdesk", deep):
        await world.submit(tier=tier, urgency="high")
    taken = [await world.take(tier=tier) for tier in ("helpdesk", deep, "helpdesk", deep)]
    assert [claim["number"] for claim in taken[2:]] == [plain["helpdesk"].number, plain[deep].number]


async def test_a_reached_bound_with_nobody_in_turn(world: Any, policy: dict[str, Any]) -> None:
    """When only urgent entries wait the bound does not stop anybody from taking them."""
    await world.publish_policy(_order(policy, max_in_a_row=1), "v1", world.clock.now())
    urgent = [await world.submit(urgency="high") for _ in range(3)]
    assert [(await world.take())["number"] for _ in range(3)] == [ticket.number for ticket in urgent]


async def test_a_policy_counts_from_its_instant(world: Any, policy: dict[str, Any]) -> None:
    """A version that takes effect tomorrow changes nothing today; places say the bound once it is in force."""
    now = world.clock.now()
    await world.publish_policy(_order(policy, levels=["high"], max_in_a_row=0), "v1", now - DAY)
    await world.publish_policy(_order(policy, levels=["high"], max_in_a_row=1), "v2", now + DAY)
    plain = await world.submit()
    for _ in range(3):
        await world.submit(urgency="high")
    path, bound = f"/v1/queue/{plain.id}", "At most 1 in a row are served out of turn."
    assert bound not in (await world.get(path)).json()["why"]
    for _ in range(2):
        assert (await world.take())["number"] != plain.number
    await world.move(DAY)
    assert bound in (await world.get(path)).json()["why"]
    await world.take()
    assert (await world.take())["number"] == plain.number


async def test_the_levels_are_the_policys(world: Any, policy: dict[str, Any]) -> None:
    """A policy without levels out of turn serves everybody in turn; published again, a version is replaced."""
    await world.publish_policy(_order(policy, levels=[]), "v1", world.clock.now())
    plain, urgent = await world.submit(), await world.submit(urgency="high")
    assert await world.numbers() == [plain.number, urgent.number]
    await world.publish_policy(_order(policy, levels=["high"]), "v1", world.clock.now())
    await world.judge(urgent, "high")
    assert await world.numbers() == [urgent.number, plain.number]


def test_the_policy_that_comes_along_is_the_default(policy: dict[str, Any]) -> None:
    """The order that queue assumes before it knows a policy is that of the policy that comes along."""
    source = yaml.safe_load((Path(__file__).parents[2] / "policies" / "bitrix24.yaml").read_text("utf-8"))
    assert policy["out_of_turn"] == source["out_of_turn"] == {"levels": ["high"], "max_in_a_row": 0}

"""What intake does on other services' events: each is applied once, whatever comes twice or in another order."""

import json
from pathlib import Path
from typing import Any

import pytest
from firstline.common.policy.model import Policy
from intake_world import OpenWorld, World


async def test_the_first_claim_opens_a_new_request_once(world: World) -> None:
    """The first claim makes ticket.opened, by the agent who claims; later claims and repeated news make nothing."""
    ticket = await world.submit()
    key = {"out_of_turn": False, "since": world.clock.now(), "position": 1}
    facts = {"number": ticket["number"], "key": key, "agent": "anna", "lease_expires_at": world.clock.now()}
    event = await world.tell("queue.claimed", f"entry/{ticket['id']}", fence=1, **facts)
    await world.bus.publish([event.model_dump_json().encode()])
    await world.claims(ticket, "queue.released", "anna", 1)
    await world.claims(ticket, "queue.claimed", "bert", 2)
    ((kind, data),) = await world.events(ticket["id"], after=1)
    assert (kind, data["status"], data["actor"]["id"]) == ("ticket.opened", "open", "somebody")
    assert (await world.ticket(ticket["id"]))["version"] == 2


@pytest.mark.parametrize("verb", [("wait", {"cause": "client"}), ("resolve", {}), ("close", {"reason": "spam"})])
async def test_a_claim_opens_new_requests_only(world: World, verb: tuple[str, dict[str, Any]]) -> None:
    """News of a claim that comes after the request has moved on leaves its status alone."""
    ticket = await world.submit()
    status = (await world.must(ticket, *verb))["status"]
    await world.claims(ticket, "queue.claimed", "anna", 1)
    assert (await world.ticket(ticket["id"]))["status"] == status
    assert "ticket.opened" not in [kind for kind, _ in await world.events(ticket["id"])]


async def test_news_of_an_unknown_request_is_taken(world: World) -> None:
    """A claim on a request that intake doesn't have (restored from an older backup) is noted and parks nothing."""
    await world.claims({"id": "unknown", "number": "FL-0000-0000"}, "queue.claimed", "anna", 1)
    assert world.rows("SELECT fence, agent FROM claim") == [(1, "anna")]
    assert world.rows("SELECT count(*) FROM ticket") == [(0,)]


async def test_people_are_known_by_their_last_word(world: World) -> None:
    """A person's name, language and organisation complete a request of theirs; the last event counts."""
    await world.person("clara", None, name="C.", language="fr")
    await world.person("clara", "acme", name="Clara Klein", language="de")
    ticket = await world.submit("agent:anna", requester={"email": "CLARA@shop.example"})
    assert ticket["requester"] == {
        "id": "clara",
        "email": "clara@shop.example",
        "name": "Clara Klein",
        "language": "de",
    }
    assert ticket["organization_id"] == "acme"


async def test_an_erased_person_is_forgotten(world: World) -> None:
    """After erasure nothing of the person's copy goes into a new request."""
    await world.person("clara", "acme", name="Clara Klein")
    await world.tell("person.erased", "person/clara", id="clara")
    ticket = await world.submit("agent:anna", requester={"email": "clara@shop.example"})
    assert (ticket["requester"]["id"], ticket["requester"]["name"], ticket["organization_id"]) == (None, None, None)
    assert world.rows("SELECT count(*) FROM person") == [(0,)]


async def test_licences_decide_the_entitlement(world: World) -> None:
    """An organisation's licence makes it entitled until it ends; the key is looked up and only its end is kept."""
    facts = {"id": "l1", "key_sha256": "0" * 64, "last4": "1234", "organization_id": "acme", "product": "shop"}
    until = world.clock.now().replace(month=12)
    await world.tell("account.licence_changed", "licence/l1", edition=None, active_until=until, **facts)
    first = await world.submit("client:kim@acme")
    assert (first["entitlement"], first["licence_last4"], first["product"]) == ("active", "1234", "shop")
    assert "product" not in {missing["field"] for missing in first["missing_information"]}, "the licence tells it"
    world.move(days=40)
    assert (await world.submit("client:kim@acme"))["entitlement"] == "expired"
    assert (await world.submit("client:clara"))["entitlement"] == "unknown"


async def test_a_policy_is_published_when_it_comes_and_when_it_returns(
    opened: OpenWorld, tmp_path: Path, policy: Policy
) -> None:
    """Each start under another policy than the last publishes it; one under the same publishes nothing, at any time."""
    document = policy.document()
    document["closing"]["reopen_window_days"] = 1
    other = Policy.from_document(document)
    for current in (policy, policy, other, other, policy, policy):
        async with opened(tmp_path, current=current) as world:
            rows = world.rows("SELECT data FROM log_event WHERE type = 'policy.published' ORDER BY seq")
    assert [json.loads(row[0])["version"] for row in rows] == [policy.version, other.version, policy.version]

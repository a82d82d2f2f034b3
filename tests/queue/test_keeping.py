"""Claims after they were made: renewed, released, transferred, run out, and refused when stale (PROMISES P15, P17)."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from firstline.common.secrets import seal, unseal

MINUTE = timedelta(minutes=1)
CLAIM_KEY = b"claims" * 6


def _stale(answer: httpx.Response) -> bool:
    return (answer.status_code, answer.json()["type"]) == (409, "/problems/stale-claim")


def _sealed(claim: dict[str, Any]) -> dict[str, Any]:
    return unseal(CLAIM_KEY, claim["claim_token"]) or {}


async def test_renewing_prolongs(world: Any) -> None:
    """A renewal keeps the fence, moves the end of the lease and gives a token that says so."""
    ticket = await world.submit()
    claim = await world.take()
    world.clock.move(world.clock.now() + 20 * MINUTE)
    renewed = (await world.keep(ticket, "renew", claim_token=claim["claim_token"])).json()
    assert renewed["fence"] == claim["fence"]
    assert renewed["lease_expires_at"] == "2026-11-23T12:50:00Z"
    assert _sealed(renewed)["exp"] == "2026-11-23T12:50:00+00:00"
    await world.move(20 * MINUTE)
    assert [item["claimed_by"] for item in await world.items()] == ["anna"]
    assert (await world.told(ticket))[-1] == ("queue.renewed", None)


@pytest.mark.parametrize("verb", ["renew", "release", "transfer"])
async def test_only_the_holder(world: Any, verb: str) -> None:
    """Another specialist, an old fence and the end of the lease each make it 409; the verb has no effect."""
    ticket = await world.submit()
    await world.take()
    await world.keep(ticket, "release")
    claim = await world.take()
    body = {"agent": "carl"} if verb == "transfer" else {}
    assert _stale(await world.keep(ticket, verb, body, "agent:boris"))
    assert _stale(await world.keep(ticket, verb, body | {"fence": 1}))
    assert _stale(await world.keep(ticket, verb, body | {"fence": claim["fence"]}, "agent:boris"))
    assert _stale(await world.keep(ticket, verb, body, "agent:boris", claim_token=claim["claim_token"]))
    before = await world.told(ticket)
    world.clock.move(world.clock.now() + 30 * MINUTE)
    assert _stale(await world.keep(ticket, verb, body | {"fence": claim["fence"]}))
    assert [event for event in await world.told(ticket) if event not in before] in (
        [],
        [("queue.expired", "lease_over")],
    )


async def test_forged_and_foreign_tokens_are_stale(world: Any) -> None:
    """A token of another key, of another ticket or of no meaning at all proves nothing."""
    first, second = [await world.submit() for _ in range(2)]
    claims = [await world.take() for _ in range(2)]
    payload = {"ticket_id": first.id, "agent": "anna", "fence": 1, "exp": "2026-11-23T13:00:00+00:00"}
    for token in (seal(b"another key", payload), claims[1]["claim_token"], "nonsense", ""):
        assert _stale(await world.keep(first, "renew", claim_token=token))
    assert (await world.keep(second, "renew", claim_token=claims[1]["claim_token"])).status_code == 200


async def test_the_token_beats_the_fence(world: Any) -> None:
    """Where a token is sent, its fence counts: an old token is stale, whatever the body says."""
    ticket = await world.submit()
    old = await world.take()
    await world.keep(ticket, "release")
    claim = await world.take()
    body = {"fence": claim["fence"]}
    assert _stale(await world.keep(ticket, "renew", body, claim_token=old["claim_token"]))
    assert (await world.keep(ticket, "renew", body, claim_token=claim["claim_token"])).status_code == 200


async def test_released_entries_keep_their_place(world: Any) -> None:
    """A release answers 204, the entry is first again, and its key is what it was."""
    first, second = [await world.submit() for _ in range(2)]
    claim = await world.take()
    answer = await world.keep(first, "release", {"fence": claim["fence"]})
    assert (answer.status_code, answer.content) == (204, b"")
    entered, *_, released = await world.events(first)
    assert (released["type"], released["reason"], released["agent"]) == ("queue.released", "released", "anna")
    assert released["key"] == entered["key"]
    assert [(await world.take("agent:boris"))["number"] for _ in range(2)] == [first.number, second.number]


async def test_leaders_may_end_and_move_any_claim(world: Any) -> None:
    """Supervisors and administrators release and transfer without a fence; they renew only their own."""
    first, second = [await world.submit() for _ in range(2)]
    for _ in range(2):
        await world.take()
    assert _stale(await world.keep(first, "renew", {}, "supervisor:sonja"))
    assert (await world.keep(first, "release", None, "supervisor:sonja")).status_code == 204
    assert ("queue.released", "supervisor") in await world.told(first)
    assert (await world.keep(second, "transfer", {"agent": "boris"}, "admin:adam")).status_code == 200
    assert [item["claimed_by"] for item in await world.items()] == [None, "boris"]


async def test_a_transfer_changes_holder_and_owner(world: Any) -> None:
    """The other one owns and holds it with a new fence; the former token is void, theirs comes by claiming."""
    ticket = await world.submit()
    claim = await world.take()
    world.clock.move(world.clock.now() + MINUTE)
    body = {"agent": "boris", "note": "You know this shop.", "fence": claim["fence"]}
    moved = (await world.keep(ticket, "transfer", body)).json()
    assert moved == {
        "ticket_id": ticket.id,
        "number": ticket.number,
        "agent": "boris",
        "owner": "boris",
        "fence": 2,
        "lease_expires_at": "2026-11-23T12:31:00Z",
    }
    assert (await world.told(ticket))[-2:] == [
        ("queue.transferred", "You know this shop."),
        ("queue.owner_changed", None),
    ]
    assert _stale(await world.keep(ticket, "renew", claim_token=claim["claim_token"]))
    theirs = await world.take("agent:boris", ticket_id=ticket.id)
    assert _sealed(theirs)["fence"] == theirs["fence"] == 2


async def test_a_transfer_back_to_the_owner_keeps_the_owner(world: Any) -> None:
    """Handing a claim to who owns the ticket anyway changes no owner."""
    ticket = await world.submit()
    await world.take()
    await world.keep(ticket, "release")
    await world.take("agent:boris")
    await world.keep(ticket, "transfer", {"agent": "anna"}, "agent:boris")
    assert [name for name, _ in await world.told(ticket)].count("queue.owner_changed") == 1


async def test_whom_a_claim_can_be_transferred_to(world: Any) -> None:
    """Not to who holds it, nor to a person who does not serve (any more); the problem points at the member."""
    ticket = await world.submit()
    await world.take()
    await world.person(id="left", active=False)
    await world.person(id="clara", role="client")
    await world.person(id="boris")
    for agent in ("anna", "left", "clara"):
        answer = await world.keep(ticket, "transfer", {"agent": agent})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/agent")
    assert (await world.keep(ticket, "transfer", {"agent": "boris"})).status_code == 200


async def test_a_lease_runs_out_at_its_instant(world: Any) -> None:
    """One microsecond before its end a claim holds; at its end it is gone, with its place kept and its event told."""
    first, second = [await world.submit() for _ in range(2)]
    await world.take()
    await world.move(timedelta(minutes=30) - timedelta(microseconds=1))
    assert [item["claimed_by"] for item in await world.items()] == ["anna", None]
    await world.move(timedelta(microseconds=1))
    assert [(item["number"], item["claimed_by"]) for item in await world.items()] == [
        (first.number, None),
        (second.number, None),
    ]
    entered, *_, expired = await world.events(first)
    assert (expired["type"], expired["reason"], expired["agent"]) == ("queue.expired", "lease_over", "anna")
    assert (expired["actor"]["id"], expired["key"]) == ("queue", entered["key"])
    assert (await world.take("agent:boris"))["fence"] == 2


async def test_the_worker_wakes_by_itself(world: Any) -> None:
    """Nobody needs to ask: once product time reaches the end of a lease the claim comes back, well within 5 seconds."""
    ticket = await world.submit()
    await world.take()
    await asyncio.sleep(0.05)
    world.clock.move(world.clock.now() + timedelta(minutes=30))
    async with asyncio.timeout(2):
        while (await world.told(ticket))[-1][0] != "queue.expired":
            await asyncio.sleep(0.01)


async def test_many_leases_run_out_at_once(world: Any) -> None:
    """More claims than one step takes come back all, in the order in which they were made."""
    tickets = [await world.submit() for _ in range(120)]
    for _ in tickets:
        await world.take()
    await world.move(timedelta(minutes=30))
    items = await world.items("?limit=100")
    assert {item["claimed_by"] for item in items} == {None}
    assert [(await world.told(ticket))[-1][0] for ticket in tickets] == ["queue.expired"] * 120


async def test_a_named_claim_does_not_wait_for_the_worker(world: Any) -> None:
    """Between the end of a lease and the worker's turn another one may claim it by name, and the end is told first."""
    ticket = await world.submit()
    await world.take()
    world.clock.move(world.clock.now() + timedelta(minutes=30))
    assert (await world.take("agent:boris", ticket_id=ticket.id))["fence"] == 2
    assert [name for name, _ in await world.told(ticket)][-2:] == ["queue.expired", "queue.claimed"]


async def test_claims_outlive_a_restart(world: Any, open_world: Any) -> None:
    """A lease goes on over a restart, and one that ran out meanwhile is ended at the start."""
    first, second = [await world.submit() for _ in range(2)]
    await world.take()
    await world.runtime.stop()
    async with open_world(world.path.parent) as again:
        assert [item["claimed_by"] for item in await again.items()] == ["anna", None]
        await again.move(timedelta(minutes=30))
        assert (await again.told(first))[-1] == ("queue.expired", "lease_over")
        assert (await again.take())["fence"] == 2
        assert second.id in {item["ticket_id"] for item in await again.items()}
    await world.runtime.store.open()


async def test_numbers_and_ids_both_name_a_claim(world: Any) -> None:
    """Paths take the number in any spelling as well as the ID; unknown ones are 404."""
    ticket = await world.submit()
    await world.take()
    for name in (ticket.id, ticket.number, ticket.number.lower()):
        assert (await world.post(f"/v1/queue/claims/{name}/renew")).status_code == 200
    for unknown in ("FL-ZZZZ-ZZZZ", "nonsense"):
        assert (await world.post(f"/v1/queue/claims/{unknown}/renew")).status_code == 404

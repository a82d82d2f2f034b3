"""Claim tokens and what queue tells: who may write on a request that somebody holds, and what opens a new one."""

from typing import Any

import pytest
from firstline.common.secrets import seal
from intake_world import CLAIM_KEY, World

REPLY = {"body": "We look at it."}


async def check(world: World, ticket: dict[str, Any], who: str, token: str | None = None) -> int:
    """Write as staff, with a claim token or without; a refusal must be a stale claim and change nothing."""
    before = world.stored()
    headers = {} if token is None else {"Claim-Token": token}
    answer = await world.verb(ticket, "messages", REPLY, who, **headers)
    if answer.status_code == 409:
        assert answer.json()["type"] == "/problems/stale-claim"
        assert world.stored() == before
    return answer.status_code


async def test_a_right_token_passes_and_its_fence_is_kept(world: World) -> None:
    """The holder writes with the token, asked of nobody; an older fence is refused once a newer one was seen."""
    ticket = await world.submit()
    assert await check(world, ticket, "agent:anna", world.claim_token(ticket, fence=3)) == 201
    assert await check(world, ticket, "agent:anna", world.claim_token(ticket, fence=3)) == 201
    assert await check(world, ticket, "agent:bert", world.claim_token(ticket, "bert", fence=2)) == 409
    assert await check(world, ticket, "agent:bert", world.claim_token(ticket, "bert", fence=4)) == 201
    assert await check(world, ticket, "agent:anna", world.claim_token(ticket, fence=3)) == 409


async def test_tokens_that_do_not_fit_are_refused(world: World) -> None:
    """Another's token, another request's, a garbled one, one of another key and one that is over: each is refused."""
    ticket, other = await world.submit(), await world.submit()
    right = world.claim_token(ticket)
    body, _, signature = right.partition(".")
    facts = {"ticket_id": ticket["id"], "agent": "anna", "fence": 9, "exp": "2030-01-01T00:00:00+00:00"}
    for token in (
        world.claim_token(ticket, "bert"),
        world.claim_token(other),
        world.claim_token(ticket, minutes=0),
        seal(b"another key" * 3, facts),
        f"{body}x.{signature}",
        f"{body}.{'B' if signature.startswith('A') else 'A'}{signature[1:]}",
        "",
        "nonsense",
        ".",
    ):
        assert await check(world, ticket, "agent:anna", token) == 409, token
    assert await check(world, ticket, "agent:anna", right) == 201
    world.move(minutes=30)
    assert await check(world, ticket, "agent:anna", right) == 409


async def test_a_live_claim_keeps_others_out(world: World) -> None:
    """While queue's word of a live claim stands, others change nothing but leave notes; its holder needs no token."""
    ticket = await world.submit()
    await world.claims(ticket, "queue.claimed", "anna", 1)
    assert await check(world, ticket, "agent:bert") == 409
    assert await check(world, ticket, "supervisor:sue") == 409
    note = await world.verb(ticket, "messages", {"body": "Look here.", "audience": "internal"}, "agent:bert")
    assert note.status_code == 201
    assert await check(world, ticket, "agent:anna") == 201
    assert (await world.verb(ticket, "messages", REPLY, "client:clara")).status_code == 201
    for verb, body in (("triage", {"complexity": "easy"}), ("wait", {"cause": "client"}), ("resolve", {})):
        assert (await world.verb(ticket, verb, body, "agent:bert")).json()["type"] == "/problems/stale-claim"
    world.move(minutes=30)
    assert await check(world, ticket, "agent:bert") == 201


@pytest.mark.parametrize("ending", ["queue.released", "queue.expired", "queue.left"])
async def test_an_ended_claim_lets_others_in(world: World, ending: str) -> None:
    """When queue says that the claim has ended, anybody on duty may write again."""
    ticket = await world.submit()
    await world.claims(ticket, "queue.claimed", "anna", 1)
    await world.claims(ticket, ending, "anna", 1)
    assert await check(world, ticket, "agent:bert") == 201


async def test_a_transfer_moves_the_right_to_write(world: World) -> None:
    """After a transfer the new holder writes, and the old one's token is too old; late news changes nothing."""
    ticket = await world.submit()
    await world.claims(ticket, "queue.claimed", "anna", 1)
    old = world.claim_token(ticket, fence=1)
    await world.claims(ticket, "queue.transferred", "bert", 2)
    await world.claims(ticket, "queue.released", "anna", 1)
    assert await check(world, ticket, "agent:anna", old) == 409
    assert await check(world, ticket, "agent:anna") == 409
    assert await check(world, ticket, "agent:bert") == 201


async def test_renewing_prolongs_the_claim(world: World) -> None:
    """A renewed claim keeps others out for as long as its new lease says."""
    ticket = await world.submit()
    await world.claims(ticket, "queue.claimed", "anna", 1)
    world.move(minutes=20)
    await world.claims(ticket, "queue.renewed", "anna", 1)
    world.move(minutes=20)
    assert await check(world, ticket, "agent:bert") == 409


async def test_claims_of_a_key_of_queue_only(world: World) -> None:
    """A token that intake's own cursor key signed says nothing about claims."""
    ticket = await world.submit()
    cursor = world.desk.cursors.write("tickets", [ticket["id"]])
    assert await check(world, ticket, "agent:anna", cursor) == 409
    assert world.desk.claim_key == CLAIM_KEY

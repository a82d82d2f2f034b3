"""Attacks on access data, and bad days (clause 4.3): races, retries, late workers, lost keys, an erased client."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from firstline.common.policy.model import Policy
from firstline.common.ports import SystemRandom
from firstline.common.redaction import ERASED
from firstline.common.store.migrate import migrate_postgres
from firstline.common.store.postgres import PostgresStore
from firstline.common.vault import KeyedVault, LockedVault
from firstline.intake.access import AccessRequest
from firstline.intake.service.rotation import rewrap_some
from firstline.intake.store.access import ACCESS_OF_TICKET, SECRETS, Secret
from intake_world import VAULT_KEY, World, open_world

CLARA, ANNA = "client:clara", "agent:anna"
CANARY = "canary-Xy7"
GIVEN = {"values": {"ftp": {"login": "clara", "password": CANARY}}}
OTHER = {"values": {"ftp": {"login": "clara", "password": "another"}}}
on_both_stores = pytest.mark.parametrize("world", ["sqlite", "postgres"], indirect=True)


@pytest.fixture
async def world(
    request: pytest.FixtureRequest, empty_store: Path, policy: Policy, tmp_path: Path
) -> AsyncIterator[World]:
    """Run intake on the store that the test asks for."""
    more: dict[str, Any] = {}
    if getattr(request, "param", "sqlite") == "postgres":
        database = request.getfixturevalue("database")
        await asyncio.to_thread(migrate_postgres, "intake", database)
        more["open_store"] = lambda _path, ports: PostgresStore(database, ports)
    async with open_world(empty_store, policy, tmp_path, **more) as running:
        yield running


async def asked(world: World, **body: Any) -> tuple[dict[str, Any], str]:
    """Send a request and ask for its client's FTP data; return the request, and the access request's place."""
    ticket = await world.submit(CLARA)
    body = {"kinds": ["ftp"], "reason": "To look.", "host": "shop.example"} | body
    answer = await world.verb(ticket, "access-requests", body)
    assert answer.status_code == 201, answer.text
    return ticket, f"access-requests/{answer.json()['id']}"


async def given(world: World, **body: Any) -> tuple[dict[str, Any], str, str]:
    """Let the client give it and a specialist take the request; return the claim's token as well."""
    ticket, one = await asked(world, **body)
    answer = await world.verb(ticket, f"{one}/provide", GIVEN, CLARA)
    assert answer.status_code == 200, answer.text
    await world.claims(ticket, "queue.claimed", "anna", 1)
    return ticket, one, world.claim_token(ticket)


async def read(world: World, ticket: dict[str, Any], one: str, token: str, **headers: str) -> httpx.Response:
    """Read what was given, as the holder of the claim."""
    why = {"reason": "Compare."}
    return await world.verb(ticket, f"{one}/reveal", why, ANNA, Claim_Token=token, **headers)


async def kept(world: World, one: str) -> list[Secret]:
    """Return what the vault keeps for an access request."""
    request_id = one.rpartition("/")[2]
    return await world.desk.store.read(lambda unit: unit.all(SECRETS, request_id=request_id))


async def told(world: World, ticket: dict[str, Any]) -> list[str]:
    """Return the types of the events on access data."""
    names = [kind.removeprefix("ticket.") for kind, _ in await world.events(ticket["id"])]
    return [name for name in names if name.startswith("access_")]


@on_both_stores
async def test_reading_and_the_end_at_once(world: World) -> None:
    """Whoever reads while it is resolved has read before the purge, and is noted, or reads nothing."""
    ticket, one, token = await given(world)
    ends = world.verb(ticket, "resolve", {}, ANNA, Claim_Token=token)
    answers = await asyncio.gather(*(read(world, ticket, one, token) for _ in range(3)), ends)
    *reads, end = answers
    assert end.status_code == 200
    assert {answer.status_code for answer in reads} <= {200, 409}
    assert all((CANARY in answer.text) == (answer.status_code == 200) for answer in reads)
    names = await told(world, ticket)
    assert names.count("access_revealed") == sum(answer.status_code == 200 for answer in reads)
    assert names[-2:] == ["access_purged", "access_change_due"]
    assert await kept(world, one) == []


@on_both_stores
async def test_two_answers_at_once_leave_one(world: World) -> None:
    """Two people who give at once leave the values of one of them, whole."""
    ticket, one = await asked(world)
    answers = await asyncio.gather(*(world.verb(ticket, f"{one}/provide", body, CLARA) for body in (GIVEN, OTHER)))
    assert [answer.status_code for answer in answers] == [200, 200]
    assert len(await kept(world, one)) == 1
    await world.claims(ticket, "queue.claimed", "anna", 1)
    values = (await read(world, ticket, one, world.claim_token(ticket))).json()["values"]
    assert values in (GIVEN["values"], OTHER["values"])


@on_both_stores
async def test_a_new_key_comes_while_clients_give(world: World) -> None:
    """Re-wrapping meets values that are just replaced or shredded; what is left opens under the new key."""
    ticket, one, token = await given(world)
    new = b"n" * 32
    world.use_vault(KeyedVault([new, VAULT_KEY], SystemRandom()))
    give = [world.verb(ticket, f"{one}/provide", body, CLARA) for body in (OTHER, GIVEN, OTHER)]
    await asyncio.gather(rewrap_some(world.desk), *give, rewrap_some(world.desk))
    await rewrap_some(world.desk)
    world.use_vault(KeyedVault([new], SystemRandom()))
    assert (await read(world, ticket, one, token)).json()["values"] in (GIVEN["values"], OTHER["values"])


async def test_no_retry_keeps_what_was_read(world: World) -> None:
    """A reveal under an Idempotency-Key is done and noted each time; its answer is kept nowhere and cached by none."""
    ticket, one, token = await given(world)
    for _ in range(2):
        answer = await read(world, ticket, one, token, Idempotency_Key="again")
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
        assert "etag" not in answer.headers
    assert (await told(world, ticket)).count("access_revealed") == 2
    assert world.rows("SELECT count(*) FROM answer WHERE scope LIKE '%reveal%'") == [(0,)]


async def test_no_reason_reads_nothing(world: World) -> None:
    """Without a reason, or with one of blanks, nothing is shown and nothing noted."""
    ticket, one, token = await given(world)
    for body in ({}, {"reason": ""}, {"reason": "   "}, {"reason": None}, {"reason": "ab"}):
        refused = await world.verb(ticket, f"{one}/reveal", body, ANNA, Claim_Token=token)
        assert (refused.status_code, CANARY in refused.text) == (422, False)
    assert "access_revealed" not in await told(world, ticket)


async def test_a_late_worker_opens_nothing(world: World) -> None:
    """What should have expired or been deleted by now is neither taken nor shown, though nobody has ended it yet."""
    ticket, one, _ = await given(world)
    waiting, open_one = await asked(world)
    world.change("UPDATE access_request SET due_at = NULL")
    world.move(days=21)
    await world.claims(ticket, "queue.claimed", "anna", 2)
    refused = await read(world, ticket, one, world.claim_token(ticket, fence=2))
    assert (refused.status_code, refused.json()["type"], CANARY in refused.text) == (
        409,
        "/problems/access-not-open",
        False,
    )
    answer = await world.verb(waiting, f"{open_one}/provide", GIVEN, CLARA)
    assert (answer.status_code, answer.json()["access_status"]) == (409, "expired")
    assert (await world.verb(ticket, f"{one}/revoke", None, CLARA)).json()["status"] == "revoked"
    assert await kept(world, one) == []


async def test_what_does_not_open_any_more_can_be_given_anew(world: World) -> None:
    """A lost key or a changed row keeps no client from giving it again; a locked vault does, and says so."""
    ticket, one, token = await given(world)
    world.use_vault(LockedVault("The key file is away."))
    assert (await world.verb(ticket, f"{one}/provide", OTHER, CLARA)).status_code == 503
    world.use_vault(KeyedVault([b"w" * 32], SystemRandom()))
    assert (await world.verb(ticket, f"{one}/provide", OTHER, CLARA)).status_code == 200
    assert (await read(world, ticket, one, token)).json()["values"] == OTHER["values"]
    world.change("UPDATE access_secret SET content = x'00'")
    assert (await world.verb(ticket, f"{one}/provide", GIVEN, CLARA)).status_code == 200
    assert (await read(world, ticket, one, token)).json()["values"] == GIVEN["values"]


@on_both_stores
async def test_an_erased_client_leaves_no_access_data(world: World) -> None:
    """What an erased person gave is shredded, and their name goes from the access requests; the case stays."""
    await world.person("clara", name="Clara")
    ticket, one, token = await given(world, reason="Clara wants us to look.", host="clara@shop.example")
    why = {"reason": "Clara asked."}
    assert (await world.verb(ticket, f"{one}/reveal", why, ANNA, Claim_Token=token)).status_code == 200
    await world.tell("person.erased", "person/clara", id="clara")
    await world.runtime.settle()
    found: list[AccessRequest] = await world.desk.store.read(
        lambda unit: unit.all(ACCESS_OF_TICKET, ticket_id=ticket["id"])
    )
    assert "clara" not in str(found).lower()
    assert (found[0].status, found[0].provided_by) == ("revoked", ERASED)
    assert await kept(world, one) == []


async def test_metrics_tell_of_a_locked_vault(world: World) -> None:
    """Whoever watches the desk is told when the vault is locked."""
    for vault, value in ((KeyedVault([VAULT_KEY], SystemRandom()), "0.0"), (LockedVault("The key is away."), "1.0")):
        world.use_vault(vault)
        lines = (await world.client.get("/metrics")).text.splitlines()
        assert f'firstline_vault_locked{{service="intake"}} {value}' in lines

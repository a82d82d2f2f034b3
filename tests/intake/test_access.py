"""Access data (clause 4.3): asked for, given outside the correspondence, read under a claim, deleted, to be changed."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from firstline.common.policy.model import Policy
from firstline.common.ports import SystemRandom
from firstline.common.store.migrate import migrate_postgres
from firstline.common.store.postgres import PostgresStore
from firstline.common.vault import KeyedVault, LockedVault
from firstline.intake.service.rotation import missing_keys, rewrap_some
from intake_world import VAULT_KEY, World, open_world, principal_of

CLARA, ANNA = "client:clara", "agent:anna"
ASK = "access-requests"
CANARY = "canary-Xy7-pässword"
ASKED = {"kinds": ["ftp", "licence_key"], "reason": "To look at the update's log.", "host": "shop.example"}
GIVEN = {"values": {"ftp": {"login": "clara", "password": CANARY}}}
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


async def asked(world: World, ticket: dict[str, Any], **body: Any) -> dict[str, Any]:
    """Ask for access data, which has to succeed; return the access request."""
    answer = await world.verb(ticket, ASK, ASKED | body)
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def use(
    world: World,
    ticket: dict[str, Any],
    request: dict[str, Any],
    verb: str,
    body: Any = None,
    who: Any = CLARA,
    **more: str,
) -> httpx.Response:
    """Use a verb of an access request."""
    return await world.verb(ticket, f"{ASK}/{request['id']}/{verb}", body, who, **more)


async def given(world: World, ticket: dict[str, Any], body: Any = None, **ask: Any) -> dict[str, Any]:
    """Ask for access data and give them; return the access request."""
    request = await asked(world, ticket, **ask)
    answer = await use(world, ticket, request, "provide", body or GIVEN)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def shown(world: World, ticket: dict[str, Any], who: str = CLARA) -> list[dict[str, Any]]:
    """Return the access requests of a request."""
    items: list[dict[str, Any]] = (await world.get(f"/v1/tickets/{ticket['id']}/{ASK}", who)).json()["items"]
    return items


async def claimed(world: World, ticket: dict[str, Any], fence: int = 1, agent: str = "anna") -> str:
    """Let somebody claim the request; return the claim token."""
    await world.claims(ticket, "queue.claimed", agent, fence)
    return world.claim_token(ticket, agent, fence)


async def read(
    world: World, ticket: dict[str, Any], request: dict[str, Any], token: str | None, who: Any = ANNA, **body: Any
) -> httpx.Response:
    """Read what was given."""
    more = {"Claim_Token": token} if token else {}
    return await use(world, ticket, request, "reveal", {"reason": "Compare the files."} | body, who, **more)


def kinds(events: list[tuple[str, dict[str, Any]]]) -> list[str]:
    """Return the types of events without their prefix."""
    return [kind.removeprefix("ticket.") for kind, _ in events]


@on_both_stores
async def test_what_is_asked_for_is_given_and_read(world: World) -> None:
    """The specialist asks with a reason, the client gives a part, the holder of the claim reads it; all is told."""
    ticket = await world.submit(CLARA)
    request = await asked(world, ticket)
    assert [kind["title"] for kind in request["kinds"]] == ["FTP", "Licence key"]
    assert (request["status"], request["host"], request["requested_by"]) == ("asked", "shop.example", "Anna")
    answer = await use(world, ticket, request, "provide", GIVEN)
    provided = answer.json()
    assert (provided["status"], provided["given"], provided["provided_by"]) == ("provided", ["ftp"], "Clara")
    assert CANARY not in answer.text
    token = await claimed(world, ticket)
    revealed = await read(world, ticket, request, token)
    assert revealed.json()["values"] == {"ftp": {"login": "clara", "password": CANARY}}
    assert revealed.headers["cache-control"] == "no-store"
    (after,) = await shown(world, ticket)
    (note,) = after["reveals"]
    assert (note["by"], note["kinds"], note["reason"]) == ("Anna", ["ftp"], "Compare the files.")
    events = await world.events(ticket["id"], after=1)
    assert kinds(events) == ["access_requested", "access_provided", "replied", "opened", "access_revealed"]
    told = events[-1][1]
    assert (told["revealed_by"], told["reason"], told["fence"], told["kinds"]) == ("Anna", note["reason"], 1, ["ftp"])
    assert CANARY not in str(events)


async def test_giving_counts_as_the_clients_word(world: World) -> None:
    """It ends waiting for the client and stands in the correspondence, as a sentence that names the kinds alone."""
    ticket = await world.submit(CLARA)
    request = await asked(world, ticket)
    await world.must(ticket, "wait", {"cause": "client"})
    await use(world, ticket, request, "provide", GIVEN)
    assert (await world.ticket(ticket["id"]))["status"] == "open"
    last = (await world.messages(ticket))[-1]
    assert ("(FTP)" in last["body"], CANARY in last["body"], last["author"]["side"]) == (True, False, "client")
    declined = await asked(world, ticket)
    assert (await use(world, ticket, declined, "decline")).json()["status"] == "declined"
    assert "not given" in (await world.messages(ticket))[-1]["body"]


async def test_a_retry_gives_once_and_another_answer_replaces(world: World) -> None:
    """The same values again change nothing; other values take the place of the earlier ones, which are gone."""
    ticket = await world.submit(CLARA)
    request = await given(world, ticket)
    version = (await world.ticket(ticket["id"]))["version"]
    before = world.rows("SELECT content FROM access_secret")
    again = await use(world, ticket, request, "provide", GIVEN, Idempotency_Key="k")
    assert (again.status_code, (await world.ticket(ticket["id"]))["version"]) == (200, version)
    assert world.rows("SELECT count(*) FROM answer WHERE scope LIKE '%provide%'") == [(0,)]
    await use(world, ticket, request, "provide", {"values": {"ftp": {"login": "c", "password": "other"}}})
    assert world.rows("SELECT content FROM access_secret") != before
    values = (await read(world, ticket, request, await claimed(world, ticket))).json()["values"]
    assert values == {"ftp": {"login": "c", "password": "other"}}


async def test_who_may_ask_give_and_read(world: World) -> None:
    """Roles, other people and other organisations meet what the table says; what isn't theirs is not there."""
    partner = principal_of("partner:pat@shop")
    other = principal_of("partner:eve@elsewhere")
    ticket = await world.submit(partner)
    request = await asked(world, ticket)
    assert (await use(world, ticket, request, "provide", GIVEN, partner)).status_code == 200
    for stranger in ("client:kim", other):
        assert (await world.get(f"/v1/tickets/{ticket['id']}/{ASK}", stranger)).status_code == 404
        for verb, body in (("provide", GIVEN), ("decline", None), ("revoke", None), ("confirm", None)):
            assert (await use(world, ticket, request, verb, body, stranger)).status_code == 404
        assert (await world.verb(ticket, ASK, ASKED, stranger)).status_code == 403
        assert (await read(world, ticket, request, None, stranger)).status_code == 403
    for verb, body in (("provide", GIVEN), ("decline", None), ("confirm", None)):
        assert (await use(world, ticket, request, verb, body, ANNA)).status_code == 403
    elsewhere = await world.submit(partner)
    assert (await use(world, elsewhere, request, "provide", GIVEN, partner)).status_code == 404


async def test_only_the_holder_of_the_claim_reads(world: World) -> None:
    """Without a claim, with another's, an older or an ended one nothing is read and nothing is noted as read."""
    ticket = await world.submit(CLARA)
    request = await given(world, ticket)
    assert (await read(world, ticket, request, None)).json()["type"] == "/problems/stale-claim"
    assert (await read(world, ticket, request, None, "supervisor:sue")).status_code == 409
    old = await claimed(world, ticket)
    bert = await claimed(world, ticket, 2, "bert")
    elsewhere = await world.submit(CLARA)
    foreign = await claimed(world, elsewhere)
    for token, who in ((old, ANNA), (bert, ANNA), (foreign, ANNA), ("x.y", ANNA), (None, "agent:bert")):
        refused = await read(world, ticket, request, token, who)
        assert (refused.status_code, CANARY in refused.text) == (409, False)
    assert (await read(world, ticket, request, bert, "agent:bert")).status_code == 200
    await world.claims(ticket, "queue.released", None, 2)
    assert (await read(world, ticket, request, bert, "agent:bert")).status_code == 409
    token = await claimed(world, ticket, 3)
    world.move(minutes=31)
    assert (await read(world, ticket, request, token)).status_code == 409
    assert len((await shown(world, ticket))[0]["reveals"]) == 1


async def test_two_readers_leave_two_notes(world: World) -> None:
    """Whoever reads at once is noted each time: as many notes and events as answers with values."""
    ticket = await world.submit(CLARA)
    request = await given(world, ticket)
    token = await claimed(world, ticket)
    answers = await asyncio.gather(*(read(world, ticket, request, token) for _ in range(4)))
    assert [answer.status_code for answer in answers] == [200] * 4
    events = await world.events(ticket["id"])
    assert len((await shown(world, ticket))[0]["reveals"]) == kinds(events).count("access_revealed") == 4


@pytest.mark.parametrize("swap", ["ticket", "row", "organisation", "version"])
async def test_what_is_moved_to_another_place_does_not_open(world: World, swap: str) -> None:
    """Sealed values copied to another request or row, or whose row says something else, are not shown."""
    ticket, other = await world.submit(CLARA), await world.submit(CLARA)
    request, foreign = await given(world, ticket), await given(world, other)
    change = {
        "ticket": "UPDATE access_secret SET (key_id, data_key, content) = (SELECT key_id, data_key, content FROM"
        f" access_secret WHERE request_id = '{request['id']}') WHERE request_id = '{foreign['id']}'",
        "row": f"UPDATE access_secret SET id = 'moved' WHERE request_id = '{foreign['id']}'",
        "organisation": f"UPDATE ticket SET organization_id = 'shop' WHERE id = '{other['id']}'",
        "version": f"UPDATE access_secret SET version = 2 WHERE request_id = '{foreign['id']}'",
    }[swap]
    world.change(change)
    refused = await read(world, other, foreign, await claimed(world, other))
    assert (refused.status_code, refused.json()["type"]) == (500, "/problems/seal-broken")
    assert "access_revealed" not in kinds(await world.events(other["id"]))


BAD = {
    "unknown kind": {"kinds": ["root"]},
    "no kind": {"kinds": []},
    "no reason": {"reason": " "},
    "past": {"expires_at": "2020-01-01T00:00:00Z"},
    "too late": {"expires_at": "2035-01-01T00:00:00Z"},
    "more": {"password": "x"},
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD)
async def test_bad_questions_leave_nothing(world: World, body: dict[str, Any]) -> None:
    """A kind that the policy lacks, no reason, or an impossible day is refused."""
    ticket = await world.submit(CLARA)
    before = world.stored()
    assert (await world.verb(ticket, ASK, ASKED | body)).status_code == 422
    assert world.stored() == before


async def test_bad_answers_leave_nothing(world: World) -> None:
    """What was not asked for, a missing, unknown or huge field is refused; the answer quotes no value."""
    ticket = await world.submit(CLARA)
    request = await asked(world, ticket)
    before = world.stored()
    answers: list[Any] = [
        {},
        {"ssh": {"login": CANARY}},
        {"ftp": {"login": "clara"}},
        {"ftp": {"login": "clara", "password": " "}},
        {"ftp": {}},
        {"ftp": {"login": "c", "password": CANARY, "root": CANARY}},
        {"ftp": {"login": "c", "password": CANARY * 2000}},
        {"ftp": {"login": "c", "password": [CANARY]}},
        {"ftp": CANARY},
        CANARY,
    ]
    for values in answers:
        refused = await use(world, ticket, request, "provide", {"values": values})
        assert (refused.status_code, CANARY in refused.text) == (422, False), refused.text
    assert world.stored() == before


async def test_the_end_of_the_work_deletes_what_was_given(world: World) -> None:
    """Resolving shreds it in the same commit, says so, and what to change; reopening brings nothing back."""
    ticket = await world.submit(CLARA)
    both = {"values": {"ftp": {"login": "c", "password": CANARY}, "licence_key": {"key": "CP1-22"}}}
    request, open_one = await given(world, ticket, both), await asked(world, ticket)
    version = (await world.ticket(ticket["id"]))["version"]
    await world.must(ticket, "resolve", {"body": "Solved."})
    assert world.rows("SELECT count(*) FROM access_secret") == [(0,)]
    events = await world.events(ticket["id"], after=version)
    assert kinds(events) == ["replied", "resolved", "access_purged", "access_withdrawn", "access_change_due"]
    assert (events[2][1]["cause"], events[3][1]["cause"]) == ("resolved", "ended")
    assert events[4][1]["occasion"] == "resolved"
    # A licence key is nothing that a client could change.
    assert events[4][1]["access"] == [{"kind": "ftp", "host": "shop.example"}]
    await world.must(ticket, "reopen", {"body": "Not yet."}, CLARA)
    purged, ended = await shown(world, ticket)
    assert (purged["status"], purged["cause"], ended["status"]) == ("purged", "resolved", "revoked")
    token = await claimed(world, ticket)
    assert (await read(world, ticket, request, token)).json()["type"] == "/problems/access-not-open"
    assert (await use(world, ticket, open_one, "provide", GIVEN)).status_code == 409


@pytest.mark.parametrize("way", ["closed", "merged"])
async def test_every_other_end_deletes_it_too(world: World, way: str) -> None:
    """Closing without a solution and merging shred what was given and tell the client to change it."""
    ticket, other = await world.submit(CLARA), await world.submit(CLARA)
    await given(world, ticket)
    if way == "closed":
        await world.must(ticket, "close", {"reason": "no_reply"})
    else:
        await world.must(ticket, "merge", {"into": other["id"]})
    assert world.rows("SELECT count(*) FROM access_secret") == [(0,)]
    assert kinds(await world.events(ticket["id"]))[-2:] == ["access_purged", "access_change_due"]


async def test_days_delete_what_was_given_and_what_was_asked(world: World) -> None:
    """After the policy's days what was given is shredded, not a moment earlier; what nobody answered ends."""
    ticket = await world.submit(CLARA)
    await given(world, ticket)
    await asked(world, ticket)
    world.move(days=7, seconds=-1)
    await world.runtime.settle()
    assert world.rows("SELECT count(*) FROM access_secret") == [(1,)]
    world.move(seconds=1)
    await world.runtime.settle()
    assert world.rows("SELECT count(*) FROM access_secret") == [(0,)]
    last, data = (await world.events(ticket["id"]))[-1]
    assert (last, data["cause"]) == ("ticket.access_purged", "age")
    world.move(days=14)
    await world.runtime.settle()
    assert [one["status"] for one in await shown(world, ticket)] == ["purged", "expired"]
    assert [one["cause"] for one in await shown(world, ticket)] == ["age", "expired"]


@on_both_stores
async def test_the_client_is_reminded_until_they_confirm(world: World) -> None:
    """Told at the resolution, after 24 and 72 hours, and at the closing if it is not confirmed; afterwards no more."""
    ticket = await world.submit(CLARA)
    request = await given(world, ticket)
    assert (await use(world, ticket, request, "confirm")).json()["type"] == "/problems/access-not-open"
    await world.must(ticket, "resolve", {})
    told: list[tuple[str, int]] = []
    start = world.clock.now()
    for hours in (23, 25, 71, 73, 100, 24 * 7 + 1, 24 * 20):
        world.clock.move(start + timedelta(hours=hours))
        await world.runtime.settle()
        due = [data for kind, data in await world.events(ticket["id"]) if kind == "ticket.access_change_due"]
        told.append((due[-1]["occasion"], len(due)))
    assert told == [
        ("resolved", 1),
        ("reminder", 2),
        ("reminder", 2),
        ("reminder", 3),
        ("reminder", 3),
        ("closed", 4),
        ("closed", 4),
    ]
    assert (await shown(world, ticket))[0]["to_change"] == ["ftp"]
    confirmed = (await use(world, ticket, request, "confirm")).json()
    assert (confirmed["changed_by"], confirmed["to_change"]) == ("Clara", [])
    again = (await use(world, ticket, request, "confirm")).json()
    assert again == confirmed
    assert kinds(await world.events(ticket["id"])).count("access_changed") == 1


async def test_a_confirmation_ends_the_reminders(world: World) -> None:
    """Who has confirmed hears nothing more, at the closing neither."""
    ticket = await world.submit(CLARA)
    request = await given(world, ticket)
    await world.must(ticket, "resolve", {})
    await use(world, ticket, request, "confirm")
    world.move(days=10)
    await world.runtime.settle()
    assert kinds(await world.events(ticket["id"])).count("access_change_due") == 1


@pytest.mark.parametrize("who", [CLARA, ANNA])
async def test_either_side_takes_it_back(world: World, who: str) -> None:
    """Revoking shreds what was given at once, also while somebody else works on the request; asked ones just end."""
    ticket = await world.submit(CLARA)
    request, open_one = await given(world, ticket), await asked(world, ticket)
    await claimed(world, ticket, agent="bert")
    for one in (request, open_one):
        assert (await use(world, ticket, one, "revoke", None, who)).json()["status"] == "revoked"
        assert (await use(world, ticket, one, "revoke", None, who)).status_code == 409
    assert world.rows("SELECT count(*) FROM access_secret") == [(0,)]


async def test_without_its_key_the_vault_is_locked_and_the_rest_works(world: World) -> None:
    """Giving and reading answer 503 with what to do, nothing is kept unsealed; requests, deletion and ends go on."""
    ticket = await world.submit(CLARA)
    request, open_one = await given(world, ticket), await asked(world, ticket)
    token = await claimed(world, ticket)
    other = KeyedVault([b"w" * 32], SystemRandom())
    for vault in (LockedVault("The key file is away."), other):
        world.use_vault(vault)
        locked = await read(world, ticket, request, token)
        assert (locked.status_code, locked.json()["type"]) == (503, "/problems/vault-locked")
        assert "retry-after" in locked.headers
        assert len(await missing_keys(world.desk)) == 1
        assert await rewrap_some(world.desk) == 0
    world.use_vault(LockedVault("The key file is away."))
    before = world.stored()
    assert (await use(world, ticket, open_one, "provide", GIVEN)).status_code == 503
    assert world.stored() == before
    await world.submit(CLARA)
    await world.must(ticket, "resolve", {})
    assert world.rows("SELECT count(*) FROM access_secret") == [(0,)]


@on_both_stores
async def test_a_new_key_takes_over(world: World) -> None:
    """After rotation what is kept is re-wrapped under the newest key, and opens without the old one."""
    ticket = await world.submit(CLARA)
    request = await given(world, ticket)
    new = b"n" * 32
    world.use_vault(KeyedVault([new, VAULT_KEY], SystemRandom()))
    assert await rewrap_some(world.desk) == 1
    assert await rewrap_some(world.desk) == 0
    world.use_vault(KeyedVault([new], SystemRandom()))
    assert await missing_keys(world.desk) == []
    values = (await read(world, ticket, request, await claimed(world, ticket))).json()["values"]
    assert values["ftp"]["password"] == CANARY


async def test_when_it_is_looked_at_next(world: World) -> None:
    """An access request is answered within the days that were named, and says when it is deleted."""
    ticket = await world.submit(CLARA)
    until = world.clock.now() + timedelta(days=1)
    request = await asked(world, ticket, expires_at=until.isoformat())
    assert datetime.fromisoformat(request["expires_at"]) == until
    provided = (await use(world, ticket, request, "provide", GIVEN)).json()
    assert datetime.fromisoformat(provided["purge_at"]) == world.clock.now() + timedelta(days=7)
    world.move(days=2)
    await world.runtime.settle()
    assert (await shown(world, ticket))[0]["status"] == "provided"

"""Retries and references: the same key gives the same answer and one request, whoever calls at the same time."""

import asyncio
import hashlib
from typing import Any

import pytest
from intake_world import World

BODY = {"subject": "White page", "body": "Nothing to see."}


async def test_sixty_four_at_once_make_one_request(world: World) -> None:
    """Callers with one key at the same time get identical answers about one request, told once."""
    picture = await world.upload()
    body = BODY | {"attachment_ids": [picture], "external_ref": "A-1"}
    calls = [world.post("/v1/tickets", body, "client:clara", Idempotency_Key="k") for _ in range(64)]
    answers = await asyncio.gather(*calls)
    assert {answer.status_code for answer in answers} == {201}
    assert len({(answer.content, answer.headers["ETag"]) for answer in answers}) == 1
    for table in ("ticket", "message", "message_attachment"):
        assert world.rows(f"SELECT count(*) FROM {table}") == [(1,)]
    assert [kind for kind, _ in await world.events(answers[0].json()["id"])] == ["ticket.submitted"]
    world.move(days=6)
    assert (await world.post("/v1/tickets", body, "client:clara", Idempotency_Key="k")).content == answers[0].content


async def test_a_retry_never_meets_its_own_request(world: World) -> None:
    """Callers at once with a reference of their own get their answer, and none hears that the reference is taken."""
    for round_ in range(12):
        body = BODY | {"external_ref": f"R-{round_}"}
        calls = [world.post("/v1/tickets", body, "client:clara", Idempotency_Key=f"k{round_}") for _ in range(32)]
        assert {answer.status_code for answer in await asyncio.gather(*calls)} == {201}
    assert world.rows("SELECT count(*) FROM ticket") == [(12,)]


async def test_a_key_with_another_body_is_refused(world: World) -> None:
    """The second body is refused, at the same time or later, and nothing of it is kept."""
    bodies = [BODY | {"subject": f"{index % 2}"} for index in range(32)]
    calls = [world.post("/v1/tickets", body, "client:clara", Idempotency_Key="k") for body in bodies]
    answers = await asyncio.gather(*calls)
    assert sorted(answer.status_code for answer in answers) == [201] * 16 + [422] * 16
    refused = {answer.json()["type"] for answer in answers if answer.status_code == 422}
    assert refused == {"/problems/idempotency-key-reused"}
    assert world.rows("SELECT count(*) FROM ticket") == [(1,)]


async def test_keys_belong_to_their_caller_and_operation(world: World) -> None:
    """Another caller's key, and the same key on another operation, are other keys."""
    clara = await world.post("/v1/tickets", BODY, "client:clara", Idempotency_Key="k")
    mallory = await world.post("/v1/tickets", BODY, "client:mallory", Idempotency_Key="k")
    assert clara.json()["id"] != mallory.json()["id"]
    reply = await world.verb(clara.json(), "messages", {"body": "More."}, "client:clara", Idempotency_Key="k")
    assert reply.status_code == 201
    assert "subject" not in reply.json()


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("messages", {"body": "x"}),
        ("messages", {"body": "x", "audience": "internal"}),
        ("triage", {"complexity": "easy"}),
        ("wait", {"cause": "client"}),
        ("resolve", {"body": "Done."}),
        ("close", {"reason": "spam"}),
    ],
)
async def test_verbs_are_done_once_a_key(world: World, verb: str, body: dict[str, Any]) -> None:
    """A verb repeated with its key, at once or later, is answered alike and done once; with another body it is not."""
    ticket = await world.submit()
    answers = await asyncio.gather(*(world.verb(ticket, verb, body, Idempotency_Key="k") for _ in range(8)))
    assert len({(answer.status_code, answer.content) for answer in answers}) == 1
    assert answers[0].is_success
    before = world.stored()
    assert (await world.verb(ticket, verb, body, Idempotency_Key="k")).content == answers[0].content
    assert (await world.verb(ticket, verb, body | {"x": 1}, Idempotency_Key="k")).status_code == 422
    assert (await world.verb(ticket, verb, {}, Idempotency_Key="k")).status_code == 422
    assert world.stored() == before


async def test_a_refused_request_uses_no_key_up(world: World) -> None:
    """What was refused may be corrected and sent again under the same key."""
    bad = await world.post("/v1/tickets", BODY | {"topic": "nonsense"}, "client:clara", Idempotency_Key="k")
    assert bad.status_code == 422
    assert (await world.post("/v1/tickets", BODY, "client:clara", Idempotency_Key="k")).status_code == 201


@pytest.mark.parametrize("key", ["", "   ", "k" * 201])
async def test_unusable_keys_are_refused(world: World, key: str) -> None:
    """A key of no characters or too many is refused before anything is stored."""
    before = world.stored()
    assert (await world.post("/v1/tickets", BODY, "client:clara", Idempotency_Key=key)).status_code == 422
    assert world.stored() == before


async def test_a_reference_is_used_once_in_an_organisation(world: World) -> None:
    """A second request with the same reference is refused and names the first to whoever may see it."""
    first = await world.submit("partner:pia@acme", external_ref="A-1")
    before = world.stored()
    for who in ("partner:paul@acme", "partner:pia@acme"):
        answer = await world.post("/v1/tickets", BODY | {"external_ref": "A-1"}, who)
        problem = answer.json()
        assert (answer.status_code, problem["type"]) == (409, "/problems/external-ref-taken")
        assert (problem["number"], problem["errors"][0]["pointer"]) == (first["number"], "/external_ref")
    colleague = await world.post("/v1/tickets", BODY | {"external_ref": "A-1"}, "client:kim@acme")
    assert colleague.status_code == 409
    assert first["number"] not in colleague.text
    assert first["id"] not in colleague.text
    assert world.stored() == before
    assert (await world.submit("partner:olga@other", external_ref="A-1"))["number"] != first["number"]


async def test_clients_without_organisation_have_their_own_references(world: World) -> None:
    """Two clients of no organisation may use one reference and see nothing of each other; each uses it once."""
    clara = await world.submit("client:clara", external_ref="A-1")
    mallory = await world.submit("client:mallory", external_ref="A-1")
    again = await world.post("/v1/tickets", BODY | {"external_ref": "A-1"}, "client:mallory")
    assert (again.status_code, again.json()["number"]) == (409, mallory["number"])
    assert clara["number"] not in again.text
    found = (await world.get("/v1/tickets", "client:mallory", external_ref="A-1")).json()["items"]
    assert [item["id"] for item in found] == [mallory["id"]]


async def test_a_licence_key_entitles_and_opens_no_organisation(world: World) -> None:
    """Who names a licence is entitled by it; the request, its reference and its readers stay the requester's."""
    licence = {"id": "l1", "last4": "1234", "organization_id": "acme", "product": "shop", "active_until": None}
    digest = hashlib.sha256(b"LICENCE-1234").hexdigest()
    await world.tell("account.licence_changed", "licence/l1", key_sha256=digest, edition=None, **licence)
    await world.submit("partner:pia@acme", external_ref="A-1")
    body = BODY | {"external_ref": "A-1", "licence_key": "LICENCE-1234"}
    answer = await world.post("/v1/tickets", body, "client:clara")
    assert (answer.status_code, answer.json()["entitlement"]) == (201, "active")
    assert answer.json()["organization_id"] is None
    assert (await world.get(f"/v1/tickets/{answer.json()['id']}", "partner:pia@acme")).status_code == 404


async def test_one_file_goes_with_one_of_two_requests(world: World) -> None:
    """Two requests at once with the same upload: one gets it, the other is told to upload it again."""
    picture = await world.upload()
    body = BODY | {"attachment_ids": [picture]}
    answers = await asyncio.gather(*(world.post("/v1/tickets", body, "client:clara") for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    assert {a.json()["type"] for a in answers if a.status_code == 409} == {"/problems/attachment-used"}
    assert world.rows("SELECT count(*) FROM ticket") == [(1,)]

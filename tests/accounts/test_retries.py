"""Idempotency-Key: a retry gets the first answer again, and nothing is made twice."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from firstline.common.permissions import Role

POSTS: list[tuple[str, dict[str, Any]]] = [
    ("/v1/people", {"email": "clara@shop.example", "role": "client"}),
    ("/v1/organizations", {"name": "Shop", "kind": "customer"}),
    ("/v1/licences", {"key": "a licence key", "product": "Bitrix24"}),
]


@pytest.mark.parametrize(("path", "body"), POSTS)
async def test_one_key_makes_one_thing(world: Any, path: str, body: dict[str, Any]) -> None:
    """Many concurrent callers with one key get one answer, and one thing is stored and told."""
    answers = await asyncio.gather(*(world.post(path, body, key="k-1") for _ in range(32)))
    assert {(answer.status_code, answer.text, answer.headers.get("ETag")) for answer in answers} == {
        (201, answers[0].text, answers[0].headers.get("ETag"))
    }
    assert len((await world.get(path)).json()["items"]) == 1
    assert len(await world.events()) == 1


async def test_a_retry_gets_the_secret_again(world: Any) -> None:
    """A caller whose answer got lost gets the same API key by repeating the request; the store doesn't hold it."""
    anna = await world.person("anna@firstline.example", Role.AGENT)
    body = {"name": "CRM", "person_id": anna.id}
    first = await world.post("/v1/api-keys", body, key="k-1")
    again = await world.post("/v1/api-keys", body, key="k-1")
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["Cache-Control"] == "no-store"
    assert len((await world.get("/v1/api-keys")).json()["items"]) == 1
    stored = b"".join(path.read_bytes() for path in world.path.parent.iterdir())
    assert b"k-1" in stored
    assert first.json()["api_key"].encode() not in stored


async def test_a_key_belongs_to_its_body_caller_and_operation(world: Any) -> None:
    """Another body is refused; another caller and another operation have keys of their own."""
    body = {"name": "Shop", "kind": "customer"}
    first = await world.post("/v1/organizations", body, key="k-1")
    other = await world.post("/v1/organizations", body | {"kind": "partner"}, key="k-1")
    assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-key-reused")
    mine = await world.post("/v1/organizations", body, "supervisor", key="k-1")
    assert mine.json()["id"] != first.json()["id"]
    assert (await world.post("/v1/licences", {"key": "a licence key", "product": "B"}, key="k-1")).status_code == 201


async def test_a_refused_request_keeps_no_answer(world: Any) -> None:
    """After a mistake is mended the same key may be used with the mended body."""
    assert (await world.post("/v1/people", {"email": "a@b.example", "role": "partner"}, key="k-1")).status_code == 422
    assert (await world.post("/v1/people", {"email": "a@b.example", "role": "client"}, key="k-1")).status_code == 201


@pytest.mark.parametrize("key", [" ", "k" * 201])
async def test_a_key_must_be_of_use(world: Any, key: str) -> None:
    """An empty or endless key is 422 and nothing is stored."""
    assert (await world.post("/v1/organizations", POSTS[1][1], key=key)).status_code == 422
    assert (await world.get("/v1/organizations")).json()["items"] == []


async def test_answers_are_kept_for_a_week(world: Any) -> None:
    """After seven days of product time a key is forgotten and makes something new."""
    first = await world.post("/v1/organizations", POSTS[1][1], key="k-1")
    world.clock.move(world.clock.now() + timedelta(days=7, seconds=1))
    await world.runtime.settle()
    again = await world.post("/v1/organizations", POSTS[1][1], key="k-1")
    assert again.json()["id"] != first.json()["id"]


async def test_an_answer_kept_under_another_secret_is_a_conflict(world: Any) -> None:
    """After the desk's secret was changed a retry is told to look for itself, and makes nothing twice."""
    await world.post("/v1/organizations", POSTS[1][1], key="k-1")
    world.app.state.accounts = replace(world.desk(), answers_key=bytes(32))
    answer = await world.post("/v1/organizations", POSTS[1][1], key="k-1")
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/conflict")
    assert len((await world.get("/v1/organizations")).json()["items"]) == 1

"""Erasing a person at accounts: whoever asks, and however often and at once, hears of one erasure."""

import asyncio
from typing import Any

import pytest

on_both_stores = pytest.mark.parametrize("world", ["sqlite", "postgres"], indirect=True)
AT_ONCE = 8


async def erase(world: Any, person_id: str) -> tuple[int, Any]:
    """Ask to erase somebody; return the answer's status and document."""
    answer = await world.client.delete(f"/v1/people/{person_id}", headers=world.bearer("admin"))
    return answer.status_code, answer.json()


@on_both_stores
async def test_many_who_erase_one_person_at_once_hear_the_same(world: Any) -> None:
    """Each gets the certificate of the one erasure that is told to the others, and so does who comes later."""
    for number in range(5):
        person = await world.person(f"p{number}@shop.example")
        answers = await asyncio.gather(*(erase(world, person.id) for _ in range(AT_ONCE)))
        assert {status for status, _ in answers} == {202}
        asked_at = {document["asked_at"] for _, document in answers}
        assert len(asked_at) == 1
        told = [event for event in await world.events() if event["type"] == "person.erased"]
        assert [event["data"]["id"] for event in told].count(person.id) == 1
        status, later = await erase(world, person.id)
        assert (status, later["asked_at"]) == (202, *asked_at)


@on_both_stores
async def test_nobody_is_not_erased(world: Any) -> None:
    """An ID that nobody ever had is answered as unknown, and has no certificate."""
    status, problem = await erase(world, "nobody")
    assert (status, problem["type"]) == (404, "/problems/not-found")
    assert (await world.get("/v1/people/nobody/erasure")).status_code == 404

"""Two at once on PostgreSQL, where a change may wait for another that lets people in or shuts them out (clause 2.4)."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from firstline.common.policy.model import Policy
from firstline.common.store.migrate import migrate_postgres
from firstline.common.store.port import Unit
from firstline.common.store.postgres import PostgresStore
from firstline.intake.service import change
from intake_world import World, open_world

CLARA, KIM = "client:clara@acme", "client:kim@acme"


@pytest.fixture
async def world(database: str, empty_store: Path, policy: Policy, tmp_path: Path) -> AsyncIterator[World]:
    """Run intake on PostgreSQL."""
    await asyncio.to_thread(migrate_postgres, "intake", database)
    async with open_world(
        empty_store, policy, tmp_path, open_store=lambda _path, ports: PostgresStore(database, ports)
    ) as running:
        yield running


class Gate:
    """Holds up one change between its first look at the request and its lock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, reference: str) -> None:
        self.looked, self.open = asyncio.Event(), asyncio.Event()
        own = change.find

        async def held_up(unit: Unit, wanted: str) -> Any:
            found = await own(unit, wanted)
            if wanted == reference and not self.looked.is_set():
                self.looked.set()
                await self.open.wait()
            return found

        monkeypatch.setattr(change, "find", held_up)


async def told(world: World, ticket: dict[str, Any]) -> list[str]:
    """Return who is told of the last message of a request."""
    events = (await world.get(f"/v1/tickets/{ticket['id']}/history")).json()["items"]
    last = [event for event in events if event["type"] == "ticket.replied"][-1]
    return sorted(person["address"].partition("@")[0] for person in last["data"]["recipients"])


@pytest.mark.slow
@pytest.mark.parametrize(("first", "then", "who"), [("", "merge", ["clara", "kim"]), ("merge", "unmerge", ["clara"])])
async def test_a_message_goes_to_those_who_take_part_when_it_is_added(
    world: World, monkeypatch: pytest.MonkeyPatch, first: str, then: str, who: list[str]
) -> None:
    """Who was let in or shut out while a message waited for its turn gets it, or does not."""
    await world.person("kim", "acme")
    theirs, ours = await world.submit(KIM), await world.submit(CLARA)
    bodies: dict[str, dict[str, Any]] = {"merge": {"into": ours["id"], "add_participants": True}, "unmerge": {}}
    if first:
        assert (await world.verb(theirs, first, bodies[first])).status_code == 200
    gate = Gate(monkeypatch, ours["id"])
    message = asyncio.create_task(world.verb(ours, "messages", {"body": "It is the password."}, CLARA))
    await gate.looked.wait()
    assert (await world.verb(theirs, then, bodies[then])).status_code == 200
    gate.open.set()
    assert (await message).status_code == 201
    assert await told(world, ours) == who

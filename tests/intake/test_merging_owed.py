"""What a duplicate is owed is owed where it goes on, and goes back with it; in chains of merges too (clause 2.4)."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from intake_world import World

CLARA, KIM, LEE = "client:clara@acme", "client:kim@acme", "client:lee@acme"
MINUTE = timedelta(minutes=1)


async def submitted(world: World, who: str = CLARA) -> dict[str, Any]:
    """Return a new request, and let a minute pass."""
    ticket = await world.submit(who)
    world.move(minutes=1)
    return ticket


async def answered(world: World) -> dict[str, Any]:
    """Return a request that staff have answered, and let a minute pass."""
    ticket = await submitted(world)
    await world.verb(ticket, "messages", {"body": "Try again."})
    world.move(minutes=1)
    return ticket


async def merge(world: World, one: dict[str, Any], into: dict[str, Any]) -> None:
    """Merge a request into another, with its people, and let a minute pass."""
    await world.must(one, "merge", {"into": into["id"], "add_participants": True})
    world.move(minutes=1)


async def last(world: World, ticket: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return the data of a request's last event of a type."""
    return [data for name, data in await world.events(ticket["id"]) if name == f"ticket.{kind}"][-1]


async def owed(world: World, ticket: dict[str, Any], kind: str) -> tuple[dict[str, datetime], datetime | None]:
    """Return which answers moved with a duplicate, and since when the request owes one after that."""
    event = await last(world, ticket, kind)
    return {one["ticket_id"]: one["since"] for one in event["owed"]}, event["owed_since"]


def received(ticket: dict[str, Any]) -> datetime:
    """Return when a request was received."""
    return datetime.fromisoformat(ticket["received_at"])


async def test_an_unanswered_duplicate_is_owed_where_it_goes_on(world: World) -> None:
    """The answered request owes the duplicate's answer since its receipt, and both events say so."""
    into, duplicate = await answered(world), await submitted(world)
    await merge(world, duplicate, into)
    assert await owed(world, into, "duplicate_joined") == ({duplicate["id"]: received(duplicate)}, received(duplicate))
    assert (await last(world, duplicate, "merged"))["owed_since"] == received(duplicate)
    await world.must(duplicate, "unmerge", {})
    assert await owed(world, into, "duplicate_left") == ({duplicate["id"]: received(duplicate)}, None)
    assert (await last(world, duplicate, "reopened"))["received_at"] == received(duplicate)


async def test_an_answered_duplicate_brings_nothing(world: World) -> None:
    """A duplicate whose messages are answered changes nothing of what the other owes, and is reopened now."""
    into, duplicate = await submitted(world), await answered(world)
    await merge(world, duplicate, into)
    assert await owed(world, into, "duplicate_joined") == ({}, received(into))
    assert (await last(world, duplicate, "merged"))["owed_since"] is None
    await world.must(duplicate, "unmerge", {})
    assert (await last(world, duplicate, "reopened"))["received_at"] == world.clock.now()


async def test_what_was_answered_meanwhile_does_not_come_back(world: World) -> None:
    """Once staff answered in the other request, the duplicate takes nothing back and has its place from now on."""
    into, duplicate = await answered(world), await submitted(world)
    await merge(world, duplicate, into)
    await world.verb(into, "messages", {"body": "See there."})
    world.move(minutes=1)
    await world.must(duplicate, "unmerge", {})
    assert await owed(world, into, "duplicate_left") == ({}, None)
    assert (await last(world, duplicate, "reopened"))["received_at"] == world.clock.now()


async def test_what_is_owed_besides_stays(world: World) -> None:
    """A message written to the other request itself is owed there after the duplicate went, since its own receipt."""
    into, duplicate = await answered(world), await submitted(world)
    await merge(world, duplicate, into)
    wrote = world.clock.now()
    await world.verb(into, "messages", {"body": "And now?"}, CLARA)
    world.move(minutes=1)
    await world.must(duplicate, "unmerge", {})
    assert await owed(world, into, "duplicate_left") == ({duplicate["id"]: received(duplicate)}, wrote)


async def test_a_word_to_the_duplicate_ends_waiting_for_the_client(world: World) -> None:
    """What the client wrote elsewhere after we began to wait for them ends that; what they wrote before does not."""
    early, into = await submitted(world), await submitted(world)
    await world.must(into, "wait", {"cause": "client"})
    world.move(minutes=1)
    late = await submitted(world)
    await merge(world, early, into)
    assert (await world.ticket(into["id"]))["status"] == "waiting"
    await merge(world, late, into)
    assert (await world.ticket(into["id"]))["status"] == "open"
    assert (await last(world, into, "resumed"))["cause"] == "client"


async def test_a_chain_owes_at_its_end(world: World) -> None:
    """Of requests merged one into the other the last owes all answers; each takes back what it brought."""
    end, middle, first = await answered(world), await submitted(world), await submitted(world)
    await merge(world, first, middle)
    await merge(world, middle, end)
    both = {middle["id"]: received(middle), first["id"]: received(first)}
    assert await owed(world, end, "duplicate_joined") == (both, received(middle))
    await world.must(first, "unmerge", {})
    assert await owed(world, end, "duplicate_left") == ({first["id"]: received(first)}, received(middle))
    assert (await last(world, first, "reopened"))["received_at"] == received(first)
    await world.must(middle, "unmerge", {})
    assert await owed(world, end, "duplicate_left") == ({middle["id"]: received(middle)}, None)
    assert (await last(world, middle, "reopened"))["received_at"] == received(middle)


async def test_a_middle_takes_back_what_was_merged_into_it(world: World) -> None:
    """Taken out of the last, the request in the middle owes its own duplicate's answer too, and gives it back later."""
    end, first, middle = await answered(world), await submitted(world), await submitted(world)
    await merge(world, first, middle)
    await merge(world, middle, end)
    await world.must(middle, "unmerge", {})
    assert (await last(world, middle, "reopened"))["received_at"] == received(first)
    await world.must(first, "unmerge", {})
    assert await owed(world, middle, "duplicate_left") == ({first["id"]: received(first)}, received(middle))


@pytest.mark.parametrize("order", [("one", "two"), ("two", "one")])
async def test_somebody_of_two_duplicates_stays_for_the_other(world: World, order: tuple[str, str]) -> None:
    """Whoever takes part because of two duplicates does so until both merges are taken back, in either order."""
    await world.person("kim", "acme")
    into = await submitted(world)
    duplicates = {"one": await submitted(world, KIM), "two": await submitted(world, KIM)}
    for duplicate in duplicates.values():
        await merge(world, duplicate, into)
    first, second = order
    await world.must(duplicates[first], "unmerge", {})
    answer = await world.verb(duplicates[second], "messages", {"body": "Me too."}, KIM)
    assert answer.json()["ticket"]["id"] == into["id"]
    await world.must(duplicates[second], "unmerge", {})
    assert (await world.get(f"/v1/tickets/{into['id']}", KIM)).status_code == 404


async def test_people_leave_a_whole_chain(world: World) -> None:
    """Whoever came along a chain leaves each request of it with the duplicate that brought them; others stay."""
    for name in ("kim", "lee"):
        await world.person(name, "acme")
    end, middle, first = await submitted(world), await submitted(world, LEE), await submitted(world, KIM)
    await merge(world, first, middle)
    await merge(world, middle, end)
    await world.must(first, "unmerge", {})
    assert (await world.ticket(middle["id"]))["participants"] == ["lee@shop.example"]
    assert (await world.ticket(end["id"]))["participants"] == ["clara@shop.example", "lee@shop.example"]
    await merge(world, first, end)
    await world.must(middle, "unmerge", {})
    assert (await world.ticket(end["id"]))["participants"] == ["clara@shop.example", "kim@shop.example"]


async def test_people_of_the_middle_come_back_with_it(world: World) -> None:
    """Taken out of the last request, the middle one keeps who came into it, and the last keeps none of them."""
    for name in ("kim", "lee"):
        await world.person(name, "acme")
    end, middle, first = await submitted(world), await submitted(world, LEE), await submitted(world, KIM)
    await merge(world, first, middle)
    await merge(world, middle, end)
    await world.must(middle, "unmerge", {})
    assert (await world.ticket(end["id"]))["participants"] == ["clara@shop.example"]
    assert (await world.ticket(middle["id"]))["participants"] == ["kim@shop.example", "lee@shop.example"]
    await world.must(first, "unmerge", {})
    assert (await world.ticket(middle["id"]))["participants"] == ["lee@shop.example"]

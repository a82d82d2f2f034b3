"""Lists: pages complete and stable while others write, filters alone and together, within the caller's reach."""

from typing import Any

import pytest
from intake_world import World

STATES: list[tuple[str, dict[str, Any]] | None] = [
    None,
    ("messages", {"body": "Hello."}),
    ("wait", {"cause": "client"}),
    ("wait", {"cause": "release"}),
    ("resolve", {}),
    ("close", {"reason": "spam"}),
]
SENDERS = ("client:clara", "client:kim@acme", "partner:pia@acme", "client:bea@beta")


async def populate(world: World) -> list[dict[str, Any]]:
    """Return requests of many kinds, oldest first."""
    tickets = []
    for index in range(24):
        facts: dict[str, Any] = {"external_ref": f"R-{index}"}
        if index % 3 == 0:
            facts["topic"] = "updates"
        if index % 4 == 1:
            facts["recovery"] = "full"
        ticket = await world.submit(SENDERS[index % len(SENDERS)], **facts)
        state = STATES[index % len(STATES)]
        if state is not None:
            await world.must(ticket, *state)
        if index % 5 == 0 and ticket["topic"]:
            await world.must(ticket, "triage", {"tier": "development"}) if index % 6 != 5 else None
        world.move(minutes=1)
        tickets.append(await world.ticket(ticket["id"]))
    return tickets


async def pages(world: World, who: str, limit: int, **query: Any) -> list[dict[str, Any]]:
    """Return all items of a list, page after page."""
    items: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await world.get("/v1/tickets", who, limit=limit, **query, **cursor)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert len(page["items"]) <= limit
        items += page["items"]
        if page["next"] is None:
            return items
        cursor = {"cursor": page["next"]}


def reach(who: str, tickets: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what somebody may see of the requests, newest first (a slow oracle)."""
    role, _, rest = who.partition(":")
    name, _, organization = rest.partition("@")
    if role == "agent":
        return tickets[::-1]
    mine = [
        ticket
        for ticket in tickets
        if f"{name}@shop.example" in ticket["participants"]
        or (role == "partner" and organization and ticket["organization_id"] == organization)
    ]
    return mine[::-1]


@pytest.mark.parametrize("who", [*SENDERS, "agent:anna", "partner:lonely", "client:nobody"])
async def test_lists_agree_with_an_oracle(world: World, who: str) -> None:
    """Every filter, and filters together, give what a plain search over everything in reach gives, page by page."""
    tickets = await populate(world)
    mine = reach(who, tickets)
    equal: list[dict[str, str]] = [{}]
    equal += [{"status": status} for status in ("new", "open", "waiting", "resolved", "closed")]
    equal += [{"waiting_cause": "client"}, {"waiting_cause": "release", "status": "waiting"}, {"topic": "updates"}]
    equal += [{"urgency": "high"}, {"urgency": "high", "status": "open"}, {"tier": "development"}]
    equal += [{"organization_id": "acme"}, {"organization_id": "beta", "topic": "updates"}, {"external_ref": "R-7"}]
    for query in equal:
        expected = [t["id"] for t in mine if all(t[name] == value for name, value in query.items())]
        assert [item["id"] for item in await pages(world, who, 3, **query)] == expected, query
    for address in ("kim@shop.example", "bea@shop.example", "else@shop.example"):
        expected = [t["id"] for t in mine if address in t["participants"]]
        assert [item["id"] for item in await pages(world, who, 2, requester=address)] == expected
        assert [item["id"] for item in await pages(world, who, 2, q=address.upper())] == expected
        both = await pages(world, who, 2, q=address, requester="kim@shop.example", status="new")
        expected = [i for t in mine if (i := t["id"]) in expected and t["status"] == "new"]
        assert [item["id"] for item in both] == (expected if address.startswith("kim") else [])
    middle = tickets[12]["updated_at"]
    expected = [t["id"] for t in mine if t["updated_at"] > middle]
    assert [item["id"] for item in await pages(world, who, 4, updated_after=middle)] == expected


async def test_items_are_what_reading_gives(world: World) -> None:
    """An item of a list is the document that reading the request gives to the same caller."""
    await populate(world)
    for who in ("agent:anna", "partner:pia@acme", "client:clara"):
        for item in (await world.get("/v1/tickets", who)).json()["items"]:
            assert item == (await world.get(f"/v1/tickets/{item['id']}", who)).json()


@pytest.mark.parametrize("who", ["client:clara", "partner:pia@acme", "agent:anna"])
async def test_pages_are_stable_while_others_write(world: World, who: str) -> None:
    """What was there at the beginning comes exactly once, whatever is added or changed between two pages."""
    sender = who if not who.startswith("agent") else "client:clara"
    there = [(await world.submit(sender))["id"] for _ in range(9)]
    seen: list[str] = []
    cursor: dict[str, str] = {}
    for _ in range(5):
        page = (await world.get("/v1/tickets", who, limit=2, **cursor)).json()
        seen += [item["id"] for item in page["items"]]
        await world.submit(sender)
        await world.must({"id": there[0]}, "messages", {"body": "Hello."})
        cursor = {"cursor": page["next"]}
    assert seen == there[::-1]
    assert page["next"] is None


async def test_numbers_are_found_as_people_type_them(world: World) -> None:
    """A search for a number forgives letter case and spaces; one that nobody has finds nothing."""
    ticket = await world.submit()
    await world.submit()
    for typed in (ticket["number"], ticket["number"].lower(), f" {ticket['number'].replace('-', ' ')} "):
        assert [item["id"] for item in await pages(world, "client:clara", 5, q=typed)] == [ticket["id"]]
    assert await pages(world, "client:clara", 5, q="FL-0000-0000") == []


@pytest.mark.parametrize("path", ["messages", "history"])
async def test_correspondence_and_history_come_in_order(world: World, path: str) -> None:
    """Messages and events come oldest first, each once, over pages of any size."""
    ticket = await world.submit()
    for index in range(7):
        await world.must(ticket, "messages", {"body": f"{index}", "audience": ("public", "internal")[index % 2]})
    items: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await world.get(f"/v1/tickets/{ticket['id']}/{path}", limit=3, **cursor)).json()
        items += page["items"]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    if path == "history":
        assert [item["version"] for item in items] == list(range(1, 9))
        assert items[-1]["type"] == "ticket.replied"
        assert items[-1]["data"]["body"] == "6"
    else:
        assert [item["body"] for item in items] == ["Nothing to see.", *"0123456"]
        public = [item["body"] for item in await world.messages(ticket, "client:clara")]
        assert public == ["Nothing to see.", *"0246"]

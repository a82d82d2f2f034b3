"""The queue as a list and a request's place in it: order, pages, bounded counts, who may see what."""

from datetime import timedelta
from typing import Any

import pytest
from firstline.queue.entry import Entry
from firstline.queue.store import SAVE_ENTRY, entry_row

MINUTE = timedelta(minutes=1)
UNKNOWN = "01900000-0000-7000-8000-999999999999"


async def _place(world: Any, ticket: Any, who: str = "agent:anna", **facts: Any) -> dict[str, Any]:
    answer = await world.get(f"/v1/queue/{ticket.id}", who, **facts)
    assert answer.status_code == 200, answer.text
    place: dict[str, Any] = answer.json()
    return place


def _rank(place: dict[str, Any]) -> tuple[int, int, bool]:
    return place["position"], place["ahead"], place["at_least"]


async def test_a_line_has_what_the_console_shows(world: Any) -> None:
    """An item names the request, what it is about, why it stands there and who works on it until when."""
    ticket = await world.submit(topic="updates", tier="technical_support")
    (free,) = await world.items()
    assert free | {"why": []} == {
        "ticket_id": ticket.id,
        "number": ticket.number,
        "subject": "The shop is slow",
        "topic": "updates",
        "urgency": "normal",
        "urgency_provisional": False,
        "tier": "technical_support",
        "status": "new",
        "since": "2026-11-23T12:00:00Z",
        "out_of_turn": False,
        "owner": None,
        "claimed_by": None,
        "lease_expires_at": None,
        "why": [],
    }
    await world.take()
    (held,) = await world.items()
    claim = {"owner": "anna", "claimed_by": "anna", "lease_expires_at": "2026-11-23T12:30:00Z"}
    assert held == free | claim | {"why": ["A specialist is working on it now."]}


async def test_pages_follow_one_another(world: Any) -> None:
    """Pages of two show each entry once, in the order of service, claimed ones in their place, and end with null."""
    tickets = [await world.submit(urgency="high" if number % 3 == 2 else "normal") for number in range(7)]
    await world.take()
    seen, cursor = [], None
    while True:
        page = (await world.get("/v1/queue?limit=2" + (f"&cursor={cursor}" if cursor else ""))).json()
        seen += [item["number"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert (await world.get("/v1/queue?limit=7")).json()["next"] is None
    urgent = [ticket for number, ticket in enumerate(tickets) if number % 3 == 2]
    assert seen == [ticket.number for ticket in urgent + [t for t in tickets if t not in urgent]]


async def test_a_page_survives_changes(world: Any) -> None:
    """What leaves or comes in between two pages neither repeats nor hides an entry."""
    tickets = [await world.submit() for _ in range(4)]
    first = (await world.get("/v1/queue?limit=2")).json()
    await world.answer(tickets[0])
    await world.submit(urgency="high")
    rest = await world.numbers(f"?limit=2&cursor={first['next']}")
    assert rest == [ticket.number for ticket in tickets[2:]]


async def test_a_tier_has_its_list_and_figures(world: Any) -> None:
    """The tier's page holds its entries only, and so do the figures beside it; cursors don't fit another list."""
    await world.submit()
    world.clock.move(world.clock.now() + MINUTE)
    deep = [await world.submit(tier="technical_support", urgency=level) for level in ("normal", "high", "normal")]
    page = (await world.get("/v1/queue?tier=technical_support&limit=2")).json()
    assert [item["number"] for item in page["items"]] == [deep[1].number, deep[0].number]
    figures = {name: page[name] for name in ("waiting", "out_of_turn", "oldest_since", "at_least")}
    assert figures == {"waiting": 3, "out_of_turn": 1, "oldest_since": "2026-11-23T12:01:00Z", "at_least": False}
    foreign = await world.get(f"/v1/queue?cursor={page['next']}")
    assert (foreign.status_code, foreign.json()["errors"][0]["pointer"]) == (422, "#query/cursor")


async def test_figures_count_who_waits(world: Any) -> None:
    """The figures leave out what somebody works on; an empty queue has no oldest."""
    first = (await world.get("/v1/queue")).json()
    assert first == {
        "items": [],
        "next": None,
        "waiting": 0,
        "out_of_turn": 0,
        "oldest_since": None,
        "at_least": False,
    }
    for level in ("normal", "high", "normal"):
        await world.submit(urgency=level)
        world.clock.move(world.clock.now() + MINUTE)
    await world.take()
    page = (await world.get("/v1/queue")).json()
    assert (page["waiting"], page["out_of_turn"], page["oldest_since"]) == (2, 0, "2026-11-23T12:00:00Z")
    assert len(page["items"]) == 3


async def test_places_count_who_is_served_before(world: Any) -> None:
    """Ahead are those with a lesser key that nobody works on; who is worked on has position 0."""
    tickets = [await world.submit() for _ in range(3)]
    urgent = await world.submit(urgency="high")
    assert [_rank(await _place(world, ticket)) for ticket in (urgent, *tickets)] == [
        (1, 0, False),
        (2, 1, False),
        (3, 2, False),
        (4, 3, False),
    ]
    await world.take()
    held = await _place(world, urgent)
    assert (_rank(held), held["claimed"], held["claimed_by"]) == ((0, 0, False), True, "anna")
    assert _rank(await _place(world, tickets[2])) == (3, 2, False)
    await world.answer(tickets[0])
    assert _rank(await _place(world, tickets[2])) == (2, 1, False)


async def test_a_claimed_request_has_nobody_ahead(world: Any) -> None:
    """A request that was taken by hand is in work, however many stand before it."""
    tickets = [await world.submit() for _ in range(3)]
    await world.take(ticket_id=tickets[2].id)
    assert _rank(await _place(world, tickets[2])) == (0, 0, False)


async def test_what_is_ahead_is_counted_to_a_thousand(world: Any) -> None:
    """1,000 ahead are counted exactly; beyond that the answer says at least 1,000, and so do the figures."""
    await _fill(world, 999)
    ticket, thousandth, beyond = [await world.submit() for _ in range(3)]
    assert [_rank(await _place(world, t)) for t in (ticket, thousandth, beyond)] == [
        (1000, 999, False),
        (1001, 1000, False),
        (1001, 1000, True),
    ]
    page = (await world.get("/v1/queue")).json()
    assert (page["waiting"], page["at_least"]) == (1000, True)


async def _fill(world: Any, count: int) -> None:
    """Put entries into the store that came in before now."""
    facts: dict[str, Any] = {"subject": "s", "organization_id": None, "status": "open", "urgency": "normal"}
    facts |= {"urgency_provisional": False, "topic": None, "tier": "helpdesk", "out_of_turn": False}
    since = world.clock.now() - MINUTE
    rows = [entry_row(Entry(ticket_id=f"t{n}", number=f"n{n}", since=since, position=n, **facts)) for n in range(count)]
    await world.runtime.store.write(lambda unit: unit.many(SAVE_ENTRY, rows))


async def test_clients_see_their_place_and_no_internals(world: Any) -> None:
    """The requester reads position and reasons; who works on it, and until when, is for staff."""
    ticket = await world.submit()
    await world.take()
    place = await _place(world, ticket, "client:clara", email="clara@shop.example")
    assert (place["claimed"], place["claimed_by"], place["lease_expires_at"]) == (True, None, None)
    assert place["why"] == ["A specialist is working on it now."]
    staff = await _place(world, ticket)
    assert (staff["claimed_by"], staff["lease_expires_at"]) == ("anna", "2026-11-23T12:30:00Z")


@pytest.mark.parametrize(
    ("who", "facts", "sees"),
    [
        ("client:clara", {"email": "clara@shop.example"}, True),
        ("client:carl", {"email": "carl@shop.example"}, True),
        ("client:mallory", {"email": "mallory@elsewhere.example"}, False),
        ("client:colleague", {"email": "colleague@shop.example", "organization_id": "shop"}, False),
        ("partner:paul", {"email": "paul@partner.example", "organization_id": "shop"}, True),
        ("partner:petra", {"email": "petra@partner.example", "organization_id": "other"}, False),
        ("partner:nobody", {"email": "nobody@partner.example"}, False),
        ("agent:anna", {}, True),
        ("supervisor:sonja", {}, True),
        ("admin:adam", {}, True),
    ],
)
async def test_who_may_ask_for_a_place(world: Any, who: str, facts: dict[str, Any], *, sees: bool) -> None:
    """Participants, partners of the organisation and staff; for anybody else the request does not exist."""
    carl = {"address": "Carl@Shop.example"}
    ticket = await world.submit(organization_id="shop", recipients=[carl])
    found = await world.get(f"/v1/queue/{ticket.number}", who, **facts)
    assert (found.status_code == 200) is sees
    if not sees:
        unknown = await world.get(f"/v1/queue/{UNKNOWN}", who, **facts)
        assert (found.status_code, found.json()) == (unknown.status_code, unknown.json()) == (404, unknown.json())


async def test_forbidden_is_unknown_also_without_a_place(world: Any) -> None:
    """That a request is not in the queue is told to those who may see it, and to nobody else."""
    ticket = await world.submit()
    await world.answer(ticket)
    stranger = await world.get(f"/v1/queue/{ticket.id}", "client:mallory")
    assert stranger.json() == (await world.get(f"/v1/queue/{UNKNOWN}", "client:mallory")).json()
    own = await world.get(f"/v1/queue/{ticket.id}", "client:clara", email="clara@shop.example")
    assert (own.status_code, own.json()["type"]) == (404, "/problems/no-place")


@pytest.mark.parametrize(
    ("event_type", "words"),
    [
        ("ticket.noted", "Every message of this request has been answered"),
        ("ticket.waiting", "waits for somebody outside the Helpdesk"),
        ("ticket.resolved", "is resolved"),
        ("ticket.closed", "is closed"),
    ],
)
async def test_why_there_is_no_place(world: Any, event_type: str, words: str) -> None:
    """A request without an entry is 404 and says why, in the words of clients."""
    ticket = await world.submit()
    await world.answer(ticket)
    await world.tell(ticket, event_type)
    answer = await world.get(f"/v1/queue/{ticket.id}")
    assert answer.status_code == 404
    assert words in answer.json()["detail"]
    assert "ticket" not in answer.json()["detail"]


async def test_participants_change(world: Any) -> None:
    """Who was added may ask from then on; who takes part no more may not."""
    ticket = await world.submit()
    new = {"address": "new@shop.example"}
    await world.tell(ticket, "ticket.participant_added", participant=new, recipients=[new])
    path = f"/v1/queue/{ticket.id}"
    assert (await world.get(path, "client:new", email="new@shop.example")).status_code == 200
    assert (await world.get(path, "client:clara", email="clara@shop.example")).status_code == 404


async def test_the_same_words_for_everyone(world: Any) -> None:
    """Provisional urgency, the requests it jumps over and the bound are explained to the client too."""
    ticket = await world.submit()
    await world.submit(urgency="high", urgency_provisional=True)
    place = await _place(world, ticket, "client:clara", email="clara@shop.example")
    assert place["why"][-1] == "1 request ahead of it is served out of turn, being more urgent."
    assert (place["since"], place["out_of_turn"]) == ("2026-11-23T12:00:00Z", False)

"""Claims over HTTP: who gets which entry, what races end like, what is recorded (PROMISES P15, P16)."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from firstline.common.secrets import unseal

MINUTE = timedelta(minutes=1)
CLAIM_KEY = b"claims" * 6


async def _line(world: Any, count: int, **data: Any) -> list[Any]:
    """Let that many requests come in, a minute apart."""
    tickets = []
    for _ in range(count):
        tickets.append(await world.submit(**data))
        world.clock.move(world.clock.now() + MINUTE)
    return tickets


async def test_first_come_first_served(world: Any) -> None:
    """The next claim gets what came in first, and 204 without a body when nobody waits any more."""
    first, second = await _line(world, 2)
    assert [(await world.take())["number"] for _ in range(2)] == [first.number, second.number]
    answer = await world.post("/v1/queue/claims", {})
    assert (answer.status_code, answer.content) == (204, b"")


async def test_a_claim_says_what_it_is(world: Any) -> None:
    """The answer names ticket, holder, owner, fence and end of the lease, and seals them in the token for intake."""
    (ticket,) = await _line(world, 1)
    claim = await world.take()
    end = (world.clock.now() + timedelta(minutes=30)).isoformat().replace("+00:00", "Z")
    assert claim | {"claim_token": ""} == {
        "ticket_id": ticket.id,
        "number": ticket.number,
        "agent": "anna",
        "owner": "anna",
        "fence": 1,
        "lease_expires_at": end,
        "claim_token": "",
    }
    sealed = {"ticket_id": ticket.id, "agent": "anna", "fence": 1, "exp": end.replace("Z", "+00:00")}
    assert unseal(CLAIM_KEY, claim["claim_token"]) == sealed


async def test_a_claim_without_a_body_takes_the_next(world: Any) -> None:
    """A POST without any body is the wish for the next one."""
    (ticket,) = await _line(world, 1)
    answer = await world.client.post("/v1/queue/claims", headers=world.headers("agent:anna"))
    assert (answer.status_code, answer.json()["number"]) == (201, ticket.number)


async def test_two_hundred_want_one_ticket(world: Any) -> None:
    """Of 200 specialists who name one ticket at once exactly one gets it; all others read that it is held."""
    (ticket,) = await _line(world, 1)
    wish = {"ticket_id": ticket.id}
    calls = [world.post("/v1/queue/claims", wish, f"agent:a{number}") for number in range(200)]
    answers = await asyncio.gather(*calls)
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 199
    winner = next(answer.json() for answer in answers if answer.status_code == 201)
    refused = [answer.json() for answer in answers if answer.status_code == 409]
    assert {(problem["type"], problem["claimed_by"]) for problem in refused} == {("/problems/held", winner["agent"])}
    assert [name for name, _ in await world.told(ticket)].count("queue.claimed") == 1


async def test_thirty_two_take_the_next(world: Any) -> None:
    """32 specialists who take the next one at once get the first 32 entries, each another one."""
    tickets = await _line(world, 40)
    answers = await asyncio.gather(*(world.post("/v1/queue/claims", {}, f"agent:a{n}") for n in range(32)))
    assert sorted(answer.json()["ticket_id"] for answer in answers) == [ticket.id for ticket in tickets[:32]]
    assert await world.numbers("?limit=100") == [ticket.number for ticket in tickets]
    for ticket in tickets[:32]:
        assert (await world.told(ticket))[1:] == [("queue.claimed", None), ("queue.owner_changed", None)]


async def test_who_holds_it_goes_on(world: Any) -> None:
    """Claiming what one holds already answers 201 with the same fence and a new lease, and holds up nobody else."""
    first, second = await _line(world, 2)
    claim = await world.take()
    world.clock.move(world.clock.now() + 10 * MINUTE)
    again = await world.take(ticket_id=first.number)
    assert (again["ticket_id"], again["fence"]) == (claim["ticket_id"], claim["fence"])
    assert again["lease_expires_at"] > claim["lease_expires_at"]
    assert again["claim_token"] != claim["claim_token"]
    assert (await world.told(first))[-1] == ("queue.renewed", None)
    assert (await world.take())["ticket_id"] == second.id


async def test_fences_grow_for_ever(world: Any) -> None:
    """Each claim of a ticket has a higher fence than all before, also after release, answer and a new question."""
    (ticket,) = await _line(world, 1)
    fences = [(await world.take())["fence"]]
    await world.keep(ticket, "release")
    fences.append((await world.take("agent:boris"))["fence"])
    await world.answer(ticket)
    await world.ask(ticket)
    fences.append((await world.take())["fence"])
    await world.tell(ticket, "ticket.closed")
    await world.tell(ticket, "ticket.reopened", received_at=world.clock.now())
    fences.append((await world.take())["fence"])
    assert fences == [1, 2, 3, 4]


async def test_the_first_who_claims_owns(world: Any) -> None:
    """The first claim makes its holder the owner, who stays owner when others claim the ticket later."""
    (ticket,) = await _line(world, 1)
    assert (await world.take())["owner"] == "anna"
    await world.answer(ticket)
    await world.ask(ticket)
    assert (await world.take("agent:boris"))["owner"] == "anna"
    owners = [event["owner"] for event in await world.events(ticket) if event["type"] == "queue.owner_changed"]
    assert owners == ["anna"]


async def test_own_tickets_do_not_jump(world: Any) -> None:
    """The owner's ticket keeps its turn; taking it by name instead is recorded as the owner's choice."""
    mine, other = await _line(world, 2)
    await world.take()
    await world.answer(mine)
    await world.ask(mine)
    world.clock.move(world.clock.now() + MINUTE)
    assert (await world.take(ticket_id=mine.id))["fence"] == 2
    assert ("queue.claimed", "own_ticket") in await world.told(mine)
    await world.keep(mine, "release")
    assert (await world.take())["ticket_id"] == other.id


@pytest.mark.parametrize(("who", "reason"), [("agent:boris", "by_hand"), ("supervisor:sonja", "supervisor")])
async def test_a_named_ticket_that_jumps_is_recorded(world: Any, who: str, reason: str) -> None:
    """Naming a ticket that isn't next says in the event who jumped; naming the next one is no jump."""
    first, second = await _line(world, 2)
    await world.take(who, ticket_id=second.number.lower())
    await world.take(who, ticket_id=first.id)
    assert ("queue.claimed", reason) in await world.told(second)
    assert ("queue.claimed", None) in await world.told(first)


async def test_high_urgency_is_served_out_of_turn(world: Any) -> None:
    """What is urgent goes before what came earlier, in the order of receipt among itself, and each jump is recorded."""
    early, *_ = await _line(world, 2)
    urgent = await _line(world, 2, urgency="high", urgency_provisional=True)
    assert [(await world.take())["number"] for _ in range(3)] == [t.number for t in (*urgent, early)]
    for ticket in urgent:
        assert ("queue.claimed", "out_of_turn") in await world.told(ticket)
    assert ("queue.claimed", None) in await world.told(early)


async def test_a_tier_takes_its_own(world: Any) -> None:
    """A wish for a tier gets the first of that tier; passing over others is recorded, and nothing else fits."""
    early, *_ = await _line(world, 1)
    deep, deeper = await _line(world, 2, tier="technical_support")
    wish = {"tier": "technical_support"}
    assert [(await world.take(**wish))["number"] for _ in range(2)] == [deep.number, deeper.number]
    assert ("queue.claimed", "tier_or_skill") in await world.told(deep)
    assert (await world.post("/v1/queue/claims", wish)).status_code == 204
    assert (await world.take())["number"] == early.number


async def test_skills_are_topics(world: Any) -> None:
    """A wish for skills gets entries with one of these topics, or without any topic, in their order."""
    updates, unknown, product = [(await _line(world, 1, topic=topic))[0] for topic in ("updates", None, "product")]
    wish = {"skills": ["product", "recovery"]}
    assert [(await world.take(**wish))["number"] for _ in range(2)] == [unknown.number, product.number]
    assert ("queue.claimed", "tier_or_skill") in await world.told(unknown)
    assert (await world.post("/v1/queue/claims", wish)).status_code == 204
    both = {"tier": "helpdesk", "skills": ["updates"]}
    assert (await world.take(**both))["number"] == updates.number


async def test_what_is_not_in_the_queue_cannot_be_claimed(world: Any) -> None:
    """An answered ticket is 409 and says why, an unknown one 404; neither makes a claim."""
    (ticket,) = await _line(world, 1)
    await world.answer(ticket)
    answered = await world.post("/v1/queue/claims", {"ticket_id": ticket.id})
    assert (answered.status_code, answered.json()["type"]) == (409, "/problems/nothing-to-answer")
    assert "Every message of this request has been answered" in answered.json()["detail"]
    for unknown in ("01900000-0000-7000-8000-999999999999", "FL-ZZZZ-ZZZZ", "nonsense"):
        assert (await world.post("/v1/queue/claims", {"ticket_id": unknown})).status_code == 404
    assert [name for name, _ in await world.told(ticket)] == ["queue.entered", "queue.left"]


async def test_a_retry_gets_the_same_claim(world: Any) -> None:
    """The same key and body get the same answer and claim nothing more; other keys and other people go on."""
    first, second, third = await _line(world, 3)
    calls = [world.post("/v1/queue/claims", {}, idempotency_key="k") for _ in range(8)]
    answers = await asyncio.gather(*calls)
    assert {(answer.status_code, answer.text) for answer in answers} == {(201, answers[0].text)}
    assert answers[0].json()["ticket_id"] == first.id
    others = [
        await world.post("/v1/queue/claims", {}, "agent:boris", idempotency_key="k"),
        await world.post("/v1/queue/claims", {}, idempotency_key="another"),
    ]
    assert [answer.json()["ticket_id"] for answer in others] == [second.id, third.id]


async def test_a_retry_of_nothing_to_do_stays_so(world: Any) -> None:
    """204 is an answer that is kept too: the same key says nothing to do although somebody waits by now."""
    assert (await world.post("/v1/queue/claims", {}, idempotency_key="k")).status_code == 204
    await world.submit()
    assert (await world.post("/v1/queue/claims", {}, idempotency_key="k")).status_code == 204
    assert (await world.post("/v1/queue/claims", {}, idempotency_key="new")).status_code == 201


async def test_a_key_belongs_to_one_body(world: Any) -> None:
    """The same key with another body is 422 and claims nothing."""
    await _line(world, 2)
    await world.post("/v1/queue/claims", {}, idempotency_key="k")
    reused = await world.post("/v1/queue/claims", {"tier": "helpdesk"}, idempotency_key="k")
    assert (reused.status_code, reused.json()["type"]) == (422, "/problems/idempotency-key-reused")
    assert [item["claimed_by"] for item in await world.items()] == ["anna", None]


async def test_a_refusal_is_not_kept(world: Any) -> None:
    """After a 409 the same key may succeed: only answers that did something are kept."""
    (ticket,) = await _line(world, 1)
    await world.take()
    wish = {"ticket_id": ticket.id}
    assert (await world.post("/v1/queue/claims", wish, "agent:boris", idempotency_key="k")).status_code == 409
    await world.keep(ticket, "release")
    assert (await world.post("/v1/queue/claims", wish, "agent:boris", idempotency_key="k")).status_code == 201

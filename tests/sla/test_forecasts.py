"""Forecasts of the next answer over HTTP: from the queue as it is told, within the caller's reach, with their score."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from firstline.common.events import TicketEvent
from firstline.sla.service import forecasts
from firstline.sla.store import LATELY, PARTICIPANTS
from sla_world import MONDAY, Ticket, World

HOUR = timedelta(hours=1)


@dataclass
class Queue:
    """Queue's side: tells of entries in the order of their receipt."""

    world: World
    told: dict[str, int] = field(default_factory=dict)

    async def tell(self, ticket: Ticket, what: str, at: datetime, reason: str | None = None, **key: Any) -> None:
        """Tell what became of a ticket's entry."""
        version = self.told[ticket.id] = self.told.get(ticket.id, 0) + 1
        place = {"out_of_turn": False, "since": at, "position": len(self.told)} | key
        data = {"number": ticket.number, "organization_id": "shop", "key": place, "reason": reason}
        event = self.world.envelope(f"entry/{ticket.id}", f"queue.{what}", version, at, data)
        await self.world.deliver(event.model_copy(update={"source": "queue"}))

    async def answered(self, count: int, minutes: int = 60) -> None:
        """Let so many requests come one after the other and be answered after so many minutes."""
        for number in range(count):
            ticket, at = await self.world.submit(), MONDAY + number * timedelta(minutes=1)
            await self.tell(ticket, "entered", at)
            await self.tell(ticket, "left", at + timedelta(minutes=minutes), "answered")


@pytest.fixture
def queue(world: World) -> Queue:
    """Return queue's side."""
    return Queue(world)


async def forecast(world: World, ticket: Ticket, who: str = "agent") -> dict[str, Any]:
    """Return what is foretold of a ticket."""
    answer = await world.get(f"/v1/forecasts/{ticket.id}", who)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_few_answers_give_the_calendars_bound_and_no_figure(world: World, queue: Queue) -> None:
    """With fewer than thirty answers it says so, and names the earliest instant at which the desk works."""
    await queue.answered(29)
    ticket = await world.submit()
    await queue.tell(ticket, "entered", MONDAY)
    await world.move(MONDAY + 12 * HOUR)
    found = await forecast(world, ticket)
    assert (found["state"], found["p50_at"], found["p90_minutes"], found["based_on"]) == ("unsure", None, None, 29)
    assert (found["ahead"], found["earliest_at"], found["binding"]) == (0, "2026-11-24T06:00:00Z", False)
    assert "Too few" in found["note"]


async def test_the_next_answer_is_foretold_in_business_time(world: World, queue: Queue) -> None:
    """An hour from half an hour before closing ends half an hour after the next opening; the ID and number both do."""
    await queue.answered(30)
    ticket = await world.submit()
    await queue.tell(ticket, "entered", MONDAY)
    await world.move(MONDAY + timedelta(hours=9, minutes=30))
    found = await forecast(world, ticket)
    assert (found["state"], found["p50_minutes"], found["p90_minutes"]) == ("expected", 60, 60)
    assert (found["p50_at"], found["as_of"]) == ("2026-11-24T06:30:00Z", "2026-11-23T15:30:00Z")
    assert (await world.get(f"/v1/forecasts/{ticket.number.lower()}")).json() == found


async def test_those_ahead_are_counted_in_the_queues_order(world: World, queue: Queue) -> None:
    """Urgent ones and earlier ones stand ahead; a move changes that, and who has left does not count."""
    first, urgent, mine = [await world.submit() for _ in range(3)]
    await queue.tell(first, "entered", MONDAY)
    await queue.tell(mine, "entered", MONDAY + HOUR)
    await queue.tell(urgent, "entered", MONDAY + 2 * HOUR, out_of_turn=True)
    assert [(await forecast(world, one))["ahead"] for one in (urgent, first, mine)] == [0, 1, 2]
    await queue.tell(urgent, "moved", MONDAY + 2 * HOUR)
    await queue.tell(first, "left", MONDAY + 3 * HOUR, "answered")
    assert [(await forecast(world, one))["ahead"] for one in (mine, urgent)] == [0, 1]


async def test_nothing_is_foretold_while_no_answer_is_owed(world: World, queue: Queue) -> None:
    """Before its entry comes and after it left, nothing is owed; what left unanswered is no answer."""
    ticket = await world.submit()
    assert (await forecast(world, ticket))["state"] == "not_owed"
    await queue.tell(ticket, "entered", MONDAY)
    await queue.tell(ticket, "left", MONDAY + HOUR, "waiting")
    found = await forecast(world, ticket)
    assert (found["state"], found["ahead"], found["p90_at"], found["earliest_at"]) == ("not_owed", None, None, None)
    assert await world.runtime.store.read(lambda unit: unit.all(LATELY, limit=9)) == []


async def test_how_often_it_came_true_is_counted(world: World, queue: Queue) -> None:
    """Of the answers about which something had been foretold, those count that came within it."""
    assert (await world.get("/v1/forecasts/accuracy", "client")).json()["share_within_p90"] is None
    await queue.answered(30)
    for minutes in (30, 60, 61):
        ticket = await world.submit()
        await queue.tell(ticket, "entered", MONDAY + HOUR)
        await queue.tell(ticket, "left", MONDAY + HOUR + timedelta(minutes=minutes), "answered")
    score = (await world.get("/v1/forecasts/accuracy", "client")).json()
    assert (score["answers"], score["within_p50"], score["within_p90"]) == (3, 2, 2)
    assert score["share_within_p90"] == pytest.approx(2 / 3)


async def test_who_takes_part_may_ask_and_nobody_else(world: World, queue: Queue) -> None:
    """A client sees their own, a partner the organisation's; another's is as if it weren't there."""
    here = [{"address": "Client@Firstline.example", "name": None, "language": "en"}]
    mine, shop = await world.submit(recipients=here), await world.submit(organization_id="shop")
    other = await world.submit(organization_id="other")
    seen = {
        who: [(await world.get(f"/v1/forecasts/{one.id}", who)).status_code for one in (mine, shop, other)]
        for who in ("client", "partner", "agent")
    }
    assert seen == {"client": [200, 404, 404], "partner": [404, 200, 404], "agent": [200, 200, 200]}
    unknown = await world.get("/v1/forecasts/FL-0000-0000", "client")
    hidden = await world.get(f"/v1/forecasts/{other.id}", "client")
    assert unknown.json()["detail"] == hidden.json()["detail"]


async def test_only_answers_that_are_looked_at_are_kept(
    world: World, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the answers given only as many are kept as figures are told from, and a rest."""
    monkeypatch.setattr(forecasts, "KEPT", 5)
    await queue.answered(12)
    assert len(await world.runtime.store.read(lambda unit: unit.all(LATELY, limit=99))) == 5


async def test_who_leaves_a_request_may_ask_no_more(world: World) -> None:
    """Participants are those of the last event of the ticket, whatever it tells."""
    ticket = await world.submit()
    assert await addresses(world, ticket) == ["clara@shop.example"]
    await world.tell(ticket, "ticket.noted", recipients=[{"address": "carl@shop.example"}])
    assert await addresses(world, ticket) == ["carl@shop.example"]


async def test_an_erased_persons_address_is_gone(world: World) -> None:
    """Erasing a person deletes the copies of their address, and nobody else's."""
    ticket = await world.submit(recipients=[{"address": "clara@shop.example"}, {"address": "carl@shop.example"}])
    person = {"id": "clara", "email": "Clara@Shop.example", "role": "client", "active": True}
    events: list[tuple[str, dict[str, Any]]] = [("account.person_changed", person), ("person.erased", {"id": "clara"})]
    for version, (what, data) in enumerate(events, start=1):
        await world.deliver(world.envelope("person/clara", what, version, MONDAY, data))
    assert await addresses(world, ticket) == ["carl@shop.example"]


async def addresses(world: World, ticket: Ticket) -> list[str]:
    """Return who takes part in a ticket."""
    return await world.runtime.store.read(lambda unit: unit.all(PARTICIPANTS.addresses, ticket_id=ticket.id))


async def test_the_queue_waits_for_a_policy(bare: World) -> None:
    """Without a calendar nothing can be measured: what queue tells waits until the policy is there."""
    queue, ticket = Queue(bare), bare.ticket()
    await queue.tell(ticket, "entered", MONDAY)
    await bare.deliver(bare.policy())
    assert bare.runtime.inbox is not None
    assert await bare.runtime.inbox.retry_waiting() == 0


def test_every_event_of_a_ticket_names_its_recipients() -> None:
    """Participants can be kept because every event of a ticket says who takes part."""
    assert "recipients" in TicketEvent.model_fields

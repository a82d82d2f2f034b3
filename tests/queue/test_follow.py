"""What queue makes of intake's events: entries that come, move and go, and what it tells of them."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest

MINUTE = timedelta(minutes=1)


async def test_a_request_enters(world: Any) -> None:
    """A submission makes an entry that is free, and an event with its key on the entry's own stream."""
    ticket = await world.submit(organization_id="org-1")
    (event,) = await world.events(ticket)
    assert event["type"] == "queue.entered"
    assert event["key"] == {"out_of_turn": False, "since": world.clock.now(), "position": 1}
    facts = ("number", "organization_id", "agent", "fence", "lease_expires_at", "reason")
    assert [event[name] for name in facts] == [ticket.number, "org-1", None, 0, None, "submitted"]
    (row,) = await world.items()
    assert (row["number"], row["subject"], row["claimed_by"]) == (ticket.number, "The shop is slow", None)


async def test_events_are_published(world: Any) -> None:
    """The log numbers queue's events for those who pull, with the ticket as subject."""
    ticket = await world.submit()
    await world.take()
    await world.runtime.settle()
    items = (await world.get("/internal/log", "service:sla")).json()["items"]
    assert [(item["type"], item["position"], item["version"]) for item in items] == [
        ("queue.entered", 1, 1),
        ("queue.claimed", 2, 2),
        ("queue.owner_changed", 3, 3),
    ]
    assert {(item["stream"], item["subject"]) for item in items} == {(f"entry/{ticket.id}", ticket.id)}


@pytest.mark.parametrize(
    ("event_type", "data", "reason"),
    [
        ("ticket.replied", {"side": "staff"}, "answered"),
        ("ticket.replied", {"side": "staff", "status": "resolved"}, "answered"),
        ("ticket.waiting", {}, "waiting"),
        ("ticket.handed_over", {"status": "waiting", "defect_ref": "D-1"}, "waiting"),
        ("ticket.resolved", {}, "resolved"),
        ("ticket.closed", {}, "closed"),
    ],
)
async def test_an_entry_leaves_with_its_claim(world: Any, event_type: str, data: dict[str, Any], reason: str) -> None:
    """Answer, waiting, resolution and closing end entry and claim; the event names who held it."""
    ticket = await world.submit()
    claim = await world.take()
    if event_type == "ticket.replied":
        data = data | {"received_at": world.clock.now()}
    await world.tell(ticket, event_type, **data)
    left = (await world.events(ticket))[-1]
    assert (left["type"], left["reason"], left["agent"], left["fence"]) == ("queue.left", reason, "anna", 1)
    assert await world.numbers() == []
    stale = await world.keep(ticket, "renew", {"fence": claim["fence"]})
    assert (stale.status_code, stale.json()["type"]) == (409, "/problems/stale-claim")


async def test_what_changes_nothing_tells_nothing(world: Any) -> None:
    """Notes, robots, further messages and messages to the supervisor neither move an entry nor make an event."""
    ticket = await world.submit()
    await world.tell(ticket, "ticket.noted")
    await world.ask(ticket)
    await world.ask(ticket, automatic=True)
    await world.tell(ticket, "ticket.supervisor_requested")
    assert await world.told(ticket) == [("queue.entered", "submitted")]


async def test_a_robot_gets_no_place(world: Any) -> None:
    """An automatic mail on an answered ticket makes no entry."""
    ticket = await world.submit()
    await world.answer(ticket)
    await world.ask(ticket, automatic=True)
    assert await world.told(ticket) == [("queue.entered", "submitted"), ("queue.left", "answered")]


async def test_more_messages_do_not_move(world: Any) -> None:
    """Who writes again stands where they stood, neither before nor behind those who came between."""
    first, second = [await world.submit() for _ in range(2)]
    world.clock.move(world.clock.now() + MINUTE)
    for ticket in (second, first, second):
        await world.ask(ticket)
    assert await world.numbers() == [first.number, second.number]


async def test_a_new_question_queues_behind(world: Any) -> None:
    """After an answer the next question counts from its own receipt."""
    first, second = [await world.submit() for _ in range(2)]
    await world.answer(first)
    world.clock.move(world.clock.now() + MINUTE)
    await world.ask(first)
    assert await world.numbers() == [second.number, first.number]


async def test_waiting_keeps_the_unanswered_place(world: Any) -> None:
    """A ticket that waited for a third party, its question never answered, comes back to its old place."""
    first, second = [await world.submit() for _ in range(2)]
    await world.tell(first, "ticket.waiting", cause="third_party")
    assert await world.numbers() == [second.number]
    world.clock.move(world.clock.now() + MINUTE)
    await world.tell(first, "ticket.resumed", cause="third_party")
    assert await world.numbers() == [first.number, second.number]
    assert (await world.told(first))[-1] == ("queue.entered", "resumed")


async def test_a_release_brings_it_back(world: Any) -> None:
    """A ticket whose release is out queues from the instant of its return, so that somebody tells the client."""
    ticket, other = [await world.submit() for _ in range(2)]
    await world.answer(ticket)
    await world.tell(ticket, "ticket.waiting", cause="release")
    world.clock.move(world.clock.now() + MINUTE)
    await world.tell(ticket, "ticket.released")
    await world.tell(ticket, "ticket.resumed", cause="release")
    assert await world.numbers() == [other.number, ticket.number]
    assert (await world.told(ticket))[-1] == ("queue.entered", "released")


async def test_a_split_part_keeps_its_receipt(world: Any) -> None:
    """A message that became a ticket of its own stands where the message came in (POLICY reading A25)."""
    received = world.clock.now()
    world.clock.move(received + MINUTE)
    between = await world.submit()
    part = await world.submit(received_at=received, split_from="another")
    assert await world.numbers() == [part.number, between.number]


async def test_held_mail_keeps_its_receipt(world: Any) -> None:
    """A mail let in late counts from its receipt: the entry moves forward, and that is told."""
    received = world.clock.now()
    world.clock.move(received + MINUTE)
    first, second = [await world.submit() for _ in range(2)]
    await world.ask(second, received_at=received)
    assert await world.numbers() == [second.number, first.number]
    assert await world.told(second) == [("queue.entered", "submitted"), ("queue.moved", "replied")]


async def test_judging_moves_a_claimed_entry_too(world: Any) -> None:
    """Confirmation leaves an urgent ticket, its return moves it behind; the claim goes on either way."""
    early = await world.submit()
    world.clock.move(world.clock.now() + MINUTE)
    urgent = await world.submit(urgency="high", urgency_provisional=True)
    claim = await world.take()
    await world.judge(urgent, "high")
    assert [name for name, _ in await world.told(urgent)][-1] == "queue.owner_changed"
    await world.judge(urgent, "normal")
    moved = (await world.events(urgent))[-1]
    assert (moved["type"], moved["reason"], moved["agent"], moved["fence"]) == ("queue.moved", "triaged", "anna", 1)
    assert moved["key"]["out_of_turn"] is False
    assert await world.numbers() == [early.number, urgent.number]
    assert (await world.keep(urgent, "renew", {"fence": claim["fence"]})).status_code == 200


async def test_raising_the_urgency_moves_forward(world: Any) -> None:
    """A specialist who judges a plain ticket to be urgent puts it before the others."""
    first, second = [await world.submit() for _ in range(2)]
    await world.judge(second, "high")
    assert await world.numbers() == [second.number, first.number]
    assert first.number != second.number


async def test_equal_instants_keep_the_order_of_the_log(world: Any) -> None:
    """Of two that came in at the same instant the one that intake wrote down first is first."""
    tickets = [await world.submit(received_at=world.clock.now()) for _ in range(5)]
    assert await world.numbers() == [ticket.number for ticket in tickets]


async def test_a_merged_ticket_leaves(world: Any) -> None:
    """The duplicate goes, the other stands where it stood; taken back, it has the instant that intake gives it."""
    original, duplicate = [await world.submit() for _ in range(2)]
    received = world.clock.now()
    world.clock.move(received + MINUTE)
    later = await world.submit()
    await world.tell(duplicate, "ticket.merged", into=original.id)
    await world.tell(duplicate, "ticket.closed", reason="duplicate")
    assert await world.numbers() == [original.number, later.number]
    await world.tell(duplicate, "ticket.unmerged")
    await world.tell(duplicate, "ticket.reopened", side="staff", received_at=received)
    assert await world.numbers() == [original.number, duplicate.number, later.number]


def owes(ticket: Any, since: datetime | None, *owed: tuple[Any, datetime]) -> dict[str, Any]:
    """Return the data of a duplicate's coming or going: what moves with it, and since when an answer is owed after."""
    moved = [{"ticket_id": one.id, "since": at} for one, at in owed]
    return {"duplicate": ticket.id, "duplicate_number": ticket.number, "owed": moved, "owed_since": since}


async def test_a_duplicate_brings_its_place_and_takes_it_back(world: Any) -> None:
    """An answered request enters at the receipt of what was merged into it, and leaves, unanswered, with it."""
    original, duplicate = [await world.submit() for _ in range(2)]
    received = world.clock.now()
    world.clock.move(received + MINUTE)
    other = await world.submit()
    await world.answer(original)
    await world.tell(original, "ticket.duplicate_joined", **owes(duplicate, received, (duplicate, received)))
    assert (await world.events(original))[-1]["key"]["since"] == received
    assert (await world.numbers())[-1] == other.number
    await world.tell(original, "ticket.duplicate_left", **owes(duplicate, None, (duplicate, received)))
    assert (await world.told(original))[-2:] == [("queue.entered", "duplicate_joined"), ("queue.left", "unmerged")]


async def test_what_is_owed_besides_a_duplicate_has_its_own_place(world: Any) -> None:
    """Where more was asked meanwhile, the request moves to that one's receipt; what brings nothing moves nothing."""
    original, duplicate = [await world.submit() for _ in range(2)]
    received = world.clock.now()
    await world.answer(original)
    await world.tell(original, "ticket.duplicate_joined", **owes(duplicate, received, (duplicate, received)))
    asked = received + MINUTE
    world.clock.move(asked)
    await world.ask(original)
    await world.tell(original, "ticket.duplicate_left", **owes(duplicate, asked))
    await world.tell(original, "ticket.duplicate_left", **owes(duplicate, asked, (duplicate, received)))
    moved = (await world.events(original))[-1]
    assert (moved["type"], moved["reason"], moved["key"]["since"]) == ("queue.moved", "duplicate_left", asked)
    assert len(await world.events(original)) == 4


async def test_events_that_come_twice_count_once(world: Any) -> None:
    """A duplicate of an event changes nothing and tells nothing."""
    ticket = await world.submit()
    envelope = await world.tell(ticket, "ticket.replied", side="staff", received_at=world.clock.now())
    await world.ask(ticket)
    await world.runtime.inbox.receive([envelope])
    assert [name for name, _ in await world.told(ticket)] == ["queue.entered", "queue.left", "queue.entered"]


async def test_every_row_explains_itself(world: Any) -> None:
    """Each line of the list says in words why it stands there."""
    await world.submit()
    await world.submit(urgency="high", urgency_provisional=True)
    urgent, plain = [item["why"] for item in await world.items()]
    assert urgent[-2:] == [
        "Its urgency is high, so it is served out of turn, before the others.",
        "A specialist has yet to confirm the urgency.",
    ]
    assert re.search(r"counts from 2026-11-23 12:00 UTC", plain[1])
    assert plain[-1] == "1 request ahead of it is served out of turn, being more urgent."

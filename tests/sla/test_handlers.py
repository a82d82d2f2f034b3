"""What sla makes of other services' events: the right clock events, in order, with what they say."""

import sqlite3
from datetime import datetime, timedelta
from typing import Any

import pytest
from sla_world import MONDAY, VERSION, World

HOUR = timedelta(hours=1)
FIRST, NEXT, RESOLUTION = "first_response", "next_response", "resolution"
BOTH = [FIRST, NEXT]
PLANS = {
    "normal": {"first_response": 600, "next_response": 600, "resolution": 1200},
    "high": {"first_response": 180, "next_response": 180},
}


def each(what: str, *members: Any, of: list[str] = BOTH) -> list[tuple[Any, ...]]:
    """Return the same event of several clocks."""
    return [(what, target, *members) for target in of]


async def test_a_new_request_schedules_both_responses(world: World) -> None:
    """Both clocks run from the receipt, due a working day later; the event names ticket, number and policy."""
    ticket = await world.submit(organization_id="shop")
    events = await world.events(ticket)
    assert [what for what, _ in events] == ["scheduled", "scheduled"]
    data = events[0][1]
    assert data["actor"] == {"id": "sla", "role": "service", "client_id": None}
    assert {name: data[name] for name in data if name != "actor"} == {
        "organization_id": "shop",
        "number": ticket.number,
        "ticket_id": ticket.id,
        "target": FIRST,
        "due_at": MONDAY + 10 * HOUR,
        "elapsed_minutes": 0,
        "policy_version": VERSION,
        "rule": "normal",
        "target_minutes": 600,
    }


async def test_high_urgency_has_three_hours(world: World) -> None:
    """A request that is high from the start is due after 180 business minutes."""
    ticket = await world.submit(urgency="high")
    assert await world.told(ticket, "due_at") == each("scheduled", MONDAY + 3 * HOUR)


async def test_an_urgency_that_the_policy_does_not_time_runs_by_its_first(world: World) -> None:
    """A level without targets of its own is timed like the policy's first, so that no request goes untimed."""
    ticket = await world.submit(urgency="odd")
    assert await world.told(ticket, "due_at") == each("scheduled", MONDAY + 10 * HOUR)


async def test_an_answer_meets_both_and_a_question_starts_the_next(world: World) -> None:
    """The first response stays met; the next one runs from each first unanswered message of the client's."""
    ticket = await world.submit()
    await world.answer(ticket, MONDAY + HOUR)
    await world.ask(ticket, MONDAY + 2 * HOUR)
    await world.ask(ticket, MONDAY + 3 * HOUR)
    await world.answer(ticket, MONDAY + 4 * HOUR)
    due, later = MONDAY + 10 * HOUR, MONDAY + 26 * HOUR
    assert await world.told(ticket, "elapsed_minutes", "due_at") == [
        *each("scheduled", 0, due),
        *each("met", 60, due),
        ("scheduled", NEXT, 0, later),
        ("met", NEXT, 120, later),
    ]


async def test_waiting_stops_the_clocks_and_resuming_moves_the_deadline(world: World) -> None:
    """Waiting cancels what ran; what is left of the time is scheduled anew when it goes on."""
    ticket = await world.submit()
    await world.tell(ticket, "ticket.waiting", MONDAY + HOUR, cause="third_party")
    await world.ask(ticket, MONDAY + 2 * HOUR)
    assert {clock["state"] for clock in (await world.clocks(ticket)).values()} == {"paused"}
    await world.tell(ticket, "ticket.resumed", MONDAY + 3 * HOUR, cause="third_party")
    assert await world.told(ticket, "elapsed_minutes", "due_at") == [
        *each("scheduled", 0, MONDAY + 10 * HOUR),
        *each("cancelled", 60, MONDAY + 10 * HOUR),
        *each("scheduled", 60, MONDAY + 26 * HOUR),
    ]


def owes(at: datetime, duplicate: str = "dup") -> dict[str, Any]:
    """Return the data of a duplicate's coming or going, with a message of it that was received then."""
    return {"duplicate": duplicate, "duplicate_number": duplicate, "owed": [{"ticket_id": duplicate, "since": at}]}


async def test_a_duplicate_brings_its_clock_and_takes_it_back(world: World) -> None:
    """After an answer the next response runs from the answer on; when the merge is taken back it is cancelled."""
    ticket = await world.submit()
    await world.answer(ticket, MONDAY + 2 * HOUR)
    await world.tell(ticket, "ticket.duplicate_joined", MONDAY + 3 * HOUR, **owes(MONDAY + HOUR))
    await world.tell(ticket, "ticket.duplicate_left", MONDAY + 4 * HOUR, **owes(MONDAY + HOUR))
    assert (await world.clocks(ticket))[NEXT]["state"] == "idle"
    told = [event for event in await world.told(ticket, "elapsed_minutes") if event[1] == NEXT]
    assert told[-2:] == [("scheduled", NEXT, 60), ("cancelled", NEXT, 120)]


async def test_what_is_owed_besides_a_duplicate_runs_from_its_own_receipt(world: World) -> None:
    """Without the duplicate the clock runs as if it had never come: from the first message to the request itself."""
    ticket = await world.submit()
    await world.answer(ticket, MONDAY + HOUR)
    await world.tell(ticket, "ticket.duplicate_joined", MONDAY + 2 * HOUR, **owes(MONDAY + 2 * HOUR))
    await world.ask(ticket, MONDAY + 3 * HOUR)
    await world.tell(ticket, "ticket.duplicate_joined", MONDAY + 3 * HOUR, **owes(MONDAY + 3 * HOUR, "other"))
    await world.tell(ticket, "ticket.duplicate_left", MONDAY + 4 * HOUR, **owes(MONDAY + 2 * HOUR))
    told = [event for event in await world.told(ticket, "due_at") if event[1] == NEXT]
    assert told[-2:] == [("scheduled", NEXT, MONDAY + 26 * HOUR), ("scheduled", NEXT, MONDAY + 27 * HOUR)]


async def test_a_duplicate_that_comes_while_the_request_waits_counts_when_it_goes_on(world: World) -> None:
    """What is owed for a duplicate's sake stands still while the request waits for the client, and doesn't end that."""
    ticket = await world.submit()
    await world.answer(ticket, MONDAY + HOUR)
    await world.tell(ticket, "ticket.waiting", MONDAY + 2 * HOUR)
    await world.tell(ticket, "ticket.duplicate_joined", MONDAY + 3 * HOUR, **owes(MONDAY))
    assert (await world.clocks(ticket))[NEXT]["state"] == "paused"
    await world.ask(ticket, MONDAY + 4 * HOUR)
    assert (await world.clocks(ticket))[NEXT]["due_at"].startswith((MONDAY + 28 * HOUR).isoformat()[:16])


async def test_the_client_ends_waiting_for_the_client(world: World) -> None:
    """The message itself lets the clocks go on; the resumption that follows adds nothing."""
    ticket = await world.submit()
    await world.tell(ticket, "ticket.waiting", MONDAY + HOUR)
    await world.ask(ticket, MONDAY + 2 * HOUR)
    await world.tell(ticket, "ticket.resumed", MONDAY + 2 * HOUR)
    assert [what for what, _ in await world.told(ticket)] == ["scheduled"] * 2 + ["cancelled"] * 2 + ["scheduled"] * 2


async def test_triage_to_another_urgency_times_by_its_targets(world: World) -> None:
    """A judged urgency moves the deadline, counted from the same start; a judgement that changes none does nothing."""
    ticket = await world.submit()
    await world.tell(ticket, "ticket.triaged", MONDAY + HOUR, urgency="normal")
    await world.tell(ticket, "ticket.triaged", MONDAY + HOUR, urgency="high")
    await world.tell(ticket, "ticket.triaged", MONDAY + 2 * HOUR, urgency="normal")
    assert await world.told(ticket, "elapsed_minutes", "due_at") == [
        *each("scheduled", 0, MONDAY + 10 * HOUR),
        *each("scheduled", 60, MONDAY + 3 * HOUR),
        *each("scheduled", 120, MONDAY + 10 * HOUR),
    ]


async def test_a_target_that_an_urgency_lacks_is_dropped_and_comes_back(world: World) -> None:
    """Where high has no resolution target its clock is cancelled, is shown no more, and runs again after normal."""
    await world.deliver(world.policy("plans", minutes=PLANS))
    ticket = await world.submit(policy_version="plans")
    resolution = (await world.clocks(ticket))[RESOLUTION]
    await world.tell(ticket, "ticket.triaged", MONDAY + HOUR, urgency="high")
    assert sorted(await world.clocks(ticket)) == BOTH
    assert (await world.get(f"/v1/clocks/{resolution['id']}/explanation")).status_code == 404
    await world.tell(ticket, "ticket.triaged", MONDAY + 2 * HOUR, urgency="normal")
    told = [event for event in await world.told(ticket, "elapsed_minutes") if event[1] == RESOLUTION]
    assert told == [("scheduled", RESOLUTION, 0), ("cancelled", RESOLUTION, 60), ("scheduled", RESOLUTION, 120)]


async def test_a_target_that_is_overdue_from_its_beginning_is_breached_at_once(world: World) -> None:
    """A target that comes with a later urgency and has already run out is warned of and breached, once each."""
    await world.deliver(world.policy("plans", minutes=PLANS))
    ticket = await world.submit(policy_version="plans", urgency="high")
    await world.answer(ticket, MONDAY + HOUR)
    late = MONDAY + timedelta(days=3)
    await world.move(late)
    await world.tell(ticket, "ticket.triaged", late, urgency="normal")
    await world.move(late)
    told = [event for event in await world.told(ticket, "elapsed_minutes") if event[1] == RESOLUTION]
    assert told == [("scheduled", RESOLUTION, 1800), ("warned", RESOLUTION, 900), ("breached", RESOLUTION, 1200)]


@pytest.mark.parametrize(("event", "facts"), [("ticket.resolved", {}), ("ticket.closed", {"reason": "spam"})])
async def test_ending_without_an_answer_cancels_and_reopening_starts_anew(
    world: World, event: str, facts: dict[str, Any]
) -> None:
    """Resolving and closing end the promise; the next response counts from the instant of reopening."""
    ticket = await world.submit()
    await world.tell(ticket, event, MONDAY + HOUR, **facts)
    assert {clock["state"] for clock in (await world.clocks(ticket)).values()} == {"idle"}
    await world.tell(ticket, "ticket.reopened", MONDAY + 5 * HOUR)
    assert await world.told(ticket, "elapsed_minutes", "due_at") == [
        *each("scheduled", 0, MONDAY + 10 * HOUR),
        *each("cancelled", 60, MONDAY + 10 * HOUR),
        ("scheduled", FIRST, 60, MONDAY + 28 * HOUR),
        ("scheduled", NEXT, 0, MONDAY + 29 * HOUR),
    ]


async def test_reopening_after_an_answer_restarts_the_next_response_only(world: World) -> None:
    """The first response stays met for good."""
    ticket = await world.submit()
    await world.answer(ticket, MONDAY + HOUR)
    await world.tell(ticket, "ticket.resolved", MONDAY + HOUR)
    await world.tell(ticket, "ticket.closed", MONDAY + 2 * HOUR)
    await world.tell(ticket, "ticket.reopened", MONDAY + 3 * HOUR)
    assert (await world.told(ticket, "due_at"))[4:] == [("scheduled", NEXT, MONDAY + 27 * HOUR)]


async def test_resolving_meets_the_resolution(world: World) -> None:
    """Where the policy times resolutions, resolved means met; closing afterwards moves nothing."""
    await world.deliver(world.policy("plans", minutes=PLANS))
    ticket = await world.submit(policy_version="plans")
    await world.answer(ticket, MONDAY + HOUR)
    await world.tell(ticket, "ticket.resolved", MONDAY + 2 * HOUR)
    await world.tell(ticket, "ticket.closed", MONDAY + 3 * HOUR)
    told = [event for event in await world.told(ticket, "elapsed_minutes") if event[1] == RESOLUTION]
    assert told == [("scheduled", RESOLUTION, 0), ("met", RESOLUTION, 120)]


@pytest.mark.parametrize("side", ["client", "staff"])
async def test_what_robots_write_counts_for_nothing(world: World, side: str) -> None:
    """An automatic message answers nothing, asks nothing and ends no waiting."""
    ticket = await world.submit()
    await world.tell(ticket, "ticket.waiting", MONDAY + HOUR)
    before = await world.told(ticket)
    await world.tell(ticket, "ticket.replied", MONDAY + 2 * HOUR, side=side, automatic=True)
    assert await world.told(ticket) == before
    assert {clock["state"] for clock in (await world.clocks(ticket)).values()} == {"paused"}


async def test_a_request_from_a_robot_starts_no_clock_until_a_person_writes(world: World) -> None:
    """A request opened from automatic mail owes no answer; a person's message is then timed by its urgency."""
    ticket = await world.submit(urgency="high", automatic=True)
    assert await world.told(ticket) == []
    await world.ask(ticket, MONDAY + HOUR)
    assert await world.told(ticket, "due_at") == each("scheduled", MONDAY + 4 * HOUR)


@pytest.mark.parametrize("event", ["ticket.noted", "ticket.opened", "ticket.supervisor_requested"])
async def test_what_is_not_correspondence_moves_no_clock(world: World, event: str) -> None:
    """Notes, claims and supervisor requests are taken and change nothing."""
    ticket = await world.submit()
    await world.tell(ticket, event, MONDAY + HOUR)
    await world.answer(ticket, MONDAY + 2 * HOUR)
    assert [what for what, _ in await world.told(ticket)] == ["scheduled"] * 2 + ["met"] * 2


async def test_clocks_count_from_the_receipt_and_split_ones_from_the_split(world: World) -> None:
    """A mail is timed from when it came in, a split request from the split, though its message is older."""
    now = MONDAY + 5 * HOUR
    received, split = await world.submit(now, received_at=MONDAY), world.ticket()
    await world.tell(split, "ticket.submitted", now, received_at=MONDAY, split_from=received.id)
    assert await world.told(received, "due_at") == each("scheduled", MONDAY + 10 * HOUR)
    assert await world.told(split, "due_at") == each("scheduled", MONDAY + 29 * HOUR)


async def test_an_event_of_an_unknown_policy_waits_for_it(bare: World) -> None:
    """The clocks start, from the receipt, as soon as the policy version arrives; later events wait with the first."""
    ticket = await bare.submit()
    await bare.answer(ticket, MONDAY + HOUR)
    assert await bare.told(ticket) == []
    await bare.deliver(bare.policy())
    assert bare.runtime.inbox is not None
    assert await bare.runtime.inbox.retry_waiting() == 0
    assert await bare.told(ticket, "elapsed_minutes") == [*each("scheduled", 0), *each("met", 60)]


async def test_a_ticket_keeps_its_policy_version(world: World) -> None:
    """A later version with other targets times new requests only."""
    old = await world.submit()
    await world.deliver(world.policy("test-2", minutes={"normal": {"first_response": 60, "next_response": 60}}))
    await world.tell(old, "ticket.reopened", MONDAY + HOUR)
    new = await world.submit(policy_version="test-2")
    assert (await world.told(old, "due_at"))[-1] == ("scheduled", NEXT, MONDAY + 25 * HOUR)
    assert await world.told(new, "due_at") == each("scheduled", MONDAY + HOUR)


async def test_a_message_let_in_after_an_answer_is_not_answered_by_it(world: World) -> None:
    """A held mail that is accepted late is owed an answer, whenever it was received."""
    ticket = await world.submit()
    await world.answer(ticket, MONDAY + 2 * HOUR)
    await world.ask(ticket, MONDAY + 5 * HOUR, received_at=MONDAY + HOUR)
    assert (await world.told(ticket, "elapsed_minutes", "due_at"))[-1] == ("scheduled", NEXT, 180, MONDAY + 26 * HOUR)


async def test_of_two_messages_let_in_the_earlier_received_counts(world: World) -> None:
    """Messages of the client's keep the times of their receipt among themselves."""
    ticket = await world.submit()
    await world.answer(ticket, MONDAY)
    await world.ask(ticket, MONDAY + 5 * HOUR)
    await world.ask(ticket, MONDAY + 6 * HOUR, received_at=MONDAY + HOUR)
    assert (await world.clocks(ticket))[NEXT]["due_at"] == "2026-11-24T07:00:00Z"


async def test_a_clock_of_the_machine_that_is_set_back_turns_nothing_round(world: World) -> None:
    """An answer whose time lies a day before its question still answers it, and is known at once."""
    ticket = await world.submit(MONDAY + 24 * HOUR)
    await world.answer(ticket, MONDAY)
    assert [what for what, _ in await world.told(ticket)] == ["scheduled"] * 2 + ["met"] * 2
    assert {clock["state"] for clock in (await world.clocks(ticket)).values()} == {"met"}


async def test_sla_keeps_of_persons_only_who_may_ask(world: World) -> None:
    """No name, subject or text of a request stays in any table; addresses only where an erasure deletes them."""
    ticket = await world.submit(organization_id="shop")
    await world.ask(ticket, MONDAY + HOUR)
    with sqlite3.connect(world.path) as connection:
        lines = [line for line in connection.iterdump() if not line.startswith('INSERT INTO "policy"')]
    connection.close()
    kept = [line for line in lines if not line.startswith(('INSERT INTO "participant"', 'INSERT INTO "person"'))]
    assert any(line.startswith('INSERT INTO "fact"') for line in kept)
    assert not [line for line in kept if "clara" in line.lower() or "slow" in line or "Hello" in line]

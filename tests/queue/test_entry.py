"""The rules of an entry: when there is one, by which key, which claims jump, and how that is explained."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any

import pytest
from firstline.common.errors import StaleClaim
from firstline.common.events import EventData, TicketEvent
from firstline.queue.entry import (
    Entry,
    Inversion,
    Key,
    Rules,
    Way,
    check_holder,
    fold,
    inversion,
    is_held,
    way_by_hand,
    why,
    why_no_place,
)

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MakeEvent = Callable[..., EventData]
Step = tuple[str, dict[str, Any]]


def at(minute: float) -> datetime:
    """Return the instant that many minutes after noon."""
    return NOON + timedelta(minutes=minute)


def submitted(minute: float = 0, **data: Any) -> Step:
    """Return a submission received at a minute."""
    return "ticket.submitted", {"received_at": at(minute), **data}


def asked(minute: float, **data: Any) -> Step:
    """Return a client's message received at a minute."""
    return "ticket.replied", {"side": "client", "received_at": at(minute), **data}


def answered(minute: float, **data: Any) -> Step:
    """Return a public staff message."""
    return "ticket.replied", {"side": "staff", "received_at": at(minute), **data}


def step(event_type: str, **data: Any) -> Step:
    """Return any other event."""
    return event_type, data


REOPENED = step("ticket.reopened", received_at=at(9))
WAITING, RESOLVED, CLOSED = step("ticket.waiting"), step("ticket.resolved"), step("ticket.closed")
RESUMED = step("ticket.resumed", cause="third_party")


def play(event: MakeEvent, *steps: Step, rules: Rules | None = None) -> Entry:
    """Fold steps, each a minute after the one before, at positions 1, 2, 3 ..."""

    def after(entry: Entry | None, numbered: tuple[int, Step]) -> Entry:
        position, (event_type, data) = numbered
        told = event(event_type, **data)
        assert isinstance(told, TicketEvent)
        return fold(entry, "t", told, at(position - 1), position, rules or Rules())

    found = reduce(after, enumerate(steps, 1), None)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("steps", "since", "position"),
    [
        ([submitted()], 0, 1),
        ([submitted(), asked(1), asked(2)], 0, 1),
        ([submitted(), answered(1), asked(2), asked(3)], 2, 3),
        ([submitted(), step("ticket.noted"), step("ticket.opened")], 0, 1),
        ([submitted(), step("ticket.supervisor_requested"), asked(2)], 0, 1),
        ([submitted(), answered(1), asked(2), step("ticket.waiting"), RESUMED], 2, 3),
        ([submitted(), WAITING, asked(2), step("ticket.resumed")], 0, 1),
        ([submitted(), answered(1), WAITING, asked(3), step("ticket.resumed")], 3, 4),
        ([submitted(), answered(1), WAITING, step("ticket.resumed", cause="release")], 3, 4),
        ([submitted(), answered(1), WAITING, step("ticket.released", status="waiting"), RESUMED], 3, 4),
        ([submitted(), WAITING, step("ticket.released"), step("ticket.resumed", cause="release")], 0, 1),
        ([submitted(), answered(1), RESOLVED, REOPENED], 9, 4),
        ([submitted(), answered(1), CLOSED, asked(9), REOPENED], 9, 4),
        ([submitted(), answered(1), CLOSED, asked(9, status="closed"), REOPENED], 9, 4),
        ([submitted(), CLOSED, REOPENED], 9, 3),
        ([submitted(), RESOLVED, answered(9), REOPENED], 9, 4),
        ([submitted(5), asked(6), asked(3)], 3, 3),
        ([submitted(5), answered(6), asked(3)], 3, 3),
        ([submitted(2, split_from="another")], 2, 1),
    ],
)
def test_who_waits_has_a_place(event: MakeEvent, steps: list[Step], since: int, position: int) -> None:
    """The key is that of the earliest thing that staff have not answered: message, else reopening or return."""
    key = play(event, *steps).key
    assert key == Key(out_of_turn=False, since=at(since), position=position)


@pytest.mark.parametrize(
    "steps",
    [
        [submitted(automatic=True)],
        [submitted(), answered(1)],
        [submitted(), asked(1), answered(2)],
        [submitted(), WAITING],
        [submitted(), WAITING, asked(2, status="waiting")],
        [submitted(), step("ticket.handed_over", status="waiting", defect_ref="D-1")],
        [submitted(), RESOLVED],
        [submitted(), CLOSED],
        [submitted(), step("ticket.merged"), CLOSED],
        [submitted(), answered(1), RESUMED],
        [submitted(), answered(1), asked(2, automatic=True)],
        [submitted(), answered(1), step("ticket.noted")],
        [submitted(), answered(1), CLOSED, asked(3, automatic=True, status="closed")],
        [submitted(), answered(1), step("ticket.triaged", urgency="high")],
    ],
)
def test_who_does_not_wait_has_none(event: MakeEvent, steps: list[Step]) -> None:
    """An answer, waiting, resolution or closing ends the entry; robots, notes and judgements make none."""
    assert play(event, *steps).key is None


def test_robots_answer_nothing(event: MakeEvent) -> None:
    """An automatic message, whoever's side it is on, leaves the client's question unanswered."""
    key = play(event, submitted(), answered(1, automatic=True)).key
    assert key == Key(out_of_turn=False, since=at(0), position=1)


@pytest.mark.parametrize(
    ("steps", "out_of_turn"),
    [
        ([submitted(urgency="normal")], False),
        ([submitted(urgency="high", urgency_provisional=True)], True),
        ([submitted(urgency="high"), step("ticket.triaged", urgency="normal")], False),
        ([submitted(urgency="high"), step("ticket.triaged", urgency="high")], True),
        ([submitted(), step("ticket.triaged", urgency="high")], True),
        ([submitted(urgency="high"), answered(1), asked(2)], True),
        ([submitted(urgency="low")], False),
    ],
)
def test_only_high_urgency_is_out_of_turn(event: MakeEvent, steps: list[Step], *, out_of_turn: bool) -> None:
    """Provisional urgency counts until it is returned; a judgement never changes the instant that counts."""
    entry = play(event, *steps)
    assert (entry.key and entry.key.out_of_turn) is out_of_turn
    assert entry.since == (at(2) if len(steps) == 3 else at(0))


def test_a_returned_ticket_stands_where_it_came_in(event: MakeEvent) -> None:
    """Returning an urgent ticket gives it the very key that it would have had without the urgency."""
    returned = play(event, submitted(3, urgency="high"), step("ticket.triaged", urgency="normal"))
    assert returned.key == play(event, submitted(3)).key
    assert (returned.urgency, returned.urgency_provisional) == ("normal", False)


def test_the_policy_names_the_levels(event: MakeEvent) -> None:
    """Which levels are out of turn is the policy's word."""
    rules = Rules(levels=("critical",))
    assert play(event, submitted(urgency="critical"), rules=rules).out_of_turn
    assert not play(event, submitted(urgency="high"), rules=rules).out_of_turn


def test_triage_changes_what_claims_look_at(event: MakeEvent) -> None:
    """A judgement brings topic and tier along and leaves subject and number."""
    entry = play(event, submitted(), step("ticket.triaged", urgency="normal", topic="updates", tier="development"))
    assert (entry.topic, entry.tier, entry.subject) == ("updates", "development", "The shop is slow")


def test_a_claim_ends_with_the_entry(event: MakeEvent) -> None:
    """When the entry goes, holder and lease go; fence and owner stay."""
    held = replace(play(event, submitted()), agent="anna", owner="anna", fence=3, lease_expires_at=at(30))
    after = {}
    for event_type, data in (answered(1), WAITING, RESOLVED, CLOSED, asked(1), step("ticket.noted")):
        told = event(event_type, **data)
        assert isinstance(told, TicketEvent)
        entry = fold(held, "t", told, at(1), 2, Rules())
        assert (entry.fence, entry.owner) == (3, "anna")
        after[event_type, data.get("side")] = (entry.agent, entry.lease_expires_at)
    kept = (("ticket.replied", "client"), ("ticket.noted", None))
    assert {name for name, claim in after.items() if claim == ("anna", at(30))} == set(kept)
    assert {claim for name, claim in after.items() if name not in kept} == {(None, None)}


def test_a_ticket_begins_with_its_submission(event: MakeEvent) -> None:
    """An event of a ticket that was never submitted is refused, so that it is parked and seen."""
    told = event("ticket.noted")
    assert isinstance(told, TicketEvent)
    with pytest.raises(LookupError, match="never submitted"):
        fold(None, "t", told, NOON, 1, Rules())


URGENT, EARLY, LATE = Key(True, at(5), 6), Key(False, at(1), 2), Key(False, at(3), 4)
LATER_URGENT = Key(True, at(7), 8)


@pytest.mark.parametrize(
    ("taken", "left", "way", "reason"),
    [
        (EARLY, [], "next", None),
        (EARLY, [LATE], "next", None),
        (URGENT, [LATER_URGENT], "next", None),
        (URGENT, [EARLY], "next", "out_of_turn"),
        (URGENT, [EARLY], "filtered", "out_of_turn"),
        (URGENT, [Key(False, at(6), 7)], "next", None),
        (LATE, [EARLY], "filtered", "tier_or_skill"),
        (LATE, [EARLY], "next", "arrival_lag"),
        (LATER_URGENT, [URGENT], "next", "arrival_lag"),
        (EARLY, [URGENT], "bounded", "out_of_turn"),
        (LATE, [EARLY], "by_hand", "by_hand"),
        (EARLY, [URGENT], "by_hand", "by_hand"),
        (URGENT, [EARLY], "by_hand", "by_hand"),
        (EARLY, [LATE], "by_hand", None),
        (LATE, [EARLY], "own_ticket", "own_ticket"),
        (LATE, [EARLY], "supervisor", "supervisor"),
        (Key(False, at(1), 3), [EARLY], "filtered", "tier_or_skill"),
    ],
)
def test_every_jump_has_its_reason(taken: Key, left: list[Key], way: Way, reason: Inversion | None) -> None:
    """A claim that passes over an entry that came or stands before it has one of six reasons; others have none."""
    assert inversion(taken, left, way) == reason


def test_naming_a_ticket_counts_by_who_does_it(event: MakeEvent) -> None:
    """The owner takes their own, also as a supervisor; else a supervisor counts as such, a specialist as by hand."""
    entry = replace(play(event, submitted()), owner="anna")
    assert way_by_hand(entry, "anna", leader=False) == way_by_hand(entry, "anna", leader=True) == "own_ticket"
    assert way_by_hand(entry, "sonja", leader=True) == "supervisor"
    assert way_by_hand(entry, "boris", leader=False) == "by_hand"


@pytest.mark.parametrize(
    ("caller", "fence", "minute", "leader", "passes"),
    [
        ("anna", 3, 10, False, True),
        ("anna", None, 10, False, True),
        ("anna", 2, 10, False, False),
        ("anna", 4, 10, False, False),
        ("boris", 3, 10, False, False),
        ("boris", None, 10, False, False),
        ("sonja", None, 10, True, True),
        ("sonja", 2, 10, True, False),
        ("anna", 3, 29.99, False, True),
        ("anna", 3, 30, False, False),
        ("sonja", None, 30, True, False),
    ],
)
def test_who_may_change_a_claim(
    event: MakeEvent, caller: str, fence: int | None, minute: float, *, leader: bool, passes: bool
) -> None:
    """The holder and leaders pass while the lease runs and the fence, where one is shown, is the claim's."""
    entry = replace(play(event, submitted()), agent="anna", fence=3, lease_expires_at=at(30))
    if passes:
        check_holder(entry, caller, fence, at(minute), leader=leader)
        return
    with pytest.raises(StaleClaim):
        check_holder(entry, caller, fence, at(minute), leader=leader)


def test_nobody_holds_what_was_never_claimed(event: MakeEvent) -> None:
    """Without a claim nobody passes, not even a leader."""
    entry = play(event, submitted())
    assert not is_held(entry, NOON)
    with pytest.raises(StaleClaim):
        check_holder(entry, "sonja", None, NOON, leader=True)


def test_a_place_is_explained(event: MakeEvent) -> None:
    """The sentences say the order, the instant that counts, the urgency, who goes first and the bound."""
    plain, urgent = play(event, submitted()), play(event, submitted(urgency="high", urgency_provisional=True))
    order = [
        "Requests are answered in the order in which they came in.",
        "This one counts from 2026-11-23 12:00 UTC; further messages do not move it.",
    ]
    assert why(plain, 0, Rules(max_in_a_row=3)) == order
    assert why(plain, 1, Rules()) == [*order, "1 request ahead of it is served out of turn, being more urgent."]
    assert why(plain, 1001, Rules(max_in_a_row=3))[2:] == [
        "More than 1000 requests ahead of it are served out of turn, being more urgent.",
        "At most 3 in a row are served out of turn.",
    ]
    assert why(urgent, 5, Rules()) == [
        *order,
        "Its urgency is high, so it is served out of turn, before the others.",
        "A specialist has yet to confirm the urgency.",
    ]
    assert why(replace(plain, agent="anna"), 5, Rules()) == ["A specialist is working on it now."]


def test_explanations_use_the_words_of_clients(event: MakeEvent) -> None:
    """No sentence says ticket, names a specialist or shows a field of the store."""
    urgent = play(event, submitted(urgency="high", urgency_provisional=True))
    texts = [sentence for ahead in (0, 1, 7, 1001) for sentence in why(urgent, ahead, Rules(max_in_a_row=2))]
    texts += why(replace(urgent, agent="anna"), 0, Rules())
    texts += [why_no_place(replace(urgent, status=status)) for status in ("open", "waiting", "resolved", "closed")]
    assert len(set(texts)) > 8
    assert [text for text in texts if re.search(r"ticket|anna|_|\bkey\b|\blease\b", text)] == []

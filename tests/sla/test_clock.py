"""Clocks by example: what starts, stops and breaches them, what is explained (clauses 2.1, 2.3, 4.7)."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from firstline.common.calendar import CalendarExhausted, parse_calendar
from firstline.common.errors import Invalid
from firstline.sla.clock import Clock, explain, fold
from firstline.sla.history import ClockEvent
from firstline.sla.targets import Target, Warn, fixed

OFFICE = {"tz": "UTC", "hours": {day: [["06:00", "16:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}}
CALENDAR = parse_calendar(OFFICE)
TARGETS: dict[Target, float] = {"first_response": 600, "next_response": 180, "resolution": 2400}


def at(text: str) -> datetime:
    """Return an instant of the week from Monday 23 November 2026, such as `mon 08:00`."""
    day, clock = text.split()
    date = datetime(2026, 11, 20, tzinfo=UTC) + timedelta(
        days=("fri0", "sat", "sun", "mon", "tue", "wed", "thu", "fri").index(day)
    )
    hour, minute = clock.split(":")
    return date.replace(hour=int(hour), minute=int(minute))


def told(*events: str) -> list[ClockEvent]:
    """Return a history from lines such as `mon 08:00 wait client`."""
    history = []
    for line in events:
        day, clock, kind, *cause = line.split()
        given: Any = {"type": kind, "at": at(f"{day} {clock}"), "cause": cause[0] if cause else None}
        history.append(ClockEvent(**given))
    return history


def clocks(*events: str, as_of: str, targets: dict[Target, float] = TARGETS, warning: float = 1) -> dict[str, Clock]:
    """Return the clocks of a history by target."""
    return {clock.target: clock for clock in fold(told(*events), fixed(targets, Warn(warning)), CALENDAR, at(as_of))}


def states(*events: str, as_of: str) -> tuple[str, str, str]:
    """Return the states of first response, next response and resolution."""
    first, following, resolution = clocks(*events, as_of=as_of).values()
    return first.state, following.state, resolution.state


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], ("idle", "idle", "idle")),
        (["mon 08:00 created"], ("running", "running", "running")),
        (["mon 08:00 created", "mon 09:00 staff_reply"], ("met", "met", "running")),
        (["mon 08:00 created", "mon 09:00 staff_reply", "mon 10:00 client_message"], ("met", "running", "running")),
        (["mon 08:00 created", "mon 09:00 wait client"], ("paused", "paused", "paused")),
        (["mon 08:00 created", "mon 09:00 wait client", "mon 10:00 client_message"], ("running", "running", "running")),
        (
            ["mon 08:00 created", "mon 09:00 wait third_party", "mon 10:00 client_message"],
            ("paused", "paused", "paused"),
        ),
        (["mon 08:00 created", "mon 09:00 wait release", "mon 10:00 resume"], ("running", "running", "running")),
        (["mon 08:00 created", "mon 09:00 wait", "mon 10:00 client_message"], ("paused", "paused", "paused")),
        (["mon 08:00 created", "mon 09:00 staff_reply", "mon 09:00 wait client"], ("met", "met", "paused")),
        (["mon 08:00 created", "mon 09:00 wait client", "mon 10:00 staff_reply"], ("met", "met", "paused")),
        (["mon 08:00 created", "mon 09:00 resolved"], ("idle", "idle", "met")),
        (["mon 08:00 created", "mon 09:00 closed"], ("idle", "idle", "met")),
        (["mon 08:00 created", "mon 08:30 staff_reply", "mon 09:00 resolved"], ("met", "idle", "met")),
        (["mon 08:00 created", "mon 09:00 resolved", "mon 10:00 reopened"], ("running", "running", "running")),
        (
            ["mon 08:00 created", "mon 08:30 staff_reply", "mon 09:00 closed", "mon 10:00 reopened"],
            ("met", "running", "running"),
        ),
        (["mon 08:00 created", "mon 09:00 resolved", "mon 10:00 client_message"], ("idle", "idle", "met")),
        (["mon 08:00 created", "mon 09:00 resolved", "mon 10:00 staff_reply"], ("met", "idle", "met")),
        (["mon 08:00 created", "mon 09:00 internal_note"], ("running", "running", "running")),
        (["mon 08:00 created", "mon 09:00 resume"], ("running", "running", "running")),
        (["mon 08:00 created", "mon 09:00 resolved", "mon 10:00 wait client"], ("idle", "idle", "met")),
        (
            ["mon 08:00 created", "mon 09:00 wait client", "mon 09:30 resolved", "mon 10:00 resume"],
            ("idle", "idle", "met"),
        ),
        (
            ["mon 08:00 created", "mon 09:00 wait client", "mon 10:00 wait release", "mon 11:00 client_message"],
            ("paused", "paused", "paused"),
        ),
        (
            ["mon 08:00 created", "mon 09:00 wait release", "mon 10:00 wait client", "mon 11:00 client_message"],
            ("running", "running", "running"),
        ),
        (["mon 08:00 staff_reply", "mon 09:00 created"], ("met", "running", "running")),
    ],
)
def test_states(events: list[str], expected: tuple[str, str, str]) -> None:
    """Each fact moves exactly the clocks that it concerns."""
    assert states(*events, as_of="mon 12:00") == expected


def test_later_messages_do_not_shift_the_deadline() -> None:
    """The next response is owed from the first unanswered message; asking again changes nothing (clause 2.3)."""
    asked = ["mon 06:00 created", "mon 07:00 staff_reply", "mon 08:00 client_message"]
    due = clocks(*asked, as_of="mon 10:00")["next_response"].due_at
    assert due == at("mon 11:00")
    assert (
        clocks(*asked, "mon 08:30 client_message", "mon 09:00 client_message", as_of="mon 10:00")[
            "next_response"
        ].due_at
        == due
    )


def test_any_public_staff_message_answers() -> None:
    """An answer that is only a link counts (clause 4.7); an internal note doesn't."""
    assert (
        clocks("mon 08:00 created", "mon 09:00 staff_reply", as_of="mon 09:00")["first_response"].elapsed_minutes == 60
    )
    assert clocks("mon 08:00 created", "mon 09:00 internal_note", as_of="mon 10:00")["first_response"].due_at == at(
        "tue 08:00"
    )


def test_reopening_starts_the_next_response_at_that_instant() -> None:
    """What was unanswered before doesn't count; the first response stays met, the resolution's clock goes on."""
    found = clocks(
        "mon 06:00 created",
        "mon 07:00 staff_reply",
        "mon 08:00 client_message",
        "mon 09:00 resolved",
        "tue 06:00 reopened",
        as_of="tue 07:00",
    )
    assert (found["next_response"].started_at, found["next_response"].due_at) == (at("tue 06:00"), at("tue 09:00"))
    assert found["first_response"].state == "met"
    assert found["resolution"].elapsed_minutes == 180 + 60


def test_reopening_a_ticket_that_was_never_answered_lets_the_first_response_go_on() -> None:
    """Time resolved is not counted, time before it is."""
    first = clocks("mon 06:00 created", "mon 07:00 resolved", "tue 06:00 reopened", as_of="tue 08:00")["first_response"]
    assert (first.state, first.elapsed_minutes, first.due_at) == ("running", 180, at("tue 15:00"))


def test_nothing_is_due_while_waiting_and_waiting_is_not_counted() -> None:
    """Two hours used before waiting leave one hour after it, however long it took."""
    events = ["mon 06:00 created", "mon 08:00 wait third_party"]
    waiting = clocks(*events, as_of="thu 12:00", warning=0.5)["next_response"]
    assert (waiting.state, waiting.due_at, waiting.warn_at, waiting.breached) == ("paused", None, None, False)
    assert waiting.elapsed_minutes == 120
    assert clocks(*events, "thu 15:30 resume", as_of="thu 15:30")["next_response"].due_at == at("fri 06:30")


def test_a_message_while_waiting_for_somebody_else_is_owed_from_the_return() -> None:
    """Its clock is paused at zero and begins to count when the waiting ends."""
    events = ["mon 06:00 created", "mon 07:00 staff_reply", "mon 08:00 wait release", "mon 09:00 client_message"]
    assert clocks(*events, as_of="mon 12:00")["next_response"].elapsed_minutes == 0
    assert clocks(*events, "tue 06:00 resume", as_of="tue 06:00")["next_response"].due_at == at("tue 09:00")


def test_a_deadline_at_closing_is_due_at_closing() -> None:
    """Three hours from 13:00 end with the working day."""
    assert clocks("mon 13:00 created", as_of="mon 14:00")["next_response"].due_at == at("mon 16:00")


def test_a_clock_is_breached_from_its_deadline_on() -> None:
    """One microsecond before it is not, at the deadline it is, and the deadline stays where it was."""
    history, due = told("mon 06:00 created"), at("mon 09:00")
    states = [fold(history, TARGETS, CALENDAR, due + timedelta(microseconds=step))[1] for step in (-1, 0, 1)]
    assert [clock.breached for clock in states] == [False, True, True]
    assert {clock.due_at for clock in states} == {due}


@pytest.mark.parametrize("last", ["mon 09:00 staff_reply", "mon 09:00 wait client", "mon 09:00 resolved"])
def test_what_happens_at_the_deadline_itself_is_in_time(last: str) -> None:
    """An answer, a question back or a solution at the very instant of the deadline breaches nothing."""
    assert not clocks("mon 06:00 created", last, as_of="mon 12:00")["next_response"].breached


@pytest.mark.parametrize(
    ("then", "breached"),
    [
        ("mon 12:00 internal_note", True),
        ("mon 12:00 client_message", True),
        ("mon 12:00 wait client", True),
        ("mon 12:00 wait client; tue 06:00 resume", True),
        ("mon 12:00 resolved", True),
        ("mon 12:00 staff_reply", False),
        ("mon 12:00 closed", False),
        ("mon 12:00 resolved; mon 13:00 closed", False),
        ("mon 12:00 resolved; mon 13:00 staff_reply", False),
        ("mon 12:00 resolved; mon 13:00 reopened", False),
    ],
)
def test_a_breach_is_sticky_until_answered_closed_or_reopened(then: str, breached: bool) -> None:
    """Waiting or resolving doesn't make an overdue answer timely; an answer, closing and reopening end the matter."""
    found = clocks("mon 06:00 created", *then.split("; "), as_of="mon 14:00")
    assert found["next_response"].breached is breached


def test_a_breach_in_closed_hours_is_seen_when_waiting_begins_there() -> None:
    """Time ran out at Monday's closing; a question back in the evening comes too late."""
    assert clocks("mon 13:00 created", "mon 18:00 wait client", as_of="tue 12:00")["next_response"].breached


def test_a_deadline_missed_before_waiting_comes_back_as_it_was() -> None:
    """After the waiting the clock is overdue since its deadline, not since the return."""
    found = clocks("mon 06:00 created", "mon 12:00 wait client", "tue 06:00 client_message", as_of="tue 07:00")
    assert found["next_response"].due_at == at("mon 09:00")
    assert found["next_response"].elapsed_minutes == 360 + 60


def test_the_resolution_is_met_late_and_stays_marked_until_closed() -> None:
    """2,400 minutes are four working days; the fifth is too late."""
    late = ["mon 06:00 created", "fri 08:00 resolved"]
    assert [clocks(*late, as_of="fri 09:00")["resolution"].breached] == [True]
    assert not clocks(*late, "fri 10:00 closed", as_of="fri 11:00")["resolution"].breached
    assert not clocks("mon 06:00 created", "thu 16:00 resolved", as_of="fri 09:00")["resolution"].breached


def test_warnings_come_at_their_share_of_business_time() -> None:
    """75 % of three hours are two and a quarter, on the same calendar as the deadline."""
    found = clocks("mon 15:00 created", as_of="mon 15:00", warning=0.75)["next_response"]
    assert (found.warn_at, found.due_at) == (at("tue 07:15"), at("tue 08:00"))


def test_a_changed_level_counts_the_same_minutes_against_another_target() -> None:
    """Raising the urgency doesn't restart the clock, lowering it forgives nothing that was missed."""

    def changed(when: str, minutes: float, as_of: str) -> Clock:
        change = ClockEvent("targets_changed", at(when), targets={"next_response": minutes})
        return fold([*told("mon 06:00 created"), change], TARGETS, CALENDAR, at(as_of))[0]

    assert changed("mon 08:00", 150, "mon 08:10").due_at == at("mon 08:30")
    assert changed("mon 08:00", 60, "mon 08:00").due_at == at("mon 07:00")
    assert changed("mon 08:00", 60, "mon 08:00").breached
    assert changed("mon 08:00", 600, "mon 12:00") == Clock(
        "next_response",
        "running",
        at("mon 06:00"),
        at("mon 16:00"),
        (),
        360,
        False,
        600,
        None,
    )
    assert changed("mon 12:00", 600, "mon 12:00").breached
    assert not changed("mon 09:00", 600, "mon 12:00").breached
    assert not changed("mon 08:00", 60, "mon 07:59").breached


def test_a_level_shortened_while_waiting_is_late_only_after_it() -> None:
    """While waiting nothing is due, whatever the targets become."""
    change = ClockEvent("targets_changed", at("mon 08:30"), targets={"next_response": 60})
    events = [*told("mon 06:00 created", "mon 08:00 wait client"), change]
    assert not fold(events, TARGETS, CALENDAR, at("mon 12:00"))[0].breached
    assert fold([*events, *told("mon 13:00 resume")], TARGETS, CALENDAR, at("mon 13:00"))[0].breached


def test_only_the_targets_asked_for_are_answered() -> None:
    """Any of the three may be left out; the order is always the same."""
    found = fold(told("mon 06:00 created"), {"resolution": 60, "first_response": 60}, CALENDAR, at("mon 06:30"))
    assert [clock.target for clock in found] == ["first_response", "resolution"]


def test_order_and_repetition_of_events_do_not_matter() -> None:
    """Delivered in any order, and with ids any number of times, a history gives one answer."""
    history = [
        ClockEvent(event.type, event.at, event.cause, id=str(number))
        for number, event in enumerate(
            told(
                "mon 06:00 created",
                "mon 07:00 wait client",
                "mon 08:00 client_message",
                "mon 09:00 staff_reply",
                "mon 10:00 client_message",
            )
        )
    ]
    expected = fold(history, TARGETS, CALENDAR, at("mon 12:00"))
    assert expected[1].elapsed_minutes == 120
    for order in permutations(history):
        assert fold([*order, *order[:3]], TARGETS, CALENDAR, at("mon 12:00")) == expected


def test_events_of_one_instant_count_in_the_order_given() -> None:
    """An answer after the question answers it, one before it doesn't."""
    assert (
        states("mon 06:00 created", "mon 08:00 client_message", "mon 08:00 staff_reply", as_of="mon 09:00")[1] == "met"
    )
    assert (
        states("mon 06:00 created", "mon 08:00 staff_reply", "mon 08:00 client_message", as_of="mon 09:00")[1]
        == "running"
    )


def test_what_happens_later_is_not_known_yet() -> None:
    """Events after the instant asked about are left out; one at the instant is in."""
    events = ["mon 06:00 created", "mon 08:00 staff_reply"]
    assert states(*events, as_of="mon 07:59")[0] == "running"
    assert states(*events, as_of="mon 08:00")[0] == "met"


def test_every_interval_is_explained() -> None:
    """Counted and uncounted time lie next to each other with reasons, closed hours as a sum."""
    events = ["fri0 15:00 created", "mon 08:00 wait client", "mon 09:00 client_message", "mon 10:00 resolved"]
    history = told(*events, "mon 12:00 reopened")
    following, resolution = explain(history, {"resolution": 2400, "next_response": 180}, CALENDAR, at("mon 13:00"))
    assert [(i.start, i.end, i.reason) for i in following.intervals] == [(at("mon 12:00"), at("mon 13:00"), "open")]
    assert [(i.reason, i.cause, i.counted, i.business_minutes, i.closed_minutes) for i in resolution.intervals] == [
        ("open", None, True, 60 + 120, 62 * 60),
        ("waiting", "client", False, 60, 0),
        ("open", None, True, 60, 0),
        ("resolved", None, False, 120, 0),
        ("open", None, True, 60, 0),
    ]
    assert [i.end for i in resolution.intervals[:-1]] == [i.start for i in resolution.intervals[1:]]


def test_the_resolutions_story_ends_with_the_solution() -> None:
    """Closing a resolved ticket adds nothing to it."""
    history = told("mon 06:00 created", "mon 10:00 resolved", "tue 10:00 closed")
    (resolution,) = explain(history, {"resolution": 2400}, CALENDAR, at("wed 10:00"))
    assert [(i.start, i.end, i.reason) for i in resolution.intervals] == [(at("mon 06:00"), at("mon 10:00"), "open")]


def test_a_target_of_no_minutes_is_due_when_the_desk_is_open_and_the_ticket_not_waiting() -> None:
    """An opening that comes while waiting doesn't make it due."""
    events = told("sat 10:00 created", "sat 12:00 wait third_party", "mon 08:00 resume")
    due = [
        fold(events, {"resolution": 0}, CALENDAR, at(text))[0].due_at
        for text in ("sat 11:00", "sun 11:00", "mon 08:00")
    ]
    assert due == [at("mon 06:00"), None, at("mon 08:00")]


@pytest.mark.parametrize("minutes", [-1, float("nan"), float("inf"), 10**12])
def test_impossible_targets_are_refused(minutes: float) -> None:
    """The fault points at the target, in the arguments as in a later change."""
    change = ClockEvent("targets_changed", at("mon 07:00"), targets={"resolution": minutes})
    for history, targets in (([], {"resolution": minutes}), ([change], TARGETS)):
        with pytest.raises(Invalid) as caught:
            fold(history, targets, CALENDAR, at("mon 12:00"))  # type: ignore[arg-type]
        assert [fault.pointer for fault in caught.value.faults] == ["/targets/resolution"]


def test_a_target_longer_than_the_calendar_is_refused() -> None:
    """A calendar of one open hour can't hold a target of two."""
    fair = parse_calendar({"tz": "UTC", "overrides": {"2026-11-23": [["09:00", "10:00"]]}})
    with pytest.raises(CalendarExhausted) as caught:
        fold(told("mon 06:00 created"), {"resolution": 120}, fair, at("mon 07:00"))
    assert [fault.pointer for fault in caught.value.faults] == ["/targets/resolution"]

"""Rules of targets by example: which one fits, what a change of the request does, when to warn (clause 2.3)."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from firstline.common.calendar import parse_calendar
from firstline.common.policy.targets import Traits
from firstline.sla.clock import Clock, explain, fold
from firstline.sla.history import ClockEvent
from firstline.sla.targets import TargetRule, TargetRules, Warn

CALENDAR = parse_calendar({"tz": "UTC", "hours": {day: [["06:00", "16:00"]] for day in ("mon", "tue", "wed")}})
MONDAY = datetime(2026, 11, 23, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)
NORMAL: Traits = {"urgency": "normal", "topic": "updates", "tier": "helpdesk", "organization_id": "shop"}
RULES = TargetRules(
    (
        TargetRule(
            "vip", {"next_response": 60}, {"organization_id": frozenset(["shop"]), "urgency": frozenset(["high"])}
        ),
        TargetRule("updates", {"next_response": 240}, {"topic": frozenset(["updates", "cloud.sync"])}),
        TargetRule("normal", {"next_response": 600, "resolution": 1200}, {"urgency": frozenset(["normal"])}),
        TargetRule("high", {"next_response": 180}, {"urgency": frozenset(["high"])}),
    ),
    (Warn(0.75), Warn(minutes_before=90)),
)


@pytest.mark.parametrize(
    ("traits", "rule"),
    [
        (NORMAL, "updates"),
        ({**NORMAL, "topic": "updates.failed"}, "updates"),
        ({**NORMAL, "topic": "cloud.sync"}, "updates"),
        ({**NORMAL, "topic": "cloud"}, "normal"),
        ({**NORMAL, "topic": "cloud.sync2"}, "normal"),
        ({**NORMAL, "urgency": "high"}, "vip"),
        ({**NORMAL, "urgency": "high", "organization_id": None, "topic": None}, "high"),
        ({"urgency": "high"}, "high"),
        ({"urgency": "odd"}, None),
        ({}, None),
    ],
)
def test_the_first_rule_that_fits_wins(traits: Traits, rule: str | None) -> None:
    """All lists of a rule must hold; a topic stands for its items; what is not known fits no list."""
    assert RULES.choose(traits).code == rule


def at(hours: float, kind: str = "targets_changed", **traits: str) -> ClockEvent:
    """Return an event so many hours after Monday's opening."""
    return ClockEvent(kind, MONDAY + hours * HOUR, traits=traits or None)  # type: ignore[arg-type]


def following(*events: ClockEvent, as_of: float) -> Clock:
    """Return the next response's clock of a request that came at Monday's opening."""
    created = ClockEvent("created", MONDAY, traits={**NORMAL, "topic": "cloud"})
    return next(
        c for c in fold([created, *events], RULES, CALENDAR, MONDAY + as_of * HOUR) if c.target == "next_response"
    )


def test_a_request_that_becomes_another_is_timed_by_another_rule_from_the_same_start() -> None:
    """The deadline moves, what was counted stays counted, and the clock names its rule."""
    judged = at(1, topic="updates")
    assert (following(as_of=1).rule, following(as_of=1).target_minutes) == ("normal", 600)
    found = following(judged, as_of=2)
    assert (found.rule, found.elapsed_minutes, found.due_at) == ("updates", 120, MONDAY + 4 * HOUR)
    again = following(judged, at(3, topic="cloud"), as_of=3)
    assert (again.rule, again.elapsed_minutes, again.due_at) == ("normal", 180, MONDAY + 10 * HOUR)


def test_lateness_under_an_earlier_rule_stays_until_it_is_answered() -> None:
    """A longer target forgives nothing that was missed under the shorter one; an answer does."""
    events = [at(0, urgency="high"), at(2, urgency="normal")]
    late = following(*events, as_of=3)
    assert (late.rule, late.breached, late.due_at) == ("normal", True, MONDAY + 10 * HOUR)
    assert not following(*events, at(4, "staff_reply"), at(5, "client_message"), as_of=6).breached


def test_what_changes_no_rule_changes_nothing() -> None:
    """A judgement by which the same rule fits leaves the clock as it was, in one stretch."""
    judged = at(1, tier="development")
    assert following(judged, as_of=2) == following(as_of=2)
    created = ClockEvent("created", MONDAY, traits=NORMAL)
    story = explain([created, judged], RULES, CALENDAR, MONDAY + 2 * HOUR)[0]
    assert [(part.rule.code, part.business_minutes) for part in story.intervals] == [("updates", 120)]


def test_what_is_first_said_of_a_request_holds_from_its_start() -> None:
    """A duplicate's earlier message runs by the rule of the request that it was merged into."""
    owed = ClockEvent("owed", MONDAY - 100 * HOUR, origin="other")
    found = fold([owed, ClockEvent("created", MONDAY, traits=NORMAL)], RULES, CALENDAR, MONDAY + HOUR)
    story = explain([owed, ClockEvent("created", MONDAY, traits=NORMAL)], RULES, CALENDAR, MONDAY + HOUR)
    assert [(clock.target, clock.rule) for clock in found] == [("next_response", "updates")]
    assert {part.rule.code for part in story[0].intervals} == {"updates"}


def test_the_order_in_which_events_are_told_does_not_matter() -> None:
    """Each order of four events, one of them twice, gives the same clocks."""
    events = [
        ClockEvent("created", MONDAY, traits=NORMAL, id="1"),
        ClockEvent("targets_changed", MONDAY + HOUR, traits={"urgency": "high"}, id="2"),
        ClockEvent("targets_changed", MONDAY + 2 * HOUR, traits={"organization_id": "other"}, id="3"),
        ClockEvent("client_message", MONDAY + 3 * HOUR, traits={"topic": None}, id="4"),
    ]
    told = {fold([*order, events[1]], RULES, CALENDAR, MONDAY + 4 * HOUR) for order in permutations(events)}
    assert [(clock.rule, clock.breached) for clock in told.pop()] == [("high", True)]
    assert not told


def test_a_policy_without_a_fitting_rule_times_nothing() -> None:
    """No clock is better than one that nobody asked for."""
    assert fold([ClockEvent("created", MONDAY, traits={"urgency": "odd"})], RULES, CALENDAR, MONDAY) == ()


@pytest.mark.parametrize(
    ("target", "counted"),
    [(600, (450, 510)), (360, (270,)), (100, (10, 75)), (90, (67.5,)), (60, (45,)), (91, (1, 68.25))],
)
def test_warnings_come_before_their_deadline_or_not_at_all(target: float, counted: tuple[float, ...]) -> None:
    """Earliest first, one where two fall together; a notice as long as the target itself is left out."""
    assert RULES.warnings(target) == counted


def test_every_warning_has_its_instant_in_business_time() -> None:
    """Of four hours counted from one hour before closing, three and two and a half are over on the next day."""
    created = ClockEvent("created", MONDAY + 9 * HOUR, traits=NORMAL)
    (found,) = fold([created], RULES, CALENDAR, MONDAY + 9 * HOUR)
    assert [(warns.at, warns.counted_minutes) for warns in found.warnings] == [
        (MONDAY + 25.5 * HOUR, 150),
        (MONDAY + 26 * HOUR, 180),
    ]
    assert found.warn_at == MONDAY + 25.5 * HOUR

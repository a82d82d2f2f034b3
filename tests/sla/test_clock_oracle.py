"""The clock fold against a state machine that lives through every minute (invariants P19 and P21)."""

import os
from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from firstline.common.calendar import Calendar, CalendarExhausted, parse_calendar
from firstline.sla.clock import Clock, explain, fold
from firstline.sla.history import ClockEvent
from firstline.sla.targets import TargetRule, TargetRules, Warn
from minute_calendar import MinuteCalendar
from minute_clock import MinuteClocks
from random_calendars import ZONES, random_calendar
from random_histories import random_history, random_rules, random_targets

CALENDARS = int(os.environ.get("FIRSTLINE_ORACLE_CALENDARS", "5000"))
PARTS = 10
FIRSTS = [
    datetime(*day, tzinfo=UTC) for day in ((2026, 10, 24), (2026, 3, 28), (2028, 2, 28), (2026, 12, 24), (2026, 11, 20))
]
"""Europe's clocks go back and forward, a leap day, Christmas, and an ordinary weekend."""

DAYS = 2
WARNS = (Warn(0.75), Warn(minutes_before=7))


@pytest.mark.soak
@pytest.mark.parametrize("part", range(PARTS))
def test_clocks_agree_with_a_life_minute_by_minute(part: int) -> None:
    """Random histories on random calendars: state, deadline, warning, elapsed time and lateness are the same."""
    seen: Counter[str] = Counter()
    for seed in range(part, CALENDARS, PARTS):
        pick = Random(seed)
        first = pick.choice(FIRSTS)
        data = random_calendar(pick, pick.choice(ZONES), first.date() + timedelta(days=1))
        walk, calendar = MinuteCalendar(data, first, DAYS), parse_calendar(data)
        history, rules, targets = random_history(pick, first, DAYS * 1200), random_rules(pick), random_targets(pick)
        for _ in range(2):
            as_of = first + timedelta(minutes=pick.randrange(0, DAYS * 1200))
            lived = MinuteClocks(history, targets, walk, as_of, rules)
            name = f"seed {seed} as of {as_of}: {history} {rules} {targets} {data}"
            seen += compare(history, ruled(rules, targets), calendar, lived, name)
    least = CALENDARS // PARTS // 20
    assert all(seen[name] > least for name in ("idle", "running", "paused", "met", "breached", "due", "ruled")), seen


def ruled(rules: list[dict[str, Any]], targets: dict[str, int]) -> TargetRules:
    """Return rules of the oracle's as the product knows them."""
    known = [
        TargetRule(rule["code"], rule["minutes"], {name: frozenset(values) for name, values in rule["when"].items()})
        for rule in rules
    ]
    return TargetRules((*known, TargetRule(None, targets)), WARNS)  # type: ignore[arg-type]


def compare(
    history: list[dict[str, Any]], rules: TargetRules, calendar: Calendar, lived: MinuteClocks, name: str
) -> Counter[str]:
    """Fold the history that was lived; return how often each state was seen."""
    events = [ClockEvent(**event) for event in history]
    try:
        clocks = fold(events, rules, calendar, lived.as_of)
    except CalendarExhausted as error:
        # A calendar of listed days alone, which are over before the target is: those who live through it see no end.
        (target,) = (fault.pointer.removeprefix("/targets/") for fault in error.faults)
        assert (lived.state(target), lived.runs_out(target, lived.targets[target])) == ("running", None), name
        return Counter(["endless"])
    assert [clock.target for clock in clocks] == [target for target in lived.watches if target in lived.targets], name
    seen: Counter[str] = Counter()
    for clock in clocks:
        watch = lived.watches[clock.target]
        assert clock.state == lived.state(clock.target), f"{clock} {name}"
        assert clock.elapsed_minutes == len(watch.spent), f"{clock} {name}"
        assert clock.breached == watch.late, f"{clock} {name}"
        assert (clock.rule, clock.target_minutes) == (lived.rule, lived.targets[clock.target]), f"{clock} {name}"
        seen["ruled"] += clock.rule is not None
        seen[clock.state] += 1
        seen["breached"] += clock.breached
        seen["due"] += same_milestones(clock, lived, f"{clock} {name}")
    for story, clock in zip(explain(events, rules, calendar, lived.as_of), clocks, strict=True):
        counted = sum(interval.business_minutes for interval in story.intervals if interval.counted)
        assert counted == clock.elapsed_minutes, f"{story} {name}"
    return seen


def same_milestones(clock: Clock, lived: MinuteClocks, name: str) -> bool:
    """Compare deadline and warnings; where the span ends too early the deadline must lie beyond it."""
    if clock.state != "running":
        assert clock.due_at is None, name
        assert clock.warnings == (), name
        return False
    assert clock.due_at is not None, name
    due = lived.runs_out(clock.target, lived.targets[clock.target])
    assert clock.due_at == due if due else clock.due_at >= lived.calendar.last_instant, name
    target = lived.targets[clock.target]
    assert [warning.counted_minutes for warning in clock.warnings] == sorted(
        {at for at in (target * 3 // 4, target - 7) if at > 0}
    ), name
    for warning in clock.warnings:
        warned = lived.runs_out(clock.target, warning.counted_minutes)
        assert warned is None or warning.at == warned, name
    return due is not None

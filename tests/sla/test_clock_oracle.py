"""The clock fold against a state machine that lives through every minute (invariants P19 and P21)."""

import os
from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from firstline.common.calendar import Calendar, parse_calendar
from firstline.sla.clock import Clock, explain, fold
from firstline.sla.history import ClockEvent
from firstline.sla.targets import Warn, fixed
from minute_calendar import MinuteCalendar
from minute_clock import MinuteClocks
from random_calendars import ZONES, random_calendar
from random_histories import random_history, random_targets

CALENDARS = int(os.environ.get("FIRSTLINE_ORACLE_CALENDARS", "5000"))
PARTS = 10
FIRST = datetime(2026, 10, 24, tzinfo=UTC)
DAYS = 2


@pytest.mark.soak
@pytest.mark.parametrize("part", range(PARTS))
def test_clocks_agree_with_a_life_minute_by_minute(part: int) -> None:
    """Random histories on random calendars: state, deadline, warning, elapsed time and lateness are the same."""
    seen: Counter[str] = Counter()
    for seed in range(part, CALENDARS, PARTS):
        pick = Random(seed)
        data = random_calendar(pick, pick.choice(ZONES), FIRST.date())
        walk, calendar = MinuteCalendar(data, FIRST, DAYS), parse_calendar(data)
        history = random_history(pick, FIRST, DAYS * 1200)
        targets = random_targets(pick)
        for _ in range(2):
            as_of = FIRST + timedelta(minutes=pick.randrange(0, DAYS * 1200))
            seen += compare(
                history, targets, calendar, walk, as_of, f"seed {seed} as of {as_of}: {history} {targets} {data}"
            )
    least = CALENDARS // PARTS // 20
    assert all(seen[name] > least for name in ("idle", "running", "paused", "met", "breached", "due")), seen


def compare(
    history: list[dict[str, Any]],
    targets: dict[str, int],
    calendar: Calendar,
    walk: MinuteCalendar,
    as_of: datetime,
    name: str,
) -> Counter[str]:
    """Fold and live the same history; return how often each state was seen."""
    lived = MinuteClocks(history, targets, walk, as_of)
    events = [ClockEvent(**event) for event in history]
    clocks = fold(events, fixed(targets, Warn(0.75)), calendar, as_of)  # type: ignore[arg-type]
    assert [clock.target for clock in clocks] == [target for target in lived.watches if target in lived.targets], name
    seen: Counter[str] = Counter()
    for clock in clocks:
        watch = lived.watches[clock.target]
        assert clock.state == lived.state(clock.target), f"{clock} {name}"
        assert clock.elapsed_minutes == len(watch.spent), f"{clock} {name}"
        assert clock.breached == watch.late, f"{clock} {name}"
        seen[clock.state] += 1
        seen["breached"] += clock.breached
        seen["due"] += same_milestones(clock, lived, f"{clock} {name}")
    for story, clock in zip(explain(events, targets, calendar, as_of), clocks, strict=True):  # type: ignore[arg-type]
        counted = sum(interval.business_minutes for interval in story.intervals if interval.counted)
        assert counted == clock.elapsed_minutes, f"{story} {name}"
    return seen


def same_milestones(clock: Clock, lived: MinuteClocks, name: str) -> bool:
    """Compare deadline and warning; where the span ends too early the deadline must lie beyond it."""
    if clock.state != "running":
        assert clock.due_at is None, name
        assert clock.warn_at is None, name
        return False
    assert clock.due_at is not None, name
    due = lived.runs_out(clock.target, lived.targets[clock.target])
    warn = lived.runs_out(clock.target, lived.targets[clock.target] * 3 // 4)
    assert clock.due_at == due if due else clock.due_at >= lived.calendar.last_instant, name
    assert warn is None or clock.warn_at == warn, name
    return due is not None

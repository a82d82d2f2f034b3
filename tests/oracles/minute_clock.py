"""Ticket clocks the slow way: a state machine that lives through the history minute by minute.

Shares nothing with the product but the names. Instants and targets are whole minutes. At each minute the events of
that instant happen first, then running clocks that have used up their target become late, then the minute passes.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from clock_states import ClockStates, Fact
from minute_calendar import MinuteCalendar

MINUTE = timedelta(minutes=1)


class MinuteClocks(ClockStates[datetime]):
    """All clocks of one ticket, lived through up to an instant; what they spent are the ends of the minutes counted.

    Rules are as in a policy file; `targets` apply where none of them fits.
    """

    def __init__(
        self,
        history: list[dict[str, Any]],
        targets: Mapping[str, float],
        calendar: MinuteCalendar,
        as_of: datetime,
        rules: Sequence[dict[str, Any]] = (),
    ) -> None:
        super().__init__(targets)
        self.otherwise, self.rules = targets, rules
        self.rule: str | None = None
        self.calendar = calendar
        self.as_of = as_of
        self.known: dict[str, str | None] = {}
        told = [event for event in once(history) if event["at"] <= as_of and event.get("traits") is not None]
        if told:
            self._become(min(told, key=lambda event: event["at"])["traits"])
            self.known = {}
        self._live(once(history))

    def _become(self, traits: Mapping[str, str | None]) -> None:
        """Take the first rule all of whose lists have what the ticket is like."""
        self.known.update(traits)
        for rule in self.rules:
            if all(is_listed(self.known.get(name), name, values) for name, values in rule["when"].items()):
                self.rule, self.targets = rule["code"], rule["minutes"]
                return
        self.rule, self.targets = None, self.otherwise

    def _live(self, history: list[dict[str, Any]]) -> None:
        happening: dict[datetime, list[dict[str, Any]]] = {}
        for event in history:
            happening.setdefault(event["at"], []).append(event)
        now, moved = self.calendar.first_instant, False
        for is_open in self.calendar.open:
            for event in happening.get(now, ()):
                if event.get("traits") is not None:
                    self._become(event["traits"])
                if event["type"] == "targets_changed" and event.get("targets"):
                    self.rule = None
                self.happen(Fact(event["type"], now, event.get("cause"), event.get("targets")))
                moved = True
            if moved:
                for name, watch in self.watches.items():
                    watch.late |= self.state(name) == "running" and len(watch.spent) >= self.targets.get(name, 10**9)
            if now == self.as_of:
                return
            now += MINUTE
            moved = bool(is_open) and self.status == "open"
            if moved:
                for watch in self.watches.values():
                    if watch.mode == "on":
                        watch.spent.append(now)

    def runs_out(self, name: str, target: float) -> datetime | None:
        """Return when a running clock used up so many minutes, living on without events if need be."""
        spent = self.watches[name].spent
        if len(spent) >= target:
            return spent[round(target) - 1]
        left, now = target - len(spent), self.as_of
        for is_open in self.calendar.open[(now - self.calendar.first_instant) // MINUTE :]:
            now += MINUTE
            left -= is_open
            if left == 0:
                return now
        return None


def is_listed(value: str | None, name: str, values: list[str]) -> bool:
    """Say whether a list has a value; a topic's name is the beginning of its items' names."""
    return value is not None and any(
        value == one or (name == "topic" and value.startswith(f"{one}.")) for one in values
    )


def once(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out the repeated ids, the first by instant staying."""
    kept: dict[str, dict[str, Any]] = {}
    for event in reversed(history):
        other = kept.get(event["id"])
        if other is None or event["at"] <= other["at"]:
            kept[event["id"]] = event
    return [event for event in history if kept[event["id"]] is event]

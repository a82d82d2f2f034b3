"""Ticket clocks the slow way: a state machine that lives through the history minute by minute.

Shares nothing with the product but the names. Instants and targets are whole minutes. At each minute the events of
that instant happen first, then running clocks that have used up their target become late, then the minute passes.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from minute_calendar import MinuteCalendar

MINUTE = timedelta(minutes=1)


@dataclass
class Watch:
    """One clock: `ticks` are the ends of the minutes that it counted."""

    mode: str = "off"
    late: bool = False
    ticks: list[datetime] = field(default_factory=list)


class MinuteClocks:
    """All clocks of one ticket, lived through up to an instant."""

    def __init__(
        self, history: list[dict[str, Any]], targets: dict[str, int], calendar: MinuteCalendar, as_of: datetime
    ) -> None:
        self.calendar = calendar
        self.targets = targets
        self.as_of = as_of
        self.status = "open"
        self.cause: str | None = None
        self.replied = False
        self.watches = {name: Watch() for name in ("first_response", "next_response", "resolution")}
        self._live(once(history))

    def _live(self, history: list[dict[str, Any]]) -> None:
        happening: dict[datetime, list[dict[str, Any]]] = {}
        for event in history:
            happening.setdefault(event["at"], []).append(event)
        now, moved = self.calendar.first_instant, False
        for is_open in self.calendar.open:
            for event in happening.get(now, ()):
                getattr(self, event["type"])(event)
                moved = True
            if moved:
                for name, watch in self.watches.items():
                    watch.late |= self.state(name) == "running" and len(watch.ticks) >= self.targets.get(name, 10**9)
            if now == self.as_of:
                return
            now += MINUTE
            moved = bool(is_open) and self.status == "open"
            if moved:
                for watch in self.watches.values():
                    if watch.mode == "on":
                        watch.ticks.append(now)

    def state(self, name: str) -> str:
        """Return idle, running, paused or met."""
        mode = self.watches[name].mode
        if mode != "on":
            return {"off": "idle", "done": "met"}[mode]
        return {"open": "running", "waiting": "paused", "resolved": "idle", "closed": "idle"}[self.status]

    def runs_out(self, name: str, target: int) -> datetime | None:
        """Return when a running clock used up so many minutes, living on without events if need be."""
        ticks = self.watches[name].ticks
        if len(ticks) >= target:
            return ticks[target - 1]
        left, now = target - len(ticks), self.as_of
        for is_open in self.calendar.open[(now - self.calendar.first_instant) // MINUTE :]:
            now += MINUTE
            left -= is_open
            if left == 0:
                return now
        return None

    def created(self, event: dict[str, Any]) -> None:
        """Created counts as a client message."""
        self.client_message(event)

    def client_message(self, event: dict[str, Any]) -> None:
        """Starts what isn't running, ends waiting for the client."""
        first, following, resolution = self.watches.values()
        if first.mode == "off":
            first.mode = "done" if self.replied else "on"
        if resolution.mode == "off":
            resolution.mode = "done" if self.status in ("resolved", "closed") else "on"
        if self.status == "waiting" and self.cause == "client":
            self.status = "open"
        if self.status in ("open", "waiting") and following.mode != "on":
            following.mode, following.ticks = "on", []

    def staff_reply(self, event: dict[str, Any]) -> None:
        """Answers both response clocks."""
        first, following, _ = self.watches.values()
        self.replied = True
        for watch in (first, following):
            watch.late = False
            if watch.mode == "on":
                watch.mode = "done"

    def internal_note(self, event: dict[str, Any]) -> None:
        """Does nothing."""

    def wait(self, event: dict[str, Any]) -> None:
        """Waits for somebody, or for somebody else than before."""
        if self.status in ("open", "waiting"):
            self.status, self.cause = "waiting", event.get("cause")

    def resume(self, event: dict[str, Any]) -> None:
        """Ends waiting."""
        if self.status == "waiting":
            self.status = "open"

    def resolved(self, event: dict[str, Any]) -> None:
        """Meets the resolution; nothing is owed."""
        self._settle("resolved")

    def closed(self, event: dict[str, Any]) -> None:
        """The same, and lateness is forgotten."""
        self._settle("closed")
        for watch in self.watches.values():
            watch.late = False

    def _settle(self, status: str) -> None:
        _, following, resolution = self.watches.values()
        self.status = status
        following.mode = "off"
        if resolution.mode == "on":
            resolution.mode = "done"

    def reopened(self, event: dict[str, Any]) -> None:
        """Starts the next response anew and lets the resolution go on."""
        _, following, resolution = self.watches.values()
        self.status = "open"
        following.mode, following.ticks = "on", []
        if resolution.mode == "done":
            resolution.mode = "on"
        for watch in self.watches.values():
            watch.late = False

    def targets_changed(self, event: dict[str, Any]) -> None:
        """Counts the same minutes against other targets."""
        self.targets = event["targets"]


def once(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out the repeated ids, the first by instant staying."""
    kept: dict[str, dict[str, Any]] = {}
    for event in reversed(history):
        other = kept.get(event["id"])
        if other is None or event["at"] <= other["at"]:
            kept[event["id"]] = event
    return [event for event in history if kept[event["id"]] is event]

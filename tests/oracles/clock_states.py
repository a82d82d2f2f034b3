"""What each event does to a ticket's clocks, thought through once more; how time is counted is left to others.

Shares nothing with the product but the names.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

Spent = TypeVar("Spent")


@dataclass
class Fact:
    """Something that clocks care about."""

    kind: str
    at: datetime
    cause: str | None = None
    targets: Mapping[str, float] | None = None
    origin: str | None = None
    """Of what a merged duplicate was owed: whose it is."""


@dataclass
class Watch(Generic[Spent]):
    """One clock: whether it goes, whether it is late, and the time that it counted."""

    mode: str = "off"
    late: bool = False
    spent: list[Spent] = field(default_factory=list)

    def start_anew(self) -> None:
        """Count from the beginning."""
        self.mode, self.spent = "on", []


class ClockStates(Generic[Spent]):
    """All clocks of one ticket."""

    def __init__(self, targets: Mapping[str, float]) -> None:
        self.targets = targets
        self.status = "open"
        self.cause: str | None = None
        self.replied = False
        self.watches: dict[str, Watch[Spent]] = {
            name: Watch() for name in ("first_response", "next_response", "resolution")
        }

    def state(self, name: str) -> str:
        """Return idle, running, paused or met."""
        mode = self.watches[name].mode
        if mode != "on":
            return {"off": "idle", "done": "met"}[mode]
        return {"open": "running", "waiting": "paused", "resolved": "idle", "closed": "idle"}[self.status]

    def happen(self, fact: Fact) -> None:
        """Let the clocks do what a fact means to them."""
        getattr(self, f"_{fact.kind}")(fact)

    def _created(self, fact: Fact) -> None:
        self._client_message(fact)

    def _client_message(self, _fact: Fact) -> None:
        first, following, resolution = self.watches.values()
        if first.mode == "off":
            first.mode = "done" if self.replied else "on"
        if resolution.mode == "off":
            resolution.mode = "done" if self.status in ("resolved", "closed") else "on"
        if self.status == "waiting" and self.cause == "client":
            self.status = "open"
        if self.status in ("open", "waiting") and following.mode != "on":
            following.start_anew()

    def _staff_reply(self, _fact: Fact) -> None:
        first, following, _ = self.watches.values()
        self.replied = True
        for watch in (first, following):
            watch.late = False
            if watch.mode == "on":
                watch.mode = "done"

    def _internal_note(self, _fact: Fact) -> None:
        """Do nothing."""

    def _wait(self, fact: Fact) -> None:
        if self.status in ("open", "waiting"):
            self.status, self.cause = "waiting", fact.cause

    def _resume(self, _fact: Fact) -> None:
        if self.status == "waiting":
            self.status = "open"

    def _resolved(self, _fact: Fact) -> None:
        self._settle("resolved")

    def _closed(self, _fact: Fact) -> None:
        self._settle("closed")
        self._forgive()

    def _settle(self, status: str) -> None:
        _, following, resolution = self.watches.values()
        self.status = status
        following.mode = "off"
        if resolution.mode == "on":
            resolution.mode = "done"

    def _reopened(self, _fact: Fact) -> None:
        _, following, resolution = self.watches.values()
        self.status = "open"
        following.start_anew()
        if resolution.mode == "done":
            resolution.mode = "on"
        self._forgive()

    def _forgive(self) -> None:
        for watch in self.watches.values():
            watch.late = False

    def _targets_changed(self, fact: Fact) -> None:
        if fact.targets is not None:
            self.targets = fact.targets

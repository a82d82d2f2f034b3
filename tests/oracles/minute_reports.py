"""Reports the slow way: each request lived through minute by minute, what ended written down, everything counted anew.

Shares nothing with the product but the names.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Any

from clock_states import Fact
from minute_calendar import MinuteCalendar
from minute_clock import MINUTE, MinuteClocks

ENDING = ("staff_reply", "resolved", "closed")
LIVE = ("running", "paused")


@dataclass
class Ended:
    """A run that ended: what was timed, when, by which fact, how, and for how many open minutes in which status."""

    target: str
    at: datetime
    fact: Fact
    outcome: str
    late: bool | None
    net: int
    gross: int
    waited: Mapping[str, int]
    over: int
    owed: int


class Recorder(MinuteClocks):
    """All clocks of one ticket, and what they did until they ended."""

    def __init__(
        self, history: list[dict[str, Any]], targets: Mapping[str, float], calendar: MinuteCalendar, as_of: datetime
    ) -> None:
        self.ended: list[Ended] = []
        self._begun: dict[str, datetime] = {}
        self._statuses: list[tuple[datetime, str]] = []
        self._owed = 0
        super().__init__(history, targets, calendar, as_of)

    def happen(self, fact: Fact) -> None:
        """Write down what ends by it."""
        live = [name for name in self.watches if self.state(name) in LIVE]
        if fact.kind in ENDING:
            for name in live:
                if name != "resolution" or fact.kind != "staff_reply":
                    self._write(name, fact)
        super().happen(fact)
        self._statuses.append((fact.at, str(self.cause) if self.status == "waiting" else self.status))
        if self.state("next_response") in LIVE and ("next_response" not in live or fact.kind == "reopened"):
            self._begun["next_response"] = fact.at
        for name in ("first_response", "resolution"):
            if self.state(name) in LIVE:
                self._begun.setdefault(name, fact.at)

    def _write(self, name: str, fact: Fact) -> None:
        watch, start = self.watches[name], self._begun[name]
        waited = {cause: self._minutes(start, fact.at, cause) for cause in ("client", "third_party", "release")}
        self.ended.append(
            Ended(
                target=name,
                at=fact.at,
                fact=fact,
                outcome="met" if fact.kind == "staff_reply" or name == "resolution" else "ended",
                late=watch.late if name in self.targets else None,
                net=len(watch.spent),
                gross=self._minutes(start, fact.at),
                waited=waited,
                over=self._minutes(start, fact.at, "resolved") + self._minutes(start, fact.at, "closed"),
                owed=self._owed if name == "resolution" else 0,
            )
        )
        if name == "next_response":
            self._owed += len(watch.spent)

    def _minutes(self, start: datetime, end: datetime, status: str | None = None) -> int:
        """Count the open minutes between two instants, of one status or of any."""
        count = 0
        while start < end:
            known = [name for at, name in self._statuses if at <= start][-1]
            count += self.calendar.is_open(start) and status in (None, known)
            start += MINUTE
        return count


def nearest(figures: list[int], part: int) -> int | None:
    """Return a percentile by its definition: the figure at the place `ceil(part % of all)`."""
    return sorted(figures)[ceil(part / 100 * len(figures)) - 1] if figures else None


def rate(part: float, whole: float) -> float | None:
    """Return a share of something, None of nothing."""
    return round(part / whole, 4) if whole else None


def facts(found: list[Ended]) -> list[int]:
    """Return the facts that ended something, each once, whatever it ended."""
    return list({id(one.fact) for one in found})


def attainment(found: list[Ended]) -> dict[str, Any]:
    """Count the facts that answered in time and late, and those that ended something without an answer."""
    timed = [one for one in found if one.late is not None]
    met = [one for one in timed if one.outcome == "met"]
    ended = [one for one in timed if one.outcome == "ended"]
    answers, late = len(facts(met)), len(facts([one for one in met if one.late]))
    return {
        "answers": answers,
        "in_time": answers - late,
        "late": late,
        "share": rate(answers - late, answers),
        "unanswered": len(facts(ended)),
        "unanswered_late": len(facts([one for one in ended if one.late])),
    }


def response_times(found: list[Ended]) -> dict[str, Any]:
    """Give percentiles of the answers' minutes."""
    met = [one for one in found if one.outcome == "met" and one.target != "resolution"]
    firsts = facts([one for one in met if one.target == "first_response"])
    met = [one for one in met if one.target == "first_response" or id(one.fact) not in firsts]
    figures: dict[str, Any] = {"answers": len(met)}
    for name in ("net", "gross"):
        minutes = [getattr(one, name) for one in met]
        figures |= {f"{name}_p{part}": nearest(minutes, part) for part in (50, 75, 90, 95)}
    return figures


def whose_time(found: list[Ended]) -> dict[str, Any]:
    """Sum up where the time of what was resolved went."""
    done = [one for one in found if one.target == "resolution"]
    waited = {cause: sum(one.waited[cause] for one in done) for cause in ("client", "third_party", "release")}
    own = sum(one.net for one in done)
    return {
        "requests": len(done),
        "own": own,
        "owed": sum(one.owed for one in done),
        **waited,
        "resolved": sum(one.over for one in done),
        "gross": sum(one.gross for one in done),
        "own_share": rate(own, own + sum(waited.values())),
    }

"""What-if as a pure recount: recorded answers judged by other rules, exactly as the clocks would have (clause 2.3).

Nothing is guessed: who answered, and when, stays as it was; only hours, targets and first urgencies change. What a
specialist judged stays judged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from firstline.common.calendar import Calendar
from firstline.common.policy.model import Policy
from firstline.common.policy.urgency import urgency_under
from firstline.sla.history import ClockEvent
from firstline.sla.reports import By
from firstline.sla.runs import endings, is_late, key_of
from firstline.sla.targets import Target, TargetRules

GROUPS: tuple[By, ...] = ("target", "topic", "tier", "agent", "organization", "urgency", "month")
MOST_GROUPS = 2_000
"""So many groups of a kind are counted apart; what comes after them counts as others."""

OTHERS = "\u2026"


@dataclass(frozen=True, slots=True)
class CameWith:
    """What a request came in with, as far as its first urgency depends on it."""

    topic: str | None
    recovery: str | None
    claim: str | None
    covered: bool


@dataclass(frozen=True, slots=True)
class Trial:
    """A policy version as it was, and with the changes that are tried; `urgencies`: whether they may change those."""

    was: Policy
    tried: Policy
    rules: TargetRules
    calendar: Calendar
    urgencies: bool


def lateness(
    events: Sequence[ClockEvent], came: CameWith | None, trial: Trial
) -> dict[tuple[Target, str], bool | None]:
    """Return for each run that ended, by target and key, whether it would be late; None where nothing is timed."""
    found: dict[tuple[Target, str], bool | None] = {}
    for past, event, ended in endings(started_anew(events, came, trial), trial.rules, trial.calendar):
        for target in ended:
            found[target, key_of(event.id or "", target)] = is_late(past, target, event.at)
    return found


def started_anew(events: Sequence[ClockEvent], came: CameWith | None, trial: Trial) -> Sequence[ClockEvent]:
    """Return a history whose request starts with the urgency that the tried policy gives it.

    A start that the policy itself doesn't explain, such as that of a request split off, stays as it was.
    """
    if came is None or not trial.urgencies:
        return events
    given = (came.topic, came.recovery, came.claim)
    before = urgency_under(trial.was, *given, covered=came.covered)
    after = urgency_under(trial.tried, *given, covered=came.covered)
    place = next((at for at, event in enumerate(events) if event.traits is not None), None)
    if before == after or place is None:
        return events
    traits = events[place].traits or {}
    if traits.get("urgency") != before:
        return events
    anew = list(events)
    anew[place] = replace(anew[place], traits={**traits, "urgency": after})
    return anew


Counts = list[int]
"""Of answers: how many, late then and now, late only with the changes, late only as it was."""


class Judged(NamedTuple):
    """Whether something was late, and whether it would be with the changes."""

    was: bool
    would_be: bool


def _count(counts: Counts, one: Judged) -> None:
    """Count one in."""
    counts[0] += 1
    if one.was or one.would_be:
        counts[1 if one.was and one.would_be else 2 if one.would_be else 3] += 1


@dataclass(slots=True)
class Tally:
    """Answers counted, all together and by each group; `problem`: what kept the rest from being counted."""

    total: Counts = field(default_factory=lambda: [0, 0, 0, 0])
    groups: dict[By, dict[str | None, Counts]] = field(default_factory=lambda: {by: {} for by in GROUPS})
    problem: str | None = None

    def add(self, keys: Mapping[By, str | None], runs: Mapping[str, Judged]) -> None:
        """Count an answer by the targets of the runs that it ended: once in all groups but those by target.

        It was late if any of them was, and would be if any would.
        """
        whole = Judged(any(run.was for run in runs.values()), any(run.would_be for run in runs.values()))
        _count(self.total, whole)
        for by, key in keys.items():
            if by != "target":
                _count(self._group(by, key), whole)
        for target, run in runs.items():
            _count(self._group("target", target), run)

    def _group(self, by: By, key: str | None) -> Counts:
        """Return the counts of a group."""
        groups = self.groups[by]
        if key not in groups and len(groups) >= MOST_GROUPS:
            key = OTHERS
        return groups.setdefault(key, [0, 0, 0, 0])

    def document(self) -> dict[str, Any]:
        """Return the tally as JSON values; groups as pairs, since a key may be None."""
        groups = {by: [[key, counts] for key, counts in found.items()] for by, found in self.groups.items()}
        return {"total": self.total, "groups": groups, "problem": self.problem}

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> "Tally":
        """Return the tally of a document."""
        groups: dict[By, dict[str | None, Counts]] = {
            by: {key: list(counts) for key, counts in document["groups"].get(by, ())} for by in GROUPS
        }
        return cls(list(document["total"]), groups, document.get("problem"))

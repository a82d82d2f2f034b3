"""A clock's explanation in words: by which rule its target was given, and what was counted when (clauses 2.1, 2.3)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from firstline.sla.clock import Explanation, Interval
from firstline.sla.targets import Target, TargetRule

_OWED: dict[Target, str] = {
    "first_response": "The first answer",
    "next_response": "The next answer",
    "resolution": "The solution",
}
_WAITED = {
    "client": "it waited for the client",
    "third_party": "it waited for a third party",
    "release": "it waited for a release",
    None: "it waited",
}
_ASKED = {"organization_id": "organization"}


@dataclass(frozen=True, slots=True)
class TimedBy:
    """The policy versions that a request's clock is timed by: taken under one, by the targets and hours of these."""

    policy: str
    targets: str
    hours: str


def in_words(explanation: Explanation, by: TimedBy | None = None) -> list[str]:
    """Return a sentence for each change of the target and each stretch of the run, and one for the sum.

    Before them, of a request's clock, one that names the policy versions that it is timed by.
    """
    return [*([_versions(by)] if by else []), *_run(explanation)]


def _versions(by: TimedBy) -> str:
    """Name the version that a request was taken under, and those of its targets and hours where they are others."""
    targets = f", by the targets of {by.targets}" if by.targets != by.policy else ""
    hours = f", by the hours of {by.hours}" if by.hours != by.policy else ""
    return f"Under policy {by.policy}{targets}{hours}."


def _run(explanation: Explanation) -> Iterator[str]:
    """Yield the sentences of a run."""
    rule: TargetRule | None = None
    for interval in explanation.intervals:
        if interval.rule != rule:
            rule = interval.rule
            yield _by(explanation.target, interval.start, rule)
        yield f"{_at(interval.start)} to {_at(interval.end)}: {_counted(interval)}."
    if rule is None:
        yield "It has not run yet."
        return
    counted = sum(interval.business_minutes for interval in explanation.intervals if interval.counted)
    yield f"In all {_minutes(counted)} counted, of {_number(explanation.target_minutes)}."


def _by(target: Target, start: datetime, rule: TargetRule) -> str:
    """Say which target holds from an instant, and by which rule."""
    minutes = rule.minutes.get(target)
    owed = f"is owed within {_minutes(minutes)}" if minutes is not None else "is not timed"
    named = f", by the rule {rule.code}" if rule.code else ""
    return f"From {_at(start)}: {_OWED[target].lower()} {owed}{named}{_for(rule)}."


def _for(rule: TargetRule) -> str:
    """Say for which requests a rule is."""
    asked = [f"{_ASKED.get(name, name)} {' or '.join(sorted(values))}" for name, values in rule.when.items()]
    return f" ({', '.join(asked)})" if asked else ""


def _counted(interval: Interval) -> str:
    """Say what was counted of a stretch, and why not the rest."""
    closed = f", {_number(interval.closed_minutes)} minutes outside working hours" if interval.closed_minutes else ""
    if interval.counted:
        return f"{_minutes(interval.business_minutes)} counted{closed}"
    why = _WAITED[interval.cause] if interval.reason == "waiting" else f"it was {interval.reason}"
    return f"{_minutes(interval.business_minutes)} not counted, as {why}{closed}"


def _minutes(count: float) -> str:
    """Return business minutes in words."""
    return f"{_number(count)} business minute{'' if count == 1 else 's'}"


def _number(count: float) -> str:
    """Return a number as people read it."""
    return f"{count:,.1f}".removesuffix(".0")


def _at(at: datetime) -> str:
    """Return an instant in words; in UTC, because readers sit in many time zones."""
    return f"{at:%Y-%m-%d %H:%M} UTC"

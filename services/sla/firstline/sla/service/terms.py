"""What a policy version says of time, read from its document."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import cast

from firstline.common.calendar import Calendar, parse_calendar
from firstline.common.calendar_data import WorkingHours
from firstline.common.policy.model import Policy
from firstline.common.policy.targets import TargetConditions, TargetMinutes, Targets, WarnBefore
from firstline.common.policy.targets import TargetRule as GivenRule
from firstline.sla.targets import Minutes, TargetRule, TargetRules, Trait, Warn


@dataclass(frozen=True, slots=True)
class Terms:
    """What a policy version says of time.

    Attributes:
        calendar: the hours in which business time passes.
        rules: which targets a request has, and the warnings of them.
        staff: the hours outside of which warnings and breaches wait to be told; None: they are told at once.

    """

    calendar: Calendar
    rules: TargetRules
    staff: Calendar | None = None

    def by_hours_of(self, other: "Terms") -> "Terms":
        """Return the targets of these terms with the hours of others."""
        return replace(self, calendar=other.calendar, staff=other.staff)

    def has_hours_of(self, other: "Terms") -> bool:
        """Say whether other terms have the same hours, so that clocks run and are told of alike."""
        return (self.calendar.hours, _hours(self.staff)) == (other.calendar.hours, _hours(other.staff))


def _hours(calendar: Calendar | None) -> WorkingHours | None:
    """Return a calendar's hours, which say by their contents whether they are others."""
    return calendar.hours if calendar else None


def terms_of(policy: Policy) -> Terms:
    """Return what a policy says of time."""
    calendar, hours = parse_calendar(policy.calendar), policy.targets.staff_calendar
    staff = (parse_calendar(hours) if hours else calendar) if policy.targets.tell_in_hours else None
    return Terms(calendar, rules_of(policy.targets), staff)


def rules_of(targets: Targets) -> TargetRules:
    """Return a policy's rules in their order, then its urgency levels, then the first of these for whatever is left."""
    levels = [(code, _minutes(minutes)) for code, minutes in targets.minutes.items()]
    # The first level's targets are for what nothing fits, such as a level that only an older policy had.
    return TargetRules(
        (
            *_read(targets.rules),
            *(TargetRule(code, minutes, {"urgency": frozenset([code])}) for code, minutes in levels),
            *(TargetRule(code, minutes) for code, minutes in levels[:1]),
        ),
        (Warn(targets.warning_share), *map(_warn, targets.warn_before)),
    )


def given_rules(rules: Iterable[GivenRule], warn_before: Iterable[WarnBefore], otherwise: Minutes) -> TargetRules:
    """Return rules that came without a policy, with the minutes where none fits."""
    return TargetRules((*_read(rules), TargetRule(None, otherwise)), tuple(map(_warn, warn_before)))


def _read(rules: Iterable[GivenRule]) -> list[TargetRule]:
    """Return a policy's rules as they are chosen by."""
    return [TargetRule(rule.code, _minutes(rule.minutes), _when(rule.when)) for rule in rules]


def _minutes(given: TargetMinutes) -> Minutes:
    """Return the targets that are named."""
    return cast("Minutes", {name: float(value) for name, value in given if value is not None})


def _when(given: TargetConditions) -> Mapping[Trait, frozenset[str]]:
    """Return the conditions that are named."""
    return {cast("Trait", name): frozenset(values) for name, values in given.given().items()}


def _warn(before: WarnBefore) -> Warn:
    """Return when to warn; the policy says what is left, and clocks count what has passed."""
    return Warn(minutes_before=before.minutes) if before.share is None else Warn(1 - before.share)

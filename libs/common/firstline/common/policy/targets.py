"""By when answers are owed: minutes by urgency, rules for whom others hold, warnings and their telling (clause 2.3)."""

from collections.abc import Collection, Mapping
from typing import Annotated, Any, Final, Self, TypeVar

from pydantic import Field, PositiveInt, model_validator

from firstline.common.policy.parts import Code, Part, Provenance, Words

Traits = Mapping[str, str | None]
"""What a request is like, as far as rules may ask for it; None and what is not named fit no list."""

K = TypeVar("K", bound=str)
Values = Annotated[tuple[Words, ...], Field(min_length=1, strict=False)] | None


def fits(lists: Mapping[K, Collection[str]], traits: Traits) -> bool:
    """Say whether each list has the value of a request; a topic stands for its items, too."""
    for name, values in lists.items():
        value = traits.get(name)
        if value is None:
            return False
        if value not in values and not (name == "topic" and value.partition(".")[0] in values):
            return False
    return True


MOST_MINUTES: Final = 1_000_000
"""The longest target: some years of business time."""

Minutes = Annotated[int, Field(gt=0, le=MOST_MINUTES)] | None


class TargetMinutes(Part):
    """Business minutes until the first and the next answer, and until the resolution where that is timed at all."""

    first_response: Minutes = None
    next_response: Minutes = None
    resolution: Minutes = None


class TargetConditions(Part):
    """Which requests a rule is for: those of which each list that is given has the value.

    Attributes:
        urgency: levels.
        topic: topics, each with all its items, or single items (`updates.failed_update`).
        tier: who is to answer.
        organization_id: organisations, by their IDs.
        entitlement: what the licence entitled to when the request, or the message that named the licence, came in.
        edition: editions of the licence that the request came with, as accounts knows them.

    """

    urgency: Values = None
    topic: Values = None
    tier: Values = None
    organization_id: Values = None
    entitlement: Values = None
    edition: Values = None

    def given(self) -> dict[str, tuple[str, ...]]:
        """Return the lists that are given."""
        return {name: values for name, values in self if values is not None}


class TargetRule(Part):
    """Targets of the requests that it is for, in place of their urgency's; what it doesn't name isn't timed."""

    code: Code
    when: TargetConditions
    minutes: TargetMinutes


class WarnBefore(Part):
    """How long before a deadline to warn: a share of the target, or business minutes."""

    share: float | None = Field(None, gt=0, lt=1)
    minutes: PositiveInt | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        """Refuse a warning with both, or with neither."""
        if (self.share is None) == (self.minutes is None):
            raise ValueError("give `share` or `minutes`, one of them")
        return self


class Targets(Part):
    """Response targets; the first rule that fits a request wins, and its urgency's minutes where none does.

    Attributes:
        provenance: where they come from.
        internal: staff alone see them.
        warning_share: a warning falls due when this share of the target is over; 1: none does.
        minutes: by urgency level.
        rules: in their order.
        warn_before: further warnings.
        tell_in_hours: whether a warning or breach that is told while staff are off waits until they are back.
        staff_calendar: their hours, in the form of the policy's `calendar`; that one unless given.

    """

    provenance: Provenance
    internal: bool
    warning_share: float = Field(gt=0, le=1)
    minutes: dict[Code, TargetMinutes]
    rules: tuple[TargetRule, ...] = ()
    warn_before: tuple[WarnBefore, ...] = ()
    tell_in_hours: bool = False
    staff_calendar: dict[str, Any] | None = None

    def chosen(self, traits: Traits) -> tuple[str, TargetMinutes]:
        """Return the first rule that fits a request, by its code or that of an urgency level, with its minutes."""
        for rule in self.rules:
            if fits(rule.when.given(), traits):
                return rule.code, rule.minutes
        level = traits.get("urgency")
        return next(((code, minutes) for code, minutes in self.minutes.items() if code == level), self._first)

    @property
    def _first(self) -> tuple[str, TargetMinutes]:
        """What is left for an urgency that the policy doesn't time: no request goes untimed."""
        return next(iter(self.minutes.items()))

"""Which targets a request has, told from what it is like, and when to warn of them (clause 2.3).

The first rule that fits wins, as a whole: what it doesn't name isn't timed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from firstline.common.policy.targets import Traits, fits

Target = Literal["first_response", "next_response", "resolution"]
TARGETS: tuple[Target, ...] = ("first_response", "next_response", "resolution")

Trait = Literal["urgency", "topic", "tier", "organization_id", "entitlement", "edition"]
Minutes = Mapping[Target, float]


@dataclass(frozen=True, slots=True)
class TargetRule:
    """Business minutes for the requests of which each list has the value.

    Attributes:
        code: its name in the policy: that of a rule or of an urgency level; None where minutes were given without one.
        minutes: by target.
        when: the lists. A topic stands for its items, too.

    """

    code: str | None
    minutes: Minutes
    when: Mapping[Trait, frozenset[str]] = field(default_factory=dict)

    def fits(self, traits: Traits) -> bool:
        """Say whether the rule is for such a request."""
        return fits(self.when, traits)


@dataclass(frozen=True, slots=True)
class Warn:
    """When to warn: at a share of the target counted, or so many minutes before all of it is."""

    share: float | None = None
    minutes_before: float | None = None

    def counted(self, target: float) -> float | None:
        """Return after how many counted minutes to warn; None where that isn't before the deadline."""
        counted = target * self.share if self.share is not None else target - (self.minutes_before or 0)
        return counted if 0 < counted < target else None


@dataclass(frozen=True, slots=True)
class TargetRules:
    """What a policy says of targets: rules in their order, and the warnings that all of them have."""

    rules: tuple[TargetRule, ...]
    warns: tuple[Warn, ...] = ()

    def choose(self, traits: Traits) -> TargetRule:
        """Return the first rule that fits; one without targets where none does."""
        return next((rule for rule in self.rules if rule.fits(traits)), _UNTIMED)

    def asks_for(self, trait: Trait) -> bool:
        """Say whether any rule depends on a trait."""
        return any(trait in rule.when for rule in self.rules)

    def warnings(self, target: float) -> tuple[float, ...]:
        """Return the counted minutes at which to warn of a target, the earliest first."""
        found = {counted for warn in self.warns if (counted := warn.counted(target)) is not None}
        return tuple(sorted(found))


_UNTIMED = TargetRule(None, {})


def fixed(minutes: Minutes, *warns: Warn) -> TargetRules:
    """Return the same minutes for every request."""
    return TargetRules((TargetRule(None, minutes),), warns)

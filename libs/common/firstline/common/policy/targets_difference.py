"""Says in words what changes in targets: minutes, rules, warnings, and when staff are told."""

from collections.abc import Iterator, Sequence
from typing import Final

from firstline.common.policy.calendar_difference import calendar_difference, listed
from firstline.common.policy.targets import TargetConditions, TargetMinutes, TargetRule, Targets, WarnBefore

Lines = Iterator[str]
_TARGETS: Final = {"first_response": "first answer", "next_response": "next answer", "resolution": "solution"}


def targets_difference(old: Targets, new: Targets) -> Lines:
    """Yield a sentence for each change."""
    yield from listed("Targets", old.minutes, new.minutes)
    for level, minutes in new.minutes.items():
        if level in old.minutes:
            yield from _minutes(f"when {level}", old.minutes[level], minutes)
    yield from _rules(old.rules, new.rules)
    yield from _warnings(old, new)
    if old.internal != new.internal:
        yield f"Targets: {'staff alone see them' if new.internal else 'everybody sees them'} from now on."
    yield from _telling(old, new)


def _minutes(whose: str, old: TargetMinutes, new: TargetMinutes) -> Lines:
    """Tell which minutes change, target by target."""
    for name, words in _TARGETS.items():
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            yield f"Targets: {words} {whose}: {_business(after)}, was {_business(before)}."


def _business(minutes: int | None) -> str:
    """Return business minutes in words; none means that the target is not timed."""
    return f"{minutes} business minutes" if minutes else "not timed"


def _rules(old: Sequence[TargetRule], new: Sequence[TargetRule]) -> Lines:
    """Tell which rules came, went or changed, and whether they stand in another order."""
    before, after = {rule.code: rule for rule in old}, {rule.code: rule for rule in new}
    for code, rule in after.items():
        if code not in before:
            yield f"Target rule {code} added, for {conditions_in_words(rule.when)}: {_all_minutes(rule.minutes)}."
            continue
        if before[code].when != rule.when:
            was = conditions_in_words(before[code].when)
            yield f"Target rule {code}: for {conditions_in_words(rule.when)}, was for {was}."
        yield from _minutes(f"by rule {code}", before[code].minutes, rule.minutes)
    for code, rule in before.items():
        if code not in after:
            yield f"Target rule {code} removed; it was for {conditions_in_words(rule.when)}."
    kept = [code for code in before if code in after], [code for code in after if code in before]
    if kept[0] != kept[1]:
        yield f"Target rules: their order is {', '.join(after)}; the first that fits wins."


def conditions_in_words(when: TargetConditions) -> str:
    """Return for which requests a rule is, such as `urgency high, edition Team or Enterprise`."""
    lists = [(name.removesuffix("_id"), " or ".join(values)) for name, values in when.given().items()]
    return ", ".join(f"{name} {values}" for name, values in lists) or "every request"


def _all_minutes(minutes: TargetMinutes) -> str:
    """Return all of a rule's minutes in words."""
    given = [(words, getattr(minutes, name)) for name, words in _TARGETS.items()]
    return ", ".join(f"{words} {_business(value)}" for words, value in given if value) or "nothing is timed"


def _warnings(old: Targets, new: Targets) -> Lines:
    """Tell when else, or no longer, is warned."""
    if old.warning_share != new.warning_share:
        yield f"Targets: a warning at {new.warning_share:.0%} of the time, not {old.warning_share:.0%}."
    before, after = ([_before(warning) for warning in targets.warn_before] for targets in (old, new))
    yield from listed("Further warnings", before, after)


def _before(warning: WarnBefore) -> str:
    """Return in words when a warning comes."""
    if warning.minutes is not None:
        return f"{warning.minutes} business minutes before"
    return f"{warning.share:.0%} of the time before"


def _telling(old: Targets, new: Targets) -> Lines:
    """Tell what changes in when warnings and breaches are told."""
    if old.tell_in_hours != new.tell_in_hours:
        when = "when staff are back, if they are off" if new.tell_in_hours else "at once, whenever it is"
        yield f"Targets: warnings and breaches are told {when}."
    before, after = old.staff_calendar, new.staff_calendar
    if before is not None and after is not None:
        yield from calendar_difference(before, after, "Staff ")
    elif before != after:
        yield f"Targets: staff have {'the hours of the policy' if after is None else 'hours of their own'} from now on."

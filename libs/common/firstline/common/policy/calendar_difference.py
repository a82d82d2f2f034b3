"""Says in words what changes in working hours."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from firstline.common.policy.wording import hours_in_words, week_in_words

Lines = Iterator[str]


def calendar_difference(before: Mapping[str, Any], after: Mapping[str, Any], whose: str = "") -> Lines:
    """Tell what changes in working hours; `whose` they are is said of all but the policy's own."""
    for line in _calendar(before, after):
        yield f"{whose}{line[0].lower()}{line[1:]}" if whose else line


def _calendar(before: Mapping[str, Any], after: Mapping[str, Any]) -> Lines:
    """Tell what changes, part by part."""
    if hours_in_words(before) != hours_in_words(after):
        yield f"Hours: {hours_in_words(before)} become {hours_in_words(after)}."
    yield from listed("Holidays", before.get("holidays", []), after.get("holidays", []))
    yield from _hours_from(before.get("hours_from", {}), after.get("hours_from", {}))
    yield from _public(before.get("public_holidays"), after.get("public_holidays"))
    yield from _works_as(before.get("works_as", {}), after.get("works_as", {}))
    for name in ("breaks", "overrides"):
        yield from _dated(name, before.get(name, {}), after.get(name, {}))


def _hours_from(before: Mapping[str, Any], after: Mapping[str, Any]) -> Lines:
    """Tell which weekly hours come into force, and which no longer do."""
    for day in sorted({*before, *after}):
        if day not in after:
            yield f"Hours from {day}: {week_in_words(before[day])} no longer."
        elif before.get(day) != after[day]:
            was = f", not {week_in_words(before[day])}" if day in before else ""
            yield f"Hours from {day}: {week_in_words(after[day])}{was}."


def _public(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> Lines:
    """Tell whose public holidays count, or else which of them are others."""
    old, new = (_whose(one) if one else "none" for one in (before, after))
    if old != new:
        yield f"Public holidays: {new}, were {old}."
    elif before and after:
        days = [[day for year in one.get("dates", {}).values() for day in year] for one in (before, after)]
        yield from listed("Public holidays", *days)


def _whose(named: Mapping[str, Any]) -> str:
    """Return a country, its part and the kinds of holidays in words."""
    part = f"-{named['subdivision']}" if "subdivision" in named else ""
    kinds = f" ({', '.join(named['categories'])})" if "categories" in named else ""
    return f"those of {named['country']}{part}{kinds}"


def _works_as(before: Mapping[str, str], after: Mapping[str, str]) -> Lines:
    """Tell which dates work as another weekday from now on, or no longer."""
    for day in sorted({*before, *after}):
        if day not in after:
            yield f"Special days: {day} no longer works as {before[day].capitalize()}."
        elif before.get(day) != after[day]:
            was = f", not {before[day].capitalize()}" if day in before else ""
            yield f"Special days: {day} works as {after[day].capitalize()}{was}."


def _dated(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Lines:
    """Tell changes of the hours of single days."""
    yield from listed(name.capitalize(), before, after)
    for day in before:
        if day in after and before[day] != after[day]:
            yield f"{name.capitalize()} on {day}: {_spans(before[day])} become {_spans(after[day])}."


def _spans(intervals: Sequence[Sequence[str]]) -> str:
    """Return a day's intervals in words."""
    return ", ".join("-".join(interval) for interval in intervals) or "closed"


def listed(what: str, before: Any, after: Any) -> Lines:
    """Tell what came to a list of codes or went from it."""
    added = [str(one) for one in after if one not in before]
    gone = [str(one) for one in before if one not in after]
    if added:
        yield f"{what}: {', '.join(added)} added."
    if gone:
        yield f"{what}: {', '.join(gone)} removed."

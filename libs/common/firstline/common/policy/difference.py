"""Says in words what changes for clients and staff from one policy to another.

Lists are compared by code, so their order doesn't count. Whatever no sentence is made for is still named by its part.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from firstline.common.policy.calendar_difference import calendar_difference, listed
from firstline.common.policy.model import Policy, ScopePart, Topic
from firstline.common.policy.parts import Part
from firstline.common.policy.targets_difference import targets_difference

Lines = Iterator[str]
_VERDICTS: Final = {"in": "covered", "out": "not covered", "undetermined": "decided by a specialist"}
_MODES: Final = {"full": "in full", "consult_only": "by references only", "none": "not at all"}


def policy_difference(old: Policy, new: Policy) -> list[str]:
    """Return a sentence for each change; none where the two say the same."""
    said: list[str] = []
    for part in Policy.model_fields:
        if getattr(old, part) != getattr(new, part):
            tell = _TOLD.get(part, partial(_any, part))
            # A part that differs is named even where its teller finds no words: silence would read as "no change".
            said += list(tell(old, new)) or [f"{_named(part)}: changed."]
    return said


def _named(part: str) -> str:
    """Return a part's name for people."""
    return part.replace("_", " ").capitalize()


def _plain(part: str, old: Policy, new: Policy) -> Lines:
    """Tell a value that is short enough to be shown."""
    yield f"{_named(part)}: {getattr(old, part)} becomes {getattr(new, part)}."


def _calendar(old: Policy, new: Policy) -> Lines:
    """Tell what changes in when the desk works (clause 2.1)."""
    yield from calendar_difference(old.calendar, new.calendar)


def _targets(old: Policy, new: Policy) -> Lines:
    """Say what differs in the targets."""
    yield from targets_difference(old.targets, new.targets)


def _by_code(what: str, before: Sequence[Any], after: Sequence[Any]) -> Lines:
    """Tell which parts came, went or changed, and in which members."""
    old, new = {one.code: one for one in before}, {one.code: one for one in after}
    yield from listed(what, old, new)
    for code, one in new.items():
        if code in old and old[code] != one:
            yield f"{what}: {code} changed ({_members(old[code], one)})."


def _members(before: Part, after: Part) -> str:
    """Return the members in which two parts differ, short values with what they were and are."""
    names = [name for name in type(after).model_fields if getattr(before, name) != getattr(after, name)]
    return ", ".join(_member(name, getattr(before, name), getattr(after, name)) for name in names)


def _member(name: str, before: Any, after: Any) -> str:
    """Return a member with both values where they are numbers or short texts, else its name."""
    words = name.replace("_", " ")
    if isinstance(before, int | float) and isinstance(after, int | float):
        return f"{words} {_value(before)} becomes {_value(after)}"
    if all(isinstance(value, str | None) and len(value or "") <= _SHORT for value in (before, after)):
        return f"{words} {before or 'nothing'} becomes {after or 'nothing'}"
    return words


_SHORT: Final = 30
"""Characters up to which a text is shown and not only named."""


def _value(value: float) -> str:
    """Return a number, or a truth value in words."""
    # True is 1 to Python, so numbers are told apart by type and not looked up.
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _channels(old: Policy, new: Policy) -> Lines:
    """Tell what changes in how clients reach the desk (clauses 4.1, 4.5)."""
    yield from _by_code("Official channels", old.channels.official, new.channels.official)
    yield from _by_code("Refused channels", old.channels.refused, new.channels.refused)
    if old.channels.advice != new.channels.advice:
        yield "Channels: the advice for others changed."


def _urgency(old: Policy, new: Policy) -> Lines:
    """Tell what changes in levels and in how a request begins (clause 2.1)."""
    yield from _by_code("Urgency levels", old.urgency.levels, new.urgency.levels)
    if old.urgency.default != new.urgency.default:
        yield f"Urgency: requests start as {new.urgency.default}, not {old.urgency.default}."
    for kind in ("partial", "full"):
        before, after = old.urgency.recovery.get(kind), new.urgency.recovery.get(kind)
        if before != after:
            yield f"Urgency: a {kind} recovery gives {after or 'nothing'}, not {before or 'nothing'}."


def _out_of_turn(old: Policy, new: Policy) -> Lines:
    """Tell what changes in who is served before the others."""
    yield from listed("Served out of turn", old.out_of_turn.levels, new.out_of_turn.levels)
    before, after = (policy.out_of_turn.max_in_a_row or "any number" for policy in (old, new))
    if before != after:
        yield f"Served out of turn: {after} in a row, not {before}."


def _information(old: Policy, new: Policy) -> Lines:
    """Tell what changes in what is asked for (clause 4.2)."""
    yield from _by_code("Fields", old.information.fields, new.information.fields)
    yield from listed("Asked for whatever the topic", old.information.always, new.information.always)


def _scope(old: Policy, new: Policy) -> Lines:
    """Tell what changes in what is covered (clauses 1.3, 1.4, 3.1 to 3.6)."""
    yield from _by_code("Referrals", old.scope.referrals, new.scope.referrals)
    before = {topic.code: topic for topic in old.scope.topics}
    after = {topic.code: topic for topic in new.scope.topics}
    yield from listed("Topics", before, after)
    for code, topic in after.items():
        if code in before:
            yield from _topic(before[code], topic)
    for name in ("without_topic", "product_error"):
        if getattr(old.scope, name) != getattr(new.scope, name):
            yield f"Scope: the text `{name}` changed."


def _topic(old: Topic, new: Topic) -> Lines:
    """Tell what changes in a topic and its items."""
    yield from _covering(new.code, old, new)
    yield from listed(f"Topic {new.code}, required fields", old.required, new.required)
    own = [name for name in ("clause", "title", "tier") if getattr(old, name) != getattr(new, name)]
    for name in own:
        yield f"Topic {new.code}: {name} {getattr(old, name)} becomes {getattr(new, name)}."
    before, after = {item.code: item for item in old.items}, {item.code: item for item in new.items}
    for code, item in after.items():
        place = f"{new.code}.{code}"
        if code not in before:
            yield f"Topic {place} added: {_VERDICTS[item.verdict]}."
        elif before[code] != item:
            told = list(_covering(place, before[code], item))
            yield from told or [f"Topic {place}: changed ({_members(before[code], item)})."]
    for code, item in before.items():
        if code not in after:
            yield f"Topic {new.code}.{code} removed; it was {_VERDICTS[item.verdict]}."


def _covering(place: str, old: ScopePart, new: ScopePart) -> Lines:
    """Tell what changes in whether, how far and how urgently something is covered, and who helps instead."""
    if old.verdict != new.verdict:
        yield f"Topic {place}: {_VERDICTS[new.verdict]}, was {_VERDICTS[old.verdict]}."
    elif old.support_mode != new.support_mode:
        yield f"Topic {place}: covered {_MODES[new.support_mode]}, was {_MODES[old.support_mode]}."
    for name, words in (("urgency", "urgency"), ("refer_to", "refers to"), ("provenance", "provenance")):
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            yield f"Topic {place}: {words} {after or 'nothing'}, was {before or 'nothing'}."


def _closing(old: Policy, new: Policy) -> Lines:
    """Tell what changes in how requests end (clause 4.8)."""
    if old.closing.reopen_window_days != new.closing.reopen_window_days:
        yield f"Closing: reopened within {new.closing.reopen_window_days} days, was {old.closing.reopen_window_days}."
    yield from _by_code("Closing reasons", old.closing.reasons, new.closing.reasons)
    for name in ("waiting_client", "resolved"):
        before, after = getattr(old.closing.silence, name), getattr(new.closing.silence, name)
        if before != after:
            yield f"Closing on silence, {name.replace('_', ' ')}: {_members(before, after)}."


def _attachments(old: Policy, new: Policy) -> Lines:
    """Tell what changes in which files are taken (clause 4.6)."""
    before, after = old.attachments, new.attachments
    for name in ("images", "only_in_archive", "archives", "others"):
        yield from listed(f"Attachments, {name.replace('_', ' ')}", getattr(before, name), getattr(after, name))
    rest = {"max_size_mib", "max_count", "max_megapixels", "max_frames", "inside_archives", "advice"}
    changed = [name for name in sorted(rest) if getattr(before, name) != getattr(after, name)]
    for name in changed:
        yield f"Attachments: {_member(name, getattr(before, name), getattr(after, name))}."


def _any(part: str, old: Policy, new: Policy) -> Lines:
    """Tell the members in which a part differs, or that it came or went."""
    before, after = getattr(old, part), getattr(new, part)
    if isinstance(before, Part) and isinstance(after, Part):
        yield f"{_named(part)}: {_members(before, after)}."
    elif before is None or after is None:
        yield f"{_named(part)}: {'removed' if after is None else 'added'}."


def _wording(old: Policy, new: Policy) -> Lines:
    """Tell which texts came, went or were reworded; their words themselves are for a text comparison."""
    before, after = old.wording, new.wording
    if before.default_language != after.default_language:
        yield f"Texts: the default language is {after.default_language}, was {before.default_language}."
    yield from listed("Texts, languages", before.languages, after.languages)
    for language, texts in after.languages.items():
        known = before.languages.get(language)
        if known is None:
            continue
        yield from listed(f"Texts ({language})", known, texts)
        touched = [kind for kind in texts if kind in known and known[kind] != texts[kind]]
        if touched:
            yield f"Texts ({language}): {', '.join(touched)} reworded."


def _circumstances(old: Policy, new: Policy) -> Lines:
    """Tell what changes in what may delay or abort the work (clause 4.8)."""
    yield from _by_code("Circumstances", old.circumstances, new.circumstances)


_TOLD: Final[Mapping[str, Callable[[Policy, Policy], Lines]]] = {
    **{part: partial(_plain, part) for part in ("name", "title", "effective_from")},
    "calendar": _calendar,
    "channels": _channels,
    "urgency": _urgency,
    "out_of_turn": _out_of_turn,
    "information": _information,
    "scope": _scope,
    "targets": _targets,
    "circumstances": _circumstances,
    "closing": _closing,
    "attachments": _attachments,
    "wording": _wording,
}
"""What tells a part's changes in words; of every other part the members are named."""

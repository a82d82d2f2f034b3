"""What-if in plain words: which figures of the policy can be tried, and what was typed for them (clauses 2.1, 2.3).

A field is named by its figure's path into the policy, so that what the API finds wrong finds its field.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from firstline.web.board import Option
from firstline.web.figures import HOURS, TIME, URGENCY, Kind, Unreadable, hours_of, hours_text, length
from firstline.web.words import one_line

Json = Mapping[str, Any]

TARGETS: Final = {"first_response": "First answer", "next_response": "Next answer", "resolution": "Solution"}
DAYS: Final = {
    "mon": "Monday",
    "tue": "Tuesday",
    "wed": "Wednesday",
    "thu": "Thursday",
    "fri": "Friday",
    "sat": "Saturday",
    "sun": "Sunday",
}
RECOVERIES: Final = {"full": "A site down", "partial": "A site partly down"}
RULES: Final = "targets.rules"
LATER_HOURS: Final = "calendar.hours_from"


@dataclass(frozen=True, slots=True)
class Entry:
    """A figure that can be tried.

    Attributes:
        path: its path into the policy, and the name of its field.
        label: what it is called beside its field.
        about: what it is called where it stands alone.
        value: what it is in the policy, as the form writes it.
        kind: how it is typed and shown.
        optional: whether it may be empty.

    """

    path: str
    label: str
    about: str
    value: str
    kind: Kind
    optional: bool = True


@dataclass(frozen=True, slots=True)
class Group:
    """Figures that belong together, and what they are of."""

    title: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Basis:
    """What can be tried, as the policy has it.

    Attributes:
        targets: by urgency, then by rule.
        hours: by day of the week.
        zone: the time zone of the hours.
        urgency: what a request starts with.
        topics: the urgency that topics give.
        levels: the urgencies to choose from.
        rules: the rules as the policy has them.
        dated: whether the policy's hours change on a date.

    """

    targets: tuple[Group, ...]
    hours: Group
    zone: str
    urgency: Group
    topics: Group
    levels: tuple[Option, ...]
    rules: tuple[Json, ...]
    dated: bool

    @property
    def entries(self) -> dict[str, Entry]:
        """Every figure by its path."""
        groups = (*self.targets, self.hours, self.urgency, self.topics)
        return {entry.path: entry for group in groups for entry in group.entries}

    def said(self, entry: Entry, text: str) -> str:
        """Return a figure in words; urgencies by their titles."""
        titles = {level.code: level.text for level in self.levels} if entry.kind is URGENCY else {}
        return titles.get(text, text) or entry.kind.none


def basis(document: Json, today: date) -> Basis:
    """Return what can be tried of a policy's parts as the API gives them; hours are those of `today`."""
    calendar, targets, urgency = document["calendar"], document["targets"], document["urgency"]
    levels = tuple(Option(level["code"], level["title"]) for level in urgency["levels"])
    later = calendar.get("hours_from") or {}
    begun = [day for day in sorted(later) if date.fromisoformat(day) <= today]
    week = later[begun[-1]] if begun else calendar["hours"]
    return Basis(
        targets=tuple(_targets(targets, {level.code: level.text for level in levels})),
        hours=Group(
            "Opening hours",
            tuple(
                Entry(f"calendar.hours.{day}", title, title, hours_text(week.get(day, [])), HOURS)
                for day, title in DAYS.items()
            ),
        ),
        zone=calendar["tz"],
        urgency=Group("Urgency at the start", tuple(_urgencies(urgency))),
        topics=Group("Urgency of topics", tuple(_topics(document["scope"]))),
        levels=levels,
        rules=tuple(targets.get("rules") or ()),
        dated=bool(later),
    )


def _targets(targets: Json, titles: Mapping[str, str]) -> Iterator[Group]:
    """Yield the targets of each urgency and each rule; a time that is targeted nowhere is left out."""
    rules = targets.get("rules") or ()
    everywhere = [*targets["minutes"].values(), *(rule["minutes"] for rule in rules)]
    named = [name for name in TARGETS if name != "resolution" or any(one.get(name) for one in everywhere)]
    kinds = [(f"targets.{code}", titles.get(code, code), minutes) for code, minutes in targets["minutes"].items()]
    kinds += [(f"{RULES}.{rule['code']}", f"Rule {rule['code']}", rule["minutes"]) for rule in rules]
    for path, title, minutes in kinds:
        yield Group(
            title,
            tuple(
                Entry(
                    f"{path}.{name}",
                    TARGETS[name],
                    f"{title}, {TARGETS[name].lower()}",
                    length(minutes.get(name)),
                    TIME,
                )
                for name in named
            ),
        )


def _urgencies(urgency: Json) -> Iterator[Entry]:
    """Yield which urgency requests start with."""
    for code, title in RECOVERIES.items():
        given = urgency["recovery"].get(code) or ""
        yield Entry(f"urgency.recovery.{code}", title, f"{title} starts as", given, URGENCY)
    other = "Any other request"
    yield Entry("urgency.default", other, f"{other} starts as", urgency["default"], URGENCY, optional=False)


def _topics(scope: Json) -> Iterator[Entry]:
    """Yield the urgency of every topic, and of those items that have one of their own."""
    for topic in scope["topics"]:
        path, title = f"scope.topics.{topic['code']}", one_line(topic["title"])
        yield Entry(f"{path}.urgency", title, f"{title} starts as", topic.get("urgency") or "", URGENCY)
        for item in topic["items"]:
            if item.get("urgency"):
                text = one_line(item["text"])
                yield Entry(f"{path}.{item['code']}.urgency", text, f"{text} starts as", item["urgency"], URGENCY)


def changes(found: Basis, typed: Callable[[str], str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return what was typed otherwise than the policy has it, as the API takes it, and what can't be read, by field."""
    changed: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    for path, entry in found.entries.items():
        try:
            value = entry.kind.read(typed(path))
        except Unreadable as error:
            wrong[path] = str(error)
            continue
        if value != entry.kind.read(entry.value):
            changed[path] = value
    return ({} if wrong else _as_taken(found, changed, typed)), wrong


def _as_taken(found: Basis, changed: dict[str, Any], typed: Callable[[str], str]) -> dict[str, Any]:
    """Return changes in the API's form: rules all together, and hours of the whole week where those change by date."""
    taken = {path: value for path, value in changed.items() if not path.startswith(RULES)}
    if len(taken) < len(changed):
        taken[RULES] = [_rule(rule, changed) for rule in found.rules]
    if found.dated and any(path.startswith("calendar.") for path in taken):
        # What is typed holds for all the time: a day of it beside the hours of another date would be no week at all.
        taken |= {entry.path: hours_of(typed(entry.path)) for entry in found.hours.entries}
        taken[LATER_HOURS] = {}
    return taken


def _rule(rule: Json, changed: Json) -> Json:
    """Return a rule with the minutes that were changed."""
    path = f"{RULES}.{rule['code']}."
    own = {name.removeprefix(path): value for name, value in changed.items() if name.startswith(path)}
    return {**rule, "minutes": {**rule["minutes"], **own}}


def field_of(found: Basis, path: str) -> str:
    """Return the field of a change: its own, or the first of those that are tried together."""
    together = {RULES: f"{RULES}.", LATER_HOURS: "calendar.hours."}.get(path)
    return next((name for name in found.entries if together and name.startswith(together)), path)


def values(found: Basis, tried: Json) -> dict[str, str]:
    """Return every field with what was tried, and where nothing was, with what the policy has."""
    shown = {path: entry.value for path, entry in found.entries.items()}
    for path, value in _spread(tried):
        if path in shown:
            shown[path] = found.entries[path].kind.write(value)
    return shown


def _spread(tried: Json) -> Iterator[tuple[str, Any]]:
    """Yield what was tried by its fields: of rules, each minute."""
    for path, value in tried.items():
        if path != RULES:
            yield path, value
            continue
        for rule in value:
            for name, minutes in rule["minutes"].items():
                yield f"{path}.{rule['code']}.{name}", minutes


@dataclass(frozen=True, slots=True)
class Tried:
    """A change: what was changed, to what, and what the policy has (empty where that is not known)."""

    about: str
    then: str
    now: str = ""


def told(found: Basis, tried: Json) -> tuple[Tried, ...]:
    """Return changes in words; those that no field has, such as a command may ask for, as they were given."""
    entries = found.entries
    shown = []
    for path, value in _spread(tried):
        entry = entries.get(path)
        if entry is not None:
            then = found.said(entry, entry.kind.write(value))
            now = found.said(entry, entry.value)
            # Of rules and weeks the whole is tried; what is as it was is no news.
            if then != now or not _together(path):
                shown.append(Tried(entry.about, then, now))
        elif path != LATER_HOURS and not _together(path):
            shown.append(Tried(one_line(path), one_line(str(value))))
    return tuple(shown)


def _together(path: str) -> bool:
    """Say whether a figure is tried together with others."""
    return path.startswith((f"{RULES}.", "calendar.hours."))


def covered(found: Basis, tried: Json) -> bool:
    """Say whether the form has a field for every change."""
    return all(path in found.entries or path == LATER_HOURS for path, _ in _spread(tried))

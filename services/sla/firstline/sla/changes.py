"""Changes to a policy that what-if tries: `targets.first_response=240`, `calendar.hours.fri=06:00-12:00` (clause 2.3).

Only what a recount can answer may be changed: hours, targets, and which urgency a request starts with.
"""

import re
from collections.abc import Iterable, Mapping
from copy import deepcopy
from difflib import get_close_matches
from typing import Any

from firstline.common.errors import Fault, Invalid
from firstline.common.policy.checks import findings
from firstline.common.policy.loader import misfits
from firstline.common.policy.model import Policy
from firstline.sla.targets import TARGETS

Json = dict[str, Any]
Settings = Mapping[str, Any]
"""What is to be changed: a path into the policy, dots between, and the value."""

OPEN_TO_CHANGE = ("calendar", "targets", "urgency", "scope")
EXAMPLES = "targets.first_response=240, calendar.hours.sat=08:00-12:00, urgency.recovery.partial=normal"
EXAMPLE_RULES = '[{"code": "urgent", "when": {"urgency": ["high"]}, "minutes": {"first_response": 60}}]'
_SPANS = re.compile(r"\d{1,2}:\d\d-\d{1,2}:\d\d(,\d{1,2}:\d\d-\d{1,2}:\d\d)*")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class BadChange(Invalid):
    """A change that can't be tried; the faults say of each why, and what would do."""

    title = "This change can't be tried"


def changed(document: Mapping[str, Any], settings: Settings, *, strict: bool = True) -> Policy:
    """Return the policy of a document with changes.

    Args:
        document: a policy as it was published.
        settings: the changes; paths that it has not are mistakes.
        strict: False: such paths are passed over, because an earlier version of the policy need not have them.

    Raises:
        BadChange: with a fault for each mistake.

    """
    content = deepcopy(dict(document))
    faults = []
    for path, value in settings.items():
        try:
            _change(content, path, value)
        except LookupError as error:
            faults.append(Fault(f"/set/{path}", str(error.args[0])))
    if strict and faults:
        raise BadChange("Some of the changes name nothing that can be tried.", faults=tuple(faults))
    return _checked(content, settings)


def _checked(content: Json, settings: Settings) -> Policy:
    """Return the policy, if it still is one."""
    found = list(misfits(content, Policy))
    policy = None if found else Policy.from_document(content)
    found = found or findings(policy) if policy is not None else found
    if found or policy is None:
        raise BadChange(
            "The policy would have mistakes with these changes.",
            faults=tuple(
                Fault(f"/set/{_cause(at.pointer, settings)}", f"{at.pointer}: {at.problem}; {at.remedy}")
                for at in found
            ),
        )
    return policy


def _cause(pointer: str, settings: Settings) -> str:
    """Return the change behind a mistake: the one whose path has most in common with the mistake's place."""
    words = set(pointer.strip("/").split("/"))
    return max(settings, key=lambda path: len(words & set(path.split("."))), default="")


def _change(content: Json, path: str, value: object) -> None:
    """Put a value where a path leads.

    Raises:
        LookupError: it leads nowhere; the words say where it could lead.

    """
    parts = path.split(".")
    if parts[0] not in OPEN_TO_CHANGE:
        near = get_close_matches(parts[0], OPEN_TO_CHANGE, 1)
        advice = f" Did you mean {near[0]}?" if near else ""
        raise LookupError(f"There is nothing to try at {path}.{advice} Try something like {EXAMPLES}.")
    {"targets": _targets, "calendar": _calendar, "urgency": _urgency, "scope": _scope}[parts[0]](content, parts, value)


def _targets(content: Json, parts: list[str], value: object) -> None:
    """Change a target of one level or of all."""
    targets = content["targets"]
    if parts[1:2] == ["minutes"]:
        parts = [parts[0], *parts[2:]]
    if parts[1:] == ["rules"]:
        targets["rules"] = _rules(value)
        return
    levels = targets["minutes"]
    name = parts[-1]
    if name not in TARGETS or len(parts) not in (2, 3):
        raise LookupError(_unknown(name if name not in levels else ".".join(parts), TARGETS, "targets."))
    if len(parts) == 3:  # noqa: PLR2004  targets.<level>.<target>
        _known(parts[1], levels, "targets.")[name] = value
        return
    # For everybody: rules that time this target, too.
    for minutes in [*levels.values(), *(r["minutes"] for r in targets.get("rules", ()) if r["minutes"].get(name))]:
        minutes[name] = value


def _rules(value: object) -> object:
    """Return rules that further changes can be put into; LookupError says how to write them."""
    # The model looks at them when all changes are made; until then another change may go into their minutes.
    if isinstance(value, list) and all(isinstance(one, dict) and isinstance(one.get("minutes"), dict) for one in value):
        return value
    raise LookupError(f"Write the rules as a list of objects with code, when and minutes, such as {EXAMPLE_RULES}.")


def _calendar(content: Json, parts: list[str], value: object) -> None:
    """Change a field of the calendar, or the hours of some days."""
    calendar = content["calendar"]
    fields = ("tz", "hours", "hours_from", "holidays", "public_holidays", "works_as", "breaks", "overrides")
    if len(parts) < 2 or parts[1] not in fields:  # noqa: PLR2004
        raise LookupError(_unknown(parts[1] if len(parts) > 1 else "", fields, "calendar."))
    given = _hours(value) if parts[1] in ("hours", "breaks", "overrides") else value
    if parts[1] == "hours" and isinstance(given, list):
        days = parts[2:] or list(calendar["hours"])
        for day in days:
            if day not in _DAYS:
                raise LookupError(_unknown(day, _DAYS, "calendar.hours."))
            calendar["hours"] = {**calendar["hours"], day: given}
        return
    if parts[1:] == ["hours"] and not isinstance(given, dict):
        raise LookupError('Write the hours of all days as "08:00-12:00" or "closed", or give calendar.hours.mon.')
    if len(parts) == 2:  # noqa: PLR2004
        calendar[parts[1]] = given
        return
    whole = calendar.get(parts[1]) or {}
    if isinstance(whole, dict):
        calendar[parts[1]] = {**whole, ".".join(parts[2:]): given}
        return
    raise LookupError(f"calendar.{parts[1]} has no parts by name. Give all of it as calendar.{parts[1]}.")


def _hours(value: object) -> object:
    """Return hours that were written in short as the calendar writes them."""
    if value == "closed":
        return []
    if isinstance(value, str) and _SPANS.fullmatch(value):
        return [part.split("-") for part in value.split(",")]
    return value


def _urgency(content: Json, parts: list[str], value: object) -> None:
    """Change the default level, or what a stated recovery gives."""
    urgency = content["urgency"]
    if parts[1:] == ["default"]:
        urgency["default"] = value
    elif parts[1:2] == ["recovery"] and len(parts) == 3:  # noqa: PLR2004
        if parts[2] not in ("partial", "full"):
            raise LookupError(_unknown(parts[2], ("partial", "full"), "urgency.recovery."))
        urgency["recovery"] = {**urgency["recovery"], parts[2]: value}
        if value is None:
            del urgency["recovery"][parts[2]]
    else:
        raise LookupError("Of urgency, default, recovery.partial and recovery.full can be tried.")


def _scope(content: Json, parts: list[str], value: object) -> None:
    """Change the urgency that a topic or an item of one gives."""
    if parts[1:2] != ["topics"] or parts[-1] != "urgency" or len(parts) not in (4, 5):
        raise LookupError("Of scope, the urgency of topics can be tried: scope.topics.updates.urgency=high.")
    topics = {topic["code"]: topic for topic in content["scope"]["topics"]}
    found = _known(parts[2], topics, "scope.topics.")
    if len(parts) == 5:  # noqa: PLR2004  an item of the topic
        found = _known(parts[3], {item["code"]: item for item in found.get("items", ())}, f"scope.topics.{parts[2]}.")
    found["urgency"] = value


def _known(name: str, among: Mapping[str, Any], before: str) -> Any:
    """Return what has a name; LookupError says which names there are."""
    if name not in among:
        raise LookupError(_unknown(name, among, before))
    return among[name]


def _unknown(name: str, known: Iterable[str], before: str) -> str:
    """Say that there is no such name, which one may be meant, and which there are."""
    near = get_close_matches(name, list(known), 1)
    advice = f"Did you mean {before}{near[0]}? " if near else ""
    return f"There is no {before}{name}. {advice}There are: {', '.join(known)}."

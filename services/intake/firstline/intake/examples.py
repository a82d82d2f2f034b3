"""Examples that a policy must satisfy: this request gets this verdict (`policies/*.test.yaml`)."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from firstline.common.errors import Invalid
from firstline.intake.scope import Rulebook, Submission, judge

_JUDGED = ("channel", "topic", "urgency_claim", "recovery", "entitlement", "fields")
_LISTED = {"missing_information": "field", "hints": "code"}
"""Lists of which an example names one member of each item."""


def submission_of(request: Mapping[str, Any]) -> Submission:
    """Return an example's request as it is judged: what isn't judged by name may answer a required field."""
    judged = {name: value for name, value in request.items() if name in _JUDGED}
    members = {name: value for name, value in request.items() if name not in _JUDGED}
    return Submission(**judged, members=members, text=str(request.get("body", "")))


def differences(rules: Rulebook, example: Mapping[str, Any]) -> list[str]:
    """Say in what the policy's verdict differs from what an example expects; nothing where it holds."""
    try:
        found = _shown(asdict(judge(rules, submission_of(example["request"]))))
    except Invalid as refusal:
        wanted = example.get("refused")
        return [] if refusal.slug == wanted else [f"it is refused ({refusal.slug}): {refusal.detail}"]
    if "refused" in example:
        return [f"it is taken, and should be refused ({example['refused']})"]
    return [
        f"{name} is {_at(found, name)!r}, and should be {expected!r}"
        for name, expected in _flat(example["gets"]).items()
        if _at(found, name) != expected
    ]


def _shown(found: dict[str, Any]) -> dict[str, Any]:
    return {**found, **{name: [item[member] for item in found[name]] for name, member in _LISTED.items()}}


def _flat(expected: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is expected by name; members of an object as `object.member`."""
    flat: dict[str, Any] = {}
    for name, value in expected.items():
        inner = value.items() if isinstance(value, Mapping) else ()
        flat |= {f"{name}.{member}": part for member, part in inner} if inner else {name: value}
    return flat


def _at(found: Mapping[str, Any], name: str) -> Any:
    outer, _, member = name.partition(".")
    value = found.get(outer)
    return value.get(member) if member and isinstance(value, Mapping) else value

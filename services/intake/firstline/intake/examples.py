"""Examples that a policy must satisfy: this request gets this verdict (`policies/*.test.yaml`)."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field

from firstline.common.errors import Invalid
from firstline.common.policy.checks import Finding
from firstline.common.policy.loader import PolicyNotValid, load_as, read_document
from firstline.common.policy.model import EntitlementState, HintCode, SupportMode, Tier, Verdict
from firstline.common.policy.parts import Part, Words
from firstline.common.policy.targets import Targets
from firstline.intake.scope import Judgement, Recovery, Rulebook, Submission, judge

JUDGED: Final = frozenset({"channel", "topic", "urgency_claim", "recovery", "entitlement", "fields"})
WHOSE: Final = frozenset({"organization_id", "edition"})
"""What only rules of targets ask for: whose request it is."""

_LISTED: Final = {"missing_information": "field", "hints": "code"}
"""Lists of which an example names one member of each item."""


class ExampleRequest(Part):
    """A request as an example gives it: what is judged of `POST /v1/tickets`, the state of the licence, whose it is."""

    channel: str
    topic: str | None = None
    urgency_claim: str | None = None
    recovery: Recovery = "none"
    entitlement: EntitlementState = "unknown"
    fields: dict[str, Any] = Field({})
    subject: str | None = None
    body: str = ""
    product: str | None = None
    version: str | None = None
    licence_key: str | None = None
    doc_refs: tuple[dict[str, Any] | str, ...] = ()
    organization_id: str | None = None
    edition: str | None = None


class ExpectedScope(Part):
    """What an example expects of the scope; only what is named is compared."""

    verdict: Verdict | None = None
    support_mode: SupportMode | None = None
    reason: str | None = None
    refer_to: str | None = None


class ExpectedTargets(Part):
    """What an example expects of the targets, in business minutes; None: not timed."""

    first_response: int | None = None
    next_response: int | None = None
    resolution: int | None = None


class Expected(Part):
    """What an example expects of the verdict; only what is named is compared."""

    scope: ExpectedScope | None = None
    urgency: str | None = None
    urgency_provisional: bool | None = None
    tier: Tier | None = None
    missing_information: tuple[str, ...] | None = None
    completeness: float | None = None
    entitlement: EntitlementState | None = None
    notice: str | None = None
    hints: tuple[HintCode, ...] | None = None
    target_rule: str | None = None
    targets: ExpectedTargets | None = None


class Example(Part):
    """A request and what the policy has to say of it: a verdict (`gets`), or the problem's type (`refused`)."""

    says: Words
    clause: str | None = None
    request: ExampleRequest
    gets: Expected | None = None
    refused: Literal["channel-not-official", "unknown-topic", "unknown-urgency", "licence-not-active"] | None = None


class Examples(Part):
    """A file of examples; `policy` names the policy that they were written for."""

    policy: str | None = None
    examples: tuple[Example, ...]


def load_examples(source: str | Path) -> tuple[tuple[int, Example], ...]:
    """Return the examples of a file (a path) or a text, each with the line in which it begins.

    Raises:
        PolicyNotValid: with every mistake that could be found; it also has one when there is no example.
        OSError: the file can't be read.

    """
    document = read_document(source)
    found = load_as(document, Examples).examples
    if wrong := list(_findings(found)):
        raise PolicyNotValid(document.mistakes(wrong))
    return tuple((document.line(f"/examples/{at}"), example) for at, example in enumerate(found))


def _findings(examples: tuple[Example, ...]) -> Iterator[Finding]:
    """Find examples that would hold under any policy, or under none."""
    if not examples:
        yield Finding("/examples", "the list is empty, so nothing was tested", "write at least one example")
    for at, example in enumerate(examples):
        pointer = f"/examples/{at}"
        if example.gets is not None and example.refused is not None:
            yield Finding(f"{pointer}/refused", "a refused request gets no verdict", "keep one of `gets` and `refused`")
        elif example.refused is None and not _expected(example):
            yield Finding(pointer, "nothing is expected of the policy", "add `gets` with members, or `refused`")


def differences(rules: Rulebook, targets: Targets, example: Example) -> list[str]:
    """Say in what the policy's verdict or its targets differ from what an example expects; nothing where it holds."""
    try:
        judgement = judge(rules, _submission(example.request))
        found = _shown(asdict(judgement)) | _timed(targets, example.request, judgement)
    # By the problem's type and not by its words, which a policy's author may change at any time.
    except Invalid as refusal:
        return [] if refusal.slug == example.refused else [f"it is refused ({refusal.slug}): {refusal.detail}"]
    if example.refused:
        return [f"it is taken, and should be refused ({example.refused})"]
    return [
        f"{name} is {_at(found, name)!r}, and should be {expected!r}"
        for name, expected in _expected(example).items()
        if _at(found, name) != expected
    ]


def _submission(request: ExampleRequest) -> Submission:
    """Return a request as it is judged: what isn't judged by name may answer a required field."""
    # Only what was written down: a default of this class would answer a required field.
    given = request.model_dump(exclude_unset=True)
    judged = {name: value for name, value in given.items() if name in JUDGED}
    members = {name: value for name, value in given.items() if name not in JUDGED | WHOSE}
    return Submission(**judged, members=members, text=request.body)


def _timed(targets: Targets, request: ExampleRequest, judgement: Judgement) -> dict[str, Any]:
    """Return the rule that gives the request's targets, and these."""
    judged = {name: getattr(judgement, name) for name in ("urgency", "tier", "entitlement")}
    whose = {name: getattr(request, name) for name in WHOSE}
    code, minutes = targets.chosen({**judged, **whose, "topic": request.topic})
    return {"target_rule": code, "targets": minutes.model_dump()}


def _shown(found: dict[str, Any]) -> dict[str, Any]:
    """Return a verdict with lists as an example writes them: fields and codes alone."""
    return {**found, **{name: [item[member] for item in found[name]] for name, member in _LISTED.items()}}


def _expected(example: Example) -> dict[str, Any]:
    """Return what is expected by name; members of an object as `object.member`, lists as lists."""
    flat: dict[str, Any] = {}
    for name, value in (example.gets.model_dump(exclude_unset=True) if example.gets else {}).items():
        inner = value if isinstance(value, Mapping) else None
        one = list(value) if isinstance(value, tuple) else value
        flat |= {name: one} if inner is None else {f"{name}.{member}": part for member, part in inner.items()}
    return flat


def _at(found: Mapping[str, Any], name: str) -> Any:
    """Return what a verdict has under a name, or under a member of it."""
    outer, _, member = name.partition(".")
    value = found.get(outer)
    return value.get(member) if member and isinstance(value, Mapping) else value

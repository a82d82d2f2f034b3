"""The texts that clients read: which there are, which placeholders each may use, and the choice by language.

A text is a small subset of Jinja: `{{ name }}` and `{% if name %} … {% else %} … {% endif %}`, nothing else.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from itertools import groupby
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

from jinja2 import StrictUndefined, TemplateSyntaxError, nodes
from jinja2.sandbox import SandboxedEnvironment
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

TextKind = Literal[
    "acknowledgement",
    "acknowledgement_unknown_sender",
    "reply",
    "missing_information",
    "out_of_scope",
    "waiting",
    "handed_over",
    "release_planned",
    "released",
    "supervisor_requested",
    "supervisor_answered",
    "reminder",
    "resolved",
    "closed",
    "reopened",
    "attachment_refused",
    "covered",
    "urgency_returned",
    "judged",
    "access_requested",
    "access_revealed",
    "access_purged",
    "access_change_due",
]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]
Template = Annotated[str, StringConstraints(min_length=1)]

# Every mail has these; the text for a sender nobody knows has the policy's own questions and no more, so that it can't
# carry what a stranger wrote.
_EVERYWHERE: Final = frozenset({"desk", "number", "link", "hours", "next_opening"})
_KNOWN_CLIENT: Final = _EVERYWHERE | {"name", "subject"}
# Who asks for passwords by a link in a mail is not us: these mails name the request and carry no link at all (4.3).
_WITHOUT_LINK: Final = _KNOWN_CLIENT - {"link"}

PLACEHOLDERS: Final[Mapping[TextKind, frozenset[str]]] = MappingProxyType(
    {
        "acknowledgement": _KNOWN_CLIENT
        | {"questions", "scope_reason", "referral", "entitlement_notice", "open_now"}
        | {"split_from", "hints", "consult_only", "refused_files"},
        "acknowledgement_unknown_sender": _EVERYWHERE | {"questions", "split_from", "refused_files"},
        "reply": _KNOWN_CLIENT | {"body", "specialist"},
        "missing_information": _KNOWN_CLIENT | {"questions"},
        "out_of_scope": _KNOWN_CLIENT | {"scope_reason", "referral"},
        "waiting": _KNOWN_CLIENT | {"circumstance", "waits_for_client", "closes_at", "questions"},
        "handed_over": _KNOWN_CLIENT | {"version", "term"},
        "release_planned": _KNOWN_CLIENT | {"version", "term", "version_before", "term_before"},
        "released": _KNOWN_CLIENT | {"version", "note"},
        "supervisor_requested": _KNOWN_CLIENT | {"body", "asked_by", "accelerate"},
        "supervisor_answered": _KNOWN_CLIENT | {"body", "supervisor"},
        "reminder": _KNOWN_CLIENT | {"closes_at", "questions", "resolved"},
        "resolved": _KNOWN_CLIENT | {"body", "closes_at", "reopen_days"},
        "closed": _KNOWN_CLIENT
        | {"body", "reason", "circumstance", "reopen_days", "referral"}
        | {"goes_on_in", "goes_on_at"},
        "reopened": _KNOWN_CLIENT | {"refused_files"},
        "attachment_refused": _KNOWN_CLIENT | {"file", "advice", "refused_files"},
        "covered": _KNOWN_CLIENT | {"scope_reason", "consult_only"},
        "urgency_returned": _KNOWN_CLIENT | {"reason"},
        "judged": _KNOWN_CLIENT
        | {"out_of_scope", "covered", "consult_only", "scope_reason", "referral"}
        | {"urgency_reason", "questions"},
        "access_requested": _WITHOUT_LINK | {"kinds", "host", "reason", "specialist", "expires_at"},
        "access_revealed": _WITHOUT_LINK | {"kinds", "host", "reason", "specialist", "at"},
        "access_purged": _WITHOUT_LINK | {"kinds", "host", "withdrawn"},
        "access_change_due": _WITHOUT_LINK | {"kinds", "again", "closed"},
    }
)
"""Placeholders that each text may use.

`body` is what was written to the client or the supervisor, in `resolved` and `closed` where it was part of that act.
`questions`, `hints` and `refused_files` are blocks of lines, one each, the last with a file's name and why it was not
taken (for an unknown sender without the name); `file` and `advice` say the same in a line; `open_now`,
`waits_for_client`, `resolved`, `consult_only`, `accelerate`, `out_of_scope` and `covered` are only asked for;
`referral` is the advice of the referral that the scope names; `term` is when a release is planned for, as exactly as
it is planned (2027-03-15, 2027-W11, 2027-03, 2027-Q1, 2027); `split_from` is the ID of the request that this one was
split off from, `goes_on_in` and `goes_on_at` are ID and address of the one in which a duplicate goes on; `kinds` are
kinds of access data, one a line, with the host where one is named; `again`, `closed` and `withdrawn` are only asked
for; the others are ready to be read. `judged` tells in one mail what else `out_of_scope` or `covered`,
`urgency_returned` (`urgency_reason`) and `missing_information` tell in a mail each.
"""

_ALLOWED_NODES: Final = (nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.If)
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Text(BaseModel):
    """One mail: subject and plain-text body, both templates."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    subject: Template
    body: Template


class Wording(BaseModel):
    """The texts in each language; a language other than the default one may lack some."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    default_language: Language
    languages: dict[Language, dict[TextKind, Text]] = Field(min_length=1)

    def has(self, kind: TextKind) -> bool:
        """Say whether there is such a text; a version published by an earlier release lacks the newer kinds."""
        return kind in self.languages[self.default_language]

    def text(self, kind: TextKind, language: str | None) -> Text:
        """Return the text in that language, in its main language (`de` for `de-AT`), else in the default one."""
        wanted = language or self.default_language
        for known in (wanted, wanted.partition("-")[0]):
            if (found := self.languages.get(known, {}).get(kind)) is not None:
                return found
        return self.languages[self.default_language][kind]


def environment() -> SandboxedEnvironment:
    """Return the environment in which texts are read and printed: plain text, block tags leave no lines behind."""
    # Sandboxed although `names_in` lets only names and `if` pass: a text may come from a published document that this
    # release has not checked itself.
    return SandboxedEnvironment(
        autoescape=False,  # plain-text mails, never HTML
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )


def names_in(template: str) -> frozenset[str]:
    """Return the placeholders that a template uses.

    Raises:
        ValueError: it is no template, or it does more than print names and choose by them.

    """
    try:
        tree = environment().parse(template)
    except TemplateSyntaxError as error:
        raise ValueError(f"this is no template: {error.message}") from error
    for node in _walk(tree):
        # A list of what is allowed: whatever the template language grows, texts stay plain.
        if not isinstance(node, _ALLOWED_NODES):
            raise ValueError(f"a text may print names and use if, but not {type(node).__name__.lower()}")  # noqa: TRY004
    return frozenset(node.name for node in tree.find_all(nodes.Name))


def _walk(node: nodes.Node) -> Iterator[nodes.Node]:
    """Yield a node and all below it."""
    yield node
    for child in node.iter_child_nodes():
        yield from _walk(child)


def hours_in_words(calendar: Mapping[str, Any], on: date | None = None) -> str:
    """Say weekly hours in one line, such as `Mon-Fri 06:00-16:00 (UTC)` (clause 2.1): those of a date, or the first."""
    hours = calendar.get("hours", {})
    # ISO dates sort as they follow each other.
    for day, later in sorted(calendar.get("hours_from", {}).items()):
        if on is not None and day <= on.isoformat():
            hours = later
    return f"{week_in_words(hours)} ({calendar['tz']})"


def week_in_words(hours: Mapping[str, Any]) -> str:
    """Say weekly hours without the zone."""
    spans = [(day, ", ".join(f"{start}-{end}" for start, end in hours.get(day, []))) for day in _DAYS]
    parts = []
    for span, group in groupby(spans, key=lambda entry: entry[1]):
        days = [day.capitalize() for day, _ in group]
        if span:
            parts.append(f"{days[0]}-{days[-1]} {span}" if len(days) > 1 else f"{days[0]} {span}")
    return "; ".join(parts) or "closed"

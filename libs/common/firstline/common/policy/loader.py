"""Reads a policy file, or its examples, and says of every mistake in it where it stands, what is wrong and what to do.

Only plain YAML is read: no tags, no anchors, no key twice, and only `true`, `false`, `null` and decimal numbers are
more than text, so that `06:00` stays a time of day.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType, UnionType
from typing import Any, Final, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from firstline.common.calendar_public import with_public_dates
from firstline.common.errors import Fault, Invalid
from firstline.common.policy.checks import Finding, findings
from firstline.common.policy.model import Policy

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Mistake:
    """A mistake in a policy file: line (from 1), JSON pointer, what is wrong and what to do about it."""

    line: int
    pointer: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        where = f"line {self.line}, {self.pointer}" if self.pointer else f"line {self.line}"
        return f"{where}: {self.problem}; {self.remedy}"


class PolicyNotValid(Invalid):
    """The policy file, or the file of its examples, has mistakes; `mistakes` lists them all by line."""

    title = "The policy has mistakes"

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        """Keep the mistakes, and describe them as faults for the API."""
        self.mistakes = tuple(sorted(mistakes, key=lambda mistake: (mistake.line, mistake.pointer)))
        faults = tuple(Fault(mistake.pointer, str(mistake)) for mistake in self.mistakes)
        super().__init__("\n".join(map(str, self.mistakes)), faults=faults)


@dataclass(frozen=True, slots=True)
class Document:
    """A file of plain YAML: its JSON values, and the line of every JSON pointer into it."""

    content: Any
    lines: Mapping[str, int]

    def mistakes(self, found: Iterable[Finding]) -> list[Mistake]:
        """Return findings with the lines in which they stand."""
        return [Mistake(self.line(at.pointer), at.pointer, at.problem, at.remedy) for at in found]

    def line(self, pointer: str) -> int:
        """Return the line of what a pointer points at, or of the nearest thing around it."""
        # What is missing has no line; whoever mends it looks at what it is missing from.
        while pointer and pointer not in self.lines:
            pointer = pointer.rpartition("/")[0]
        return self.lines.get(pointer, 1)


@dataclass(frozen=True, slots=True)
class Comparable:
    """A policy that is compared with another; `missing` names what this release asks for and the file lacks."""

    policy: Policy
    missing: tuple[Mistake, ...]


def load_policy(source: str | Path) -> Policy:
    """Return the policy that a file (a path) or a text holds.

    Raises:
        PolicyNotValid: with every mistake that could be found.
        OSError: the file can't be read.

    """
    document = read_document(source)
    policy = load_as(document, Policy)
    # Only what has the right form can be asked whether its parts fit together: two rounds, each with all its mistakes.
    if found := findings(policy):
        raise PolicyNotValid(document.mistakes(found))
    return _settled(policy)


def load_to_compare(source: Path, other: Path) -> Comparable:
    """Return the policy of a file that an earlier release may have been content with, to be compared with another.

    Texts that it lacks stay away; keys that it lacks are taken from the other file, so that they make no difference.

    Raises:
        PolicyNotValid: with every mistake but what is missing.
        OSError: a file can't be read.

    """
    document = read_document(source)
    lacking = [at for at in misfits(document.content, Policy) if at.missing]
    filled = document
    if lacking:
        given = read_document(other).content
        content = deepcopy(document.content)
        for at in lacking:
            _fill(content, given, at.pointer)
        filled = Document(content, document.lines)
    policy = load_as(filled, Policy)
    found = findings(policy)
    # What is missing only shows that the file is older; all else would make the comparison wrong.
    if wrong := [at for at in found if not at.missing]:
        raise PolicyNotValid(document.mistakes(wrong))
    return Comparable(_settled(policy), tuple(document.mistakes([*lacking, *found])))


def _settled(policy: Policy) -> Policy:
    """Return the policy with its public holidays written down, so that its version says which they are."""
    # Released versions of the library that knows holidays differ; a version of the policy must not (clause 2.1).
    first, staff = policy.effective_from.date(), policy.targets.staff_calendar
    settled = policy.model_copy(update={"calendar": with_public_dates(policy.calendar, first)})
    if staff is None:
        return settled
    targets = policy.targets.model_copy(update={"staff_calendar": with_public_dates(staff, first)})
    return settled.model_copy(update={"targets": targets})


def _fill(content: Any, given: Any, pointer: str) -> None:
    """Put what stands at a pointer in another file into the same place; parts of lists are found by their codes."""
    *path, name = [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]
    for step in path:
        if isinstance(content, list):
            content = content[int(step)]
            if not isinstance(given, list) or not given:
                return
            code = content.get("code") if isinstance(content, dict) else None
            given = next((part for part in given if isinstance(part, dict) and part.get("code") == code), given[0])
        else:
            content, given = content[step], given.get(step) if isinstance(given, dict) else None
    if isinstance(content, dict) and isinstance(given, dict) and name in given:
        content[name] = given[name]


def read_document(source: str | Path) -> Document:
    """Return what a file (a path) or a text of plain YAML holds.

    Raises:
        PolicyNotValid: it is no plain YAML.
        OSError: the file can't be read.

    """
    content, lines = _parse(_read(source) if isinstance(source, Path) else source)
    return Document(content, lines)


def load_as(document: Document, model: type[M]) -> M:
    """Return a document as the model that it has to be.

    Raises:
        PolicyNotValid: with every place that doesn't fit.

    """
    try:
        # By way of JSON: models are strict, and of Python values strict would refuse lists for tuples and text for
        # times, which JSON has no other form for.
        return model.model_validate_json(json.dumps(document.content))
    except ValidationError as error:
        raise PolicyNotValid(document.mistakes(_findings(error, model))) from error


def misfits(content: Any, model: type[BaseModel]) -> list[Finding]:
    """Return every place in which JSON values are not what a model has to be."""
    try:
        model.model_validate_json(json.dumps(content))
    except ValidationError as error:
        return _findings(error, model)
    return []


def _findings(error: ValidationError, model: type[BaseModel]) -> list[Finding]:
    """Return what pydantic found, each mistake once."""
    return [_finding(detail, model) for detail in _innermost(error.errors(include_url=False))]


def _read(file: Path) -> str:
    """Return a file's text; a byte order mark, as some editors write it, doesn't count."""
    content = file.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        mistake = Mistake(line, "", "a character here is not UTF-8", "save the file as UTF-8 text")
        raise PolicyNotValid([mistake]) from error


class _Plain(yaml.BaseLoader):
    """YAML whose scalars stay as they are written, and in which nothing stands for something else."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose the next node, unless it is an alias (a few lines of those can grow into gigabytes)."""
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "an alias (*) stands here; write the value itself", mark)
        return super().compose_node(parent, index)


class _Reader:
    """Turns nodes into JSON values and remembers the line of each JSON pointer."""

    def __init__(self) -> None:
        self.lines: dict[str, int] = {}
        self.mistakes: list[Mistake] = []

    def value(self, node: yaml.Node, pointer: str) -> Any:
        """Return the node's value; what it lacks is noted as a mistake."""
        self.lines.setdefault(pointer, node.start_mark.line + 1)
        if node.tag not in _TAGS:
            self._note(node, pointer, f"the tag {node.tag!r} is not read", "remove the tag")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, pointer)
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        return [self.value(item, f"{pointer}/{at}") for at, item in enumerate(node.value)]

    def _mapping(self, node: yaml.MappingNode, pointer: str) -> dict[str, Any]:
        """Return a mapping as a dict. A key that stands twice is a mistake: YAML would quietly let the last one win."""
        members: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._note(key, pointer, "a key is a list or a mapping", "use plain text as the key")
                continue
            at = f"{pointer}/{_escaped(key.value)}"
            if key.value in members:
                problem = f"the key {key.value!r} stands here a second time (first in line {self.lines[at]})"
                self._note(key, at, problem, "keep one of the two")
            self.lines[at] = key.start_mark.line + 1
            members[key.value] = self.value(value, at)
        return members

    def _note(self, node: yaml.Node, pointer: str, problem: str, remedy: str) -> None:
        """Note a mistake and go on, so that one reading finds all."""
        self.mistakes.append(Mistake(node.start_mark.line + 1, pointer, problem, remedy))


_TAGS: Final = tuple(f"tag:yaml.org,2002:{kind}" for kind in ("str", "map", "seq"))


def _parse(text: str) -> tuple[Any, dict[str, int]]:
    """Return the file's content as JSON values, and the line of every JSON pointer into it."""
    try:
        node = _Plain(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = f"this is not plain YAML: {error.problem or error.context}"
        remedy = "correct the line (inside braces, text with a comma, colon or question mark needs quotes)"
        raise PolicyNotValid([Mistake(mark.line + 1 if mark else 1, "", problem, remedy)]) from error
    except yaml.YAMLError as error:
        raise PolicyNotValid([Mistake(1, "", f"this is not YAML: {error}", "save the file as plain text")]) from error
    reader = _Reader()
    content = reader.value(node, "") if node else None
    if reader.mistakes:
        raise PolicyNotValid(reader.mistakes)
    return content, reader.lines


def _scalar(node: yaml.ScalarNode) -> Any:
    """Return a scalar as the JSON value it stands for: only words and numbers of JSON are more than text."""
    text: str = node.value
    if node.style is not None:  # quoted or a block: text, whatever it looks like
        return text
    if text in _WORDS:
        return _WORDS[text]
    # Without leading zeros: 007 is a code and not a number.
    if re.fullmatch(r"-?(0|[1-9][0-9]*)", text):
        return int(text)
    if re.fullmatch(r"-?[0-9]+\.[0-9]+", text):
        return float(text)
    return text


_WORDS: Final[Mapping[str, bool | None]] = MappingProxyType(
    {"true": True, "false": False, "null": None, "~": None, "": None}
)


def _innermost(details: list[ErrorDetails]) -> list[ErrorDetails]:
    """Leave out what only follows from another mistake: a list without its wrong items, a default without its cause."""
    reasons = [detail for detail in details if detail["type"] != "default_factory_not_called"]
    around = {detail["loc"][:depth] for detail in reasons for depth in range(len(detail["loc"]))}
    return [detail for detail in reasons if detail["loc"] not in around]


def _finding(detail: ErrorDetails, model: type[BaseModel]) -> Finding:
    """Say in the policy's terms what pydantic found."""
    path = [step for step in detail["loc"] if step != "[key]"]
    pointer = "".join(f"/{_escaped(str(step))}" for step in path)
    if detail["type"] == "missing":
        return Finding(pointer, f"{path[-1]!r} is missing", "add it", missing=True)
    if detail["type"] == "extra_forbidden":
        known = _keys_at(model, path[:-1])
        near = get_close_matches(str(path[-1]), known, n=1)
        remedy = f"did you mean {near[0]!r}?" if near else f"remove it; known here: {', '.join(known)}"
        return Finding(pointer, f"there is no key {path[-1]!r} here", remedy)
    if detail["type"] == "string_type" and isinstance(detail["input"], int | float):
        return Finding(pointer, f"{detail['input']!r} is no text", "put it in quotes")
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Input ").removeprefix("String ")
    given = detail["input"]
    problem = "this does not fit" if isinstance(given, dict | list) else f"{given!r} does not fit"
    if given is None:
        problem = "nothing stands here"
    return Finding(pointer, problem, f"it {message}" if message.startswith("should") else message)


def _keys_at(model: type[BaseModel], path: Sequence[int | str]) -> list[str]:
    """Return the keys of the part of the document that the path leads to."""
    here: Any = model
    for step in path:
        inner = here.model_fields[step].annotation if _is_part(here) else get_args(here)
        here = next((kind for kind in inner if _is_part(kind)), inner[-1]) if isinstance(inner, tuple) else inner
        here = next((kind for kind in get_args(here) if _is_part(kind)), here) if isinstance(here, UnionType) else here
    return list(here.model_fields)


def _is_part(kind: Any) -> bool:
    """Say whether an annotation is a model, with keys of its own."""
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _escaped(step: str) -> str:
    """Return a step of a JSON pointer (RFC 6901)."""
    return step.replace("~", "~0").replace("/", "~1")

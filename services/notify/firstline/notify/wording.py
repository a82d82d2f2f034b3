"""Prints the policy's texts as mails: subject with the ID exactly once (clause 4.4), plain text that reads well.

Values are data: they are printed after the template was read, so `{{ 7 * 7 }}` in a subject stays what it is.
"""

import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby, pairwise

from jinja2 import Template

from firstline.common.addresses import tagged_numbers, without_tags
from firstline.common.mail import one_line
from firstline.common.policy.wording import PLACEHOLDERS, TextKind, Wording, environment, names_in

Value = str | bool | int | tuple[str, ...] | None
"""A placeholder's value; a tuple is printed as a list, one line each, and None like an empty text."""

LINE_CHARS = 76
CUT = {"subject": 120, "name": 60, "file": 100}
BODY_MARK = "\x00"  # stands for the body while the rest is laid out; no value can hold it

_ANSWER_MARKS = re.compile(r"\A((re|aw|antw|sv|vs|odp|fwd?|wg|tr|rv)(\[[0-9]{1,3}\])? ?: ?)+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail's subject (one line) and plain-text body."""

    subject: str
    text: str


class Writer:
    """Writes letters with the texts of one policy version."""

    def __init__(self, wording: Wording) -> None:
        self._wording = wording
        self._environment = environment()
        self._read: dict[str, Template] = {}

    def letter(self, kind: TextKind, language: str | None, values: Mapping[str, Value]) -> Letter:
        """Print a text in a language, else in the policy's default one.

        A text sees only the values that its kind may use, so that the one for an unknown sender can't carry what that
        sender wrote. Missing ones count as empty.

        Raises:
            ValueError: the template does more than print names and choose by them.
            UndefinedError: it prints a name that its kind doesn't have.

        """
        text = self._wording.text(kind, language)
        given = {name: _printed(name, values.get(name)) for name in sorted(PLACEHOLDERS[kind])}
        subject = self._template(text.subject).render(given)
        # Kept out of the layout: somebody's own lines, code among them, go out as they were written.
        body = str(values.get("body") or "").strip("\n")
        if "body" in given and body:
            given["body"] = BODY_MARK
        laid_out = _laid_out(self._template(text.body).render(given))
        return Letter(_numbered(subject, str(given["number"])), laid_out.replace(BODY_MARK, body))

    def knows(self, kind: TextKind) -> bool:
        """Tell whether the policy version has a text of that kind."""
        return self._wording.has(kind)

    def prints(self, kind: TextKind, name: str) -> bool:
        """Tell whether the text of a kind prints a value, such as `body`, in every language that has one."""
        texts = [texts[kind] for texts in self._wording.languages.values() if kind in texts]
        return all(name in names_in(text.body) for text in texts)

    def _template(self, text: str) -> Template:
        """Return a template of the policy, read once and checked to do no more than print names and choose."""
        if text not in self._read:
            # Checked here too: the policy comes as an event, from an intake of whichever release.
            names_in(text)
            self._read[text] = self._environment.from_string(text)
        return self._read[text]


def bare_subject(subject: str) -> str:
    """Return a subject without IDs and without the marks of answering and forwarding, so that it can't grow."""
    return _ANSWER_MARKS.sub("", without_tags(one_line(subject)))


def _printed(name: str, value: Value) -> Value:
    """Return a value as a template prints it: one line, cut to its width; a list as a line each."""
    if value is None:
        return ""
    if isinstance(value, tuple):
        return "\n".join(f"- {one_line(item)}" for item in value)
    if not isinstance(value, str):
        return value
    line = bare_subject(value) if name == "subject" else one_line(value)
    most = CUT.get(name, len(line))
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def _numbered(subject: str, number: str) -> str:
    """Return the subject as one line that names the request once."""
    line, mark = one_line(subject), f"[{number}]"
    if line.count(mark) == 1 and tagged_numbers(line) == (number,):
        return line
    return f"{mark} {bare_subject(line)}".rstrip()


def _laid_out(text: str) -> str:
    """Wrap what is too wide; a line too wide flows on into the next one, unless that is a link or a list's item."""
    paragraphs: list[str] = []
    for filled, lines in groupby(map(str.rstrip, text.split("\n")), key=bool):
        if filled:
            paragraphs.append("\n".join(_wrapped(line) for line in _joined(list(lines))))
    return "\n\n".join(paragraphs) + "\n"


def _joined(lines: list[str]) -> list[str]:
    """Return lines, those too wide for one joined to what follows, so that both wrap as one paragraph."""
    joined = lines[:1]
    for before, line in pairwise(lines):
        if len(before) > LINE_CHARS and not line.startswith(("http://", "https://", "- ", BODY_MARK)):
            joined[-1] += f" {line}"
        else:
            joined.append(line)
    return joined


def _wrapped(line: str) -> str:
    """Return a line in lines of the mail's width; words are never broken, so links stay whole."""
    indent = "  " if line.startswith("- ") else ""
    return textwrap.fill(line, LINE_CHARS, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)

"""Answers to questions for missing information, read out of what people write in mails (clause 4.2).

Nothing is guessed: an answer stands behind its question, or behind the field's title or code and a colon. What is not
recognised stays in the message for the specialist.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

MAX_TEXT_CHARS: Final = 100_000
MAX_ANSWER_CHARS: Final = 2_000
SIGNATURE: Final = "--"

_QUOTED: Final = re.compile(r"[ \t]*>")
_MARKS: Final = " \t>*-•:"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: the field that the answer fills, its title, and the question."""

    field: str
    title: str
    text: str


def answers_in(text: str, asked: Sequence[Question], *, labels: bool = True) -> dict[str, str]:
    """Return the answers that a text holds, by field.

    A question may stand in a quotation and be wrapped anew; its answer never does: it is the rest of the line, else
    the lines that follow, up to an empty one. `labels` says whether `Version: 24.100` is an answer as well.
    """
    text = text[:MAX_TEXT_CHARS]
    found = {}
    starts = [match for question in asked for match in _places(text, question, labels=labels)]
    for question in asked:
        for match in _places(text, question, labels=labels):
            if answer := _after(text, match, starts):
                found[question.field] = answer
                break
    return found


def _places(text: str, question: Question, *, labels: bool) -> Iterator[re.Match[str]]:
    """Yield where a question stands, and where its label begins a line of the writer's own."""
    # A mail program may have broken the question into lines, each with its marks of quotation.
    words = r"[\s>]+".join(map(re.escape, question.text.split()))
    yield from re.finditer(words, text, re.IGNORECASE)
    if labels:
        names = "|".join(re.escape(name) for name in (question.title, question.field))
        yield from re.finditer(rf"^[ \t*•-]*(?:{names})[ \t]*[:=]", text, re.IGNORECASE | re.MULTILINE)


def _after(text: str, match: re.Match[str], starts: Sequence[re.Match[str]]) -> str:
    """Return the answer behind a question, empty where there is none."""
    beginning = text.rfind("\n", 0, match.end()) + 1
    quoted = _QUOTED.match(text, beginning) is not None
    # An answer ends where the next question begins.
    end = min((other.start() for other in starts if other.start() >= match.end()), default=len(text))
    rest, *below = text[match.end() : end].split("\n")
    if not quoted and rest.strip(_MARKS):
        return rest.strip(_MARKS)[:MAX_ANSWER_CHARS]
    # Behind a quoted question an answer may stand further down; elsewhere an empty line says that there is none.
    if quoted:
        while below and not below[0].strip():
            below.pop(0)
    lines = takewhile(_is_own, below)
    return "\n".join(line.strip() for line in lines).strip(_MARKS + "\n")[:MAX_ANSWER_CHARS]


def _is_own(line: str) -> bool:
    """Say whether a line goes on with an answer: not empty, not quoted, not the beginning of a signature."""
    return bool(line.strip()) and not _QUOTED.match(line) and line.rstrip() != SIGNATURE

"""Passwords that somebody tells to have typed or replaced, or that stand alone below a name (clause 4.3)."""

import re
from collections.abc import Iterator
from typing import Final

from firstline.intake.pasted.looked import Looked
from firstline.intake.pasted.readings import Reading, Weight, is_code, near, sentence, tokens, weight, word_at
from firstline.intake.pasted.small_words import AND, BOTH, OR_THEN
from firstline.intake.pasted.values import Span, is_product, line_end, line_start

MOST_HOSTS: Final = 6
MOST_NAMES: Final = 60
LABEL_CHARS: Final = 12
MOST_LABELS: Final = 2
CELLS: Final = 3
SHORT_LABEL: Final = 4

_TRIED: Final = re.compile(rf"[ \t:,]*(?:(?:{BOTH})[ \t]+)?")
_ANOTHER: Final = re.compile(rf"[\"»”]?,?[ \t]+(?:{AND}|{OR_THEN})[ \t]+")
_NUMBERED: Final = re.compile(r"[^\W\d_]{4,}(?:-[^\W\d_]{3,})*-?\d{1,4}!?")
_COUNTED: Final = re.compile(r"(?:version|step|user|server|page|port|item|order|level|plan|stage)\d", re.IGNORECASE)
_LOGIN: Final = re.compile(r"[a-z][A-Za-z0-9]*(?:[._-][A-Za-z0-9]+)*")
_HOST: Final = re.compile(
    r"(?:https?://|s?ftp://)?(?:[\w-]+\.){1,5}[a-z]{2,12}(?::\d{2,5})?(?:/\S*)?|(?:\d{1,3}\.){3}\d{1,3}(?::\d{2,5})?",
    re.IGNORECASE,
)
_FIRST_HOSTS: Final = re.compile(
    r"(?:^|\n|[ \t])((?:https?://|s?ftp://)?(?:[\w-]{1,40}\.){1,5}[a-z]{2,12}|(?:\d{1,3}\.){3}\d{1,3})(?=[\s:/,;|]|$)"
)
_MARKS: Final = re.compile(r"[ \t>*•-]*(?:\d{1,2}[.)][ \t]+)?")
_CELLS: Final = re.compile(r"[ \t]*[,;|/][ \t]*|[ \t]+[\u2013\u2014-][ \t]+|\t+")


def by_tellings(here: Looked) -> Iterator[Span]:
    """Yield what somebody tells to have typed or replaced, and what stands alone below a host or a name."""
    yield from _tried(here)
    yield from _replaced(here)
    if here.passwords or here.logins or here.access or here.hints["ways"]:
        yield from _below_names(here)
        yield from _below_hosts(here)


def _tried(here: Looked) -> Iterator[Span]:
    """Yield what stands right behind a word for typing, and what an `and` adds to it."""
    for start, end in here.hints["tries"]:
        match = _TRIED.match(here.text, end)
        begin, stop = sentence(here, start, end)
        if match is None or is_code(here.text[begin:stop]):
            continue
        reading = word_at(here, match.end())
        while reading is not None and _is_tried(here, reading, start, stop):
            yield reading.span
            another = _ANOTHER.match(here.text, reading.end)
            reading = word_at(here, another.end()) if another else None


def _is_tried(here: Looked, reading: Reading, start: int, stop: int) -> bool:
    """Say whether a word that was typed looks like a password, or is said to be one."""
    found = weight(here, reading.text)
    if reading.quoted and " " in reading.text:
        return found >= Weight.NAMED and near(here.passwords, start, stop, 0, 0)
    return found >= Weight.MIXED or _is_numbered(reading.text)


def _is_numbered(text: str) -> bool:
    """Say whether a word with a number is none that counts things or versions."""
    return _NUMBERED.fullmatch(text) is not None and not is_product(text) and not _COUNTED.match(text)


def _replaced(here: Looked) -> Iterator[Span]:
    """Yield words with a number where an old password and a new one are told."""
    for start, end in here.hints["old"]:
        begin, stop = sentence(here, start, end)
        if not near(here.passwords, begin, stop, 0, 0) or is_code(here.text[begin:stop]):
            continue
        for reading in tokens(here, begin, stop):
            if _is_numbered(reading.text):
                yield reading.span


def _below_names(here: Looked) -> Iterator[Span]:
    """Yield an odd word alone in the line below a name to get in with."""
    for start, end in here.logins[:MOST_NAMES]:
        stop = line_end(here.text, end)
        name = here.text[end:stop].strip(" \t:=*")
        if not name or " " in name or start - line_start(here.text, start) > LABEL_CHARS:
            continue
        reading = _alone(here, stop + 1)
        if reading is not None and weight(here, reading.text) >= Weight.MIXED:
            yield reading.span


def _alone(here: Looked, place: int) -> Reading | None:
    """Return the word that is all of the line at a place, behind the line's marks or a short label."""
    if place >= len(here.text):
        return None
    marks = _MARKS.match(here.text, place)
    at = marks.end() if marks else place
    words = here.text[at : line_end(here.text, at)].split()
    if len(words) == MOST_LABELS and len(words[0]) <= SHORT_LABEL and words[0].islower():
        return word_at(here, here.text.find(words[1], at))
    return word_at(here, at) if len(words) == 1 and not words[0].endswith((":", ",")) else None


def _below_hosts(here: Looked) -> Iterator[Span]:
    """Yield the last of a host, a name and a password that stand by themselves in three lines or in one."""
    done = -1
    for count, match in enumerate(_FIRST_HOSTS.finditer(here.text)):
        start = match.start(1)
        if count >= MOST_HOSTS or start < done:
            continue
        begin, stop = line_start(here.text, start), line_end(here.text, start)
        reading = _last_cell(here, begin, stop) or _two_below(here, begin, stop)
        if reading is not None and weight(here, reading.text) >= Weight.PLAIN and not _HOST.fullmatch(reading.text):
            done = reading.end
            yield reading.span


def _last_cell(here: Looked, begin: int, stop: int) -> Reading | None:
    """Return the third of three cells of a line that begins with a host."""
    cells = [cell for cell in _CELLS.split(_MARKS.sub("", here.text[begin:stop], count=1)) if cell]
    if len(cells) != CELLS or not _HOST.fullmatch(cells[0]) or " " in cells[1] + cells[2].strip("."):
        return None
    return word_at(here, here.text.rfind(cells[2], begin, stop))


def _two_below(here: Looked, begin: int, stop: int) -> Reading | None:
    """Return the word two lines below a host that ends its line; a name stands between, which may have a label."""
    words = here.text[begin:stop].split()
    if len(words) > CELLS or not words or not _HOST.fullmatch(words[-1]) or stop + 1 >= len(here.text):
        return None
    second = line_end(here.text, stop + 1) + 1
    name = _MARKS.sub("", here.text[stop + 1 : second - 1], count=1).split()
    if not name or len(name) > MOST_LABELS or not _LOGIN.fullmatch(name[-1]) or name[-1] in here.rules.never:
        return None
    return _alone(here, second)

"""Passwords without a label of their own: pairs of name and password, columns of a table, ways in (clause 4.3)."""

import re
from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

from firstline.intake.pasted.cues import behind, next_line
from firstline.intake.pasted.looked import Looked
from firstline.intake.pasted.values import (
    Span,
    Strength,
    entropy,
    is_hash,
    is_uuid,
    line_end,
    line_start,
    strength,
    value_at,
)

MAX_ROWS: Final = 60
MAX_LINE: Final = 300
MOST_COLUMNS: Final = 12
WIDER: Final = 20
"""Characters that the heading of a column may have beside the cue."""
PAIR_LINES: Final = 3
LEAST_ENTROPY: Final = 2.0

_PAIR: Final = re.compile(r"([^\s/|:;,]{1,80})[ \t]*([/|:;,\\]|[ \t])[ \t]*(\S{3,120})")
_BETWEEN: Final = re.compile(r"[ \t\u00a0]*(?:[/|:;,&+\\-]|[^\W\d_]{1,3})?[ \t\u00a0]*")
_HOST: Final = re.compile(r"@|\b\d{1,3}(?:\.\d{1,3}){3}\b|\b[\w-]+\.[a-z]{2,}\b|:", re.IGNORECASE)
_DELIMITERS: Final = tuple(
    re.compile(sign) for sign in (r"[ \t]*\|[ \t]*", r"\t+", r"[ \t]*;[ \t]*", r" {2,}", r",[ \t]*")
)


def by_neighbours(here: Looked) -> Iterator[Span]:
    """Yield what shows by standing beside a name, under a heading, or beside a way in."""
    if here.passwords and here.logins:
        yield from _pairs(here)
    if here.passwords:
        yield from _tables(here)
    if here.access:
        yield from _ways_in(here)


def _pairs(here: Looked) -> Iterator[Span]:
    """Yield the password of `login / password: admin / …`, in its line or in those below."""
    text = here.text
    for start, end in here.passwords:
        at = bisect_left(here.logins, (start - 40, 0))
        near = [e for _, e in here.logins[at : at + 4] if e <= start]
        if not any((m := _BETWEEN.match(text, e, start)) and m.end() == start for e in near):
            continue
        place, mode = behind(here, start, end)
        if mode in {"marked", "cell", "joined"} and place < line_end(text, end):
            yield from _pair_at(here, place, spaced=True)
        elif not text[end : line_end(text, end)].strip(" \t:*_=-"):
            yield from _pairs_below(here, end)


def _pairs_below(here: Looked, place: int) -> Iterator[Span]:
    """Yield the passwords of the pairs in the lines below; a pair may also take two lines."""
    below: int | None = place
    name = False
    for _ in range(PAIR_LINES):
        below = next_line(here.text, below) if below is not None else None
        if below is None:
            return
        yield from _pair_at(here, below, spaced=False)
        value = value_at(here.text, below)
        lone = value is not None and value.alone and " " not in here.text[below : line_end(here.text, below)].strip()
        if name and lone and value and strength(value.text, here.rules.never) >= Strength.STRONG:
            yield Span(value.start, value.end, "password")
            return
        name = lone


def _pair_at(here: Looked, place: int, *, spaced: bool) -> Iterator[Span]:
    """Yield the password of a pair that begins at a place; `spaced` says whether a space alone may part them."""
    pair = _PAIR.match(here.text, place, line_end(here.text, place))
    value = value_at(here.text, pair.start(3)) if pair else None
    if pair is None or value is None or here.masked(value.start) or pair[1].lower() in here.rules.never:
        return
    if is_hash(value.text) or is_uuid(value.text) or not (spaced or pair[2].strip() or value.alone):
        return
    named = strength(pair[1], here.rules.never) != Strength.NONE or "@" in pair[1]
    found = strength(value.text, here.rules.never)
    if found >= (Strength.WORD if pair[2].strip() and named and value.alone else Strength.STRONG):
        yield Span(value.start, value.end, "password")


def _tables(here: Looked) -> Iterator[Span]:
    """Yield the cells below the heading of a column of passwords."""
    text, seen = here.text, -1
    for start, end in here.passwords:
        begin, stop = line_start(text, start), line_end(text, end)
        if begin <= seen or stop - begin > MAX_LINE:
            continue
        for delimiter in _DELIMITERS:
            heads = _cells(text, begin, stop, delimiter)
            if len(heads) > 1:
                break
        columns = [i for i, (s, e) in enumerate(heads) if s <= start and end <= e and e - s <= end - start + WIDER]
        if columns and 1 < len(heads) <= MOST_COLUMNS:
            seen = begin
            yield from _column(here, stop + 1, columns[0], len(heads), delimiter)


def _cells(text: str, start: int, end: int, delimiter: re.Pattern[str]) -> list[tuple[int, int]]:
    """Return the places of a line's cells."""
    begin, cells = start, []
    for cut in delimiter.finditer(text, start, end):
        cells.append((begin, cut.start()))
        begin = cut.end()
    cells.append((begin, end))
    return [(s, e) for s, e in cells if e > s]


def _column(here: Looked, place: int, column: int, width: int, delimiter: re.Pattern[str]) -> Iterator[Span]:
    """Yield the cells of one column, as long as the rows below the heading have as many cells."""
    text = here.text
    for _ in range(MAX_ROWS):
        end = line_end(text, place)
        cells = _cells(text, place, min(end, place + MAX_LINE), delimiter) if place < len(text) else []
        if len(cells) != width:
            return
        start, stop = cells[column]
        word = text[start:stop].strip("\"'` ")
        plain = " " not in word and not is_hash(word) and not is_uuid(word) and not here.masked(start)
        if plain and strength(word, here.rules.never) >= Strength.WORD:
            yield Span(start, stop, "password")
        place = end + 1


def _ways_in(here: Looked) -> Iterator[Span]:
    """Yield what stands unlabelled beside a way in: `ssh root@host …`, `ftp: name / …`."""
    text, seen = here.text, -1
    for start, _ in here.access:
        begin, end = line_start(text, start), line_end(text, start)
        if begin <= seen or end - begin > MAX_LINE:
            continue
        seen = begin
        line = text[begin:end]
        if _HOST.search(line) is None:
            continue
        for piece, at, apart in _last_piece(line, begin):
            if _given_access(here, piece, at, apart=apart):
                yield Span(at, at + len(piece), "password")


def _last_piece(line: str, begin: int) -> Iterator[tuple[str, int, bool]]:
    """Yield the last piece of a line, its place, and whether a mark sets it apart from a name before it."""
    words = line.split()
    if not words or "ssh-" in line:
        return
    piece = words[-1]
    if "://" not in piece:
        piece = re.split(r"[:/|,;]", piece)[-1] or piece
    at = line.rstrip().rfind(piece)
    yield piece, begin + at, line[:at].rstrip()[-1:] in {"/", "|"}


def _given_access(here: Looked, piece: str, at: int, *, apart: bool) -> bool:
    """Say whether the last piece in the line of a way in is a password."""
    if here.masked(at) or is_hash(piece) or is_uuid(piece) or entropy(piece) < LEAST_ENTROPY:
        return False
    # A name with its number, such as Ubuntu-22, unless it stands apart.
    named = "-" in piece and not apart and not any(char in piece for char in "!@#$%^&*?")
    address = re.fullmatch(r"[\w.-]+@[\w.-]+|[\w.-]{1,40}=.*", piece) is not None
    return strength(piece, here.rules.never) == Strength.VERY and not named and not address

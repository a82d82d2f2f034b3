"""Passwords where somebody tells how to get in: odd words, and what stands beside a name (clause 4.3)."""

import re
from bisect import bisect_left
from collections.abc import Iterator
from enum import IntEnum
from typing import Final

from firstline.intake.pasted.cue_words import Hint, Places
from firstline.intake.pasted.looked import Looked
from firstline.intake.pasted.readings import (
    Reading,
    Weight,
    clause_at,
    has_digit,
    is_code,
    near,
    sentence,
    tokens,
    weight,
    word_at,
)
from firstline.intake.pasted.small_words import AS, BESIDE, OR_THEN
from firstline.intake.pasted.values import Span, line_end, line_start
from firstline.intake.pasted.weak import EVERYDAY

MOST_SENTENCES: Final = 60
MOST_PLACES: Final = 200
NAME_NEAR: Final = 24
MOST_BETWEEN: Final = 4
BEFORE_NAME: Final = 12
MOST_WORDS: Final = 3
LEAST_NAME: Final = 2

_TOPICS: Final[tuple[Hint, ...]] = ("ways", "tries", "enters", "changes", "same")
_PAIR: Final = re.compile(
    r"(?<![\w@./:-])(?P<name>[^\s,;:/|()«»\"'<>=]{2,60})"
    rf"(?:[ \t]?(?P<sign>//?|[|:,]|~+|->|=>|\\)[ \t]?(?:(?:{OR_THEN})[ \t]+)?"
    rf"|[\"»”“]?[ \t]+(?P<joint>{BESIDE})[ \t]+|[ \t]+)(?=\S)"
)
_USUAL: Final = re.compile(
    r"(?:admin|administrator|root|test|tester|demo|guest|support|webmaster|deploy|админ|рут)[\w.-]{0,12}", re.IGNORECASE
)
_LOGIN: Final = re.compile(r"[a-z][a-z0-9]*(?:[._-][a-z0-9]+)*\d*")
_HOST: Final = re.compile(r"(?:[\w-]+\.){2,5}[a-z]{2,12}(?:/\S*)?|(?:\d{1,3}\.){3}\d{1,3}(?::\d{2,5})?", re.IGNORECASE)
_AS: Final = re.compile(rf"(?<!\w)(?:{AS})[ \t]+[\"«„“]?$", re.IGNORECASE)
_APART: Final = re.compile(r"(?![a-z0-9.-]+-[a-z0-9.-]+$)(?=\S*\d)[\w!@#$%&*+.-]{8,}")
"""Words that may be a password by being set apart; hosts are named otherwise."""
_LABELLED: Final = re.compile(r"^[ \t>]*[^\W\d_]{2,20}[ \t]?:[ \t]*$")
_STRING: Final = re.compile(r"(?<=[\[,(>\s=])(['\"])([^\s'\"$<>{}()/\\]{6,60})\1")
_ABOUT_ACCESS: Final = re.compile(r"auth|passw|passwd|login|cred|secret", re.IGNORECASE)


class Rank(IntEnum):
    """How sure it is that a word is a name to sign in with."""

    NONE = 0
    SHAPED = 1
    LIKELY = 2
    TOLD = 3


def by_ways(here: Looked) -> Iterator[Span]:
    """Yield what stands in sentences about getting in."""
    if not (here.passwords or here.logins or here.access or any(here.hints[kind] for kind in _TOPICS[:3])):
        return
    hints = (place for kind in _TOPICS for place in here.hints[kind])
    cues = (cue for cue in here.passwords[:MOST_PLACES] if here.text[slice(*cue)].lower() not in EVERYDAY)
    seen, count = -1, 0
    for start, end in sorted({*hints, *cues, *here.logins[:MOST_PLACES], *here.access[:MOST_PLACES]}):
        if start < seen or count >= MOST_SENTENCES:
            continue
        (begin, seen), count = sentence(here, start, end), count + 1
        yield from _strange(here, begin, seen)
        if _is_way(here, begin, seen):
            yield from _pairs(here, begin, seen)
        if here.text.startswith(">", line_start(here.text, begin)) and seen < len(here.text):
            # What answers a quoted question.
            yield from _pairs(here, seen + 1, line_end(here.text, seen + 1))


def _is_way(here: Looked, begin: int, stop: int) -> bool:
    """Say whether a sentence is about getting in."""
    return any(near(places, begin, stop, 0, 0) for places in (here.hints["ways"], here.access, here.logins))


def _strange(here: Looked, begin: int, stop: int) -> Iterator[Span]:
    """Yield words that look as only passwords do; of a program's line only its strings."""
    if is_code(here.text[begin:stop]):
        if _ABOUT_ACCESS.search(here.text, begin, stop):
            for match in _STRING.finditer(here.text, begin, stop):
                if has_digit(match[2]) and weight(here, match[2]) == Weight.MADE_UP:
                    yield Span(*match.span(2), "password")
        return
    for reading in tokens(here, begin, stop):
        # What stands right before a password's cue is rather the name that it belongs to.
        if not near(here.passwords, reading.end, reading.end, 0, MOST_BETWEEN) and _is_strange(here, reading, begin):
            yield reading.span


def _is_strange(here: Looked, reading: Reading, begin: int) -> bool:
    """Say whether a word looks as only passwords do, or rather so and is a clause of its own."""
    found = weight(here, reading.text)
    apart = reading.closed and here.text[max(begin, reading.start - 2) : reading.start] == ", "
    return found == Weight.MADE_UP or (found == Weight.MIXED and apart and _APART.fullmatch(reading.text) is not None)


def _pairs(here: Looked, begin: int, stop: int) -> Iterator[Span]:
    """Yield what stands beside a name to get in with."""
    if is_code(here.text[begin:stop]):
        return
    place = begin
    while (pair := _PAIR.search(here.text, place, stop)) is not None:
        place = pair.end("name")
        rank = _rank(here, pair, begin)
        reading = word_at(here, pair.end()) if rank else None
        if reading is None or reading.text.lower() == pair["name"].lower():
            continue
        found = _beside(here, pair, rank, reading)
        if found is not None:
            yield found.span
            place = found.end


def _beside(here: Looked, pair: re.Match[str], rank: Rank, reading: Reading) -> Reading | None:
    """Return what stands beside a name, where it may be the name's password."""
    found, sign = weight(here, reading.text), pair["sign"]
    if found >= Weight.MIXED:
        return reading if reading.closed or sign else None
    if not sign:
        return reading if _is_joined(pair, rank, reading, found) else None
    if sign in {"/", "|"} and not reading.closed and " " not in reading.text:
        return _slashed(here, pair, rank, reading, found)
    if found >= Weight.NAMED:
        return reading if reading.closed and (sign != "," or "@" not in pair["name"]) else None
    if found == Weight.NONE or not reading.closed or (sign == "/" and not here.text[pair.end() - 1].isspace()):
        return None
    return reading if rank == Rank.TOLD or (rank == Rank.LIKELY and sign != ",") else None


def _slashed(here: Looked, pair: re.Match[str], rank: Rank, reading: Reading, found: Weight) -> Reading | None:
    """Return what stands behind a name and a stroke, though its clause goes on."""
    spaced = here.text[pair.end() - 1].isspace()
    titled = found == Weight.PLAIN and reading.text[0].isupper() and spaced
    if rank >= Rank.LIKELY and (found >= Weight.NAMED or titled):
        return reading
    return _phrase(here, pair.end())


def _is_joined(pair: re.Match[str], rank: Rank, reading: Reading, found: Weight) -> bool:
    """Say whether a word is a name's password without any sign between, or with a word such as `and`."""
    telling = has_digit(reading.text) or reading.text.endswith("!")
    if pair["joint"] is None:
        told = (found == Weight.NAMED and telling) or (found == Weight.PLAIN and rank == Rank.TOLD)
        return rank >= Rank.LIKELY and reading.closed and told
    if rank < Rank.LIKELY or found == Weight.NONE:
        return False
    if found == Weight.NAMED or (rank == Rank.TOLD and has_digit(reading.text)):
        return True
    return reading.closed and (telling or (rank == Rank.TOLD and reading.text[0].isupper()))


def _phrase(here: Looked, place: int) -> Reading | None:
    """Return the few words behind a name and a sign."""
    whole = clause_at(here, place)
    if whole is None or not 1 < len(whole.text.split()) <= MOST_WORDS:
        return None
    return whole if weight(here, whole.text) >= Weight.NAMED else None


def _rank(here: Looked, pair: re.Match[str], begin: int) -> Rank:
    """Return how sure it is that the first word of a pair is a name to sign in with."""
    name, place, sign = pair["name"].strip(".~*"), pair.start("name"), pair["sign"]
    apart = here.text[pair.end() - 1].isspace()
    if _is_none(here, name) or (sign == "," and not apart):
        return Rank.NONE
    if sign == ":" and near(here.logins, place, place, 0, 0):
        return Rank.NONE
    mixed = any(char.isdigit() or char in "._" for char in name)
    shaped = _LOGIN.fullmatch(name) is not None
    if shaped or "@" in name:
        by_words = _by_words(here, place, begin, mixed=mixed, shaped=shaped)
        if by_words:
            return by_words
    if pair["joint"] and here.text[place - 1 : place] in {'"', "«", "“", "„"}:
        return Rank.LIKELY
    if _USUAL.fullmatch(name):
        labelled = sign == "," and _LABELLED.search(here.text[line_start(here.text, place) : place]) is not None
        return Rank.TOLD if labelled else Rank.LIKELY if shaped or name.islower() else Rank.SHAPED
    return Rank.SHAPED if shaped and mixed and not (sign == ":" and apart) else Rank.NONE


def _by_words(here: Looked, place: int, begin: int, *, mixed: bool, shaped: bool) -> Rank:
    """Return how sure the words before a name make it."""
    if _ends_before(here.logins, place):
        return Rank.TOLD if mixed else Rank.LIKELY
    if shaped and _AS.search(here.text[max(begin, place - BEFORE_NAME) : place]):
        return Rank.TOLD if mixed else Rank.LIKELY
    if _ends_before(here.hints["ways"], place):
        return Rank.TOLD if mixed and shaped else Rank.SHAPED
    return Rank.NONE


def _is_none(here: Looked, name: str) -> bool:
    """Say whether a word is no name to sign in with."""
    low = name.lower()
    if len(name) < LEAST_NAME or low in here.rules.turns or low in here.rules.ends:
        return True
    return _HOST.fullmatch(name) is not None or (low in here.rules.never and not _USUAL.fullmatch(name))


def _ends_before(places: Places, place: int) -> bool:
    """Say whether one of the places ends right before another."""
    at = bisect_left(places, (place - NAME_NEAR, 0))
    return any(0 <= place - end <= MOST_BETWEEN for _, end in places[at : at + 6])

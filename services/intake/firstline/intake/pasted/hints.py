"""Secrets that words only hint at: keys of networks, words to get in with, what was changed or stays (clause 4.3).

What is looser than a cue needs more around it: a subject such as signing in, the end of a clause, an odd look.
"""

import re
from collections.abc import Iterator
from typing import Final

from firstline.intake.pasted.cue_words import Hint
from firstline.intake.pasted.cues import behind
from firstline.intake.pasted.looked import Looked
from firstline.intake.pasted.readings import (
    Reading,
    Weight,
    about_signing_in,
    clause_at,
    hinted,
    near,
    sentence,
    tokens,
    weight,
    word_at,
)
from firstline.intake.pasted.small_words import OTHER_KEYS
from firstline.intake.pasted.values import Span, has_random_part, is_hash, is_random, is_uuid, line_end

MOST_CUES: Final = 100
"""Cues of tokens behind which one is looked for some words further."""
LEAST_TOKEN: Final = 10
CLEAR_TOKEN: Final = 16
LONG_TOKEN: Final = 32
FURTHER: Final = 90
SHORT_HINT: Final = 3
MOST_OPENED: Final = 3
OPENED_NEAR: Final = 12
BEFORE_KEY: Final = 16
MOST_PARTS: Final = 3

_SUBJECTS: Final[tuple[Hint, ...]] = ("keys", "opens", "old", "same", "ways", "coded")
_OTHER_KEY: Final = re.compile(rf"(?:\w|(?:{OTHER_KEYS})[ \t-])\Z", re.IGNORECASE)
_DIGITS: Final = re.compile(r"\d{4,8}[#*]?")
_PARTS: Final = re.compile(r"[,:;\u2013\u2014-][ \t]+")
_GAP: Final = re.compile(r"[ \t\u00a0,:]*")


def by_hints(here: Looked) -> Iterator[Span]:
    """Yield what words hint at."""
    yield from _keys(here)
    yield from _turned(here)
    yield from _same(here)
    yield from _tokens_further(here)


def _keys(here: Looked) -> Iterator[Span]:
    """Yield what stands behind a word that is a password's name only in its place, such as `key`."""
    for start, end in here.hints["keys"]:
        if _OTHER_KEY.search(here.text, max(0, start - BEFORE_KEY), start):
            continue
        reading = _key_of(here, start, end) or _key(here, start, end)
        if reading is None:
            continue
        token = is_random(reading.text, LEAST_TOKEN) and weight(here, reading.text) < Weight.MADE_UP
        yield Span(reading.start, reading.end, "token" if token else "password")


def _key_of(here: Looked, start: int, end: int) -> Reading | None:
    """Return a phrase behind a hint and what it opens: `key for the wifi …`."""
    place, mode = behind(here, start, end)
    opened = [stop for begin, stop in here.hints["opens"] if end < begin < end + OPENED_NEAR]
    reading = clause_at(here, opened[0]) if opened and mode == "remark" and place > end else None
    if reading is None or not 1 < len(reading.text.split()) <= MOST_OPENED:
        return None
    return reading if weight(here, reading.text) >= Weight.PLAIN else None


def _key(here: Looked, start: int, end: int) -> Reading | None:
    """Return what a hint such as `key` announces right behind it."""
    place, mode = behind(here, start, end)
    if mode not in {"marked", "joined", "bare", "titled"} or place >= line_end(here.text, end):
        return None
    reading = word_at(here, place)
    if reading is None:
        return None
    opened = hinted(here, start, end, "opens")
    subject = opened or near(here.logins, start, end) or near(here.access, start, end)
    subject = subject or hinted(here, start, end, "ways")
    if weight(here, reading.text) >= Weight.MIXED:
        told = subject or near(here.passwords, start, end) or is_random(reading.text, LEAST_TOKEN)
        return reading if told else None
    whole = clause_at(here, place)
    if whole is not None and whole.end > reading.end:
        reading = whole
    return reading if subject and _is_key(here, reading, bare=mode == "bare", opened=opened) else None


def _is_key(here: Looked, reading: Reading, *, bare: bool, opened: bool) -> bool:
    """Say whether plain words behind a hint are what it announces."""
    found = weight(here, reading.text)
    if found == Weight.NONE or not reading.closed:
        return False
    if not bare or found >= Weight.NAMED:
        return True
    if opened:
        return len(reading.text.split()) <= MOST_OPENED
    return " " not in reading.text and not reading.quoted


def _turned(here: Looked) -> Iterator[Span]:
    """Yield what a password was changed to, what something opens with, and what an `i.e.` leads to."""
    for start, end in here.hints["changes"]:
        if (reading := _given(here, start, end, Weight.MIXED, Weight.NAMED)) is not None:
            yield reading.span
    if not (here.passwords or here.logins or here.access or any(here.hints[kind] for kind in _SUBJECTS)):
        return
    for start, end in here.hints["enters"]:
        reading = _unlocks(here, start, end) or _given(here, start, end, Weight.NAMED, Weight.PLAIN)
        if reading is not None:
            yield reading.span
    for start, end in here.hints["thus"]:
        begin, _ = sentence(here, start, end)
        subjects = (here.passwords, here.access, here.hints["same"], here.hints["keys"])
        if not any(near(places, begin, start - 1, 0, 0) for places in subjects):
            continue
        told = Weight.PLAIN if end - start > SHORT_HINT else Weight.NAMED
        if (reading := _given(here, start, end, Weight.NAMED, told)) is not None:
            yield reading.span


def _behind(here: Looked, start: int, end: int) -> Reading | None:
    """Return the word right behind a hint, in its line."""
    gap = _GAP.match(here.text, end)
    place = gap.end() if gap else end
    if here.text[start - 1 : start].isalnum() or place >= line_end(here.text, end):
        return None
    return word_at(here, place)


def _unlocks(here: Looked, start: int, end: int) -> Reading | None:
    """Return digits that open something: `the safe opens with …`."""
    reading = _behind(here, start, end)
    if reading is None or not _DIGITS.fullmatch(reading.text):
        return None
    return reading if near(here.hints["coded"], start, end) or near(here.hints["opens"], start, end) else None


def _given(here: Looked, start: int, end: int, least: Weight, told: Weight) -> Reading | None:
    """Return what stands right behind a hint; `told` is its least weight where a password is the subject."""
    reading = _behind(here, start, end)
    if reading is None or _DIGITS.fullmatch(reading.text):
        return None
    found = weight(here, reading.text)
    if not reading.closed and found < Weight.MIXED:
        whole = clause_at(here, reading.start)
        if whole is None:
            return None
        reading, found = whole, weight(here, whole.text)
        least, told = max(least, Weight.NAMED), max(told, Weight.NAMED)
    signing_in = about_signing_in(here, start, end)
    if found >= Weight.MADE_UP and (least == Weight.MIXED or reading.quoted):
        return reading
    subject = _is_subject(here, start, end)
    if found >= told and ((reading.quoted and signing_in) or (reading.closed and subject)):
        return reading
    if found >= Weight.MIXED and subject:
        return reading
    return reading if found >= least and signing_in else None


def _is_subject(here: Looked, start: int, end: int) -> bool:
    """Say whether a password, or what has one, is the subject around a hint."""
    subject = near(here.passwords, start, end) or near(here.access, start, end)
    return subject or hinted(here, start, end, "keys", "opens", "old", "same")


def _same(here: Looked) -> Iterator[Span]:
    """Yield what is said to stay as it was: `access as before: admin, …`."""
    for start, end in here.hints["same"]:
        begin, stop = sentence(here, start, end)
        subjects = (here.passwords, here.logins, here.access, here.hints["ways"])
        if not any(near(places, begin, stop, 0, 0) for places in subjects):
            continue
        for part in list(_PARTS.finditer(here.text, end, stop))[:MOST_PARTS]:
            reading = _word_or_clause(here, part.end())
            if reading is not None and reading.closed and weight(here, reading.text) >= Weight.NAMED:
                yield reading.span
                break


def _word_or_clause(here: Looked, place: int) -> Reading | None:
    """Return the word at a place where it is an odd one, and else its clause."""
    reading = word_at(here, place)
    if reading is None or weight(here, reading.text) >= Weight.MIXED:
        return reading
    return clause_at(here, place) or reading


def _tokens_further(here: Looked) -> Iterator[Span]:
    """Yield keys of interfaces some words behind their cue."""
    for start, end in here.tokens[:MOST_CUES]:
        place, mode = behind(here, start, end)
        if mode not in {"remark", "bare"}:
            continue
        clause = clause_at(here, place)
        for reading in tokens(here, place, min(clause.end if clause else line_end(here.text, end), end + FURTHER)):
            least = LONG_TOKEN if is_hash(reading.text) else CLEAR_TOKEN
            made = is_random(reading.text, least) and has_random_part(reading.text, LEAST_TOKEN)
            if made and not is_uuid(reading.text):
                yield Span(reading.start, reading.end, "token")
                break

"""Secrets that show by what stands beside them: labels, pairs of name and password, tables, ways in (clause 4.3).

The cue words are the policy's. Around each a bounded stretch is looked at, so that time grows with the text's length.
"""

import re
from collections.abc import Iterator
from typing import Final, Literal

from firstline.common.policy.pasted import SecretKind
from firstline.intake.pasted.cue_words import SHORT
from firstline.intake.pasted.looked import BEFORE, GAP, Looked
from firstline.intake.pasted.shapes import licence_keys
from firstline.intake.pasted.values import (
    MAX_VALUE,
    Span,
    Strength,
    Value,
    is_hash,
    is_made_up,
    is_numbered,
    is_placeholder,
    is_random,
    is_uuid,
    line_end,
    line_start,
    strength,
    value_at,
)

LEAST_BEFORE: Final = 2
FURTHER: Final = 60
MOST_WORDS: Final = 8
LABEL_CHARS: Final = 40
LABEL_WORDS: Final = 2
TOKEN: Final = 10
CLEAR_TOKEN: Final = 12
LONG_TOKEN: Final = 32
"""Characters of a token behind its label, without one, and of one that may as well be a digest."""

_CLOSERS: Final = re.compile(
    r"[\"'`\]*_)]{0,3}[ \t\u00a0]*(?:\([^)\n]{1,40}\))?[ \t\u00a0]*(?:[#№]?\d{1,2}(?=\s*[:=]))?[ \t\u00a0]*"
)
_MARK: Final = re.compile(r"(?:=>|:=|==?|->|→|[:\uff1a])[ \t\u00a0*]*|[-\u2013\u2014][ \t\u00a0]+")
_COMMA: Final = re.compile(r",[ \t]*(?=[\"'])")
_ATTRIBUTE: Final = re.compile(r"value=(?=[\"'])")
_TITLE: Final = re.compile(r"(?:[^\W\d_]{2,20}[ \t]+){0,2}[^\W\d_]{2,20}[ \t]?:[ \t]*")
_TAG: Final = re.compile(r"<[\w.:-]*$")
_CELL: Final = re.compile(r"[|\t][ \t|]*")
_GAP: Final = re.compile(
    r"([^\W\d_]{1,15})[ \t\u00a0]+(?:[^:=\n.?!;]|\.(?=\w)){1,60}?"
    r"[ \t\u00a0]*([:=]|[-\u2013\u2014](?=[ \t]))[ \t\u00a0]*"
)
_WORD: Final = re.compile(r"[^\W\d_]{1,15}(?:['\u2019][^\W\d_]{1,8})?(?!\w)")
_SET_TO: Final = frozenset({"to", "auf", "на"})
"""Words behind which a new password stands; behind others a name with its number is that of a program."""
_IN_REMARK: Final = re.compile(r"(\S{6,80})[ \t]\((?:[^\W\d_]{1,15}[ \t]+){0,4}$")
"""A word before a remark in parentheses that ends in a cue: `… (the password)`."""
_SKIP: Final = re.compile(r"[ \t\u00a0:,]*")
_QUOTED: Final = re.compile(r"[ \t>*•-]*")

Mode = Literal["marked", "cell", "joined", "bare", "below", "remark", "titled", "none"]

_LEAST: Final[dict[Mode, Strength]] = {
    "marked": Strength.PLAIN,
    "cell": Strength.PLAIN,
    "joined": Strength.PLAIN,
    "below": Strength.STRONG,
}
"""How strong a value has to be by how it is joined to its cue."""


def by_labels(here: Looked) -> Iterator[Span]:
    """Yield what a cue announces right behind it, below or before it."""
    for start, end in here.passwords:
        yield from _label(here, start, end, "password")
    for start, end in here.tokens:
        yield from _label(here, start, end, "token")
    for start, end in here.licences:
        yield from _label(here, start, end, "licence_key")


def _label(here: Looked, start: int, end: int, kind: SecretKind) -> Iterator[Span]:
    """Yield the value that a cue announces, before or behind it."""
    text = here.text
    place, mode = behind(here, start, end)
    value = value_at(text, place) if mode != "none" else None
    if value is None and mode in {"marked", "bare", "none"} and (mode == "marked" or _whole_line(text, start, end)):
        below = next_line(text, place)
        value, mode = (value_at(text, below) if below is not None else None), "below"
    if value is not None and not _is_masked(here, value) and _accepted(here, value, start, end, mode, kind):
        yield Span(value.start, value.end, kind)
    elif kind == "password":
        yield from _before(here, start)
        yield from _further(here, end)


def _further(here: Looked, end: int) -> Iterator[Span]:
    """Yield a value some words behind a cue: `password … changed to …`."""
    text = here.text
    stop = min(line_end(text, end), end + FURTHER)
    for word in _WORD.finditer(text, end, stop):
        if word[0].lower() in here.rules.turns:
            value = value_at(text, _skip(text, word.end()))
            if value is None or _is_masked(here, value) or not value.text[0].isalnum():
                continue
            if is_numbered(value.text) and word[0].lower() not in _SET_TO | here.rules.joins:
                continue
            if strength(value.text, here.rules.never) == Strength.VERY and value.text.count("-") != 1:
                yield Span(value.start, value.end, "password")
                return


def _is_masked(here: Looked, value: Value) -> bool:
    """Say whether a mask stands there from an earlier look; masking twice would mask the mask."""
    return here.masked(value.start) or here.masked(value.start - 1)


def behind(here: Looked, start: int, end: int) -> tuple[int, Mode]:
    """Return where the value of a cue begins, and how it is joined to the cue."""
    text = here.text
    closers = _CLOSERS.match(text, end)
    assert closers is not None  # it matches nothing as well
    place = closers.end()
    tag = (
        _TAG.match(text, text.rfind("<", max(0, start - 30), start), start) is not None
        and text[end : end + 1] == ">"
        and "</" in text[end : end + MAX_VALUE]
    )
    mark = (
        _MARK.match(text, place)
        or _ATTRIBUTE.match(text, place)
        or (_COMMA.match(text, place) if place > end else None)
    )
    if tag or mark:
        return mark.end() if mark and not tag else end + 1, "marked"
    if cell := _CELL.match(text, place):
        return cell.end(), "cell"
    word = _WORD.match(text, place)
    if word and word[0].lower() in here.rules.about:
        return _behind_remark(here, place, word.end())
    if word and word[0].lower() in here.rules.joins:
        return _behind_joint(here, word.end()), "joined"
    if not text[end : end + 1].isspace():
        return place, "none"
    title = _TITLE.match(text, place)
    return (title.end(), "titled") if title else (place, "bare")


def _behind_remark(here: Looked, place: int, end: int) -> tuple[int, Mode]:
    """Return where the value begins behind a remark, such as `for the admin panel`, whose first word ends at `end`."""
    text = here.text
    if gap := _GAP.match(text, place):
        return gap.end(), "marked"
    # A few words further there may be an "is".
    for further in _WORD.finditer(text, end, min(line_end(text, place), place + GAP)):
        if further[0].lower() in here.rules.joins:
            return _skip(text, further.end()), "joined"
    return _skip(text, end), "remark"


def _behind_joint(here: Looked, end: int) -> int:
    """Return where the value begins behind one joint or two, such as `is now`, the first of which ends at `end`."""
    place = _skip(here.text, end)
    word = _WORD.match(here.text, place)
    return _skip(here.text, word.end()) if word and word[0].lower() in here.rules.joins else place


def _skip(text: str, place: int) -> int:
    """Return the place behind spaces and marks."""
    match = _SKIP.match(text, place)
    return match.end() if match else place


def _whole_line(text: str, start: int, end: int) -> bool:
    """Say whether a cue is all that stands in its line."""
    return not text[line_start(text, start) : start].strip(" \t>*•-_|") and not text[end : line_end(text, end)].strip(
        " \t*:_|"
    )


def next_line(text: str, place: int) -> int | None:
    """Return where the next line with text begins, behind its marks of quotation; one line may be empty."""
    for _ in range(2):
        place = line_end(text, place) + 1
        if place >= len(text):
            return None
        marks = _QUOTED.match(text, place)
        begin = marks.end() if marks else place
        if begin < line_end(text, place):
            return begin
    return None


def _accepted(here: Looked, value: Value, start: int, end: int, mode: Mode, kind: SecretKind) -> bool:
    """Say whether the value of a cue is a secret."""
    if kind == "token":
        return _is_token(here, value, mode)
    if kind == "licence_key":
        return _is_licence(here, value, mode)
    return _is_password(here, value, (start, end), mode)


def _is_password(here: Looked, value: Value, cue: tuple[int, int], mode: Mode) -> bool:
    """Say whether the value of a password's cue is one: the looser it is joined, the stronger it has to look."""
    found, (start, end) = _strength(here, value), cue
    if mode in _LEAST:
        return found >= _LEAST[mode] or (found == Strength.WORD and _is_weak_password(here, value, start, mode))
    if is_hash(value.text) or is_uuid(value.text) or (mode == "titled" and not value.alone):
        return False
    if value.quoted and found == Strength.WORD:
        return here.has_login(start)
    # Short cues, such as "pass", are words of every day as well.
    everyday = here.text[start:end].isascii() and end - start <= SHORT
    return found >= (Strength.VERY if everyday or mode == "remark" else Strength.STRONG)


def _is_weak_password(here: Looked, value: Value, start: int, mode: Mode) -> bool:
    """Say whether a plain word is a password: only where everything around it says so."""
    if here.text[start - 1 : start].isalnum():  # the end of a name in code, such as WrongPassword
        return value.quoted
    if mode == "marked":
        return value.quoted or (value.alone and (here.has_login(start) or _begins_line(here.text, start)))
    return (
        value.quoted
        if mode == "joined"
        else mode == "below" and value.alone and here.has_login(start) and not here.paired(start)
    )


def _strength(here: Looked, value: Value) -> Strength:
    """Return the strength of a value; words in quotation marks count together."""
    if " " not in value.text or is_placeholder(value.text):
        return strength(value.text, here.rules.never)
    words = value.text.split()
    known = any(word.strip(".,!").lower() in here.rules.never for word in words)
    return Strength.NONE if known or len(words) > MOST_WORDS or not value.quoted else Strength.WORD


def _begins_line(text: str, start: int) -> bool:
    """Say whether at most two words stand before a cue in its line, so that it is a label."""
    before = text[line_start(text, start) : start]
    return len(before) < LABEL_CHARS and len(before.split()) <= LABEL_WORDS and not re.search(r"[.!?:]\s", before)


def _is_token(here: Looked, value: Value, mode: Mode) -> bool:
    """Say whether the value of a token's cue looks made by a machine; digests and UUIDs only where clearly joined."""
    bare = value.text.strip("\"'`()[]{}<>.,;")
    if strength(bare, here.rules.never) < Strength.STRONG or (
        mode in {"bare", "below", "remark"} and not is_random(bare, CLEAR_TOKEN)
    ):
        return False
    if is_uuid(bare) or is_hash(bare):
        return mode in {"marked", "joined", "titled", "bare", "remark"} and len(bare) >= LONG_TOKEN
    return is_random(bare, TOKEN)


def _is_licence(here: Looked, value: Value, mode: Mode) -> bool:
    """Say whether the value of a licence's cue has the look of a product key."""
    bare = value.text.strip("\"'`()[]{}<>.,;")
    if next(licence_keys(bare), None) is not None:
        return True
    if is_uuid(bare) or strength(bare, here.rules.never) < Strength.STRONG:
        return False
    solid = bare.replace("-", "")
    marked = mode in {"marked", "cell", "joined", "below"}
    return marked and solid.isalnum() and solid.upper() == solid and is_random(solid, TOKEN)


def _before(here: Looked, start: int) -> Iterator[Span]:
    """Yield the value that stands before a cue: `… is the password`, `… as password`."""
    text = here.text
    begin = max(line_start(text, start), start - BEFORE)
    if remark := _IN_REMARK.search(text, begin, start):
        value = value_at(text, remark.start(1))
        if value is not None and not _is_masked(here, value) and is_made_up(value.text, here.rules.never):
            yield Span(value.start, value.end, "password")
    words = text[begin:start].split()
    if len(words) < LEAST_BEFORE:
        return
    # An article may stand between.
    joint = -1 if words[-1].lower() in here.rules.joins else -2
    if len(words) <= -joint or words[joint].lower() not in here.rules.joins:
        return
    value = value_at(text, text.rfind(words[joint - 1], begin, start))
    least = Strength.STRONG if value is not None and value.quoted else Strength.VERY
    if value is not None and not _is_masked(here, value) and strength(value.text, here.rules.never) >= least:
        yield Span(value.start, value.end, "password")

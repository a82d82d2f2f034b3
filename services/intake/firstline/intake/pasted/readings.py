"""What stands behind a hint at a secret: a word or clause, its look, and what stands near (clause 4.3)."""

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from firstline.intake.pasted.cue_words import Hint, Places
from firstline.intake.pasted.looked import Looked
from firstline.intake.pasted.small_words import SAID
from firstline.intake.pasted.values import (
    Span,
    Strength,
    is_hash,
    is_made_up,
    is_numbered,
    is_product,
    is_uuid,
    line_end,
    line_start,
    strength,
    value_at,
)

NEAR: Final = 110
"""Characters to either side in which something is near."""
MOST_CHARS: Final = 70
MOST_WORDS: Final = 6
LEAST_PLAIN: Final = 4
MOST_BESIDE: Final = 8
MANY_JOINED: Final = 3
MOST_SAID: Final = 3
"""Of a clause: characters and words; letters of a plain word; hyphens of a phrase written as one word; words of a
phrase that may hold one such as `of`."""

_CLAUSE_END: Final = re.compile(r"[,;)(»”\"\n\u2026]|[.!?](?=\s|$)|[ \t][-\u2013\u2014][ \t]|://")
_SENTENCE_END: Final = re.compile(r"\n|[.!?][ \t\n]")
_AFTER: Final = re.compile(r"[ \t\u00a0]*(?:[,.;!?)(»”\"'\u2026\u2013\u2014|\n]|[-/](?=[ \t])|[ \t]\w+=|$)")
_NEXT: Final = re.compile(r"[ \t\u00a0]+([^\W\d_]{1,15})")
_QUOTES: Final = {'"': '"', "«": "»", "“": "”", "„": "“", "'": "'", "`": "`", "\u2018": "\u2019"}
_SPACES: Final = re.compile(r"[ \t\u00a0]*")
_WORDS_ONLY: Final = re.compile(r"[\w.'’-]+")
_CODE: Final = re.compile(
    r"[A-ZА-Я]{1,5}[-_]?\d+(?:[-_]\d+)*|\d+(?:[-.,:/]\d+)*(?:-?[^\W\d_]{0,3}|%)|[A-Z]{1,3}\d{1,5}[A-Z]{0,2}"
)
_NAME: Final = re.compile(
    r"[a-z_]+(?:\.[A-Za-z_]\w*){2,}|[^\W\d_]\w*(?:[.-][^\W\d_]+)*\.(?:[a-z]{2,10})(?:/\S*)?|.*(?:\d+\.){3}\d+.*|.*@.*\..*"
)
_SAID: Final = re.compile(rf".*(?:{SAID})")

_MARKUP: Final = re.compile(
    r"^[=<>{}$&|!/%]|[<>{}]|=[\"'A-Za-z]+$|\($|^\w+\(|[\"'`]\S*[\"'`]|[)\]]\S*[\"'»”]$|^#(?:\d+|[0-9a-fA-F]{3,8})$"
    r"|^[a-z][\w.-]*@[a-z][\w.-]*$|\w@[\w-]+(?:\.\w|[:>~#$])|\d{4}-\d\d-\d\dT\d|\?\w+=|^[A-Za-z]\w*=|^[\w.]+/[\d.]+$"
    r"|:x:|\d:\w+:|^[#~]?AAAA[BC]3|^SHA\d+:|^SSH-\d"
)
"""Of programs, tags, addresses, prompts, colours and numbers of requests."""
_EMOJI: Final = "\u2600-\u27bf\U0001f300-\U0001faff"
_EMOJIS: Final = re.compile(rf"\w[{_EMOJI}]\ufe0f?\w")
_ODD: Final = re.compile(r"[^\W\d_]{3,}[-._]\d{1,4}[-._][^\W\d_]{3,}$")
_LATE_CAPITAL: Final = re.compile(r"[a-zа-яіїєґ]{2,}[-.][A-ZА-ЯІЇЄҐ][a-zа-яіїєґ]+!?$")
_COUNTED: Final = re.compile(r"(?:[A-ZА-Я][a-zа-я]+[-_]?)+\d{1,3}")
_TWO_NAMES: Final = re.compile(r"(?:[A-ZА-ЯІЇЄҐ][a-zа-яіїєґ]+[-_]?){2}")
_DATED: Final = re.compile(r"[^\W\d_]{3,}_(?:19|20)\d\d")
_SNAKE: Final = re.compile(r"[A-Za-z]+(?:_[A-Za-z]+)*(?:_\d+)?|[A-Z]+(?:_[A-Z0-9]+)+")

_SOURCE: Final = re.compile(
    r"[{}]|\);|=>|->|::|\$\w|</?\w+|\bat \w+\.|[\w.]+\(\S*\)|\[\w+\]|\d\d:\d\d:\d\d|&&|\|\||SELECT|FROM|\bssh-[a-z]"
)


class Weight(IntEnum):
    """How much a value looks like a secret, beyond its strength."""

    NONE = 0
    PLAIN = 1
    NAMED = 2
    MIXED = 3
    MADE_UP = 4


@dataclass(frozen=True, slots=True)
class Reading:
    """A value that may be a secret: its place, whether it was quoted, and whether the clause ends behind it."""

    start: int
    end: int
    text: str
    quoted: bool
    closed: bool

    @property
    def span(self) -> Span:
        """The place as that of a password."""
        return Span(self.start, self.end, "password")


def _closed(here: Looked, end: int) -> bool:
    """Say whether a clause ends at a place."""
    if _AFTER.match(here.text, end):
        return True
    following = _NEXT.match(here.text, end)
    return following is not None and following[1].lower() in here.rules.ends


def word_at(here: Looked, place: int) -> Reading | None:
    """Return the word, or what stands in quotation marks, at a place; None where the line ends or a mask stands."""
    value = value_at(here.text, place)
    if value is None or here.masked(value.start) or here.masked(value.start - 1):
        return None
    return Reading(value.start, value.end, value.text, value.quoted, value.quoted or _closed(here, value.end))


def clause_at(here: Looked, place: int) -> Reading | None:
    """Return what stands there up to the end of its clause, or of its quotation marks."""
    text = here.text
    spaces = _SPACES.match(text, place)
    start = spaces.end() if spaces else place
    if start >= len(text) or here.masked(start):
        return None
    closing = _QUOTES.get(text[start])
    if closing is not None:
        end = text.find(closing, start + 1, min(line_end(text, start), start + MOST_CHARS))
        return Reading(start + 1, end, text[start + 1 : end], True, True) if end > start + 1 else None
    limit = min(line_end(text, start), start + MOST_CHARS)
    stop = _CLAUSE_END.search(text, start, limit)
    end = stop.start() if stop else limit
    if stop is None and limit < line_end(text, start):
        return None
    # An exclamation mark at the end is more often part of the secret than of the sentence.
    if end < len(text) and text[end] == "!":
        end += 1
    while end > start and text[end - 1] in " \t\u00a0.:*":
        end -= 1
    return Reading(start, end, text[start:end], False, True) if end > start else None


def weight(here: Looked, text: str) -> Weight:
    """Return how much a word or a clause looks like a secret."""
    return _of_word(here, text) if " " not in text.strip() else _of_clause(here, text)


def _of_word(here: Looked, text: str) -> Weight:
    """Return the weight of a single word."""
    bare = text.strip("\"'`«»“”„.,:;")
    if _MARKUP.search(text) or is_product(bare) or bare.endswith(("'s", "’s")):
        return Weight.NONE
    found = strength(text, here.rules.never)
    bare = text.strip("\"'`«»“”„")
    if _EMOJIS.search(bare) or (found > Strength.NONE and _ODD.match(bare)):
        return Weight.MADE_UP
    if is_hash(bare) or is_uuid(bare) or bare.lower() in here.rules.small:
        return Weight.NONE
    if found <= Strength.WORD:
        return _of_letters(here, bare, found)
    if _CODE.fullmatch(bare) or _NAME.fullmatch(bare):
        return Weight.PLAIN if bare.isdigit() and len(bare) >= LEAST_PLAIN else Weight.NONE
    return _of_mixed(here, bare)


def _of_mixed(here: Looked, bare: str) -> Weight:
    """Return the weight of a word with digits or signs."""
    if is_made_up(bare, here.rules.never):
        return Weight.MADE_UP
    if _SNAKE.fullmatch(bare) and not _DATED.fullmatch(bare):
        return Weight.NONE if bare.isupper() else Weight.PLAIN
    numbered = is_numbered(bare)
    if _LATE_CAPITAL.match(bare) or (numbered and bare[0].islower() and bare[-3:].isdigit()):
        return Weight.MIXED
    if numbered or _COUNTED.fullmatch(bare):
        # A name with its version, unless it is long enough for a year, begins small, or is made of two.
        named = bare[0].islower() or bare[-4:].isdigit() or _TWO_NAMES.match(bare)
        return Weight.NAMED if named else Weight.PLAIN
    return Weight.MIXED


def _of_letters(here: Looked, bare: str, found: Strength) -> Weight:
    """Return the weight of a word without digits."""
    if _LATE_CAPITAL.match(bare):
        return Weight.MIXED
    if found == Strength.NONE or len(bare) < LEAST_PLAIN or not _WORDS_ONLY.fullmatch(bare.rstrip("!?")):
        return Weight.NONE
    if _SAID.fullmatch(bare.lower()) or _NAME.fullmatch(bare) or bare.lower() in here.rules.never:
        return Weight.NONE
    inner = bare[1:].rstrip("!?.")
    if inner.count("-") >= MANY_JOINED:
        return Weight.NAMED
    odd = not inner.isalpha() and any(char in "-._'’" for char in inner) and any(c.isupper() for c in bare)
    return (
        Weight.NAMED
        if odd or bare.endswith("!") or (inner != inner.lower() and inner != inner.upper())
        else Weight.PLAIN
    )


def _of_clause(here: Looked, text: str) -> Weight:
    """Return the weight of several words: they say something, or are a phrase such as people take for a password."""
    words = text.split()
    if not 1 < len(words) <= MOST_WORDS or any(word.strip(".,!?:").lower() in here.rules.telling for word in words):
        return Weight.NONE
    if any(mark in text for mark in (": ", "://", "=", "<", "{", "/")) or _SAID.fullmatch(words[-1].lower()):
        return Weight.NONE
    long = [word for word in words if len(word) >= LEAST_PLAIN]
    if _MARKUP.search(text) or (words[0].isdigit() and len(words[0]) < LEAST_PLAIN):
        return Weight.NONE
    if not long or any(_NAME.fullmatch(word) for word in words):
        return Weight.NONE
    marked = any(char.isdigit() for char in words[-1]) or words[-1][-1] in "!#*+$%&" or "#" in text
    titled = all(word[0].isupper() for word in long)
    if titled and (len(long) > 1 or marked):
        return Weight.NAMED
    low = [word.strip(".,!?").lower() for word in words]
    said = [word in here.rules.turns | here.rules.mine and word not in here.rules.ends for word in low]
    return (
        Weight.NONE
        if said[0] or said[-1] or sum(said) > 1 or (any(said) and len(low) > MOST_SAID)
        else Weight.NAMED
        if marked
        else Weight.PLAIN
    )


def has_digit(text: str) -> bool:
    """Say whether a text holds a digit."""
    return any(char.isdigit() for char in text)


def is_code(text: str) -> bool:
    """Say whether a line is rather one of a program, its log or a public key than one that somebody wrote."""
    return _SOURCE.search(text) is not None


def near(places: Places, start: int, end: int, before: int = NEAR, after: int = NEAR) -> bool:
    """Say whether one of the places lies within so many characters of a stretch."""
    at = bisect_left(places, (start - before, 0))
    return at < len(places) and places[at][0] <= end + after


def beside(places: Places, start: int, end: int) -> bool:
    """Say whether one of the places is near a stretch, other than what stands there."""
    at = bisect_left(places, (start - NEAR, 0))
    for place in places[at : at + MOST_BESIDE]:
        if place[0] > end + NEAR:
            return False
        if place[1] <= start or place[0] >= end:
            return True
    return False


def hinted(here: Looked, start: int, end: int, *kinds: Hint) -> bool:
    """Say whether hints of one of the kinds stand near a stretch, other than the hint there."""
    return any(beside(here.hints[kind], start, end) for kind in kinds)


def about_signing_in(here: Looked, start: int, end: int) -> bool:
    """Say whether signing in is the subject around a stretch."""
    subjects = (here.passwords, here.logins, here.access, here.hints["ways"])
    return any(beside(places, start, end) for places in subjects)


def sentence(here: Looked, start: int, end: int) -> tuple[int, int]:
    """Return where the sentence begins and ends that a stretch is in, of its line; as much of it as is looked at."""
    begin, stop = line_start(here.text, start), line_end(here.text, end)
    for mark in _SENTENCE_END.finditer(here.text, begin, stop):
        if mark.end() <= start:
            begin = mark.end()
        elif mark.start() >= end:
            return begin, mark.start()
    return begin, stop


def tokens(here: Looked, begin: int, stop: int) -> Iterator[Reading]:
    """Yield the words of a stretch that hold a digit, a sign or a capital within."""
    for match in _TOKEN.finditer(here.text, begin, stop):
        if _TELLING.search(match[0]):
            reading = word_at(here, match.start())
            if reading is not None and reading.start < stop:
                yield reading


_TOKEN: Final = re.compile(r"[^\s]{5,80}")
_TELLING: Final = re.compile(r"[\d@#$%^&*+=~!?\u2600-\u27bf\U0001f300-\U0001faff]|(?<=\w)[A-ZА-Я]|\w-\w")

"""The policy's cue words, found in texts: as words and at the end of names such as DB_PASSWORD (clause 4.3)."""

import re
from bisect import bisect_left
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final, Literal, get_args

from firstline.common.policy.pasted import Cues
from firstline.intake.pasted.typos import Typos

COMPOUND: Final = 7
"""Words longer than this may end in a cue, as dbpassword does."""
SHORT: Final = 4
"""Cues up to this length are whole words only, and need more beside them."""

# Runs of letters of any script; by ranges, which are found three times as fast as by properties.
_LETTERS: Final = re.compile("[a-z\u00aa-\u2009\u2c00-\uffff]+")
_COUNTED: Final = re.compile(r"\d{1,2}[\"']?[ \t]*[:=]")

Places = list[tuple[int, int]]
Hint = Literal["keys", "opens", "codes", "coded", "changes", "enters", "tries", "thus", "same", "old", "ways"]
HINTS: Final[tuple[Hint, ...]] = get_args(Hint)


class Phrases:
    """Cue words of one kind, found whatever their letter case."""

    def __init__(self, words: Iterable[str], *, tolerant: bool = False, alone: bool = False) -> None:
        low = sorted({word.lower() for word in words}, key=len, reverse=True)
        self._by_word: dict[str, list[str]] = {}
        for phrase in low:
            self._by_word.setdefault(_LETTERS.findall(phrase)[0], []).append(phrase)
        self.first = frozenset(self._by_word)
        self._endings = tuple(phrase for phrase in low if len(phrase) > SHORT and phrase.isalpha() and not alone)
        self._typos = Typos(low) if tolerant else None

    def places(self, text: str, low: str, words: frozenset[str], long: Collection[str], masks: Places) -> Places:
        """Return where the cues stand, in their order; the longest of those that end at one place.

        `words` are those of the text, `long` those of them that may end in a cue; what stands in `masks` is none.
        """
        here = {phrase for word in words & self.first for phrase in self._by_word[word]}
        if self._typos is not None:
            here.update(self._typos.among(words))
        for word in long:
            if word.endswith(self._endings):
                here.update(ending for ending in self._endings if word.endswith(ending))
        if not here:
            return []
        found: dict[int, int] = {}
        for phrase in sorted(here, key=len, reverse=True):
            place = low.find(phrase)
            while place >= 0:
                end = place + len(phrase)
                if end not in found and _bounded(text, place, end) and not _within(masks, place):
                    found[end] = place
                place = low.find(phrase, end)
        return sorted((start, end) for end, start in found.items())


def masks_in(text: str, masks: tuple[str, ...]) -> Places:
    """Return where masks stand."""
    found = []
    for mask in masks:
        place = text.find(mask)
        while place >= 0:
            found.append((place, place + len(mask)))
            place = text.find(mask, place + len(mask))
    return sorted(found)


def _within(masks: Places, place: int) -> bool:
    """Say whether a place is within a mask."""
    at = bisect_left(masks, (place + 1, 0)) - 1
    return at >= 0 and place < masks[at][1]


def _bounded(text: str, start: int, end: int) -> bool:
    """Say whether a cue stands there as a word, or at the end of a name in code such as dbPass or DB_PASSWORD."""
    after = text[end : end + 1]
    if (after.isalnum() or after == "_") and not (end - start > SHORT and _COUNTED.match(text, end)):
        return False
    before = text[start - 1 : start]
    if not before.isalpha():
        return True
    # Long ones also at the end of a compound; short ones only where a capital begins a new word.
    return end - start > SHORT or (text[start].isupper() and before.islower())


@dataclass(frozen=True, slots=True)
class CueRules:
    """The policy's cues, arranged for looking at texts."""

    password: Phrases
    login: Phrases
    token: Phrases
    licence_key: Phrases
    access: Phrases
    joins: frozenset[str]
    about: frozenset[str]
    never: frozenset[str]
    telling: frozenset[str]
    turns: frozenset[str]
    small: frozenset[str]
    masks: tuple[str, ...]
    hints: dict[Hint, Phrases]
    hinting: frozenset[str]
    mine: frozenset[str]
    ends: frozenset[str]


def cue_rules(cues: Cues, masks: tuple[str, ...]) -> CueRules:
    """Arrange the policy's cues; `masks` begin what was taken out before and is passed over."""
    hints = {kind: Phrases(getattr(cues, kind), alone=True) for kind in HINTS}
    joins, about, never = (frozenset(map(str.lower, words)) for words in (cues.joins, cues.about, cues.never))
    return CueRules(
        Phrases(cues.password, tolerant=True),
        Phrases(cues.login, tolerant=True),
        Phrases(cues.token),
        Phrases(cues.licence_key),
        Phrases(cues.access),
        joins,
        about,
        never,
        never - frozenset(map(str.lower, cues.ends)),
        joins | about,
        joins | about | frozenset(map(str.lower, (*cues.mine, *cues.ends))),
        masks,
        hints,
        frozenset().union(*(phrases.first for phrases in hints.values())),
        frozenset(map(str.lower, cues.mine)),
        frozenset(map(str.lower, cues.ends)),
    )


def words_of(low: str) -> tuple[frozenset[str], list[str]]:
    """Return the words of a text in lower case, and those of them that may end in a cue."""
    words = frozenset(_LETTERS.findall(low))
    return words, [word for word in words if len(word) > COMPOUND]

"""Cue words with one slip of the finger in them, a letter lost, doubled or swapped (clause 4.3)."""

from collections.abc import Collection, Iterable
from typing import Final

LEAST: Final = 7
"""Letters of a cue in which any one slip is forgiven."""
LEAST_SWAPPED: Final = 5
"""Letters of a cue in which two of them may have changed places."""

_OTHER_WORDS: Final = frozenset({"passport", "passports", "benutzen", "benutzt", "benutze"})
"""Words of their own that are one letter from a cue."""


class Typos:
    """Cues in which a slip is forgiven, found by their first two letters, which may have changed places."""

    def __init__(self, cues: Iterable[str]) -> None:
        words = [cue for cue in cues if len(cue) >= LEAST_SWAPPED and cue.isalpha()]
        self._known = frozenset(words) | _OTHER_WORDS
        self._heads: dict[str, list[str]] = {}
        for word in words:
            for head in {word[:2], word[1::-1], word[0] + word[2]}:
                self._heads.setdefault(head, []).append(word)

    def among(self, words: Collection[str]) -> list[str]:
        """Return those of a text's words that are cues but for one slip."""
        heads = self._heads
        near = [word for word in words if word[:2] in heads and len(word) >= LEAST_SWAPPED and word not in self._known]
        return [word for word in near if any(_slipped(word, cue) for cue in heads[word[:2]])]


def _slipped(word: str, cue: str) -> bool:
    """Say whether a word is a cue with one letter swapped, lost, added or another."""
    if abs(len(word) - len(cue)) > 1:
        return False
    at = 0
    while at < min(len(word), len(cue)) and word[at] == cue[at]:
        at += 1
    if word[at + 2 :] == cue[at + 2 :] and word[at : at + 2] == cue[at + 1 : at + 2] + cue[at : at + 1]:
        return True
    if len(cue) < LEAST or at == 0:
        return False
    return cue[at + 1 :] in {word[at:], word[at + 1 :]} or word[at + 1 :] == cue[at:]

"""A text being looked at for secrets: where cues stand in it, and words that only hint at one (clause 4.3).

The cue words are the policy's. So many places of a kind are noted, so that time grows with the text's length only.
"""

import re
from bisect import bisect_left
from dataclasses import dataclass
from itertools import islice
from typing import Final

from firstline.intake.pasted.cue_words import CueRules, Hint, Places, masks_in, words_of
from firstline.intake.pasted.values import MAX_VALUE

NEAR: Final = 300
"""Characters before a password within which a login shows that access is being given."""
BEFORE: Final = 120
PAIRED: Final = 8
MOST_LOGIN: Final = 30
"""Characters between a login and its password, and of the longest cue of a login."""
GAP: Final = 50
"""Characters between a cue and the word that joins its value."""
MOST_CUES: Final = 1_500
"""Cues of a kind around which a text is looked at: more than a log of 100,000 characters has."""
SHORT_TEXT: Final = 1_000
MOST_HINTS: Final = 200
"""Words of a kind that only hint at a secret, around which a text is looked at."""
ACCOUNTS: Final = "admin|administrator|root|test|tester|demo|user|editor|manager|guest|support|webmaster|info|sa|deploy"
"""Names of accounts that are the same everywhere."""

_ACCOUNTS: Final = frozenset(ACCOUNTS.split("|"))
_TELLS: Final = re.compile(r"[^\w\s.,;()]|[\d_\n]|(?<=[a-z])[A-Z]")
"""Without one of these around it, a cue announces nothing: a sentence of plain words."""

Given = tuple[str, str, frozenset[str], list[str], Places]


@dataclass(frozen=True, slots=True)
class Looked:
    """A text being looked at, with its words in lower case and the places of its cues."""

    rules: CueRules
    text: str
    words: frozenset[str]
    passwords: Places
    logins: Places
    access: Places
    tokens: Places
    licences: Places
    hints: dict[Hint, Places]
    masks: Places

    @property
    def holds_any(self) -> bool:
        """Say whether anything stands there around which a text is looked at."""
        cues = self.passwords or self.logins or self.access or self.tokens or self.licences
        return bool(cues) or any(self.hints.values()) or not _ACCOUNTS.isdisjoint(self.words)

    def has_login(self, place: int) -> bool:
        """Say whether a login stands close before a place, or in the lines right after it."""
        at = bisect_left(self.logins, (place - NEAR, 0))
        return at < len(self.logins) and self.logins[at][0] < place + NEAR // 3

    def paired(self, place: int) -> bool:
        """Say whether a login stands right before a place, as in `login / password`."""
        at = bisect_left(self.logins, (place - PAIRED - MOST_LOGIN, 0))
        return any(place - PAIRED <= end <= place for _, end in self.logins[at : at + 4])

    def touches_mask(self, start: int, end: int) -> bool:
        """Say whether a stretch holds a part of a mask."""
        at = max(0, bisect_left(self.masks, (start, 0)) - 1)
        return any(begin < end and start < stop for begin, stop in self.masks[at : at + 2])

    def masked(self, place: int) -> bool:
        """Say whether a mask stands there already."""
        return self.text.startswith(self.rules.masks, place)


def look(rules: CueRules, text: str) -> Looked:
    """Return a text with the places of the cues in it."""
    low = _lower(text)
    words, long = words_of(low)
    given = text, low, words, long, masks_in(text, rules.masks)
    kinds = (rules.password, rules.access, rules.token, rules.licence_key, rules.login)
    *found, logins = [phrases.places(*given) for phrases in kinds]
    # In a short text plain words may be all there is.
    tells = (
        [match.start() for match in _TELLS.finditer(text)]
        if len(text) > SHORT_TEXT
        else list(range(0, len(text) + 1, BEFORE))
    )
    # The first cues that may announce something; the rest of a text that has more is let be.
    passwords, access, tokens, licences = (
        list(islice((place for place in places if _tells_near(tells, *place)), MOST_CUES)) for places in found
    )
    hints = _hints(rules, given, tells)
    if hints["keys"]:
        # A longer word for another thing, as "palabra clave" is, holds no cue.
        ends = {end: start for start, end in hints["keys"]}
        passwords = [(start, end) for start, end in passwords if ends.get(end, start) >= start]
    logins = logins[: 4 * MOST_CUES] if tells else []
    return Looked(rules, text, words, passwords, logins, access, tokens, licences, hints, given[-1])


def _hints(rules: CueRules, given: Given, tells: list[int]) -> dict[Hint, Places]:
    """Return the places of words that only hint at something."""
    text, low, words, _, masks = given
    hinting = words & rules.hinting
    hints: dict[Hint, Places] = {}
    for kind, phrases in rules.hints.items():
        if phrases.first.isdisjoint(hinting):
            hints[kind] = []
            continue
        places = phrases.places(text, low, hinting, (), masks)
        hints[kind] = list(islice((place for place in places if _tells_near(tells, *place)), MOST_HINTS))
    return hints


def _tells_near(tells: list[int], start: int, end: int) -> bool:
    """Say whether anything but plain words stands around a cue, as far as a value of it may stand."""
    at = bisect_left(tells, start - BEFORE)
    return at < len(tells) and tells[at] < end + GAP + MAX_VALUE


def _lower(text: str) -> str:
    """Return the text in lower case with every character in its place."""
    low = text.lower()
    return low if len(low) == len(text) else "".join(c if len(c.lower()) != 1 else c.lower() for c in text)

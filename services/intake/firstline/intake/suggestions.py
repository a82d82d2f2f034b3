"""Which pages of the documentation may answer a text (clause 1.2): its words, and the order of what was found.

The store finds pages that share words with the text; the order is made here, so that it is the same on every database.
Words are compared by their beginnings, which does for endings in most languages and needs no dictionary.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

MOST_STEMS: Final = 40
MOST_SEARCHED: Final = 8
LONGEST_WORD: Final = 60
MOST_PAGES: Final = 200
"""How many pages a search may find before the best of them are chosen."""
CANDIDATES: Final = 20
SUGGESTED: Final = 3
TITLE_WEIGHT, TOPIC_WEIGHT, LANGUAGE_WEIGHT = 3.0, 1.5, 1.5
LEAST_SHARED: Final = 2

_WORD: Final = re.compile(r"[^\W_]{3,}")
# Endings are cut by length alone, one letter more from each
# of these on: a rule for each language would need to know it.
_SHORTENED_FROM: Final = (5, 7, 8)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A page that shares words with the text; `text` is its beginning."""

    id: str
    title: str
    url: str
    topic: str | None
    language: str | None
    text: str


def stem(word: str) -> str:
    """Return the beginning by which a word is found in its other forms; a short word is itself."""
    return word[: len(word) - sum(len(word) >= length for length in _SHORTENED_FROM)]


def stems_of(*texts: str) -> tuple[str, ...]:
    """Return the stems of the first words of texts, each once, in their order."""
    words = (word for text in texts for word in _WORD.findall(text.lower()))
    return tuple(dict.fromkeys(stem(word) for word in words))[:MOST_STEMS]


def words_of(*texts: str) -> frozenset[str]:
    """Return the words of texts as they are counted, the longest cut off."""
    return frozenset(word[:LONGEST_WORD] for text in texts for word in _WORD.findall(text.lower()))


def searched(stems: Sequence[str], pages: Mapping[str, int]) -> tuple[str, ...]:
    """Return the stems worth searching for: the rarest, as long as not too many pages have them; one at least.

    `pages` says how many pages have words that begin so. What stands on most pages tells none from another, and finding
    it takes the longest.
    """
    known = sorted((stem for stem in stems if pages.get(stem)), key=lambda stem: pages[stem])[:MOST_SEARCHED]
    totals = accumulate(pages[stem] for stem in known)
    # The rarest first, until there would be too many pages; the sums rise, so those that fit are the first ones.
    fitting = sum(total <= MOST_PAGES for total in totals)
    return tuple(known[: max(fitting, 1)])


def best(
    found: Sequence[Candidate], stems: Sequence[str], topic: str | None = None, language: str | None = None
) -> list[Candidate]:
    """Return the candidates that share enough words with a text, the likeliest first.

    A word counts the more the fewer candidates have it, and thrice in a title; a page on the same topic or in the same
    language comes before others. One shared word proves nothing unless it is the only one.
    """
    beginnings = [f" {word}" for word in stems]
    words = [(_words_in(one.title), _words_in(one.text)) for one in found]
    spread = {word: sum(word in title or word in text for title, text in words) for word in beginnings}
    scored = []
    for one, (title, text) in zip(found, words, strict=True):
        shared = [word for word in beginnings if word in title or word in text]
        if len(shared) >= min(LEAST_SHARED, len(stems)):
            # As search engines weigh words (the logarithm of how rare they are), but among what was found: the store's
            # own weights differ between databases.
            weight = sum(
                math.log1p(len(found) / spread[word]) * (TITLE_WEIGHT if word in title else 1.0) for word in shared
            )
            scored.append((weight * _nearness(one, topic, language), one))
    # The address decides between equals, so that the same text always gets the same pages.
    return [one for _, one in sorted(scored, key=lambda entry: (-entry[0], entry[1].url))]


def _words_in(text: str) -> str:
    """Return a text's words, each behind a space, so that a word's beginning is found by looking for one string."""
    return "".join(f" {word}" for word in _WORD.findall(text.lower()))


def _nearness(one: Candidate, topic: str | None, language: str | None) -> float:
    """Return how much nearer a page is by its topic and its language."""
    section = (topic or "").partition(".")[0]
    same_topic = bool(section) and (one.topic or "").partition(".")[0] == section
    same_language = language is not None and (one.language or "").partition("-")[0] == language.partition("-")[0]
    return (TOPIC_WEIGHT if same_topic else 1.0) * (LANGUAGE_WEIGHT if same_language else 1.0)

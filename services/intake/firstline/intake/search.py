"""Words of requests: what the search keeps of a text, what a search asks for, and where it was found (clause 4.4).

Both databases index what is made here, so that they find the same. Words are cut to their beginnings, which does for
endings in most languages; signs of scripts that put no spaces between words are taken in pairs.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Final

from firstline.common.addresses import normal_address, read_number
from firstline.intake.suggestions import stem

MOST_CHARS: Final = 50_000
"""Characters of a text whose words are kept."""
MOST_TERMS: Final = 2_000
"""Different words that are kept of one text."""
MOST_OF_ONE: Final = 4 * MOST_TERMS
"""A request takes no more words once it has this many: PostgreSQL keeps a megabyte of them at most."""
LONGEST_TERM: Final = 24
MOST_ASKED: Final = 12
SHORTENED_FROM: Final = 5
EXCERPT_CHARS: Final = 200

_SIGN: Final = r"\u0e00-\u0eff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_RUN: Final = re.compile(rf"[{_SIGN}]+|[^\W_{_SIGN}]+")
_SIGNS: Final = re.compile(f"[{_SIGN}]")


@dataclass(frozen=True, slots=True)
class Term:
    """The beginning of a word, or with `whole` all of it: a number or a code with another end is another one."""

    text: str
    whole: bool

    @property
    def shorter(self) -> str | None:
        """What is kept of the word in a form that is shorter by a letter, such as a singular; it may be found, too."""
        return self.text[:-1] if not self.whole and len(self.text) >= SHORTENED_FROM else None

    def finds(self, kept: str) -> bool:
        """Say whether this finds a word of which that is kept."""
        return kept in (self.text, self.shorter) or (not self.whole and kept.startswith(self.text))


@dataclass(frozen=True, slots=True)
class Query:
    """What a search asks for: requests with this number, with all these people, with all these words."""

    number: str | None
    people: tuple[str, ...]
    terms: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A part of a text, on one line, and where in it the words begin and end (in characters)."""

    text: str
    marks: tuple[tuple[int, int], ...]


def terms_of(*texts: str) -> list[str]:
    """Return what is kept of texts: each different word once, in their order."""
    # Bounds for each text and for all together: one pasted log
    # must not push the subject's words out, nor fill the index.
    of_each = (islice(dict.fromkeys(_terms(text[:MOST_CHARS])), MOST_TERMS) for text in texts)
    return list(islice(dict.fromkeys(term.text for terms in of_each for term in terms), MOST_OF_ONE))


def query_of(typed: str) -> Query:
    """Return what somebody asks for who typed this: a number, addresses, or words, in any language."""
    number = read_number(typed)
    if number:
        return Query(number, (), ())
    parts = typed.split()
    numbers = [found for part in parts if (found := read_number(part))]
    people = [normal_address(part) for part in parts if "@" in part]
    rest = " ".join(part for part in parts if "@" not in part and not read_number(part))
    terms = tuple(dict.fromkeys(_terms(rest)))[:MOST_ASKED]
    return Query(numbers[0] if numbers else None, tuple(dict.fromkeys(people)), terms)


def excerpt(text: str, terms: Sequence[Term]) -> Excerpt | None:
    """Return the part of a text around the first word that was asked for, None where there is none."""
    flat = " ".join(text.split())
    # Some are enough for a line; a word that stands ten thousand times is not marked ten thousand times.
    marks = list(islice(_marks(flat, terms), 50))
    if not marks:
        return None
    begin = max(0, marks[0][0] - EXCERPT_CHARS // 4)
    if begin:
        begin = flat.find(" ", begin, marks[0][0]) + 1 or begin
    end = max(begin + EXCERPT_CHARS, marks[0][1])
    if end < len(flat):
        end = max(flat.rfind(" ", marks[0][1], end), marks[0][1]) if " " in flat[marks[0][1] : end] else end
    inside = tuple((first - begin, last - begin) for first, last in marks if last <= end)
    return Excerpt(flat[begin:end], inside)


def _marks(text: str, terms: Sequence[Term]) -> Iterator[tuple[int, int]]:
    """Yield where the words that were asked for begin and end, those that touch each other as one."""
    first = last = -1
    for begin, end in _places(text):
        if not any(term.finds(found.text) for found in _terms(text[begin:end]) for term in terms):
            continue
        if begin > last:
            if last > 0:
                yield first, last
            first = begin
        last = end
    if last > 0:
        yield first, last


def _places(text: str) -> Iterator[tuple[int, int]]:
    """Yield where words, and pairs of signs, begin and end."""
    for run in _RUN.finditer(text):
        begin, end = run.span()
        if _SIGNS.match(run[0]) and end - begin > 1:
            yield from ((at, at + 2) for at in range(begin, end - 1))
        else:
            yield begin, end


def _terms(text: str) -> Iterator[Term]:
    """Yield the terms of a text; words of one or two letters tell nothing and are left out."""
    for run in _RUN.findall(_folded(text)):
        if _SIGNS.match(run):
            yield from (
                (Term(run, whole=False),) if len(run) == 1 else (Term(a + b, whole=True) for a, b in pairwise(run))
            )
        # Codes and numbers whole: 4711 is not the beginning of 47110, and `E1042` has no endings.
        elif not run.isalpha():
            if len(run) > 1:
                yield Term(run[:LONGEST_TERM], whole=True)
        elif len(run) > 2:  # noqa: PLR2004 (the shortest word)
            yield Term(stem(run)[:LONGEST_TERM], whole=False)


def _folded(text: str) -> str:
    """Return a text without the difference of capitals, and without accents, which people leave out when they type."""
    text = text.casefold()
    if text.isascii():
        return text
    apart = unicodedata.normalize("NFKD", text)
    return unicodedata.normalize("NFC", "".join(sign for sign in apart if not unicodedata.combining(sign)))

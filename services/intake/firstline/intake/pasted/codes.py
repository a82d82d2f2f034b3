"""Secrets of digits or plain words: codes that let somebody in, cards, words that restore a vault (clause 4.3)."""

import re
from collections.abc import Iterator
from typing import Final

from firstline.intake.pasted.looked import Looked
from firstline.intake.pasted.readings import has_digit, hinted, near, sentence
from firstline.intake.pasted.small_words import AND, OR_THEN, OTHER_CODES, PAYING, TO, UNITS
from firstline.intake.pasted.values import Span, line_end

ALWAYS: Final = ("pin", "пин", "пін", "otp", "tan", "cvv", "cvc")
"""Codes that are secrets whatever they are for."""
REACH: Final = 60
"""Characters behind the word for a code in which the code stands."""
MOST_BETWEEN: Final = 7
"""Words between them."""
BELOW: Final = 8
"""Lines below a heading in which codes stand one by one."""
MOST_TOKENS: Final = 50
LEAST_RESTORING: Final = 12
RESTORING_NEAR: Final = 300
LEAST_CARD: Final = 15

_PIECES: Final = "[a-z0-9]{4,6}-[a-z0-9]{4,6}"
_PIECE: Final = re.compile(_PIECES, re.IGNORECASE)
_NO_MORE: Final = rf"(?![\w%€$]|[.:/-]\d|[ \u00a0]\d|[ \u00a0]?(?:{UNITS})\b)"
_CODE: Final = re.compile(
    r"(?<![\w./:#№+-])(?<!\d )(?:\d{2,6}(?:[ \u00a0-]\d{2,6}){1,3}|\d{4,8}|[A-ZА-Я]\d{3,6}|\d{2,3}[A-Z]\d{2,4}"
    rf"|{_PIECES})[#*]?{_NO_MORE}",
    re.IGNORECASE,
)
_GROUPED: Final = r"\d{3}[ \u00a0-]\d{3}|\d{2}(?:[ \u00a0-]\d{2}){2}"
"""Digits grouped as those of a code are that counts once."""
_IS_GROUPED: Final = re.compile(_GROUPED)
_ONCE: Final = re.compile(rf"(?<![\d+.,:/€$-])(?<!\d )(?:{_GROUPED}){_NO_MORE}(?![,][0-9]|[ ][A-Z]{{3}}\b)")
_LONE: Final = re.compile(
    r"[ \t>*•-]*(?:\d{1,2}[.)][ \t]+)?"
    rf"(\d{{4,8}}|\d{{3,5}}[ \u00a0-]\d{{3,5}}|{_PIECES}|[a-z0-9]{{8,12}})[ \t\r]*(?:\n|$)",
    re.IGNORECASE,
)
_OTHER: Final = re.compile(
    rf"[ \t]*(?:,|;|/|{AND}|{OR_THEN}|{TO})[ \t]+((?=[\w-]*\d){_PIECES}|\d{{4,8}})(?![\w-])", re.IGNORECASE
)
_COLON: Final = re.compile(r"[^\n.!?:]{0,60}:[ \t]*")
_CARD: Final = re.compile(
    r"(?<![\w-])(?:(?:\d{4}[ \u00a0-]?){3}\d{3,4}|3\d{3}[ \u00a0-]?\d{6}[ \u00a0-]?\d{5})(?![\w-])"
)
_VALID: Final = re.compile(r"\b(?:0[1-9]|1[0-2])[ \t]?/[ \t]?(?:20)?[2-4]\d\b|cv[vc]2?\b", re.IGNORECASE)
_PAYMENT: Final = re.compile(rf"\b(?:{PAYING})[ \t:=\u2013-]{{1,3}}(\d{{3,4}})(?!\d)", re.IGNORECASE)
_LOWER: Final = re.compile(r"[^\W\d_A-Z]{3,9}(?:[ \t]*[,;]?[ \t\n]+(?:\d{1,2}[.)][ \t]*)?[^\W\d_A-Z]{3,9}){11,23}")
_WORD: Final = re.compile(r"[^\W\d_]+")


def by_codes(here: Looked) -> Iterator[Span]:
    """Yield codes, cards and words that restore something."""
    seen = -1
    for start, end in here.hints["codes"]:
        if end > seen and not here.text[start - 1 : start].isalpha():
            for span in _code(here, start, end):
                seen = span.end
                yield span
    for start, end in here.hints["coded"]:
        yield from _listed(here, start, end)
    if here.hints["codes"] or here.hints["coded"]:
        yield from _cards(here.text)
    yield from _restoring(here)
    yield from _shown(here)


def _code(here: Looked, start: int, end: int) -> Iterator[Span]:
    """Yield the code behind a word for it, where it is one that lets somebody in."""
    text = here.text
    begin, stop = sentence(here, start, end)
    match = _CODE.search(text, end, min(stop, end + REACH))
    if match is None or not has_digit(match[0]) or here.masked(match.start()):
        return
    if not text[start:end].lower().startswith(ALWAYS):
        lets_in = near(here.hints["coded"], start, end) or hinted(here, start, end, "opens")
        if _is_other(text[begin:stop]) or not (lets_in or _IS_GROUPED.fullmatch(match[0])):
            return
    between = text[end : match.start()]
    if len(between.split()) <= MOST_BETWEEN and "(" not in between:
        yield from _row(here, match.start())


def _row(here: Looked, place: int) -> Iterator[Span]:
    """Yield the codes of a row that begins at a place."""
    match = _CODE.match(here.text, place)
    if match is None or not has_digit(match[0]):
        return
    yield Span(*match.span(), "password")
    end = match.end()
    while other := _OTHER.match(here.text, end):
        yield Span(*other.span(1), "password")
        end = other.end()


def _shown(here: Looked) -> Iterator[Span]:
    """Yield digits grouped as those of a code for once are, beside a word for it, a line above at most."""
    text = here.text
    for start, end in sorted([*here.hints["codes"], *here.tokens[:MOST_TOKENS]]):
        begin, stop = sentence(here, start, end)
        if _is_other(text[begin:stop]):
            continue
        last = line_end(text, stop + 1) if text[stop : stop + 1] == "\n" and stop + 1 < len(text) else stop
        for match in _ONCE.finditer(text, max(begin, start - REACH), min(last, end + 2 * REACH)):
            if not here.masked(match.start()):
                yield Span(*match.span(), "password")


def _is_other(text: str) -> bool:
    """Say whether a sentence is about codes of another sort, such as those of errors and goods."""
    return not OTHER_CODES.isdisjoint(_WORD.findall(text.lower()))


def _listed(here: Looked, start: int, end: int) -> Iterator[Span]:
    """Yield codes in a row behind the colon of a line about them, or one by one below it."""
    text = here.text
    begin, stop = sentence(here, start, end)
    if _is_other(text[begin:stop]):
        return
    about_codes = near(here.hints["codes"], begin, stop, 0, 0)
    colon = _COLON.match(text, end, stop)
    if colon and (about_codes or _PIECE.match(text, colon.end())):
        yield from _row(here, colon.end())
    if not about_codes or not text[begin : line_end(text, end)].rstrip().endswith((":", "-", "—")):
        return
    place = line_end(text, end) + 1
    for _ in range(BELOW):
        lone = _LONE.match(text, place)
        if lone is None or not has_digit(lone[1]):
            return
        yield Span(*lone.span(1), "password")
        place = lone.end()


def _cards(text: str) -> Iterator[Span]:
    """Yield numbers of cards given with what one needs to pay with them, and the digits that confirm them."""
    for match in _CARD.finditer(text):
        begin, stop = max(0, match.start() - REACH), min(len(text), match.end() + 2 * REACH)
        digits = sum(char.isdigit() for char in match[0])
        if digits < LEAST_CARD or not _VALID.search(text, begin, stop):
            continue
        yield Span(*match.span(), "password")
        if code := _PAYMENT.search(text, match.end(), stop):
            yield Span(*code.span(1), "password")


def _restoring(here: Looked) -> Iterator[Span]:
    """Yield a row of words such as restores a vault: all short and plain, and no sentence."""
    for _, end in [*here.hints["keys"], *here.hints["opens"], *here.hints["coded"]]:
        for match in _LOWER.finditer(here.text, end, min(len(here.text), end + RESTORING_NEAR)):
            run = _longest(list(_WORD.finditer(match[0])), here.rules.small)
            if len(run) >= LEAST_RESTORING:
                yield Span(match.start() + run[0].start(), match.start() + run[-1].end(), "private_key")
                return


def _longest(words: list[re.Match[str]], known: frozenset[str]) -> list[re.Match[str]]:
    """Return the longest row of words none of which belongs to a sentence."""
    best: list[re.Match[str]] = []
    run: list[re.Match[str]] = []
    for word in words:
        run = [] if word[0] in known else [*run, word]
        if len(run) > len(best):
            best = run
    return best

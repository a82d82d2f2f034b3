"""Passwords in sentences: words that look as only passwords do, where signing in is the subject (clause 4.3).

What is plain elsewhere counts here for nothing: only words with signs or digits within them are taken.
"""

import re
from collections.abc import Iterator
from typing import Final

from firstline.intake.pasted.cue_words import Places
from firstline.intake.pasted.looked import ACCOUNTS, Looked
from firstline.intake.pasted.values import (
    Span,
    Strength,
    Value,
    is_hash,
    is_made_up,
    is_uuid,
    line_end,
    line_start,
    strength,
    value_at,
)

FURTHER: Final = 80
"""Characters behind a cue, in its line, in which such a word is its password."""
LINES_BELOW: Final = 4
MOST_LINES: Final = 300
"""Lines of a text in which names with a password are looked for."""
EVERYDAY: Final = frozenset({"pass", "pas", "pin"})
_ACCOUNTS: Final = frozenset(ACCOUNTS.split("|"))

_TOKEN: Final = re.compile(r"\S{6,120}")
_ACCOUNT: Final = re.compile(
    rf"(?<![\w./-])(?:{ACCOUNTS})[ \t]?(?:[/:|,]|(?:with|mit|avec|con|\u0441)(?=[ \t]))[ \t]?(\S{{6,80}})",
    re.IGNORECASE,
)
_NAMED: Final = re.compile(
    r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}"
    r"[ \t]*(?:[/,;:|\u2013-][ \t]*|[ \t](?:[^\W\d_]{1,5}[ \t]+){1,2})(\S{6,80})"
)
_QUOTED: Final = re.compile(r"(?<![\w@/=])[\"“„«'`](\w[^\s\"“”„«»'`@]{4,78})[\"”“»'`](?![\w@])")
_SPACE: Final = re.compile(r"\s")
_SIGNS: Final = re.compile(r"[\d@#$%^&*+=~|\\<>{}\[\]()!?]")
_MEMBER: Final = re.compile(r"[\w.-]{1,40}=")
_PHRASE: Final = re.compile(r"[^\W\d_]{2,20}(?:[ -][^\W\d_]{2,20}){2,7}(?=[.,;!]?[ \t]*(?:\n|$))")
_JOINED: Final = re.compile(r"[ \t]*(?:is|ist|lautet|[:=\u2013-])?[ \t]*[\"“„«']?")


def by_sentences(here: Looked) -> Iterator[Span]:
    """Yield what stands in sentences, in pairs with usual names, and alone in a line below."""
    for start, end in here.passwords:
        cue = here.text[start:end].lower()
        if cue not in EVERYDAY:
            yield from _behind(here, end)
        yield from _below(here, end, 1)
        if cue == "passphrase":
            yield from _phrase(here, end)
    for _, end in here.access:
        yield from _below(here, end, LINES_BELOW)
    yield from _named(here, here.logins)
    yield from _accounts(here)


def _behind(here: Looked, end: int) -> Iterator[Span]:
    """Yield the first word behind a cue that looks as only passwords do."""
    text = here.text
    space = _SPACE.search(text, end, end + FURTHER)
    for token in _TOKEN.finditer(text, space.end() if space else len(text), min(line_end(text, end), end + FURTHER)):
        # Most words are plain, and are passed over before anything is made of them.
        value = value_at(text, token.start()) if _SIGNS.search(token[0]) else None
        if value is not None and not _MEMBER.match(value.text) and _is_secret(here, value):
            yield Span(value.start, value.end, "password")
            return


def _below(here: Looked, end: int, lines: int) -> Iterator[Span]:
    """Yield a word alone in one of the next lines that hold anything, as far as each of them is one word."""
    text, place = here.text, line_end(here.text, end)
    while lines and place < len(text):
        place += 1
        stop = line_end(text, place)
        words = text[place:stop].split()
        if len(words) > 1:
            return
        if words:
            lines -= 1
            value = value_at(text, text.find(words[0], place))
            if value is not None and _is_strange(here, value):
                yield Span(value.start, value.end, "password")
                return
        place = stop


def _phrase(here: Looked, end: int) -> Iterator[Span]:
    """Yield three words or more that are all a line has behind a passphrase's cue."""
    joined = _JOINED.match(here.text, end)
    words = _PHRASE.match(here.text, joined.end()) if joined else None
    known = words and any(word.lower() in here.rules.never for word in re.split("[ -]", words[0]))
    if words and not known and not here.masked(words.start()):
        yield Span(*words.span(), "password")


def _named(here: Looked, logins: Places) -> Iterator[Span]:
    """Yield what follows an address, or stands in quotation marks, in a line about signing in."""
    text, seen, count = here.text, -1, 0
    for start, _ in logins:
        begin, stop = line_start(text, start), line_end(text, start)
        if begin <= seen or count >= MOST_LINES:
            continue
        seen, count = begin, count + 1
        for match in _NAMED.finditer(text, begin, stop):
            value = value_at(text, match.start(1))
            if value is not None and _is_secret(here, value):
                yield Span(value.start, value.end, "password")
        for match in _QUOTED.finditer(text, begin, stop):
            value = Value(*match.span(1), True, False, match[1])
            if _is_secret(here, value):
                yield Span(value.start, value.end, "password")


def _accounts(here: Looked) -> Iterator[Span]:
    """Yield what stands behind the name of a usual account, as in `admin / …`."""
    if _ACCOUNTS.isdisjoint(here.words):
        return
    for match in _ACCOUNT.finditer(here.text):
        value = value_at(here.text, match.start(1))
        if value is not None and _is_secret(here, value):
            yield Span(value.start, value.end, "password")


def _is_secret(here: Looked, value: Value) -> bool:
    return (
        not here.masked(value.start - 1) and not here.masked(value.start) and is_made_up(value.text, here.rules.never)
    )


def _is_strange(here: Looked, value: Value) -> bool:
    """Say whether a word is strong enough where it stands by itself."""
    if here.masked(value.start) or is_hash(value.text) or is_uuid(value.text):
        return False
    return strength(value.text, here.rules.never) == Strength.VERY and not _MEMBER.match(value.text)

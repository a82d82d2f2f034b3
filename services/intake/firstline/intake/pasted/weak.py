"""Plain words, phrases and odd layouts behind a password's cue, where all around says that they are it (clause 4.3)."""

import re
from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

from firstline.intake.pasted.cues import Mode, behind, next_line
from firstline.intake.pasted.looked import Looked
from firstline.intake.pasted.readings import (
    Reading,
    Weight,
    about_signing_in,
    clause_at,
    has_digit,
    hinted,
    near,
    sentence,
    tokens,
    weight,
    word_at,
)
from firstline.intake.pasted.small_words import AND, AS
from firstline.intake.pasted.values import Span, is_numbered, is_product, line_end, line_start

MOST_CUES: Final = 100
"""Cues behind which weak words are looked for; a text with more of them is a log."""
OWNER_CHARS: Final = 30
OWNER_WORDS: Final = 3
NAME_CHARS: Final = 80
BEHIND: Final = 4
MOST_BELOW: Final = 5
MOST_OPENED: Final = 3
FURTHER: Final = 90
ACCESS_ABOVE: Final = 250
EVERYDAY: Final = frozenset({"pass", "pas", "pin", "пас", "пар", "пин", "p:", "passes", "parola", "clave"})
"""Cues that are words of every day as well."""

_REMARK: Final = re.compile(r"[^\n:=.;!?]{1,80}?(?:[:=]|[ \t][\u2013\u2014-])[ \t]+(?=\S)")
_NUMBERING: Final = re.compile(r"[ \t>]*(?:\d{1,2}[.)]|[-*•])[ \t]+")
_TELLING: Final = re.compile(r"[\d!._&+]|[a-z][A-Z]")
_LISTED: Final = re.compile(r"(?:^|[,;|]|\d[.)])[ \t]*$")
_NAMED: Final = re.compile(
    r"[ \t]*(?:[:=]|[^\W\d_]{1,4}(?=[ \t]+\S+[ \t]+[^\W\d_]))?[ \t]*([^\s,;/]{2,60})[ \t]*[,;/|]?[ \t]*"
    r"(?:[^\W\d_]{1,4}[ \t]+){0,2}"
)
_AS_NAMED: Final = re.compile(
    rf"(?<!\w)(?:{AS})[ \t]+[\"«„“]?([a-z][\w.@-]{{2,40}})[\"»”“]?[ \t]*(?:,|[ \t](?:{AND}))[ \t]+"
    r"(?:[^\W\d_]{1,4}[ \t]+)?$"
)
_ONE_WORD: Final = re.compile(r"[ \t]+([^\W\d_]{2,20})[ \t]?:[ \t]*(?=\S)")
_SPEAKER: Final = re.compile(
    r"[ \t>]*(?:[\[(]?\d{1,2}[:.]\d{2}(?:[:.]\d{2})?[\])]?[ \t]*)?"
    r"(?:[^\W\d_][\w.-]{0,20}(?:[ \t][^\W\d_]\w{0,20})?[ \t]?[:>][ \t])?[ \t]*"
)
"""The time and the name before a line of a chat."""
_ASIDE: Final = re.compile(r"[^\n.(]{1,40}\((?=[^\s()]{4,60}\))")
_BEFORE: Final = re.compile(r"(\S{6,60})[ \t]\((?:[^\W\d_]{1,15}[ \t]+){0,3}\Z")
_LETTERS: Final = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")


def by_weak_words(here: Looked) -> Iterator[Span]:
    """Yield plain words and phrases that are told as a password, and words some way behind its cue."""
    for start, end in here.passwords[:MOST_CUES]:
        if here.text[start - 1 : start].isalpha() or here.text[end : end + 1] in {"(", "[", ")", "]", "}"}:
            continue
        place, mode = behind(here, start, end)
        found = (
            _phrase_below(here, start, end)
            or _answer(here, start, end)
            or _word(here, (start, end), place, mode)
            or _phrase(here, (start, end), place, mode)
            or _behind_remark(here, end)
            or _aside(here, start, end)
            or _further(here, (start, end), place, mode)
        )
        if found is not None:
            yield found.span


def _word(here: Looked, cue: tuple[int, int], place: int, mode: Mode) -> Reading | None:
    """Return a word right behind a cue, told as somebody's own password or beside a name to sign in with."""
    start, end = cue
    if mode not in {"bare", "joined", "marked"} or place >= line_end(here.text, end):
        return None
    reading = word_at(here, place)
    found = weight(here, reading.text) if reading else Weight.NONE
    if reading is None or found == Weight.NONE:
        return None
    named = _name_before(here, start) is not None or _name_behind(here, reading.end)
    if mode != "bare":
        sure = found >= Weight.NAMED or here.text[start:end].lower() not in EVERYDAY
        return reading if reading.closed and (sure or named or _owned(here, start)) else None
    shouted = here.text[start:end].isupper() and reading.text.isupper()
    return reading if not shouted and (named or _is_bare(here, cue, reading, found)) else None


def _is_bare(here: Looked, cue: tuple[int, int], reading: Reading, found: Weight) -> bool:
    """Say whether a word right behind a cue, without a name beside it, is the password."""
    start, end = cue
    if here.text[start:end].lower() in EVERYDAY:
        subject = reading.closed and about_signing_in(here, start, end)
        return found >= Weight.MIXED and (_owned(here, start) or subject)
    if found >= Weight.MIXED or not reading.closed:
        return found >= Weight.MIXED
    if found == Weight.NAMED:
        return _TELLING.search(reading.text) is not None
    whole = reading.end >= line_end(here.text, end) - 1
    return whole and _is_label(here, start) and _place_before(here, start)


def _is_label(here: Looked, start: int) -> bool:
    """Say whether a cue begins a line or a member of a list."""
    return _LISTED.search(here.text[line_start(here.text, start) : start]) is not None


def _place_before(here: Looked, start: int) -> bool:
    """Say whether somewhere to get in, or a name, stands before a cue in its line."""
    begin = line_start(here.text, start)
    return any(near(where, begin, start - 2, 0, 0) for where in (here.logins, here.access, here.hints["opens"]))


def _owned(here: Looked, start: int) -> bool:
    """Say whether a word before a cue says whose the password is."""
    words = here.text[max(line_start(here.text, start), start - OWNER_CHARS) : start].lower().split()
    return any(word in here.rules.mine for word in words[-OWNER_WORDS:])


def _is_small(here: Looked, word: str) -> bool:
    """Say whether a word belongs to a sentence, so that it is no name."""
    low = word.lower()
    return low in here.rules.never or low in here.rules.turns or low in here.rules.ends


def _name_before(here: Looked, start: int) -> str | None:
    """Return the name that stands between a login's cue and a place: `login anna password …`, `with anna and …`."""
    count = bisect_left(here.logins, (start, 0))
    for begin, end in here.logins[max(0, count - 3) : count]:
        match = _NAMED.match(here.text, end, start) if begin >= start - NAME_CHARS else None
        if match is not None and match.end() == start:
            return None if _is_small(here, match[1]) else match[1]
    told = _AS_NAMED.search(here.text, max(line_start(here.text, start), start - NAME_CHARS), start)
    return told[1] if told and not _is_small(here, told[1]) else None


def _name_behind(here: Looked, end: int) -> bool:
    """Say whether a login with its name stands right behind a value: `password … login anna`."""
    at = bisect_left(here.logins, (end, 0))
    if at >= len(here.logins) or here.logins[at][0] > end + BEHIND:
        return False
    reading = word_at(here, here.logins[at][1])
    return reading is not None and reading.closed and not _is_small(here, reading.text)


def _phrase(here: Looked, cue: tuple[int, int], place: int, mode: Mode) -> Reading | None:
    """Return several words behind a cue, where a password is told and not talked about."""
    start, end = cue
    if mode not in {"joined", "marked", "bare"} or place >= line_end(here.text, end):
        return None
    label = not _NUMBERING.sub("", here.text[line_start(here.text, start) : start]).strip(" \t>*•-")
    if (label or _owned(here, start)) and (told := _of_account(here, end)) is not None:
        return told
    reading = clause_at(here, place)
    if reading is None or " " not in reading.text:
        return None
    found = weight(here, reading.text)
    if mode != "bare" and found >= Weight.NAMED:
        told_so = label or mode == "marked" or _owned(here, start) or about_signing_in(here, start, end)
        return reading if told_so else None
    listed = label and here.has_login(start) and reading.end >= line_end(here.text, end) - 1
    if mode == "bare":
        listed = listed and _NUMBERING.match(here.text, line_start(here.text, start)) is not None
    opened = hinted(here, start, end, "opens") and (mode != "bare" or len(reading.text.split()) <= MOST_OPENED)
    return reading if found >= Weight.PLAIN and (listed or opened) else None


def _of_account(here: Looked, end: int) -> Reading | None:
    """Return the phrase that is the rest of a line behind a cue, an account or place, and a colon."""
    word = _ONE_WORD.match(here.text, end)
    reading = clause_at(here, word.end()) if word else None
    if word is None or reading is None or reading.end < line_end(here.text, end) - 1:
        return None
    if near(here.hints["old"], end, word.end(), 0, -1):
        return reading if weight(here, reading.text) >= Weight.PLAIN else None
    subjects = (here.hints["ways"], here.logins, here.access, here.hints["opens"])
    if " " not in reading.text or not any(near(places, end, word.end(), 0, -1) for places in subjects):
        return None
    return reading if reading.text[0].isupper() and weight(here, reading.text) >= Weight.PLAIN else None


def _phrase_below(here: Looked, start: int, end: int) -> Reading | None:
    """Return the words that are all of the line below a cue that ends its line."""
    rest = here.text[end : line_end(here.text, end)]
    joined = rest.strip().lower() in here.rules.joins
    asked = _asked(here, start) and "?" in rest
    if (rest.strip(" \t:=*?") and not joined) or not (":" in rest or joined or asked):
        return None
    below = next_line(here.text, end)
    subject = asked or here.has_login(start) or near(here.access, start, end, ACCESS_ABOVE, 0)
    reading = clause_at(here, below) if below is not None and subject else None
    if reading is None or len(reading.text.split()) > MOST_BELOW:
        return None
    return reading if weight(here, reading.text) >= (Weight.NAMED if " " in reading.text else Weight.PLAIN) else None


def _asked(here: Looked, start: int) -> bool:
    """Say whether a place is in a quotation."""
    return here.text.startswith(">", line_start(here.text, start))


def _behind_remark(here: Looked, end: int) -> Reading | None:
    """Return what stands behind a remark and a mark: `the password is spelled so: …`."""
    mark = _REMARK.match(here.text, end, min(line_end(here.text, end), end + FURTHER))
    if mark is None:
        return None
    reading = word_at(here, mark.end())
    if reading is None or not reading.closed:
        reading = clause_at(here, mark.end())
    if reading is None or not (reading.closed or reading.end >= line_end(here.text, end)):
        return None
    shouted = " " in reading.text and reading.text.isupper()
    odd = shouted or "-" in reading.text or reading.text.endswith("!")
    return reading if weight(here, reading.text) >= (Weight.NAMED if odd else Weight.MIXED) else None


def _answer(here: Looked, start: int, end: int) -> Reading | None:
    """Return a word that somebody answers in the next line of a chat or below a quotation."""
    speaker = _SPEAKER.match(here.text, line_start(here.text, start))
    place = line_end(here.text, end) + 1
    if place >= len(here.text) or speaker is None or not speaker[0].strip():
        return None
    asked = _asked(here, start) and "?" in here.text[end : place - 1]
    if asked and (joined := _joined(here, place, line_end(here.text, place), first=True)) is not None:
        return joined
    speaker = _SPEAKER.match(here.text, place)
    reading = word_at(here, speaker.end() if speaker else place)
    if reading is None or here.text[reading.end : line_end(here.text, reading.end)].strip(" .\r"):
        return None
    odd = has_digit(reading.text) or (asked and "-" in reading.text)
    return reading if weight(here, reading.text) >= (Weight.PLAIN if odd else Weight.NAMED) else None


def _aside(here: Looked, start: int, end: int) -> Reading | None:
    """Return an odd word in parentheses behind a cue, or before those that a cue stands in."""
    before = _BEFORE.search(here.text, max(line_start(here.text, start), start - NAME_CHARS), start)
    reading = word_at(here, before.start(1)) if before else None
    if reading is not None and weight(here, reading.text) >= Weight.NAMED:
        return reading
    aside = _ASIDE.match(here.text, end)
    reading = word_at(here, aside.end()) if aside else None
    return reading if reading is not None and weight(here, reading.text) >= Weight.MIXED else None


def _further(here: Looked, cue: tuple[int, int], place: int, mode: Mode) -> Reading | None:
    """Return the first odd word of the clause behind a cue, as in `the password of the mailbox …`."""
    start, end = cue
    everyday = here.text[start:end].lower() in EVERYDAY
    if mode not in {"remark", "bare"} or (everyday and mode == "bare" and not about_signing_in(here, start, end)):
        return None
    clause = clause_at(here, place)
    for reading in tokens(here, place, min(clause.end if clause else line_end(here.text, end), end + FURTHER)):
        found = weight(here, reading.text)
        if (
            found == Weight.MADE_UP
            or (mode == "bare" and found >= Weight.NAMED and has_digit(reading.text))
            or (found >= Weight.MIXED and reading.closed)
        ):
            return reading
    _, last = sentence(here, start, end)
    return _joined(here, place, min(last, end + FURTHER)) or _numbered(here, start, end, last)


def _numbered(here: Looked, start: int, end: int, stop: int) -> Reading | None:
    """Return a word with a number at the end of a sentence about somebody's own password."""
    if not _owned(here, start):
        return None
    for reading in tokens(here, end, min(stop, end + FURTHER)):
        if is_numbered(reading.text) and not is_product(reading.text) and reading.end >= stop - 1:
            return reading
    return None


def _joined(here: Looked, place: int, stop: int, *, first: bool = False) -> Reading | None:
    """Return what stands behind an `is` some words further, or behind the first word."""
    for count, word in enumerate(_LETTERS.finditer(here.text, place, stop)):
        if count > MOST_BELOW:
            return None
        if (count or first) and word[0].lower() in here.rules.joins:
            reading = word_at(here, word.end())
            least = Weight.PLAIN if first and reading and has_digit(reading.text) else Weight.NAMED
            if reading is not None and reading.closed and weight(here, reading.text) >= least:
                return reading
    return None

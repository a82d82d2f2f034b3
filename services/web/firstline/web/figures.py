"""Figures of the policy as people type and read them: lengths of business time, opening hours, urgencies (2.1, 2.3)."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from firstline.common.policy.targets import MOST_MINUTES

CLOSED: Final = "closed"

MINUTES_AN_HOUR: Final = 60
_LENGTH = re.compile(
    r"(?:(\d{1,6}(?:[.,]\d{1,2})?) ?h(?:ours?)?)?[ ,]*(?:(\d{1,7}) ?m(?:in(?:utes?)?)?)?", re.IGNORECASE
)
_TIME = r"((?:[01]?[0-9]|2[0-3]):[0-5][0-9]|24:00)"
_SPAN = re.compile(rf"{_TIME} ?[-\u2013\u2014] ?{_TIME}")


class Unreadable(Exception):
    """What was typed can't be read; the words say what can."""


def minutes_of(text: str) -> int | None:
    """Return the business minutes that were typed, such as `1 h 30 min`; None where nothing was.

    Raises:
        Unreadable: it is no length of time.

    """
    if not text:
        return None
    if text.isdecimal():
        raise Unreadable(f"Say whether it is hours or minutes: {text} h or {text} min.")
    match = _LENGTH.fullmatch(text)
    if match is None:
        raise Unreadable("Write hours and minutes, such as 4 h, 90 min or 1 h 30 min.")
    hours, minutes = float((match[1] or "0").replace(",", ".")), int(match[2] or 0)
    found = round(hours * MINUTES_AN_HOUR) + minutes
    if not 0 < found <= MOST_MINUTES:
        raise Unreadable("Give at least 1 min, and less than four years. Leave it empty for no target.")
    return found


def length(minutes: int | None) -> str:
    """Return business minutes as the form writes them."""
    if minutes is None:
        return ""
    hours, rest = divmod(minutes, MINUTES_AN_HOUR)
    return " ".join([*([f"{hours} h"] if hours else []), *([f"{rest} min"] if rest else [])])


def hours_of(text: str) -> str:
    """Return opening hours as the API takes them in short.

    Raises:
        Unreadable: they are none.

    """
    if text.lower() in ("", CLOSED):
        return CLOSED
    spans = []
    for part in text.split(","):
        match = _SPAN.fullmatch(part.strip())
        if match is None:
            raise Unreadable("Write hours such as 08:00-12:00, 13:00-17:00, or closed.")
        opens, closes = f"{match[1]:0>5}", f"{match[2]:0>5}"
        if opens == closes:
            raise Unreadable(f"{opens}-{closes} has no length. For the whole day write 00:00-24:00.")
        spans.append(f"{opens}-{closes}")
    return ",".join(spans)


def hours_text(value: Any) -> str:
    """Return opening hours, in short or as a calendar has them, as the form writes them."""
    if isinstance(value, str):
        return value.replace(",", ", ")
    return ", ".join("-".join(span) for span in value) or CLOSED


@dataclass(frozen=True, slots=True)
class Kind:
    """How figures are typed and shown: `read` what was typed, `write` a value; `none` says an empty one in words."""

    read: Callable[[str], Any]
    write: Callable[[Any], str]
    none: str


TIME: Final = Kind(minutes_of, length, "no target")
HOURS: Final = Kind(hours_of, hours_text, CLOSED)
URGENCY: Final = Kind(lambda text: text or None, lambda value: value or "", "no urgency of its own")

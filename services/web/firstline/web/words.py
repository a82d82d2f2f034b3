"""Plain words for instants, spans, sizes and free text, as every page shows them (clauses 2.1, 4.4, 4.6)."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

MINUTES_AN_HOUR: Final = 60
KILOBYTE: Final = 1024
DAYS_A_WEEK: Final = 7

# A run that may be a web address. What ends a sentence is cut off afterwards, so the search itself stays linear.
_ADDRESS: Final = re.compile(r"https?://[^\s<>\"'`]{1,2000}", re.IGNORECASE)
_ENDINGS: Final = ".,;:!?)]}»”"

# Control characters, and the marks that turn the direction of writing (Unicode Technical Report 36).
_HIDDEN: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text; `href` is a web address (http or https, with a host) where the stretch is one."""

    text: str
    href: str | None = None


def instant(text: str) -> datetime:
    """Return the instant of an RFC 3339 text in UTC, aware.

    Raises:
        ValueError: it is no such text.

    """
    return datetime.fromisoformat(text)


def stamp(at: datetime, now: datetime) -> str:
    """Say when something was or will be, with its zone: the nearer, the shorter."""
    time = f"{at:%H:%M} UTC"
    # By UTC dates, as the zone beside them says: "today" of one zone and hours of another would be wrong by a day.
    days = (at.date() - now.date()).days
    if days == 0:
        return f"today {time}"
    if abs(days) == 1:
        return f"{'tomorrow' if days > 0 else 'yesterday'} {time}"
    year = "" if at.year == now.year else f" {at.year}"
    return f"{at:%a} {at.day} {at:%b}{year}, {time}"


def since(at: datetime, now: datetime) -> str:
    """Say since when something lasts: `since 09:12 UTC`, `since Tuesday`, `since 3 November`.

    A beginning that lies ahead, by clocks that differ a little, counts as today.
    """
    days = (now.date() - at.date()).days
    if days <= 0:
        return f"since {at:%H:%M} UTC"
    if days == 1:
        return "since yesterday"
    if days < DAYS_A_WEEK:
        return f"since {at:%A}"
    year = "" if at.year == now.year else f" {at.year}"
    return f"since {at.day} {at:%B}{year}"


def span(length: timedelta) -> str:
    """Say how long something takes, in whole minutes: `48 min`, `3 h 12 min`."""
    hours, minutes = divmod(int(length.total_seconds() // 60), MINUTES_AN_HOUR)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min"


def count(number: int, one: str, many: str) -> str:
    """Say how many there are, with the noun in its right form."""
    return f"{number:,} {one if number == 1 else many}"


def size(length: int) -> str:
    """Say how large a file is, in units of 1,024 bytes."""
    if length < KILOBYTE:
        return count(length, "byte", "bytes")
    if length < KILOBYTE**2:
        return f"{length / KILOBYTE:.0f} KB"
    return f"{length / KILOBYTE**2:.1f} MB"


def one_line(text: str) -> str:
    """Return what somebody wrote as one line, without characters that hide or turn what stands beside them.

    For names, subjects and file names; bodies keep their lines.
    """
    return _HIDDEN.sub(" ", text).strip()


def pieces(text: str) -> tuple[Piece, ...]:
    """Split what somebody wrote into plain stretches and web addresses; nothing is lost or changed."""
    found: list[Piece] = []
    end = 0
    for match in _ADDRESS.finditer(text):
        # Sentences end after addresses more often than addresses end with a full stop.
        address = match.group().rstrip(_ENDINGS)
        if not _leads_somewhere(address):
            continue
        found += [Piece(text[end : match.start()]), Piece(address, address)]
        end = match.start() + len(address)
    return tuple(piece for piece in (*found, Piece(text[end:])) if piece.text)


def _leads_somewhere(address: str) -> bool:
    """Say whether an address has a host and hides no other name before it."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    # `https://bank.example@evil.example` shows one name and leads to another.
    return bool(parts.hostname) and "@" not in parts.netloc

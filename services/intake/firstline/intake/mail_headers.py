"""Header values of a mail, decoded with care: any bytes may stand there, and the standard library raises on some."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from email.errors import MessageError
from email.header import decode_header
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime
from typing import Final

from firstline.common.addresses import normal_address
from firstline.intake.mail_text import clean_line, decode

MAX_ENCODED_CHARS: Final = 8 * 1024
MAX_LIST_CHARS: Final = 32 * 1024
MAX_ADDRESSES: Final = 100
MAX_NAME_CHARS: Final = 200
MAX_IDS: Final = 50

_FOLD: Final = re.compile(r"\r?\n(?=[ \t])")
_MAILBOX: Final = re.compile(r"[^\s@<>()\[\]\\,;:\"]{1,64}@[\w.-]{1,255}")
# A comma outside quotation marks separates two senders for one program and belongs to a name for another.
_NAMED: Final = re.compile(r'(?P<name>\s*"(?:[^"\\]|\\.)*"\s*|[^"<>,;:]*)<(?P<address>[^<>]*)>')
_ESCAPED: Final = re.compile(r"\\(.)")
# Printable ASCII only: these ids go into headers that we write.
_ID: Final = re.compile("<[!-;=?-~]{1,996}>")


def as_text(raw: str) -> str:
    """Unfold a value; where the parser read bytes as ASCII with surrogates, read them as UTF-8 or else as Latin-1."""
    data = _FOLD.sub("", raw).encode("utf-8", "surrogateescape")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def values(part: Message, name: str) -> list[str]:
    """Return all values of a header, from the top."""
    return [str(value) for value in part.get_all(name, [])]


def value(part: Message, name: str) -> str:
    """Return the first value of a header; empty when there is none."""
    return next(iter(values(part, name)), "")


def decode_words(text: str) -> str:
    """Return a text with its encoded words (RFC 2047) decoded; as it stands, where they are broken."""
    try:
        # Cut first: the library's time grows faster than the length, on words made to hurt.
        pieces = decode_header(text[:MAX_ENCODED_CHARS])
    except (MessageError, ValueError, LookupError):
        return text
    return "".join(piece if isinstance(piece, str) else _decode_piece(piece, charset) for piece, charset in pieces)


def _decode_piece(piece: bytes, charset: str | None) -> str:
    """Decode one piece; those between encoded words come as Latin-1."""
    return decode(piece, charset) if charset else piece.decode("latin-1")


def sender(part: Message) -> tuple[str, str | None]:
    """Return the display name and the address of From; None for the address unless there is exactly one, well formed.

    Whatever two programs could read as two different senders is none: the one that checks senders would not be the one
    that acts on them.
    """
    given = [text.strip()[:MAX_ENCODED_CHARS] for text in values(part, "from")]
    if len(given) != 1:
        return "", None
    named = _NAMED.fullmatch(given[0])
    found = [(_unquoted(named["name"]), named["address"].strip())] if named else _pairs(given, MAX_ENCODED_CHARS)
    if len(found) != 1 or not _is_mailbox(found[0][1]) or (named is None and "<" in given[0]):
        return "", None
    name, address = found[0]
    return clean_line(decode_words(name), MAX_NAME_CHARS), normal_address(address)


def _unquoted(name: str) -> str:
    """Return a display name without the quotation marks around it."""
    name = name.strip()
    return _ESCAPED.sub(r"\1", name[1:-1]) if name.startswith('"') else name


def addresses(part: Message, name: str) -> tuple[str, ...]:
    """Return the well-formed addresses of To, Cc or Reply-To, at most 100, each once, ready for comparing."""
    found = (address for _, address in _pairs(values(part, name), MAX_LIST_CHARS))
    good = (normal_address(address) for address in found if _is_mailbox(address))
    return tuple(dict.fromkeys(good))[:MAX_ADDRESSES]


def _is_mailbox(address: str) -> bool:
    """Tell whether this is a plain `local@domain`; quoted local parts and invisible characters aren't taken."""
    return bool(_MAILBOX.fullmatch(address)) and address.isprintable()


def _pairs(given: Iterable[str], limit: int) -> list[tuple[str, str]]:
    """Return names and addresses; none, where the standard library gives up."""
    try:
        return [pair for pair in getaddresses([text[:limit] for text in given]) if pair[1]]
    except (RecursionError, ValueError, IndexError):
        return []


def message_ids(part: Message, name: str) -> tuple[str, ...]:
    """Return the Message-IDs in a header, each once: of a long list the oldest and the newest."""
    found = tuple(dict.fromkeys(_ID.findall(" ".join(values(part, name)))))
    # The newest decide to which request a mail belongs, the oldest where its thread began.
    return found if len(found) <= MAX_IDS else (found[0], *found[1 - MAX_IDS :])


def message_id(part: Message) -> str | None:
    """Return the mail's own Message-ID; None when it is missing, empty, malformed, too long or given twice."""
    given = values(part, "message-id")
    if len(given) != 1 or not _ID.fullmatch(given[0].strip()):
        return None
    return given[0].strip()


def date(part: Message) -> datetime | None:
    """Return the Date header in UTC; None when it is missing or no date."""
    try:
        given = parsedate_to_datetime(value(part, "date")[:100])
        return (given if given.tzinfo else given.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None

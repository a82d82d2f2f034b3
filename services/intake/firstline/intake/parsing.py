"""Raw bytes of a mail to `ParsedMail`: hard limits while the standard library parses, and never an exception.

The old parser (compat32) is used on purpose: the newer policy takes seconds, or raises, on headers made to hurt.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from email.generator import BytesGenerator
from email.message import Message
from email.parser import BytesFeedParser
from email.policy import Compat32, compat32
from io import BytesIO
from typing import Any, Final

from firstline.intake import mail_headers, mail_text
from firstline.intake.automatic import automatic_kind
from firstline.intake.mail import MailAttachment, ParsedMail

# 25 MiB of base64 have 350,000 lines; each line costs the parser the same, however short it is.
MAX_LINES: Final = 600_000
MAX_PARTS: Final = 200
# Each level adds a boundary that every line is compared with.
MAX_DEPTH: Final = 12
MAX_HEADERS: Final = 500
MAX_HEADER_CHARS: Final = 64 * 1024
MAX_HEAD_BYTES: Final = 1024 * 1024
MAX_SUBJECT_CHARS: Final = 998
MAX_NAME_CHARS: Final = 200
MAX_TYPE_CHARS: Final = 100
MAX_TEXT_CHARS: Final = 100_000
MAX_TEXTS: Final = 20
MAX_ATTACHMENTS: Final = 50
MAX_AUTH_RESULTS: Final = 10
MAX_AUTH_CHARS: Final = 4096
FEED_BYTES: Final = 256 * 1024

_END_OF_HEAD: Final = re.compile(rb"\r?\n\r?\n")
_TRACES: Final = re.compile(
    rb"^(?:(?:x-)?received|return-path|delivered-to|x-original-to|(?:arc-)?authentication-results|received-spf"
    rb"|(?:arc-message|dkim|arc)-(?:signature|seal)|x-(?:spam|virus)[\w-]*):.*\n(?:[ \t].*\n)*",
    re.IGNORECASE | re.MULTILINE,
)


class TooComplex(Exception):
    """The mail has more parts, or nests them deeper, than anything that people send."""


def parse(raw: bytes) -> tuple[ParsedMail, list[bytes]]:
    """Read a mail; return it with the payloads of its attachments in their order.

    Never raises for any bytes but MemoryError: what can't be read leaves a code in `problems`.
    """
    # When the whole is too much its head alone still says who wrote and what about.
    head = head_of(raw)
    reasons: list[str] = []
    for attempt in (raw, head):
        try:
            return _read(attempt, raw, tuple(reasons))
        except MemoryError:
            raise
        except TooComplex:
            reasons.append("too_complex")
        except Exception:  # the standard library raises many kinds of errors on broken mail
            reasons.append("unreadable")
    return ParsedMail(_digest(raw), problems=tuple(dict.fromkeys(reasons))), []


def unparseable(raw: bytes, mail: ParsedMail | None = None) -> ParsedMail:
    """Return what is known of a mail that can't be parsed: what its head says, where that could be read."""
    known = mail or ParsedMail("")
    return replace(known, digest=_digest(raw), problems=(*known.problems, "unparseable"))


def head_of(raw: bytes) -> bytes:
    """Return the header block, at most 1 MiB of it."""
    end = _END_OF_HEAD.search(raw, 0, MAX_HEAD_BYTES)
    return raw[: end.end() if end else MAX_HEAD_BYTES]


def _digest(raw: bytes) -> str:
    """Return the SHA-256 of the mail without the headers that each delivery adds, whatever its line ends."""
    head = head_of(raw)
    # Line ends as well: two servers on the way may write them differently, and the copy must be known as one.
    digest = hashlib.sha256(_TRACES.sub(b"", head.replace(b"\r\n", b"\n")))
    digest.update(raw[len(head) :].replace(b"\r\n", b"\n"))
    return digest.hexdigest()


class _Part(Message):
    """A message or part of one, with limits on what it takes from the parser."""

    depth = 0
    headers = 0

    def set_raw(self, name: str, value: Any) -> None:
        """Take a header from the parser as readable text, cut to 64 KiB; leave out those beyond the 500th."""
        self.headers += 1
        if self.headers <= MAX_HEADERS:
            super().set_raw(name, mail_headers.as_text(value[:MAX_HEADER_CHARS]))

    def attach(self, payload: Any) -> None:
        """Take a part from the parser, unless it lies too deep."""
        payload.depth = self.depth + 1
        if payload.depth > MAX_DEPTH:
            raise TooComplex
        super().attach(payload)


def _new_part() -> Callable[..., _Part]:
    """Return a maker of parts that stops after 200 of them."""
    made = 0

    def make(policy: Compat32) -> _Part:
        nonlocal made
        made += 1
        if made > MAX_PARTS:
            raise TooComplex
        return _Part(policy)

    return make


def _message(raw: bytes) -> Message:
    """Parse the structure of a mail.

    Raises:
        TooComplex: it has too many lines, parts or levels.

    """
    if max(raw.count(b"\n"), raw.count(b"\r")) > MAX_LINES:
        raise TooComplex
    # In pieces, so that the text of a large mail doesn't lie in memory twice.
    parser: BytesFeedParser[Message] = BytesFeedParser(_new_part(), policy=compat32)
    for start in range(0, len(raw), FEED_BYTES):
        parser.feed(raw[start : start + FEED_BYTES])
    return parser.close()


@dataclass(slots=True)
class _Found:
    """What the parts of a mail hold, gathered while walking through them."""

    texts: list[Message] = field(default_factory=list)
    files: list[tuple[Message, bytes]] = field(default_factory=list)


def _read(parsed: bytes, raw: bytes, problems: tuple[str, ...]) -> tuple[ParsedMail, list[bytes]]:
    """Read what stands in `parsed`, which is the mail or its head."""
    mail = _message(parsed)
    found = _Found() if problems else _gather(mail)
    text = _text(found.texts[:MAX_TEXTS])
    files = found.files[:MAX_ATTACHMENTS]
    name, address = mail_headers.sender(mail)
    result = ParsedMail(
        digest=_digest(raw),
        message_id=mail_headers.message_id(mail),
        in_reply_to=mail_headers.message_ids(mail, "in-reply-to"),
        references=mail_headers.message_ids(mail, "references"),
        returned_id=_returned_id(mail),
        from_address=address,
        from_name=name,
        reply_to=mail_headers.addresses(mail, "reply-to"),
        to=mail_headers.addresses(mail, "to"),
        cc=mail_headers.addresses(mail, "cc"),
        subject=_line(mail_headers.value(mail, "subject"), MAX_SUBJECT_CHARS),
        date=mail_headers.date(mail),
        text=text[:MAX_TEXT_CHARS],
        reply_text=mail_text.newly_written(text[:MAX_TEXT_CHARS]),
        attachments=tuple(_attachment(index, part, payload) for index, (part, payload) in enumerate(files)),
        automatic=automatic_kind(mail),
        auth_results=_auth_results(mail),
        problems=(*problems, *_losses(text, found)),
    )
    return result, [payload for _, payload in files]


def _losses(text: str, found: _Found) -> Iterator[str]:
    """Name what did not fit."""
    # Said and not hidden: the specialist is to know that the raw mail has more.
    if len(text) > MAX_TEXT_CHARS or len(found.texts) > MAX_TEXTS:
        yield "text_cut"
    if len(found.files) > MAX_ATTACHMENTS:
        yield "attachments_left_out"


def _gather(part: Message) -> _Found:
    """Collect texts and files of a part and all below it, in their order."""
    if part.get_content_maintype() != "multipart" or not part.is_multipart():
        return _leaf(part)
    inner = [_gather(child) for child in _children(part)]
    files = [file for found in inner for file in found.files]
    if part.get_content_type() == "multipart/alternative":
        inner = _best(inner)
    return _Found([text for found in inner for text in found.texts], files)


def _best(alternatives: list[_Found]) -> list[_Found]:
    """Choose the first alternative in plain text, else the first that has any text."""
    spoken = [found for found in alternatives if any(_payload(part).strip() for part in found.texts)]
    plain = [found for found in spoken if not any(_is_html(part) for part in found.texts)]
    # Alternatives say the same; plain text is what the sender's program made of it, and safer than what we would.
    return (plain or spoken)[:1]


def _leaf(part: Message) -> _Found:
    """Tell whether a single part is shown (as what is left of a broken multipart is) or a file."""
    kind = "text/plain" if part.get_content_maintype() == "multipart" else part.get_content_type()
    if kind not in {"text/plain", "text/html"} or part.get_content_disposition() == "attachment" or _name(part):
        return _Found(files=[(part, _payload(part))])
    return _Found([part])


def _text(parts: list[Message]) -> str:
    """Return the shown text; all HTML of a mail together is read up to the limit for one."""
    pieces, html_chars = [], mail_text.MAX_HTML_CHARS
    for part in parts:
        piece = mail_text.decode(_payload(part)[: mail_text.MAX_TEXT_BYTES], part.get_content_charset())
        if _is_html(part):
            html, html_chars = piece[:html_chars], max(0, html_chars - len(piece))
            piece = mail_text.from_html(html)
        pieces.append(mail_text.clean_text(piece).strip("\n"))
    return "\n\n".join(piece for piece in pieces if piece.strip()).strip()


def _is_html(part: Message) -> bool:
    """Tell whether a text is HTML."""
    return part.get_content_type() == "text/html"


def _payload(part: Message) -> bytes:
    """Return the decoded content; an enclosed mail is written out again."""
    if not part.is_multipart():
        content = part.get_payload(decode=True)
        return content if isinstance(content, bytes) else b""
    written = BytesIO()
    # Lines stay as they are (`max_line_length=None`): a mail that
    # is enclosed has a signature, or a digest, over its own.
    generator = BytesGenerator(written, mangle_from_=False, policy=compat32.clone(max_line_length=None))
    for child in _children(part):
        generator.flatten(child)
    return written.getvalue()


def _children(part: Message) -> list[Message]:
    """Return the parts right below."""
    inner = part.get_payload()
    return [child for child in inner if isinstance(child, Message)] if isinstance(inner, list) else []


def _attachment(index: int, part: Message, payload: bytes) -> MailAttachment:
    """Describe a file as its sender does."""
    digest = hashlib.sha256(payload).hexdigest()
    declared = mail_text.clean_line(part.get_content_type(), MAX_TYPE_CHARS)
    return MailAttachment(_name(part), declared, len(payload), digest, index)


def _name(part: Message) -> str:
    """Return the file's name; empty where it has none that can be read."""
    try:
        return _line(part.get_filename() or "", MAX_NAME_CHARS)
    except (LookupError, ValueError, TypeError):
        return ""


def _line(text: str, limit: int) -> str:
    """Decode a header text to one clean line."""
    return mail_text.clean_line(mail_headers.decode_words(text), limit)


def _auth_results(mail: Message) -> tuple[str, ...]:
    """Return the Authentication-Results headers, topmost first."""
    given = mail_headers.values(mail, "authentication-results")[:MAX_AUTH_RESULTS]
    return tuple(mail_text.clean_line(value, MAX_AUTH_CHARS) for value in given)


def _returned_id(mail: Message) -> str | None:
    """Return the Message-ID of the mail that a report encloses, whole or its headers only."""
    if mail.get_content_type() != "multipart/report":
        return None
    for part in _children(mail):
        if part.get_content_type() == "message/rfc822":
            return next((mail_headers.message_id(child) for child in _children(part)), None)
        if part.get_content_type() == "text/rfc822-headers":
            return mail_headers.message_id(_message(_payload(part)[:MAX_HEAD_BYTES]))
    return None

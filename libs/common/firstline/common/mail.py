"""What an outgoing mail is, and its form on the wire (RFC 5322, 2045, 2047; automatic mail: RFC 3834).

Whatever stands in subjects, names and foreign Message-IDs, nothing but the intended headers comes out, in ASCII lines.
"""

import quopri
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Literal

from firstline.common.errors import Invalid

LINE_CHARS = 76
WORD_CHARS = 60
NAME_CHARS = 60
ADDRESS_CHARS = 254
MOST_REFERENCES = 20

# No encoded words inside (`=?`): they would be decoded to another address by whoever reads the header.
_ADDRESS = re.compile(r"(?!.*=\?)[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@([A-Za-z0-9-]{1,63}\.)*[A-Za-z0-9-]{1,63}")
# Visible ASCII between the brackets, without inner ones; 600 characters is more than anybody's and less than a line may
# have (998, RFC 5322, 2.1.1).
_MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,600}>")
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
# Marks that turn the direction of what follows: they can make a name or subject read as another one.
_DIRECTIONS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class BadAddress(Invalid):
    """No mail can be sent to (or from) this address: it isn't `name@host` in plain ASCII."""

    title = "Not a mail address"


class BadMessageId(Invalid):
    """A mail's own Message-ID isn't `<left@right>` in plain ASCII."""

    title = "Not a Message-ID"


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A mail address, and the name shown beside it."""

    address: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class OutgoingMail:
    """A plain-text mail before it is sent.

    Attributes:
        message_id: with angle brackets; the same at each attempt to send it.
        date: aware; the same at each attempt.
        in_reply_to: Message-ID of the mail answered, as it came in.
        references: Message-IDs of the conversation, oldest first, as they came in.
        automatic: the `Auto-Submitted` value: an answer to a mail, or a mail for another reason (RFC 3834).

    """

    message_id: str
    date: datetime
    sender: Mailbox
    to: tuple[Mailbox, ...]
    subject: str
    text: str
    reply_to: Mailbox | None = None
    in_reply_to: str | None = None
    references: tuple[str, ...] = ()
    automatic: Literal["auto-replied", "auto-generated"] = "auto-generated"


def compose(mail: OutgoingMail) -> bytes:
    """Return the mail as bytes with CRLF line ends; foreign Message-IDs that are malformed are left out.

    Raises:
        BadAddress: sender, reply address or a recipient can't be written to.
        BadMessageId: the mail's own Message-ID is malformed.

    """
    if not _well_formed(mail.message_id):
        raise BadMessageId("A Message-ID is <left@right> in plain ASCII.")
    encoding, body = _body(mail.text)
    headers = [
        ("From", _mailbox("From", mail.sender)),
        ("To", ",\r\n ".join(_mailbox("To", one) for one in mail.to)),
        ("Reply-To", _mailbox("Reply-To", mail.reply_to) if mail.reply_to else ""),
        ("Subject", _words("Subject", one_line(mail.subject))),
        ("Date", format_datetime(mail.date)),
        ("Message-ID", mail.message_id),
        ("In-Reply-To", mail.in_reply_to if mail.in_reply_to and _well_formed(mail.in_reply_to) else ""),
        # The newest, where a conversation has more: readers thread by the last ones.
        ("References", "\r\n ".join([one for one in mail.references if _well_formed(one)][-MOST_REFERENCES:])),
        # RFC 3834: other machines answer no mail that says so, which ends loops between two desks; the next header says
        # the same to those that don't know this one.
        ("Auto-Submitted", mail.automatic),
        ("X-Auto-Response-Suppress", "DR, RN, NRN, OOF, AutoReply"),
        ("MIME-Version", "1.0"),
        ("Content-Type", 'text/plain; charset="utf-8"'),
        ("Content-Transfer-Encoding", encoding),
    ]
    head = "".join(f"{name}: {value}\r\n" for name, value in headers if value)
    return head.encode("ascii") + b"\r\n" + body


def reworded(mail: bytes, change: Callable[[str], str]) -> bytes:
    """Return a mail of the desk's own, as `compose` makes them, with its subject and text changed."""
    message = message_from_bytes(mail, EmailMessage, policy=SMTP)
    body, subject = message.get_content(), str(message["Subject"])
    message.replace_header("Subject", one_line(change(subject)))
    message.set_content(change(body), cte=str(message["Content-Transfer-Encoding"]))
    return message.as_bytes()


def one_line(text: str) -> str:
    """Return text as one line fit for a header: no control or direction marks, single spaces."""
    return " ".join(_DIRECTIONS.sub("", _CONTROLS.sub(" ", text)).split())


def checked_address(address: str) -> str:
    """Return the address.

    Raises:
        BadAddress: it can't be written to.

    """
    if len(address) > ADDRESS_CHARS or not _ADDRESS.fullmatch(address):
        raise BadAddress("A mail address is name@host.example in plain ASCII.")
    return address


def _well_formed(message_id: str) -> bool:
    """Say whether a Message-ID may stand in a header as it is."""
    return "@" in message_id and _MESSAGE_ID.fullmatch(message_id) is not None


def _mailbox(header: str, box: Mailbox) -> str:
    """Return a mailbox as a header's value, folded where the line would be too long."""
    address = checked_address(box.address)
    name = one_line(box.name)[:NAME_CHARS]
    if not name:
        return address
    shown = f'"{name}"' if _is_plain(name) and not re.search(r'["\\]', name) else _words(header, name)
    fold = "\r\n " if len(header) + len(shown) + len(address) > LINE_CHARS - 5 else " "
    return f"{shown}{fold}<{address}>"


def _words(header: str, text: str) -> str:
    """Return text as a header's value, in encoded words (RFC 2047) where it is not plain."""
    return Header(text, "us-ascii" if _is_plain(text) else "utf-8", LINE_CHARS, header).encode(linesep="\r\n")


def _is_plain(text: str) -> bool:
    """Tell whether a header may carry the text as it is: nothing to decode, nothing too long to fold."""
    # Text that only looks like an encoded word is encoded itself, or readers would decode it.
    return text.isascii() and "=?" not in text and all(len(word) <= WORD_CHARS for word in text.split(" "))


def _body(text: str) -> tuple[str, bytes]:
    """Return the transfer encoding and the body: as it is where that is ASCII in short lines, else quoted-printable."""
    lines = _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).rstrip("\n").split("\n")
    data = "".join(f"{line}\n" for line in lines).encode()
    # Mail servers may break long lines or refuse them, and not all take other than ASCII (RFC 2045, 6.7).
    plain = data.isascii() and max(map(len, lines)) <= LINE_CHARS
    return ("7bit", data.replace(b"\n", b"\r\n")) if plain else ("quoted-printable", _quoted(data))


def _quoted(data: bytes) -> bytes:
    """Return text in quoted-printable with CRLF line ends."""
    return quopri.encodestring(data).replace(b"\n", b"\r\n")

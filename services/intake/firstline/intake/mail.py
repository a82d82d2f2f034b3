"""What a mail says once it has been read: plain values that travel as JSON between processes and into the store."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Literal, Self

Automatic = Literal["auto-replied", "auto-generated", "bounce", "report", "list", "bulk", "own"]
"""How a mail shows that no person wrote it: RFC 3834, RFC 3464, other reports, lists, bulk mail, our own mail."""


@dataclass(frozen=True, slots=True)
class MailAttachment:
    """A file in a mail, as the sender describes it; `index` is its place in the list of payloads beside the mail."""

    name: str
    declared_type: str
    size: int
    sha256: str
    index: int


@dataclass(frozen=True, slots=True)
class ParsedMail:
    """A mail that was read. Every text is valid Unicode without NUL; headers hold no line breaks.

    Attributes:
        message_id: with angle brackets; None when missing, empty or malformed.
        in_reply_to: Message-IDs, as are `references` (oldest first).
        returned_id: Message-ID of the mail that a bounce returns.
        from_address: in the form in which addresses are compared; None unless From names exactly one mailbox.
        reply_to: addresses, as are `to` and `cc`; nothing is decided by them.
        subject: decoded.
        date: what the sender's clock said; only the receipt time decides anything (policy reading A7).
        text: the body as plain text, quotations included.
        reply_text: what was newly written, or the whole text where nothing could be cut.
        automatic: by its headers; None for a person's mail.
        auth_results: the Authentication-Results headers (RFC 8601), topmost first.
        digest: SHA-256 of the mail without the headers that each delivery adds.
        problems: what could not be read, as short codes.

    """

    digest: str
    message_id: str | None = None
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    returned_id: str | None = None
    from_address: str | None = None
    from_name: str = ""
    reply_to: tuple[str, ...] = ()
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    subject: str = ""
    date: datetime | None = None
    text: str = ""
    reply_text: str = ""
    attachments: tuple[MailAttachment, ...] = ()
    automatic: Automatic | None = None
    auth_results: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the mail as a JSON object."""
        return asdict(self) | {"date": self.date.isoformat() if self.date else None}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Build the mail from `to_json`'s object.

        Raises:
            KeyError: a member is missing.
            TypeError: a member has another type, as has ValueError.

        """
        # From a child that parsed hostile bytes: each member is read by name, and a wrong one is an error here.
        given = {field.name: document[field.name] for field in fields(cls)}
        lists = {name: tuple(value) for name, value in given.items() if isinstance(value, list | tuple)}
        attachments = tuple(MailAttachment(**attachment) for attachment in given["attachments"])
        date = datetime.fromisoformat(given["date"]) if given["date"] else None
        return cls(**{**given, **lists, "attachments": attachments, "date": date})

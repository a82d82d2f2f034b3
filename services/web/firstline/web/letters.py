"""The correspondence of a request as it is shown: messages, notes and files (clauses 4.4, 4.6)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from firstline.web.words import Piece, instant, one_line, pieces, size, stamp

Json = Mapping[str, Any]

PICTURES: Final = ("image/png", "image/gif", "image/jpeg")

_FILE_KINDS: Final = {
    "image/png": "PNG picture",
    "image/gif": "GIF picture",
    "image/jpeg": "JPG picture",
    "application/zip": "ZIP archive",
    "application/vnd.rar": "RAR archive",
    "application/pdf": "PDF",
    "text/plain": "Text",
}


@dataclass(frozen=True, slots=True)
class FileCard:
    """A file of a message (clause 4.6).

    Attributes:
        id: the attachment's ID.
        name: its name on one line.
        kind: what it is, in words.
        size: how large it is, in words.
        picture: browsers can show it in place.
        reason: why it was not kept; None where it was.

    """

    id: str
    name: str
    kind: str
    size: str
    picture: bool
    reason: str | None


@dataclass(frozen=True, slots=True)
class Letter:
    """One message of a correspondence (clause 4.4).

    Attributes:
        id: the message's ID.
        author: who wrote it, always with some name.
        side: `client` or `staff`.
        internal: a note that clients never see.
        at: when it was written, in words.
        iso: the same instant for machines (RFC 3339).
        role: what the author is to the reader, empty where that needs no word.
        body: what was written, its web addresses apart.
        files: the files that came with it.
        marks: short remarks on how it came in.
        splits: a specialist can make a request of its own of it (clause 2.4).
        part: the request that was made of it, None where none was.
        taken_out: what was taken out of it as secret, for staff: (the ID of its text, in words).

    """

    id: str
    author: str
    side: str
    internal: bool
    at: str
    iso: str
    role: str
    body: tuple[Piece, ...]
    files: tuple[FileCard, ...]
    marks: tuple[str, ...]
    splits: bool = False
    part: str | None = None
    taken_out: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class HeldMail:
    """A mail that waits for a specialist's judgement (clause 4.4).

    Attributes:
        id: the mail's ID.
        author: its sender's address, as the mail gives it.
        subject: its subject on one line.
        at: when it came in, in words; `iso` is the same instant for machines.
        why: why it is held, in a sentence.
        body: what stands in it, its web addresses apart.
        files: the names of its files.
        number: the request that it names, empty where it names none.

    """

    id: str
    author: str
    subject: str
    at: str
    iso: str
    why: str
    body: tuple[Piece, ...]
    files: tuple[str, ...]
    number: str


_HELD: Final = {
    "not_a_participant": "The sender doesn't take part in the request.",
    "sender_check_failed": "The sender's address seems to be forged.",
    "sender_unverified": "Nobody vouches for the sender's address.",
    "staff_by_mail": "It comes from the address of a specialist.",
    "no_sender": "It names no sender.",
    "unreadable": "It could not be read.",
}


def held_mail(mail: Json, now: datetime) -> HeldMail:
    """Return a held mail as staff see it."""
    at = instant(mail["received_at"])
    return HeldMail(
        id=mail["id"],
        author=one_line(mail["from"] or "Nobody"),
        subject=one_line(mail["subject"] or "(no subject)"),
        at=stamp(at, now),
        iso=at.isoformat(),
        # An unknown reason is shown as it is: intake may be a release ahead of the pages.
        why=_HELD.get(mail["reason"], str(mail["reason"])),
        body=pieces(mail["text"] or ""),
        files=tuple(one_line(file["name"]) for file in mail["attachments"]),
        number=mail["number"] or "",
    )


def letters(
    messages: Sequence[Json], now: datetime, *, staff: bool, taken_out: Mapping[str, tuple[tuple[str, str], ...]] = {}
) -> list[Letter]:
    """Return a correspondence as staff or clients see it, oldest first; notes are for staff.

    `taken_out` says by message what was taken out of it as secret: (the ID of its text, in words).
    """
    shown = [_letter(message, now, staff=staff) for message in messages if staff or message["audience"] == "public"]
    return [replace(letter, taken_out=taken_out.get(letter.id, ())) for letter in shown]


def _letter(message: Json, now: datetime, *, staff: bool) -> Letter:
    """Return a message as it is shown."""
    at = instant(message["created_at"])
    author = message["author"]
    marks = ["by e-mail"] if message["channel"] == "email" else []
    marks += ["automatic"] if message["automatic"] else []
    # Whether to trust a sender is for staff to judge; the client knows who wrote.
    marks += ["sender not verified"] if staff and not message["verified"] else []
    return Letter(
        id=message["id"],
        author=one_line(author["name"] or ("Helpdesk" if author["side"] == "staff" else "Client")),
        side=author["side"],
        internal=message["audience"] == "internal",
        at=stamp(at, now),
        iso=at.isoformat(),
        role=_role(message, staff=staff),
        body=pieces(message["body"]),
        files=tuple(file_card(attachment) for attachment in message["attachments"]),
        marks=tuple(marks),
        # What was split once isn't split again: the button would only bring an error.
        splits=staff and author["side"] == "client" and message["audience"] == "public" and not message["split_into"],
        part=message["split_into"],
    )


def _role(message: Json, *, staff: bool) -> str:
    """Return what the author is to the reader; clients need no word for themselves."""
    if message["audience"] == "internal":
        return "internal note"
    if message["author"]["side"] == "staff":
        return "specialist"
    return "client" if staff else ""


def file_card(attachment: Json) -> FileCard:
    """Return a file as its card shows it."""
    kept = attachment["status"] == "ok"
    fate = "erased" if attachment["status"] == "erased" else "not kept"
    return FileCard(
        id=attachment["id"],
        name=one_line(attachment["name"]),
        kind=_FILE_KINDS.get(attachment["type"], "File"),
        size=size(attachment["size"]),
        # Only what was kept and judged to be a picture by its content is shown in place, never by its name.
        picture=kept and attachment["type"] in PICTURES,
        reason=None if kept else attachment["reason"] or f"This file was {fate}.",
    )

"""Telling who sent a mail which of its files were not taken, why, and what to do instead (clause 4.6).

What answers the mail anyway says it too, where its text can; else one mail says it of all files of the message.
"""

from collections.abc import Mapping, Sequence

from firstline.common.envelope import Envelope
from firstline.common.event_parts import AttachmentRef
from firstline.common.events import Recipient
from firstline.common.policy.wording import TextKind
from firstline.common.store.port import Unit
from firstline.notify.service.desk import Book, Desk
from firstline.notify.service.mails import tell_all
from firstline.notify.store.directory import Ticket
from firstline.notify.wording import Value

PRINTED = "refused_files"
# A mail of a thousand forbidden files must not get an answer of a thousand lines.
MOST_TOLD = 20
NAME_CHARS = 80


def refused(files: Sequence[AttachmentRef]) -> list[AttachmentRef]:
    """Return the files that were not kept, as far as their sender is to be told."""
    return [one for one in files if one.status == "rejected" and one.reason][:MOST_TOLD]


def named(files: Sequence[AttachmentRef], *, names: bool = True) -> dict[str, Value]:
    """Return the files as a text prints them; without names for who may read nothing that a stranger wrote."""
    if names:
        return {PRINTED: tuple(f"{_short(one.name)}: {one.reason}" for one in files)}
    return {PRINTED: tuple(dict.fromkeys(str(one.reason) for one in files))}


async def tell_refused(
    desk: Desk,
    unit: Unit,
    event: Envelope,
    ticket: Ticket,
    recipients: Sequence[Recipient],
    files: Sequence[AttachmentRef],
    answered_by: TextKind | None = None,
) -> Ticket:
    """Write the one mail about files that were refused, unless the text that answers the message has said it."""
    book = await desk.books.of(unit, ticket.policy_version)
    if not files or (answered_by is not None and _is_said(book, answered_by)):
        return ticket
    values: Mapping[str, Value] = {
        **named(files),
        "file": ", ".join(_short(one.name) for one in files),
        "advice": " ".join(dict.fromkeys(str(one.reason) for one in files)),
    }
    return await tell_all(
        desk, unit, event, ticket, recipients, "attachment_refused", values, answers=True, by_mail=True
    )


def _is_said(book: Book, kind: TextKind) -> bool:
    """Say whether a text of the policy prints refused files, in every language that it is written in."""
    return book.writer.knows(kind) and book.writer.prints(kind, PRINTED)


def _short(name: str) -> str:
    """Return a file's name as a line can hold it."""
    return name if len(name) <= NAME_CHARS else f"{name[: NAME_CHARS - 1]}…"

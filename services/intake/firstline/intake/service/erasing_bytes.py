"""What lies outside the store when a person is erased: raw mails, and attached text files that name them.

A mail that names the person goes whole; its message stays without the name. Others' text files lose the name.
Bytes go before the rows that tell of them, or behind a row that remembers them, so that a crash loses nothing halfway.
"""

import json
from collections.abc import AsyncIterator

from firstline.common.erasure import Portion, Stage
from firstline.common.errors import NotFound, Unavailable
from firstline.common.files import Stored
from firstline.common.raw_mail import mail_names
from firstline.common.redaction import SHORTEST_NAME, Erased
from firstline.common.store.port import Unit
from firstline.common.vault import SealBroken
from firstline.intake.service.desk import Desk
from firstline.intake.service.inbound import raw_of
from firstline.intake.store.erasure import (
    CHANGE_FILE,
    DROP_RAW_MAIL,
    ERASE_MAIL,
    MAILS_AFTER,
    TEXT_FILES,
    RawMail,
    TextFile,
)

FEW = 50
"""Mails or files whose bytes are looked at in one portion."""


class RawMails:
    """The stage that deletes raw mails that name the person, and empties their rows."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._gone: dict[str, tuple[str, bool]] = {}
        """Mails whose bytes were just deleted: their file, and whether the row goes, too; told anew by each look."""

    def stage(self) -> Stage:
        """Return the stage."""
        return Stage(self._rows, self._bytes)

    async def _page(self, unit: Unit, who: Erased) -> list[RawMail]:
        """Return the next mails along their primary key."""
        return await unit.all(MAILS_AFTER, after=who.place, limit=FEW)

    async def _bytes(self, who: Erased) -> None:
        """Delete the bytes of mails that name the person in their row or anywhere in themselves.

        Raises:
            Unavailable: one was not judged so far; it is tried again.

        """
        self._gone.clear()
        for mail in await self._desk.store.read(lambda unit: self._page(unit, who)):
            named = any(word in mail.words.lower() for word in _words(who, mail))
            if not named and not (mail.file_key and await self._names(who, mail)):
                continue
            if mail.outcome is None:
                raise Unavailable("A mail of somebody who is to be erased is about to be judged; it is waited for.")
            if mail.file_key:
                await self._desk.files.delete(mail.file_key)
            self._gone[mail.id] = mail.file_key, named or mail.ticket_id in who.tickets

    async def _names(self, who: Erased, mail: RawMail) -> bool:
        """Say whether a mail's bytes name the person, or are gone already."""
        try:
            content = await raw_of(self._desk, mail.id, mail.file_key)
        except NotFound:
            return True
        except SealBroken:  # nobody reads it again
            return mail.ticket_id in who.tickets
        return await self._desk.ports.offload(lambda: mail_names(content, _words(who, mail)))

    async def _rows(self, unit: Unit, who: Erased) -> Portion:
        """Empty the rows of mails whose bytes are gone; those of others keep what doesn't name the person.

        Raises:
            Unavailable: one was written anew meanwhile; it is tried again.

        """
        page = await self._page(unit, who)
        count = 0
        for mail in page:
            if mail.id in self._gone:
                file_key, whole = self._gone[mail.id]
                if mail.file_key != file_key:
                    raise Unavailable("A mail has just come under another key of the vault; its new file is next.")
                count += await unit.run(ERASE_MAIL if whole else DROP_RAW_MAIL, id=mail.id)
        return Portion(page[-1].id if page else None, {"mails": count})


class TextFiles:
    """The stage that takes the person out of text files that others attached.

    The place of a portion holds the keys of the files that it replaced: they go at the beginning of the next one.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._new: dict[str, Stored] = {}
        """What was just written, by the key of what it replaces."""

    def stage(self) -> Stage:
        """Return the stage."""
        return Stage(self._rows, self._bytes)

    async def _page(self, unit: Unit, who: Erased) -> list[TextFile]:
        """Return the next attachments along their primary key; those that are no text have no file to look into."""
        return await unit.all(TEXT_FILES, after=_place(who)[0], limit=FEW)

    async def _bytes(self, who: Erased) -> None:
        """Write what is left of each text file that names the person as a new file."""
        self._new.clear()
        for key in _place(who)[1]:
            await self._desk.files.delete(key)
        for file in await self._desk.store.read(lambda unit: self._page(unit, who)):
            if file.file_key and file.file_key not in self._new:
                await self._rewrite(who, file, file.file_key)

    async def _rewrite(self, who: Erased, file: TextFile, key: str) -> None:
        """Write what is left of a file that names the person as a new one."""
        try:
            content = b"".join([chunk async for chunk in await self._desk.files.open(key)])
        except NotFound:
            return
        near = file.ticket_id in who.tickets
        left = await self._desk.ports.offload(lambda: _without(who, content, near=near))
        if left != content:
            self._new[key] = await self._desk.files.put(_chunk(left), len(left))

    async def _rows(self, unit: Unit, who: Erased) -> Portion:
        """Let the rows name the new files."""
        page = await self._page(unit, who)
        count = 0
        for key, new in self._new.items():
            changed = await unit.run(CHANGE_FILE, before=key, file_key=new.key, size=new.size, sha256=new.sha256)
            count += bool(changed)
        after = page[-1].id if page else _place(who)[0]
        over = len(page) < FEW and not self._new
        return Portion(None if over else json.dumps([after, list(self._new)]), {"files": count})


def _words(who: Erased, mail: RawMail) -> list[str]:
    """Return what names the person in a mail: the address, and to a request of theirs the names."""
    names = who.names if mail.ticket_id in who.tickets else []
    return [who.address, *(name.lower() for name in names if len(name) >= SHORTEST_NAME)]


def _place(who: Erased) -> tuple[str, list[str]]:
    """Return behind which attachment a portion begins, and the keys of the files to be removed first."""
    if not who.place:
        return "", []
    after, keys = json.loads(who.place)
    return after, keys


def _without(who: Erased, content: bytes, *, near: bool) -> bytes:
    """Return a text file without the person, in the charset that it has."""
    for charset in ("utf-16", "utf-8") if content[:2] in {b"\xff\xfe", b"\xfe\xff"} else ("utf-8",):
        try:
            return who.cleaned(content.decode(charset), near=near).encode(charset)
        except UnicodeDecodeError:
            continue
    return who.cleaned(content.decode("latin-1"), near=near).encode("latin-1")


async def _chunk(content: bytes) -> AsyncIterator[bytes]:
    """Give a content as the stream that a file store takes."""
    yield content

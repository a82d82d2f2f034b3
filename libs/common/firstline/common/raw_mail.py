"""Raw mail at rest (clauses 4.1, 4.3): sealed with the vault's key and bound to its mail, for it may hold secrets.

Mail that was kept before there was a vault lies unsealed and is still read.
"""

import quopri
import re
from base64 import b64decode
from binascii import Error
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import suppress
from html import unescape
from typing import Final

from firstline.common.files import Files
from firstline.common.vault import HEAD_BYTES, Sealed, Vault, is_sealed

MAIL_BYTES: Final = 26 * 1024 * 1024 + 1024
"""The most that a raw mail and its seal take."""

DEEPEST: Final = 3
"""How often a mail lies in another one's base64."""
CHARSETS: Final = ("utf-8", "cp1251", "koi8-r", "latin-1")

_ENCODED_WORD: Final = re.compile(rb"=\?[\w*-]{1,40}\?([BbQq])\?([^?\s]{0,1000})\?=")
_BETWEEN_WORDS: Final = re.compile(rb"\?=[ \t\r\n]{1,80}(?==\?)")
_BASE64_LINE: Final = re.compile(rb"[A-Za-z0-9+/]+={0,2}")


def place_of(mail_id: str) -> tuple[str, ...]:
    """Return what a raw mail is bound to."""
    return ("raw mail", mail_id)


def sealed_mail(vault: Vault, mail_id: str, raw: bytes) -> Sealed:
    """Return a raw mail sealed; its bytes in one piece are the file.

    Raises:
        VaultLocked: there is no key; nothing is kept unsealed instead.

    """
    return vault.seal(raw, place_of(mail_id))


async def sealed_with(kept: AsyncIterator[bytes]) -> str | None:
    """Return the name of the key that sealed a raw mail's file; None of one that lies unsealed.

    Raises:
        SealBroken: it is something else.

    """
    head, _ = await _beginning(kept)
    return Sealed.from_bytes(head).key_id if is_sealed(head) else None


async def rewrapped(vault: Vault, mail_id: str, kept: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield a raw mail's file with the mail's key under the vault's newest one; the mail itself is not opened.

    Raises:
        VaultLocked: the key that sealed it is not here.
        SealBroken: it was changed, or is another mail's.

    """
    head, rest = await _beginning(kept)
    yield vault.rewrap(Sealed.from_bytes(head), place_of(mail_id)).to_bytes()
    yield rest
    async for chunk in kept:
        yield chunk


async def _beginning(kept: AsyncIterator[bytes]) -> tuple[bytes, bytes]:
    """Read what says how a file is sealed; return that, and what has come with it of the mail."""
    found = b""
    while len(found) < HEAD_BYTES and (chunk := await anext(kept, b"")):
        found += chunk
    return found[:HEAD_BYTES], found[HEAD_BYTES:]


async def read_raw_mail(files: Files, vault: Vault, mail_id: str, file_key: str) -> bytes:
    """Return a raw mail as it came.

    Raises:
        NotFound: its file is gone.
        VaultLocked: the key that sealed it is not here.
        SealBroken: it was changed, or is another mail's.

    """
    # As a whole: AES-GCM tells only at the end whether what came
    # before can be trusted. Mails have a limit when they come in.
    kept = b"".join([chunk async for chunk in await files.open(file_key)])
    if not is_sealed(kept):
        return kept
    return vault.open(Sealed.from_bytes(kept), place_of(mail_id)).get_secret_value()


def mail_names(raw: bytes, words: Iterable[str]) -> bool:
    """Say whether any of these words stands in a mail or a text file, however it is encoded there.

    Nothing is parsed: what looks like base64 or quoted-printable is read as such wherever it stands, so that no mail is
    too strange to be looked into. Compressed files and pictures are not.
    """
    wanted = [" ".join(word.lower().split()) for word in words if word]
    charsets = CHARSETS if any(not word.isascii() for word in wanted) else CHARSETS[-1:]
    for reading in _readings(raw, DEEPEST):
        for charset in charsets:
            text = " ".join(unescape(reading.decode(charset, "replace")).lower().split())
            if any(word in text for word in wanted):
                return True
    return False


def _readings(raw: bytes, depth: int) -> Iterator[bytes]:
    """Yield bytes as they are, and what they hold when they are decoded in each way that mails know."""
    plain = raw.replace(b"\0", b"")  # UTF-16 of letters that ASCII has, too
    yield plain
    if b"=" in plain:
        yield quopri.decodestring(plain)
    words = [_decoded_word(*match.groups()) for match in _ENCODED_WORD.finditer(_BETWEEN_WORDS.sub(b"?=", plain))]
    if words:
        yield b"".join(words)
    for inner in _base64_blocks(plain) if depth else ():
        yield from _readings(inner, depth - 1)


def _decoded_word(encoding: bytes, text: bytes) -> bytes:
    """Return the bytes of an encoded word of a header (RFC 2047)."""
    return _decoded(text) if encoding in b"Bb" else quopri.decodestring(text.replace(b"_", b" "))


def _base64_blocks(raw: bytes) -> Iterator[bytes]:
    """Yield what lines in succession hold that are all base64."""
    block: list[bytes] = []
    for line in (*raw.splitlines(), b""):
        bare = line.strip(b" \t>")
        if _BASE64_LINE.fullmatch(bare):
            block.append(bare)
        elif block:
            yield _decoded(b"".join(block))
            block = []


def _decoded(text: bytes) -> bytes:
    """Return what base64 holds, as far as it is whole."""
    bare = text.rstrip(b"=")
    for length in range(len(bare), max(len(bare) - 4, 0), -1):
        with suppress(Error):
            return b64decode(bare[:length] + b"=" * (-length % 4))
    return b""

"""Raw mail at rest (clauses 4.1, 4.3): sealed with the vault's key and bound to its mail, for it may hold secrets.

Mail that was kept before there was a vault lies unsealed and is still read.
"""

from collections.abc import AsyncIterator
from typing import Final

from firstline.common.files import Files
from firstline.common.vault import HEAD_BYTES, Sealed, Vault, is_sealed

MAIL_BYTES: Final = 26 * 1024 * 1024 + 1024
"""The most that a raw mail and its seal take."""


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
    # As a whole: AES-GCM tells only at the end whether what came before can be trusted. Mails have a limit when they
    # come in.
    kept = b"".join([chunk async for chunk in await files.open(file_key)])
    if not is_sealed(kept):
        return kept
    return vault.open(Sealed.from_bytes(kept), place_of(mail_id)).get_secret_value()

"""Raw mail at rest (clauses 4.1, 4.3): sealed with the vault's key and bound to its mail, for it may hold secrets.

Mail that was kept before there was a vault lies unsealed and is still read.
"""

from typing import Final

from firstline.common.files import Files
from firstline.common.vault import Sealed, Vault, is_sealed

SEAL_BYTES: Final = 1024
"""More than a seal adds to what it holds."""


def place_of(mail_id: str) -> tuple[str, ...]:
    """Return what a raw mail is bound to."""
    return ("raw mail", mail_id)


def sealed_mail(vault: Vault, mail_id: str, raw: bytes) -> bytes:
    """Return a raw mail as it is kept.

    Raises:
        VaultLocked: there is no key; nothing is kept unsealed instead.

    """
    return vault.seal(raw, place_of(mail_id)).to_bytes()


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

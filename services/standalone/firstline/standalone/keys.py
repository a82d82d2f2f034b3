"""The desk's own keys, made on the first start and kept in its data folder: one to sign tokens, one secret."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from joserfc.jwk import OKPKey

from firstline.common.ports import Random
from firstline.common.tokens import key_text, load_key, new_key

SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Keys:
    """The key that signs tokens, and the secret from which every other key is derived."""

    signing: OKPKey
    secret: bytes


def desk_keys(data: Path, random: Random) -> Keys:
    """Return the desk's keys, making those that are missing.

    Raises:
        OSError: the folder can't be read or written.

    """
    folder = data / "keys"
    folder.mkdir(parents=True, exist_ok=True)
    signing, secret = folder / "signing.json", folder / "secret"
    if not signing.exists():
        _make_private(signing, key_text(new_key(f"desk-{random.bytes(4).hex()}")).encode(), random)
    if not secret.exists():
        _make_private(secret, random.bytes(SECRET_BYTES).hex().encode(), random)
    return Keys(load_key(signing), bytes.fromhex(secret.read_text("ascii")))


def _make_private(path: Path, content: bytes, random: Random) -> None:
    """Make a file that only the desk may read, unless somebody has made it; a crash leaves the whole file or none."""
    draft = path.with_name(f"{random.bytes(8).hex()}.draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    with suppress(FileExistsError):
        path.hardlink_to(draft)  # unlike a rename, this never replaces a key that somebody else already works with
    draft.unlink()
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

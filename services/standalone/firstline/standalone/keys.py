"""The desk's own keys, made on the first start and kept in its data folder: one to sign tokens, one secret."""

import os
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
        _write_private(signing, key_text(new_key(f"desk-{random.bytes(4).hex()}")).encode())
    if not secret.exists():
        _write_private(secret, random.bytes(SECRET_BYTES).hex().encode())
    return Keys(load_key(signing), bytes.fromhex(secret.read_text("ascii")))


def _write_private(path: Path, content: bytes) -> None:
    """Write a file that only the desk may read; a crash leaves the whole file or none."""
    draft = path.with_suffix(".draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)

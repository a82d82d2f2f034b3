"""The desk's own keys, made once: a secret, a key that signs tokens, and its public half, by which all verify them."""

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joserfc.jwk import OKPKey

from firstline.common.errors import Unavailable
from firstline.common.ports import Clock, Random
from firstline.common.tokens import Signer, key_text, load_key, new_key, public_keys

SECRET_BYTES = 32
SECRET, SIGNING, PUBLIC = "secret", "signing.json", "verify.json"
"""The files: the first and the last are every service's, the signing key is for accounts alone."""


class KeysMissing(Unavailable):
    """A file of the keys is not there (yet)."""

    title = "The desk's keys are missing"


@dataclass(frozen=True, slots=True)
class Keys:
    """The secret that other keys are derived from, the keys that verify tokens, and for accounts the one that signs."""

    secret: bytes
    public: dict[str, Any]
    signing: OKPKey | None = None

    def signer(self, wall: Clock) -> Signer:
        """Return what signs tokens.

        Raises:
            KeysMissing: these are the keys of a service that doesn't.

        """
        if self.signing is None:
            raise KeysMissing(f"The signing key is not here. Look for {SIGNING} where accounts runs.")
        return Signer(self.signing, wall)


def desk_keys(folder: Path, random: Random) -> Keys:
    """Return the desk's keys, making those that are missing.

    Raises:
        KeysMissing: others verify with a key that is not here; a new one would be none of theirs.
        OSError: the folder can't be read or written.

    """
    folder.mkdir(parents=True, exist_ok=True)
    signing, secret, public = folder / SIGNING, folder / SECRET, folder / PUBLIC
    if public.exists() and not signing.exists():
        raise KeysMissing(f"{signing} is not there, but {PUBLIC} is: look for it where accounts runs.")
    if not signing.exists():
        _make_private(signing, key_text(new_key(f"desk-{random.bytes(4).hex()}")).encode(), random)
    if not secret.exists():
        _make_private(secret, random.bytes(SECRET_BYTES).hex().encode(), random)
    if not public.exists():
        _make_private(public, json.dumps(public_keys(load_key(signing))).encode(), random)
    return service_keys(folder, signing=True)


def service_keys(folder: Path, *, signing: bool) -> Keys:
    """Return the keys that a service needs, as somebody else has made them.

    Raises:
        KeysMissing: a file is not there.
        OSError: one can't be read.

    """
    try:
        return Keys(
            bytes.fromhex((folder / SECRET).read_text("ascii")),
            json.loads((folder / PUBLIC).read_text("utf-8")),
            load_key(folder / SIGNING) if signing else None,
        )
    except FileNotFoundError as error:
        raise KeysMissing(f"{error.filename} is not there. `firstline keys` makes it.") from error


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

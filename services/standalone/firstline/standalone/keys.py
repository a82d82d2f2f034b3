"""The desk's own keys, made once: a secret, a key that signs tokens, and its public half, by which all verify them."""

import json
import os
import shlex
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joserfc.jwk import OKPKey

from firstline.common.errors import Unavailable
from firstline.common.ports import Clock, Random
from firstline.common.settings import Settings
from firstline.common.tokens import Signer, key_text, load_key, new_key, public_keys
from firstline.common.vault import KeyedVault, KeysNotReadable, LockedVault, Vault, new_key_line, read_keys

SECRET_BYTES = 32
SECRET, SIGNING, PUBLIC = "secret", "signing.json", "verify.json"
"""The files: the first and the last are every service's, the signing key is for accounts alone."""
COMMAND_SECONDS = 30.0


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
    # Order matters in what is made: the public half last, so that it is never there without the key it belongs to.
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
            # Only accounts reads it, and only accounts' container needs to
            # have it: who takes over another service can sign for nobody.
            load_key(folder / SIGNING) if signing else None,
        )
    except FileNotFoundError as error:
        raise KeysMissing(f"{error.filename} is not there. `firstline keys` makes it.") from error


def make_vault_key(settings: Settings, random: Random) -> None:
    """Make the vault's file with its first key, unless it is there or a command gives the keys.

    Raises:
        OSError: it can't be written.

    """
    file = settings.vault_file
    if not settings.vault_command and not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        _make_private(file, new_key_line(random).encode(), random)


def vault_of(settings: Settings, random: Random) -> Vault:
    """Return the vault with the keys that the settings name; a locked one that says what to do where they can't be had.

    The command's words and what it prints are never repeated: they may hold secrets.
    """
    command = settings.vault_command
    source = "FIRSTLINE_VAULT_COMMAND" if command else str(settings.vault_file)
    try:
        text = _printed(command) if command else settings.vault_file.read_text("ascii")
        return KeyedVault(read_keys(text), random)
    except KeysNotReadable as error:
        reason = str(error)
    except UnicodeDecodeError:
        reason = "it is not a file of keys"
    except subprocess.CalledProcessError as error:
        reason = f"the command ended with status {error.returncode}"
    except subprocess.TimeoutExpired:
        reason = f"the command took longer than {COMMAND_SECONDS:.0f} seconds"
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "the command can't be read"
    return LockedVault(
        f"The vault's keys can't be had from {source}: {reason}. Bring them back, or make some with `firstline keys`"
        " where there were none, and start again. Requests and answers work meanwhile."
    )


def add_vault_key(path: Path, random: Random) -> None:
    """Put a new key before those in the vault's file: it seals from the next start on, and the others still open.

    Raises:
        KeysNotReadable: the file holds something else.
        OSError: the file can't be read or written.

    """
    old = path.read_text("ascii")
    read_keys(old)
    draft = _draft(path, (new_key_line(random) + old).encode(), random)
    draft.replace(path)
    _sync_folder(path.parent)


def _printed(command: str) -> str:
    """Return what a command prints; what it complains of goes where this process's complaints go."""
    done = subprocess.run(  # noqa: S603 (the operator's own command, without a shell)
        shlex.split(command), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=COMMAND_SECONDS, check=True
    )
    return done.stdout.decode("ascii")


def _make_private(path: Path, content: bytes, random: Random) -> None:
    """Make a file that only the desk may read, unless somebody has made it; a crash leaves the whole file or none."""
    draft = _draft(path, content, random)
    with suppress(FileExistsError):
        path.hardlink_to(draft)  # unlike a rename, this never replaces a key that somebody else already works with
    draft.unlink()
    _sync_folder(path.parent)


def _draft(path: Path, content: bytes, random: Random) -> Path:
    """Write what is to become a private file beside it, durably, and return where."""
    draft = path.with_name(f"{random.bytes(8).hex()}.draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return draft


def _sync_folder(folder: Path) -> None:
    """Make a folder's entries durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

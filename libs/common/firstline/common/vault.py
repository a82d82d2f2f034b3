"""The vault's cipher (clause 4.3): what clients entrust to the desk is sealed at rest, each value under its own key.

A value is encrypted (AES-256-GCM) under a data key made for it alone, and that key under the vault's key. Both are
bound to the place where the value belongs: moved to another row, neither opens. Whoever deletes the sealed data key has
shredded the value. The vault's keys never lie in a database; where they are missing, the vault stays shut and the rest
of the desk works.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretBytes

from firstline.common.errors import FirstlineError, Unavailable
from firstline.common.ports import Random

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
ID_CHARACTERS: Final = 16
DATA_KEY_BYTES: Final = NONCE_BYTES + KEY_BYTES + TAG_BYTES
MAGIC: Final = b"FLv1"
_HEAD: Final = len(MAGIC) + ID_CHARACTERS
HEAD_BYTES: Final = _HEAD + DATA_KEY_BYTES
"""What stands before the sealed content in a file."""
_KEY_LINE: Final = re.compile(r"[0-9a-fA-F]{64}")


class VaultLocked(Unavailable):
    """The vault's key is missing, or it is another than the one that sealed; all else goes on."""

    title = "The vault is locked"
    retry_after = 300


class SealBroken(FirstlineError):
    """What was kept was changed, or moved to another place, and is not handed out."""

    title = "What was kept can't be trusted"


class KeysNotReadable(ValueError):
    """What was given as the vault's keys is something else; the message never quotes it."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A value at rest.

    Attributes:
        key_id: which of the vault's keys sealed the data key.
        data_key: the value's own key, sealed: 60 bytes. Without it the content is noise for ever.
        content: the value, sealed.

    """

    key_id: str
    data_key: bytes
    content: bytes

    def to_bytes(self) -> bytes:
        """Return everything as one piece, for a file."""
        return MAGIC + self.key_id.encode("ascii") + self.data_key + self.content

    @classmethod
    def from_bytes(cls, kept: bytes) -> Self:
        """Read what `to_bytes` wrote.

        Raises:
            SealBroken: it is something else.

        """
        if not is_sealed(kept) or len(kept) < HEAD_BYTES:
            raise _broken()
        key_id = kept[len(MAGIC) : _HEAD].decode("ascii", "replace")
        return cls(key_id, kept[_HEAD:HEAD_BYTES], kept[HEAD_BYTES:])


def is_sealed(kept: bytes) -> bool:
    """Tell whether a file's content (or its first bytes) is what `Sealed.to_bytes` wrote."""
    return kept.startswith(MAGIC)


class Vault(Protocol):
    """Seals and opens. `bound_to` names where a value belongs, such as organisation, ticket, row and version."""

    @property
    def locked(self) -> str | None:
        """Why nothing can be sealed or opened now, and what to do; None while it can."""

    def seal(self, value: bytes, bound_to: Sequence[str]) -> Sealed:
        """Return the value sealed for a place.

        Raises:
            VaultLocked: there is no key.

        """

    def open(self, sealed: Sealed, bound_to: Sequence[str]) -> SecretBytes:
        """Return the value that was sealed for that very place; its repr, str and JSON are masked.

        Raises:
            VaultLocked: the key that sealed it is not here.
            SealBroken: it was changed, or sealed for another place.

        """

    def rewrap(self, sealed: Sealed, bound_to: Sequence[str]) -> Sealed:
        """Return it under the vault's newest key; the content stays as it is.

        Raises:
            VaultLocked: the key that sealed it is not here.
            SealBroken: it was changed, or sealed for another place.

        """

    def knows(self, key_id: str) -> bool:
        """Tell whether the key is here."""

    @property
    def newest(self) -> str | None:
        """The key that seals; None while the vault is locked."""


class KeyedVault:
    """A vault whose keys are in this process's memory: the newest seals, all of them open."""

    def __init__(self, keys: Sequence[bytes], random: Random) -> None:
        """Take the keys (32 bytes each), newest first."""
        self._keys: Mapping[str, AESGCM] = {key_id(key): AESGCM(key) for key in keys}
        self._newest = key_id(keys[0])
        self._random = random

    @property
    def locked(self) -> str | None:
        """None: the keys are here."""
        return None

    @property
    def newest(self) -> str:
        """The key that seals."""
        return self._newest

    def knows(self, key_id: str) -> bool:
        """Tell whether the key is here."""
        return key_id in self._keys

    def seal(self, value: bytes, bound_to: Sequence[str]) -> Sealed:
        """Return the value sealed for a place; see `Vault.seal`."""
        # Random nonces of 96 bits: NIST SP 800-38D (8.3) allows 2**32 of them under one key. A data key needs one in
        # its life; the vault's key needs one for each value and rotation.
        data_key, nonce = self._random.bytes(KEY_BYTES), self._random.bytes(NONCE_BYTES)
        content = nonce + AESGCM(data_key).encrypt(nonce, value, _place("value", bound_to))
        return Sealed(self._newest, self._wrap(data_key, bound_to), content)

    def open(self, sealed: Sealed, bound_to: Sequence[str]) -> SecretBytes:
        """Return the value that was sealed for that very place; see `Vault.open`."""
        data_key = self._unwrap(sealed, bound_to)
        return SecretBytes(_decrypt(AESGCM(data_key), sealed.content, _place("value", bound_to)))

    def rewrap(self, sealed: Sealed, bound_to: Sequence[str]) -> Sealed:
        """Return it under the newest key; see `Vault.rewrap`.

        The cost does not depend on the value's size, so keys can be rotated while the desk works.
        """
        return Sealed(self._newest, self._wrap(self._unwrap(sealed, bound_to), bound_to), sealed.content)

    def _wrap(self, data_key: bytes, bound_to: Sequence[str]) -> bytes:
        """Return a data key sealed under the newest key, for a place."""
        nonce = self._random.bytes(NONCE_BYTES)
        return nonce + self._keys[self._newest].encrypt(nonce, data_key, _place("key", bound_to))

    def _unwrap(self, sealed: Sealed, bound_to: Sequence[str]) -> bytes:
        """Return a value's data key; see `Vault.open` for what it raises."""
        key = self._keys.get(sealed.key_id)
        if key is None:
            # Found out by name, before anything is decrypted: a wrong
            # key and a changed value call for different remedies.
            raise VaultLocked(
                f"This was sealed with the vault's key {sealed.key_id}, which is not here. Nothing is lost: put that"
                " key back among the vault's keys and start again. Requests and answers work meanwhile."
            )
        return _decrypt(key, sealed.data_key, _place("key", bound_to))


class LockedVault:
    """A vault without its keys: it refuses, in the same words each time, and never keeps anything unsealed."""

    newest = None

    def __init__(self, reason: str) -> None:
        """Say why, and what to do about it."""
        self._reason = reason

    @property
    def locked(self) -> str:
        """Why it is locked, and what to do."""
        return self._reason

    def knows(self, key_id: str) -> bool:  # noqa: ARG002 (no key is here)
        """Tell that the key is not here."""
        return False

    def seal(self, value: bytes, bound_to: Sequence[str]) -> Sealed:  # noqa: ARG002
        """Refuse; see `Vault.seal`."""
        raise VaultLocked(self._reason)

    def open(self, sealed: Sealed, bound_to: Sequence[str]) -> SecretBytes:  # noqa: ARG002
        """Refuse; see `Vault.open`."""
        raise VaultLocked(self._reason)

    def rewrap(self, sealed: Sealed, bound_to: Sequence[str]) -> Sealed:  # noqa: ARG002
        """Refuse; see `Vault.rewrap`."""
        raise VaultLocked(self._reason)


def key_id(key: bytes) -> str:
    """Return a key's name, which follows from the key and tells nothing about it.

    64 bits are enough to tell the few keys of a desk apart; they are no secret and stand in each row.
    """
    return hmac.new(key, b"firstline vault key", hashlib.sha256).hexdigest()[:ID_CHARACTERS]


def read_keys(text: str) -> list[bytes]:
    """Read keys, newest first: a line each, of 64 hexadecimal digits; empty lines and those with # don't count.

    Raises:
        KeysNotReadable: it holds something else, or no key.

    """
    lines = [line.strip() for line in text.splitlines()]
    keys = []
    for number, line in enumerate(lines, 1):
        if not line or line.startswith("#"):
            continue
        if not _KEY_LINE.fullmatch(line):
            raise KeysNotReadable(f"line {number} is not a key of 64 hexadecimal digits")
        keys.append(bytes.fromhex(line))
    if not keys:
        raise KeysNotReadable("there is no key in it")
    return keys


def new_key_line(random: Random) -> str:
    """Return a new key as a line of a key file."""
    return f"{random.bytes(KEY_BYTES).hex()}\n"


def _place(what: str, bound_to: Sequence[str]) -> bytes:
    """Write a place so that no two places read alike.

    A list in JSON and not names joined by a sign: ("a:b", "c") and ("a", "b:c") must not be one place. "value" and
    "key" keep a sealed key from being read as a value.
    """
    return json.dumps(["firstline vault", what, *bound_to], ensure_ascii=True, separators=(",", ":")).encode()


def _decrypt(key: AESGCM, kept: bytes, place: bytes) -> bytes:
    """Return what was sealed for that place, or raise SealBroken without saying what was wrong with it."""
    try:
        return key.decrypt(kept[:NONCE_BYTES], kept[NONCE_BYTES:], place)
    except (InvalidTag, ValueError):  # ValueError: too short to hold a nonce
        raise _broken() from None


def _broken() -> SealBroken:
    """Return what is said of a seal that doesn't open."""
    return SealBroken(
        "What is kept here was changed or moved outside of Firstline, and is not shown. Ask for it anew, and tell the"
        " desk's operator."
    )

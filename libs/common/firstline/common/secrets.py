"""Keys for single purposes, all from the desk's one secret, and short tokens that are signed or encrypted with them."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from firstline.common.ports import Random

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
MIN_SECRET_BYTES: Final = 16


def derive(secret: bytes, purpose: str) -> bytes:
    """Return the 32-byte key for one purpose (HKDF-SHA256, RFC 5869); keys of other purposes don't follow from it.

    Raises:
        ValueError: the secret has fewer than 16 bytes.

    One secret to keep and many keys that can't be turned into each other: a leaked cursor key opens no session.
    """
    if len(secret) < MIN_SECRET_BYTES:
        raise ValueError(f"the desk's secret needs at least {MIN_SECRET_BYTES} bytes")
    return HKDF(SHA256(), KEY_BYTES, salt=b"firstline", info=purpose.encode()).derive(secret)


def seal(key: bytes, payload: Mapping[str, Any]) -> str:
    """Return a token that anybody can read and only the key's holder can make; put `exp` inside where it may expire."""
    # The signature is over the encoded text and not over the value, so that nothing depends on how JSON is written.
    body = _encode(_json(payload))
    return f"{body}.{_signature(key, body)}"


def unseal(key: bytes, token: str) -> dict[str, Any] | None:
    """Return what was sealed, or None when the token is not one that this key made."""
    # Nothing of a stranger's token is decoded before its signature has been found right.
    body, _, given = token.partition(".")
    if not hmac.compare_digest(given.encode("utf-8", "replace"), _signature(key, body).encode()):
        return None
    return _object(_decode(body))


def encrypt(key: bytes, payload: Mapping[str, Any], random: Random) -> str:
    """Return a token (AES-256-GCM) that only the key's holder can make or read, for what a browser keeps for us."""
    # Random nonces collide after some 2**48 tokens of one key, far beyond what a desk hands out.
    nonce = random.bytes(NONCE_BYTES)
    return _encode(nonce + AESGCM(key).encrypt(nonce, _json(payload), None))


def decrypt(key: bytes, token: str) -> dict[str, Any] | None:
    """Return what was encrypted, or None when the token is not one that this key made."""
    data = _decode(token)
    try:
        return _object(AESGCM(key).decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], None))
    except (InvalidTag, ValueError):  # ValueError: too short to hold a nonce
        return None


def _signature(key: bytes, body: str) -> str:
    """Sign the encoded payload."""
    return _encode(hmac.new(key, body.encode("utf-8", "replace"), hashlib.sha256).digest())


def _json(payload: Mapping[str, Any]) -> bytes:
    """Write the payload as compact JSON."""
    return json.dumps(payload, separators=(",", ":")).encode()


def _object(data: bytes) -> dict[str, Any] | None:
    """Read a JSON object; anything else is no payload of ours."""
    try:
        payload = json.loads(data)
    except ValueError:
        return None
    return payload if isinstance(payload, dict) else None


def _encode(data: bytes) -> str:
    """Write bytes in base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    """Read base64url without padding; nothing, where it isn't that."""
    try:
        return base64.urlsafe_b64decode(text.encode("ascii", "replace") + b"=" * (-len(text) % 4))
    except binascii.Error:
        return b""

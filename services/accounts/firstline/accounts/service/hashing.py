"""Secrets that are shown once and kept as a hash."""

import base64
import hashlib

from firstline.common.ports import Random

SECRET_BYTES = 32


def new_secret(random: Random) -> str:
    """Return 256 random bits as 43 characters of base64url: beyond guessing, so that a plain hash hides it."""
    return base64.urlsafe_b64encode(random.bytes(SECRET_BYTES)).rstrip(b"=").decode()


def digest(secret: str) -> str:
    """Return the SHA-256 of a secret in hexadecimal, under which it is kept and found.

    A slow hash for passwords would gain nothing: it makes guessing dear, and 256 random bits can't be guessed.
    """
    return hashlib.sha256(secret.encode()).hexdigest()

"""Webhook signatures after Standard Webhooks 1.0: HMAC-SHA256 over id, time and the exact body."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

from firstline.common.errors import Invalid
from firstline.common.ports import Random

PREFIX = "whsec_"
NEW_BYTES = 32
LEAST_BYTES, MOST_BYTES = 24, 64


class BadSecret(Invalid):
    """A webhook secret isn't `whsec_` and the base64 form of 24 to 64 bytes."""

    title = "Not a webhook secret"


def new_secret(random: Random) -> str:
    """Return a new secret; it is shown to the endpoint's owner once."""
    return PREFIX + base64.b64encode(random.bytes(NEW_BYTES)).decode()


def secret_key(secret: str) -> bytes:
    """Return the key that a secret stands for.

    Raises:
        BadSecret: it isn't one.

    """
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not (secret.startswith(PREFIX) and LEAST_BYTES <= len(key) <= MOST_BYTES):
        raise BadSecret(f"A webhook secret is {PREFIX} and base64 of {LEAST_BYTES} to {MOST_BYTES} bytes.")
    return key


def signed_headers(secrets: Sequence[str], webhook_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """Return the three headers that prove a delivery.

    Args:
        secrets: the endpoint's secrets, newest first: during a rotation the old one signs too.
        webhook_id: the same at each attempt; receivers tell repetitions by it.
        at: the instant of this attempt; receivers refuse what is more than five minutes off.
        body: the bytes that are sent.

    Raises:
        BadSecret: a secret is malformed.

    """
    timestamp = str(int(at.timestamp()))
    # Id and time are inside the signature: a delivery that was listened in on can't be sent again later, or as another.
    content = f"{webhook_id}.{timestamp}.".encode() + body
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{_signature(secret_key(secret), content)}" for secret in secrets),
    }


def _signature(key: bytes, content: bytes) -> str:
    """Return the signature of a content in base64."""
    return base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()

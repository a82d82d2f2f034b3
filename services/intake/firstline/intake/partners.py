"""Webhooks that partners' systems send in (clause 4.1): whose they are, what proves it, what their members mean.

Signatures follow Standard Webhooks 1.0: HMAC-SHA256 over id, time and the exact body. Sources are data: which
organisation one speaks for, and by which paths its JSON is read.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from firstline.common.errors import Fault, Invalid, Unauthenticated
from firstline.common.permissions import Principal, Role

TOLERANCE: Final = timedelta(minutes=5)
MAX_ID_CHARS: Final = 200
PREFIX: Final = "whsec_"
LEAST_BYTES: Final = 24
LITERAL: Final = "="
"""Begins a mapping that is no path: `=updates` stands for the text itself."""

_SECONDS: Final = re.compile(r"[0-9]{1,12}")

Code = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
Path = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class SignatureRefused(Unauthenticated):
    """The webhook isn't proven to come from its source; the detail says what is wrong with the signature."""

    title = "The signature doesn't prove the sender"


class Members(BaseModel):
    """Where a source's JSON holds what a request needs: dotted paths such as `case.contact.email`, or `=a text`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: Path
    body: Path
    requester_email: Path
    requester_name: Path | None = None
    requester_language: Path | None = None
    external_ref: Path | None = None
    topic: Path | None = None
    recovery: Path | None = None
    product: Path | None = None
    version: Path | None = None
    fields: dict[str, Path] = Field(default_factory=dict)
    metadata: dict[str, Path] = Field(default_factory=dict)


class SourceTerms(BaseModel):
    """What the file of sources says of one; its secrets lie in a file of their own, one a line, newest first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: Code
    title: str
    organization_id: str
    secret_file: str
    members: Members


@dataclass(frozen=True, slots=True)
class Source:
    """A partner's system that sends webhooks, with the keys that its signatures are made with."""

    terms: SourceTerms
    keys: tuple[bytes, ...]

    @property
    def principal(self) -> Principal:
        """Whom its requests are sent by; `client_id` lets the partner tell its own events from others'."""
        code = self.terms.code
        # An address that can't receive mail (RFC 2606): a system takes part in no correspondence.
        address = f"{code}@partner-webhook.invalid"
        return Principal(
            f"partner-webhook:{code}",
            Role.PARTNER,
            address,
            self.terms.organization_id,
            client_id=code,
            name=self.terms.title,
        )


def key_of(secret: str) -> bytes:
    """Return the key that a secret stands for.

    Raises:
        ValueError: it isn't `whsec_` and base64 of at least 24 bytes.

    """
    try:
        # Strictly: by default the decoder leaves out what it doesn't
        # know, and a slip of the pen would make another key.
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not secret.startswith(PREFIX) or len(key) < LEAST_BYTES:
        raise ValueError(f"a webhook secret is {PREFIX} and base64 of at least {LEAST_BYTES} bytes")
    return key


def verified(source: Source, headers: Mapping[str, str], body: bytes, now: datetime) -> str:
    """Return the id of a webhook whose signature is right and whose time is near; the comparison takes constant time.

    Raises:
        SignatureRefused: a header is missing, the time is more than five minutes off, or no signature fits.

    """
    webhook_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not 0 < len(webhook_id) <= MAX_ID_CHARS or not _SECONDS.fullmatch(timestamp):
        raise SignatureRefused("Send webhook-id, webhook-timestamp (seconds since 1970) and webhook-signature.")
    # An old webhook, listened in on, is refused even where its id was forgotten.
    if abs(now.timestamp() - int(timestamp)) > TOLERANCE.total_seconds():
        raise SignatureRefused("webhook-timestamp is more than five minutes off. Set the clock, and sign each attempt.")
    content = f"{webhook_id}.{timestamp}.".encode() + body
    expected = [base64.b64encode(hmac.digest(key, content, hashlib.sha256)) for key in source.keys]
    given = [one.partition(",")[2].encode() for one in headers.get("webhook-signature", "").split() if one[:3] == "v1,"]
    # All are compared, so that the time tells nothing of which one came near.
    fitting = [hmac.compare_digest(one, other) for one in given for other in expected]
    if not any(fitting):
        raise SignatureRefused("No webhook-signature fits. Sign `id.timestamp.body` with the secret, as `v1,<base64>`.")
    return webhook_id


def members_of(terms: SourceTerms, document: Any) -> dict[str, Any]:
    """Return what a webhook says, by the names of the API; what it leaves out is left out.

    Raises:
        Invalid: a member holds a list or an object where a text belongs.

    """
    given = terms.members.model_dump(exclude_none=True)
    taken: dict[str, Any] = {}
    for name, path in given.items():
        if isinstance(path, dict):
            found = {key: _text(document, one) for key, one in path.items()}
            taken[name] = {key: value for key, value in found.items() if value is not None}
        elif (value := _text(document, path)) is not None:
            taken[name] = value
    return taken


def pointer_of(terms: SourceTerms, name: str) -> str:
    """Return where a source's JSON holds a member, as a JSON pointer; the member's own name where nothing says so."""
    path = getattr(terms.members, name, None)
    return "/" + (path.replace(".", "/") if isinstance(path, str) else name)


def _text(document: Any, path: str) -> str | None:
    """Return the text at a path, numbers as their digits; None where there is none."""
    if path.startswith(LITERAL):
        return path.removeprefix(LITERAL)
    value = _at(document, path)
    if isinstance(value, dict | list):
        pointer = "/" + path.replace(".", "/")
        raise Invalid("The webhook can't be read.", faults=(Fault(pointer, "A text or a number belongs here."),))
    # Before numbers, because Python takes True for 1.
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None or value == "" else str(value)


def _at(document: Any, path: str) -> Any:
    """Return what stands at a dotted path; a number leads into a list. None where nothing does."""
    for part in path.split("."):
        if isinstance(document, list) and part.isdecimal() and int(part) < len(document):
            document = document[int(part)]
        elif isinstance(document, dict):
            document = document.get(part)
        else:
            return None
    return document

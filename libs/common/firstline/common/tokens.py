"""Bearer tokens: short-lived JWTs signed with Ed25519 (RFC 9864), verified by every service without asking anyone.

Services among themselves show tokens sealed with a key that only they derive, so that only accounts needs the key that
signs for people.
"""

import json
from collections import OrderedDict
from datetime import timedelta
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey

from firstline.common.addresses import normal_address
from firstline.common.errors import Unauthenticated
from firstline.common.permissions import Principal, Role
from firstline.common.ports import Clock
from firstline.common.secrets import derive, seal, unseal

ALGORITHM = "Ed25519"
ISSUER = AUDIENCE = "firstline"
# For clocks of machines that differ a little; a token's life is counted in hours.
LEEWAY_SECONDS = 30
CACHED_TOKENS = 4096
SERVICE_SECONDS = 300


class Signer:
    """Signs tokens with the desk's private key."""

    def __init__(self, key: OKPKey, wall: Clock) -> None:
        self._key = key
        self._wall = wall

    def token(self, principal: Principal, life: timedelta) -> str:
        """Return a token that says who the principal is, good for `life` of wall time."""
        now = self._wall.now()
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "iat": int(now.timestamp()),
            "exp": int((now + life).timestamp()),
            "sub": principal.id,
            "role": principal.role.value,
            "email": principal.email,
            "organization_id": principal.organization_id,
            "tier": principal.tier,
            "skills": list(principal.skills),
            "client_id": principal.client_id,
            "name": principal.name,
        }
        kept = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode({"alg": ALGORITHM, "kid": self._key.kid}, kept, self._key, algorithms=[ALGORITHM])

    def public_keys(self) -> dict[str, Any]:
        """Return the JSON Web Key Set that verifies these tokens."""
        return public_keys(self._key)


def public_keys(key: OKPKey) -> dict[str, Any]:
    """Return the JSON Web Key Set that verifies what a key signs."""
    return {"keys": [key.as_dict(private=False)]}


class ServiceTokens:
    """The credentials by which services read one another's logs."""

    def __init__(self, secret: bytes, wall: Clock) -> None:
        self._key = derive(secret, "service credentials")
        self._wall = wall

    def token(self, service: str) -> str:
        """Return a token that says which service calls, good for five minutes."""
        # A key derived for this purpose alone: what opens logs opens
        # nothing else, and a leaked signing key of people opens no log.
        return seal(self._key, {"sub": service, "exp": self._wall.now().timestamp() + SERVICE_SECONDS})

    def verified(self, token: str) -> tuple[float, Principal] | None:
        """Return when a service's token expires and which service it speaks for; None: it is no such token."""
        claims = unseal(self._key, token)
        if claims is None:
            return None
        name = str(claims["sub"])
        return float(claims["exp"]), Principal(name, Role.SERVICE, f"{name}@service.invalid")


class Verifier:
    """Verifies tokens against a set of public keys; a token once verified is remembered until it expires."""

    def __init__(self, public_keys: dict[str, Any], wall: Clock, services: ServiceTokens | None = None) -> None:
        self._keys = KeySet.import_key_set(public_keys)  # type: ignore[arg-type]
        self._wall = wall
        self._services = services
        self._known: OrderedDict[str, tuple[float, Principal]] = OrderedDict()

    def principal(self, token: str) -> Principal:
        """Return who the token speaks for.

        Raises:
            Unauthenticated: signature, issuer, audience, time or claims are wrong.

        """
        now = self._wall.now().timestamp()
        # A signature costs some hundred microseconds, as much as a small read; a client shows one token many times. Its
        # expiry is looked at each time.
        known = self._known.get(token)
        if known is None:
            known = self._verified(token)
            self._known[token] = known
            if len(self._known) > CACHED_TOKENS:
                self._known.popitem(last=False)
        expires, principal = known
        if now > expires + LEEWAY_SECONDS:
            del self._known[token]
            raise Unauthenticated("The token has expired. Sign in again, or ask for a new one, and repeat the request.")
        return principal

    def _verified(self, token: str) -> tuple[float, Principal]:
        """Return when a token expires and whom it speaks for, a service or a person."""
        service = self._services.verified(token) if self._services else None
        return service or self._person(token)

    def _person(self, token: str) -> tuple[float, Principal]:
        """Return when a person's token expires and whom it speaks for; see `principal` for what it raises."""
        try:
            # The algorithm is ours and not the token's to choose (RFC 8725, 3.1): else "none", or the public key taken
            # for a shared secret, would sign for anybody.
            claims = jwt.decode(token, self._keys, algorithms=[ALGORITHM]).claims
            ours = claims["iss"] == ISSUER and claims["aud"] == AUDIENCE
            begun = float(claims.get("nbf", 0)) <= self._wall.now().timestamp() + LEEWAY_SECONDS
            expires, principal = float(claims["exp"]), _principal(claims)
        # One answer to whatever is wrong: whoever forges tokens learns nothing from it.
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise _not_valid() from error
        if not (ours and begun):
            raise _not_valid()
        return expires, principal


def _not_valid() -> Unauthenticated:
    """Return the one error for whatever is wrong with a token.

    It doesn't say what: a forger would learn how far the attempt came.
    """
    return Unauthenticated("The token is not valid for this desk. Sign in again and repeat the request.")


def _principal(claims: dict[str, Any]) -> Principal:
    """Return the principal that a token's claims describe.

    Raises KeyError, ValueError or TypeError where a claim is missing or of another kind.
    """
    return Principal(
        id=str(claims["sub"]),
        role=Role(claims["role"]),
        email=normal_address(str(claims["email"])),
        organization_id=claims.get("organization_id"),
        tier=claims.get("tier"),
        skills=tuple(claims.get("skills") or ()),
        client_id=claims.get("client_id"),
        name=claims.get("name"),
    )


def new_key(kid: str) -> OKPKey:
    """Return a new signing key with an id."""
    return OKPKey.generate_key("Ed25519", {"kid": kid, "alg": ALGORITHM, "use": "sig"})


def load_key(path: Path) -> OKPKey:
    """Return the signing key kept in a file.

    Raises:
        OSError: the file can't be read.

    """
    return OKPKey.import_key(json.loads(path.read_text("utf-8")))


def key_text(key: OKPKey) -> str:
    """Return a signing key as the text to keep in a file that only the desk may read."""
    return json.dumps(key.as_dict(private=True))

"""What the browser keeps for us: one encrypted cookie with the visitor's tokens, form secret and claims."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Final

from fastapi import Response

from firstline.common.ports import Random
from firstline.common.secrets import decrypt, encrypt

FORM_SECRET_BYTES: Final = 18
CLAIMS_KEPT: Final = 4
"""Claim tokens in the cookie at most, the newest ones: a browser drops a cookie of more than 4,096 bytes."""

KEPT_SECONDS: Final = 30 * 24 * 3600
"""As long as a refresh token that is not used."""

LEADING_ROLES: Final = ("supervisor", "admin")
STAFF_ROLES: Final = ("agent", "supervisor", "admin")


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is signed in.

    Attributes:
        person_id: who they are to the desk.
        access: the token for API calls, good for minutes.
        refresh: the token that replaces both.
        csrf: the secret that every form of this visitor carries.
        name: how the pages call them.
        role: what they are to the desk; it chooses pages, the API decides what they may do.
        density: `compact` or `comfortable` where they chose one.
        claims: ticket ID → claim token, oldest first.

    """

    person_id: str
    access: str
    refresh: str
    csrf: str
    name: str
    role: str
    density: str = ""
    claims: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_staff(self) -> bool:
        """Whether the console is theirs."""
        return self.role in STAFF_ROLES

    @property
    def leads(self) -> bool:
        """Whether clients' words to the supervisor, and the reports on organisations, are theirs."""
        return self.role in LEADING_ROLES

    @property
    def start(self) -> str:
        """The page where their work begins."""
        return "/console" if self.is_staff else "/requests"


def with_claim(claims: Mapping[str, str], ticket_id: str, token: str | None) -> dict[str, str]:
    """Return the claims with one more or, without a token, one less."""
    others = {known: held for known, held in claims.items() if known != ticket_id}
    if token is None:
        return others
    # The newest last; who claims a fifth request can still take the first anew, which its holder may at any time.
    return dict([*others.items(), (ticket_id, token)][-CLAIMS_KEPT:])


class Cookie:
    """Reads and writes the cookie.

    With https it is bound to this host and to encrypted connections (`__Host-`, RFC 6265bis); plain http is for a desk
    on one's own machine.
    """

    def __init__(self, key: bytes, public_url: str, random: Random) -> None:
        """Use a key of 32 bytes, which nothing else uses."""
        self._key = key
        self._random = random
        self._secure = public_url.startswith("https://")
        self.name = "__Host-firstline" if self._secure else "firstline"

    def new_secret(self) -> str:
        """Return a new secret for the forms of a visitor, as hexadecimal text."""
        return self._random.bytes(FORM_SECRET_BYTES).hex()

    def read(self, text: str | None) -> Session | None:
        """Return the session in a cookie, or None where there is none that we made.

        Encrypted and not only signed: the tokens inside are not for whoever gets at the browser's files.
        """
        content = decrypt(self._key, text) if text else None
        try:
            return Session(**content) if content else None
        except TypeError:  # made by a release with other members: sign in again
            return None

    def write(self, response: Response, session: Session) -> None:
        """Let the browser keep a session for as long as it is used now and then."""
        text = encrypt(self._key, asdict(session), self._random)
        # `lax`: links in mails lead to a page that knows the visitor, and forms of other sites come without the cookie.
        response.set_cookie(
            self.name, text, max_age=KEPT_SECONDS, path="/", secure=self._secure, httponly=True, samesite="lax"
        )

    def clear(self, response: Response) -> None:
        """Let the browser forget the session."""
        response.delete_cookie(self.name, path="/", secure=self._secure, httponly=True, samesite="lax")

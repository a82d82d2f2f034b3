"""What accounts works with: store, log, ports, the signer of tokens, wall time, and how long tokens live."""

from dataclasses import dataclass
from datetime import timedelta

from firstline.common.errors import Fault, Invalid
from firstline.common.events import Actor
from firstline.common.log import Log
from firstline.common.paging import Cursors
from firstline.common.permissions import Principal
from firstline.common.ports import Clock, Ports
from firstline.common.store.port import Store
from firstline.common.tokens import Signer

SYSTEM = Actor(id="accounts", role="service")
"""Who did it, where nobody called: the desk itself."""


@dataclass(frozen=True, slots=True)
class Lives:
    """How long things live, in wall time.

    Attributes:
        access: a bearer token; the others verify it without asking, so it can't be taken back sooner.
        refresh: a refresh token, and with it a session that nobody uses.
        grace: a refresh token after its first use.

    """

    access: timedelta
    refresh: timedelta
    grace: timedelta


@dataclass(frozen=True, slots=True)
class Desk:
    """Accounts' instance: all that a route needs.

    Attributes:
        ports: time of the product, randomness, ids; `wall` is the time that tokens and links go by.
        answers_key: 32 bytes that encrypt the answers kept for retries.

    """

    store: Store
    log: Log
    ports: Ports
    signer: Signer
    wall: Clock
    lives: Lives
    cursors: Cursors
    answers_key: bytes


def actor_of(principal: Principal) -> Actor:
    """Return the caller as events name them."""
    return Actor(id=principal.id, role=principal.role.value, client_id=principal.client_id)


def wrong(pointer: str, detail: str) -> Invalid:
    """Return the refusal of one value, which a JSON pointer names."""
    return Invalid("1 value needs another look; nothing was stored.", faults=(Fault(pointer, detail),))

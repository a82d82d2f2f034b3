"""Signing in by link, and keeping signed in: refresh tokens that are replaced at each use.

All expiry here is wall time. A refresh token that comes back after its successor was given out was stolen, or its
successor was: the whole family ends.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from firstline.accounts.service.hashing import digest, new_secret
from firstline.accounts.store.credentials import (
    ADD_LINK,
    ADD_REFRESH_TOKEN,
    END_FAMILY,
    END_SESSIONS,
    MARK_ROTATED,
    REFRESH_TOKEN,
    USE_LINK,
)
from firstline.accounts.store.directory import ACTIVE_PERSON, Person
from firstline.common.ports import Clock, Ports
from firstline.common.store.port import Unit


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is signed in, and the refresh token that keeps them so."""

    person: Person
    refresh_token: str


async def new_sign_in_link(
    unit: Unit, ports: Ports, wall: Clock, person_id: str, life: timedelta, *, uses: int | None = None
) -> str:
    """Return the secret of a new sign-in link, good for `life` of wall time.

    `uses` says how often it signs in; None: as often as they like. An inactive person's link does nothing. The secret
    can't be had again: only its hash is stored.
    """
    secret = new_secret(ports.random)
    expires_at = wall.now() + life
    await unit.run(ADD_LINK, sha256=digest(secret), person_id=person_id, expires_at=expires_at, uses_left=uses)
    return secret


async def sign_in(unit: Unit, ports: Ports, code: str, *, now: datetime, life: timedelta) -> Session | None:
    """Sign in the person of a link, or None: unknown, expired, used up, or the person is inactive."""
    # Found and used up in one statement, so that a link for one use can't sign in two who come at once.
    person_id = await unit.one(USE_LINK, sha256=digest(code), now=now)
    person = await unit.one(ACTIVE_PERSON, id=person_id)
    if person is None:
        return None
    # Each sign-in is a family of its own: signing out on one machine leaves the others signed in.
    return await _session(unit, ports, person, ports.ids.new(), now + life)


async def refresh(
    unit: Unit, ports: Ports, token: str, *, now: datetime, life: timedelta, grace: timedelta
) -> Session | None:
    """Replace a refresh token, or None: unknown, expired, or used before, which ends its family.

    For `grace` after its first use it may come again, because two tabs may refresh at once and answers get lost.
    """
    # Locked until the end: of two who refresh with one token the second sees what the first has made of it.
    found = await unit.one(REFRESH_TOKEN, sha256=digest(token))
    if found is None or found.expires_at <= now:
        return None
    if found.rotated_at is not None and found.rotated_at + grace < now:
        await end_family(unit, found.family)
        return None  # raised, it would take the deletion back with the transaction
    person = await unit.one(ACTIVE_PERSON, id=found.person_id)
    if person is None:
        return None
    # Only the first use counts: within the grace the clock is
    # not wound up again, or a stolen token could be kept alive.
    await unit.run(MARK_ROTATED, sha256=digest(token), now=now)
    return await _session(unit, ports, person, found.family, now + life)


async def _session(unit: Unit, ports: Ports, person: Person, family: str, expires_at: datetime) -> Session:
    """Store a new refresh token of a family and return it with its person."""
    token = new_secret(ports.random)
    await unit.run(ADD_REFRESH_TOKEN, sha256=digest(token), person_id=person.id, family=family, expires_at=expires_at)
    return Session(person, token)


async def end_family(unit: Unit, family: str) -> None:
    """End a session with every token of its family.

    Again until nothing is left: while one deletion waits for a token, a refresh under way may add its successor.
    """
    while await unit.run(END_FAMILY, family=family):
        pass


async def end_sessions(unit: Unit, person_id: str) -> None:
    """End every session of a person, for the same reason again until nothing is left."""
    while await unit.run(END_SESSIONS, person_id=person_id):
        pass


async def sign_out(unit: Unit, token: str) -> None:
    """End the session that a refresh token belongs to, with every token of its family."""
    found = await unit.one(REFRESH_TOKEN, sha256=digest(token))
    if found is not None:
        await end_family(unit, found.family)

"""API keys: how programs are known. A key acts for a person, or for an organisation as its partner.

It holds for what its owner was when it was made: another role or another organisation ends it, as revoking does.
"""

from dataclasses import asdict, replace

from firstline.accounts.service.desk import actor_of, wrong
from firstline.accounts.service.hashing import digest, new_secret
from firstline.accounts.service.people import principal_of
from firstline.accounts.store.credentials import (
    ADD_KEY,
    KEY_BY_SECRET,
    KEY_TO_CHANGE,
    KEYS,
    KEYS_OF_ORGANIZATION,
    REVOKE_KEY,
    ApiKey,
)
from firstline.accounts.store.directory import ACTIVE_PERSON, ORGANIZATION
from firstline.common.errors import NotFound
from firstline.common.events import AccountApiKeyChanged, Actor
from firstline.common.log import Log
from firstline.common.permissions import Access, Principal, Relation, Role
from firstline.common.ports import Ports
from firstline.common.store.port import Unit

PREFIX = "flk_"
"""What every key begins with, so that scanners find one that leaked."""


async def make_key(
    unit: Unit,
    log: Log,
    ports: Ports,
    access: Access,
    *,
    name: str,
    person_id: str | None,
    organization_id: str | None,
) -> tuple[ApiKey, str]:
    """Make a key for a person or, where none is given, for an organisation; return it with its secret.

    A partner may make keys for themselves and for their own organisation.

    Raises:
        Invalid: the owner is unknown, inactive, or out of the caller's reach.

    """
    if person_id is not None:
        role, organization_id = await _person(unit, access, person_id)
    else:
        role = await _organization(unit, access, organization_id)
    secret = PREFIX + new_secret(ports.random)
    # Role and organisation as they are now: see `principal_of_key`,
    # which lets the key open nothing once either has changed.
    key = ApiKey(
        id=ports.ids.new(),
        sha256=digest(secret),
        last4=secret[-4:],
        name=name,
        person_id=person_id,
        organization_id=organization_id,
        role=role,
        created_at=ports.clock.now(),
        revoked_at=None,
    )
    await unit.run(ADD_KEY, **asdict(key))
    await log.append(unit, f"api-key/{key.id}", _changed(key, actor_of(access.principal)))
    return key, secret


async def _person(unit: Unit, access: Access, person_id: str) -> tuple[str, str | None]:
    """Return role and organisation of a person whom the caller may make a key for."""
    person = await unit.one(ACTIVE_PERSON, id=person_id)
    # not even for a colleague: they may take part in other organisations' requests, beyond the partner's reach
    if person is None or not (access.relation is Relation.ANY or person.id == access.principal.id):
        raise wrong("/person_id", "Nobody active with this ID is here for you. Check the ID.")
    return person.role, person.organization_id


async def _organization(unit: Unit, access: Access, organization_id: str | None) -> str:
    """Return the role of a key for an organisation that the caller may make one for."""
    found = await unit.one(ORGANIZATION, id=organization_id)
    if found is None or not access.covers(frozenset(), found.id):
        raise wrong("/organization_id", "No organization with this ID is here for you. Check the ID.")
    return Role.PARTNER.value


def _changed(key: ApiKey, by: Actor) -> AccountApiKeyChanged:
    """Return the event, which makes the log tell who let whom in and when."""
    return AccountApiKeyChanged(
        actor=by,
        organization_id=key.organization_id,
        id=key.id,
        name=key.name,
        last4=key.last4,
        person_id=key.person_id,
        role=key.role,
        revoked_at=key.revoked_at,
    )


async def revoke_key(unit: Unit, log: Log, ports: Ports, access: Access, key_id: str) -> ApiKey:
    """Make a key useless for ever; one that is revoked stays as it is.

    Raises:
        NotFound: there is none with that id within the caller's reach.

    """
    key = await unit.one(KEY_TO_CHANGE, id=key_id)
    # Out of reach and unknown are one answer, so that nobody learns which IDs there are.
    if key is None or not access.covers(frozenset(), key.organization_id):
        raise NotFound("No API key with this ID is here for you. Check the ID.")
    if key.revoked_at is not None:
        return key
    revoked = replace(key, revoked_at=ports.clock.now())
    await unit.run(REVOKE_KEY, id=key.id, revoked_at=revoked.revoked_at)
    await log.append(unit, f"api-key/{key.id}", _changed(revoked, actor_of(access.principal)))
    return revoked


async def list_keys(unit: Unit, access: Access, *, after: str, limit: int) -> list[ApiKey]:
    """Return the keys within the caller's reach with ids after the one given, oldest first."""
    if access.relation is Relation.ANY:
        return await unit.all(KEYS, after=after, limit=limit)
    own = access.principal.organization_id
    return await unit.all(KEYS_OF_ORGANIZATION, organization_id=own, after=after, limit=limit)


async def principal_of_key(unit: Unit, secret: str) -> Principal | None:
    """Return who a key speaks for, or None: unknown, revoked, or its owner is not what it was made for any more."""
    key = await unit.one(KEY_BY_SECRET, sha256=digest(secret))
    if key is None:
        return None
    if key.person_id is None:
        return _acting_organization(key)
    # Looked up each time: a deactivated person's keys are to end at once and not when somebody remembers them.
    person = await unit.one(ACTIVE_PERSON, id=key.person_id)
    if person is None or (person.role, person.organization_id) != (key.role, key.organization_id):
        return None
    return principal_of(person, key.id)


def _acting_organization(key: ApiKey) -> Principal:
    """Return the organisation as a caller. Its address can't receive mail, nor belong to anybody (RFC 2606)."""
    assert key.organization_id is not None  # each key has an owner: see make_key
    return Principal(
        id=key.organization_id,
        role=Role(key.role),
        email=f"{key.organization_id}@organization.invalid",
        organization_id=key.organization_id,
        client_id=key.id,
        name=key.name,
    )

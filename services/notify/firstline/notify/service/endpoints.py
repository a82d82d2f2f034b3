"""Webhook endpoints: made, changed, and their secrets, which are shown once and kept encrypted (check 44)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from firstline.common.errors import Fault, Forbidden, Invalid, NotFound
from firstline.common.outbound_rules import check_url
from firstline.common.permissions import Access, Relation
from firstline.common.secrets import decrypt, encrypt
from firstline.common.store.port import Unit
from firstline.notify.public import PREFIXES, PUBLIC_TYPES, named_types
from firstline.notify.service.desk import Desk
from firstline.notify.signing import new_secret
from firstline.notify.store.deliveries import GIVE_UP_ENDPOINT
from firstline.notify.store.endpoints import (
    DELETE_ENDPOINT,
    ENDPOINT,
    ENDPOINT_TO_CHANGE,
    ENDPOINTS,
    ENDPOINTS_OF,
    INSERT_ENDPOINT,
    Endpoint,
    save_endpoint,
)
from firstline.notify.store.feed import HOLD_FEED


class UnreadableSecrets(Invalid):
    """The endpoint's secrets were kept while the desk had another secret of its own; rotate them."""

    title = "The endpoint's secrets can't be read"


async def make(
    desk: Desk, unit: Unit, access: Access, *, organization_id: str | None, values: dict[str, Any]
) -> tuple[Endpoint, str]:
    """Store a new endpoint; return it and its secret, which nobody gets to see again.

    Raises:
        Forbidden: a partner without an organisation, or for another one.
        Invalid: the URL can't be used, or a type isn't one that this endpoint may hear of.

    """
    owner = _owner(access, organization_id)
    _check(desk, owner, values)
    secret, now = new_secret(desk.ports.random), desk.now()
    endpoint = Endpoint(
        id=desk.ports.ids.new(),
        organization_id=owner,
        state="enabled",
        reason="",
        secrets=_kept(desk, [(secret, None)]),
        version=1,
        created_at=now,
        updated_at=now,
        last_success_at=None,
        **values,
    )
    # Encrypted and not hashed: each delivery is signed with the secret itself.
    await unit.run(INSERT_ENDPOINT, **{name: getattr(endpoint, name) for name in Endpoint.__slots__})
    return endpoint, secret


def _owner(access: Access, wished: str | None) -> str | None:
    """Return whose requests the endpoint hears of; None: everybody's."""
    if access.relation is Relation.ANY:
        return wished
    own = access.principal.organization_id
    if own is None or wished not in (None, own):
        raise Forbidden("You can make endpoints for your own organization only.")
    return own


def _check(desk: Desk, organization_id: str | None, values: dict[str, Any]) -> None:
    """Refuse a URL that can't be reached from here and types that this owner may not hear of."""
    if "url" in values:
        check_url(values["url"], desk.outbound)
    faults = []
    for place, wish in enumerate(values.get("types", ())):
        named = named_types(wish)
        if not named:
            advice = f"Use a type such as ticket.replied, or one of the prefixes {', '.join(PREFIXES)}."
            faults.append(Fault(f"/types/{place}", advice))
        # Refused and not ignored: an endpoint that wishes for what it never gets would look broken.
        elif organization_id is not None and not set(named) & set(PUBLIC_TYPES):
            advice = f"Only the desk's own endpoints hear of this. Use some of: {', '.join(PUBLIC_TYPES)}."
            faults.append(Fault(f"/types/{place}", advice))
    if faults:
        raise Invalid("A type is not one that this endpoint can hear of.", faults=tuple(faults))


async def find(unit: Unit, access: Access, endpoint_id: str, *, to_change: bool = False) -> Endpoint:
    """Return an endpoint within the caller's reach.

    Raises:
        NotFound: there is none that the caller may see.

    """
    endpoint = await unit.one(ENDPOINT_TO_CHANGE if to_change else ENDPOINT, id=endpoint_id)
    if endpoint is None:
        raise NotFound("Nothing with this ID is here for you. Check the ID.")
    # No participants: an endpoint is an organisation's or the desk's, and never a person's.
    access.demand(frozenset(), endpoint.organization_id)
    return endpoint


async def list_endpoints(unit: Unit, access: Access, after: str, limit: int) -> list[Endpoint]:
    """Return endpoints, oldest first: all of them, or those of the caller's organisation."""
    if access.relation is Relation.ANY:
        return await unit.all(ENDPOINTS, after=after, limit=limit)
    own = access.principal.organization_id
    return await unit.all(ENDPOINTS_OF, organization_id=own, after=after, limit=limit)


async def change(desk: Desk, unit: Unit, endpoint: Endpoint, values: dict[str, Any]) -> Endpoint:
    """Give an endpoint new values; one that is enabled again begins with the next event.

    Raises:
        Invalid: the URL can't be used, or a type isn't one that this endpoint may hear of.

    """
    _check(desk, endpoint.organization_id, values)
    changed = replace(endpoint, **values)
    if changed.state != endpoint.state:
        changed = replace(changed, reason="")
        # What waits would be sent whenever the endpoint is enabled again, long after it means anything.
        if changed.state == "disabled":
            await _give_up(desk, unit, endpoint.id, "The endpoint was disabled.")
    return await _save(desk, unit, changed)


async def remove(desk: Desk, unit: Unit, endpoint: Endpoint) -> None:
    """Delete an endpoint; what it has not got ends as failed."""
    await _give_up(desk, unit, endpoint.id, "The endpoint was deleted.")
    await unit.run(DELETE_ENDPOINT, id=endpoint.id)


async def _give_up(desk: Desk, unit: Unit, endpoint_id: str, reason: str) -> None:
    """End what an endpoint has not got yet, and let nothing new be made for it meanwhile."""
    await unit.one(HOLD_FEED)  # else an event that is applied at this moment would still be pushed
    await unit.run(GIVE_UP_ENDPOINT, endpoint_id=endpoint_id, reason=reason, now=desk.now())


async def rotate(desk: Desk, unit: Unit, endpoint: Endpoint, overlap: timedelta) -> tuple[Endpoint, str]:
    """Give an endpoint a new secret; the one before signs too until the overlap is over."""
    now = desk.now()
    secret = new_secret(desk.ports.random)
    before = _read(desk, endpoint.secrets)[:1]  # two at most: a rotation in haste must end the secret that leaked
    kept = [(secret, None), *((old, now + overlap) for old, _ in before if overlap)]
    changed = await _save(desk, unit, replace(endpoint, secrets=_kept(desk, kept)))
    return changed, secret


async def _save(desk: Desk, unit: Unit, endpoint: Endpoint) -> Endpoint:
    """Store an endpoint under its next version."""
    changed = replace(endpoint, version=endpoint.version + 1, updated_at=desk.now())
    await save_endpoint(unit, changed)
    return changed


def signing_secrets(desk: Desk, kept: str) -> list[str]:
    """Return the secrets that sign now, newest first.

    Raises:
        UnreadableSecrets: they can't be decrypted.

    """
    now = desk.now()
    found = [secret for secret, until in _read(desk, kept) if until is None or until > now]
    if not found:
        raise UnreadableSecrets("The endpoint's secret can't be read here. Rotate it.")
    return found


def _kept(desk: Desk, secrets: Sequence[tuple[str, datetime | None]]) -> str:
    """Return secrets, newest first, with the instants until which they sign, encrypted."""
    payload = [[secret, until.isoformat() if until else None] for secret, until in secrets]
    return encrypt(desk.endpoint_key, {"secrets": payload}, desk.ports.random)


def _read(desk: Desk, kept: str) -> list[tuple[str, datetime | None]]:
    """Return what `_kept` kept; nothing, where it can't be decrypted."""
    payload = decrypt(desk.endpoint_key, kept) or {"secrets": []}
    return [(secret, datetime.fromisoformat(until) if until else None) for secret, until in payload["secrets"]]

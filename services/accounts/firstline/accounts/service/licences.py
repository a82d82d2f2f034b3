"""Licences: what a key entitles to, and until when (clause 1.1 and the policy's closing paragraph)."""

from dataclasses import asdict, replace
from datetime import datetime

from firstline.accounts.service.desk import SYSTEM
from firstline.accounts.service.hashing import digest
from firstline.accounts.service.organizations import demand_organization
from firstline.accounts.store.directory import (
    ADD_LICENCE,
    CHANGE_LICENCE,
    LICENCE,
    LICENCE_BY_KEY,
    LICENCE_TO_CHANGE,
    LICENCES,
    LICENCES_OF_ORGANIZATION,
    Licence,
)
from firstline.common.errors import Conflict, NotFound
from firstline.common.events import AccountLicenceChanged, Actor
from firstline.common.log import Log
from firstline.common.ports import Ports
from firstline.common.store.port import Unit


class LicenceKnown(Conflict):
    """A licence with this key is known already."""

    title = "The licence is known already"


def described(
    ports: Ports,
    *,
    key: str,
    organization_id: str | None,
    product: str,
    edition: str | None = None,
    active_until: datetime | None = None,
) -> Licence:
    """Return a new licence with the hash of its key; spaces around the key don't count, its letter case does.

    The hash is SHA-256 in hexadecimal of the key's UTF-8: intake makes the same of the key in a request and finds the
    licence by it (clause 1.1), so neither keeps the key.
    """
    bare = key.strip()
    return Licence(ports.ids.new(), digest(bare), bare[-4:], organization_id, product, edition, active_until, 1)


async def add_licence(unit: Unit, log: Log, by: Actor, licence: Licence) -> Licence:
    """Store a new licence.

    Raises:
        LicenceKnown: there is one with this key.
        Invalid: the organisation is unknown.

    """
    await demand_organization(unit, licence.organization_id)
    # By the number of rows and not by an exception: on PostgreSQL an error would end the caller's transaction.
    if not await unit.run(ADD_LICENCE, **asdict(licence)):
        raise LicenceKnown("A licence with this key is known already. Find it at /v1/licences and change it there.")
    await log.append(unit, f"licence/{licence.id}", _changed(licence, by))
    return licence


async def change_licence(unit: Unit, log: Log, by: Actor, old: Licence, wanted: Licence) -> Licence:
    """Store what is different, such as a renewal.

    Raises:
        Invalid: the organisation is unknown.

    """
    if wanted == old:
        return old
    await demand_organization(unit, wanted.organization_id)
    # The log counts the stream's versions, so the row's is the one that its event tells.
    version = await log.append(unit, f"licence/{old.id}", _changed(wanted, by))
    new = replace(wanted, version=version)
    await unit.run(
        CHANGE_LICENCE,
        id=new.id,
        organization_id=new.organization_id,
        product=new.product,
        edition=new.edition,
        active_until=new.active_until,
        version=new.version,
    )
    return new


def _changed(licence: Licence, by: Actor) -> AccountLicenceChanged:
    """Return the event with the complete state, from which consumers overwrite their copy."""
    return AccountLicenceChanged(
        actor=by,
        organization_id=licence.organization_id,
        id=licence.id,
        key_sha256=licence.key_sha256,
        last4=licence.last4,
        product=licence.product,
        edition=licence.edition,
        active_until=licence.active_until,
    )


async def ensure_licence(
    unit: Unit,
    log: Log,
    ports: Ports,
    *,
    key: str,
    organization_id: str | None,
    product: str,
    edition: str | None = None,
    active_until: datetime | None = None,
) -> Licence:
    """Make sure that the licence with this key is as described; nothing happens where it is already.

    `active_until` is the instant of product time from which it holds no more; None: it holds without end.

    Raises:
        Invalid: the organisation is unknown.

    """
    wanted = described(
        ports, key=key, organization_id=organization_id, product=product, edition=edition, active_until=active_until
    )
    old = await unit.one(LICENCE_BY_KEY, key_sha256=wanted.key_sha256)
    if old is None:
        return await add_licence(unit, log, SYSTEM, wanted)
    return await change_licence(unit, log, SYSTEM, old, replace(wanted, id=old.id, version=old.version))


async def read_licence(unit: Unit, licence_id: str, *, to_change: bool = False) -> Licence:
    """Return a licence, `to_change`: and let nobody else change it until this transaction ends.

    Raises:
        NotFound: there is none with that id.

    """
    found = await unit.one(LICENCE_TO_CHANGE if to_change else LICENCE, id=licence_id)
    if found is None:
        raise NotFound("No licence has this ID. Check the ID.")
    return found


async def list_licences(unit: Unit, organization_id: str | None, *, after: str, limit: int) -> list[Licence]:
    """Return licences, of one organisation where it is given, with ids after the one given, oldest first."""
    if organization_id is None:
        return await unit.all(LICENCES, after=after, limit=limit)
    return await unit.all(LICENCES_OF_ORGANIZATION, organization_id=organization_id, after=after, limit=limit)

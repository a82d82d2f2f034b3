"""Customers and partners: companies whose requests are sealed off from each other."""

from dataclasses import asdict
from typing import Literal

from firstline.accounts.service.desk import SYSTEM, wrong
from firstline.accounts.store.directory import (
    ADD_ORGANIZATION,
    ORGANIZATION,
    ORGANIZATION_BY_NAME,
    ORGANIZATIONS,
    Organization,
)
from firstline.common.errors import NotFound
from firstline.common.events import AccountOrganizationChanged, Actor
from firstline.common.log import Log
from firstline.common.ports import Ports
from firstline.common.store.port import Unit

Kind = Literal["customer", "partner"]


async def add_organization(unit: Unit, log: Log, ports: Ports, by: Actor, *, name: str, kind: Kind) -> Organization:
    """Store a new organisation."""
    organization = Organization(ports.ids.new(), name, kind)
    await unit.run(ADD_ORGANIZATION, **asdict(organization))
    event = AccountOrganizationChanged(
        actor=by, organization_id=organization.id, id=organization.id, name=name, kind=kind
    )
    await log.append(unit, f"organization/{organization.id}", event)
    return organization


async def ensure_organization(unit: Unit, log: Log, ports: Ports, *, name: str, kind: Kind) -> Organization:
    """Return the organisation of that name and kind, stored now where it is new.

    Names are not unique, since two companies may bear one; so this is for what sets a desk up, one call after the
    other.
    """
    found = await unit.one(ORGANIZATION_BY_NAME, name=name, kind=kind)
    return found or await add_organization(unit, log, ports, SYSTEM, name=name, kind=kind)


async def read_organization(unit: Unit, organization_id: str) -> Organization:
    """Return an organisation.

    Raises:
        NotFound: there is none with that id.

    """
    found = await unit.one(ORGANIZATION, id=organization_id)
    if found is None:
        raise NotFound("No organization has this ID. Check the ID.")
    return found


async def list_organizations(unit: Unit, *, after: str, limit: int) -> list[Organization]:
    """Return organisations with ids after the one given, oldest first."""
    return await unit.all(ORGANIZATIONS, after=after, limit=limit)


async def demand_organization(unit: Unit, organization_id: str | None) -> None:
    """Make sure that an organisation which something is to belong to is there; None is no organisation.

    Raises:
        Invalid: there is none with that id.

    """
    if organization_id is not None and await unit.one(ORGANIZATION, id=organization_id) is None:
        raise wrong("/organization_id", "No organization has this ID. Look it up at /v1/organizations.")

"""People: clients, partners and staff. Who they are to the desk is what their tokens say."""

from collections.abc import Sequence
from dataclasses import asdict, replace

from firstline.accounts.service.desk import SYSTEM, wrong
from firstline.accounts.service.organizations import demand_organization
from firstline.accounts.service.sessions import end_sessions
from firstline.accounts.store.directory import (
    ADD_PERSON,
    CHANGE_PERSON,
    PEOPLE,
    PEOPLE_OF_ORGANIZATION,
    PERSON,
    PERSON_BY_EMAIL,
    PERSON_TO_CHANGE,
    Person,
)
from firstline.common.addresses import normal_address
from firstline.common.errors import Conflict, Forbidden, NotFound
from firstline.common.events import AccountPersonChanged, Actor
from firstline.common.log import Log
from firstline.common.permissions import Principal, Role
from firstline.common.ports import Ports
from firstline.common.store.port import Unit


class EmailTaken(Conflict):
    """Somebody with this address is known already."""

    title = "The address is taken"


def principal_of(person: Person, client_id: str | None = None) -> Principal:
    """Return the person as tokens say it; `client_id` is the API key that acts for them."""
    return Principal(
        id=person.id,
        role=Role(person.role),
        email=person.email,
        organization_id=person.organization_id,
        tier=person.tier,
        skills=person.skills,
        client_id=client_id,
        name=person.name,
    )


def check_rank(by: Principal, *roles: str) -> None:
    """Let only an admin make an admin or change one, so that nobody lifts themselves.

    Raises:
        Forbidden: one of the roles, before or after the change, is admin, and the caller isn't.

    """
    if by.role is not Role.ADMIN and Role.ADMIN.value in roles:
        raise Forbidden("Only an admin may make somebody an admin or change one. Ask an admin to do it.")


async def add_person(unit: Unit, log: Log, by: Actor, person: Person) -> Person:
    """Store a new person.

    Raises:
        EmailTaken: the address belongs to somebody.
        Invalid: see `change_person`.

    """
    await _check(unit, person)
    new = replace(person, email=normal_address(person.email), version=1)
    # By the number of rows and not by an exception: on PostgreSQL an error would end the caller's transaction.
    if not await unit.run(ADD_PERSON, **asdict(new)):
        raise EmailTaken("Somebody with this address is known already. Find them at /v1/people and change them there.")
    await log.append(unit, f"person/{new.id}", _changed(new, by))
    return new


async def change_person(unit: Unit, log: Log, by: Actor, old: Person, wanted: Person) -> Person:
    """Store what is different; another role or organisation, or an end of activity, ends every session.

    Raises:
        Invalid: the organisation is unknown, or a partner has none.

    """
    if wanted == old:
        return old
    await _check(unit, wanted)
    if _standing(wanted) != _standing(old):
        # Refresh tokens go at once; a bearer token at hand lives on
        # for its quarter of an hour, for nobody is asked about it.
        await end_sessions(unit, old.id)
    # The version is that of the person's stream: ETag, row and event agree by construction.
    version = await log.append(unit, f"person/{old.id}", _changed(wanted, by))
    new = replace(wanted, version=version)
    row = asdict(new)
    del row["email"]  # who they are: requests are theirs by this address
    await unit.run(CHANGE_PERSON, **row)
    return new


def _standing(person: Person) -> tuple[str, str | None, bool]:
    """Return what a person's rights follow from."""
    return person.role, person.organization_id, person.active


async def _check(unit: Unit, person: Person) -> None:
    """Refuse an organisation that is unknown, and a partner without one: nothing would be within their reach."""
    if person.role == Role.PARTNER.value and person.organization_id is None:
        raise wrong("/organization_id", "A partner acts for an organization; give its ID.")
    await demand_organization(unit, person.organization_id)


def _changed(person: Person, by: Actor) -> AccountPersonChanged:
    """Return the event with the complete state, from which consumers overwrite their copy."""
    return AccountPersonChanged(
        actor=by,
        id=person.id,
        email=person.email,
        name=person.name,
        language=person.language,
        role=person.role,
        organization_id=person.organization_id,
        active=person.active,
        tier=person.tier,
        skills=list(person.skills),
    )


async def ensure_person(
    unit: Unit,
    log: Log,
    ports: Ports,
    *,
    email: str,
    role: Role,
    name: str | None = None,
    language: str | None = None,
    organization_id: str | None = None,
    tier: str | None = None,
    skills: Sequence[str] = (),
) -> Person:
    """Make sure that an active person with this address is as described; nothing happens where they are already.

    Args:
        unit: the transaction.
        log: where the event goes.
        ports: gives a new person's id.
        email: who it is; letter case doesn't matter.
        role: what they are to the desk.
        name: how they are addressed.
        language: the language tag (BCP 47) of what is sent to them.
        organization_id: for whom they act; a partner needs one.
        tier: where a specialist works.
        skills: what a specialist is good at.

    Raises:
        Invalid: see `change_person`.

    """
    old = await unit.one(PERSON_BY_EMAIL, email=normal_address(email))
    wanted = Person(
        id=old.id if old else ports.ids.new(),
        email=old.email if old else email,
        name=name,
        language=language,
        role=role.value,
        organization_id=organization_id,
        tier=tier,
        skills=tuple(skills),
        active=True,
        version=old.version if old else 0,
    )
    if old is None:
        return await add_person(unit, log, SYSTEM, wanted)
    return await change_person(unit, log, SYSTEM, old, wanted)


async def read_person(unit: Unit, person_id: str, *, to_change: bool = False) -> Person:
    """Return a person, `to_change`: and let nobody else change them until this transaction ends.

    Raises:
        NotFound: there is none with that id.

    """
    found = await unit.one(PERSON_TO_CHANGE if to_change else PERSON, id=person_id)
    if found is None:
        raise NotFound("Nobody has this ID. Check the ID.")
    return found


async def list_people(unit: Unit, organization_id: str | None, *, after: str, limit: int) -> list[Person]:
    """Return people, of one organisation where it is given, with ids after the one given, oldest first."""
    if organization_id is None:
        return await unit.all(PEOPLE, after=after, limit=limit)
    return await unit.all(PEOPLE_OF_ORGANIZATION, organization_id=organization_id, after=after, limit=limit)

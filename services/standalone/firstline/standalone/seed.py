"""People to try the desk with (development only): a client with a licence, a specialist, a supervisor."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from firstline.common.errors import Conflict
from firstline.common.permissions import Role
from firstline.common.store.port import Unit

if TYPE_CHECKING:
    from firstline.accounts.service.desk import Desk as Accounts

LINK_LIFE = timedelta(hours=12)
LICENCE_KEY = "DEMO-SHOP-2026-0001"


@dataclass(frozen=True, slots=True)
class Seeded:
    """Somebody to sign in as: how they are called, and the secret of their link."""

    title: str
    name: str
    email: str
    code: str


async def seed(accounts: "Accounts") -> list[Seeded]:
    """Make sure that the people exist; return a new sign-in link for each who has a page to see.

    By the same verbs as anybody: these people are in the log, and other services hear of them.
    """
    try:
        return await accounts.store.write(lambda unit: _seed(accounts, unit))
    except Conflict:  # another replica has just done the same; now it is found
        return await accounts.store.write(lambda unit: _seed(accounts, unit))


async def _seed(accounts: "Accounts", unit: Unit) -> list[Seeded]:
    """Make the people of the tour, unless they are there; return them with links that sign them in."""
    # Processes of other services import this module too, and have no use for these.
    from firstline.accounts.service.licences import ensure_licence
    from firstline.accounts.service.organizations import ensure_organization
    from firstline.accounts.service.people import ensure_person
    from firstline.accounts.service.sessions import new_sign_in_link

    log, ports = accounts.log, accounts.ports
    shop = await ensure_organization(unit, log, ports, name="Shop Example", kind="customer")
    await ensure_licence(
        unit, log, ports, key=LICENCE_KEY, organization_id=shop.id, product="Bitrix24 Self-hosted", edition="Business"
    )
    people = (
        ("client", "Clara Client", "clara@shop.example", Role.CLIENT, shop.id, None),
        ("specialist", "Anna Specialist", "anna@firstline.example", Role.AGENT, None, "helpdesk"),
        ("supervisor", "Sven Supervisor", "sven@firstline.example", Role.SUPERVISOR, None, "technical_support"),
    )
    seeded = []
    for title, name, email, role, organization_id, tier in people:
        person = await ensure_person(
            unit,
            log,
            ports,
            email=email,
            role=role,
            name=name,
            language="en",
            organization_id=organization_id,
            tier=tier,
        )
        code = await new_sign_in_link(unit, ports, accounts.wall, person.id, LINK_LIFE)
        seeded.append(Seeded(title, name, email, code))
    return seeded

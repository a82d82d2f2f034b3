"""What the launcher calls without HTTP: people, organisations and licences that are there afterwards, once."""

from datetime import UTC, datetime
from typing import Any

import pytest
from firstline.accounts.service.licences import ensure_licence
from firstline.accounts.store.directory import Licence
from firstline.common.errors import Invalid
from firstline.common.permissions import Role

END = datetime(2027, 1, 1, tzinfo=UTC)


async def _licence(world: Any, **facts: Any) -> Licence:
    runtime, given = world.runtime, {"key": "S24-NA-0001", "product": "Bitrix24", "organization_id": None} | facts
    licence: Licence = await world.write(lambda unit: ensure_licence(unit, runtime.log, runtime.ports, **given))
    return licence


async def _told(world: Any) -> list[tuple[str, int, dict[str, Any]]]:
    return [(event["type"], event["version"], event["data"]["actor"]) for event in await world.events()]


async def test_the_second_start_changes_nothing(world: Any) -> None:
    """Everything seeded twice is there once, with one event each, done by the desk itself."""
    for _ in range(2):
        shop = await world.organization()
        clara = await world.person("Clara@Shop.example", name="Clara", organization_id=shop.id)
        licence = await _licence(world, organization_id=shop.id, active_until=END)
    assert (clara.email, clara.organization_id, clara.active, clara.version) == ("clara@shop.example", shop.id, True, 1)
    assert (licence.last4, licence.active_until, licence.version) == ("0001", END, 1)
    desk = {"id": "accounts", "role": "service", "client_id": None}
    assert await _told(world) == [
        ("account.organization_changed", 1, desk),
        ("account.person_changed", 1, desk),
        ("account.licence_changed", 1, desk),
    ]


async def test_a_difference_is_stored_and_told(world: Any) -> None:
    """Somebody known with another role, or a licence with another end, is changed and keeps their id."""
    before = await world.person("anna@firstline.example", Role.AGENT, tier="helpdesk")
    after = await world.person("anna@firstline.example", Role.SUPERVISOR, skills=("dns",))
    assert (after.id, after.role, after.tier, after.skills, after.version) == (
        before.id,
        "supervisor",
        None,
        ("dns",),
        2,
    )
    old, new = await _licence(world), await _licence(world, key=" S24-NA-0001\n", active_until=END)
    assert (new.id, new.active_until, new.version) == (old.id, END, 2)
    assert (await world.get(f"/v1/licences/{old.id}")).json()["active_until"] == "2027-01-01T00:00:00Z"


async def test_somebody_inactive_is_let_in_again(world: Any) -> None:
    """Ensuring a person makes them active."""
    clara = await world.person()
    await world.patch(f"/v1/people/{clara.id}", {"active": False})
    assert (await world.person()).active
    assert (await world.signed_in(clara))["person"]["version"] == 3


async def test_organizations_are_told_apart_by_name_and_kind(world: Any) -> None:
    """A partner of the same name as a customer is another organisation."""
    customer, partner = await world.organization(), await world.organization(kind="partner")
    assert customer.id != partner.id
    assert await world.organization() == customer


async def test_an_unknown_organization_is_refused(world: Any) -> None:
    """Neither a person nor a licence of an unknown organisation is stored."""
    with pytest.raises(Invalid):
        await world.person(organization_id="none")
    with pytest.raises(Invalid):
        await _licence(world, organization_id="none")
    assert await _told(world) == []

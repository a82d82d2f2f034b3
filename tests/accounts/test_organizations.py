"""Organisations: customers and partners."""

from typing import Any

import pytest


async def test_an_organization_is_stored_and_told(world: Any) -> None:
    """A new organisation can be read again, and its event has its complete state."""
    answer = await world.post("/v1/organizations", {"name": " Shop Example ", "kind": "customer"}, "supervisor")
    body = answer.json()
    assert (answer.status_code, body) == (201, {"id": body["id"], "name": "Shop Example", "kind": "customer"})
    assert (await world.get(f"/v1/organizations/{body['id']}")).json() == body
    (event,) = await world.events()
    assert (event["type"], event["stream"]) == ("account.organization_changed", f"organization/{body['id']}")
    actor = {"id": "the supervisor", "role": "supervisor", "client_id": None}
    assert event["data"] == body | {"organization_id": body["id"], "actor": actor}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/name"),
        ({"name": "Shop"}, "/kind"),
        ({"name": "Shop", "kind": "rival"}, "/kind"),
        ({"name": 7, "kind": "customer"}, "/name"),
        ({"name": "Shop", "kind": "customer", "id": "mine"}, "/id"),
    ],
)
async def test_a_wrong_value_is_named_and_nothing_stored(world: Any, body: dict[str, Any], pointer: str) -> None:
    """Each wrong or unknown value is pointed at, and no organisation is stored."""
    answer = await world.post("/v1/organizations", body)
    assert answer.status_code == 422
    assert pointer in [fault["pointer"] for fault in answer.json()["errors"]]
    assert (await world.get("/v1/organizations")).json()["items"] == []
    assert await world.events() == []


async def test_organizations_are_listed_by_pages(world: Any) -> None:
    """Pages hold every organisation once, oldest first."""
    names = [f"Shop {number}" for number in range(4)]
    for name in names:
        await world.organization(name)
    first = (await world.get("/v1/organizations?limit=3", "agent")).json()
    second = (await world.get(f"/v1/organizations?limit=3&cursor={first['next']}", "agent")).json()
    assert [item["name"] for item in first["items"] + second["items"]] == names
    assert second["next"] is None
    assert (await world.get("/v1/organizations?limit=4", "agent")).json()["next"] is None


async def test_an_unknown_organization_is_not_found(world: Any) -> None:
    """An unknown ID is 404."""
    assert (await world.get("/v1/organizations/none")).status_code == 404

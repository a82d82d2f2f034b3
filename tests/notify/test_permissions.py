"""Who may call what: every operation of notify, for every role and for nobody."""

from typing import Any

import pytest

ROLES = ["client", "partner", "agent", "supervisor", "admin", "service"]
STAFF = {"agent", "supervisor", "admin"}
EVERYBODY = {"client", "partner"} | STAFF
KEEPERS = {"partner", "admin"}
ENDPOINT = "/v1/webhook-endpoints/{endpoint_id}"
ALLOWED: dict[tuple[str, str], set[str]] = {
    ("GET", "/v1/deliveries"): STAFF,
    ("GET", "/v1/deliveries/{delivery_id}"): STAFF,
    ("POST", "/v1/deliveries/{delivery_id}/retry"): {"supervisor", "admin"},
    ("GET", "/v1/events"): EVERYBODY,
    ("GET", "/v1/webhook-endpoints"): KEEPERS,
    ("POST", "/v1/webhook-endpoints"): KEEPERS,
    ("GET", ENDPOINT): KEEPERS,
    ("PATCH", ENDPOINT): KEEPERS,
    ("DELETE", ENDPOINT): KEEPERS,
    ("POST", f"{ENDPOINT}/rotate-secret"): KEEPERS,
}


async def test_every_operation_is_in_the_matrix(world: Any) -> None:
    """The operations of the API are exactly those of the matrix."""
    paths = world.app.openapi()["paths"]
    assert {(method.upper(), path) for path, methods in paths.items() for method in methods} == set(ALLOWED)


@pytest.mark.parametrize("role", [*ROLES, None])
async def test_only_the_roles_of_the_matrix_get_in(world: Any, role: str | None) -> None:
    """Others get 403, nobody 401, as problem documents; who is let in may still find nothing."""
    for (method, path), allowed in ALLOWED.items():
        url = path.replace("{endpoint_id}", "none").replace("{delivery_id}", "none")
        headers = world.token(role, organization_id="shop") if role else {}
        answer = await world.client.request(method, url, json={}, headers=headers)
        expected = 401 if role is None else 403
        assert (answer.status_code == expected) == (role not in allowed), (method, path)
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["type"].startswith("/problems/")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/url"),
        ({"url": "https://a.example/", "types": "ticket"}, "/types"),
        ({"url": "https://a.example/", "unknown": 1}, "/unknown"),
        ({"url": "https://a.example/", "description": "x" * 300}, "/description"),
    ],
)
async def test_wrong_bodies_say_what_is_wrong(world: Any, body: Any, pointer: str) -> None:
    """Each wrong member is named by a JSON pointer, and nothing is stored."""
    answer = await world.call("POST", "/v1/webhook-endpoints", body=body)
    assert answer.status_code == 422
    assert pointer in [fault["pointer"] for fault in answer.json()["errors"]]
    assert (await world.get("/v1/webhook-endpoints"))["items"] == []


async def test_the_description_of_the_api_is_complete(world: Any) -> None:
    """Every operation has a summary, its permission and a problem document among its answers."""
    document = world.app.openapi()
    operations = [one for path in document["paths"].values() for one in path.values()]
    assert len(operations) == len(ALLOWED)
    for operation in operations:
        assert operation["summary"]
        assert operation["x-permission"]
        assert "default" in operation["responses"]

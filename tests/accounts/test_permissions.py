"""Who may call what: every operation of accounts, for every role and for nobody."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from firstline.common.application import declared_operations

ROLES = ["client", "partner", "agent", "supervisor", "admin", "service"]
STAFF = {"agent", "supervisor", "admin"}
LEADERS = {"supervisor", "admin"}
KEY_HOLDERS = {"partner", "admin"}
EVERYBODY = {"client", "partner"} | STAFF
ALLOWED: dict[tuple[str, str], set[str]] = {
    ("GET", "/v1/people"): STAFF,
    ("POST", "/v1/people"): LEADERS,
    ("GET", "/v1/people/{person_id}"): STAFF,
    ("PATCH", "/v1/people/{person_id}"): LEADERS,
    ("DELETE", "/v1/people/{person_id}"): {"admin"},
    ("GET", "/v1/people/{person_id}/erasure"): {"admin"},
    ("GET", "/v1/organizations"): STAFF,
    ("POST", "/v1/organizations"): LEADERS,
    ("GET", "/v1/organizations/{organization_id}"): STAFF,
    ("GET", "/v1/licences"): STAFF,
    ("POST", "/v1/licences"): LEADERS,
    ("GET", "/v1/licences/{licence_id}"): STAFF,
    ("PATCH", "/v1/licences/{licence_id}"): LEADERS,
    ("GET", "/v1/api-keys"): KEY_HOLDERS,
    ("POST", "/v1/api-keys"): KEY_HOLDERS,
    ("POST", "/v1/api-keys/{key_id}/revoke"): KEY_HOLDERS,
    ("GET", "/v1/me"): EVERYBODY,
}
PUBLIC = {
    ("POST", "/v1/tokens"),
    ("POST", "/v1/tokens/refresh"),
    ("POST", "/v1/sign-in/codes"),
    ("POST", "/v1/sign-out"),
    ("GET", "/.well-known/jwks.json"),
}
BODIES: dict[tuple[str, str], Any] = {
    ("POST", "/v1/people"): {"email": "new@shop.example", "role": "client"},
    ("PATCH", "/v1/people/{person_id}"): {"name": "Another"},
    ("POST", "/v1/organizations"): {"name": "Shop", "kind": "customer"},
    ("POST", "/v1/licences"): {"key": "a licence key", "product": "Bitrix24"},
    ("PATCH", "/v1/licences/{licence_id}"): {"edition": "Another"},
    ("POST", "/v1/api-keys"): {"name": "CRM", "person_id": "nobody"},
}


def _operations(world: Any) -> Iterator[tuple[str, str, list[str]]]:
    """Yield method, path and declared permissions of each operation of the API."""
    for route in iter_route_contexts(world.app.routes):
        if isinstance(route.original_route, APIRoute) and route.include_in_schema:
            for method in route.methods or ():
                yield method, str(route.path_format), declared_operations(route.dependant)


async def test_every_operation_is_in_the_matrix(world: Any) -> None:
    """The operations of the API are those of the matrix and the public ones, each with one declared permission."""
    found = list(_operations(world))
    assert {(method, path) for method, path, _ in found} == ALLOWED.keys() | PUBLIC
    assert [(method, path) for method, path, rows in found if len(rows) != 1] == []
    assert {(method, path) for method, path, rows in found if rows == ["public"]} == PUBLIC


async def _call(world: Any, operation: tuple[str, str], headers: dict[str, str]) -> int:
    """Call an operation on things that are not there; return the status."""
    method, path = operation
    status: int = (
        await world.client.request(
            method, path.replace("{", "").replace("}", ""), json=BODIES.get(operation), headers=headers
        )
    ).status_code
    return status


@pytest.mark.parametrize("operation", ALLOWED, ids=" ".join)
async def test_an_operation_is_for_its_roles(world: Any, operation: tuple[str, str]) -> None:
    """Exactly the roles of the matrix pass; the others get 403, nobody gets 401."""
    statuses = {role: await _call(world, operation, world.bearer(role)) for role in ROLES}
    assert {role for role, status in statuses.items() if status != 403} == ALLOWED[operation]
    assert set(statuses.values()) <= {200, 201, 403, 404, 409, 422}
    assert await _call(world, operation, {}) == 401


async def test_refused_calls_store_nothing(world: Any) -> None:
    """After every role without the right has tried every change, the log is empty."""
    for operation in BODIES:
        for role in set(ROLES) - ALLOWED[operation]:
            assert await _call(world, operation, world.bearer(role)) == 403
    assert await world.events() == []


async def test_an_expired_token_opens_nothing(world: Any) -> None:
    """After its life and the leeway a token is refused with a challenge, also one that was taken before."""
    headers = world.bearer("admin")
    assert (await world.client.get("/v1/people", headers=headers)).status_code == 200
    world.wall.move(world.wall.now() + timedelta(hours=1, seconds=31))
    answer = await world.client.get("/v1/people", headers=headers)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="firstline"')


@pytest.mark.parametrize("value", ["Bearer", "Bearer x", "Basic YWRtaW46YWRtaW4=", "Bearer a.b.c", "Bearer " + "é" * 9])
async def test_a_strange_authorization_is_nobody(world: Any, value: str) -> None:
    """Other schemes and texts that are no token of ours are 401, never a failure."""
    answer = await world.client.get("/v1/people", headers={"Authorization": value.encode("latin-1")})
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/unauthenticated")


async def test_headers_of_a_proxy_give_no_rights(world: Any) -> None:
    """Names that a proxy might pass on are not believed."""
    headers = {"X-Forwarded-User": "admin", "X-Remote-User": "admin", "X-Forwarded-For": "127.0.0.1"}
    assert (await world.client.get("/v1/people", headers=headers)).status_code == 401


async def test_the_published_description_says_who_may(world: Any) -> None:
    """OpenAPI names the permission of each operation, its problem document, and an own id."""
    document = (await world.get("/openapi.json", None)).json()
    assert (await world.get("/openapi.json", None)).json() == document
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert {operation["x-permission"] for operation in operations} >= {"people.manage", "api_keys.manage", "public"}
    assert all("default" in operation["responses"] and "422" not in operation["responses"] for operation in operations)
    assert (
        len({operation["operationId"] for operation in operations})
        == len(operations)
        == len(ALLOWED | dict.fromkeys(PUBLIC))
    )
    assert "ticket" not in str([operation.get("description") for operation in operations]).lower()
    changes = document["components"]["schemas"]["PersonChanges"]["properties"]
    assert [name for name, member in changes.items() if "default" in member] == []

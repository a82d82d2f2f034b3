"""The API of all services is one OpenAPI document that tools can read."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
import pytest_asyncio
from fastapi.routing import APIRoute, iter_route_contexts
from firstline.common.permissions import PUBLIC, TABLE
from firstline.standalone.desk import StandaloneDesk
from firstline.standalone.gateway import merged_openapi
from near_desk import api
from schemathesis.specs.openapi.definitions import OPENAPI_31

DIALECT = "https://json-schema.org/draft/2020-12/schema"
PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def document(desk: StandaloneDesk) -> dict[str, Any]:
    """Return the document as the desk serves it."""
    async with api(desk) as http:
        answer = await http.get("/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture
def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return every operation by method and path."""
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def references(value: Any) -> Iterator[str]:
    """Yield every reference in a document."""
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for member in value.values():
            yield from references(member)
    elif isinstance(value, list):
        for member in value:
            yield from references(member)


def at(document: Any, pointer: str) -> Any:
    """Return what a reference within the document leads to, None where that is nothing."""
    for part in pointer.removeprefix("#/").split("/"):
        document = document.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(document, dict) else None
    return document


def test_it_is_valid(document: dict[str, Any]) -> None:
    """The document fulfils the published schema of OpenAPI 3.1, and each of its schemas is a JSON Schema."""
    errors = jsonschema_rs.validator_for(OPENAPI_31).iter_errors(document)
    assert [f"{error.instance_path}: {error.message[:200]}" for error in errors] == []
    for name, schema in document["components"]["schemas"].items():
        assert jsonschema_rs.meta.is_valid({"$schema": DIALECT, **schema}), name


def test_it_holds_every_route_and_no_other(document: dict[str, Any], desk: StandaloneDesk) -> None:
    """What the services serve to outsiders is what the document lists."""
    routes = {
        f"{method} {route.path_format}"
        for app in desk.services.values()
        for route in iter_route_contexts(app.routes)
        if isinstance(route.original_route, APIRoute) and route.include_in_schema
        for method in route.methods or ()
    }
    listed = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    assert listed == routes
    assert len(listed) > 50


def test_references_lead_somewhere(document: dict[str, Any]) -> None:
    """Every reference leads to something in the document itself."""
    found = set(references(document))
    assert found
    assert {pointer for pointer in found if not pointer.startswith("#/") or at(document, pointer) is None} == set()


def test_operation_ids_are_unique(operations: dict[str, dict[str, Any]]) -> None:
    """No two operations of all services have one id, so that generated clients have one method each."""
    ids = Counter(operation["operationId"] for operation in operations.values())
    assert {name: count for name, count in ids.items() if count > 1} == {}


def test_every_operation_is_complete(operations: dict[str, dict[str, Any]]) -> None:
    """Each operation has a summary, its permission, how to sign in unless it is public, and the problem document."""
    rows = {*TABLE, PUBLIC}
    assert [name for name, one in operations.items() if not one.get("summary")] == []
    assert [name for name, one in operations.items() if one["x-permission"] not in rows] == []
    assert [
        name for name, one in operations.items() if (one.get("security") is None) != (one["x-permission"] == PUBLIC)
    ] == []
    assert [name for name, one in operations.items() if one["responses"]["default"]["content"] != PROBLEM] == []


def test_the_scheme_to_sign_in_by_is_there(document: dict[str, Any], operations: dict[str, dict[str, Any]]) -> None:
    """Each scheme that an operation asks for is described."""
    asked = {name for one in operations.values() for way in one.get("security", ()) for name in way}
    assert asked == set(document["components"]["securitySchemes"]) == {"bearer"}


def test_the_parts_of_a_path_are_described(operations: dict[str, dict[str, Any]]) -> None:
    """Each {part} of a path is a required parameter, and there is no parameter for a part that isn't there."""
    for name, operation in operations.items():
        given = {p["name"]: p["required"] for p in operation.get("parameters", ()) if p["in"] == "path"}
        assert given == dict.fromkeys(re.findall(r"\{(\w+)\}", name), True), name


def test_two_meanings_of_one_schema_name_are_refused() -> None:
    """Services that mean different things by one schema name can't be merged; the same meaning twice can."""

    def service(kind: str) -> dict[str, Any]:
        return {"paths": {}, "components": {"schemas": {"Same": {"type": "null"}, "Thing": {"type": kind}}}}

    with pytest.raises(ValueError, match="late defines the schema Thing otherwise"):
        merged_openapi({"early": service("string"), "late": service("number")}, "1")
    merged = merged_openapi({"early": service("string"), "late": service("string")}, "1")
    assert set(merged["components"]["schemas"]) == {"Same", "Thing"}


def test_a_service_without_components_can_be_merged() -> None:
    """A service that needs no schema adds its paths alone."""
    assert merged_openapi({"small": {"paths": {"/a": {}}}}, "1")["paths"] == {"/a": {}}


_COMPUTES = "stores nothing: it computes an answer"
_SIGN_IN = "what it takes can be used once, and the new tokens are for nobody but the caller"
_CLAIM = "the claim's token and fence make a repetition harmless"
NEEDS_NO_KEY = {
    "POST /v1/api-keys/{key_id}/revoke": "revoking twice is revoking once",
    "POST /v1/calendar/add": _COMPUTES,
    "POST /v1/calendar/between": _COMPUTES,
    "POST /v1/calendar/open": _COMPUTES,
    "POST /v1/calendar/periods": _COMPUTES,
    "POST /v1/calendar/subtract": _COMPUTES,
    "POST /v1/clocks/compute": _COMPUTES,
    "POST /v1/clocks/recomputes/{recompute_id}/cancel": "stopping twice is stopping once",
    "POST /v1/tickets/check": _COMPUTES,
    "POST /v1/deliveries/{delivery_id}/retry": "it makes no delivery: the one that is there falls due now",
    "POST /v1/partner-webhooks/{source}": "the header webhook-id is the key (Standard Webhooks)",
    "POST /v1/queue/claims/{ticket_id}/release": _CLAIM,
    "POST /v1/queue/claims/{ticket_id}/renew": _CLAIM,
    "POST /v1/queue/claims/{ticket_id}/transfer": _CLAIM,
    "POST /v1/sign-in/codes": _SIGN_IN,
    "POST /v1/sign-in/links": "another link does no harm, and how many are sent is bounded",
    "POST /v1/sign-out": "signing out twice is signing out once",
    "POST /v1/tokens": _SIGN_IN,
    "POST /v1/tokens/refresh": _SIGN_IN,
}
"""Operations that make nothing anew when they are repeated, and why."""


def test_creating_may_be_repeated(operations: dict[str, dict[str, Any]]) -> None:
    """Every POST takes an Idempotency-Key, or we say why it needs none."""
    lacking = {
        name
        for name, operation in operations.items()
        if name.startswith("POST ")
        and "idempotency-key" not in {parameter["name"].lower() for parameter in operation.get("parameters", [])}
    }
    assert sorted(lacking) == sorted(set(NEEDS_NO_KEY) & set(operations)), set(NEEDS_NO_KEY) ^ lacking
    assert all(NEEDS_NO_KEY.values())

"""What strangers, mistakes and coincidence send: nothing fails inside, and nothing changes that shouldn't."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from firstline.common.permissions import Role
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

WRITES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/v1/people"): {"email": "new@shop.example", "role": "client"},
    ("PATCH", "/v1/people/{person}"): {"name": "New"},
    ("POST", "/v1/organizations"): {"name": "New", "kind": "customer"},
    ("POST", "/v1/licences"): {"key": "another licence key", "product": "Bitrix24"},
    ("PATCH", "/v1/licences/{licence}"): {"edition": "New"},
    ("POST", "/v1/api-keys"): {"name": "New"},
    ("POST", "/v1/tokens"): {"api_key": "unknown"},
    ("POST", "/v1/tokens/refresh"): {"refresh_token": "unknown"},
    ("POST", "/v1/sign-in/codes"): {"code": "unknown"},
    ("POST", "/v1/sign-out"): {"refresh_token": "unknown"},
}
NOT_TO_BE_SET = {
    "id": "mine",
    "version": 9,
    "sha256": "0" * 64,
    "key_sha256": "0" * 64,
    "last4": "0000",
    "revoked_at": None,
    "created_at": "2026-01-01T00:00:00Z",
    "client_id": "c",
    "uses_left": 9,
    "expires_at": "2099-01-01T00:00:00Z",
    "actor": {"id": "x", "role": "admin"},
}
OPTIONAL = ["language", "organization_id", "tier", "skills", "active", "edition", "active_until", "person_id"]
MEMBERS = sorted({*OPTIONAL, *(name for body in WRITES.values() for name in body)})
PLAUSIBLE = ["a@shop.example", "admin", "customer", "2027-01-01T00:00:00Z", "helpdesk", "en", "S24-NA-0001"]
SCALAR = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(PLAUSIBLE)
)
VALUE = SCALAR | st.lists(SCALAR, max_size=3) | st.dictionaries(st.text(max_size=5), SCALAR, max_size=2)
CHANGES = st.dictionaries(st.sampled_from(MEMBERS), VALUE, max_size=4)


async def _send(world: Any, method: str, path: str, body: Any) -> httpx.Response:
    """Send a body to an operation, on a person and a licence that are there."""
    licences = (await world.get("/v1/licences")).json()["items"]
    if not licences:
        licences = [(await world.post("/v1/licences", {"key": "a licence key", "product": "Bitrix24"})).json()]
    address = path.format(person=(await world.person()).id, licence=licences[0]["id"])
    answer: httpx.Response = await world.client.request(method, address, json=body, headers=world.bearer("admin"))
    return answer


@pytest.mark.parametrize(("method", "path"), WRITES)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=CHANGES, other=VALUE, whole=st.booleans())
async def test_any_json_is_answered_properly(
    world: Any, method: str, path: str, changes: dict[str, Any], other: Any, whole: bool
) -> None:
    """A good body with anything changed, or any other JSON, is taken or refused with a problem document."""
    answer = await _send(world, method, path, WRITES[method, path] | changes if whole else other)
    assert answer.status_code in {200, 201, 204, 401, 409, 422}
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"]


@pytest.mark.parametrize(("method", "path"), WRITES)
async def test_members_that_are_ours_are_not_taken(world: Any, method: str, path: str) -> None:
    """Ids, versions, hashes, instants and actors that a caller sends along are refused by their names (check 29)."""
    for member, value in NOT_TO_BE_SET.items():
        answer = await _send(world, method, path, WRITES[method, path] | {member: value})
        assert answer.status_code == 422
        assert f"/{member}" in [fault["pointer"] for fault in answer.json()["errors"]]


async def test_a_body_of_another_type_is_refused(world: Any) -> None:
    """A form instead of JSON is told which content type to send, and a huge body is too large; nothing is stored."""
    headers = world.bearer("admin")
    form = await world.client.post("/v1/people", data={"email": "a@b.example", "role": "client"}, headers=headers)
    assert form.status_code == 415
    huge = await world.client.post(
        "/v1/people", content=b" " * 2_000_000, headers=headers | {"Content-Type": "application/json"}
    )
    assert huge.status_code == 413
    assert await world.events() == []


async def test_one_of_many_gets_an_address(world: Any) -> None:
    """Of many who make the same person at once, one succeeds and the others are told that the address is taken."""
    body = {"email": "clara@shop.example", "role": "client"}
    answers = await asyncio.gather(*(world.post("/v1/people", body) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 19
    assert len(await world.events()) == 1


async def test_changes_at_once_are_all_counted(world: Any) -> None:
    """Changes of one person at once each get a version of their own, and the log has them without a gap."""
    clara = await world.person()
    answers = await asyncio.gather(*(world.patch(f"/v1/people/{clara.id}", {"name": f"Clara {n}"}) for n in range(20)))
    assert sorted(answer.json()["version"] for answer in answers) == list(range(2, 22))
    assert sorted(event["version"] for event in await world.events()) == list(range(1, 22))
    last = max(answers, key=lambda answer: int(answer.json()["version"]))
    assert (await world.get(f"/v1/people/{clara.id}")).json() == last.json()


async def test_another_organization_changes_nothing_for_a_partner(world: Any) -> None:
    """What a partner can read is the same, byte for byte, whatever another organisation does (check 33)."""
    own, other = await world.organization("Own", "partner"), await world.organization("Other", "partner")
    as_paul = {"role": "partner", "organization_id": own.id}
    mine = (await world.post("/v1/api-keys", {"name": "CRM", "organization_id": own.id}, **as_paul)).json()
    reads = ["/v1/api-keys", "/v1/api-keys?limit=1", "/v1/me", "/v1/people", "/v1/licences", f"/v1/people/{mine['id']}"]
    before = [(await world.get(path, **as_paul)).content for path in reads]
    theirs = (await world.post("/v1/api-keys", {"name": "Theirs", "organization_id": other.id})).json()
    await world.person("pia@other.example", Role.PARTNER, organization_id=other.id)
    await world.post("/v1/licences", {"key": "their licence", "product": "B", "organization_id": other.id})
    await world.post(f"/v1/api-keys/{theirs['id']}/revoke")
    assert [(await world.get(path, **as_paul)).content for path in reads] == before


async def test_a_restart_loses_nothing(world: Any) -> None:
    """Links, sessions, keys and people are there after the service was stopped and started."""
    clara = await world.person()
    code, session = await world.link(clara), await world.signed_in(clara)
    key = (await world.post("/v1/api-keys", {"name": "CRM", "person_id": clara.id})).json()
    await world.runtime.stop()
    assert (await world.get("/v1/people")).status_code == 503
    await world.runtime.start()
    assert (await world.post("/v1/sign-in/codes", {"code": code}, None)).status_code == 200
    assert (
        await world.post("/v1/tokens/refresh", {"refresh_token": session["refresh_token"]}, None)
    ).status_code == 200
    assert (await world.post("/v1/tokens", {"api_key": key["api_key"]}, None)).status_code == 200
    assert (await world.get(f"/v1/people/{clara.id}")).json()["version"] == 1


async def test_a_closed_store_lets_nobody_in(world: Any) -> None:
    """While the store is out of reach every sign-in is 503 with a time to try again, never a session."""
    code = await world.link(await world.person(), timedelta(days=1))
    await world.runtime.stop()
    sent = [
        ("/v1/sign-in/codes", {"code": code}),
        ("/v1/tokens", {"api_key": "k"}),
        ("/v1/tokens/refresh", {"refresh_token": "t"}),
        ("/v1/sign-out", {"refresh_token": "t"}),
    ]
    for path, body in sent:
        answer = await world.post(path, body, None)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    await world.runtime.start()
    assert (await world.post("/v1/sign-in/codes", {"code": code}, None)).status_code == 200

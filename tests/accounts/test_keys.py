"""API keys: whom they act for, who may make and revoke them, and when they stop working."""

from typing import Any

import pytest
from firstline.common.permissions import Principal, Role
from firstline.common.tokens import Verifier


async def _made(world: Any, **owner: str) -> dict[str, Any]:
    answer = await world.post("/v1/api-keys", {"name": "CRM", **owner})
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def _principal(world: Any, api_key: str) -> Principal | None:
    """Exchange a key for a token and return who it speaks for, or None where it is refused."""
    answer = await world.post("/v1/tokens", {"api_key": api_key}, None)
    if answer.status_code == 401:
        return None
    assert answer.status_code == 200, answer.text
    return Verifier(world.signer.public_keys(), world.wall).principal(answer.json()["access_token"])


async def test_a_key_is_shown_once(world: Any) -> None:
    """The secret is in the answer that makes the key, and in no list, event or file of the store."""
    anna = await world.person("anna@firstline.example", Role.AGENT)
    made = await _made(world, person_id=anna.id)
    assert made["api_key"].startswith("flk_")
    assert len(made["api_key"]) == len("flk_") + 43
    assert made["api_key"].endswith(made["last4"])
    (listed,) = (await world.get("/v1/api-keys")).json()["items"]
    assert made == listed | {"api_key": made["api_key"]}
    assert listed | {"last4": ""} == {
        "id": made["id"],
        "name": "CRM",
        "last4": "",
        "person_id": anna.id,
        "organization_id": None,
        "role": "agent",
        "created_at": "2026-11-23T12:00:00Z",
        "revoked_at": None,
    }
    stored = b"".join(path.read_bytes() for path in world.path.parent.iterdir())
    assert made["id"].encode() in stored
    assert made["api_key"].encode() not in stored


async def test_a_key_acts_for_its_person(world: Any) -> None:
    """Its token has the person's claims and names the key as the client."""
    shop = await world.organization("Agency", "partner")
    paul = await world.person("paul@agency.example", Role.PARTNER, name="Paul", organization_id=shop.id)
    made = await _made(world, person_id=paul.id)
    answer = await world.post("/v1/tokens", {"api_key": made["api_key"]}, None)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json() | {"access_token": ""} == {"access_token": "", "token_type": "Bearer", "expires_in": 900}
    me = await world.client.get("/v1/me", headers={"Authorization": f"Bearer {answer.json()['access_token']}"})
    assert me.json() == {
        "id": paul.id,
        "role": "partner",
        "email": "paul@agency.example",
        "name": "Paul",
        "organization_id": shop.id,
        "tier": None,
        "skills": [],
        "client_id": made["id"],
    }


async def test_a_key_acts_for_its_organization(world: Any) -> None:
    """A key of an organisation reaches what a partner of it reaches, under an address that nobody can have."""
    shop = await world.organization()
    made = await _made(world, organization_id=shop.id)
    assert (made["role"], made["person_id"], made["organization_id"]) == ("partner", None, shop.id)
    principal = await _principal(world, made["api_key"])
    assert principal == Principal(
        id=shop.id,
        role=Role.PARTNER,
        email=f"{shop.id}@organization.invalid",
        organization_id=shop.id,
        client_id=made["id"],
        name="CRM",
    )


@pytest.mark.parametrize("end", ["revoked", "inactive", "role", "organization"])
async def test_a_key_ends_with_what_it_was_made_for(world: Any, end: str) -> None:
    """A key stops when revoked, and when its person is inactive or gets another role or organisation."""
    shop, other = await world.organization(), await world.organization("Other", "partner")
    clara = await world.person(organization_id=shop.id)
    made = await _made(world, person_id=clara.id)
    assert await _principal(world, made["api_key"]) is not None
    change = {"inactive": {"active": False}, "role": {"role": "agent"}, "organization": {"organization_id": other.id}}
    if end == "revoked":
        await world.post(f"/v1/api-keys/{made['id']}/revoke")
    else:
        await world.patch(f"/v1/people/{clara.id}", change[end])
    assert await _principal(world, made["api_key"]) is None


async def test_all_useless_keys_answer_alike(world: Any) -> None:
    """Unknown, mistyped and revoked keys get the same 401, word for word."""
    anna = await world.person("anna@firstline.example", Role.AGENT)
    made = await _made(world, person_id=anna.id)
    await world.post(f"/v1/api-keys/{made['id']}/revoke")
    sent = [made["api_key"], made["api_key"][:-1], "flk_unknown", "flk_ünknown", "x"]
    answers = [await world.post("/v1/tokens", {"api_key": key}, None) for key in sent]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1
    assert answers[0].json()["type"] == "/problems/unauthenticated"


@pytest.mark.parametrize(
    "body", [{}, {"api_key": ""}, {"api_key": None}, {"api_key": "x" * 201}, {"api_key": "k", "role": "admin"}]
)
async def test_a_body_that_holds_no_key_is_refused(world: Any, body: dict[str, Any]) -> None:
    """Nothing, null, far too much, or anything beside the key is 422."""
    assert (await world.post("/v1/tokens", body, None)).status_code == 422


async def test_revoking_is_told_and_stays(world: Any) -> None:
    """The first revocation is stored with its instant and told; a second changes nothing."""
    anna = await world.person("anna@firstline.example", Role.AGENT)
    made = await _made(world, person_id=anna.id)
    first = await world.post(f"/v1/api-keys/{made['id']}/revoke")
    world.clock.move(world.clock.now().replace(hour=13))
    second = await world.post(f"/v1/api-keys/{made['id']}/revoke")
    assert first.json()["revoked_at"] == second.json()["revoked_at"] == "2026-11-23T12:00:00Z"
    told = [event["data"] for event in await world.events() if event["type"] == "account.api_key_changed"]
    assert [data["revoked_at"] for data in told] == [None, "2026-11-23T12:00:00Z"]
    assert {name: told[1][name] for name in ("id", "name", "last4", "person_id", "role")} == {
        name: made[name] for name in ("id", "name", "last4", "person_id", "role")
    }
    assert (await world.post("/v1/api-keys/none/revoke")).status_code == 404


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": "CRM"}, ""),
        ({"name": "CRM", "person_id": "p", "organization_id": "o"}, ""),
        ({"name": "CRM", "person_id": "none"}, "/person_id"),
        ({"name": "CRM", "organization_id": "none"}, "/organization_id"),
        ({"person_id": "p"}, "/name"),
        ({"name": "CRM", "person_id": "p", "role": "admin"}, "/role"),
    ],
)
async def test_a_wrong_owner_is_named_and_nothing_stored(world: Any, body: dict[str, str], pointer: str) -> None:
    """A key needs exactly one owner whom the desk knows, and no role of its own."""
    answer = await world.post("/v1/api-keys", body)
    assert answer.status_code == 422
    assert pointer in [fault["pointer"] for fault in answer.json()["errors"]]
    assert (await world.get("/v1/api-keys")).json()["items"] == []


async def test_an_inactive_person_gets_no_key(world: Any) -> None:
    """A key for somebody inactive is refused like one for nobody."""
    clara = await world.person()
    await world.patch(f"/v1/people/{clara.id}", {"active": False})
    answer = await world.post("/v1/api-keys", {"name": "CRM", "person_id": clara.id})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/person_id")


async def test_a_partner_stays_inside_the_own_organization(world: Any) -> None:
    """A partner makes keys for themselves and their organisation; other owners are refused like unknown ones."""
    own, other = await world.organization("Own", "partner"), await world.organization("Other", "partner")
    paul = await world.person("paul@own.example", Role.PARTNER, organization_id=own.id)
    colleague = await world.person("pia@own.example", Role.CLIENT, organization_id=own.id)
    staff = await world.person("anna@firstline.example", Role.AGENT, organization_id=own.id)
    as_paul = {"role": "partner", "id": paul.id, "organization_id": own.id}
    for owner in ({"person_id": paul.id}, {"organization_id": own.id}):
        assert (await world.post("/v1/api-keys", {"name": "CRM", **owner}, **as_paul)).status_code == 201
    unknown = (await world.post("/v1/api-keys", {"name": "CRM", "organization_id": "none"}, **as_paul)).json()
    answer = await world.post("/v1/api-keys", {"name": "CRM", "organization_id": other.id}, **as_paul)
    assert (answer.status_code, answer.json()) == (422, unknown)
    for person in (colleague, staff):
        answer = await world.post("/v1/api-keys", {"name": "CRM", "person_id": person.id}, **as_paul)
        assert answer.status_code == 422


async def test_a_partner_sees_and_revokes_keys_of_the_own_organization_only(world: Any) -> None:
    """Another organisation's key is neither listed nor revoked, and answers like one that is not there."""
    own, other = await world.organization("Own", "partner"), await world.organization("Other", "partner")
    mine, theirs = await _made(world, organization_id=own.id), await _made(world, organization_id=other.id)
    as_paul = {"role": "partner", "organization_id": own.id}
    assert [key["id"] for key in (await world.get("/v1/api-keys", **as_paul)).json()["items"]] == [mine["id"]]
    refused = await world.post(f"/v1/api-keys/{theirs['id']}/revoke", **as_paul)
    assert refused.json() == (await world.post("/v1/api-keys/none/revoke", **as_paul)).json()
    assert await _principal(world, theirs["api_key"]) is not None
    assert (await world.post(f"/v1/api-keys/{mine['id']}/revoke", **as_paul)).status_code == 200
    assert await _principal(world, mine["api_key"]) is None


async def test_a_partner_without_an_organization_reaches_no_key(world: Any) -> None:
    """A token of a partner that names no organisation lists nothing, and revokes no key that has none either."""
    anna = await world.person("anna@firstline.example", Role.AGENT)
    made = await _made(world, person_id=anna.id)
    assert (await world.get("/v1/api-keys", "partner")).json()["items"] == []
    assert (await world.post(f"/v1/api-keys/{made['id']}/revoke", role="partner")).status_code == 404


async def test_a_cursor_of_one_organization_is_of_no_use_in_another(world: Any) -> None:
    """The place in one partner's list can't be taken over into another's."""
    own = await world.organization("Own", "partner")
    for _ in range(2):
        await _made(world, organization_id=own.id)
    page = (await world.get("/v1/api-keys?limit=1", "partner", organization_id=own.id)).json()
    path = f"/v1/api-keys?limit=1&cursor={page['next']}"
    assert len((await world.get(path, "partner", organization_id=own.id)).json()["items"]) == 1
    assert (await world.get(path, "partner", organization_id="another")).status_code == 422

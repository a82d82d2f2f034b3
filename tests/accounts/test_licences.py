"""Licences: known by the hash of their key, and changed when they are renewed."""

import hashlib
from typing import Any

import pytest

KEY = "S24-NA-1FZ0-7K3M-9QPX"
LICENCE = {"key": KEY, "product": "Bitrix24", "edition": "Enterprise", "active_until": "2027-01-01T00:00:00Z"}


async def test_a_licence_is_kept_without_its_key(world: Any) -> None:
    """The answer shows the last four characters; the key itself is in no answer, event, table or log of the store."""
    shop = await world.organization()
    answer = await world.post("/v1/licences", LICENCE | {"organization_id": shop.id}, key="once")
    body = answer.json()
    facts = {name: LICENCE[name] for name in ("product", "edition", "active_until")}
    assert body == {"id": body["id"], "last4": "9QPX", "organization_id": shop.id, "version": 1, **facts}
    assert (answer.status_code, answer.headers["ETag"]) == (201, '"1"')
    assert (await world.get(f"/v1/licences/{body['id']}")).json() == body
    (event,) = [event for event in await world.events() if event["type"] == "account.licence_changed"]
    assert event["stream"] == f"licence/{body['id']}"
    assert event["data"]["key_sha256"] == hashlib.sha256(KEY.encode()).hexdigest()
    assert event["data"] | body == event["data"] | {"version": 1}
    stored = b"".join(path.read_bytes() for path in world.path.parent.iterdir())
    assert hashlib.sha256(KEY.encode()).hexdigest().encode() in stored
    assert KEY.encode() not in stored


async def test_spaces_around_a_key_do_not_count(world: Any) -> None:
    """A key with spaces around it is the same key, which is known only once; its letter case counts."""
    assert (await world.post("/v1/licences", LICENCE)).status_code == 201
    again = await world.post("/v1/licences", LICENCE | {"key": f"  {KEY}\n"})
    assert (again.status_code, again.json()["type"]) == (409, "/problems/licence-known")
    assert (await world.post("/v1/licences", LICENCE | {"key": KEY.lower()})).status_code == 201


async def test_a_renewal_is_stored_and_told(world: Any) -> None:
    """Changing the last day keeps the rest, raises the version, and its event has the complete new state."""
    licence = (await world.post("/v1/licences", LICENCE)).json()
    answer = await world.patch(f"/v1/licences/{licence['id']}", {"active_until": "2028-01-01T02:00:00+02:00"})
    assert answer.json() == licence | {"active_until": "2028-01-01T00:00:00Z", "version": 2}
    assert answer.headers["ETag"] == '"2"'
    assert (await world.get(f"/v1/licences/{licence['id']}")).json() == answer.json()
    last = (await world.events())[-1]
    assert (last["version"], last["data"]["active_until"], last["data"]["last4"]) == (2, "2028-01-01T00:00:00Z", "9QPX")


async def test_a_licence_without_end(world: Any) -> None:
    """Null as the last day means without end."""
    licence = (await world.post("/v1/licences", LICENCE)).json()
    answer = await world.patch(f"/v1/licences/{licence['id']}", {"active_until": None})
    assert answer.json()["active_until"] is None


async def test_no_change_is_no_event(world: Any) -> None:
    """The same last day in another time zone changes nothing and tells nobody."""
    licence = (await world.post("/v1/licences", LICENCE)).json()
    answer = await world.patch(f"/v1/licences/{licence['id']}", {"active_until": "2027-01-01T03:00:00+03:00"})
    assert answer.json() == licence
    assert len(await world.events()) == 1


async def test_an_old_version_is_not_overwritten(world: Any) -> None:
    """A change with the ETag of an older version is refused with 412."""
    path = f"/v1/licences/{(await world.post('/v1/licences', LICENCE)).json()['id']}"
    assert (await world.patch(path, {"edition": None}, if_match='"1"')).status_code == 200
    assert (await world.patch(path, {"edition": "Start"}, if_match='"1"')).status_code == 412
    assert (await world.get(path)).json()["edition"] is None


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"key": "short"}, "/key"),
        ({"product": ""}, "/product"),
        ({"organization_id": "none"}, "/organization_id"),
        ({"active_until": "2027-01-01T00:00:00"}, "/active_until"),
        ({"active_until": "soon"}, "/active_until"),
        ({"active_until": "0001-01-01T00:00:00+14:00"}, "/active_until"),
        ({"active_until": "9999-12-31T23:59:59-12:00"}, "/active_until"),
        ({"key_sha256": "0" * 64}, "/key_sha256"),
    ],
)
async def test_a_wrong_value_is_named_and_nothing_stored(world: Any, wrong: dict[str, Any], pointer: str) -> None:
    """Each wrong or unknown value is pointed at, and no licence is stored."""
    answer = await world.post("/v1/licences", LICENCE | wrong)
    assert answer.status_code == 422
    assert pointer in [fault["pointer"] for fault in answer.json()["errors"]]
    assert (await world.get("/v1/licences")).json()["items"] == []
    assert await world.events() == []


@pytest.mark.parametrize(
    "wrong", [{"product": None}, {"organization_id": "none"}, {"key": "another key"}, {"last4": "0000"}]
)
async def test_a_wrong_change_is_refused(world: Any, wrong: dict[str, Any]) -> None:
    """A product can't be nothing, the organisation must be known, and the key is what the licence is."""
    licence = (await world.post("/v1/licences", LICENCE)).json()
    assert (await world.patch(f"/v1/licences/{licence['id']}", wrong)).status_code == 422
    assert (await world.get(f"/v1/licences/{licence['id']}")).json() == licence


async def test_licences_are_listed(world: Any) -> None:
    """All are listed oldest first, or those of one organisation; an unknown ID is 404."""
    shop = await world.organization()
    first = (await world.post("/v1/licences", LICENCE)).json()
    second = (await world.post("/v1/licences", LICENCE | {"key": "another key", "organization_id": shop.id})).json()
    assert (await world.get("/v1/licences", "agent")).json()["items"] == [first, second]
    assert (await world.get(f"/v1/licences?organization_id={shop.id}", "agent")).json()["items"] == [second]
    assert (await world.get("/v1/licences/none", "agent")).status_code == 404

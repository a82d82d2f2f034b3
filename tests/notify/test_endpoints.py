"""Endpoints over HTTP: whose they are, where they may point, what they may hear of (checks 42, 44)."""

from typing import Any

import pytest

PATH = "/v1/webhook-endpoints"
URL = "https://hooks.shop.example/firstline"
PAUL = {"email": "paul@shop.example", "organization_id": "shop"}


async def made(world: Any, role: str = "admin", body: Any = None, **who: Any) -> dict[str, Any]:
    """Return a new endpoint."""
    answer = await world.call("POST", PATH, role, {"url": URL} | (body or {}), **who)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_secret_is_shown_once(world: Any) -> None:
    """Making and rotating show the secret; reading, listing and changing don't."""
    new = await made(world, body={"types": ["ticket.replied"], "description": "CRM"})
    assert new["secret"].startswith("whsec_")
    read = await world.call("GET", f"{PATH}/{new['id']}")
    assert "secret" not in read.json()
    assert read.headers["ETag"] == '"1"'
    assert "whsec_" not in (await world.call("GET", PATH)).text
    turned = await world.call("POST", f"{PATH}/{new['id']}/rotate-secret", body={})
    assert turned.status_code == 200
    assert turned.headers["Cache-Control"] == "no-store"
    assert turned.json()["secret"] not in ("", new["secret"])


async def test_a_retry_gets_the_same_endpoint_and_secret(world: Any) -> None:
    """One Idempotency-Key makes one endpoint; another body under it is refused."""
    key = {"Idempotency-Key": "k1"}
    first = await world.call("POST", PATH, body={"url": URL}, headers=key)
    second = await world.call("POST", PATH, body={"url": URL}, headers=key)
    assert first.json() == second.json()
    assert len((await world.get(PATH))["items"]) == 1
    other = await world.call("POST", PATH, body={"url": URL, "content": True}, headers=key)
    assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-key-reused")


async def test_partners_keep_those_of_their_organization(world: Any) -> None:
    """A partner makes, sees and changes only their organisation's; to others they don't exist."""
    own = await made(world, "partner", **PAUL)
    foreign = await made(world, body={"organization_id": "other"})
    assert own["organization_id"] == "shop"
    assert [one["id"] for one in (await world.get(PATH, "partner", **PAUL))["items"]] == [own["id"]]
    assert len((await world.get(PATH))["items"]) == 2
    for method, path in [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/rotate-secret")]:
        answer = await world.call(method, f"{PATH}/{foreign['id']}{path}", "partner", {}, **PAUL)
        assert answer.status_code == 404, method
    refused = await world.call("POST", PATH, "partner", {"url": URL, "organization_id": "other"}, **PAUL)
    assert refused.status_code == 403
    assert (await world.call("POST", PATH, "partner", {"url": URL})).status_code == 403


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.1/", "http://10.0.0.1/", "http://169.254.169.254/latest", "http://[::1]/", "http://[fd00::1]/"),
        *("http://[::ffff:127.0.0.1]/", "http://0x7f.1/", "http://2130706433/", "https://user@host.example/"),
        *("ftp://host.example/", "https://host.example:5432/", "https://host.example:22/", "https://host.example/#x"),
        *(
            "https://h\u043est.example/",
            "https://127.0.0.2/",
            "host.example",
            "javascript:alert(1)",
            "https://a." + "b" * 3000,
        ),
    ],
)
async def test_places_that_are_not_public_are_refused(world: Any, url: str) -> None:
    """Private, reserved and oddly written addresses, closed ports and other schemes make no endpoint."""
    answer = await world.call("POST", PATH, body={"url": url})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/url"
    assert (await world.get(PATH))["items"] == []


async def test_types_must_be_known_and_within_reach(world: Any) -> None:
    """Unknown types and, for organisations, types that clients don't see are faults at their place."""
    answer = await world.call("POST", PATH, body={"url": URL, "types": ["ticket", "nothing"]})
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/types/1"]
    answer = await world.call(
        "POST", PATH, "partner", {"url": URL, "types": ["queue", "ticket", "ticket.noted"]}, **PAUL
    )
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/types/0", "/types/2"]
    assert (await made(world, body={"types": ["queue", "ticket.noted"]}))["types"] == ["queue", "ticket.noted"]


async def test_an_endpoint_hears_of_its_organization_and_its_types(world: Any) -> None:
    """An event makes deliveries for the enabled endpoints of its organisation and for the desk's own, by type."""
    mine = await made(world, "partner", **PAUL)
    everything = await made(world)
    await made(world, body={"organization_id": "other"})
    await made(world, body={"types": ["ticket.closed"]})
    silent = await made(world)
    await world.call("PATCH", f"{PATH}/{silent['id']}", body={"state": "disabled"})
    await world.tell(world.submitted())
    heard = [one["endpoint_id"] for one in await world.deliveries("channel=webhook")]
    assert heard == [mine["id"], everything["id"]]


async def test_changes_honour_the_version_that_was_read(world: Any) -> None:
    """Only what is sent changes; an older ETag is refused; a bad URL changes nothing."""
    new = await made(world, body={"description": "CRM"})
    path = f"{PATH}/{new['id']}"
    changed = await world.call("PATCH", path, body={"content": True}, headers={"If-Match": '"1"'})
    assert (changed.json()["content"], changed.json()["description"], changed.headers["ETag"]) == (True, "CRM", '"2"')
    assert (await world.call("PATCH", path, body={}, headers={"If-Match": '"1"'})).status_code == 412
    assert (await world.call("PATCH", path, body={"url": "http://10.0.0.1/"})).status_code == 422
    assert (await world.get(path))["url"] == URL


async def test_a_deleted_endpoint_gets_nothing_more(world: Any, sinks: Any) -> None:
    """What was under way ends as failed and can't be sent again."""
    new = await made(world, body={"url": (await sinks(hangs=True)).url})
    await world.tell(world.submitted())
    assert (await world.call("DELETE", f"{PATH}/{new['id']}")).status_code == 204
    assert (await world.call("GET", f"{PATH}/{new['id']}")).status_code == 404
    await world.settle()
    (push,) = await world.deliveries("channel=webhook")
    assert (push["state"], push["reason"]) == ("failed", "The endpoint was deleted.")
    again = await world.call("POST", f"/v1/deliveries/{push['id']}/retry", "supervisor")
    assert (again.status_code, "deleted" in again.json()["detail"]) == (409, True)


async def test_lists_are_paged(world: Any) -> None:
    """Endpoints and deliveries come in pages whose cursors can't be made up or mixed up."""
    ids = [(await made(world))["id"] for _ in range(3)]
    await world.tell(world.submitted())
    first = await world.get(f"{PATH}?limit=2")
    second = await world.get(f"{PATH}?limit=2&cursor={first['next']}")
    assert [one["id"] for one in first["items"] + second["items"]] == ids
    assert second["next"] is None
    page = await world.get("/v1/deliveries?limit=2", "agent")
    rest = await world.get(f"/v1/deliveries?limit=2&cursor={page['next']}", "agent")
    assert len({one["id"] for one in page["items"] + rest["items"]}) == 4
    for cursor in (first["next"], "made-up"):
        answer = await world.call("GET", f"/v1/deliveries?cursor={cursor}", "agent")
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "#query/cursor")

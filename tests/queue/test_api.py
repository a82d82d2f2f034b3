"""The edge of the service: bad input, permissions, what the API says of itself, figures."""

from datetime import timedelta
from typing import Any

import pytest
from firstline.common.permissions import TABLE

OPERATIONS = {
    ("get", "/v1/queue"): ("list_queue", "queue.list"),
    ("get", "/v1/queue/{ticket_id}"): ("read_place", "queue.read"),
    ("post", "/v1/queue/claims"): ("claim_request", "queue.claim"),
    ("post", "/v1/queue/claims/{ticket_id}/renew"): ("renew_claim", "queue.claim"),
    ("post", "/v1/queue/claims/{ticket_id}/release"): ("release_claim", "queue.claim"),
    ("post", "/v1/queue/claims/{ticket_id}/transfer"): ("transfer_claim", "queue.claim"),
}
CLAIMS = "/v1/queue/claims"


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        (CLAIMS, {"tier": "boss"}, "/tier"),
        (CLAIMS, {"tiers": "helpdesk"}, "/tiers"),
        (CLAIMS, {"skills": []}, "/skills"),
        (CLAIMS, {"skills": [""]}, "/skills/0"),
        (CLAIMS, {"skills": ["s"] * 51}, "/skills"),
        (CLAIMS, {"skills": "updates"}, "/skills"),
        (CLAIMS, {"ticket_id": ""}, "/ticket_id"),
        (CLAIMS, {"ticket_id": "x" * 101}, "/ticket_id"),
        (CLAIMS, {"ticket_id": 7}, "/ticket_id"),
        (CLAIMS, {"ticket_id": "x", "tier": "helpdesk"}, ""),
        (CLAIMS, [], ""),
        (f"{CLAIMS}/x/renew", {"fence": 0}, "/fence"),
        (f"{CLAIMS}/x/renew", {"fence": 2**63}, "/fence"),
        (f"{CLAIMS}/x/renew", {"fence": "many"}, "/fence"),
        (f"{CLAIMS}/x/release", {"agent": "boris"}, "/agent"),
        (f"{CLAIMS}/x/transfer", {}, "/agent"),
        (f"{CLAIMS}/x/transfer", {"agent": ""}, "/agent"),
        (f"{CLAIMS}/x/transfer", {"agent": "boris", "note": "n" * 501}, "/note"),
    ],
)
async def test_wrong_values_are_pointed_at(world: Any, path: str, body: Any, pointer: str) -> None:
    """A wrong body is 422 with a pointer to each wrong value and advice, and claims nothing."""
    ticket = await world.submit()
    answer = await world.post(path, body)
    problem = answer.json()
    assert (answer.status_code, answer.headers["Content-Type"]) == (422, "application/problem+json")
    assert problem["type"] == "/problems/invalid"
    assert [fault["pointer"] for fault in problem["errors"]] == [pointer]
    assert all(fault["detail"] for fault in problem["errors"])
    assert await world.told(ticket) == [("queue.entered", "submitted")]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("?tier=boss", "#query/tier"),
        ("?limit=0", "#query/limit"),
        ("?limit=101", "#query/limit"),
        ("?limit=many", "#query/limit"),
        ("?cursor=forged", "#query/cursor"),
        ("?cursor=", "#query/cursor"),
    ],
)
async def test_wrong_queries_are_pointed_at(world: Any, query: str, pointer: str) -> None:
    """A wrong filter, limit or cursor is 422 with a pointer to it."""
    answer = await world.get(f"/v1/queue{query}")
    assert (answer.status_code, [fault["pointer"] for fault in answer.json()["errors"]]) == (422, [pointer])


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"{", "application/json", 422),
        (b"\xff", "application/json", 422),
        (b'{"ticket_id": "a\\u0000b"}', "application/json", 422),
        (b'{"ticket_id": "' + b"x" * (1024 * 1024) + b'"}', "application/json", 413),
        (b"tier=helpdesk", "text/plain", 415),
    ],
)
async def test_what_is_not_json_is_refused(world: Any, content: bytes, content_type: str, status: int) -> None:
    """Broken JSON, NUL, bodies too large and other content types are problem documents, and claim nothing."""
    await world.submit()
    headers = world.headers("agent:anna") | {"Content-Type": content_type}
    answer = await world.client.post(CLAIMS, content=content, headers=headers)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert answer.json()["detail"]
    assert [item["claimed_by"] for item in await world.items()] == [None]


@pytest.mark.parametrize("key", ["", " ", "k" * 201])
async def test_bad_idempotency_keys(world: Any, key: str) -> None:
    """An Idempotency-Key that is empty or too long is 422 and claims nothing."""
    await world.submit()
    assert (await world.post(CLAIMS, {}, idempotency_key=key)).status_code == 422
    assert [item["claimed_by"] for item in await world.items()] == [None]


def _calls() -> list[tuple[str, str]]:
    return [(method, path.replace("{ticket_id}", "x")) for method, path in OPERATIONS]


@pytest.mark.parametrize(("method", "path"), _calls())
async def test_everything_needs_a_token(world: Any, method: str, path: str) -> None:
    """Without a token, or with one that is none, every operation is 401 and says how to sign in."""
    for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic eDp5"}):
        answer = await world.client.request(method, path, headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (401, "/problems/unauthenticated")
        assert "WWW-Authenticate" in answer.headers


@pytest.mark.parametrize(("method", "path"), [call for call in _calls() if call != ("get", "/v1/queue/x")])
@pytest.mark.parametrize("who", ["client:clara", "partner:paul", "service:intake"])
async def test_the_queue_is_for_staff(world: Any, method: str, path: str, who: str) -> None:
    """Clients, partners and services can neither list nor claim, whatever they send."""
    answer = await world.client.request(method, path, headers=world.headers(who), json={"agent": "boris"})
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/forbidden")


async def test_the_api_describes_itself(world: Any) -> None:
    """Each operation has its name, a summary, its permission and problem documents; nothing says ticket to clients."""
    document = (await world.client.get("/openapi.json")).json()
    found = {
        (method, path): (operation["operationId"], operation["x-permission"])
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    assert found == OPERATIONS
    for operations in document["paths"].values():
        for operation in operations.values():
            assert operation["summary"]
            assert "default" in operation["responses"]
            assert "ticket" not in operation["summary"].lower() + operation["description"].lower()
    claim = document["paths"][CLAIMS]["post"]["responses"]
    assert set(claim) >= {"201", "204", "default"}
    assert {row for _, row in OPERATIONS.values()} <= set(TABLE)


async def test_the_metrics_show_who_waits(world: Any) -> None:
    """The gauges give the number of free entries and the seconds that the oldest has waited, 0 when nobody waits."""
    assert await _figures(world) == {"firstline_queue_waiting": 0.0, "firstline_queue_oldest_seconds": 0.0}
    await world.submit()
    world.clock.move(world.clock.now() + timedelta(seconds=90))
    for urgency in ("high", "normal"):
        await world.submit(urgency=urgency)
    await world.take()
    assert await _figures(world) == {"firstline_queue_waiting": 2.0, "firstline_queue_oldest_seconds": 90.0}


async def _figures(world: Any) -> dict[str, float]:
    await world.runtime.settle()
    lines = (await world.client.get("/metrics")).text.splitlines()
    found = (line.split() for line in lines if line.startswith("firstline_queue_"))
    return {name: float(value) for name, value in found}


async def test_poison_is_parked_alone(world: Any) -> None:
    """An event whose ticket never began is parked with its reason, and other tickets go on."""
    broken, sound = [await world.submit() for _ in range(2)]
    world.producer.versions[f"ticket/{broken.id[:-1]}x"] = 0
    stranger = type(broken)(f"{broken.id[:-1]}x", "FL-ZZZZ-ZZZZ")
    await world.answer(stranger)
    await world.answer(sound)
    (parked,) = await world.runtime.inbox.parked()
    assert (parked.stream, "never submitted" in parked.reason) == (f"ticket/{stranger.id}", True)
    assert await world.numbers() == [broken.number]
    await world.runtime.store.write(lambda unit: _forget(unit, parked))


async def _forget(unit: Any, parked: Any) -> None:
    from firstline.common.inbox import DROP  # noqa: PLC0415

    await unit.run(DROP, source=parked.source, stream=parked.stream, version=parked.version, log=parked.log)

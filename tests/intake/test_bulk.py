"""One verb for many requests: a result each, nothing twice, nothing beyond anybody's reach (DESIGN section 5)."""

from typing import Any

import pytest
from firstline.intake.schemas.bulk import BULK_LIMIT
from intake_world import World

CLARA, KIM, ANNA = "client:clara", "client:kim", "agent:anna"


async def bulk(world: World, who: str = ANNA, key: str | None = None, **body: Any) -> dict[str, Any]:
    """Call for many, which has to be taken; return what came of it."""
    headers = {"Idempotency_Key": key} if key else {}
    answer = await world.post("/v1/tickets/bulk", body, who, **headers)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def problems(document: dict[str, Any]) -> list[str | None]:
    """Return the type of each result's problem."""
    return [item["problem"] and item["problem"]["type"] for item in document["items"]]


async def test_each_request_has_its_own_result(world: World) -> None:
    """What can't be done to one is told in the words of the single verb, and done to the others, each with events."""
    first, second, done = [await world.submit() for _ in range(3)]
    await world.must(done, "close", {"reason": "spam"})
    ids = [first["id"], second["number"], done["id"], "FL-0000-0000", first["id"]]
    found = await bulk(world, ids=ids, verb="wait", body={"cause": "client", "note": "All of them."})
    assert (found["done"], found["refused"], found["dry_run"]) == (2, 2, False)
    assert problems(found) == [None, None, "/problems/illegal-transition", "/problems/not-found"]
    assert [item["given"] for item in found["items"]] == ids[:4]
    single = await world.verb(done, "wait", {"cause": "client"})
    assert found["items"][2]["problem"]["allowed"] == single.json()["allowed"]
    for ticket in (first, second):
        assert (await world.ticket(ticket["id"]))["status"] == "waiting"
        assert [kind for kind, _ in await world.events(ticket["id"], after=1)] == ["ticket.waiting"]


async def test_a_request_named_twice_is_changed_once(world: World) -> None:
    """By its ID or its number, in whatever letters: the first mention counts, and the client gets one reply."""
    one, other = await world.submit(), await world.submit()
    ids = [one["number"].lower(), one["id"], other["id"], one["number"], other["number"], "fl-00000000", "FL-0000-0000"]
    found = await bulk(world, ids=ids, verb="messages", body={"body": "We are on it."})
    assert [item["given"] for item in found["items"]] == [ids[0], ids[2], ids[5], ids[6]]
    assert (found["done"], found["refused"]) == (2, 2)
    for ticket in (one, other):
        assert [kind for kind, _ in await world.events(ticket["id"], after=1)] == ["ticket.replied"]


async def test_a_retry_does_nothing_twice(world: World) -> None:
    """The same key gives the same answer; a call that was broken off is gone on with, for those it meant at first."""
    tickets = [await world.submit() for _ in range(4)]
    wish: dict[str, Any] = {"filter": {"status": "new"}, "verb": "messages", "body": {"body": "We are on it."}}
    own, calls = world.desk.store.write, 0

    async def broken_off(work: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 4:  # the filter's answer and two requests are through
            raise ConnectionError
        return await own(work)

    world.desk.store.write = broken_off  # type: ignore[method-assign]
    assert (await world.post("/v1/tickets/bulk", wish, Idempotency_Key="k")).status_code == 500
    world.desk.store.write = own  # type: ignore[method-assign]
    late = await world.submit()
    found = await bulk(world, key="k", **wish)
    assert (found["done"], found["refused"]) == (4, 0)
    assert await bulk(world, key="k", **wish) == found
    for ticket in tickets:
        assert len(await world.messages(ticket)) == 2
    assert len(await world.messages(late)) == 1
    other = await world.post("/v1/tickets/bulk", wish | {"verb": "resolve"}, Idempotency_Key="k")
    assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-key-reused")


async def test_a_dry_run_stores_nothing(world: World) -> None:
    """The results are those of the real run, and nothing is kept of it, not even of the key."""
    tickets = [await world.submit() for _ in range(2)]
    ids = [ticket["id"] for ticket in tickets] + ["nobody"]
    before = world.stored()
    tried = await bulk(world, key="k", ids=ids, verb="resolve", body={"body": "Done."}, dry_run=True)
    assert [item["status"] for item in tried["items"]] == ["resolved", "resolved", None]
    assert world.stored() == before
    assert (await bulk(world, key="k", ids=ids, verb="resolve", body={"body": "Done."}))["items"] == tried["items"]


async def test_reach_and_claims_hold_for_each(world: World) -> None:
    """A client reaches their own, staff verbs are for staff, and what another specialist holds is left alone."""
    mine, theirs, held = await world.submit(CLARA), await world.submit(KIM), await world.submit(CLARA)
    ids = [mine["id"], theirs["id"]]
    found = await bulk(world, CLARA, ids=ids, verb="messages", body={"body": "Any news?"})
    assert problems(found) == [None, "/problems/not-found"]
    refused = await world.post("/v1/tickets/bulk", {"ids": ids, "verb": "wait", "body": {"cause": "client"}}, CLARA)
    assert refused.status_code == 403
    note = {"ids": ids, "verb": "messages", "body": {"body": "Psst.", "audience": "internal"}}
    assert (await world.post("/v1/tickets/bulk", note, CLARA)).status_code == 403
    await world.claims(held, "queue.claimed", "ben", 1)
    wish: dict[str, Any] = {"ids": [mine["id"], held["id"]], "verb": "resolve", "body": {}}
    assert problems(await bulk(world, **wish)) == [None, "/problems/stale-claim"]
    tokens = {held["id"]: world.claim_token(held, "ben")}
    assert problems(await bulk(world, "agent:ben", **wish, claim_tokens=tokens))[1] is None


async def test_a_filter_means_what_a_list_shows(world: World) -> None:
    """Those that the list with the same conditions shows to the caller are changed, and no others."""
    await world.submit(CLARA, subject="White page")
    other = await world.submit(KIM, subject="Slow reports")
    found = await bulk(world, filter={"q": "white", "status": "new"}, verb="triage", body={"topic": "updates"})
    assert (found["done"], len(found["items"])) == (1, 1)
    assert (await world.ticket(other["id"]))["topic"] is None


@pytest.mark.parametrize(
    ("wish", "pointer"),
    [
        ({"ids": [], "verb": "resume"}, "/ids"),
        ({"verb": "resume"}, ""),
        ({"ids": ["a"], "filter": {"status": "new"}, "verb": "resume"}, ""),
        ({"filter": {}, "verb": "resume"}, ""),
        ({"filter": {"colour": "red"}, "verb": "resume"}, "/filter/colour"),
        ({"filter": {"q": "!"}, "verb": "resume"}, "/filter/q"),
        ({"ids": ["a"] * (BULK_LIMIT + 1), "verb": "resume"}, ""),
        ({"ids": ["a"], "verb": "split"}, "/verb"),
        ({"ids": ["a"], "verb": "wait", "body": {"cause": "weather"}}, "/body/cause"),
        ({"ids": ["a"], "verb": "wait"}, "/body/cause"),
        ({"ids": ["a"], "verb": "messages", "body": {"body": "x", "attachment_ids": ["f"]}}, "/body/attachment_ids"),
    ],
)
async def test_bad_wishes_say_what_to_change(world: World, wish: dict[str, Any], pointer: str) -> None:
    """Nobody, everybody, too many, an unknown verb, and a body that the verb doesn't take are refused at once."""
    answer = await world.post("/v1/tickets/bulk", wish)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer), answer.text

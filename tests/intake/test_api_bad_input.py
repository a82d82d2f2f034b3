"""Bad input: each kind gets its problem with place and advice, and nothing is stored."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from firstline.common.ports import ManualClock, SystemClock
from firstline.common.tokens import Signer
from intake_world import SIGNER, World, principal_of

GOOD: dict[str, Any] = {"subject": "White page", "body": "Nothing to see."}
DEEP: Any = "end"
for _ in range(300):
    DEEP = [DEEP]


async def refused(world: World, answer: httpx.Response, status: int, kind: str) -> dict[str, Any]:
    """Check an answer's status and type, and return its problem document."""
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json"), answer.text
    problem: dict[str, Any] = answer.json()
    assert problem["type"] == f"/problems/{kind}"
    assert problem["status"] == status
    assert problem["detail"]
    assert "Traceback" not in answer.text
    return problem


@pytest.mark.parametrize(
    ("change", "pointer", "advice"),
    [
        ({"subject": None}, "/subject", "string"),
        ({"subject": "  "}, "/subject", "1 character"),
        ({"subject": "x" * 301}, "/subject", "300"),
        ({"subject": "a\0b"}, "/subject", "NUL"),
        ({"subject": "\ud800"}, "/subject", "unicode"),
        ({"body": ""}, "/body", "1 character"),
        ({"body": " \n\t "}, "/body", "Write"),
        ({"body": "x" * 200_001}, "/body", "200000"),
        ({"body": "a\0b"}, "/body", "NUL"),
        ({"body": "a\udfff"}, "/body", "unicode"),
        ({"body": ["x"]}, "/body", "string"),
        ({"priority": "high"}, "/priority", "not known"),
        ({"id": "x"}, "/id", "not known"),
        ({"status": "closed"}, "/status", "not known"),
        ({"organization_id": "acme"}, "/organization_id", "not known"),
        ({"urgency": "high"}, "/urgency", "not known"),
        ({"topic": "nonsense"}, "/topic", "updates"),
        ({"topic": "a\0b"}, "/topic", "NUL"),
        ({"urgency_claim": "panic"}, "/urgency_claim", "normal"),
        ({"recovery": "maybe"}, "/recovery", "partial"),
        ({"requester": {"email": "nobody"}}, "/requester/email", "email"),
        ({"requester": {"email": "a@b.example", "language": "xx-yy"}}, "/requester/language", "pattern"),
        ({"requester": {"email": "a@b.example", "x": 1}}, "/requester/x", "not known"),
        ({"metadata": {"x": "y" * 17_000}}, "/metadata", "16384"),
        ({"metadata": {"x": DEEP}}, "/metadata", "20 levels"),
        ({"metadata": {"x": "a\0b"}}, "/metadata", "NUL"),
        ({"metadata": {"a\0b": 1}}, "/metadata", "NUL"),
        ({"metadata": {"x": ["\ud800"]}}, "/metadata", "surrogate"),
        ({"metadata": {"x": 2**63}}, "/metadata", "64 bits"),
        ({"metadata": {"x": float("nan")}}, "/metadata", "finite"),
        ({"metadata": {"x": float("inf")}}, "/metadata", "finite"),
        ({"metadata": []}, "/metadata", "dictionary"),
        ({"fields": {"version": "y" * 17_000}}, "/fields", "16384"),
        ({"fields": {"version": "\ud800"}}, "/fields", "surrogate"),
        ({"doc_refs": [{"x": DEEP}]}, "/doc_refs", "20 levels"),
        ({"doc_refs": ["x"] * 21}, "/doc_refs", "20"),
        ({"doc_refs": [1]}, "/doc_refs/0", "address of the page"),
        ({"attachment_ids": ["x"] * 21}, "/attachment_ids", "20"),
        ({"attachment_ids": ["a\0b"]}, "/attachment_ids/0", "NUL"),
        ({"attachment_ids": ["unknown"]}, "/attachment_ids/0", "Upload"),
        ({"external_ref": "x" * 201}, "/external_ref", "200"),
        ({"external_ref": ""}, "/external_ref", "1 character"),
        ({"channel": "email"}, "/channel", "mail"),
    ],
    ids=lambda value: str(value)[:30].encode("ascii", "backslashreplace").decode().replace("\0", "NUL"),
)
@pytest.mark.parametrize("path", ["/v1/tickets", "/v1/tickets/check"])
async def test_bad_values_are_named(world: World, path: str, change: dict[str, Any], pointer: str, advice: str) -> None:
    """A value that can't be taken is named by its JSON pointer with what to do, on submission as on the check."""
    before = world.stored()
    text = json.dumps(GOOD | change)
    headers = world.headers("client:clara") | {"Content-Type": "application/json", "Idempotency-Key": "k"}
    problem = (answer := await world.client.post(path, content=text, headers=headers)).json()
    assert answer.status_code == 422, answer.text
    faults = {fault["pointer"]: fault["detail"] for fault in problem["errors"]}
    place = next((found for found in faults if found.startswith(pointer)), None)
    assert place is not None, problem
    assert advice.lower() in faults[place].lower()
    assert world.stored() == before


@pytest.mark.parametrize("name", ["subject", "body"])
async def test_required_members(world: World, name: str) -> None:
    """A missing member is named and asked for."""
    before = world.stored()
    body = {key: value for key, value in GOOD.items() if key != name}
    problem = await refused(world, await world.post("/v1/tickets", body, "client:clara"), 422, "invalid")
    assert problem["errors"] == [{"pointer": f"/{name}", "detail": "This is required; add it."}]
    assert world.stored() == before


@pytest.mark.parametrize(
    "text", [b"", b"{", b'{"subject": }', b"null", b"[]", b'"x"', b"\xff\xfe", b"[" * 100_000, b'{"a":' + b"9" * 5000]
)
async def test_wrong_json(world: World, text: bytes) -> None:
    """What is no JSON object is refused as such, however odd."""
    before = world.stored()
    headers = world.headers("client:clara") | {"Content-Type": "application/json"}
    answer = await world.client.post("/v1/tickets", content=text, headers=headers)
    await refused(world, answer, 422, "invalid")
    assert world.stored() == before


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None])
async def test_wrong_content_type(world: World, kind: str | None) -> None:
    """A body that isn't declared as JSON is refused with the header to send."""
    before = world.stored()
    headers = world.headers("client:clara") | ({"Content-Type": kind} if kind else {})
    answer = await world.client.post("/v1/tickets", content=json.dumps(GOOD).encode(), headers=headers)
    problem = await refused(world, answer, 415, "unsupported-type")
    assert "application/json" in problem["detail"]
    assert world.stored() == before


@pytest.mark.parametrize("path", ["/v1/tickets", "/v1/attachments"])
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_hundred_megabytes(world: World, path: str, chunked: bool) -> None:
    """A body far too large is refused by its length, or as soon as too much has come; no more is read."""
    before = world.stored()
    sent = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
        yield head if path.endswith("attachments") else b'{"subject": "'
        for _ in range(100):
            sent += 1
            yield b"x" * 1024 * 1024

    kind = "multipart/form-data; boundary=b" if path.endswith("attachments") else "application/json"
    headers = world.headers("client:clara") | {"Content-Type": kind}
    headers |= {} if chunked else {"Content-Length": str(100 * 1024 * 1024)}
    answer = await world.client.post(path, content=body(), headers=headers)
    await refused(world, answer, 413, "too-large")
    assert sent <= (2 if path.endswith("tickets") else 27) * chunked
    assert world.stored() == before


@pytest.mark.parametrize("reference", ["nonsense", "01900000-0000-7000-8000-000000000000", "FL-0000-0000", "%20", "💥"])
async def test_unknown_ids(world: World, reference: str) -> None:
    """An unknown ID is answered alike by every operation, and nothing is stored."""
    before = world.stored()
    answers = [await world.get(f"/v1/tickets/{reference}{part}") for part in ("", "/messages", "/history")]
    answers += [
        await world.post(f"/v1/tickets/{reference}/{verb}", body)
        for verb, body in (("messages", {"body": "x"}), ("resolve", {}), ("triage", {}), ("wait", {"cause": "client"}))
    ]
    for answer in answers:
        await refused(world, answer, 404, "not-found")
    assert world.stored() == before


async def test_half_an_id(world: World) -> None:
    """A NUL in an ID is refused, not carried into the store."""
    answer = await world.get("/v1/tickets/a%00b")
    assert answer.status_code in (404, 422)


async def test_expired_token(world: World) -> None:
    """A token that has run out is told so, and that one signs in again."""
    before = world.stored()
    past = ManualClock(SystemClock().now() - timedelta(hours=2))
    token = Signer(SIGNER._key, past).token(principal_of("client:clara"), timedelta(hours=1))
    answer = await world.client.post("/v1/tickets", json=GOOD, headers={"Authorization": f"Bearer {token}"})
    problem = await refused(world, answer, 401, "unauthenticated")
    assert "WWW-Authenticate" in answer.headers
    assert "again" in problem["detail"]
    assert world.stored() == before


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"cursor": "nonsense"}, "#query/cursor"),
        ({"updated_after": "2026-11-23T06:00:00"}, "#query/updated_after"),
        ({"updated_after": "yesterday"}, "#query/updated_after"),
        ({"status": "lost"}, "#query/status"),
        ({"waiting_cause": "weather"}, "#query/waiting_cause"),
        ({"limit": "0"}, "#query/limit"),
        ({"limit": "101"}, "#query/limit"),
        ({"limit": "many"}, "#query/limit"),
    ],
)
async def test_bad_queries(world: World, query: dict[str, str], pointer: str) -> None:
    """A query that can't be understood is refused with the parameter's name."""
    problem = await refused(world, await world.get("/v1/tickets", "client:clara", **query), 422, "invalid")
    assert problem["errors"][0]["pointer"] == pointer


async def test_a_cursor_is_of_one_list(world: World) -> None:
    """The cursor of one list is refused by another."""
    ticket = await world.submit()
    for _ in range(2):
        await world.must(ticket, "messages", {"body": "x"})
    page = (await world.get(f"/v1/tickets/{ticket['id']}/messages", limit=1)).json()
    problem = await refused(world, await world.get("/v1/tickets", cursor=page["next"]), 422, "invalid")
    assert problem["errors"][0]["pointer"] == "#query/cursor"


async def test_metadata_comes_back_unchanged(world: World) -> None:
    """What free JSON may hold is given back as it was sent, at its edges too."""
    deepest: Any = "end"
    for _ in range(18):
        deepest = [deepest]
    metadata = {"n": 2**63 - 1, "f": 0.1, "e": "é💥\\u0000", "none": None, "yes": True, "deep": deepest, "": {"": []}}
    ticket = await world.submit(metadata=metadata)
    assert ticket["metadata"] == metadata
    assert (await world.ticket(ticket["id"]))["metadata"] == metadata
    ((_, data),) = await world.events(ticket["id"])
    assert data["metadata"] == metadata

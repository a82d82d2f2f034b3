"""Webhooks of partners' systems: proven by a signature, read by a mapping, taken once."""

import asyncio
import base64
import hashlib
import hmac
import json
from typing import Any

import httpx
import pytest
from firstline.intake.partners import Source, SourceTerms, key_of
from firstline.intake.service.partners import Partners
from intake_world import World

KEY, OLD = b"k" * 32, b"o" * 32
TERMS = SourceTerms.model_validate(
    {
        "code": "acme-crm",
        "title": "Acme CRM",
        "organization_id": "acme",
        "secret_file": "acme.secret",
        "members": {
            "subject": "case.title",
            "body": "case.notes.0",
            "requester_email": "case.contact.email",
            "requester_name": "case.contact.name",
            "external_ref": "case.id",
            "topic": "=updates",
            "fields": {"version": "case.version", "started": "case.since"},
            "metadata": {"url": "case.link"},
        },
    }
)
CASE: dict[str, Any] = {
    "id": 4711,
    "title": "No update",
    "notes": ["It stops."],
    "contact": {"email": "Kim@Acme.example", "name": "Kim"},
    "version": 24.1,
}


@pytest.fixture
def partners(world: World) -> Partners:
    """Let one source send webhooks to the service."""
    known = Partners({"acme-crm": Source(TERMS, (KEY, OLD))}, world.clock)
    world.app.state.partners = known
    return known


async def send(world: World, webhook_id: str = "w1", *, key: bytes = KEY, late: int = 0, **case: Any) -> httpx.Response:
    """Send a webhook about a case."""
    body = json.dumps({"type": "case", "case": CASE | case}).encode()
    at = str(int(world.clock.now().timestamp()) - late)
    mark = base64.b64encode(hmac.digest(key, f"{webhook_id}.{at}.".encode() + body, hashlib.sha256)).decode()
    headers = {"webhook-id": webhook_id, "webhook-timestamp": at, "webhook-signature": f"v1,bm9uZQ== v1,{mark}"}
    return await world.client.post("/v1/partner-webhooks/acme-crm", content=body, headers=headers)


pytestmark = pytest.mark.usefixtures("partners")


async def test_a_webhook_makes_a_request(world: World) -> None:
    """The first webhook with a reference makes a request of the partner's organisation, in the requester's name."""
    answer = await send(world)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    ticket = await world.ticket(made["ticket_id"])
    assert (made["created"], made["external_ref"], made["number"]) == (True, "4711", ticket["number"])
    assert (ticket["requester"]["email"], ticket["organization_id"]) == ("kim@acme.example", "acme")
    assert (ticket["subject"], ticket["topic"], ticket["channel"]) == ("No update", "updates", "partner_api")
    assert ticket["fields"] == {"version": "24.1"}
    assert "version" not in {missing["field"] for missing in ticket["missing_information"]}
    ((_, submitted),) = await world.events(made["ticket_id"])
    assert (submitted["actor"]["role"], submitted["actor"]["client_id"]) == ("partner", "acme-crm")


async def test_the_next_is_a_message(world: World) -> None:
    """A further webhook with the reference is added to the request, answers questions, and says whose system it was."""
    made = (await send(world)).json()
    await world.must({"id": made["ticket_id"]}, "wait", {"cause": "client"})
    answer = await send(world, "w2", notes=["Since Monday."], since="Monday")
    assert (answer.status_code, answer.json()["created"]) == (200, False)
    ticket = await world.ticket(made["ticket_id"])
    assert (ticket["status"], ticket["fields"]["started"]) == ("open", "Monday")
    message = (await world.messages(ticket, "partner:pia@acme"))[-1]
    assert (message["body"], message["author"]["name"], message["author"]["side"]) == ("Since Monday.", "Kim", "client")
    replied = next(data for kind, data in await world.events(ticket["id"]) if kind == "ticket.replied")
    assert (replied["actor"]["client_id"], replied["author"]["address"]) == ("acme-crm", "kim@acme.example")


async def test_the_same_webhook_changes_nothing(world: World) -> None:
    """The same id again, also much later or many times at once, gets the same answer; another body is refused."""
    first = await send(world)
    before = world.stored()
    world.move(hours=30)
    again = await asyncio.gather(*(send(world) for _ in range(8)))
    assert {(answer.status_code, answer.text) for answer in again} == {(201, first.text)}
    assert world.stored() == before
    assert (await send(world, title="Other")).status_code == 422
    assert world.stored() == before


async def test_two_at_once_make_one_request(world: World) -> None:
    """Of webhooks about one case that come at once, one makes the request and the others are messages to it."""
    answers = await asyncio.gather(*(send(world, f"w{at}", notes=[f"Note {at}."]) for at in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
    (ticket_id,) = {answer.json()["ticket_id"] for answer in answers}
    assert len(await world.messages({"id": ticket_id})) == 6


async def test_without_a_reference_each_is_a_request(world: World) -> None:
    """A webhook that names no reference makes a request of its own."""
    made = [(await send(world, f"w{at}", id=None)).json() for at in range(2)]
    assert made[0]["ticket_id"] != made[1]["ticket_id"]


@pytest.mark.parametrize(
    ("key", "late", "status"), [(KEY, 299, 201), (OLD, 0, 201), (b"x" * 32, 0, 401), (KEY, 301, 401), (KEY, -301, 401)]
)
async def test_only_the_right_signature_counts(world: World, key: bytes, late: int, status: int) -> None:
    """A fresh signature by the present or the earlier secret is right; any other leaves nothing."""
    before = world.stored()
    answer = await send(world, key=key, late=late)
    assert answer.status_code == status
    assert status == 201 or (world.stored() == before and answer.json()["type"] == "/problems/signature-refused")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"webhook-id": "w", "webhook-timestamp": "now", "webhook-signature": "v1,x"},
        {"webhook-id": "w" * 201, "webhook-timestamp": "1", "webhook-signature": "v1,x"},
        {"webhook-id": "w", "webhook-timestamp": "9" * 400, "webhook-signature": "v1,x"},
    ],
)
async def test_odd_headers_are_refused(world: World, headers: dict[str, str]) -> None:
    """What is no proper webhook is told so."""
    answer = await world.client.post("/v1/partner-webhooks/acme-crm", content=b"{}", headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/signature-refused")
    assert (await world.client.post("/v1/partner-webhooks/other", content=b"{}")).status_code == 404


@pytest.mark.parametrize(
    ("case", "pointer"),
    [
        ({"title": None}, "/case/title"),
        ({"notes": []}, "/case/notes/0"),
        ({"notes": "x"}, "/case/notes/0"),
        ({"title": {"a": 1}}, "/case/title"),
        ({"contact": {"email": "nobody"}}, "/case/contact/email"),
        ({"contact": None}, "/case/contact/email"),
        ({"title": "x" * 400}, "/case/title"),
        ({"title": "a\0b"}, "/case/title"),
    ],
)
async def test_what_is_wrong_is_shown_in_the_webhooks_own_words(world: World, case: Any, pointer: str) -> None:
    """A fault points into the partner's JSON, and nothing is stored."""
    before = world.stored()
    answer = await send(world, **case)
    assert answer.status_code == 422
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]
    assert world.stored() == before


async def test_other_organisations_are_out_of_reach(world: World) -> None:
    """The reference of another organisation's request is free for this one; a person of another one stays unknown."""
    other = await world.submit("partner:olga@other", external_ref="4711", requester={"email": "kim@acme.example"})
    made = (await send(world)).json()
    assert made["created"]
    assert made["ticket_id"] != other["id"]


async def test_what_ended_long_ago_is_followed_once(world: World) -> None:
    """After the window the first webhook makes a following request, and says so; the next ones are messages to it."""
    old = (await send(world)).json()
    await world.must({"id": old["ticket_id"]}, "close", {"reason": "aborted"})
    world.move(days=40)
    first, *others = [await send(world, f"late-{number}", notes=[f"News {number}"]) for number in range(3)]
    assert (first.status_code, first.json()["created"]) == (201, True)
    assert [(other.status_code, other.json()["created"]) for other in others] == [(200, False)] * 2
    assert {other.json()["ticket_id"] for other in others} == {first.json()["ticket_id"]} != {old["ticket_id"]}
    assert len(await world.messages({"id": first.json()["ticket_id"]})) == 3


def test_secrets_have_a_form() -> None:
    """A secret is `whsec_` and base64 of 24 bytes at least."""
    assert key_of("whsec_" + base64.b64encode(KEY).decode()) == KEY
    for wrong in (
        "",
        "whsec_",
        "whsec_!",
        base64.b64encode(KEY).decode(),
        "whsec_" + base64.b64encode(b"short").decode(),
    ):
        with pytest.raises(ValueError, match="whsec_"):
            key_of(wrong)

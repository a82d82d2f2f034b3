"""Entitlement: known at intake and now, learnt later by a key that is never kept, kept by what follows a request."""

import hashlib
import json
from typing import Any

import pytest
from intake_world import World, raw_mail

CLARA, KEY = "client:clara", "BX-2026-SECRET-0042"


async def licence(world: World, *, days: int | None = None, key: str = KEY, organization: str | None = None) -> None:
    """Let accounts tell of a licence that holds for so many days from now."""
    until = None
    if days is not None:
        world.move(days=days)
        until = world.clock.now()
    facts = {"id": f"l-{key[-4:]}", "key_sha256": hashlib.sha256(key.encode()).hexdigest(), "last4": key[-4:]}
    more = {"organization_id": organization, "product": "Bitrix24", "active_until": until}
    await world.tell("account.licence_changed", f"licence/l-{key[-4:]}", **facts, **more)


async def entitlement(world: World, ticket: Any, who: str = CLARA) -> dict[str, Any]:
    """Return what the licence entitles to."""
    document: dict[str, Any] = (await world.get(f"/v1/tickets/{ticket['id']}/entitlement", who)).json()
    return document


def stored_text(world: World) -> str:
    """Return everything that the store holds of requests, messages and events."""
    tables = ("ticket", "message", "log_event", "answer")
    return json.dumps([world.rows(f"SELECT * FROM {table}") for table in tables], default=str)


async def test_the_state_is_told_at_intake_and_now(world: World) -> None:
    """A licence that ended, or was renewed, since the request came in is told as it is now."""
    await licence(world)
    ticket = await world.submit(licence_key=KEY)
    assert (ticket["entitlement"], ticket["licence_last4"]) == ("active", "0042")
    await licence(world, days=1)
    world.move(days=1)
    told = await entitlement(world, ticket)
    assert (told["at_intake"], told["now"], told["last4"]) == ("active", "expired", "0042")
    assert told["notice"] == world.desk.policies.current.entitlement.expired.notice
    await licence(world)
    assert (await entitlement(world, ticket))["now"] == "active"
    assert (await world.get(f"/v1/tickets/{ticket['id']}/entitlement", "client:eve")).status_code == 404


async def test_an_organisations_licence_covers_its_requests(world: World) -> None:
    """A request without a key is covered by whatever licence its organisation has now."""
    ticket = await world.submit("client:kim@acme")
    assert (await entitlement(world, ticket, "client:kim@acme"))["now"] == "unknown"
    await licence(world, organization="acme")
    told = await entitlement(world, ticket, "client:kim@acme")
    assert (told["at_intake"], told["now"], told["notice"]) == ("unknown", "active", None)


@pytest.mark.parametrize("way", ["member", "field", "message"])
async def test_a_key_is_looked_up_and_let_go(world: World, way: str) -> None:
    """By whatever member a key comes, it is found, and no table holds it afterwards."""
    await licence(world)
    if way == "message":
        ticket = await world.submit()
        ticket = await world.must(ticket, "messages", {"body": "Here.", "fields": {"licence_key": f" {KEY} "}}, CLARA)
        replied = (await world.events(ticket["id"]))[-1][1]
        assert replied["changes"]["entitlement"] == ["unknown", "active"]
    else:
        given = {"licence_key": KEY} if way == "member" else {"fields": {"licence_key": KEY}}
        ticket = await world.submit(**given)
    assert (ticket["entitlement"], ticket["licence_last4"], ticket["product"]) == ("active", "0042", "Bitrix24")
    assert (await entitlement(world, ticket))["now"] == "active"
    assert KEY not in stored_text(world)


async def test_the_licence_is_told_with_the_request_and_with_the_message_that_names_it(world: World) -> None:
    """Whoever chooses targets by the licence learns its ID, and what it entitles to, at once and after each message."""
    await licence(world)
    known, unknown = await world.submit(licence_key=KEY), await world.submit()
    told = [(await world.events(ticket["id"]))[-1][1] for ticket in (known, unknown)]
    assert [(data["licence_id"], data["entitlement"]) for data in told] == [("l-0042", "active"), (None, "unknown")]
    for fields, expected in (({}, (None, "unknown")), ({"licence_key": KEY}, ("l-0042", "active"))):
        await world.must(unknown, "messages", {"body": "More.", "fields": fields}, CLARA)
        (replied,) = [data for kind, data in await world.events(unknown["id"]) if kind == "ticket.replied"][-1:]
        assert (replied["licence_id"], replied["entitlement"]) == expected


async def test_an_unknown_key_is_registered_and_shown_by_its_end(world: World) -> None:
    """A key that nobody knows drops nothing: the request is there, unknown, with the end of the key."""
    ticket = await world.submit(licence_key="NOBODY-KNOWS-THIS-9999")
    assert (ticket["entitlement"], ticket["licence_last4"]) == ("unknown", "9999")
    after = await world.must(ticket, "messages", {"body": "x", "fields": {"licence_key": "abc"}}, CLARA)
    assert (after["entitlement"], after["licence_last4"], after["fields"]) == ("unknown", "9999", {"licence_key": "…"})


async def test_what_follows_keeps_the_licence(world: World) -> None:
    """A request that is split off, or follows one that ended long ago, is covered by the same licence."""
    await licence(world)
    ticket = await world.submit(licence_key=KEY)
    await world.must(ticket, "messages", {"body": "And another thing."}, CLARA)
    other = (await world.messages(ticket))[-1]
    answer = await world.verb(ticket, "split", {"message_id": other["id"], "subject": "Another thing"})
    assert answer.is_success, answer.text
    (part,) = [one for one in (await world.get("/v1/tickets")).json()["items"] if one["subject"] == "Another thing"]
    assert (part["entitlement"], part["licence_last4"]) == ("active", "0042")
    await world.must(ticket, "close", {"reason": "aborted"})
    world.move(days=31)
    late = (await world.verb(ticket, "messages", {"body": "Still."}, CLARA)).json()
    assert late["ticket"]["follows"] == ticket["id"]
    assert late["ticket"]["entitlement"] == "active"


async def test_mail_may_bring_a_key(policy: Any, opened: Any, tmp_path: Any) -> None:
    """Where the policy asks for the key, a mail that brings it is entitled; the fields keep its end only."""
    document = policy.document()
    asked = {"code": "licence_key", "title": "Licence key", "question": "Which licence key?", "provenance": "inferred"}
    document["information"]["fields"].append(asked)
    document["information"]["always"].append("licence_key")
    async with opened(tmp_path, current=type(policy).from_document(document)) as other:
        await licence(other)
        judged = await other.mail(raw_mail(body=f"It is white.\nLicence key: {KEY}\n"))
        ticket = await other.ticket(judged["ticket_id"])
        assert (ticket["entitlement"], ticket["fields"]["licence_key"]) == ("active", "…0042")

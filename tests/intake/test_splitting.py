"""A message becomes a request of its own: what it carries, what both sides say, what is refused (clause 2.4)."""

import asyncio
import sqlite3
from contextlib import closing
from typing import Any

import pytest
from firstline.common.policy.model import Policy
from intake_world import World, raw_mail

CLARA, ANNA = "client:clara", "agent:anna"


async def asked_twice(world: World, who: str = CLARA, **message: Any) -> tuple[dict[str, Any], str]:
    """Return a request and the ID of a later message with a question of its own."""
    ticket = await world.submit(who, product="Bitrix24", version="24", topic="updates")
    world.move(minutes=5)
    body = {"body": "And how do I change the logo?", **message}
    answer = await world.verb(ticket, "messages", body, who)
    return ticket, str(answer.json()["id"])


async def split(world: World, ticket: dict[str, Any], message_id: str, **more: Any) -> dict[str, Any]:
    """Split a message off, which has to succeed; return the new request."""
    body = {"message_id": message_id, "subject": "The logo", **more}
    answer = await world.verb(ticket, "split", body)
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def test_a_message_becomes_a_request(world: World) -> None:
    """The new request has a number, the people, organisation and product of the old one, and the message's time."""
    await world.person("kim", "acme")
    old, message_id = await asked_twice(
        world, "partner:pia@acme", attachment_ids=[await world.upload("partner:pia@acme", "logo.png")]
    )
    written = world.clock.now()
    world.move(hours=3)
    new = await split(world, old, message_id)
    assert new["number"] != old["number"]
    assert (new["subject"], new["status"], new["split_from"], new["topic"]) == ("The logo", "new", old["id"], None)
    same = ("requester", "participants", "organization_id", "product", "product_version", "entitlement")
    assert {name: new[name] for name in same} == {name: old[name] for name in same}
    (message, remark) = await world.messages(new)
    assert (message["body"], message["author"]["id"]) == ("And how do I change the logo?", "pia")
    assert message["received_at"] == written.isoformat().replace("+00:00", "Z")
    assert old["number"] in remark["body"]
    (copy,) = message["attachments"]
    (original,) = [m for m in await world.messages(old) if m["id"] == message_id]
    assert (copy["name"], copy["id"] != original["attachments"][0]["id"]) == ("logo.png", True)
    for attachment in (copy, original["attachments"][0]):
        assert (await world.get(f"/v1/attachments/{attachment['id']}", "partner:pia@acme")).status_code == 200
    assert original["split_into"] == new["id"]


async def test_both_logs_tell_of_it(world: World) -> None:
    """The old stream tells the split, the new one its submission from it; the remarks count for nobody's answer."""
    old, message_id = await asked_twice(world)
    written = world.clock.now()
    world.move(hours=1)
    new = await split(world, old, message_id)
    (remark, said), (told, split_off) = zip(*(await world.events(old["id"], after=2)), strict=True)
    assert (remark, said) == ("ticket.replied", "ticket.split")
    assert (told["origin"]["automatic"], told["status"]) == (True, "new")
    assert (split_off["message_id"], split_off["into"], split_off["into_number"]) == (
        message_id,
        new["id"],
        new["number"],
    )
    (first, submitted), (second, back) = await world.events(new["id"])
    assert (first, second) == ("ticket.submitted", "ticket.replied")
    assert (submitted["split_from"], submitted["split_from_number"]) == (old["id"], old["number"])
    assert (submitted["received_at"], submitted["actor"]["id"]) == (written, "anna")
    assert back["origin"]["automatic"]


async def test_a_part_of_the_first_message_can_be_taken(world: World) -> None:
    """The first message can be split too, and the specialist may take a part of it only."""
    old = await world.submit(body="The page is white. And the logo is old.")
    (message,) = await world.messages(old)
    new = await split(world, old, message["id"], body=" And the logo is old. ")
    assert (await world.messages(new, CLARA))[0]["body"] == "And the logo is old."


@pytest.mark.parametrize("ending", [("close", {"reason": "aborted"}), ("wait", {"cause": "client"}), ("resolve", {})])
async def test_any_status_will_do_and_stays(world: World, ending: tuple[str, dict[str, Any]]) -> None:
    """What was closed, waits or is resolved stays so when a message is split off."""
    old, message_id = await asked_twice(world)
    before = await world.must(old, *ending)
    await split(world, old, message_id)
    assert (await world.ticket(old["id"]))["status"] == before["status"]


async def test_a_mail_is_split_off_with_its_files(world: World) -> None:
    """A mail's part answers that mail's thread, and of a file that was refused the reason comes along."""
    old = await world.submit()
    raw = raw_mail(
        f"Re: [{old['number']}] White page", "And the logo?", files={"a.bmp": b"BM123"}, Message_ID="<two@shop.example>"
    )
    assert (await world.mail(raw))["outcome"] == "appended"
    mailed = (await world.messages(old))[-1]
    new = await split(world, old, mailed["id"])
    ((_, submitted), _) = await world.events(new["id"])
    assert (submitted["origin"]["channel"], submitted["origin"]["message_id"]) == ("email", "<two@shop.example>")
    (copy,) = (await world.messages(new))[0]["attachments"]
    assert (copy["status"], copy["reason"]) == ("rejected", mailed["attachments"][0]["reason"])


async def test_what_can_not_be_split_changes_nothing(world: World) -> None:
    """Notes, answers, others' messages, unknown ones and ones split before are refused in words that help."""
    old, message_id = await asked_twice(world)
    other = await world.submit("client:kim")
    await world.verb(old, "messages", {"body": "Among us.", "audience": "internal"})
    await world.verb(old, "messages", {"body": "We look at it."})
    note, answer = (await world.messages(old))[-2:]
    new = await split(world, old, message_id)
    foreign = (await world.messages(other))[0]["id"]
    before = world.stored()
    for wrong, clause in ((note["id"], "2.4"), (answer["id"], "2.4"), (foreign, None), ("unheard-of", None)):
        refused = await world.verb(old, "split", {"message_id": wrong, "subject": "x"})
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/message_id")
        assert refused.json().get("clause") == clause
    again = await world.verb(old, "split", {"message_id": message_id, "subject": "x"})
    assert (again.status_code, again.json()["type"]) == (409, "/problems/already-split")
    assert (again.json()["number"], new["number"] in again.json()["detail"]) == (new["number"], True)
    blank = await world.verb(other, "split", {"message_id": foreign, "subject": "x", "body": " "})
    assert (blank.status_code, blank.json()["errors"][0]["pointer"]) == (422, "/body")
    assert (await world.verb(old, "split", {"message_id": message_id, "subject": "x"}, CLARA)).status_code == 403
    assert (await world.post("/v1/tickets/unknown/split", {"message_id": "m", "subject": "x"})).status_code == 404
    assert world.stored() == before


async def test_a_split_twice_at_once_makes_one(world: World) -> None:
    """Of two specialists one splits; a retry with the same key gets the same request."""
    old, message_id = await asked_twice(world)
    body = {"message_id": message_id, "subject": "The logo"}
    answers = await asyncio.gather(*(world.verb(old, "split", body, who) for who in (ANNA, "agent:ben")))
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    other, message_id = await asked_twice(world)
    body = {"message_id": message_id, "subject": "The logo"}
    retried = [await world.verb(other, "split", body, Idempotency_Key="once") for _ in range(2)]
    assert retried[0].json() == retried[1].json()


async def test_the_part_can_be_split_again(world: World) -> None:
    """A message with three questions gives a second part from the first part's own message."""
    old, message_id = await asked_twice(world)
    second = await split(world, old, message_id)
    copied = (await world.messages(second))[0]["id"]
    third = await split(world, second, copied, subject="A third")
    assert third["split_from"] == second["id"]


async def test_a_part_is_entitled_as_its_request_was(world: World, policy: Policy) -> None:
    """A policy that has come to refuse unknown licences doesn't keep a request that was entitled from being split."""
    old, message_id = await asked_twice(world)
    with closing(sqlite3.connect(world.folder / "intake.db")) as connection, connection:
        connection.execute("UPDATE ticket SET entitlement = 'active'")
    document = policy.document()
    document["entitlement"]["unknown"]["register_requests"] = False
    world.app.state.intake.policies.add(Policy.from_document(document), policy.version)
    assert (await split(world, old, message_id))["entitlement"] == "active"

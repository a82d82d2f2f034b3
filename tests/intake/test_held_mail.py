"""Held mail judged by a specialist: let in, opened as a request, rejected; once, and with its receipt time."""

import asyncio
from typing import Any

import pytest
from intake_world import OpenWorld, World, picture, raw_mail

EVE = "eve@else.example"


async def held(
    world: World, ticket: dict[str, Any] | None = None, files: dict[str, bytes] | None = None
) -> dict[str, Any]:
    """Return a stranger's mail that is held, beside a request where one is given."""
    ticket = ticket or await world.submit()
    return await world.mail(raw_mail(f"Re: [{ticket['number']}] x", "It is Eve.", EVE, files), EVE)


async def judge(world: World, mail: dict[str, Any], verb: str, body: Any = None, **more: Any) -> Any:
    """Judge a mail."""
    return await world.post(f"/v1/mails/{mail['id']}/{verb}", body or {}, **more)


async def test_accepted_mail_is_a_message_of_its_receipt(world: World) -> None:
    """A mail let in is added with its files, counts from its receipt, and shows who wrote it and who let it in."""
    ticket = await world.submit()
    await world.must(ticket, "wait", {"cause": "client"})
    received = world.clock.now()
    mail = await held(world, ticket, files={"a.png": picture()})
    world.move(hours=5)
    answer = await judge(world, mail, "accept")
    assert answer.status_code == 200, answer.text
    judged = answer.json()
    assert (judged["outcome"], judged["reason"], judged["held_reason"]) == ("appended", "accepted", "not_a_participant")
    assert (judged["ticket_id"], judged["number"], judged["decided_by"]) == (ticket["id"], ticket["number"], "anna")
    message = (await world.messages(ticket, "client:clara"))[-1]
    assert (message["body"].strip(), message["author"]["side"], message["verified"]) == ("It is Eve.", "client", False)
    assert [(file["name"], file["status"]) for file in message["attachments"]] == [("a.png", "ok")]
    kinds = dict(await world.events(ticket["id"], after=3))
    assert list(kinds) == ["ticket.replied", "ticket.resumed"]
    replied = kinds["ticket.replied"]
    assert (replied["received_at"], replied["author"]["address"], replied["actor"]["id"]) == (received, EVE, "anna")
    assert [person["address"] for person in replied["recipients"]] == ["clara@shop.example"]


async def test_the_sender_may_take_part(world: World) -> None:
    """Where the specialist says so, the sender is a participant from this message on: the next mail is appended."""
    ticket = await world.submit()
    mail = await held(world, ticket)
    assert (await judge(world, mail, "accept", {"participant": True})).status_code == 200
    events = await world.events(ticket["id"], after=2)
    assert [kind for kind, _ in events] == ["ticket.participant_added", "ticket.replied"]
    assert {person["address"] for person in events[1][1]["recipients"]} == {"clara@shop.example", EVE}
    assert (await world.ticket(ticket["id"]))["participants"] == ["clara@shop.example", EVE]
    again = await world.mail(raw_mail(f"[{ticket['number']}]", "More.", EVE), EVE)
    assert (again["outcome"], again["reason"]) == ("appended", "participant")


async def test_mail_can_go_into_another_request(world: World) -> None:
    """A mail that names the wrong request is let into the one that the specialist names."""
    first, second = await world.submit(), await world.submit()
    mail = await held(world, first)
    judged = (await judge(world, mail, "accept", {"ticket_id": second["number"]})).json()
    assert judged["ticket_id"] == second["id"]
    assert len(await world.messages(second)) == 2
    assert len(await world.messages(first)) == 1


async def test_mail_follows_a_merge(world: World) -> None:
    """Let into a request that goes on in another one, a mail is added there, and its sender takes part there."""
    duplicate, original = await world.submit(), await world.submit()
    mail = await held(world, duplicate)
    await world.must(duplicate, "merge", {"into": original["number"]})
    judged = (await judge(world, mail, "accept", {"participant": True})).json()
    assert judged["ticket_id"] == original["id"]
    assert EVE in (await world.ticket(original["id"]))["participants"]
    assert (await world.ticket(duplicate["id"]))["status"] == "closed"


async def test_a_mail_opens_a_request(world: World) -> None:
    """Opened, it is its sender's own request, received when the mail was; the other request's history says so."""
    ticket = await world.submit()
    received = world.clock.now()
    mail = await held(world, ticket, files={"a.png": picture()})
    world.move(hours=1)
    judged = (await judge(world, mail, "open")).json()
    assert (judged["outcome"], judged["reason"]) == ("new_ticket", "opened")
    new = await world.ticket(judged["ticket_id"])
    assert (new["requester"]["email"], new["subject"], new["participants"]) == (EVE, "Re: x", [EVE])
    (message,) = await world.messages(new)
    assert (message["author"]["role"], message["attachments"][0]["name"]) == ("client", "a.png")
    ((_, submitted),) = await world.events(new["id"])
    assert (submitted["received_at"], submitted["origin"]["channel"]) == (received, "email")
    kind, told = (await world.events(ticket["id"]))[-1]
    assert (kind, told["outcome"], told["reason"]) == ("ticket.held_mail", "new_ticket", "opened")


async def test_a_nameless_mail_needs_a_requester(world: World) -> None:
    """A mail without a sender opens a request only for somebody who is named."""
    mail = await world.mail(raw_mail(sender=""))
    refused = await judge(world, mail, "open")
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/requester")
    refused = await judge(world, mail, "accept")
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/ticket_id")
    judged = (await judge(world, mail, "open", {"requester": {"email": "Kim@Shop.example"}})).json()
    assert (await world.ticket(judged["ticket_id"]))["requester"]["email"] == "kim@shop.example"


async def test_a_rejected_mail_is_refused(world: World) -> None:
    """Rejected, it is in no correspondence, and its reason and judge are kept; a reason is required."""
    ticket = await world.submit()
    mail = await held(world, ticket)
    assert (await judge(world, mail, "reject", {"reason": " "})).status_code == 422
    judged = (await judge(world, mail, "reject", {"reason": "Nobody knows her."})).json()
    assert (judged["outcome"], judged["reason"], judged["remark"]) == ("refused", "rejected", "Nobody knows her.")
    assert (judged["held_reason"], judged["ticket_id"]) == ("not_a_participant", ticket["id"])
    assert len(await world.messages(ticket)) == 1
    assert [data["outcome"] for kind, data in await world.events(ticket["id"], after=1)] == ["quarantined", "refused"]


async def test_a_mail_is_judged_once(world: World) -> None:
    """What was judged can't be judged anew: the answer says what became of it, and no file is left over."""
    mail = await held(world, files={"a.png": picture()})
    assert (await judge(world, mail, "accept")).status_code == 200
    files = world.files()
    for verb, body in (("accept", {}), ("open", {}), ("reject", {"reason": "No."})):
        again = await judge(world, mail, verb, body)
        assert (again.status_code, again.json()["type"], again.json()["outcome"]) == (
            409,
            "/problems/mail-judged",
            "appended",
        )
    assert world.files() == files


async def test_two_specialists_at_once(world: World) -> None:
    """Of two who judge one mail at once, one does, and the other hears what became of it."""
    ticket = await world.submit()
    mail = await held(world, ticket, files={"a.png": picture()})
    answers = await asyncio.gather(
        judge(world, mail, "accept", who="agent:anna"),
        judge(world, mail, "open", who="agent:ben"),
        judge(world, mail, "reject", {"reason": "No."}, who="agent:eva"),
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409]
    assert len(world.rows("SELECT id FROM attachment")) == len(world.files()) - 1


async def test_a_retry_gets_the_same_answer(world: World) -> None:
    """The same key again answers the same and changes nothing."""
    ticket = await world.submit()
    mail = await held(world, ticket, files={"a.png": picture()})
    first = await judge(world, mail, "accept", Idempotency_Key="once")
    before = world.stored()
    again = await judge(world, mail, "accept", Idempotency_Key="once")
    assert (again.status_code, again.text) == (first.status_code, first.text)
    assert world.stored() == before


async def test_a_refused_opening_leaves_nothing(policy: Any, opened: OpenWorld, tmp_path: Any) -> None:
    """Where the policy registers nothing in this state of the licence, the mail stays held and no file is kept."""
    document = policy.document()
    document["entitlement"]["unknown"] = {"register_requests": False, "notice": "Only with a licence."}
    strict = type(policy).from_document(document)
    async with opened(tmp_path, current=strict) as other:
        mail = await other.mail(raw_mail(sender="", files={"a.png": picture()}))
        before = other.stored()
        answer = await judge(other, mail, "open", {"requester": {"email": EVE}})
        assert (answer.status_code, answer.json()["detail"]) == (422, "Only with a licence.")
        assert other.stored() == before


async def test_late_mail_reopens_or_follows(world: World) -> None:
    """Let into an ended request, a mail reopens it, or past the window starts a request that follows it."""
    ticket = await world.submit()
    mails = [await held(world, ticket) for _ in range(2)]
    await world.must(ticket, "close", {"reason": "aborted"})
    assert (await judge(world, mails[0], "accept")).json()["outcome"] == "appended"
    assert (await world.ticket(ticket["id"]))["status"] == "open"
    await world.must(ticket, "close", {"reason": "aborted"})
    world.move(days=31)
    judged = (await judge(world, mails[1], "accept")).json()
    assert judged["outcome"] == "new_ticket"
    assert (await world.ticket(judged["ticket_id"]))["follows"] == ticket["id"]


async def test_staff_by_mail_take_no_part(world: World) -> None:
    """A specialist who writes by mail can be let in as a message, but doesn't take part."""
    ticket = await world.submit()
    await world.person("sven", role="agent")
    mail = await world.mail(raw_mail(f"[{ticket['number']}]", "Hello.", "sven@shop.example"), "sven@shop.example")
    assert mail["reason"] == "staff_by_mail"
    refused = await judge(world, mail, "accept", {"participant": True})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/participant")
    assert (await judge(world, mail, "accept")).status_code == 200


async def test_only_staff_judge(world: World) -> None:
    """Clients and partners neither see nor judge mail; an unknown one is not there."""
    mail = await held(world)
    for who in ("client:clara", "partner:pia@acme"):
        for verb, body in (("accept", {}), ("open", {}), ("reject", {"reason": "x"})):
            assert (await judge(world, mail, verb, body, who=who)).status_code == 403
        assert (await world.get(f"/v1/mails/{mail['id']}", who)).status_code == 403
    for verb, body in (("accept", {}), ("open", {}), ("reject", {"reason": "x"})):
        assert (await judge(world, {"id": "none"}, verb, body)).status_code == 404
    assert (await judge(world, mail, "accept", {"ticket_id": "FL-0000-0000"})).status_code == 404


async def test_held_mail_is_listed_by_request(world: World) -> None:
    """Staff list what is held, and what a request's mails became."""
    ticket = await world.submit()
    mail = await held(world, ticket)
    other = await held(world)
    listed = (await world.get("/v1/mails", outcome="quarantined")).json()["items"]
    assert [item["id"] for item in listed] == [other["id"], mail["id"]]
    listed = (await world.get("/v1/mails", ticket_id=ticket["number"])).json()["items"]
    assert [(item["id"], item["number"]) for item in listed] == [(mail["id"], ticket["number"])]


@pytest.mark.parametrize("result", ["none", "pass"])
async def test_the_sender_check_counts(opened: OpenWorld, tmp_path: Any, result: str) -> None:
    """A mail is let in as verified only where the configured server vouches for its sender."""
    async with opened(tmp_path, server="mx.example") as world:
        ticket = await world.submit()
        checked = f"mx.example; dmarc={result} header.from=else.example"
        mail = raw_mail(f"[{ticket['number']}]", "It is me.", EVE, Authentication_Results=checked)
        assert (await judge(world, await world.mail(mail, EVE), "accept")).status_code == 200
        assert (await world.messages(ticket))[-1]["verified"] is (result == "pass")

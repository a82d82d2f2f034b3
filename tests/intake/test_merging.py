"""Duplicates and related requests: merged, taken back, linked; where replies go and who reads what (clause 2.4)."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from firstline.common.policy.loader import load_policy
from firstline.common.store.port import Sql
from intake_world import OpenWorld, World, raw_mail

ROOT = Path(__file__).parents[2]
FORGET_PEOPLE: Sql[None] = Sql("DELETE FROM participant WHERE ticket_id = :id", type(None))
FORGET_PERSON: Sql[None] = Sql("DELETE FROM participant WHERE ticket_id = :id AND address = :address", type(None))
CLARA, KIM, ANNA = "client:clara", "client:kim", "agent:anna"


async def merged(world: World, who: str = CLARA) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a duplicate that was merged, and the request that it goes on in."""
    into, duplicate = await world.submit(who), await world.submit(who)
    return await world.must(duplicate, "merge", {"into": into["number"]}), await world.ticket(into["id"])


async def kinds(world: World, ticket: dict[str, Any], after: int = 1) -> list[str]:
    """Return the types of a request's events."""
    return [kind for kind, _ in await world.events(ticket["id"], after)]


async def related(world: World, ticket: dict[str, Any], who: str = ANNA) -> dict[str, str]:
    """Return the numbers of related requests by kind, as somebody sees them."""
    items = (await world.get(f"/v1/tickets/{ticket['id']}/relations", who)).json()["items"]
    return {item["kind"]: item["number"] for item in items}


async def test_a_duplicate_is_closed_and_goes_on_elsewhere(world: World) -> None:
    """Merging closes the duplicate, says so in both correspondences, and lists either at the other."""
    duplicate, into = await merged(world)
    assert (duplicate["status"], duplicate["close_reason"], duplicate["merged_into"]) == (
        "closed",
        "duplicate",
        into["id"],
    )
    assert duplicate["allowed"] == ["unmerge", "split"]
    assert await kinds(world, duplicate) == ["ticket.replied", "ticket.merged", "ticket.closed"]
    told = dict(await world.events(duplicate["id"], after=1))
    assert (told["ticket.merged"]["into"], told["ticket.closed"]["into_number"]) == (into["id"], into["number"])
    assert await kinds(world, into) == ["ticket.replied", "ticket.duplicate_joined"]
    assert into["number"] in (await world.messages(duplicate, CLARA))[-1]["body"]
    assert duplicate["number"] in (await world.messages(into, CLARA))[-1]["body"]
    assert await related(world, duplicate, CLARA) == {"merged_into": into["number"]}
    assert await related(world, into, CLARA) == {"merged_from": duplicate["number"]}


async def test_relations_come_in_pages(world: World) -> None:
    """However many requests one belongs to, each is listed once, page by page; a cursor is of use for its list only."""
    ticket = await world.submit()
    others = [await world.submit() for _ in range(5)]
    for other in others[:3]:
        await world.must(ticket, "link", {"to": other["id"]})
    for other in others[3:]:
        await world.must(other, "merge", {"into": ticket["id"]})
    path = f"/v1/tickets/{ticket['id']}/relations"
    for who in (ANNA, CLARA):
        found, page = [], (await world.get(path, who, limit=2)).json()
        found += page["items"]
        while page["next"]:
            page = (await world.get(path, who, limit=2, cursor=page["next"])).json()
            found += page["items"]
        assert [one["kind"] for one in found] == ["linked"] * 3 + ["merged_from"] * 2
        assert {one["ticket_id"] for one in found} == {other["id"] for other in others}
    cursor = (await world.get(path, limit=2)).json()["next"]
    assert (await world.get(f"/v1/tickets/{others[0]['id']}/relations", cursor=cursor)).status_code == 422


async def test_what_is_written_to_a_duplicate_goes_on_with_it(world: World) -> None:
    """A reply by API or mail, with its files, lands in the other request and has its effect there, however late."""
    duplicate, into = await merged(world)
    await world.must(into, "wait", {"cause": "client"})
    world.move(days=40)
    picture = await world.upload()
    answer = await world.verb(duplicate, "messages", {"body": "It is 24.", "attachment_ids": [picture]}, CLARA)
    assert (answer.json()["merged_from"], answer.json()["follows"]) == (duplicate["id"], None)
    assert (answer.json()["ticket"]["id"], answer.json()["ticket"]["status"]) == (into["id"], "open")
    assert (await world.messages(into))[-1]["attachments"][0]["id"] == picture
    mailed = await world.mail(raw_mail(f"Re: [{duplicate['number']}] White page", "Still white."))
    assert (mailed["outcome"], mailed["ticket_id"]) == ("appended", into["id"])
    assert (await world.messages(into))[-1]["body"].strip() == "Still white."
    assert (await world.ticket(duplicate["id"]))["version"] == duplicate["version"]


async def test_chains_are_followed_and_circles_refused(world: World) -> None:
    """What goes on in a duplicate goes on where that one does; nothing is merged into itself or into a duplicate."""
    first, second = await merged(world)
    third = await world.submit()
    await world.must(second, "merge", {"into": third["id"]})
    answer = await world.verb(first, "messages", {"body": "Hello?"}, CLARA)
    assert answer.json()["ticket"]["id"] == third["id"]
    before = world.stored()
    refused = await world.verb(third, "merge", {"into": first["id"]})
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/not-mergeable")
    assert (refused.json()["number"], third["number"] in refused.json()["detail"]) == (third["number"], True)
    itself = await world.verb(third, "merge", {"into": third["number"]})
    assert (itself.status_code, itself.json()["errors"][0]["pointer"]) == (422, "/into")
    again = await world.verb(first, "merge", {"into": third["id"]})
    assert (again.status_code, again.json()["type"]) == (409, "/problems/illegal-transition")
    unknown = await world.verb(third, "merge", {"into": "FL-0000-0000"})
    assert (unknown.status_code, unknown.json()["errors"][0]["pointer"]) == (422, "/into")
    assert world.stored() == before


async def test_two_merges_across_make_no_circle(world: World) -> None:
    """Of two specialists who merge two requests into each other at once, one is refused."""
    one, two = await world.submit(), await world.submit()
    answers = await asyncio.gather(
        world.verb(one, "merge", {"into": two["id"]}), world.verb(two, "merge", {"into": one["id"]}, "agent:ben")
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]


@pytest.mark.parametrize("ending", [("resolve", {}), ("close", {"reason": "aborted"})])
async def test_nothing_goes_on_in_what_has_ended(world: World, ending: tuple[str, dict[str, Any]]) -> None:
    """A request that has ended takes no duplicates; the way out is named."""
    into, duplicate = await world.submit(), await world.submit()
    await world.must(into, *ending)
    refused = await world.verb(duplicate, "merge", {"into": into["id"]})
    assert (refused.status_code, "Reopen it first" in refused.json()["detail"]) == (409, True)


async def test_a_merge_is_taken_back(world: World) -> None:
    """Taken back, the request is open again and its own; what was written meanwhile stays where it was written."""
    duplicate, into = await merged(world)
    open_again = await world.must(duplicate, "unmerge", {})
    assert (open_again["status"], open_again["merged_into"], open_again["close_reason"]) == ("open", None, None)
    assert await kinds(world, duplicate, duplicate["version"]) == ["ticket.unmerged", "ticket.reopened"]
    answer = await world.verb(duplicate, "messages", {"body": "Thanks."}, CLARA)
    assert (answer.json()["ticket"]["id"], answer.json()["merged_from"]) == (duplicate["id"], None)
    refused = await world.verb(duplicate, "unmerge", {})
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/illegal-transition")
    assert await related(world, into) == {}


async def test_a_merge_shows_nothing_to_others(world: World) -> None:
    """People of other organisations, and strangers to the other request, keep them from being merged."""
    mine, theirs = await world.submit("client:clara@acme"), await world.submit("client:kim@other")
    private, foreign = await world.submit(CLARA), await world.submit(KIM)
    before = world.stored()
    for one, two in ((mine, theirs), (private, foreign), (mine, private)):
        refused = await world.verb(one, "merge", {"into": two["id"], "add_participants": True})
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/not-the-same-people")
    assert world.stored() == before


async def test_colleagues_are_let_in_by_request_and_out_again(world: World) -> None:
    """Within one organisation a specialist may let the duplicate's people read the other, until it is taken back."""
    await world.person("kim", "acme")
    into, duplicate = await world.submit("client:clara@acme"), await world.submit("client:kim@acme")
    refused = await world.verb(duplicate, "merge", {"into": into["id"]})
    assert (refused.status_code, refused.json()["participants"]) == (409, ["kim@shop.example"])
    assert (await world.get(f"/v1/tickets/{into['id']}", "client:kim@acme")).status_code == 404
    await world.must(duplicate, "merge", {"into": into["id"], "add_participants": True})
    assert await kinds(world, into) == ["ticket.participant_added", "ticket.replied", "ticket.duplicate_joined"]
    answer = await world.verb(duplicate, "messages", {"body": "Me too."}, "client:kim@acme")
    assert answer.json()["ticket"]["participants"] == ["clara@shop.example", "kim@shop.example"]
    await world.must(duplicate, "unmerge", {})
    assert (await world.get(f"/v1/tickets/{into['id']}", "client:kim@acme")).status_code == 404
    (_, last) = (await world.events(into["id"]))[-1]
    assert [person["address"] for person in last["recipients"]] == ["clara@shop.example"]


@pytest.mark.parametrize("person", [None, {"organization": "other"}, {"organization": "acme", "active": False}])
async def test_a_partners_clients_do_not_meet(world: World, person: dict[str, Any] | None) -> None:
    """Whoever only takes part in an organisation's request is none of its people, and is let into no other of them."""
    if person is not None:
        await world.person("x", email="x@one.example", **person)
    one, two = [
        await world.submit("partner:pat@acme", requester={"email": email})
        for email in ("x@one.example", "y@two.example")
    ]
    before = world.stored()
    refused = await world.verb(one, "merge", {"into": two["id"], "add_participants": True})
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/not-the-same-people")
    assert world.stored() == before


async def test_spam_is_no_duplicate(world: World) -> None:
    """What was closed as spam is merged into nothing, so its sender hears nothing of it."""
    spam, into = await world.submit(), await world.submit()
    await world.must(spam, "close", {"reason": "spam"})
    before = world.stored()
    refused = await world.verb(spam, "merge", {"into": into["id"]})
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/not-mergeable")
    assert world.stored() == before


async def test_taken_up_again_by_a_client_a_merge_is_taken_back(world: World) -> None:
    """A duplicate that its client takes up again leaves the other request as by unmerge: its people, and a remark."""
    kim = "client:kim@acme"
    for who in ("kim", "eve"):
        await world.person(who, "acme")
    into, duplicate = await world.submit("client:clara@acme"), await world.submit(kim)
    mail = await world.mail(raw_mail(f"[{duplicate['number']}]", sender="eve@shop.example"), "eve@shop.example")
    assert (await world.post(f"/v1/mails/{mail['id']}/accept", {"participant": True})).status_code == 200
    await world.must(duplicate, "merge", {"into": into["id"], "add_participants": True})
    assert len((await world.ticket(into["id"]))["participants"]) == 3
    await world.runtime.store.write(lambda unit: unit.run(FORGET_PERSON, id=into["id"], address="kim@shop.example"))
    assert (await world.verb(duplicate, "messages", {"body": "Hello?"}, kim)).json()["ticket"]["status"] == "open"
    shown = await world.ticket(into["id"])
    assert shown["participants"] == ["clara@shop.example"]
    message = (await world.messages(into))[-1]
    assert (message["author"]["role"], duplicate["number"] in message["body"]) == ("service", True)
    assert [person["address"] for person in (await world.events(into["id"]))[-1][1]["recipients"]] == shown[
        "participants"
    ]


async def test_who_may_not_read_on_takes_it_up_again(world: World) -> None:
    """A writer who is no part of the other request is not left unheard: the duplicate is taken up again."""
    duplicate, into = await merged(world)
    await world.runtime.store.write(lambda unit: unit.run(FORGET_PEOPLE, id=into["id"]))
    answer = await world.verb(duplicate, "messages", {"body": "Hello?"}, CLARA)
    told = answer.json()["ticket"]
    assert (told["id"], told["status"], told["merged_into"]) == (duplicate["id"], "open", None)
    assert (await kinds(world, duplicate, duplicate["version"])) == [
        "ticket.replied",
        "ticket.unmerged",
        "ticket.reopened",
    ]


async def test_a_policy_without_duplicates_merges_nothing(opened: OpenWorld, tmp_path: Path) -> None:
    """Under a policy that closes nothing as a duplicate, merging is refused, and linking still helps."""
    async with opened(tmp_path, current=load_policy(ROOT / "tests" / "policy" / "nightwatch.yaml")) as world:
        one, two = await world.submit(), await world.submit()
        refused = await world.verb(one, "merge", {"into": two["id"]})
        assert (refused.status_code, refused.json()["clause"]) == (422, "2.4")
        assert "Link the requests instead." in refused.json()["detail"]
        await world.must(one, "link", {"to": two["id"]})


async def test_links_are_seen_from_both_sides_and_taken_back(world: World) -> None:
    """Linked requests name each other, to clients only where they may read both; repeats change nothing."""
    mine, theirs, other = await world.submit(CLARA), await world.submit(KIM), await world.submit(CLARA)
    for to in (theirs, other):
        for _ in range(2):
            await world.must(mine, "link", {"to": to["number"]})
    assert await kinds(world, theirs) == ["ticket.linked"]
    assert await kinds(world, mine) == ["ticket.linked", "ticket.linked"]
    items = (await world.get(f"/v1/tickets/{mine['id']}/relations")).json()["items"]
    assert {item["number"] for item in items} == {theirs["number"], other["number"]}
    assert await related(world, mine, CLARA) == {"linked": other["number"]}
    assert await related(world, theirs, KIM) == {}
    assert (await world.get(f"/v1/tickets/{theirs['id']}/relations", CLARA)).status_code == 404
    for _ in range(2):
        await world.must(theirs, "unlink", {"to": mine["id"]})
    assert await related(world, theirs) == {}
    assert (await kinds(world, mine))[2:] == ["ticket.unlinked"]
    refused = await world.verb(mine, "link", {"to": mine["id"]})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/to")
    for verb, body in (("merge", {"into": other["id"]}), ("unmerge", {}), ("link", {"to": other["id"]})):
        assert (await world.verb(mine, verb, body, CLARA)).status_code == 403


async def test_links_out_of_reach_hide_none_within_reach(world: World) -> None:
    """A request that is linked to a hundred of somebody else's shows its client the one that is theirs too."""
    hub, mine = await world.submit(CLARA), None
    for number in range(101):
        other = await world.submit("client:mallory" if number < 100 else CLARA)
        mine = await world.must(other, "link", {"to": hub["number"]})
    assert mine is not None
    assert await related(world, hub, CLARA) == {"linked": mine["number"]}
    partner = await world.submit("partner:pia@acme")
    await world.must(partner, "link", {"to": mine["number"]})
    assert await related(world, partner, "partner:paul@acme") == {}
    colleague = await world.submit("client:kim@acme")
    await world.must(partner, "link", {"to": colleague["number"]})
    assert await related(world, partner, "partner:paul@acme") == {"linked": colleague["number"]}

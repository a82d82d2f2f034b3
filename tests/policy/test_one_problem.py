"""Clause 2.4 walked through HTTP and SMTP: what holds several questions is taken apart."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from live_desk import AnyDesk, eventually, mail
from walking import done, letters, place, submit

CLARA = "clara.parts@shop.example"


@pytest.fixture
def client(desk: AnyDesk) -> Iterator[httpx.Client]:
    """Return the API as a client."""
    with desk.api("client", "clara-parts", email=CLARA) as http:
        yield http


@pytest.fixture
def agent(desk: AnyDesk) -> Iterator[httpx.Client]:
    """Return the API as a specialist."""
    with desk.api("agent", "anna-parts") as http:
        yield http


def test_a_mailed_question_is_split_off(desk: AnyDesk, client: httpx.Client, agent: httpx.Client) -> None:
    """A question that came by mail to another request gets a number, a place by its receipt, clocks and a mail."""
    old = submit(client)
    desk.send(mail(CLARA, f"Re: [{old['number']}]", "And how do I change the logo?", Message_ID="<p2@shop.example>"))
    messages = f"/v1/tickets/{old['id']}/messages"
    items = eventually(lambda: len(found := client.get(messages).json()["items"]) == 2 and found)
    between = submit(client, subject="Sent later")
    given = {"message_id": items[1]["id"], "subject": "The logo"}
    new = done(agent.post(f"/v1/tickets/{old['id']}/split", json=given))
    assert (new["split_from"], new["received_at"]) == (old["id"], items[1]["received_at"])
    assert place(client, new["id"]) < place(client, between["id"])
    (told,) = eventually(lambda: letters(desk, CLARA, new["number"]))
    assert old["number"] in told
    clocks = eventually(lambda: agent.get("/v1/clocks", params={"ticket_ids": new["id"]}).json()["items"])
    assert {clock["state"] for clock in clocks if clock["target"] == "first_response"} == {"running"}
    assert new["number"] in client.get(messages).json()["items"][-1]["body"]
    assert old["number"] in client.get(f"/v1/tickets/{new['id']}/messages").json()["items"][-1]["body"]
    again = agent.post(f"/v1/tickets/{old['id']}/split", json=given)
    assert (again.status_code, again.json()["number"]) == (409, new["number"])


def test_a_duplicate_goes_on_in_the_other_request(desk: AnyDesk, client: httpx.Client, agent: httpx.Client) -> None:
    """Merged, it leaves the queue and the client is told where it goes on; mail to it lands there; it can come back."""
    into, duplicate = submit(client), submit(client, subject="White page, again")
    place(client, duplicate["id"])
    done(agent.post(f"/v1/tickets/{duplicate['id']}/merge", json={"into": into["number"]}))
    eventually(lambda: client.get(f"/v1/queue/{duplicate['id']}").status_code == 404)
    (told,) = eventually(lambda: letters(desk, CLARA, duplicate["number"], "goes on there"))
    assert into["number"] in told
    desk.send(mail(CLARA, f"Re: [{duplicate['number']}] x", "Any news of it?", Message_ID="<d2@shop.example>"))
    messages = f"/v1/tickets/{into['id']}/messages"
    eventually(lambda: client.get(messages).json()["items"][-1]["body"].strip() == "Any news of it?")
    back = done(agent.post(f"/v1/tickets/{duplicate['id']}/unmerge", json={}))
    assert (back["status"], back["merged_into"]) == ("open", None)
    place(client, duplicate["id"])
    assert eventually(lambda: letters(desk, CLARA, duplicate["number"], "is open again"))


def test_a_duplicate_keeps_its_place_where_it_goes_on(client: httpx.Client, agent: httpx.Client) -> None:
    """Merged unanswered into an answered request, it is owed there, at its place and timed; taken back, here again."""
    into, duplicate = submit(client), submit(client, subject="White page, again")
    place(client, duplicate["id"])
    later = submit(client, subject="Something else")
    done(agent.post(f"/v1/tickets/{into['id']}/messages", json={"body": "Reload the page."}))
    eventually(lambda: client.get(f"/v1/queue/{into['id']}").status_code == 404)
    done(agent.post(f"/v1/tickets/{duplicate['id']}/merge", json={"into": into["number"]}))
    assert place(client, into["id"]) < place(client, later["id"])
    eventually(lambda: next_response(agent, into) == "running")
    done(agent.post(f"/v1/tickets/{duplicate['id']}/unmerge", json={}))
    assert place(client, duplicate["id"]) < place(client, later["id"])
    eventually(lambda: client.get(f"/v1/queue/{into['id']}").status_code == 404)
    eventually(lambda: next_response(agent, into) == "idle")


def next_response(agent: httpx.Client, ticket: dict[str, Any]) -> str:
    """Return the state of the clock of a request's next response."""
    clocks = agent.get("/v1/clocks", params={"ticket_ids": ticket["id"]}).json()["items"]
    return next((clock["state"] for clock in clocks if clock["target"] == "next_response"), "")


def test_a_chain_of_duplicates_is_taken_apart(client: httpx.Client, agent: httpx.Client) -> None:
    """Merged one into the other, the last owes what the first asked, until the first is taken out of it again."""
    end, middle, first = (submit(client, subject=subject) for subject in ("The page", "My page", "Page?"))
    for ticket in (end, middle):
        done(agent.post(f"/v1/tickets/{ticket['id']}/messages", json={"body": "Reload the page."}))
    done(agent.post(f"/v1/tickets/{first['id']}/merge", json={"into": middle["id"]}))
    place(client, middle["id"])
    done(agent.post(f"/v1/tickets/{middle['id']}/merge", json={"into": end["id"]}))
    place(client, end["id"])
    written = done(client.post(f"/v1/tickets/{first['id']}/messages", json={"body": "Any news?"}))
    assert written["ticket"]["id"] == end["id"]
    done(agent.post(f"/v1/tickets/{end['id']}/messages", json={"body": "It is the cache."}))
    eventually(lambda: client.get(f"/v1/queue/{end['id']}").status_code == 404)
    back = done(agent.post(f"/v1/tickets/{first['id']}/unmerge", json={}))
    assert (back["status"], back["merged_into"]) == ("open", None)
    place(client, first["id"])
    assert client.get(f"/v1/queue/{end['id']}").status_code == 404
    told = [client.get(f"/v1/tickets/{ticket['id']}/messages").json()["items"][-1]["body"] for ticket in (middle, end)]
    assert all(first["number"] in text for text in told)


def test_of_two_specialists_at_once_one_is_refused(client: httpx.Client, agent: httpx.Client) -> None:
    """Two requests merged into each other at the same time make no circle, and a message is split off once."""
    one, two = submit(client), submit(client)
    message = client.get(f"/v1/tickets/{one['id']}/messages").json()["items"][0]
    part = {"message_id": message["id"], "subject": "A part"}
    with ThreadPoolExecutor(4) as pool:
        splits = [pool.submit(agent.post, f"/v1/tickets/{one['id']}/split", json=part) for _ in range(4)]
        assert sorted(split.result().status_code for split in splits) == [201, 409, 409, 409]
        pairs = ((one, two), (two, one))
        merges = [pool.submit(agent.post, f"/v1/tickets/{a['id']}/merge", json={"into": b["id"]}) for a, b in pairs]
        assert sorted(merge.result().status_code for merge in merges) == [200, 409]


def test_several_questions_are_remarked(desk: AnyDesk, client: httpx.Client) -> None:
    """Who asks several things is told so by the check, with the answer and in the acknowledgement, and served."""
    several = {"subject": "Two things", "body": "It is white. I have another question: who may read the reports?"}
    (hint,) = done(client.post("/v1/tickets/check", json=several))["hints"]
    assert hint["code"] == "several_issues"
    ticket = submit(client, **several)
    assert ticket["hints"] == [hint]
    (told,) = eventually(lambda: letters(desk, CLARA, ticket["number"]))
    assert hint["text"] in told
    assert done(client.post("/v1/tickets/check", json={"subject": "One", "body": "It is white."}))["hints"] == []

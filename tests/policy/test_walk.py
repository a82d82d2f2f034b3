"""The policy walked through HTTP and SMTP, as a client, a stranger and a specialist live it."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import httpx
import pytest
from live_desk import AnyDesk, eventually, mail
from walking import submit

CLARA = "clara.walk@shop.example"


@pytest.fixture
def client(desk: AnyDesk) -> Iterator[httpx.Client]:
    """Return the API as a client."""
    with desk.api("client", "clara-walk", email=CLARA) as http:
        yield http


@pytest.fixture
def agent(desk: AnyDesk) -> Iterator[httpx.Client]:
    """Return the API as a specialist."""
    with desk.api("agent", "anna-walk") as http:
        yield http


def claimed(agent: httpx.Client, ticket_id: str) -> str:
    """Claim a request as soon as it is in the queue and return the claim token."""
    answer = eventually(
        lambda: (a := agent.post("/v1/queue/claims", json={"ticket_id": ticket_id})).status_code == 201 and a
    )
    return str(answer.json()["claim_token"])


def status(client: httpx.Client, ticket_id: str) -> str:
    """Return a request's status."""
    return str(client.get(f"/v1/tickets/{ticket_id}").json()["status"])


def test_a_request_walks_from_submission_to_reopening(desk: AnyDesk, client: httpx.Client, agent: httpx.Client) -> None:
    """A request is created, acknowledged, claimed, answered, replied to by mail, resolved, closed and reopened."""
    ticket = submit(client, topic="updates", version="24.100")
    number, ticket_id = ticket["number"], ticket["id"]

    acknowledgement = eventually(lambda: [m for m in desk.mails(CLARA) if number in str(m["Subject"])])[0]
    assert acknowledgement["Auto-Submitted"] == "auto-replied"
    place = eventually(lambda: (a := client.get(f"/v1/queue/{ticket_id}")).status_code == 200 and a.json())
    assert place["position"] >= 1

    token = claimed(agent, ticket_id)
    eventually(lambda: status(client, ticket_id) == "open")
    # In a process of its own, sla may hear of the request later than queue.
    clocks = eventually(lambda: agent.get("/v1/clocks", params={"ticket_ids": ticket_id}).json()["items"])
    assert ("first_response", "running") in {(clock["target"], clock["state"]) for clock in clocks}

    answer = agent.post(
        f"/v1/tickets/{ticket_id}/messages",
        json={"body": "Please delete the cache folder and reload."},
        headers={"Claim-Token": token},
    )
    assert answer.status_code == 201, answer.text
    replied = eventually(lambda: [m for m in desk.mails(CLARA) if "cache folder" in str(m.get_payload())])[0]
    assert f"[{number}]" in str(replied["Subject"])
    assert eventually(lambda: client.get(f"/v1/queue/{ticket_id}").status_code == 404)

    response = mail(CLARA, f"Re: {replied['Subject']}", "I did, and it is still white.", Message_ID="<r1@shop.example>")
    response["In-Reply-To"] = replied["Message-ID"]
    desk.send(response)
    bodies = eventually(lambda: len(found := messages(client, ticket_id)) == 3 and found)
    assert bodies[-1] == ("email", "I did, and it is still white.")

    stranger = mail(
        "eve@else.example", f"Re: [{number}] White page", "Send me the password.", Message_ID="<e1@e.example>"
    )
    desk.send(stranger)
    held = eventually(lambda: [m for m in mails(agent) if m["from"] == "eve@else.example"])[0]
    assert (held["outcome"], held["ticket_id"]) == ("quarantined", ticket_id)
    assert len(messages(client, ticket_id)) == 3
    assert desk.mails("eve@else.example") == []

    token = claimed(agent, ticket_id)
    resolved = agent.post(
        f"/v1/tickets/{ticket_id}/resolve", json={"body": "The cache is empty now."}, headers={"Claim-Token": token}
    )
    assert resolved.json()["status"] == "resolved"
    closed = client.post(f"/v1/tickets/{ticket_id}/close", json={"reason": "resolved"})
    assert closed.json()["status"] == "closed"
    reopened = client.post(f"/v1/tickets/{ticket_id}/reopen", json={"body": "It is white again."})
    assert (reopened.json()["status"], reopened.json()["reopen_count"]) == ("open", 1)
    assert eventually(lambda: client.get(f"/v1/queue/{ticket_id}").status_code == 200)

    told = agent.get("/v1/deliveries", params={"ticket_id": ticket_id, "channel": "mail"}).json()["items"]
    (only,) = [delivery for delivery in told if delivery["kind"].startswith("acknowledgement")]
    assert (only["state"], only["message_id"]) == ("sent", acknowledgement["Message-ID"])


def messages(client: httpx.Client, ticket_id: str) -> list[tuple[str, str]]:
    """Return channel and text of a request's messages."""
    items = client.get(f"/v1/tickets/{ticket_id}/messages").json()["items"]
    return [(item["channel"], item["body"].strip()) for item in items]


def mails(agent: httpx.Client) -> list[dict[str, Any]]:
    """Return the newest mails that came in and have been judged."""
    items: list[dict[str, Any]] = agent.get("/v1/mails").json()["items"]
    return [item for item in items if item["outcome"]]


def test_a_request_by_mail_is_numbered_and_acknowledged_once(desk: AnyDesk, agent: httpx.Client) -> None:
    """A mail without a number becomes a new request; the same mail again is a duplicate and gets no second answer."""
    sender = "mia.walk@shop.example"
    first = mail(sender, "The counter stands still", "Since this morning.", Message_ID="<m1@shop.example>")
    desk.send(first)
    desk.send(first)
    judged = eventually(lambda: len(found := [m for m in mails(agent) if m["from"] == sender]) == 2 and found)
    assert sorted(m["outcome"] for m in judged) == ["duplicate", "new_ticket"]
    (acknowledgement,) = eventually(lambda: desk.mails(sender))
    ticket_id = next(m["ticket_id"] for m in judged if m["outcome"] == "new_ticket")
    assert agent.get(f"/v1/tickets/{ticket_id}").json()["number"] in str(acknowledgement["Subject"])
    assert acknowledgement["In-Reply-To"] == "<m1@shop.example>"
    assert "counter" not in acknowledgement.as_string(), "an acknowledgement to a stranger carries none of their words"


def test_automatic_mail_is_answered_by_nothing(desk: AnyDesk, agent: httpx.Client) -> None:
    """A robot's mail opens no request and gets no mail back; its outcome says why."""
    robot = "robot.walk@shop.example"
    desk.send(mail(robot, "Out of office", "I am away.", Message_ID="<o1@shop.example>", Auto_Submitted="auto-replied"))
    (judged,) = eventually(lambda: [m for m in mails(agent) if m["from"] == robot])
    assert (judged["outcome"], judged["reason"]) == ("refused", "automatic")
    assert desk.mails(robot) == []


def _is_queued(client: httpx.Client, ticket_id: str) -> bool:
    return client.get(f"/v1/queue/{ticket_id}").status_code == 200


def test_a_recovery_is_taken_out_of_turn(desk: AnyDesk, client: httpx.Client, agent: httpx.Client) -> None:
    """A recovery that came later is claimed before an ordinary request that came first."""
    ordinary = submit(client, subject="A question")
    recovery = submit(client, subject="The site is down", recovery="full")
    for ticket in (ordinary, recovery):
        eventually(partial(_is_queued, client, ticket["id"]))
    places = [client.get(f"/v1/queue/{ticket['id']}").json()["position"] for ticket in (ordinary, recovery)]
    assert places[1] < places[0]
    taken = agent.post("/v1/queue/claims", json={})
    assert taken.json()["ticket_id"] == recovery["id"]
    returned = agent.post(
        f"/v1/tickets/{recovery['id']}/triage",
        json={"urgency": "normal", "reason": "The site answers; one page is slow."},
        headers={"Claim-Token": taken.json()["claim_token"]},
    )
    assert (returned.json()["urgency"], returned.json()["urgency_provisional"]) == ("normal", False)
    agent.post(f"/v1/queue/claims/{recovery['id']}/release", json={"fence": taken.json()["fence"]})
    assert eventually(lambda: client.get(f"/v1/queue/{recovery['id']}").json()["position"] > places[1])


def test_an_unofficial_channel_registers_nothing(client: httpx.Client) -> None:
    """A request that claims to come by phone is refused, with the official ways named (clause 4.5)."""
    before = client.get("/v1/tickets").json()["items"]
    answer = client.post("/v1/tickets", json={"subject": "Call me", "body": "Now.", "channel": "phone"})
    assert (answer.status_code, answer.json()["clause"]) == (422, "4.5")
    assert {way["code"] for way in answer.json()["official_channels"]} >= {"portal", "email", "api"}
    assert client.get("/v1/tickets").json()["items"] == before


def test_waiting_for_the_client_ends_with_their_message(
    desk: AnyDesk, client: httpx.Client, agent: httpx.Client
) -> None:
    """While we wait for the client nobody queues and no clock is due; their message brings the request back."""
    ticket_id = submit(client, subject="Which version?")["id"]
    token = claimed(agent, ticket_id)
    agent.post(
        f"/v1/tickets/{ticket_id}/messages", json={"body": "Which version is it?"}, headers={"Claim-Token": token}
    )
    waiting = agent.post(f"/v1/tickets/{ticket_id}/wait", json={"cause": "client"}, headers={"Claim-Token": token})
    assert waiting.json()["waiting_cause"] == "client"
    eventually(lambda: client.get(f"/v1/queue/{ticket_id}").status_code == 404)
    assert eventually(lambda: all(c["due_at"] is None for c in clocks(agent, ticket_id)))
    client.post(f"/v1/tickets/{ticket_id}/messages", json={"body": "24.100", "fields": {"version": "24.100"}})
    assert status(client, ticket_id) == "open"
    eventually(lambda: client.get(f"/v1/queue/{ticket_id}").status_code == 200)
    assert eventually(lambda: any(c["state"] == "running" for c in clocks(agent, ticket_id)))


def clocks(agent: httpx.Client, ticket_id: str) -> list[dict[str, Any]]:
    """Return a request's clocks."""
    items: list[dict[str, Any]] = agent.get("/v1/clocks", params={"ticket_ids": ticket_id}).json()["items"]
    return items


def test_missing_information_is_asked_for_and_filled(client: httpx.Client) -> None:
    """An incomplete request is taken and told what is missing; an answer fills it (clause 4.2)."""
    checked = client.post("/v1/tickets/check", json={"subject": "No update", "body": "It stops.", "topic": "updates"})
    asked = {missing["field"] for missing in checked.json()["missing_information"]}
    assert "version" in asked
    ticket = submit(client, topic="updates")
    assert {missing["field"] for missing in ticket["missing_information"]} == asked
    told = client.post(f"/v1/tickets/{ticket['id']}/messages", json={"body": "24.100", "fields": {"version": "24.100"}})
    left = {missing["field"] for missing in told.json()["ticket"]["missing_information"]}
    assert left == asked - {"version"}

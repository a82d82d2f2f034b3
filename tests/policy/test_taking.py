"""How requests are taken, walked through HTTP and SMTP: held mail, questions, documentation, channels, licences."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from live_desk import AnyDesk, eventually, mail
from walking import submit

CLARA = "clara.taking@shop.example"
EVE = "eve.taking@else.example"


@pytest.fixture
def client(desk: AnyDesk) -> Iterator[httpx.Client]:
    """Return the API as a client."""
    with desk.api("client", "clara-taking", email=CLARA) as http:
        yield http


@pytest.fixture
def agent(desk: AnyDesk) -> Iterator[httpx.Client]:
    """Return the API as a specialist."""
    with desk.api("agent", "anna-taking") as http:
        yield http


def held(desk: AnyDesk, agent: httpx.Client, number: str, text: str) -> dict[str, Any]:
    """Let a stranger's mail come in that is held beside a request; return it."""
    desk.send(mail(EVE, f"Re: [{number}] x", text, Message_ID=f"<{text}@else.example>"))

    def found() -> Any:
        items = agent.get("/v1/mails", params={"outcome": "quarantined", "ticket_id": number}).json()["items"]
        return [item for item in items if text in item["text"]]

    kept: dict[str, Any] = eventually(found)[0]
    return kept


def judged(agent: httpx.Client, kept: dict[str, Any], verb: str, **body: Any) -> dict[str, Any]:
    """Judge a held mail, which has to succeed."""
    answer = agent.post(f"/v1/mails/{kept['id']}/{verb}", json=body)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def place(client: httpx.Client, ticket: dict[str, Any]) -> int:
    """Return a request's place as soon as it is in the queue."""
    path = f"/v1/queue/{ticket['id']}"
    return int(eventually(lambda: (a := client.get(path)).status_code == 200 and a.json()["position"]))


def test_held_mail_is_let_in_with_its_receipt(desk: AnyDesk, client: httpx.Client, agent: httpx.Client) -> None:
    """A stranger's mail is seen by staff only; let in, the client reads it and it has its receipt's place (A11)."""
    asked = submit(client)
    agent.post(f"/v1/tickets/{asked['id']}/messages", json={"body": "Please reload."})
    eventually(lambda: client.get(f"/v1/queue/{asked['id']}").status_code == 404)
    kept = held(desk, agent, asked["number"], "harbour-one")
    later = submit(client, subject="Another")
    assert "harbour-one" not in client.get(f"/v1/tickets/{asked['id']}/messages").text
    assert client.get(f"/v1/mails/{kept['id']}").status_code == 403
    assert judged(agent, kept, "accept", participant=True)["outcome"] == "appended"
    assert agent.post(f"/v1/mails/{kept['id']}/reject", json={"reason": "Late."}).status_code == 409
    assert "harbour-one" in client.get(f"/v1/tickets/{asked['id']}/messages").text
    assert place(client, asked) < place(client, later)
    agent.post(f"/v1/tickets/{asked['id']}/messages", json={"body": "Both of you: thank you."})
    assert eventually(lambda: [m for m in desk.mails(EVE) if "Both of you" in str(m.get_payload())])


def test_held_mail_becomes_a_request_or_nothing(desk: AnyDesk, client: httpx.Client, agent: httpx.Client) -> None:
    """A held mail that belongs elsewhere is opened as its sender's request and acknowledged; a rejected one is gone."""
    asked = submit(client)
    kept = held(desk, agent, asked["number"], "harbour-two")
    opened = judged(agent, kept, "open")
    new = agent.get(f"/v1/tickets/{opened['ticket_id']}").json()
    assert (new["requester"]["email"], opened["outcome"]) == (EVE, "new_ticket")
    assert eventually(lambda: [m for m in desk.mails(EVE) if new["number"] in str(m["Subject"])])
    kept = held(desk, agent, asked["number"], "harbour-three")
    refused = judged(agent, kept, "reject", reason="Nobody knows her.")
    assert (refused["outcome"], refused["remark"]) == ("refused", "Nobody knows her.")
    assert "harbour" not in client.get(f"/v1/tickets/{asked['id']}/messages").text


def missing(ticket: dict[str, Any]) -> set[str]:
    """Return the fields that are asked for."""
    return {one["field"] for one in ticket["missing_information"]}


def told(desk: AnyDesk, to: str, *words: str) -> str:
    """Return the text of a mail that says all this, as soon as it was sent, its lines joined."""
    payloads = [m.get_payload(decode=True) for m in desk.mails(to)]
    texts = [" ".join(payload.decode().split()) for payload in payloads if isinstance(payload, bytes)]
    return next((text for text in texts if all(word in text for word in words)), "")


def test_questions_are_asked_and_answered_by_mail(desk: AnyDesk, agent: httpx.Client) -> None:
    """A mail is answered with what is missing; an answer by mail ends waiting, and the rest is still asked (4.2)."""
    sender = "kim.taking@shop.example"
    desk.send(mail(sender, "The counter stands still", "Since this morning.", Message_ID="<k1@shop.example>"))
    asked = "Which version do you use, or is it the cloud service?"
    assert eventually(lambda: told(desk, sender, asked, "Which product and which edition is it about?"))
    found = {"requester": sender}
    (ticket,) = eventually(lambda: agent.get("/v1/tickets", params=found).json()["items"])
    assert (ticket["completeness"], missing(ticket)) == (0.0, {"product", "version"})
    waiting = {"cause": "client", "circumstance": "incomplete"}
    assert agent.post(f"/v1/tickets/{ticket['id']}/wait", json=waiting).status_code == 200
    assert eventually(lambda: told(desk, sender, ticket["number"], "Information that we asked for is missing.", asked))
    answer = f"Hello,\n\n> - {asked}\n24.100\n\nKim"
    desk.send(mail(sender, f"Re: [{ticket['number']}] x", answer, Message_ID="<k2@shop.example>"))
    path = f"/v1/tickets/{ticket['id']}"
    after = eventually(lambda: (a := agent.get(path).json())["status"] == "open" and a)
    assert (after["completeness"], missing(after), after["product_version"]) == (0.5, {"product"}, "24.100")


def test_what_is_missing_is_scored_before_and_after(client: httpx.Client, agent: httpx.Client, desk: AnyDesk) -> None:
    """A check says what will be missing and stores nothing; a demand is told and answered (1.2, 4.2)."""
    body = {"subject": "No update", "body": "It stops.", "topic": "updates"}
    before = client.get("/v1/tickets").json()["items"]
    checked = client.post("/v1/tickets/check", json=body).json()
    assert client.get("/v1/tickets").json()["items"] == before
    ticket = submit(client, **body)
    assert (ticket["completeness"], missing(ticket)) == (checked["completeness"], missing(checked))
    demanded = agent.post(f"/v1/tickets/{ticket['id']}/triage", json={"doc_required": True})
    assert "doc_refs" in missing(demanded.json())
    page = "Which page of the documentation comes closest to your question?"
    assert eventually(lambda: told(desk, CLARA, ticket["number"], page))
    fields = {**dict.fromkeys(missing(ticket), "known"), "doc_refs": "https://docs.example/updates"}
    told_after = client.post(f"/v1/tickets/{ticket['id']}/messages", json={"body": "All of it.", "fields": fields})
    after = told_after.json()["ticket"]
    assert (after["completeness"], after["doc_refs"]) == (1.0, ["https://docs.example/updates"])


def test_documentation_comes_first(desk: AnyDesk, client: httpx.Client, agent: httpx.Client) -> None:
    """Pages that may answer are named before and at submission, linked in answers, and counted (1.2, 4.7)."""
    url = "https://docs.example/taking/quayside"
    page = {"url": url, "title": "Repairing the quayside module", "text": "When quayside lamps flicker, reload them."}
    assert [agent.post("/v1/articles", json=page).status_code for _ in range(2)] == [201, 200]
    assert agent.get("/v1/articles", params={"q": "quaysides repaired"}).json()["items"][0]["url"] == url
    body = {"subject": "Flickering lamps", "body": "All quayside lamps flicker."}
    checked = client.post("/v1/tickets/check", json=body).json()
    assert [one["url"] for one in checked["suggested_articles"]][:1] == [url]
    ticket = submit(client, **body, doc_refs=[url])
    (article_id,) = [one["id"] for one in ticket["suggested_articles"] if one["url"] == url]
    path = f"/v1/tickets/{ticket['id']}/messages"
    assert agent.post(path, json={"body": "See here.", "article_ids": [article_id]}).status_code == 201
    assert eventually(lambda: told(desk, CLARA, ticket["number"], page["title"], url))
    with desk.api("supervisor", "sven-taking") as supervisor:
        uses = {use["id"]: use for use in supervisor.get("/v1/articles/uses").json()["items"]}
    assert (uses[article_id]["suggested"], uses[article_id]["read"]) == (1, 1)
    assert agent.get("/v1/articles/uses").status_code == 403
    assert agent.delete(f"/v1/articles/{article_id}").status_code == 204

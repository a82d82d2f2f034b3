"""Secrets pasted into a message, a mail and text files: held, told in words, moved to the access data (clause 4.3)."""

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import httpx
from canaries import Canaries
from live_desk import AnyDesk, eventually, mail
from walking import done, letters, submit

CLARA = "clara.pasted@shop.example"
TOLD = "It was taken out before anybody could read it"
HELD_BACK = "The file holds what looks like a password or a key, so it is held back."
MASK = "[removed: password]"


@dataclass
class Watched:
    """A desk with a client, a specialist and an admin of the API, and all that it has answered them."""

    desk: AnyDesk
    stack: ExitStack
    canaries: Canaries = field(default_factory=Canaries)
    heard: list[str] = field(default_factory=list)

    def acting(self, role: str, subject: str, **more: str) -> httpx.Client:
        """Return a client of the API as somebody; its answers are kept, but that of a reading."""
        http = self.stack.enter_context(self.desk.api(role, subject, **more))
        http.event_hooks["response"].append(self._hear)
        return http

    def _hear(self, answer: httpx.Response) -> None:
        answer.read()
        if not (answer.is_success and answer.request.url.path.endswith("/reveal")):
            self.heard.append(f"{answer.headers} {answer.text}")

    def leaks(self) -> list[str]:
        """Return the answers and mails in which a secret is found."""
        mails = [one.as_bytes().decode("utf-8", "surrogateescape") for one in self.desk.mails()]
        return [one for one in (*self.heard, *mails) if self.canaries.is_in(one)]


def test_what_is_pasted_in_any_way_is_held_told_and_moved(desk: AnyDesk) -> None:
    """No message, mail or text file shows a pasted password to anybody; the access data alone give it back."""
    with ExitStack() as stack:
        watched = Watched(desk, stack)
        client = watched.acting("client", "clara-pasted", email=CLARA)
        agent = watched.acting("agent", "anna-pasted")
        admin = watched.acting("admin", "ada-pasted")
        ticket = submit(client)
        paste_everywhere(desk, client, ticket, watched.canaries.pasted)

        texts = eventually(lambda: (found := bodies(client, ticket)) and len(found) == 4 and found)
        assert sum(MASK in text and watched.canaries.witness in text for text in texts) == 2
        assert sum(TOLD in text for text in texts) == 1
        assert eventually(lambda: letters(desk, CLARA, ticket["number"], HELD_BACK))

        held = held_texts(agent, ticket)
        assert [(one["status"], one["kinds"]) for one in held] == [("held", ["password"])] * 2
        claim = eventually(
            lambda: (a := agent.post("/v1/queue/claims", json={"ticket_id": ticket["id"]})).status_code == 201 and a
        ).json()
        for one in held:
            assert moved(agent, ticket, claim, one["id"]) == watched.canaries.secret("pasted")
        assert [one["status"] for one in held_texts(agent, ticket)] == ["moved"] * 2

        for reader in (client, agent):
            for path in ("", "/messages", "/history", "/access-requests"):
                done(reader.get(f"/v1/tickets/{ticket['id']}{path}"))
            done(reader.get("/v1/tickets", params={"q": watched.canaries.witness}))
        done(agent.get("/v1/mails", params={"ticket_id": ticket["id"]}))
        eventually(lambda: events(admin, ticket).count("ticket.access_provided") == 2)
        assert watched.leaks() == []
        assert any(watched.canaries.witness in one for one in watched.heard)


def test_what_many_would_read_is_refused(desk: AnyDesk) -> None:
    """An incident's title, its banner and the answer to all are refused with what to do; nobody reads them."""
    with ExitStack() as stack:
        watched = Watched(desk, stack)
        client = watched.acting("client", "carl-pasted", email="carl.pasted@shop.example")
        agent = watched.acting("agent", "abel-pasted")
        ticket, secret = submit(client), watched.canaries.secret("pasted")
        incident = done(agent.post("/v1/incidents", json={"title": "Slow", "ticket_ids": [ticket["id"]]}))
        path, words = f"/v1/incidents/{incident['id']}", f"Password: {secret}"
        for where, body in (
            ("/v1/incidents", {"title": words}),
            (f"{path}/banner", {"text": words}),
            (f"{path}/answer", {"body": words}),
        ):
            refused = agent.post(where, json=body)
            assert (refused.status_code, refused.json()["clause"]) == (422, "4.3")
            assert "Take it out" in refused.json()["errors"][0]["detail"]
        done(agent.post(f"{path}/answer", json={"body": "It is fast again."}))
        assert eventually(lambda: len(found := bodies(client, ticket)) == 2 and found)[1] == "It is fast again."
        done(agent.get(path))
        done(client.get("/v1/banners"))
        assert watched.leaks() == []


def paste_everywhere(desk: AnyDesk, client: httpx.Client, ticket: dict[str, Any], pasted: str) -> None:
    """Try a text before it is sent, then paste it into a message, a mail, and a text file on either way."""
    warned = done(client.post("/v1/tickets/check", json={"subject": "Slow", "body": pasted}))
    assert [hint["code"] for hint in warned["hints"]] == ["pasted_secret"]
    done(client.post(f"/v1/tickets/{ticket['id']}/messages", json={"body": pasted}))
    refused = client.post("/v1/attachments", files={"file": ("access.txt", pasted.encode(), "text/plain")})
    assert (refused.status_code, refused.json()["clause"]) == (422, "4.3")
    assert HELD_BACK in refused.json()["detail"]
    letter = mail(CLARA, f"Re: [{ticket['number']}] x", pasted, Message_ID="<pasted@shop.example>")
    letter.add_attachment(pasted.encode(), maintype="text", subtype="plain", filename="access.txt")
    desk.send(letter)


def bodies(http: httpx.Client, ticket: dict[str, Any]) -> list[str]:
    """Return the texts of a request's correspondence."""
    return [item["body"] for item in done(http.get(f"/v1/tickets/{ticket['id']}/messages"))["items"]]


def held_texts(agent: httpx.Client, ticket: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what staff sees of the texts that were held back."""
    items: list[dict[str, Any]] = done(agent.get(f"/v1/tickets/{ticket['id']}/held-texts"))["items"]
    return items


def moved(agent: httpx.Client, ticket: dict[str, Any], claim: dict[str, Any], held_id: str) -> str:
    """Move what a text held to the access data unread, and return the password that is read there."""
    path, headers = f"/v1/tickets/{ticket['id']}", {"Claim-Token": claim["claim_token"]}
    wish = {"kind": "ftp", "reason": "You wrote it in a message."}
    verb = f"{path}/held-texts/{held_id}/vault"
    made = eventually(lambda: (a := agent.post(verb, json=wish, headers=headers)).status_code == 201 and a).json()
    reveal = f"{path}/access-requests/{made['id']}/reveal"
    return str(done(agent.post(reveal, json={"reason": "To look."}, headers=headers))["values"]["ftp"]["password"])


def events(admin: httpx.Client, ticket: dict[str, Any]) -> list[str]:
    """Return the types of all events in the feed that tell of a request."""
    found, after = [], 0
    while items := done(admin.get("/v1/events", params={"after": after, "limit": 100}))["items"]:
        found += [event["type"] for event in items if event["ticket_id"] == ticket["id"]]
        after = items[-1]["position"]
    return found

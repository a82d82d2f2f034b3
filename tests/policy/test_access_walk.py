"""Access data lived through by HTTP and mail: asked, given, read, deleted, to be changed (clause 4.3)."""

from typing import Any

import httpx
from live_desk import AnyDesk, eventually
from walking import submit

CLARA, CANARY = "clara.access@shop.example", "canary-walk-Xy7"
PASTED = "Zq7!kanarie-Vx3"
GIVEN = {"values": {"ftp": {"login": "clara", "password": CANARY}}}


def use(http: httpx.Client, ticket: dict[str, Any], verb: str, body: Any = None, token: str = "") -> dict[str, Any]:
    """Use a verb on a request, which has to succeed; return the answer."""
    headers = {"Claim-Token": token} if token else {}
    answer = http.post(f"/v1/tickets/{ticket['id']}/{verb}", json=body or {}, headers=headers)
    assert answer.is_success, answer.text
    document: dict[str, Any] = answer.json()
    return document


def mailed(desk: AnyDesk, ticket: dict[str, Any], words: str) -> str:
    """Wait for the mail about a request that holds some words; return its text on one line."""

    def found() -> list[str]:
        mails = [mail for mail in desk.mails(CLARA) if ticket["number"] in str(mail["Subject"])]
        texts = [" ".join(bytes(mail.get_payload(decode=True)).decode().split()) for mail in mails]
        return [text for text in texts if words in text]

    return str(eventually(found)[0])


def test_access_is_given_read_and_changed(desk: AnyDesk) -> None:
    """The client gives it in its own place, the holder of the claim reads it, the end deletes it."""
    with (
        desk.api("client", "clara-access", email=CLARA) as client,
        desk.api("agent", "anna-access") as agent,
        desk.api("agent", "bert-access") as bert,
    ):
        ticket = submit(client)
        body = {"kinds": ["ftp"], "reason": "To read the log.", "host": "shop.example"}
        asked = use(agent, ticket, "access-requests", body)
        assert "FTP (shop.example)" in mailed(desk, ticket, "What for: To read the log.")
        one = f"access-requests/{asked['id']}"
        assert use(client, ticket, f"{one}/provide", GIVEN)["status"] == "provided"
        claim = eventually(
            lambda: (a := agent.post("/v1/queue/claims", json={"ticket_id": ticket["id"]})).status_code == 201 and a
        ).json()
        refused = bert.post(f"/v1/tickets/{ticket['id']}/{one}/reveal", json={"reason": "To look."})
        assert (refused.status_code, CANARY in refused.text) == (409, False)
        why = {"reason": "Compare the files."}
        read = eventually(
            lambda: (
                (a := agent.post(f"/v1/tickets/{ticket['id']}/{one}/reveal", json=why, headers=token(claim))).is_success
                and a
            )
        )
        assert read.json()["values"]["ftp"]["password"] == CANARY
        assert "Compare the files." in mailed(desk, ticket, "has read access data")
        use(agent, ticket, "resolve", token=claim["claim_token"])
        assert "FTP (shop.example)" in mailed(desk, ticket, "Change them now")
        gone = agent.post(f"/v1/tickets/{ticket['id']}/{one}/reveal", json=why, headers=token(claim))
        assert gone.status_code == 409
        (shown,) = client.get(f"/v1/tickets/{ticket['id']}/access-requests").json()["items"]
        assert (shown["status"], shown["to_change"], len(shown["reveals"])) == ("purged", ["ftp"], 1)
        assert use(client, ticket, f"{one}/confirm")["to_change"] == []
        assert CANARY not in agent.get(f"/v1/tickets/{ticket['id']}/messages").text
        assert not any(CANARY.encode() in mail.as_bytes() for mail in desk.mails())


def test_what_was_pasted_is_moved_to_the_vault(desk: AnyDesk) -> None:
    """A password in a message is masked; the holder of the claim moves it to the access data, and reads it there."""
    with desk.api("client", "clara-access", email=CLARA) as client, desk.api("agent", "anna-access") as agent:
        ticket = submit(client, body=f"Login: clara\nPassword: {PASTED}")
        path = f"/v1/tickets/{ticket['id']}"
        (held,) = agent.get(f"{path}/held-texts").json()["items"]
        claim = eventually(
            lambda: (a := agent.post("/v1/queue/claims", json={"ticket_id": ticket["id"]})).status_code == 201 and a
        ).json()
        body = {"kind": "ftp", "reason": "You wrote it in a message."}
        verb = f"held-texts/{held['id']}/vault"
        moved = eventually(
            lambda: (a := agent.post(f"{path}/{verb}", json=body, headers=token(claim))).status_code == 201 and a
        ).json()
        read = use(agent, ticket, f"access-requests/{moved['id']}/reveal", {"reason": "To look."}, claim["claim_token"])
        assert read["values"] == {"ftp": {"password": PASTED}}
        assert "FTP" in mailed(desk, ticket, "What for: To look.")
        (message,) = client.get(f"{path}/messages").json()["items"]
        assert message["body"] == "Login: clara\nPassword: [removed: password]"
        assert not any(PASTED.encode() in mail.as_bytes() for mail in desk.mails())


def token(claim: dict[str, Any]) -> dict[str, str]:
    """Return the header that shows a claim."""
    return {"Claim-Token": claim["claim_token"]}

"""Steps that the walks through the policy share: send a request, take it, read its mails."""

from typing import Any

import httpx
from live_desk import AnyDesk, eventually


def submit(client: httpx.Client, **more: Any) -> dict[str, Any]:
    """Send a request and return its document."""
    answer = client.post("/v1/tickets", json={"subject": "White page", "body": "The shop shows nothing.", **more})
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


def done(answer: httpx.Response) -> dict[str, Any]:
    """Return the document of an answer that has to be a success."""
    assert answer.is_success, answer.text
    document: dict[str, Any] = answer.json()
    return document


def place(client: httpx.Client, ticket_id: str) -> int:
    """Return a request's position in the queue as soon as it has one."""
    answer = eventually(lambda: (a := client.get(f"/v1/queue/{ticket_id}")).status_code == 200 and a)
    return int(answer.json()["position"])


def letters(desk: AnyDesk, to: str, number: str, words: str = "") -> list[str]:
    """Return the texts, on one line each, of the mails to somebody that name a request and hold some words."""
    found = [mail for mail in desk.mails(to) if number in str(mail["Subject"])]
    texts = [" ".join(mail.get_payload(decode=True).decode().split()) for mail in found]  # type: ignore[union-attr]
    return [text for text in texts if words in text]

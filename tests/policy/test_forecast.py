"""Clause 2.3 walked through: when an answer comes is estimated from the last ones, and promised to nobody."""

from collections.abc import Iterator

import httpx
import pytest
from live_desk import AnyDesk, eventually

ENOUGH = 30


@pytest.fixture
def client(desk: AnyDesk) -> Iterator[httpx.Client]:
    """Return the API as a client."""
    with desk.api("client", "clara-estimate", email="clara.estimate@shop.example") as http:
        yield http


@pytest.fixture
def agent(desk: AnyDesk) -> Iterator[httpx.Client]:
    """Return the API as a specialist."""
    with desk.api("agent", "anna-estimate") as http:
        yield http


def submit(client: httpx.Client) -> str:
    """Send a request and return its ID."""
    return str(client.post("/v1/tickets", json={"subject": "White page", "body": "Nothing is shown."}).json()["id"])


def test_the_next_answer_is_estimated_and_not_promised(client: httpx.Client, agent: httpx.Client) -> None:
    """After thirty answers a client reads a range for theirs, marked as not binding; answered, nothing is owed."""
    for _ in range(ENOUGH):  # one after the other, so that each has as many ahead as the one that is asked about
        ticket_id = submit(client)
        eventually(lambda ticket_id=ticket_id: agent.get(f"/v1/queue/{ticket_id}").status_code == 200)  # type: ignore[misc]
        said = agent.post(f"/v1/tickets/{ticket_id}/messages", json={"body": "Reload the page.", "audience": "public"})
        assert said.status_code == 201, said.text
        eventually(lambda ticket_id=ticket_id: agent.get(f"/v1/queue/{ticket_id}").status_code != 200)  # type: ignore[misc]
    waits = submit(client)
    path = f"/v1/forecasts/{waits}"
    told = eventually(lambda: (a := client.get(path)).json().get("state") == "expected" and a.json(), seconds=60)
    assert told["binding"] is False
    assert "not a promise" in told["note"]
    assert told["as_of"] <= told["earliest_at"] <= told["p50_at"] <= told["p90_at"]
    assert told["based_on"] >= ENOUGH
    agent.post(f"/v1/tickets/{waits}/messages", json={"body": "Reload the page.", "audience": "public"})
    eventually(lambda: client.get(path).json()["state"] == "not_owed")
    score = client.get("/v1/forecasts/accuracy").json()
    assert 0 <= score["within_p50"] <= score["within_p90"] <= score["answers"]

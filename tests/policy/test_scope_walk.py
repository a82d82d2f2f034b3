"""Clauses 1.3, 1.4 and 3.1 to 3.6 walked through HTTP and mail: what is covered, what is not, and whom to ask."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from live_desk import AnyDesk, eventually
from walking import done, letters, submit

CLARA = "clara.scope@shop.example"


@pytest.fixture
def client(desk: AnyDesk) -> Iterator[httpx.Client]:
    """Return the API as a client."""
    with desk.api("client", "clara-scope", email=CLARA) as http:
        yield http


@pytest.fixture
def agent(desk: AnyDesk) -> Iterator[httpx.Client]:
    """Return the API as a specialist."""
    with desk.api("agent", "anna-scope") as http:
        yield http


def triaged(agent: httpx.Client, ticket: dict[str, Any], **scope: Any) -> dict[str, Any]:
    """Revise a request's scope and return the new one."""
    body = {"scope": scope}
    revised: dict[str, Any] = done(agent.post(f"/v1/tickets/{ticket['id']}/triage", json=body))["scope"]
    return revised


def test_the_catalogue_is_public(desk: AnyDesk) -> None:
    """Anybody reads of each section what is covered, how far, whom to ask instead, and where the line comes from."""
    catalogue = done(httpx.get(f"{desk.url}/v1/policy/scope"))
    sections = {topic["clause"]: topic for topic in catalogue["topics"]}
    assert {"1.3", "1.4", "3.1", "3.2", "3.3", "3.4", "3.5", "3.6"} <= set(sections)
    for clause in ("3.1", "3.2", "3.3", "3.4", "3.5"):
        assert {item["verdict"] for item in sections[clause]["items"]} == {"in", "out"}
    assert {item["verdict"] for item in sections["3.6"]["items"]} == {"in"}
    for topic in sections.values():
        for item in topic["items"]:
            assert item["provenance"] in ("seed", "public", "inferred")
            assert (item["referral"] is not None) == (item["verdict"] == "out")
    page = httpx.get(f"{desk.url}/covered")
    assert page.status_code == 200
    assert "Modules of other makers." in page.text


@pytest.mark.parametrize(
    ("topic", "verdict", "mode"),
    [
        ("installation.licence_activation", "in", "full"),
        ("performance.own_code", "out", "none"),
        ("updates.modified_core", "out", "none"),
        ("usage.how_to", "in", "full"),
        ("development.references", "in", "consult_only"),
        ("recovery.restore", "in", "full"),
        ("hosting.server_settings", "in", "consult_only"),
    ],
)
def test_a_topic_says_whether_it_is_covered(client: httpx.Client, topic: str, verdict: str, mode: str) -> None:
    """Asked before anything is sent, the policy says whether and how far a topic of each section is covered."""
    answer = done(client.post("/v1/tickets/check", json={"subject": "x", "body": "y", "topic": topic}))
    assert (answer["scope"]["verdict"], answer["scope"]["support_mode"]) == (verdict, mode)
    assert (answer["scope"]["refer_to"] is not None) == (verdict == "out")


def test_who_is_not_covered_hears_whom_to_ask(desk: AnyDesk, client: httpx.Client, agent: httpx.Client) -> None:
    """The acknowledgement, a specialist's verdict and a closing each name who helps; a product error brings it in."""
    own = submit(client, topic="development.own_code")
    assert eventually(lambda: letters(desk, CLARA, own["number"], "Ask your web developer"))

    ticket = submit(client, topic="usage")
    number = ticket["number"]
    out = triaged(agent, ticket, verdict="out", refer_to="partner", reason="A partner built this.")
    assert (out["verdict"], out["support_mode"]) == ("out", "none")
    assert eventually(lambda: letters(desk, CLARA, number, "does not cover your request"))
    assert letters(desk, CLARA, number, "Ask the partner who built")
    covered = triaged(agent, ticket, product_error=True)
    assert (covered["verdict"], covered["product_error"]) == ("in", True)
    assert eventually(lambda: letters(desk, CLARA, number, "technical support covers it"))
    only = triaged(agent, ticket, support_mode="consult_only", reason="Settings of the server.")
    assert only["support_mode"] == "consult_only"
    assert eventually(lambda: letters(desk, CLARA, number, "by references to documentation"))
    seen = client.get(f"/v1/tickets/{ticket['id']}").json()["scope"]
    assert seen["reason"] == "Settings of the server."
    history = done(agent.get(f"/v1/tickets/{ticket['id']}/history"))["items"]
    assert len([event for event in history if "scope" in event["data"].get("changes", {})]) == 3

    closing = {"reason": "out_of_scope", "refer_to": "hosting"}
    done(agent.post(f"/v1/tickets/{ticket['id']}/close", json=closing))
    assert eventually(lambda: letters(desk, CLARA, number, "Ask your hosting company"))

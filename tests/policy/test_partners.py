"""A partner's system walked through: its webhooks make requests, and it tells its own events from others' (4.1)."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from both_modes import MODES, desk_in
from live_desk import AnyDesk, eventually

KEY = b"k" * 32
SOURCES = """
sources:
  - code: acme-crm
    title: Acme CRM
    organization_id: acme
    secret_file: acme.secret
    members: {subject: title, body: text, requester_email: email, external_ref: id, fields: {version: version}}
"""


@pytest.fixture(scope="module", params=MODES)
def desk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnyDesk]:
    """Run a desk that knows one partner's system."""
    folder = tmp_path_factory.mktemp("partners")
    (folder / "acme.secret").write_text("whsec_" + base64.b64encode(KEY).decode())
    (folder / "partners.yaml").write_text(SOURCES)
    partners = str(folder / "partners.yaml")
    with desk_in(request.param, request, folder / "data", FIRSTLINE_PARTNERS=partners) as running:
        yield running


def send(desk: AnyDesk, webhook_id: str, key: bytes = KEY, **case: Any) -> httpx.Response:
    """Send a signed webhook."""
    body = json.dumps({"id": "C-1", "title": "No update", "email": "kim@acme.example", **case}).encode()
    at = str(int(time.time()))
    mark = base64.b64encode(hmac.digest(key, f"{webhook_id}.{at}.".encode() + body, hashlib.sha256)).decode()
    headers = {"webhook-id": webhook_id, "webhook-timestamp": at, "webhook-signature": f"v1,{mark}"}
    return httpx.post(f"{desk.url}/v1/partner-webhooks/acme-crm", content=body, headers=headers)


def test_two_systems_are_kept_in_step(desk: AnyDesk) -> None:
    """A case becomes one request and its notes messages; the partner passes over what its own system did."""
    made = [send(desk, "w1", text="It stops.") for _ in range(2)]
    assert [answer.status_code for answer in made] == [201, 201]
    assert made[0].json() == made[1].json()
    assert send(desk, "w1", b"x" * 32, text="It stops.").status_code == 401
    ticket_id = made[0].json()["ticket_id"]
    assert send(desk, "w2", text="Since Monday.", version="24.1").status_code == 200
    with desk.api("agent", "anna-partners") as agent:
        assert agent.get(f"/v1/tickets/{ticket_id}").json()["fields"] == {"version": "24.1"}
        assert agent.post(f"/v1/tickets/{ticket_id}/messages", json={"body": "Reload."}).status_code == 201
    with desk.api("partner", "pia-partners", organization="acme") as partner:

        def said() -> Any:
            items = partner.get("/v1/events", params={"after": 0, "type": "ticket"}).json()["items"]
            mine = [one for one in items if one["ticket_id"] == ticket_id]
            return len(mine) >= 3 and mine

        events = eventually(said)
        others = [one["type"] for one in events if one["data"]["actor"].get("client_id") != "acme-crm"]
        assert others == ["ticket.replied"], "its own request and message carry its name, the answer doesn't"
        assert partner.get("/v1/tickets", params={"external_ref": "C-1"}).json()["items"][0]["id"] == ticket_id
        again = {"subject": "x", "body": "y", "requester": {"email": "kim@acme.example"}, "external_ref": "C-1"}
        taken = partner.post("/v1/tickets", json=again)
        assert (taken.status_code, taken.json()["ticket_id"]) == (409, ticket_id)


def test_a_partner_sends_for_a_client(desk: AnyDesk) -> None:
    """By the API a partner sends for a customer, who is the requester; another partner reads none of it (1.1)."""
    body = {"subject": "Slow", "body": "All pages.", "requester": {"email": "lee@acme.example", "name": "Lee"}}
    with desk.api("partner", "pia-partners", organization="acme") as partner:
        made = partner.post("/v1/tickets", json={**body, "external_ref": "P-9", "metadata": {"case": 9}})
        assert made.status_code == 201, made.text
        ticket = made.json()
    assert (ticket["requester"]["email"], ticket["channel"], ticket["organization_id"]) == (
        "lee@acme.example",
        "partner_api",
        "acme",
    )
    assert (ticket["external_ref"], ticket["metadata"]) == ("P-9", {"case": 9})
    with desk.api("partner", "olga-partners", organization="other") as other:
        assert other.get(f"/v1/tickets/{ticket['id']}").status_code == 404
        free = other.post("/v1/tickets", json={**body, "external_ref": "P-9"})
        assert free.status_code == 201
    with desk.api("client", "lee-partners", email="lee@acme.example") as client:
        assert client.get(f"/v1/tickets/{ticket['id']}").json()["subject"] == "Slow"
    phone = {**body, "channel": "phone"}
    with desk.api("partner", "pia-partners", organization="acme") as partner:
        assert partner.post("/v1/tickets/check", json=phone).json()["clause"] == "4.5"

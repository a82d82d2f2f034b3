"""A desk under an invented policy walked through: around the clock, three severities, other fields, channels and scope.

Nothing here is true of the default policy, so whatever were written into code instead of read from the policy shows.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from both_modes import MODES, desk_in
from live_desk import AnyDesk, eventually, mail

NIGHTWATCH = Path(__file__).parent / "nightwatch.yaml"
KEY, GOLD = "BERTH-2026-OLD-0042", "BERTH-2026-GOLD-0043"
OLAF = "olaf@harbour.example"


@pytest.fixture(scope="module", params=MODES)
def desk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnyDesk]:
    """Run a desk under the invented policy."""
    folder = tmp_path_factory.mktemp("nightwatch")
    with desk_in(request.param, request, folder, FIRSTLINE_POLICY=str(NIGHTWATCH)) as running:
        yield running


@pytest.fixture
def client(desk: AnyDesk) -> Iterator[httpx.Client]:
    """Return the API as a client."""
    with desk.api("client", "olaf", email=OLAF) as http:
        yield http


@pytest.fixture
def agent(desk: AnyDesk) -> Iterator[httpx.Client]:
    """Return the API as a specialist."""
    with desk.api("agent", "nora") as http:
        yield http


def submit(client: httpx.Client, **more: Any) -> dict[str, Any]:
    """Send a request and return its document."""
    body = {"subject": "Crane", "body": "It stands.", "channel": "radio", **more}
    answer = client.post("/v1/tickets", json=body)
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


def fields(document: dict[str, Any]) -> list[str]:
    """Return the fields that are asked for."""
    return [one["field"] for one in document["missing_information"]]


def text_of(desk: AnyDesk, words: str) -> bool:
    """Say whether a mail to the client says this."""
    payloads = [m.get_payload(decode=True) for m in desk.mails(OLAF)]
    return any(words in payload.decode() for payload in payloads if isinstance(payload, bytes))


def test_hours_channels_and_scope(desk: AnyDesk, client: httpx.Client, agent: httpx.Client) -> None:
    """The desk never closes; radio is a way in and mail is none; sunken ships are the coast guard's (1.3, 2.1, 4.5)."""
    for at in ("2026-12-25T03:00:00Z", "2026-11-29T23:59:59Z"):
        # In a process of its own, sla has yet to hear of the policy when the desk has only just started.
        assert eventually(lambda at=at: client.post("/v1/calendar/open", json={"at": at}).json().get("open"))  # type: ignore[misc]
    refused = client.post("/v1/tickets/check", json={"subject": "x", "body": "y", "channel": "portal"}).json()
    assert (refused["clause"], refused["detail"]) == ("4.5", "Use the radio.")
    assert [way["code"] for way in refused["official_channels"]] == ["radio", "api"]
    desk.send(mail(OLAF, "Crane", "It stands.", Message_ID="<o1@harbour.example>"))

    def judged() -> Any:
        return [m for m in agent.get("/v1/mails").json()["items"] if m["from"] == OLAF and m["outcome"]]

    (only,) = eventually(judged)
    assert (only["outcome"], only["reason"]) == ("refused", "channel_not_official")
    out = submit(client, topic="cranes.wrecks")
    assert (out["scope"]["verdict"], out["scope"]["refer_to"], out["completeness"]) == ("out", "coastguard", 1.0)


def test_three_severities_and_their_targets(client: httpx.Client, agent: httpx.Client) -> None:
    """Clients set minor and major themselves, mayday comes of a recovery; each has clocks of its own (2.1)."""
    minor, major = submit(client), submit(client, urgency_claim="major")
    claimed, mayday = submit(client, urgency_claim="mayday"), submit(client, recovery="full")
    assert [one["urgency"] for one in (minor, major, claimed, mayday)] == ["minor", "major", "minor", "mayday"]
    assert [one["urgency_provisional"] for one in (major, mayday)] == [False, True]

    def targets(ticket: dict[str, Any]) -> Any:
        items = agent.get("/v1/clocks", params={"ticket_ids": ticket["id"]}).json()["items"]
        return {clock["target"] for clock in items}

    assert eventually(lambda: targets(minor)) == {"resolution"}
    assert eventually(lambda: targets(mayday)) == {"first_response", "next_response", "resolution"}

    def place(ticket: dict[str, Any]) -> int:
        return int(client.get(f"/v1/queue/{ticket['id']}").json()["position"])

    assert eventually(lambda: place(minor) > max(place(major), place(mayday)))
    unknown = client.post("/v1/tickets/check", json={"subject": "x", "body": "y", "urgency_claim": "high"})
    assert "minor, major, mayday" in unknown.json()["detail"]


def clock_of(agent: httpx.Client, ticket: dict[str, Any], rule: str) -> Any:
    """Return the first response's clock once it runs by that rule."""
    items = agent.get("/v1/clocks", params={"ticket_ids": ticket["id"]}).json()["items"]
    return next((clock for clock in items if (clock["target"], clock["rule"]) == ("first_response", rule)), None)


def test_rules_give_targets_by_topic_tier_and_licence(desk: AnyDesk, client: httpx.Client, agent: httpx.Client) -> None:
    """A crane is timed by its own rule, a gold berth by its licence's edition, and each clock says by which (2.3)."""
    crane = submit(client, topic="cranes")
    clock = eventually(lambda: clock_of(agent, crane, "crane_check"))
    assert (clock["target_minutes"], [one["counted_minutes"] for one in clock["warnings"]]) == (90, [45, 80])
    story = agent.get(f"/v1/clocks/{clock['id']}/explanation").json()
    assert story["policy_version"] == crane["policy_version"]
    assert "by the rule crane_check (topic cranes, tier technical_support)" in " ".join(story["words"])
    judged = agent.post(
        f"/v1/tickets/{crane['id']}/triage", json={"urgency": "mayday", "reason": "Fire.", "tier": "development"}
    )
    assert judged.status_code == 200, judged.text
    assert eventually(lambda: clock_of(agent, crane, "mayday"))["id"] == clock["id"]
    with desk.api("admin", "ada") as admin:
        organization = admin.post("/v1/organizations", json={"name": "Gold berth", "kind": "customer"}).json()
        given = {"organization_id": organization["id"], "product": "Berth", "edition": "Gold", "key": GOLD}
        assert admin.post("/v1/licences", json=given).status_code == 201
    asked = {"subject": "x", "body": "y", "licence_key": GOLD}
    assert eventually(lambda: client.post("/v1/tickets/check", json=asked).json().get("entitlement") == "active")
    named = submit(client)
    told = {"body": "This is our berth.", "fields": {"licence_key": GOLD}}
    assert client.post(f"/v1/tickets/{named['id']}/messages", json=told).status_code == 201
    for ticket in (submit(client, licence_key=GOLD), named):
        assert eventually(lambda ticket=ticket: clock_of(agent, ticket, "berth_gold"))["target_minutes"] == 20  # type: ignore[misc]


def test_questions_waiting_and_endings(desk: AnyDesk, client: httpx.Client, agent: httpx.Client) -> None:
    """Berth and draught are asked for, storms are waited for, only the client may say that it is done (4.2, 4.8)."""
    ticket = submit(client, topic="cranes.stuck")
    path = f"/v1/tickets/{ticket['id']}"
    assert (fields(ticket), ticket["completeness"], ticket["urgency"]) == (["berth", "draught"], 0.0, "major")
    assert eventually(lambda: text_of(desk, f"Anfrage {ticket['number']} ist da."))
    after = client.post(f"{path}/messages", json={"body": "Berth 4.", "fields": {"berth": "4"}}).json()["ticket"]
    assert (fields(after), after["completeness"]) == (["draught"], 0.5)
    demand = agent.post(f"{path}/triage", json={"doc_required": True})
    assert (demand.status_code, demand.json()["clause"]) == (422, "1.2")
    waits = agent.post(f"{path}/wait", json={"cause": "third_party", "circumstance": "storm"})
    assert waits.json()["status"] == "waiting"
    assert eventually(lambda: text_of(desk, "We wait for the storm to pass."))
    assert agent.post(f"{path}/resume", json={}).status_code == 200
    done = {"reason": "resolved"}
    assert agent.post(f"{path}/close", json=done).json()["errors"][0]["detail"] == "Use one of: aborted."
    assert agent.post(f"{path}/resolve", json={}).json()["status"] == "resolved"
    assert client.post(f"{path}/close", json=done).json()["close_reason"] == "resolved"
    assert client.post(f"{path}/reopen", json={"body": "It stands again."}).json()["status"] == "open"


def test_whose_contract_has_ended_is_told(desk: AnyDesk, client: httpx.Client) -> None:
    """This policy registers nothing on a contract that has ended, and says what to do; unknown ones are served."""
    with desk.api("admin", "ada") as admin:
        organization = admin.post("/v1/organizations", json={"name": "Old berth", "kind": "customer"}).json()
        given = {
            "organization_id": organization["id"],
            "product": "Berth",
            "active_until": "2026-01-01T00:00:00Z",
            "key": KEY,
        }
        assert admin.post("/v1/licences", json=given).status_code == 201
    asked = {"subject": "x", "body": "y", "licence_key": KEY}

    def told() -> Any:
        answer = client.post("/v1/tickets/check", json=asked)
        return answer.status_code == 422 and answer.json()

    refused = eventually(told)
    assert (refused["type"], refused["detail"]) == (
        "/problems/licence-not-active",
        "Your berth contract has ended; renew it at the office.",
    )
    ticket = submit(client)
    entitled = client.get(f"/v1/tickets/{ticket['id']}/entitlement").json()
    assert (entitled["now"], entitled["notice"]) == ("unknown", None)

"""How requests wait, come back and end, lived through HTTP and mail (clauses 2.2, 2.3, 4.8, closing paragraph)."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from live_desk import AnyDesk, eventually, live_desk, mail
from walking import submit

CLARA = "clara.end@shop.example"


@pytest.fixture
def client(desk: AnyDesk) -> Iterator[httpx.Client]:
    """Return the API as a client."""
    with desk.api("client", "clara-end", email=CLARA) as http:
        yield http


@pytest.fixture
def agent(desk: AnyDesk) -> Iterator[httpx.Client]:
    """Return the API as a specialist."""
    with desk.api("agent", "anna-end") as http:
        yield http


def use(http: httpx.Client, ticket: dict[str, Any], verb: str, **body: Any) -> dict[str, Any]:
    """Use a verb on a request, which has to succeed; return the answer."""
    answer = http.post(f"/v1/tickets/{ticket['id']}/{verb}", json=body)
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


def test_development_gets_it_and_its_release_brings_it_back(
    desk: AnyDesk, client: httpx.Client, agent: httpx.Client
) -> None:
    """The client reads of the hand-over, of the plan that slips and of the release, which queues the request again."""
    ticket = submit(client, topic="updates.defect_report")
    version, later = f"{ticket['number']}-1", f"{ticket['number']}-2"
    use(agent, ticket, "messages", body="This is an error of ours.")
    plan = {"version": version, "date": "2031-02-01", "precision": "quarter"}
    use(agent, ticket, "handover", defect_ref="BUG-4711", planned_release=plan)
    eventually(lambda: client.get(f"/v1/queue/{ticket['id']}").status_code == 404)
    shown = client.get(f"/v1/tickets/{ticket['id']}").json()
    assert (shown["waiting_cause"], shown["planned_release"]["term"], shown["defect_ref"]) == (
        "release",
        "2031-Q1",
        None,
    )
    assert shown["circumstance_text"]
    assert shown["waiting_since"]
    assert "2031-Q1" in mailed(desk, ticket, "our developers have it now")

    use(agent, ticket, "release-plan", planned_release={**plan, "version": later})
    assert f"Before, it was version {version}" in mailed(desk, ticket, "the plan for your request")

    shipped = agent.post(f"/v1/releases/{later}/ship", json={"note": "It is at the usual place."})
    assert shipped.status_code == 200, shipped.text
    assert "usual place" in mailed(desk, ticket, f"version {later} is out")
    back = eventually(lambda: (t := client.get(f"/v1/tickets/{ticket['id']}").json())["status"] == "open" and t)
    assert back["released_in"] == later
    place = eventually(lambda: (a := client.get(f"/v1/queue/{ticket['id']}")).status_code == 200 and a.json())
    assert place["position"] >= 1
    assert agent.post(f"/v1/releases/{later}/ship", json={}).json() == shipped.json()


@pytest.mark.parametrize(("cause", "circumstance"), [("client", "incomplete"), ("third_party", "hosting_company")])
def test_every_waiting_names_its_circumstance(
    desk: AnyDesk, client: httpx.Client, agent: httpx.Client, cause: str, circumstance: str
) -> None:
    """Whatever a request waits for, its client reads the policy's words for it, on the request and by mail."""
    ticket = submit(client)
    use(agent, ticket, "wait", cause=cause, circumstance=circumstance)
    shown = client.get(f"/v1/tickets/{ticket['id']}").json()
    assert (shown["waiting_cause"], shown["circumstance"]) == (cause, circumstance)
    assert shown["circumstance_text"] in mailed(desk, ticket, "is waiting")
    assert use(agent, ticket, "resume")["waiting_cause"] is None


def test_the_supervisor_hears_the_client_and_answers(desk: AnyDesk, client: httpx.Client, agent: httpx.Client) -> None:
    """Clara asks for speed: nothing moves, a second question is refused, and the answer comes by mail."""
    ticket = submit(client)
    before = eventually(lambda: (a := client.get(f"/v1/queue/{ticket['id']}")).status_code == 200 and a.json())
    asked = use(client, ticket, "supervisor-requests", kind="accelerate", body="We open on Monday.")
    second = client.post(f"/v1/tickets/{ticket['id']}/supervisor-requests", json={"kind": "comment", "body": "Hello?"})
    assert (second.status_code, second.json()["type"]) == (409, "/problems/supervisor-request-open")
    assert client.get(f"/v1/tickets/{ticket['id']}").json()["supervisor_request"]["id"] == asked["id"]
    with desk.api("supervisor", "sue-end") as supervisor:
        waiting = supervisor.get("/v1/supervisor-requests", params={"limit": 100}).json()["items"]
        assert asked["id"] in [one["id"] for one in waiting]
        use(supervisor, ticket, f"supervisor-requests/{asked['id']}/answer", body="A specialist sees to it today.")
    assert "A specialist sees to it today." in mailed(desk, ticket, "the supervisor has answered")
    after = client.get(f"/v1/queue/{ticket['id']}").json()
    assert {name: after[name] for name in ("since", "out_of_turn")} == {
        name: before[name] for name in ("since", "out_of_turn")
    }
    use(agent, ticket, "resolve", body="The cache is empty now.")
    assert use(client, ticket, "rating", mark="good")["rating"]["mark"] == "good"
    assert agent.get(f"/v1/tickets/{ticket['id']}").json()["rating"]["mark"] == "good"


MONDAY = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnyDesk]:
    """Give a desk whose time is moved by hand."""
    with live_desk(tmp_path_factory.mktemp("patient"), FIRSTLINE_CLOCK="manual") as desk:
        yield desk


def move(desk: AnyDesk, instant: datetime) -> None:
    """Move product time, and let all happen that is due by then."""
    answer = httpx.put(f"{desk.url}/v1/dev/clock", json={"now": instant.isoformat()}, timeout=60)
    assert answer.status_code == 200, answer.text


def test_only_the_clients_silence_closes_and_not_without_a_warning(patient: AnyDesk) -> None:
    """Two wait for their client, one for others: all are told, one answers the reminder by mail, one is closed."""
    desk = patient
    with desk.api("client", "clara-end", email=CLARA) as client, desk.api("agent", "anna-end") as agent:
        move(desk, MONDAY)
        silent, answering, others, solved = (submit(client, subject=f"Number {number}") for number in range(4))
        for ticket in (silent, answering):
            use(agent, ticket, "wait", cause="client", circumstance="incomplete")
        use(agent, others, "wait", cause="third_party", circumstance="hosting_company")
        use(agent, solved, "resolve", body="The cache is empty now.")
        for ticket in (silent, solved):
            assert "2026-03-09 08:00 (UTC)" in mailed(desk, ticket, "If we hear nothing")

        move(desk, MONDAY + timedelta(days=4))
        reminder = mailed(desk, silent, "we are still waiting for your answer")
        assert "Without a word from you it closes on 2026-03-09 08:00 (UTC)" in reminder
        assert "Which version do you use" in reminder
        desk.send(mail(CLARA, f"Re: [{answering['number']}] Number 1", "24.100", Message_ID="<end1@shop.example>"))
        eventually(lambda: client.get(f"/v1/tickets/{answering['id']}").json()["status"] == "open")

        move(desk, MONDAY + timedelta(days=7))
        closed = client.get(f"/v1/tickets/{silent['id']}").json()
        assert (closed["status"], closed["close_reason"]) == ("closed", "no_reply")
        assert "We waited for your answer and did not get one." in mailed(desk, silent, "is closed")
        assert client.get(f"/v1/tickets/{solved['id']}").json()["close_reason"] == "resolved"
        statuses = [client.get(f"/v1/tickets/{ticket['id']}").json()["status"] for ticket in (answering, others)]
        assert statuses == ["open", "waiting"]

        desk.send(mail(CLARA, f"Re: [{silent['number']}] Number 0", "I was away.", Message_ID="<end2@shop.example>"))
        eventually(lambda: client.get(f"/v1/tickets/{silent['id']}").json()["status"] == "open")

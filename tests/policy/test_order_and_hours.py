"""Whose turn it is and when: licences, hours, order, complexity, and when it is too late (1.1, 2.1, 2.3, closing)."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from live_desk import AnyDesk, eventually, live_desk, mail
from walking import done, letters, place, submit

CLARA = "clara.order@shop.example"
KEY = "ORDER-2026-OLD-0815"


@pytest.fixture
def client(desk: AnyDesk) -> Iterator[httpx.Client]:
    """Return the API as a client."""
    with desk.api("client", "clara-order", email=CLARA) as http:
        yield http


@pytest.fixture
def agent(desk: AnyDesk) -> Iterator[httpx.Client]:
    """Return the API as a specialist."""
    with desk.api("agent", "anna-order") as http:
        yield http


def test_whose_licence_has_ended_is_served_and_told(desk: AnyDesk, client: httpx.Client) -> None:
    """A request on a licence that has ended is registered under the policy in force, answered, and told so (1.1)."""
    with desk.api("admin", "ada-order") as admin:
        organization = done(admin.post("/v1/organizations", json={"name": "Order", "kind": "customer"}))
        given = {"organization_id": organization["id"], "product": "Site Manager", "key": KEY}
        done(admin.post("/v1/licences", json={**given, "active_until": "2026-01-01T00:00:00Z"}))
    asked = {"subject": "x", "body": "y", "licence_key": KEY}
    # In a process of its own, intake has yet to hear of the licence.
    eventually(lambda: done(client.post("/v1/tickets/check", json=asked))["entitlement"] == "expired")
    ticket = submit(client, licence_key=KEY)
    assert (ticket["entitlement"], ticket["licence_last4"], ticket["status"]) == ("expired", "0815", "new")
    assert ticket["policy_version"] == done(client.get("/v1/policy"))["version"]
    (told,) = eventually(lambda: letters(desk, CLARA, ticket["number"]))
    assert "The licence given is no longer active. Your request is registered" in told
    now = done(client.get(f"/v1/tickets/{ticket['id']}/entitlement"))
    assert KEY not in f"{ticket}{told}{now}"


def test_first_come_first_served(client: httpx.Client, agent: httpx.Client) -> None:
    """Asking again, asking the supervisor and sending it once more move nothing; who is taken early is recorded."""
    first, second = submit(client), submit(client)
    assert place(client, first["id"]) < place(client, second["id"])
    done(client.post(f"/v1/tickets/{second['id']}/messages", json={"body": "Any news? It is urgent!"}))
    asked = {"kind": "accelerate", "body": "Please be quick."}
    done(client.post(f"/v1/tickets/{second['id']}/supervisor-requests", json=asked))
    again = submit(client, body="The shop shows nothing, still.")
    done(client.post(f"/v1/tickets/{first['id']}/messages", json={"body": "It still is."}))
    places = [place(client, ticket["id"]) for ticket in (first, second, again)]
    assert places == sorted(places)
    why = " ".join(done(client.get(f"/v1/queue/{second['id']}"))["why"])
    assert "in the order in which they came in" in why
    assert "further messages do not move it" in why

    taken = eventually(lambda: _claimed(agent, second["id"]))
    assert taken["agent"] == "anna-order"
    (claim,) = eventually(lambda: _claims_of(agent, second["id"]))
    assert claim["data"]["reason"] == "by_hand"
    assert place(client, first["id"]) == places[0]


def _claimed(agent: httpx.Client, ticket_id: str) -> Any:
    """Claim a request; return the claim, or nothing where it isn't in the queue yet."""
    answer = agent.post("/v1/queue/claims", json={"ticket_id": ticket_id})
    return answer.status_code == 201 and answer.json()


def _claims_of(agent: httpx.Client, ticket_id: str) -> list[dict[str, Any]]:
    """Return the events of a request's claims, out of the whole feed."""
    found: list[dict[str, Any]] = []
    after = 0
    while items := done(agent.get("/v1/events", params={"after": after, "type": "queue.claimed"}))["items"]:
        found += [one for one in items if one["ticket_id"] == ticket_id]
        after = items[-1]["position"]
    return found


def test_complexity_is_recorded_and_no_time_is_promised(
    desk: AnyDesk, client: httpx.Client, agent: httpx.Client
) -> None:
    """A specialist says how hard it is and who goes on with it; no mail and no page of the client's names a date."""
    ticket = submit(client)
    path = f"/v1/tickets/{ticket['id']}"
    judged = done(agent.post(f"{path}/triage", json={"complexity": "hard", "tier": "technical_support"}))
    assert (judged["complexity"], judged["tier"], judged["urgency"]) == ("hard", "technical_support", "normal")
    eventually(lambda: ticket["id"] in agent.get("/v1/queue?tier=technical_support&limit=100").text)
    done(agent.post(f"{path}/messages", json={"body": "We look into it."}))
    texts = eventually(lambda: len(found := letters(desk, CLARA, ticket["number"])) == 2 and found)
    # The number may look like a year, and while the desk is shut the acknowledgement says when it opens again.
    said = [re.sub(r"opens again on \S+", "", text.replace(ticket["number"], "")) for text in texts]
    assert not [text for text in said if str(datetime.now(UTC).year) in text]
    assert client.get("/v1/clocks", params={"ticket_ids": ticket["id"]}).status_code == 403


SATURDAY = datetime(2026, 3, 7, 12, 0, tzinfo=UTC)


@pytest.fixture
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnyDesk]:
    """Give a desk whose time is moved by hand."""
    with live_desk(tmp_path_factory.mktemp("still"), FIRSTLINE_CLOCK="manual") as desk:
        yield desk


def move(desk: AnyDesk, instant: datetime) -> None:
    """Move product time, and let all happen that is due by then."""
    done(httpx.put(f"{desk.url}/v1/dev/clock", json={"now": instant.isoformat()}, timeout=60))


def test_requests_are_taken_at_night_and_timed_by_day(still: AnyDesk) -> None:
    """On a Saturday a request is registered and acknowledged at once; its time begins on Monday morning."""
    move(still, SATURDAY)
    with still.api("client", "clara-order", email=CLARA) as client, still.api("agent", "anna-order") as agent:
        ticket = submit(client, recovery="full")
        (told,) = eventually(lambda: letters(still, CLARA, ticket["number"]))
        assert "The Helpdesk works Mon-Fri 06:00-16:00 (UTC) and opens again on 2026-03-09 06:00 (UTC)" in told
        clocks = eventually(lambda: agent.get("/v1/clocks", params={"ticket_ids": ticket["id"]}).json()["items"])
        assert {clock["due_at"] for clock in clocks} == {"2026-03-09T09:00:00Z"}
        hours = done(client.post("/v1/calendar/open", json={"at": SATURDAY.isoformat()}))
        assert (hours["open"], hours["next_opening"]) == (False, "2026-03-09T06:00:00Z")


def test_too_late_to_reopen_is_a_request_that_follows(still: AnyDesk) -> None:
    """On the last day a mail opens it again; after that a mail becomes a request of its own that names the old one."""
    move(still, SATURDAY)
    with still.api("client", "clara-order", email=CLARA) as client, still.api("agent", "anna-order") as agent:
        ticket = submit(client, subject="It ends")
        path = f"/v1/tickets/{ticket['id']}"
        for ended, late in ((SATURDAY, timedelta(days=30)), (SATURDAY + timedelta(days=30), timedelta(days=31))):
            move(still, ended)
            done(agent.post(f"{path}/close", json={"reason": "resolved"}))
            move(still, ended + late)
            message_id = f"<late{late.days}@shop.example>"
            still.send(mail(CLARA, f"Re: [{ticket['number']}] It ends", "Again.", Message_ID=message_id))
            if late.days == 30:
                eventually(lambda: done(client.get(path))["status"] == "open")
        mine = {"requester": CLARA, "status": "new"}
        follows = eventually(lambda: [t for t in done(client.get("/v1/tickets", params=mine))["items"] if t["follows"]])
        assert [one["follows"] for one in follows] == [ticket["id"]]
        assert done(client.get(path))["status"] == "closed"
        refused = client.post(f"{path}/reopen", json={"body": "Once more."})
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/past-the-window")
        assert eventually(lambda: letters(still, CLARA, follows[0]["number"]))

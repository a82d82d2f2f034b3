"""Reports walked through the public API: what §1.5 of the reading asks for, and who was waited for (clause 2.3)."""

from typing import Any

import httpx
from live_desk import AnyDesk, eventually
from walking import done, submit

SHOP = "org-reports"
FIRST_SECONDS = 90
"""The first request of a desk of six processes may reach the queue before the policy does, and is then tried again."""


def line(supervisor: httpx.Client, name: str) -> dict[str, Any]:
    """Return the figures of our organisation in a report; none where it has no line."""
    document = done(supervisor.get(f"/v1/reports/{name}", params={"by": "organization"}))
    found = [one["figures"] for one in document["lines"] if one["key"] == SHOP]
    return dict(found[0]) if found else {}


def test_reports_tell_what_happened_and_whose_time_it_was(desk: AnyDesk) -> None:
    """Volume, out of turn, reopened, split, out of scope, rating, answers in time and waiting: each is counted."""
    with (
        desk.api("client", "clara-reports", email="clara.reports@shop.example", organization=SHOP) as client,
        desk.api("agent", "anna-reports") as agent,
        desk.api("supervisor", "sven-reports") as supervisor,
    ):
        first = submit(client, recovery="full")["id"]
        token = eventually(
            lambda: (a := agent.post("/v1/queue/claims", json={"ticket_id": first})).status_code == 201 and a,
            FIRST_SECONDS,
        ).json()["claim_token"]
        held = {"Claim-Token": token}
        done(agent.post(f"/v1/tickets/{first}/messages", json={"body": "Which version?"}, headers=held))
        done(agent.post(f"/v1/tickets/{first}/wait", json={"cause": "client"}))
        asked = done(client.post(f"/v1/tickets/{first}/messages", json={"body": "24.1. And where is the key?"}))
        done(agent.post(f"/v1/tickets/{first}/split", json={"message_id": asked["id"], "subject": "The key"}))
        done(agent.post(f"/v1/tickets/{first}/resolve", json={"body": "Reload it."}))
        done(client.post(f"/v1/tickets/{first}/rating", json={"mark": "good"}))
        done(client.post(f"/v1/tickets/{first}/reopen", json={"body": "It came back."}))
        done(agent.post(f"/v1/tickets/{first}/resolve", json={"body": "Once more."}))
        second = submit(client)["id"]
        done(agent.post(f"/v1/tickets/{second}/close", json={"reason": "out_of_scope", "body": "Ask your host."}))
        for one in client.get("/v1/tickets").json()["items"]:
            if one["status"] != "closed":
                done(agent.post(f"/v1/tickets/{one['id']}/close", json={"reason": "aborted"}))

        counts = {"requests": 3, "out_of_turn": 1, "reopened": 1, "split_off": 1, "out_of_scope": 1, "rated": 1}
        told = eventually(lambda: (f := line(supervisor, "requests")).items() >= counts.items() and f)
        assert (told["mark_good"], told["split_off_share"]) == (1, 0.3333)
        answers = eventually(lambda: (f := line(supervisor, "attainment")).get("answers", 0) >= 4 and f)
        assert (answers["late"], answers["share"]) == (0, 1)
        times = line(supervisor, "response-times")
        assert 0 <= times["net_p50"] <= times["net_p90"] <= times["gross_p95"] < 5
        whose = eventually(lambda: (f := line(supervisor, "whose-time")).get("requests") == 3 and f)
        assert whose["third_party"] == whose["release"] == 0
        assert 0 <= whose["client"] <= whose["gross"] < 5
        table = supervisor.get("/v1/reports/requests", params={"by": "organization", "format": "csv"})
        assert f"\r\n{SHOP},{SHOP},3,1,1,1,1," in table.text
        picture = supervisor.get("/v1/reports/whose-time", params={"by": "organization", "format": "svg"})
        assert (picture.status_code, SHOP in picture.text) == (200, True)
        assert agent.get("/v1/reports/requests").status_code == 403

        tried = supervisor.post("/v1/simulations", json={"set": {"targets.first_response": 30}})
        assert tried.status_code == 202, tried.text
        path = f"/v1/simulations/{tried.json()['id']}"
        told = eventually(
            lambda: (d := done(supervisor.get(path, params={"by": "organization"})))["state"] == "done" and d
        )
        (ours,) = [found for found in told["lines"] if found["key"] == SHOP]
        assert (ours["answers"], ours["late"], ours["late_then"]) == (answers["answers"], 0, 0)

"""Clause 2.1's urgency walked through HTTP and mail: claimed, judged, told, counted."""

import httpx
from live_desk import AnyDesk, eventually
from walking import done, letters, submit

CLARA = "clara.urgent@shop.example"


def test_a_claim_is_judged_told_and_counted(desk: AnyDesk) -> None:
    """A recovery is provisional until a specialist returns it with a reason that the client reads; it is counted."""
    with (
        desk.api("client", "clara-urgent", email=CLARA, organization="org-urgent") as client,
        desk.api("agent", "anna-urgent") as agent,
        desk.api("supervisor", "sven-urgent") as supervisor,
    ):
        claimed = submit(client, urgency_claim="high")
        assert (claimed["urgency"], claimed["urgency_claim"]) == ("normal", "high")
        before = _figures(supervisor)
        for judgement in ({"urgency": "high", "reason": "Confirmed."}, {"urgency": "normal", "reason": "It answers."}):
            ticket = submit(client, recovery="full")
            assert (ticket["urgency"], ticket["urgency_provisional"]) == ("high", True)
            done(agent.post(f"/v1/tickets/{ticket['id']}/triage", json=judgement))
        assert eventually(lambda: letters(desk, CLARA, ticket["number"], "It answers."))
        seen = client.get(f"/v1/tickets/{ticket['id']}").json()
        assert (seen["urgency"], seen["urgency_provisional"], seen["urgency_reason"]) == (
            "normal",
            False,
            "It answers.",
        )
        for one in client.get("/v1/tickets").json()["items"]:
            # The desk is others' too, and what is urgent would be served before theirs.
            done(agent.post(f"/v1/tickets/{one['id']}/close", json={"reason": "aborted"}))
        after = _figures(supervisor)
        assert (after[0] - before[0], after[1] - before[1]) == (1, 1)


def _figures(supervisor: httpx.Client) -> tuple[int, int]:
    """Return how many claims of the organisation were confirmed and returned."""
    items = done(supervisor.get("/v1/reports/urgency-claims"))["items"]
    found = [item for item in items if item["organization_id"] == "org-urgent"]
    return (found[0]["confirmed"], found[0]["returned"]) if found else (0, 0)

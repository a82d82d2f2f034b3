"""A request as it was, told from its events alone, and its history as each reader may see it."""

from random import Random
from typing import Any

from intake_world import World

CLARA, ANNA = "client:clara", "agent:anna"
VERBS: list[tuple[str, str, dict[str, Any]]] = [
    (ANNA, "messages", {"body": "We look at it."}),
    (ANNA, "messages", {"body": "Among us.", "audience": "internal"}),
    (CLARA, "messages", {"body": "It fails again.", "fields": {"error_text": "500"}}),
    (CLARA, "messages", {"body": "And again."}),
    (ANNA, "triage", {"urgency": "high", "reason": "It stands still."}),
    (ANNA, "triage", {"urgency": "normal", "reason": "It goes on.", "complexity": "hard"}),
    (ANNA, "triage", {"doc_required": True, "language": "de", "tier": "technical_support"}),
    (ANNA, "wait", {"cause": "client"}),
    (ANNA, "wait", {"cause": "third_party"}),
    (ANNA, "resume", {}),
    (ANNA, "handover", {"defect_ref": "BUG-1", "planned_release": {"version": "24.200"}}),
    (ANNA, "release-plan", {"planned_release": {"version": "24.300"}}),
    (ANNA, "resolve", {"body": "Solved."}),
    (ANNA, "close", {"reason": "out_of_scope"}),
    (CLARA, "reopen", {"body": "No."}),
    (CLARA, "rating", {"mark": "good", "comment": "Fine."}),
    (CLARA, "supervisor-requests", {"kind": "comment", "body": "Why?"}),
]


async def test_the_past_is_what_was_seen_then(world: World) -> None:
    """After random verbs, `?at=` gives for each instant what staff and client read at that instant."""
    chance, moved = Random(11), 0
    for _ in range(4):
        ticket = await world.submit(metadata={"a": 1}, product="cloud", doc_refs=["https://docs.example/1"])
        snapshots = []
        for _ in range(30):
            who, verb, body = chance.choice(VERBS)
            moved += (await world.verb(ticket, verb, body, who)).is_success
            path, now = f"/v1/tickets/{ticket['id']}", world.clock.now().isoformat()
            snapshots.append((now, [(await world.get(path, reader)).json() for reader in (ANNA, CLARA)]))
            world.move(minutes=chance.choice((1, 700)))
        for at, seen in snapshots:
            assert [(await world.get(path, reader, at=at)).json() for reader in (ANNA, CLARA)] == seen
    assert moved > 30


async def test_before_it_was_there_a_request_is_not_found(world: World) -> None:
    """An instant before the submission is answered by 404, one without a time zone by 422."""
    ticket = await world.submit()
    path = f"/v1/tickets/{ticket['id']}"
    assert (await world.get(path, at="2026-01-01T00:00:00Z")).status_code == 404
    assert (await world.get(path, at="2026-12-01T00:00:00")).status_code == 422


async def test_history_tells_who_changed_what(world: World) -> None:
    """A triage is there with its actor, old and new values; so is every status."""
    ticket = await world.submit()
    await world.must(ticket, "triage", {"urgency": "high", "reason": "It stands still."})
    await world.must(ticket, "resolve", {})
    items = (await world.get(f"/v1/tickets/{ticket['id']}/history")).json()["items"]
    assert items[1]["actor"]["id"] == "anna"
    assert items[1]["changes"]["urgency"] == ["normal", "high"]
    assert [item["changes"].get("status") for item in items] == [None, ["new", "open"], ["open", "resolved"]]


async def test_clients_see_their_part_of_the_history(world: World) -> None:
    """No internal note, no ID of staff, nothing that is the desk's own; to others the request isn't there."""
    ticket = await world.submit()
    await world.must(ticket, "messages", {"body": "Among us.", "audience": "internal"})
    await world.must(ticket, "handover", {"defect_ref": "BUG-77"})
    path = f"/v1/tickets/{ticket['id']}/history"
    answer = await world.get(path, CLARA)
    assert [item["type"] for item in answer.json()["items"]] == [
        "ticket.submitted",
        "ticket.handed_over",
        "ticket.waiting",
    ]
    assert [word for word in ("anna", "BUG-77", "Among us") if word in answer.text] == []
    assert (await world.get(path, "client:kim")).status_code == 404

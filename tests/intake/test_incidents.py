"""Incidents: linking, likeness, one answer to all exactly once, and banners (DESIGN section 4)."""

from pathlib import Path
from typing import Any

import pytest
from firstline.common.policy.model import Policy
from firstline.intake.service.incidents import give_or_refuse
from firstline.intake.store.incidents import PENDING_REPLIES, Reply
from firstline.intake.worker import REQUESTS_A_STEP
from intake_world import OpenWorld, World

CLARA, KIM, PIA, ANNA = "client:clara", "client:kim", "partner:pia@acme", "agent:anna"


async def made(world: World, *tickets: dict[str, Any], title: str = "Sign-in fails") -> dict[str, Any]:
    """Open an incident with requests."""
    answer = await world.post("/v1/incidents", {"title": title, "ticket_ids": [one["id"] for one in tickets]})
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def act(world: World, incident: dict[str, Any], verb: str, **body: Any) -> dict[str, Any]:
    """Use a verb on an incident, which has to succeed."""
    answer = await world.post(f"/v1/incidents/{incident['id']}/{verb}", body)
    assert answer.is_success, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def read(world: World, incident: dict[str, Any], path: str = "", **query: Any) -> dict[str, Any]:
    """Read an incident, or something of it."""
    document: dict[str, Any] = (await world.get(f"/v1/incidents/{incident['id']}{path}", **query)).json()
    return document


async def test_requests_are_linked_and_unlinked(world: World) -> None:
    """Each linked request says so in its history, once; the incident counts them and has versions of its own."""
    first, second = [await world.submit() for _ in range(2)]
    incident = await made(world, first)
    again = await act(world, incident, "link", ticket_ids=[first["id"], second["number"]])
    assert (again["tickets"], again["version"]) == (2, 2)
    assert (await act(world, incident, "link", ticket_ids=[second["id"]]))["version"] == 2
    listed = (await read(world, incident, "/tickets", limit=1))["items"]
    assert [one["id"] for one in listed] == [first["id"]]
    kinds = [kind for kind, _ in await world.events(second["id"], after=1)]
    assert kinds == ["ticket.incident_linked"]
    assert (await act(world, incident, "unlink", ticket_ids=[second["id"]]))["tickets"] == 1
    assert [kind for kind, _ in await world.events(second["id"], after=2)] == ["ticket.incident_unlinked"]
    wrong = await world.post(f"/v1/incidents/{incident['id']}/link", {"ticket_ids": ["nobody", first["id"]]})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/ticket_ids/0")


async def test_similar_requests_are_proposed(world: World) -> None:
    """Open requests that share words with those of the incident come first; ended, linked and other ones don't come."""
    linked = await world.submit(subject="Sign-in fails", body="The portal refuses my password since nine.")
    near = await world.submit(KIM, subject="Password refused", body="I can't sign in to the portal.")
    ended = await world.submit(KIM, subject="Portal refuses my password", body="Since nine.")
    await world.must(ended, "close", {"reason": "spam"})
    await world.submit(KIM, subject="Slow reports", body="They take minutes.")
    incident = await made(world, linked, title="Portal refuses passwords")
    proposed = (await read(world, incident, "/proposals"))["items"]
    assert [one["ticket"]["id"] for one in proposed] == [near["id"]]
    assert len(proposed[0]["words"]) >= 2


async def test_an_answer_goes_to_each_request_once(world: World, opened: OpenWorld, tmp_path: Path) -> None:
    """In portions, also after a restart and where two do it at once; what is closed is counted and blocks nobody."""
    tickets = [await world.submit() for _ in range(REQUESTS_A_STEP + 3)]
    closed = await world.must(tickets[0], "close", {"reason": "spam"})
    incident = await made(world, *tickets)
    for worker in world.runtime.workers:
        await worker.stop()
    answer = await act(world, incident, "answer", body="It works again.", resolve=True)
    assert (answer["total"], answer["sent"]) == (len(tickets), 0)
    pending = await world.runtime.store.read(lambda unit: unit.all(PENDING_REPLIES, limit=2))
    for one in (*pending, *pending, Reply(answer["id"], "nobody")):
        await give_or_refuse(world.desk, one)
    async with opened(tmp_path) as restarted:
        await restarted.runtime.settle()
        (shown,) = (await read(restarted, incident))["answers"]
        assert (shown["sent"], shown["refused"]) == (len(tickets) - 1, 1)
        for ticket in tickets[1:]:
            after = await restarted.ticket(ticket["id"])
            bodies = [message["body"] for message in await restarted.messages(ticket)]
            assert (after["status"], bodies[1:]) == ("resolved", ["It works again."])
        assert len(await restarted.messages(closed)) == 1
        assert [kind for kind, _ in await restarted.events(tickets[1]["id"], after=2)] == [
            "ticket.replied",
            "ticket.resolved",
        ]


async def test_nobody_is_answered_where_nobody_is_linked(world: World) -> None:
    """An answer to all of none is refused, and so are changes of what is resolved."""
    incident = await made(world)
    path = f"/v1/incidents/{incident['id']}"
    assert (await world.post(f"{path}/answer", {"body": "Hello."})).status_code == 409
    resolved = await act(world, incident, "resolve")
    assert (resolved["status"], resolved["resolved_at"] is None) == ("resolved", False)
    assert (await act(world, incident, "resolve"))["version"] == resolved["version"]
    for verb, body in (("link", {"ticket_ids": ["x"]}), ("banner", {"text": "Hello."})):
        refused = await world.post(f"{path}/{verb}", body)
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/incident-over")
    listed = (await world.get("/v1/incidents", status="open")).json()["items"]
    assert listed == []
    assert [one["id"] for one in (await world.get("/v1/incidents")).json()["items"]] == [incident["id"]]


@pytest.mark.parametrize("audience", ["all", "concerned"])
async def test_a_banner_is_shown_to_whom_the_policy_says(
    opened: OpenWorld, policy: Policy, tmp_path: Path, audience: str
) -> None:
    """While the incident is open and its time has come, all clients see it, or those whose requests are linked."""
    rules = policy.incidents.model_copy(update={"banner": audience})
    async with opened(tmp_path, current=policy.model_copy(update={"incidents": rules})) as world:
        incident = await made(world, await world.submit(CLARA), await world.submit("client:kay@acme"))

        async def seen(who: str) -> list[str]:
            return [one["text"] for one in (await world.get("/v1/banners", who)).json()["items"]]

        assert await seen(CLARA) == []
        until = "2026-11-23T14:00:00Z"
        await act(
            world, incident, "banner", **{"text": "We know.", "from": "2026-11-23T13:00:00+01:00", "until": until}
        )
        expected = {CLARA: ["We know."], KIM: [], ANNA: ["We know."]}
        for who, texts in expected.items():
            assert await seen(who) == (["We know."] if audience == "all" else texts)
        world.move(hours=2)
        assert await seen(CLARA) == []
        shown = await act(world, incident, "banner", text="Still.")
        assert shown["banner"] == {"text": "Still.", "from": None, "until": None}
        assert await seen(CLARA) == ["Still."]
        await act(world, incident, "resolve")
        assert await seen(CLARA) == []


@pytest.mark.parametrize("length", [1, 6_000], ids=["short", "long"])
async def test_secrets_are_refused_where_many_would_read_them(world: World, length: int) -> None:
    """A title, a banner and an answer to all that seem to hold a secret are refused, say why, and leave nothing."""
    secret = "Zq7!kanarie-Vx3"
    incident = await made(world, await world.submit())
    text = f"Sign in again.{' ' * length}Password: {secret}"
    path = f"/v1/incidents/{incident['id']}"
    tried = {
        "/title": ("/v1/incidents", {"title": f"Password: {secret}"}),
        "/text": (f"{path}/banner", {"text": f"Password: {secret}"}),
        "/body": (f"{path}/answer", {"body": text}),
    }
    for pointer, (where, body) in tried.items():
        refused = await world.post(where, body)
        problem = refused.json()
        assert (refused.status_code, problem["type"], problem["clause"]) == (422, "/problems/secret-for-many", "4.3")
        assert [fault["pointer"] for fault in problem["errors"]] == [pointer]
        assert secret not in refused.text
    await world.runtime.settle()
    after = await read(world, incident)
    assert (after["version"], after["banner"], after["answers"]) == (incident["version"], None, [])
    assert len((await world.get("/v1/incidents")).json()["items"]) == 1
    assert not any(secret.encode() in path.read_bytes() for path in world.folder.rglob("*") if path.is_file())
    assert (await act(world, incident, "answer", body="Sign in again."))["total"] == 1


async def test_incidents_are_for_staff(world: World) -> None:
    """Clients and partners see banners and nothing else of an incident."""
    incident = await made(world)
    for who in (CLARA, PIA):
        assert (await world.post("/v1/incidents", {"title": "Mine"}, who)).status_code == 403
        assert (await world.get(f"/v1/incidents/{incident['id']}", who)).status_code == 403
        assert (await world.get("/v1/incidents", who)).status_code == 403
    assert (await world.get("/v1/incidents/nobody")).status_code == 404

"""A world of three organisations and every role: who sees and does what; the rest can't be told from nothing."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from firstline.common.permissions import Principal, Role
from firstline.common.policy.loader import load_policy
from intake_world import OpenWorld, World, principal_of

NIGHTWATCH = Path(__file__).parents[1] / "policy" / "nightwatch.yaml"

PEOPLE = {
    "client:cora@acme": {"acme-own"},
    "client:carl@acme": set(),
    "partner:pia@acme": {"acme-own", "acme-partner"},
    "client:bea@beta": {"beta-own"},
    "partner:bob@beta": {"beta-own"},
    "client:lou": {"lone-own", "acme-partner"},
    "client:lea": set(),
    "partner:free": set(),
    "partner:empty@gamma": set(),
    "agent:anna": {"acme-own", "acme-partner", "beta-own", "lone-own"},
    "supervisor:sue": {"acme-own", "acme-partner", "beta-own", "lone-own"},
    "admin:adam": {"acme-own", "acme-partner", "beta-own", "lone-own"},
}
"""Who may see which requests of the world."""

UNKNOWN = "01900000-0000-7000-8000-000000000000"


async def populate(world: World) -> dict[str, dict[str, Any]]:
    """Return requests by name; a partner sent one of them for a client of no organisation."""
    tickets = {
        "acme-own": await world.submit("client:cora@acme", attachment_ids=[await world.upload("client:cora@acme")]),
        "acme-partner": await world.submit("partner:pia@acme", requester={"email": "lou@shop.example"}),
        "beta-own": await world.submit("client:bea@beta"),
        "lone-own": await world.submit("client:lou"),
    }
    for ticket in tickets.values():
        await world.must(ticket, "messages", {"body": "A word among us.", "audience": "internal"})
        await world.must(ticket, "messages", {"body": "Hello."})
    return tickets


def bare(answer: httpx.Response) -> tuple[int, dict[str, Any], list[str]]:
    """Return what an answer shows, but for its trace_id."""
    body = answer.json()
    body.pop("trace_id", None)
    return answer.status_code, body, sorted(answer.headers)


@pytest.mark.parametrize("who", PEOPLE)
async def test_everybody_sees_what_is_theirs(world: World, who: str) -> None:
    """Reading, listing, searching and messages agree on what is in reach; beyond it all is as if nothing were there."""
    tickets = await populate(world)
    visible = PEOPLE[who]
    listed = (await world.get("/v1/tickets", who)).json()["items"]
    assert {item["id"] for item in listed} == {tickets[name]["id"] for name in visible}
    for name, ticket in tickets.items():
        paths = [f"/v1/tickets/{ref}{part}" for ref in (ticket["id"], ticket["number"]) for part in ("", "/messages")]
        for path in paths:
            answer = await world.get(path, who)
            if name in visible:
                assert answer.status_code == 200, path
            else:
                nothing = path.replace(ticket["id"], UNKNOWN).replace(ticket["number"], "FL-0000-0000")
                assert bare(answer) == bare(await world.get(nothing, who))
                assert answer.status_code == 404
        found = (await world.get("/v1/tickets", who, q=ticket["number"].lower())).json()["items"]
        assert len(found) == (name in visible)
        by_address = (await world.get("/v1/tickets", who, requester=ticket["requester"]["email"].upper())).json()
        assert (ticket["id"] in {item["id"] for item in by_address["items"]}) == (name in visible)


@pytest.mark.parametrize("who", [who for who, seen in PEOPLE.items() if len(seen) < 4])
async def test_verbs_reach_what_is_theirs(world: World, who: str) -> None:
    """On a request out of reach a verb answers as on none, and changes nothing; triage and notes are for staff."""
    tickets = await populate(world)
    for name, ticket in tickets.items():
        before = world.stored()
        for verb, body in (("messages", {"body": "x"}), ("close", {"reason": "resolved"}), ("reopen", {"body": "x"})):
            answer = await world.verb(ticket, verb, body, who)
            if name not in PEOPLE[who]:
                nothing = await world.verb({"id": UNKNOWN}, verb, body, who)
                assert bare(answer) == bare(nothing)
                assert (answer.status_code, world.stored()) == (404, before)
            else:
                assert answer.status_code == (201 if verb == "messages" else 409)
        for verb, body in (
            ("triage", {"complexity": "easy"}),
            ("wait", {"cause": "client"}),
            ("resolve", {}),
            ("resume", {}),
            ("messages", {"body": "x", "audience": "internal"}),
        ):
            answers = [await world.verb(at, verb, body, who) for at in (ticket, {"id": UNKNOWN})]
            assert bare(answers[0]) == bare(answers[1])
            assert answers[0].status_code == 403


@pytest.mark.parametrize("who", PEOPLE)
async def test_files_follow_their_message(world: World, who: str) -> None:
    """Whoever may read the message may download its file; for others it is as if there were none, uploads included."""
    tickets = await populate(world)
    (attached,) = (await world.messages(tickets["acme-own"]))[0]["attachments"]
    loose = await world.upload("client:cora@acme")
    answer = await world.get(f"/v1/attachments/{attached['id']}", who)
    nothing = await world.get(f"/v1/attachments/{UNKNOWN}", who)
    if "acme-own" in PEOPLE[who]:
        assert answer.status_code == 200
        assert answer.headers["Content-Disposition"].startswith("attachment;")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in answer.headers["Content-Security-Policy"]
    else:
        assert bare(answer) == bare(nothing)
    if who != "client:cora@acme":
        assert bare(await world.get(f"/v1/attachments/{loose}", who)) == bare(nothing)


async def test_notes_and_staff_ids_stay_inside(world: World) -> None:
    """No answer to a client holds a note's text, a specialist's ID or their address."""
    ticket = await world.submit("agent:id-of-anna", requester={"email": "clara@shop.example"})
    await world.must(ticket, "messages", {"body": "SECRET NOTE", "audience": "internal"}, "agent:id-of-anna")
    answers = [await world.verb(ticket, "messages", {"body": "Hello."}, "client:clara")]
    await world.must(ticket, "messages", {"body": "We see."}, "agent:id-of-anna")
    await world.must(ticket, "triage", {"urgency": "high", "reason": "Down."}, "agent:id-of-anna")
    await world.must(ticket, "wait", {"cause": "client", "note": "SECRET NOTE"}, "agent:id-of-anna")
    paths = ("", f"/{ticket['id']}", f"/{ticket['id']}/messages")
    answers += [await world.get(f"/v1/tickets{path}", "client:clara") for path in paths]
    for answer in answers:
        assert answer.is_success
        assert "SECRET NOTE" not in answer.text
        assert "id-of-anna" not in answer.text
    authors = [message["author"] for message in await world.messages(ticket, "client:clara")]
    assert [author["side"] for author in authors] == ["client", "client", "staff"]
    assert [author["id"] for author in authors] == [None, "clara", None]
    assert "id-of-anna" in str(await world.messages(ticket))


@pytest.mark.parametrize("who", ["client:mallory", "partner:pia@acme", "agent:anna"])
async def test_an_upload_is_its_uploaders(world: World, who: str) -> None:
    """Another's upload can't be referenced, whoever tries, on a new request or an old one, and is as unknown."""
    theirs = await world.upload("client:clara")
    own = await world.submit(who, requester={"email": "x@shop.example"} if who != "client:mallory" else None)
    before = world.stored()
    answers = []
    for wanted in (theirs, UNKNOWN):
        body = {"subject": "x", "body": "x", "attachment_ids": [wanted]}
        answers.append(
            [
                bare(await world.post("/v1/tickets", body, who)),
                bare(await world.post("/v1/tickets/check", body, who)),
                bare(await world.verb(own, "messages", {"body": "x", "attachment_ids": [wanted]}, who)),
            ]
        )
    assert answers[0] == answers[1]
    assert {status for status, _, _ in answers[0]} == {422}
    assert {body["errors"][0]["pointer"] for _, body, _ in answers[0]} == {"/attachment_ids/0"}
    assert world.stored() == before


async def test_clients_send_in_their_own_name(world: World) -> None:
    """A client may say their own address in any case, and nobody else's."""
    ticket = await world.submit(
        "client:clara", requester={"email": "Clara@Shop.example", "name": "C.", "language": "de"}
    )
    assert (ticket["requester"]["name"], ticket["requester"]["language"]) == ("C.", "de")
    before = world.stored()
    body = {"subject": "x", "body": "x", "requester": {"email": "bea@shop.example"}}
    answer = await world.post("/v1/tickets", body, "client:clara")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/requester/email")
    assert world.stored() == before


async def test_partners_send_for_their_customers(world: World) -> None:
    """A partner's request belongs to their organisation, tells both, and came through the partner's connection."""
    await world.person("kim", "acme", name="Kim")
    ticket = await world.submit("partner:pia@acme", requester={"email": "kim@shop.example"})
    assert (ticket["organization_id"], ticket["channel"]) == ("acme", "partner_api")
    assert (ticket["requester"]["id"], ticket["requester"]["name"]) == ("kim", "Kim")
    assert ticket["participants"] == ["kim@shop.example", "pia@shop.example"]


async def test_partners_learn_nothing_of_other_organisations_people(world: World) -> None:
    """The answer about somebody of another organisation is, byte for byte, the one about a stranger."""
    body = {"subject": "x", "body": "x", "requester": {"email": "bea@shop.example"}}
    shown = []
    for known in (False, True):
        if known:
            await world.person("bea", "beta", name="Bea Secret", language="fr")
        document = (await world.post("/v1/tickets", body, "partner:pia@acme")).json()
        for member in ("id", "number", "links"):
            del document[member]
        shown.append(document)
    assert shown[0] == shown[1]


async def test_staff_send_for_anybody(world: World) -> None:
    """A specialist's request for somebody belongs to that person's organisation and tells that person only."""
    await world.person("bea", "beta", name="Bea")
    ticket = await world.submit("agent:anna", requester={"email": "bea@shop.example"}, channel="portal")
    assert (ticket["organization_id"], ticket["participants"]) == ("beta", ["bea@shop.example"])
    assert (await world.get(f"/v1/tickets/{ticket['id']}", "client:bea@beta")).status_code == 200


async def test_an_organisations_key_names_the_requester(world: World) -> None:
    """A key that acts for an organisation has no mail address: it must say whose request it is, and takes no part."""
    key = Principal("acme", Role.PARTNER, "acme@organization.invalid", "acme", client_id="key-1")
    before = world.stored()
    for path in ("/v1/tickets", "/v1/tickets/check"):
        answer = await world.post(path, {"subject": "x", "body": "x"}, key)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/requester")
        assert "acknowledgement" in answer.json()["errors"][0]["detail"]
    refused = {"subject": "x", "body": "x", "requester": {"email": "acme@organization.invalid"}}
    assert (await world.post("/v1/tickets", refused, key)).status_code == 422
    assert world.stored() == before
    ticket = await world.submit(key, requester={"email": "kim@shop.example"})
    assert (ticket["participants"], ticket["organization_id"]) == (["kim@shop.example"], "acme")
    ((_, data),) = await world.events(ticket["id"])
    assert [person["address"] for person in data["recipients"]] == ["kim@shop.example"]
    assert data["actor"] == {"id": "acme", "role": "partner", "client_id": "key-1"}
    assert (await world.get(f"/v1/tickets/{ticket['id']}", key)).status_code == 200
    assert (await world.verb(ticket, "messages", {"body": "More."}, key)).status_code == 201


async def test_no_token_no_entry(world: World) -> None:
    """Without a token, or with one of no worth, nothing is shown and nothing done; the policy alone is public."""
    ticket = await world.submit()
    before = world.stored()
    for path in ("/v1/tickets", f"/v1/tickets/{ticket['id']}", "/v1/mails", f"/v1/attachments/{UNKNOWN}"):
        assert (await world.get(path, None)).status_code == 401
    assert (await world.post("/v1/tickets", {"subject": "x", "body": "x"}, None)).status_code == 401
    assert (await world.client.get("/v1/tickets", headers={"Authorization": "Bearer x.y.z"})).status_code == 401
    assert world.stored() == before
    public = (await world.get("/v1/policy", None)).json()
    assert "targets" not in public
    assert public["version"] == ticket["policy_version"]
    questions = (await world.get("/v1/policy/scope", None)).json()["topics"][0]["required_information"]
    assert {"field", "question"} == set(questions[0])


async def test_public_targets_do_not_say_whose_others_are(opened: OpenWorld, tmp_path: Path) -> None:
    """Where a policy shows its targets, rules for single organisations stay among staff."""
    text = NIGHTWATCH.read_text("utf-8")
    rule = "  rules:\n    - {code: harbour, when: {organization_id: [acme]}, minutes: {first_response: 5}}\n"
    async with opened(tmp_path, current=load_policy(text.replace("  rules:\n", rule))) as world:
        shown = (await world.get("/v1/policy", None)).json()
    assert [shown_rule["code"] for shown_rule in shown["targets"]["rules"]] == ["berth_gold", "crane_check"]
    assert "acme" not in str(shown)


async def test_services_do_not_act_as_people(world: World) -> None:
    """One of our own processes reads the log and nothing else."""
    service = principal_of("service:sla")
    assert (await world.get("/v1/tickets", service)).status_code == 403
    assert (await world.get("/internal/log", service)).status_code == 200
    assert (await world.get("/internal/log", "admin:adam")).status_code == 403

"""Rules around the verbs: what a client's message does, windows, reasons, triage, versions, missing information."""

from datetime import timedelta
from typing import Any

import pytest
from intake_world import World

CLARA, ANNA = "client:clara", "agent:anna"
WINDOW = timedelta(days=30)


@pytest.mark.parametrize("ending", [("resolve", {}), ("close", {"reason": "aborted"})])
@pytest.mark.parametrize("way", ["message", "reopen"])
async def test_window_reaches_to_its_last_instant(world: World, ending: tuple[str, dict[str, Any]], way: str) -> None:
    """At the window's last instant a request is reopened; a microsecond later it is not."""
    for beyond in (False, True):
        ticket = await world.submit()
        await world.must(ticket, *ending)
        world.clock.move(world.clock.now() + WINDOW + beyond * timedelta(microseconds=1))
        verb = "messages" if way == "message" else "reopen"
        answer = await world.verb(ticket, verb, {"body": "White again."}, CLARA)
        status = (await world.ticket(ticket["id"]))["status"]
        if not beyond:
            assert (answer.is_success, status) == (True, "open")
        elif way == "reopen":
            assert (answer.status_code, answer.json()["type"]) == (409, "/problems/past-the-window")
            assert "reopen" not in answer.json()["allowed"]
        else:
            assert (answer.status_code, answer.json()["follows"]) == (201, ticket["id"])


async def test_the_window_counts_from_the_last_ending(world: World) -> None:
    """Closing what was resolved begins the window anew; staff can't reopen past it either."""
    ticket = await world.submit()
    await world.must(ticket, "resolve", {})
    world.move(days=20)
    await world.must(ticket, "close", {"reason": "resolved"})
    world.move(days=20)
    assert (await world.must(ticket, "reopen", {"body": "Again."}))["status"] == "open"
    await world.must(ticket, "close", {"reason": "aborted"})
    world.move(days=31)
    before = world.stored()
    assert (await world.verb(ticket, "reopen", {"body": "Again."})).json()["type"] == "/problems/past-the-window"
    assert world.stored() == before


async def test_a_late_message_starts_a_request_that_follows(world: World) -> None:
    """The new request keeps people, organisation, topic, product and answers of the old, which stays as it is."""
    old = await world.submit(
        "partner:pia@acme", requester={"email": "kim@shop.example", "name": "Kim"}, topic="updates", version="24"
    )
    await world.must(old, "close", {"reason": "aborted"})
    world.move(days=31)
    picture = await world.upload("client:kim")
    body = {"body": " It is back. ", "fields": {"backup": "yes"}, "attachment_ids": [picture]}
    answer = await world.verb(old, "messages", body, "client:kim")
    assert (answer.status_code, answer.json()["follows"]) == (201, old["id"])
    new = answer.json()["ticket"]
    assert (new["follows"], new["status"], new["reopen_count"]) == (old["id"], "new", 0)
    same = ("requester", "participants", "organization_id", "topic", "product_version", "subject")
    assert {name: new[name] for name in same} == {name: old[name] for name in same}
    assert new["fields"] == {"backup": "yes"}
    (message,) = await world.messages(new, "client:kim")
    assert (message["id"], message["body"]) == (answer.json()["id"], "It is back.")
    assert [file["id"] for file in message["attachments"]] == [picture]
    ((kind, data),) = await world.events(new["id"])
    assert (kind, data["follows"], data["actor"]["id"]) == ("ticket.submitted", old["id"], "kim")
    assert {person["address"] for person in data["recipients"]} == {"kim@shop.example", "pia@shop.example"}
    assert (await world.ticket(old["id"]))["version"] == 2


async def test_staff_write_on_resolved_requests_without_opening_them(world: World) -> None:
    """A specialist may add a word to what is resolved, and it stays resolved; a closed one takes notes only."""
    ticket = await world.submit()
    await world.must(ticket, "resolve", {})
    assert (await world.must(ticket, "messages", {"body": "One more thing."}))["status"] == "resolved"


@pytest.mark.parametrize(
    ("who", "reason", "taken"),
    [
        (ANNA, "out_of_scope", True),
        (ANNA, "no_reply", True),
        (ANNA, "no_licence", True),
        (ANNA, "duplicate", True),
        (ANNA, "spam", True),
        (ANNA, "aborted", True),
        (CLARA, "resolved", True),
        (CLARA, "spam", False),
        (CLARA, "no_reply", False),
    ],
)
async def test_close_reasons_by_side(world: World, who: str, reason: str, taken: bool) -> None:
    """Staff may give every reason of the policy, the client's side only that it is resolved."""
    ticket = await world.submit()
    await world.must(ticket, "resolve", {})
    before = world.stored()
    answer = await world.verb(ticket, "close", {"reason": reason}, who)
    if taken:
        assert answer.json()["close_reason"] == reason
    else:
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/reason")
        assert "resolved" in answer.json()["errors"][0]["detail"]
        assert world.stored() == before


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("wait", {"cause": "client", "circumstance": "silence"}),
        ("wait", {"cause": "client", "circumstance": "hosting_company"}),
        ("wait", {"cause": "client", "circumstance": "nonsense"}),
        ("close", {"reason": "aborted", "circumstance": "workload"}),
    ],
)
async def test_circumstances_must_fit(world: World, verb: str, body: dict[str, Any]) -> None:
    """A circumstance must be one of the policy, for that effect and cause; the fitting ones are named (clause 4.8)."""
    ticket = await world.submit()
    before = world.stored()
    answer = await world.verb(ticket, verb, body)
    problem = answer.json()
    assert (answer.status_code, problem["clause"]) == (422, "4.8")
    assert problem["errors"][0]["pointer"] == "/circumstance"
    assert ("incomplete" if verb == "wait" else "silence") in problem["errors"][0]["detail"]
    assert world.stored() == before


async def test_triage_tells_what_changed(world: World) -> None:
    """A judgement changes what it names and nothing else, and its event has old and new values."""
    ticket = await world.submit(recovery="full")
    assert (ticket["urgency"], ticket["urgency_provisional"]) == ("high", True)
    judgement = {
        "urgency": "normal",
        "reason": "One page only.",
        "complexity": "hard",
        "tier": "development",
        "doc_required": True,
        "language": "de",
        "scope": {"verdict": "out", "reason": "A partner built it.", "product_error": True},
    }
    after = await world.must(ticket, "triage", judgement)
    assert (after["urgency"], after["urgency_provisional"], after["urgency_reason"]) == (
        "normal",
        False,
        "One page only.",
    )
    assert (after["tier"], after["complexity"], after["doc_required"]) == ("development", "hard", True)
    assert (after["scope"]["verdict"], after["scope"]["product_error"]) == ("out", True)
    assert after["scope"]["reason"] == "A partner built it."
    ((_, data),) = await world.events(ticket["id"], after=1)
    assert data["changes"]["urgency"] == ["high", "normal"]
    assert data["changes"]["urgency_provisional"] == [True, False]
    assert data["changes"]["language"] == ["en", "de"]
    assert "topic" not in data["changes"]
    assert (data["reason"], data["urgency"], data["tier"]) == ("One page only.", "normal", "development")


async def test_confirming_an_urgency_ends_the_provisional_state(world: World) -> None:
    """The same level, given by a specialist with a reason, is no longer provisional."""
    ticket = await world.submit(recovery="partial")
    after = await world.must(ticket, "triage", {"urgency": "high", "reason": "The shop is down."})
    assert (after["urgency"], after["urgency_provisional"]) == ("high", False)


async def test_a_topic_given_by_triage_is_judged_anew(world: World) -> None:
    """A new topic brings its scope and its questions, less those that are answered already."""
    ticket = await world.submit(product="Shop edition", fields={"update": "24.1"})
    after = await world.must(ticket, "triage", {"topic": "updates"})
    assert (after["topic"], after["scope"]["verdict"]) == ("updates", "in")
    assert {missing["field"] for missing in after["missing_information"]} == {"version", "started", "error_text"}
    out = await world.must(ticket, "triage", {"topic": "development.own_code"})
    assert (out["scope"]["verdict"], out["scope"]["refer_to"], out["missing_information"]) == ("out", "developer", [])


async def test_a_scope_is_revised_and_taken_back(world: World) -> None:
    """What isn't said follows from the verdict: how far support goes, and that nobody else is to be asked any more."""
    ticket = await world.submit(topic="usage")
    out = await world.must(ticket, "triage", {"scope": {"verdict": "out", "refer_to": "hosting", "reason": "Theirs."}})
    assert out["scope"] == {
        "verdict": "out",
        "support_mode": "none",
        "reason": "Theirs.",
        "refer_to": "hosting",
        "product_error": None,
    }
    back = await world.must(ticket, "triage", {"scope": {"verdict": "in", "reason": "Ours after all."}})
    assert [back["scope"][name] for name in ("verdict", "support_mode", "refer_to")] == ["in", "full", None]
    await world.must(ticket, "triage", {"scope": {"verdict": "out", "reason": "Theirs."}})
    again = await world.must(ticket, "triage", {"scope": {"verdict": "in"}})
    assert again["scope"]["reason"] == ticket["scope"]["reason"]  # not why it was none of ours
    only = await world.must(ticket, "triage", {"scope": {"support_mode": "consult_only"}})
    assert [only["scope"][name] for name in ("verdict", "support_mode")] == ["in", "consult_only"]
    told = [data["changes"]["scope"] for _, data in await world.events(ticket["id"], after=1)]
    assert [(old["verdict"], new["verdict"]) for old, new in told] == [
        ("in", "out"),
        ("out", "in"),
        ("in", "out"),
        ("out", "in"),
        ("in", "in"),
    ]


async def test_a_product_error_brings_in_what_is_not_covered(world: World) -> None:
    """Stated by a specialist, it covers anything, and an item that says so by itself; taken back, the topic counts."""
    ticket = await world.submit(topic="development.own_code")
    assert ticket["scope"]["verdict"] == "out"
    covered = await world.must(ticket, "triage", {"scope": {"product_error": True}})
    scope = covered["scope"]
    assert (scope["verdict"], scope["support_mode"], scope["refer_to"]) == ("in", "full", None)
    assert "An error of the product may be behind it" in scope["reason"]
    other = await world.must(ticket, "triage", {"topic": "usage.partner_functions"})
    assert (other["scope"]["verdict"], other["scope"]["product_error"]) == ("in", True)
    never = await world.must(ticket, "triage", {"topic": "usage.wishes"})
    assert (never["scope"]["verdict"], never["scope"]["refer_to"], never["scope"]["product_error"]) == (
        "out",
        "sales",
        True,
    )
    again = await world.must(ticket, "triage", {"topic": "usage.partner_functions"})
    assert again["scope"]["verdict"] == "in"
    back = await world.must(ticket, "triage", {"scope": {"product_error": False}})
    assert (back["scope"]["verdict"], back["scope"]["refer_to"], back["scope"]["product_error"]) == (
        "out",
        "partner",
        False,
    )
    by_hand = await world.submit()
    await world.must(by_hand, "triage", {"scope": {"verdict": "out", "reason": "A partner built this."}})
    brought_in = await world.must(by_hand, "triage", {"scope": {"product_error": True}})
    assert brought_in["scope"]["reason"].startswith("A partner built this. An error of the product")
    covered = await world.submit(topic="usage")
    flagged = await world.must(covered, "triage", {"scope": {"product_error": True}})
    assert (flagged["scope"]["reason"], flagged["scope"]["product_error"]) == (covered["scope"]["reason"], True)


@pytest.mark.parametrize(("given", "referral"), [({}, "developer"), ({"refer_to": "hosting"}, "hosting")])
async def test_closing_as_out_of_scope_says_whom_to_ask(world: World, given: dict[str, Any], referral: str) -> None:
    """The request is out of scope then, and the event names who helps: by the topic, or whom the specialist names."""
    ticket = await world.submit(topic="development.own_code" if not given else "usage")
    closed = await world.must(ticket, "close", {"reason": "out_of_scope", **given})
    assert (closed["scope"]["verdict"], closed["scope"]["support_mode"]) == ("out", "none")
    ((_, told),) = await world.events(ticket["id"], after=1)
    assert (told["reason"], told["refer_to"]) == ("out_of_scope", referral)
    changed = [[scope["verdict"], scope["refer_to"]] for scope in told["changes"].get("scope", ())]
    assert changed == ([["in", None], ["out", "hosting"]] if given else [])


async def test_a_verdict_without_a_topic_needs_its_reason(world: World) -> None:
    """The client is never told that it is not covered because nobody knows yet; closing says its own reason."""
    ticket = await world.submit()
    refused = await world.verb(ticket, "triage", {"scope": {"verdict": "out", "refer_to": "hosting"}})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/scope/reason")
    decided = await world.must(ticket, "triage", {"scope": {"verdict": "in"}})
    assert decided["scope"]["verdict"] == "in"  # which tells the client nothing
    closed = await world.must(ticket, "close", {"reason": "out_of_scope", "refer_to": "hosting"})
    assert closed["scope"]["reason"] == "Technical support does not cover it"


async def test_closing_refers_to_nobody_unknown(world: World) -> None:
    """A referral that the policy doesn't have is refused with those that it has."""
    ticket = await world.submit()
    before = world.stored()
    answer = await world.verb(ticket, "close", {"reason": "out_of_scope", "refer_to": "nobody"})
    assert (answer.status_code, "hosting" in answer.json()["errors"][0]["detail"]) == (422, True)
    assert world.stored() == before


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"urgency": "normal"}, "/reason"),
        ({"urgency": "normal", "reason": "  "}, "/reason"),
        ({"urgency": "urgent", "reason": "Hurry."}, "/urgency"),
        ({"topic": "nonsense"}, "/topic"),
        ({"complexity": "trivial"}, "/complexity"),
        ({"language": "german"}, "/language"),
        ({"scope": {"verdict": "maybe"}}, "/scope/verdict"),
        ({"scope": {"verdict": "out", "support_mode": "full", "reason": "x"}}, "/scope/support_mode"),
        ({"scope": {"support_mode": "none"}}, "/scope/support_mode"),
        ({"scope": {"verdict": "out", "refer_to": "nobody", "reason": "Theirs."}}, "/scope/refer_to"),
        ({"scope": {"verdict": "out"}}, "/scope/reason"),
        ({"status": "closed"}, "/status"),
    ],
)
async def test_bad_judgements_change_nothing(world: World, body: dict[str, Any], pointer: str) -> None:
    """An unknown value, or an urgency without its reason, is refused with its place, and the request stays new."""
    ticket = await world.submit()
    before = world.stored()
    answer = await world.verb(ticket, "triage", body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
    assert world.stored() == before


async def test_if_match_guards_every_verb(world: World) -> None:
    """A verb or a note with the ETag that was read is done once; with an older one it is refused, changing nothing."""
    ticket = await world.submit()
    read = await world.get(f"/v1/tickets/{ticket['number'].lower()}", CLARA)
    assert read.headers["ETag"] == '"1"'
    done = await world.verb(ticket, "wait", {"cause": "client"}, If_Match=read.headers["ETag"])
    assert done.headers["ETag"] == '"2"'
    before = world.stored()
    note = {"body": "x", "audience": "internal"}
    replies: list[tuple[str, dict[str, str]]] = [("messages", {"body": "x"}), ("messages", note)]
    for verb, body in (*replies, ("resume", {}), ("resolve", {}), ("triage", {"tier": "helpdesk"})):
        late = await world.verb(ticket, verb, body, If_Match='"1"')
        assert (late.status_code, late.json()["etag"]) == (412, '"2"')
    assert world.stored() == before
    assert (await world.verb(ticket, "resume", {}, If_Match='W/"1", "2"')).status_code == 200


async def test_fields_fill_missing_information(world: World) -> None:
    """An answer ends its question and is kept; an empty one leaves the question standing (clause 4.2)."""
    ticket = await world.submit(topic="updates", fields={"started": "today"})
    assert {missing["field"] for missing in ticket["missing_information"]} == {
        "product",
        "version",
        "update",
        "error_text",
    }
    fields = {"version": "24.1", "update": "  ", "error_text": [], "extra": "kept"}
    after = await world.must(ticket, "messages", {"body": "Here.", "fields": fields}, CLARA)
    assert {missing["field"] for missing in after["missing_information"]} == {"product", "update", "error_text"}
    assert after["fields"] == {"started": "today"} | fields


async def test_fields_have_a_limit_in_all(world: World) -> None:
    """Message after message, the fields of a request stay within 16 KB; beyond, nothing of the message is kept."""
    ticket = await world.submit()
    await world.must(ticket, "messages", {"body": "1", "fields": {"a": "x" * 10_000}}, CLARA)
    before = world.stored()
    answer = await world.verb(ticket, "messages", {"body": "2", "fields": {"b": "x" * 10_000}}, CLARA)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/fields")
    assert world.stored() == before
    await world.must(ticket, "close", {"reason": "aborted"})
    world.move(days=31)
    late = await world.verb(ticket, "messages", {"body": "2", "fields": {"b": "x" * 10_000}}, CLARA)
    assert (late.status_code, late.json()["errors"][0]["pointer"]) == (422, "/fields")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"body": "x", "fields": {"version": "1"}}, "/fields"),
        ({"body": "x", "audience": "internal", "attachment_ids": ["any"]}, "/attachment_ids"),
        ({"body": " \n "}, "/body"),
        ({"body": "x" * 200_001}, "/body"),
    ],
)
async def test_what_staff_can_not_say(world: World, body: dict[str, Any], pointer: str) -> None:
    """A specialist's fields, a note's files and a text of blanks are refused, not left aside in silence."""
    ticket = await world.submit()
    before = world.stored()
    answer = await world.verb(ticket, "messages", body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
    assert world.stored() == before

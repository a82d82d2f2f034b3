"""The verb table, cell by cell: who may use which verb in which status, what comes of it, and what events tell."""

from dataclasses import dataclass
from typing import Any

import pytest
from intake_world import World

CLARA, ANNA = "client:clara", "agent:anna"
STATES: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "new": [],
    "open": [("messages", {"body": "We look at it."})],
    "waiting(client)": [("wait", {"cause": "client"})],
    "waiting(third_party)": [("wait", {"cause": "third_party"})],
    "waiting(release)": [("wait", {"cause": "release"})],
    "resolved": [("resolve", {})],
    "closed": [("close", {"reason": "aborted"})],
}
"""How staff brings a new request into each status."""


@dataclass(frozen=True)
class Verb:
    """A verb's row of the table: by status, what it makes of it and the events it tells; what isn't here is refused."""

    path: str
    body: dict[str, Any]
    staff: dict[str, tuple[str, list[str]]]
    client: dict[str, tuple[str, list[str]]] | None
    """None where the whole operation is for staff."""


def each(states: str, *, to: str | None = None, events: str) -> dict[str, tuple[str, list[str]]]:
    """Return the same outcome for several statuses; without `to` the status stays."""
    return {state: (to or state.partition("(")[0], events.split()) for state in states.split()}


WAITING = "waiting(client) waiting(third_party) waiting(release)"
VERBS = {
    "reply": Verb(
        "messages",
        {"body": "Hello."},
        staff=each("new", to="open", events="ticket.replied")
        | each(f"open {WAITING} resolved", events="ticket.replied"),
        client=each("new open waiting(third_party) waiting(release)", events="ticket.replied")
        | each("waiting(client)", to="open", events="ticket.replied ticket.resumed")
        | each("resolved closed", to="open", events="ticket.replied ticket.reopened"),
    ),
    "note": Verb(
        "messages",
        {"body": "Among us.", "audience": "internal"},
        staff=each(f"new open {WAITING} resolved closed", events="ticket.noted"),
        client=None,
    ),
    "triage": Verb(
        "triage",
        {"complexity": "hard"},
        staff=each("new", to="open", events="ticket.triaged")
        | each(f"open {WAITING} resolved", events="ticket.triaged"),
        client=None,
    ),
    "wait": Verb(
        "wait", {"cause": "client"}, staff=each("new open", to="waiting", events="ticket.waiting"), client=None
    ),
    "resume": Verb("resume", {}, staff=each(WAITING, to="open", events="ticket.resumed"), client=None),
    "hand over": Verb(
        "handover",
        {"defect_ref": "BUG-1"},
        staff=each(f"new open {WAITING}", to="waiting", events="ticket.handed_over ticket.waiting"),
        client=None,
    ),
    "plan a release": Verb(
        "release-plan",
        {"planned_release": {"version": "24.200"}},
        staff=each("waiting(release)", events="ticket.release_planned"),
        client=None,
    ),
    "resolve": Verb(
        "resolve", {}, staff=each(f"new open {WAITING}", to="resolved", events="ticket.resolved"), client=None
    ),
    "resolve with text": Verb(
        "resolve",
        {"body": "Done."},
        staff=each(f"new open {WAITING}", to="resolved", events="ticket.replied ticket.resolved"),
        client=None,
    ),
    "close": Verb(
        "close",
        {"reason": "resolved"},
        staff=each(f"new open {WAITING} resolved", to="closed", events="ticket.closed"),
        client=each("resolved", to="closed", events="ticket.closed"),
    ),
    "close with text": Verb(
        "close",
        {"reason": "resolved", "body": "Bye."},
        staff=each(f"new open {WAITING} resolved", to="closed", events="ticket.replied ticket.closed"),
        client=each("resolved", to="closed", events="ticket.replied ticket.closed"),
    ),
    "reopen": Verb(
        "reopen",
        {"body": "White again."},
        staff=each("resolved closed", to="open", events="ticket.replied ticket.reopened"),
        client=each("resolved closed", to="open", events="ticket.replied ticket.reopened"),
    ),
}
ALLOWED = {
    ("new", "staff"): "messages triage wait handover resolve close access-requests merge split",
    ("open", "staff"): "messages triage wait handover resolve close access-requests merge split",
    ("waiting", "staff"): "messages triage resume handover resolve close access-requests merge split",
    (
        "waiting(release)",
        "staff",
    ): "messages triage resume handover release-plan resolve close access-requests merge split",
    ("resolved", "staff"): "messages triage close reopen merge split",
    ("closed", "staff"): "reopen merge split",
    ("new", "client"): "messages supervisor-requests",
    ("open", "client"): "messages supervisor-requests",
    ("waiting", "client"): "messages supervisor-requests",
    ("waiting(release)", "client"): "messages supervisor-requests",
    ("resolved", "client"): "messages close reopen supervisor-requests rating",
    ("closed", "client"): "messages reopen supervisor-requests rating",
}


def allowed(ticket: dict[str, Any], who: str) -> list[str]:
    """Return the verbs that a side may use on a request."""
    side, cause = "staff" if who == ANNA else "client", f"({ticket['waiting_cause']})"
    found = ALLOWED.get((f"{ticket['status']}{cause}", side)) or ALLOWED[ticket["status"], side]
    return found.split()


async def in_state(world: World, state: str) -> dict[str, Any]:
    """Return a new request that staff has brought into a status."""
    ticket = await world.submit(CLARA)
    for verb, body in STATES[state]:
        ticket = await world.must(ticket, verb, body)
    return ticket


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", VERBS)
async def test_cell(world: World, name: str, state: str) -> None:
    """A verb does in each status what the table says, for either side; elsewhere it is refused and nothing changes."""
    verb = VERBS[name]
    for who, outcomes in ((ANNA, verb.staff), (CLARA, verb.client)):
        ticket = await in_state(world, state)
        if outcomes is not None and state in outcomes:
            await _check_allowed(world, ticket, verb, who, *outcomes[state])
        else:
            await _check_refused(world, ticket, verb, who, forbidden=outcomes is None)


async def _check_allowed(
    world: World, ticket: dict[str, Any], verb: Verb, who: str, status: str, events: list[str]
) -> None:
    world.move(seconds=1)
    answer = await world.verb(ticket, verb.path, verb.body, who)
    assert answer.status_code == (201 if verb.path == "messages" else 200), answer.text
    after = answer.json().get("ticket", answer.json())
    assert (after["status"], after["version"]) == (status, ticket["version"] + len(events))
    assert answer.headers["ETag"] == f'"{after["version"]}"'
    assert after == (await world.get(f"/v1/tickets/{ticket['id']}", who)).json()
    assert after["allowed"] == allowed(after, who)
    told = await world.events(ticket["id"], after=ticket["version"])
    assert [event_type for event_type, _ in told] == events
    role, _, name = who.partition(":")
    for _, data in told:
        assert (data["status"], data["number"], data["organization_id"]) == (status, ticket["number"], None)
        assert [person["address"] for person in data["recipients"]] == ["clara@shop.example"]
        assert data["actor"] == {"id": name, "role": role, "client_id": None}


async def _check_refused(world: World, ticket: dict[str, Any], verb: Verb, who: str, *, forbidden: bool) -> None:
    before = world.stored()
    answer = await world.verb(ticket, verb.path, verb.body, who, Idempotency_Key="once")
    problem = answer.json()
    if forbidden and who == CLARA:
        assert (answer.status_code, problem["type"]) == (403, "/problems/forbidden")
    else:
        assert (answer.status_code, problem["type"]) == (409, "/problems/illegal-transition")
        assert problem["allowed"] == allowed(ticket, who)
        assert all(possible in problem["detail"] for possible in problem["allowed"])
    assert world.stored() == before


async def test_replies_tell_who_wrote_what(world: World) -> None:
    """A reply's event carries text, author with side, receipt time, origin and files."""
    ticket = await world.submit(CLARA)
    picture = await world.upload("agent:anna", "how.png")
    await world.must(ticket, "messages", {"body": "  See the picture.\n", "attachment_ids": [picture]})
    ((_, data),) = await world.events(ticket["id"], after=1)
    assert data["body"] == "See the picture."
    assert data["author"] == {
        "id": "anna",
        "address": "anna@shop.example",
        "name": "Anna",
        "role": "agent",
        "side": "staff",
    }
    assert (data["received_at"], data["origin"]["channel"]) == (world.clock.now(), "api")
    assert data["attachments"] == [{"id": picture, "name": "how.png", "status": "ok", "reason": None}]


async def test_events_carry_the_facts_of_their_verb(world: World) -> None:
    """Waiting and resuming tell cause and note, closing reason and circumstance, reopening by which side and when."""
    ticket = await world.submit(CLARA)
    await world.must(ticket, "wait", {"cause": "client", "circumstance": "incomplete", "note": "asked twice"})
    await world.must(ticket, "resume", {"note": "found it"})
    await world.must(ticket, "close", {"reason": "aborted", "circumstance": "silence"})
    world.move(hours=1)
    await world.must(ticket, "reopen", {"body": "I was away."}, CLARA)
    told = dict(await world.events(ticket["id"], after=1))
    waiting, resumed = told["ticket.waiting"], told["ticket.resumed"]
    assert (waiting["cause"], waiting["circumstance"], waiting["note"]) == ("client", "incomplete", "asked twice")
    assert (resumed["cause"], resumed["note"]) == ("client", "found it")
    assert (told["ticket.closed"]["reason"], told["ticket.closed"]["circumstance"]) == ("aborted", "silence")
    assert (told["ticket.reopened"]["side"], told["ticket.reopened"]["received_at"]) == ("client", world.clock.now())


async def test_status_leaves_its_marks_and_takes_them_away(world: World) -> None:
    """Waiting, resolving and closing leave cause, times and reason on the request; reopening removes them all."""
    ticket = await world.submit(CLARA)
    waiting = await world.must(ticket, "wait", {"cause": "third_party", "circumstance": "hosting_company"})
    assert (waiting["waiting_cause"], waiting["circumstance"]) == ("third_party", "hosting_company")
    resolved = await world.must(ticket, "resolve", {})
    assert (resolved["waiting_cause"], resolved["circumstance"]) == (None, None)
    assert resolved["resolved_at"] is not None
    closed = await world.must(ticket, "close", {"reason": "resolved"}, CLARA)
    assert (closed["close_reason"], closed["resolved_at"]) == ("resolved", resolved["resolved_at"])
    assert closed["closed_at"] is not None
    opened = await world.must(ticket, "reopen", {"body": "Again."}, CLARA)
    assert [opened[name] for name in ("resolved_at", "closed_at", "close_reason", "circumstance")] == [None] * 4
    assert opened["reopen_count"] == 1


LAST_WORDS: list[tuple[str, dict[str, Any]]] = [("resolve", {}), ("close", {"reason": "duplicate"})]


@pytest.mark.parametrize(("verb", "given"), LAST_WORDS)
async def test_last_words_carry_their_files(world: World, verb: str, given: dict[str, Any]) -> None:
    """A text given to resolve or close goes out as one reply with its files, in the same change; a retry adds none."""
    ticket = await world.submit(CLARA)
    body = {**given, "body": "See the picture.", "attachment_ids": [await world.upload(ANNA, "how.png")]}
    for _ in range(2):
        answer = await world.verb(ticket, verb, body, Idempotency_Key="once")
        assert (answer.status_code, answer.json()["version"]) == (200, 3)
    told = await world.events(ticket["id"], after=1)
    assert [event_type for event_type, _ in told] == ["ticket.replied", f"ticket.{verb}d"]
    assert [file["name"] for file in told[0][1]["attachments"]] == ["how.png"]
    shown = (await world.messages(ticket, CLARA))[-1]
    assert (shown["body"], [file["name"] for file in shown["attachments"]]) == ("See the picture.", ["how.png"])


@pytest.mark.parametrize(
    ("sent", "status", "pointer"),
    [
        ({"attachment_ids": ["FILE"]}, 422, "/body"),
        ({"attachment_ids": ["FILE"], "body": ""}, 422, "/body"),
        ({"attachment_ids": ["FILE"], "body": " "}, 422, "/body"),
        ({"attachment_ids": ["unheard-of"], "body": "See."}, 422, "/attachment_ids/0"),
    ],
)
@pytest.mark.parametrize(("verb", "given"), LAST_WORDS)
async def test_files_without_a_text_are_refused(
    world: World, verb: str, given: dict[str, Any], sent: dict[str, Any], status: int, pointer: str
) -> None:
    """Files that no text goes with, or that nobody uploaded, leave the request as it was."""
    ticket = await world.submit(CLARA)
    file_id = await world.upload(ANNA)
    files = [file_id if name == "FILE" else name for name in sent["attachment_ids"]]
    before = world.stored()
    answer = await world.verb(ticket, verb, {**given, **sent, "attachment_ids": files})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (status, pointer)
    assert world.stored() == before

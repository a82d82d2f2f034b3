"""What clients ask the supervisor, and how they rate the handling (closing paragraph, clause 2.3)."""

import asyncio
from typing import Any

import pytest
from intake_world import World

CLARA, ANNA, SUE = "client:clara", "agent:anna", "supervisor:sue"
ASK = "supervisor-requests"
SPEED = {"kind": "accelerate", "body": " Our shop opens on Monday.\n"}


async def asked(world: World, ticket: dict[str, Any], who: str = CLARA, **body: str) -> dict[str, Any]:
    """Ask the supervisor, which has to succeed; return the answer."""
    answer = await world.verb(ticket, ASK, {**SPEED, **body}, who)
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def listed(world: World, ticket: dict[str, Any], who: str = CLARA) -> list[dict[str, Any]]:
    """Return what the supervisor was asked about a request."""
    items: list[dict[str, Any]] = (await world.get(f"/v1/tickets/{ticket['id']}/{ASK}", who)).json()["items"]
    return items


async def test_a_question_waits_for_its_answer(world: World) -> None:
    """It is kept, shown as open to both sides, told to the supervisors by event, and changes no status or urgency."""
    await world.person("sue", role="supervisor", language="de")
    await world.person("ina", role="supervisor", active=False)
    ticket = await world.submit(CLARA)
    made = await asked(world, ticket)
    assert (made["kind"], made["body"], made["asked_by"]) == ("accelerate", "Our shop opens on Monday.", "Clara")
    assert (made["answer"], made["answered_at"]) == (None, None)
    shown = await world.ticket(ticket["id"])
    assert shown["supervisor_request"] == {name: made[name] for name in ("id", "kind", "asked_at")}
    assert {name: shown[name] for name in ("status", "urgency", "tier")} == {
        name: ticket[name] for name in ("status", "urgency", "tier")
    }
    ((kind, data),) = await world.events(ticket["id"], after=1)
    assert (kind, data["request_id"], data["kind"], data["body"]) == (
        "ticket.supervisor_requested",
        made["id"],
        "accelerate",
        "Our shop opens on Monday.",
    )
    assert data["supervisors"] == [{"address": "sue@shop.example", "name": None, "language": "de"}]
    assert ASK not in (await world.get(f"/v1/tickets/{ticket['id']}", CLARA)).json()["allowed"]


async def test_one_is_open_at_a_time(world: World) -> None:
    """A second one is refused until the first is answered, also of many at once; a retry gets the first answer."""
    ticket = await world.submit(CLARA)
    answers = await asyncio.gather(*(world.verb(ticket, ASK, SPEED, CLARA) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    (problem, *_) = (answer.json() for answer in answers if answer.status_code == 409)
    assert problem["type"] == "/problems/supervisor-request-open"
    (first,) = await listed(world, ticket)
    assert problem["supervisor_request_id"] == first["id"]
    await world.verb(ticket, f"{ASK}/{first['id']}/answer", {"body": "We see to it."}, SUE)
    second = await world.verb(ticket, ASK, {**SPEED, "kind": "comment"}, CLARA, Idempotency_Key="once")
    again = await world.verb(ticket, ASK, {**SPEED, "kind": "comment"}, CLARA, Idempotency_Key="once")
    assert (second.status_code, second.json()) == (201, again.json())
    assert len(await listed(world, ticket)) == 2


async def test_a_supervisor_answers_whoever_works_on_it(world: World) -> None:
    """The answer is shown to the client, told by event, and needs no claim; there is one answer."""
    ticket = await world.submit(CLARA)
    await world.claims(ticket, "queue.claimed", "anna", 1)
    made = await asked(world, ticket, kind="comment")
    version = (await world.ticket(ticket["id"]))["version"]
    path = f"{ASK}/{made['id']}/answer"
    answered = await world.verb(ticket, path, {"body": "Thank you."}, SUE)
    assert (answered.status_code, answered.json()["answer"], answered.json()["answered_by"]) == (
        200,
        "Thank you.",
        "Sue",
    )
    assert await listed(world, ticket) == [answered.json()]
    ((kind, data),) = await world.events(ticket["id"], after=version)
    assert (kind, data["request_id"], data["body"]) == ("ticket.supervisor_answered", made["id"], "Thank you.")
    assert (await world.ticket(ticket["id"]))["supervisor_request"] is None
    again = await world.verb(ticket, path, {"body": "Once more."}, SUE)
    assert (again.status_code, again.json()["type"]) == (409, "/problems/already-answered")


async def test_supervisors_see_what_waits_for_them(world: World) -> None:
    """The oldest first, over all requests, in pages, and only what has no answer."""
    tickets = [await world.submit(CLARA, subject=f"Number {number}") for number in range(3)]
    for ticket in tickets:
        await asked(world, ticket)
    (first,) = await listed(world, tickets[0])
    await world.verb(tickets[0], f"{ASK}/{first['id']}/answer", {"body": "Seen."}, SUE)
    page = (await world.get("/v1/supervisor-requests", SUE, limit=1)).json()
    assert [(one["subject"], one["kind"]) for one in page["items"]] == [("Number 1", "accelerate")]
    following = (await world.get("/v1/supervisor-requests", SUE, cursor=page["next"])).json()
    assert [one["number"] for one in following["items"]] == [tickets[2]["number"]]


async def test_who_may_ask_answer_and_read(world: World) -> None:
    """Clients ask about their own, supervisors answer; to others what is there is not there."""
    ticket, other = await world.submit(CLARA), await world.submit(CLARA)
    made = await asked(world, ticket)
    answer = f"{ASK}/{made['id']}/answer"
    assert (await world.verb(ticket, ASK, SPEED, "client:kim")).status_code == 404
    assert (await world.get(f"/v1/tickets/{ticket['id']}/{ASK}", "client:kim")).status_code == 404
    assert (await world.verb(ticket, ASK, SPEED, ANNA)).status_code == 403
    for who in (CLARA, ANNA):
        assert (await world.verb(ticket, answer, {"body": "No."}, who)).status_code == 403
        assert (await world.get("/v1/supervisor-requests", who)).status_code == 403
    assert (await world.verb(other, answer, {"body": "No."}, SUE)).status_code == 404
    assert len(await listed(world, ticket, ANNA)) == 1


@pytest.mark.parametrize(
    "body", [{"kind": "hurry", "body": "x"}, {"kind": "comment", "body": " "}, {"kind": "comment"}]
)
async def test_bad_questions_leave_nothing(world: World, body: dict[str, str]) -> None:
    """An unknown kind or no text is refused, and nothing is stored."""
    ticket = await world.submit(CLARA)
    before = world.stored()
    assert (await world.verb(ticket, ASK, body, CLARA)).status_code == 422
    assert world.stored() == before


async def test_whoever_asks_is_not_silent(world: World) -> None:
    """While the supervisor owes an answer nothing is reminded of or closed; the count begins anew on the answer."""
    ticket = await world.must(await world.submit(CLARA), "wait", {"cause": "client"})
    question = await asked(world, ticket)
    world.move(days=30)
    await world.runtime.settle()
    shown = await world.ticket(ticket["id"])
    assert (shown["status"], shown["closes_at"], shown["reminded_at"]) == ("waiting", None, None)
    assert world.rows("SELECT * FROM due") == []
    await world.must(ticket, f"{ASK}/{question['id']}/answer", {"body": "Soon."}, SUE)
    assert (await world.ticket(ticket["id"]))["closes_at"] == "2026-12-30T12:00:00Z"
    world.move(days=4)
    await world.runtime.settle()
    assert (await world.events(ticket["id"]))[-1][0] == "ticket.reminded"


async def test_a_solution_during_a_question_says_when_it_closes(world: World) -> None:
    """Resolved while the supervisor owes an answer, a request closes at no day that its client was not told."""
    ticket = await world.submit(CLARA)
    question = await asked(world, ticket)
    assert (await world.must(ticket, "resolve", {}))["closes_at"] is None
    await world.must(ticket, f"{ASK}/{question['id']}/answer", {"body": "It is done."}, SUE)
    await world.runtime.settle()
    kind, told = (await world.events(ticket["id"]))[-1]
    assert (kind, told["closes_at"].isoformat()) == ("ticket.reminded", "2026-11-30T12:00:00+00:00")


async def test_a_rating_is_kept_and_may_be_changed(world: World) -> None:
    """The client rates what ended; the last rating counts, the same again tells nothing, reopening keeps it."""
    ticket = await world.must(await world.submit(CLARA), "resolve", {})
    for mark, comment in (("bad", "It took long."), ("bad", "It took long."), ("good", None)):
        rated = await world.must(ticket, "rating", {"mark": mark, "comment": comment}, CLARA)
    assert rated["rating"] == {"mark": "good", "comment": None, "rated_at": "2026-11-23T12:00:00Z"}
    told = await world.events(ticket["id"], after=ticket["version"])
    assert [(kind, data["mark"], data["comment"]) for kind, data in told] == [
        ("ticket.rated", "bad", "It took long."),
        ("ticket.rated", "good", None),
    ]
    assert (await world.ticket(ticket["id"]))["rating"]["mark"] == "good"
    opened = await world.must(ticket, "reopen", {"body": "Again."}, CLARA)
    assert (opened["rating"]["mark"], "rating" in opened["allowed"]) == ("good", False)


async def test_what_can_not_be_rated(world: World) -> None:
    """An open request, a mark that the policy doesn't have, somebody else's request, and staff: nothing is kept."""
    open_one, ended = await world.submit(CLARA), await world.must(await world.submit(CLARA), "resolve", {})
    before = world.stored()
    assert (await world.verb(open_one, "rating", {"mark": "good"}, CLARA)).status_code == 409
    unknown = await world.verb(ended, "rating", {"mark": "superb"}, CLARA)
    assert (unknown.status_code, "good, fair, bad" in unknown.json()["errors"][0]["detail"]) == (422, True)
    assert (await world.verb(ended, "rating", {"mark": "good"}, "client:kim")).status_code == 404
    assert (await world.verb(ended, "rating", {"mark": "good"}, ANNA)).status_code == 403
    assert world.stored() == before

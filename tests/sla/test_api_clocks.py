"""Clocks over HTTP: lists by request and by deadline, explanations, and clocks of any history."""

import asyncio
from datetime import timedelta
from random import Random
from time import process_time
from typing import Any

import pytest
from sla_world import MONDAY, World

HOUR = timedelta(hours=1)
FIRST, NEXT = "first_response", "next_response"
WEEK = {"tz": "UTC", "hours": {day: [["06:00", "16:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}}
FRIDAY = "2026-11-20T15:30:00Z"
BOTH = {FIRST: 600, NEXT: 180}
CROWDED = [[f"{hour:02}:00", f"{hour:02}:30"] for hour in range(24)]
OUTSIDE = "minutes outside working hours"
OWED, WHOSE = "the first answer is owed within", "(urgency high, edition Enterprise or Team)"
RULE: dict[str, Any] = {"code": "recovery", "when": {"urgency": ["high"]}, "minutes": {FIRST: 60}}


def clock(
    target: str, state: str, due_at: str | None, minutes: float, *, breached: bool = False, **more: Any
) -> dict[str, Any]:
    """Return a clock as it is answered; its target is that of both unless said otherwise."""
    known = {"target": target, "state": state, "due_at": due_at, "elapsed_minutes": minutes, "breached": breached}
    return known | {"target_minutes": BOTH.get(target), "rule": None, "warnings": []} | more


async def compute(world: World, *events: dict[str, Any], as_of: str, **body: Any) -> dict[str, Any]:
    """Return the clocks of a history, which has to be a good one."""
    given = {"calendar": WEEK, "targets": BOTH, "events": list(events), "as_of": as_of} | body
    answer = await world.post("/v1/clocks/compute", given)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def faults(world: World, path: str = "/v1/clocks", **query: Any) -> list[str]:
    """Return the pointers of what is wrong with a query."""
    answer = await world.get(path, **query)
    assert answer.status_code == 422, answer.text
    return [fault["pointer"] for fault in answer.json()["errors"]]


async def test_clocks_of_a_request_say_how_they_stand_now(world: World) -> None:
    """State, deadline, warning and elapsed time are those of the present instant, times in UTC with Z."""
    ticket = await world.submit()
    await world.move(MONDAY + 8 * HOUR)
    found = await world.clocks(ticket)
    assert sorted(found) == [FIRST, NEXT]
    clock_id = found[FIRST].pop("id")
    assert found[FIRST] == clock(FIRST, "running", "2026-11-23T16:00:00Z", 480) | {
        "ticket_id": ticket.id,
        "number": ticket.number,
        "warn_at": "2026-11-23T13:30:00Z",
        "warnings": [{"at": "2026-11-23T13:30:00Z", "counted_minutes": 450}],
        "rule": "normal",
        "policy_version": "test-1",
        "targets_version": "test-1",
        "hours_version": "test-1",
        "as_of": "2026-11-23T14:00:00Z",
    }
    assert len(clock_id) == 36


async def test_clocks_are_found_by_id_and_by_number(world: World) -> None:
    """Both may be mixed, in any letter case; unknown ones are left out; nothing named is nothing found."""
    first, second = await world.submit(), await world.submit()
    wanted = f" {first.id}, {second.number.lower()},FL-ZZZZ-ZZZZ,nothing,"
    items = (await world.get("/v1/clocks", ticket_ids=wanted)).json()["items"]
    assert [(item["ticket_id"], item["target"]) for item in items] == [
        (ticket.id, target) for ticket in (first, second) for target in (FIRST, NEXT)
    ]
    assert (await world.get("/v1/clocks", ticket_ids="")).json() == {"items": [], "next": None}


async def test_a_request_named_twice_is_shown_once(world: World) -> None:
    """The number and the ID of one request bring its clocks once."""
    ticket = await world.submit()
    answer = await world.get("/v1/clocks", ticket_ids=f"{ticket.id},{ticket.number},{ticket.id}")
    assert len(answer.json()["items"]) == 2


async def test_a_hundred_requests_may_be_named_and_no_more(world: World) -> None:
    """The bound is 100."""
    ticket = await world.submit()
    assert len((await world.get("/v1/clocks", ticket_ids=",".join([ticket.id] * 100))).json()["items"]) == 2
    assert await faults(world, ticket_ids=",".join([ticket.id] * 101)) == ["#query/ticket_ids"]


async def test_what_is_asked_for_must_be_one_of_the_two(world: World) -> None:
    """Both filters, none, a naive time, a wrong limit or a foreign cursor are refused."""
    due = "2026-11-23T16:00:00Z"
    assert await faults(world) == ["#query/ticket_ids"]
    assert await faults(world, ticket_ids="a", due_before=due) == ["#query/ticket_ids"]
    assert await faults(world, due_before="2026-11-23T16:00:00") == ["#query/due_before"]
    assert await faults(world, due_before=due, limit=0) == ["#query/limit"]
    assert await faults(world, due_before=due, limit=101) == ["#query/limit"]
    assert await faults(world, due_before=due, cursor="x") == ["#query/cursor"]
    assert (await world.get("/v1/clocks", due_before="0001-01-01T00:00:00+14:00")).status_code == 422


async def test_pages_of_what_is_due_go_by_deadline(world: World) -> None:
    """Running clocks due before the instant, the earliest first, each once over all pages; others are left out."""
    pick = Random(5)
    tickets = [await world.submit(MONDAY + pick.choice([0, 1, 2, 2.5]) * HOUR, urgency="high") for _ in range(7)]
    await world.tell(tickets[0], "ticket.waiting")
    await world.submit(urgency="normal")
    seen: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    sizes = []
    while True:
        page = (await world.get("/v1/clocks", due_before="2026-11-23T11:30:00Z", limit=4, **cursor)).json()
        seen += page["items"]
        sizes.append(len(page["items"]))
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    due = sorted((item["due_at"], item["id"]) for item in seen)
    assert [(item["due_at"], item["id"]) for item in seen] == due
    assert sizes == [4] * (len(due) // 4) + ([len(due) % 4] if len(due) % 4 else [])
    expected = {t.id for t in tickets[1:] if (await world.clocks(t))[FIRST]["due_at"] < "2026-11-23T11:30:00Z"}
    assert {item["ticket_id"] for item in seen} == expected
    assert len(seen) == 2 * len(expected)


async def test_a_last_page_that_is_full_has_no_next(world: World) -> None:
    """Exactly as many as fit are the end of the list; overdue clocks stay in it until they are answered."""
    ticket = await world.submit()
    await world.move(MONDAY + 48 * HOUR)
    page = (await world.get("/v1/clocks", due_before="2026-11-30T00:00:00Z", limit=2)).json()
    assert [item["breached"] for item in page["items"]] == [True, True]
    assert page["next"] is None
    await world.answer(ticket)
    assert (await world.get("/v1/clocks", due_before="2026-11-30T00:00:00Z")).json() == {"items": [], "next": None}


async def test_an_explanation_tells_of_every_stretch(world: World) -> None:
    """Waiting and closed hours are shown and not counted; the counted minutes are the clock's."""
    ticket = await world.submit()
    await world.tell(ticket, "ticket.waiting", MONDAY + HOUR)
    await world.tell(ticket, "ticket.resumed", MONDAY + 3 * HOUR)
    await world.move(MONDAY + 24 * HOUR)
    found = (await world.clocks(ticket))[FIRST]
    story = (await world.get(f"/v1/clocks/{found['id']}/explanation")).json()
    assert story["target"] == FIRST
    told = [
        (i["start"][8:16], i["reason"], i["cause"], i["business_minutes"], i["closed_minutes"])
        for i in story["intervals"]
    ]
    assert told == [
        ("23T06:00", "open", None, 60, 0),
        ("23T07:00", "waiting", "client", 120, 0),
        ("23T09:00", "open", None, 420, 840),
    ]
    assert [i["counted"] for i in story["intervals"]] == [True, False, True]
    assert story["words"] == [
        "Under policy test-1.",
        f"From 2026-11-23 06:00 UTC: {OWED} 600 business minutes, by the rule normal (urgency normal).",
        "2026-11-23 06:00 UTC to 2026-11-23 07:00 UTC: 60 business minutes counted.",
        "2026-11-23 07:00 UTC to 2026-11-23 09:00 UTC: 120 business minutes not counted, as it waited for the client.",
        f"2026-11-23 09:00 UTC to 2026-11-24 06:00 UTC: 420 business minutes counted, 840 {OUTSIDE}.",
        "In all 480 business minutes counted, of 600.",
    ]
    assert found["elapsed_minutes"] == 480


@pytest.mark.parametrize("clock_id", ["nothing", "01900000-0000-7000-8000-000000000009", "%27"])
async def test_an_unknown_clock_is_not_found(world: World, clock_id: str) -> None:
    """An ID that stands for nothing is 404."""
    answer = await world.get(f"/v1/clocks/{clock_id}/explanation")
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")


async def test_only_staff_reads_clocks(world: World) -> None:
    """Targets are internal (clause 2.3): clients and partners see no clock, not even of their own request."""
    ticket = await world.submit()
    path = f"/v1/clocks/{(await world.clocks(ticket))[FIRST]['id']}/explanation"
    expected = {"agent": 200, "supervisor": 200, "admin": 200, "client": 403, "partner": 403, None: 401}
    for who, status in expected.items():
        assert (await world.get("/v1/clocks", who, ticket_ids=ticket.id)).status_code == status
        assert (await world.get(path, who)).status_code == status


async def test_computing_answers_clocks_and_where_their_time_comes_from(world: World) -> None:
    """Any signed-in caller folds a history; the shape is the contract's, to the word."""
    found = await compute(world, {"type": "created", "at": FRIDAY}, as_of="2026-11-23T07:00:00Z")
    stretch: dict[str, Any] = {
        "start": FRIDAY,
        "end": "2026-11-23T07:00:00Z",
        "reason": "open",
        "cause": None,
        "counted": True,
    }
    stretch |= {"business_minutes": 90, "closed_minutes": 62 * 60, "rule": None}
    span = "2026-11-20 15:30 UTC to 2026-11-23 07:00 UTC"
    words = f"{span}: 90 business minutes counted, 3,720 {OUTSIDE}."
    told = {
        name: {
            "target": name,
            "intervals": [stretch],
            "target_minutes": minutes,
            "rule": None,
            "policy_version": None,
            "targets_version": None,
            "hours_version": None,
            "words": [
                f"From 2026-11-20 15:30 UTC: the {which} answer is owed within {minutes} business minutes.",
                words,
                f"In all 90 business minutes counted, of {minutes}.",
            ],
        }
        for name, which, minutes in ((FIRST, "first", 600), (NEXT, "next", 180))
    }
    assert found == {
        "clocks": [
            clock(FIRST, "running", "2026-11-23T15:30:00Z", 90),
            clock(NEXT, "running", "2026-11-23T08:30:00Z", 90),
        ],
        "explanation": [told[FIRST], told[NEXT]],
    }


async def test_shuffled_and_repeated_events_compute_the_same(world: World) -> None:
    """Events count by their instants, those with one id once."""
    events = [
        {"type": "created", "at": "2026-11-23T06:00:00Z", "id": "1"},
        {"type": "wait", "at": "2026-11-23T07:00:00Z", "id": "2", "cause": "client"},
        {"type": "client_message", "at": "2026-11-23T08:00:00Z", "id": "3"},
        {"type": "staff_reply", "at": "2026-11-23T09:00:00Z", "id": "4"},
        {"type": "internal_note", "at": "2026-11-23T09:30:00Z", "id": "5"},
        {"type": "client_message", "at": "2026-11-23T11:00:00+01:00", "id": "6"},
    ]
    as_of = "2026-11-23T13:30:00Z"
    expected = [clock(FIRST, "met", None, 120), clock(NEXT, "running", "2026-11-23T13:00:00Z", 210, breached=True)]
    for seed in range(5):
        mixed = events + events[:3]
        Random(seed).shuffle(mixed)
        assert (await compute(world, *mixed, as_of=as_of))["clocks"] == expected


async def test_a_breach_stays_until_it_is_answered_and_later_events_are_left_out(world: World) -> None:
    """Lateness is sticky; what happens after the instant asked for isn't known there yet."""
    asked, answered = {"type": "created", "at": FRIDAY}, {"type": "staff_reply", "at": "2026-11-24T09:00:00Z"}
    waiting = {"type": "wait", "at": "2026-11-23T10:00:00Z", "cause": "release"}
    found = await compute(world, asked, waiting, answered, as_of="2026-11-24T08:00:00Z")
    assert found["clocks"] == [clock(FIRST, "paused", None, 270), clock(NEXT, "paused", None, 270, breached=True)]
    found = await compute(world, asked, waiting, answered, as_of="2026-11-24T09:00:00Z")
    assert found["clocks"] == [clock(FIRST, "met", None, 270), clock(NEXT, "met", None, 270)]


async def test_a_changed_level_counts_from_the_same_start(world: World) -> None:
    """Other targets move the deadline and restart nothing."""
    events: list[dict[str, Any]] = [
        {"type": "created", "at": "2026-11-23T06:00:00Z"},
        {"type": "targets_changed", "at": "2026-11-23T07:00:00Z", "targets": {FIRST: 180}},
    ]
    found = await compute(world, *events, as_of="2026-11-23T08:00:00Z")
    assert found["clocks"] == [clock(FIRST, "running", "2026-11-23T09:00:00Z", 120, target_minutes=180)]


async def test_rules_choose_the_targets_by_what_events_say_of_the_request(world: World) -> None:
    """The first rule that fits wins and is named, in data and in words; without one the targets given apply."""
    vip = {"code": "vip", "when": {"edition": ["Team", "Enterprise"], "urgency": ["high"]}, "minutes": {FIRST: 120}}
    events: list[dict[str, Any]] = [
        {"type": "created", "at": "2026-11-23T06:00:00Z", "traits": {"urgency": "normal", "edition": "Team"}},
        {"type": "targets_changed", "at": "2026-11-23T07:00:00Z", "traits": {"urgency": "high"}},
    ]
    warnings = [{"share": 0.5}, {"minutes": 30}]
    given = {"rules": [vip, RULE], "warn_before": warnings}
    before = await compute(world, *events, as_of="2026-11-23T06:30:00Z", **given)
    assert [(found["target"], found["target_minutes"], found["rule"]) for found in before["clocks"]] == [
        (FIRST, 600, None),
        (NEXT, 180, None),
    ]
    after = await compute(world, *events, as_of="2026-11-23T07:30:00Z", **given)
    at = [
        {"at": f"2026-11-23T07:{minute}:00Z", "counted_minutes": counted}
        for minute, counted in (("00", 60), ("30", 90))
    ]
    expected = clock(FIRST, "running", "2026-11-23T08:00:00Z", 90, target_minutes=120, rule="vip", warnings=at)
    assert after["clocks"] == [expected]
    assert [stretch["rule"] for stretch in after["explanation"][0]["intervals"]] == [None, "vip"]
    assert after["explanation"][0]["words"] == [
        "From 2026-11-23 06:00 UTC: the first answer is owed within 600 business minutes.",
        "2026-11-23 06:00 UTC to 2026-11-23 07:00 UTC: 60 business minutes counted.",
        f"From 2026-11-23 07:00 UTC: {OWED} 120 business minutes, by the rule vip {WHOSE}.",
        "2026-11-23 07:00 UTC to 2026-11-23 07:30 UTC: 30 business minutes counted.",
        "In all 90 business minutes counted, of 120.",
    ]


async def test_no_events_and_no_targets_are_fine(world: World) -> None:
    """Without events nothing runs; without targets there is no clock; without a calendar the policy's counts."""
    assert (await compute(world, as_of=FRIDAY))["clocks"] == [
        clock(FIRST, "idle", None, 0),
        clock(NEXT, "idle", None, 0),
    ]
    assert await compute(world, as_of=FRIDAY, targets={}) == {"clocks": [], "explanation": []}
    found = await compute(world, {"type": "created", "at": FRIDAY}, as_of=FRIDAY, calendar=None, targets={NEXT: 180})
    assert found["clocks"] == [clock(NEXT, "running", "2026-11-23T08:30:00Z", 0)]


async def test_resolution_is_met_by_resolving_and_goes_on_after_reopening(world: World) -> None:
    """Its time stands still while resolved."""
    events = [
        {"type": "created", "at": "2026-11-23T06:00:00Z"},
        {"type": "resolved", "at": "2026-11-23T08:00:00Z"},
        {"type": "reopened", "at": "2026-11-23T10:00:00Z"},
    ]
    targets = {"resolution": 300}
    found = await compute(world, *events, as_of="2026-11-23T09:00:00Z", targets=targets)
    assert found["clocks"] == [clock("resolution", "met", None, 120, target_minutes=300)]
    found = await compute(world, *events, as_of="2026-11-23T11:00:00Z", targets=targets)
    assert found["clocks"] == [clock("resolution", "running", "2026-11-23T13:00:00Z", 180, target_minutes=300)]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"targets": {FIRST: -1}}, "/targets/first_response"),
        ({"targets": {FIRST: 1e12}}, "/targets/first_response"),
        ({"targets": {"coffee": 5}}, "/targets/coffee"),
        ({"targets": None}, "/targets"),
        ({"events": [{"type": "created", "at": "2026-11-23T06:00:00"}]}, "/events/0/at"),
        ({"events": [{"type": "wait", "at": FRIDAY, "cause": "rain"}]}, "/events/0/cause"),
        ({"events": [{"type": "exploded", "at": FRIDAY}]}, "/events/0/type"),
        ({"events": [{"at": FRIDAY}]}, "/events/0/type"),
        ({"events": [{"type": "targets_changed", "at": FRIDAY, "targets": {FIRST: 1}}] * 21}, "/events"),
        ({"rules": [RULE | {"when": {"colour": ["red"]}}]}, "/rules/0/when/colour"),
        ({"rules": [RULE | {"when": {"tier": []}}]}, "/rules/0/when/tier"),
        ({"rules": [RULE | {"minutes": {FIRST: 0}}]}, "/rules/0/minutes/first_response"),
        ({"rules": [RULE] * 101}, "/rules"),
        ({"warn_before": [{"share": 0.5, "minutes": 5}]}, "/warn_before/0"),
        ({"warn_before": [{"share": 1.0}]}, "/warn_before/0/share"),
        ({"events": [{"type": "created", "at": FRIDAY, "traits": {"mood": "bad"}}]}, "/events/0/traits/mood"),
        ({"events": [{"type": "created", "at": FRIDAY, "traits": {"tier": "x"}}] * 21}, "/events"),
        ({"as_of": "soon"}, "/as_of"),
        ({"as_of": "9999-06-01T00:00:00Z"}, "/as_of"),
        ({"events": [{"type": "created", "at": "0001-06-01T00:00:00Z"}]}, "/events/0/at"),
        ({"calendar": {"tz": "UTC", "hours": {"mon": [["x", "y"]]}}}, "/calendar/hours/mon/0/0"),
    ],
)
async def test_bad_histories_are_refused(world: World, change: dict[str, Any], pointer: str) -> None:
    """Each mistake is 422 with a pointer to it."""
    body = {"calendar": WEEK, "targets": BOTH, "events": [{"type": "created", "at": FRIDAY}], "as_of": FRIDAY} | change
    answer = await world.post("/v1/clocks/compute", body)
    assert answer.status_code == 422, answer.text
    assert pointer in [fault["pointer"] for fault in answer.json()["errors"]]


@pytest.mark.slow
async def test_the_longest_history_takes_no_more_than_seconds(world: World) -> None:
    """What a caller may send at most does not stop the service for others (two seconds of work, with leeway)."""
    kinds = [{"type": "wait"}, {"type": "resume"}]
    at = [(MONDAY + timedelta(minutes=i)).isoformat() for i in range(10_001)]
    events: list[dict[str, Any]] = [kinds[i % 2] | {"at": at[i]} for i in range(1, 9_981)]
    events += [{"type": "targets_changed", "at": at[-1 - i], "targets": {FIRST: 9 + i}} for i in range(19)]
    begun = process_time()
    await compute(world, {"type": "created", "at": at[0]}, *events, as_of="2029-01-01T00:00:00Z")
    assert process_time() - begun < 6
    answer = await world.post("/v1/clocks/compute", {"targets": {}, "events": [events[0]] * 10_001, "as_of": FRIDAY})
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/events"]


async def test_strangers_compute_nothing(world: World) -> None:
    """Clients may compute; who has not signed in may not."""
    body = {"targets": {}, "events": [], "as_of": FRIDAY}
    found = {who: (await world.post("/v1/clocks/compute", body, who)).status_code for who in ("client", "agent", None)}
    assert found == {"client": 200, "agent": 200, None: 401}


async def test_a_history_of_centuries_is_refused(world: World) -> None:
    """Each year of it would have to be worked out; fifty years are longer than any request lives."""
    told = {"type": "created", "at": "1976-01-02T09:00:00Z"}
    given = {"calendar": WEEK, "targets": BOTH, "events": [told]}
    answer = await world.post("/v1/clocks/compute", {**given, "as_of": "2027-01-02T09:00:00Z"})
    assert (answer.status_code, [fault["pointer"] for fault in answer.json()["errors"]]) == (422, ["/as_of"])
    assert (await world.post("/v1/clocks/compute", {**given, "as_of": "2025-01-02T09:00:00Z"})).status_code == 200


async def test_who_counts_centuries_holds_nobody_up(world: World) -> None:
    """What takes long on a crowded calendar is worked out beside the event loop, in which others are served."""
    crowded = {"tz": "America/New_York", "hours": dict.fromkeys(("mon", "tue", "wed", "thu", "fri", "sat"), CROWDED)}
    span = {"start": "1800-01-02T00:00:00Z", "end": "2099-01-02T00:00:00Z", "calendar": crowded}
    counting = asyncio.create_task(world.post("/v1/calendar/between", span))
    served = 0
    while not counting.done():
        await world.post("/v1/calendar/open", {"calendar": WEEK, "at": FRIDAY})
        served += 1
    assert (await counting).status_code == 200
    assert served > 1

"""What the console shows: the queue, the request in work, its context."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from firstline.common.calendar import Calendar, parse_calendar
from firstline.web import board
from firstline.web.board import Fact, Left, Mark, Reader

Json = dict[str, Any]
Make = Callable[..., Json]


@pytest.fixture
def calendar(policy: Json) -> Calendar:
    """Return the default working hours: 06:00 to 16:00 UTC on weekdays."""
    return parse_calendar(policy["calendar"])


@pytest.fixture
def reader(now: datetime) -> Reader:
    """Return a specialist who reads request 0193-a."""
    return Reader("anna", now, "0193-a")


@pytest.mark.parametrize(
    ("due", "warn", "short", "text", "tone"),
    [
        (
            "2026-11-24T12:12:00Z",
            "2026-11-24T11:21:00Z",
            "52 min",
            "52 min of business time left, due today 12:12 UTC",
            "",
        ),
        (
            "2026-11-24T12:12:00Z",
            "2026-11-24T11:20:00Z",
            "52 min",
            "52 min of business time left, due today 12:12 UTC",
            "warning",
        ),
        (
            "2026-11-25T07:00:00Z",
            None,
            "5 h 40 min",
            "5 h 40 min of business time left, due tomorrow 07:00 UTC",
            "",
        ),
        (
            "2026-11-23T15:30:00Z",
            "2026-11-23T14:00:00Z",
            "5 h 50 min over",
            "missed by 5 h 50 min of business time, was due yesterday 15:30 UTC",
            "over",
        ),
    ],
)
def test_deadlines_count_business_time(
    due: str, warn: str | None, short: str, text: str, tone: str, clock: Make, calendar: Calendar, now: datetime
) -> None:
    """Nights don't count; a missed deadline says by how much, in words beside the colour."""
    assert board.left(clock(due_at=due, warn_at=warn), calendar, now) == Left(short, text, tone)  # type: ignore[arg-type]


def test_nothing_is_left_while_nothing_runs(clock: Make, calendar: Calendar, now: datetime) -> None:
    """A clock without a due time shows none."""
    assert board.left(clock(due_at=None), calendar, now) is None


def test_the_nearest_clock_counts(clock: Make) -> None:
    """Of a request's running clocks the first to fall due is shown in the queue."""
    late, soon = clock(due_at="2026-11-24T15:00:00Z"), clock(due_at="2026-11-24T13:00:00Z")
    other, still = clock(ticket_id="other", due_at="2026-11-24T12:00:00Z"), clock(due_at=None)
    assert board.nearest([late, soon, other, still], "0193-a") is soon
    assert board.nearest([still], "0193-a") is None


def test_the_queue_shows_its_order_with_reasons(entry: Make, clock: Make, calendar: Calendar, reader: Reader) -> None:
    """A row says why it stands there, who has it, and how long it may wait (clause 2.1)."""
    entries = [
        entry(out_of_turn=True, urgency_provisional=True, claimed_by="anna"),
        entry(ticket_id="b", out_of_turn=True, claimed_by="ben"),
        entry(ticket_id="c"),
    ]
    page = {"items": entries, "next": "more", "waiting": 41, "out_of_turn": 2, "at_least": False}
    queue = board.queue({**page, "oldest_since": "2026-11-24T08:08:00Z"}, [clock()], calendar, reader)
    assert [row.place for row in queue.rows] == [
        "in work: you · out of turn, to be confirmed · since 09:12 UTC",
        "in work: another specialist · out of turn · since 09:12 UTC",
        "since 09:12 UTC",
    ]
    assert [row.current for row in queue.rows] == [True, False, False]
    assert [row.left and row.left.short for row in queue.rows] == ["52 min", None, None]
    assert (queue.size, queue.figures, queue.more) == ("41", "oldest 3 h 12 min · 2 out of turn", True)


def test_an_empty_queue_has_no_figures(calendar: Calendar, reader: Reader) -> None:
    """Nobody waits: no oldest, nothing out of turn."""
    page: Json = {"items": [], "next": None, "waiting": 0, "out_of_turn": 0, "at_least": False, "oldest_since": None}
    assert board.queue(page, [], calendar, reader) == board.Queue("0", "", (), more=False)


def test_a_long_queue_says_that_it_was_not_counted_out(entry: Make, calendar: Calendar, reader: Reader) -> None:
    """Past the bound of the count a plus sign stands."""
    page = {"items": [entry()], "next": None, "waiting": 1000, "out_of_turn": 0, "at_least": True}
    assert board.queue({**page, "oldest_since": None}, [], calendar, reader).size == "1,000+"


def test_what_was_claimed_can_be_given_back(ticket: Make, entry: Make, reader: Reader, policy: Json) -> None:
    """The holder may keep it longer or give it back, and reads until when it is theirs."""
    mine = entry(claimed=True, claimed_by="anna", lease_expires_at="2026-11-24T11:50:00Z")
    work = board.work(ticket(), policy, mine, reader)
    assert {"renew", "release"} <= work.can
    assert "claim" not in work.can
    assert work.claim == "You took it, until today 11:50 UTC."


def test_what_another_holds_is_only_read(ticket: Make, entry: Make, reader: Reader, policy: Json) -> None:
    """Somebody else's request can be neither taken nor given back."""
    theirs = entry(claimed=True, claimed_by="ben", lease_expires_at="2026-11-24T11:50:00Z")
    work = board.work(ticket(), policy, theirs, reader)
    assert not {"claim", "renew", "release"} & work.can
    assert work.claim == "Another specialist took it, until today 11:50 UTC."


def test_taking_out_of_order_is_announced(ticket: Make, entry: Make, reader: Reader, policy: Json) -> None:
    """Whoever takes a request that isn't next reads beforehand that this is recorded."""
    assert "3 requests are ahead of it" in board.work(ticket(), policy, entry(), reader).claim
    assert (
        board.work(ticket(), policy, entry(ahead=0), reader).claim == "Nobody has taken it yet, and it is the next one."
    )
    assert "claim" in board.work(ticket(), policy, entry(), reader).can


def test_what_is_not_in_the_queue_has_no_claim(ticket: Make, reader: Reader, policy: Json) -> None:
    """An answered request can be written to, but not taken."""
    work = board.work(ticket(), policy, None, reader)
    assert work.claim == ""
    assert work.can == {"note", "messages", "triage", "wait", "resolve", "close"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ()),
        (
            {"urgency": "high", "urgency_provisional": True, "recovery": "full"},
            (Mark("high urgency · site down (provisional)", strong=True),),
        ),
        ({"urgency": "high"}, (Mark("high urgency", strong=True),)),
        ({"verified": False, "reopen_count": 2}, (Mark("sender not verified", strong=True), Mark("reopened 2 times"))),
        ({"scope": {"verdict": "out"}}, (Mark("out of scope", strong=True),)),
        ({"hints": [{"code": "several_issues", "text": "…"}]}, (Mark("perhaps several questions"),)),
        ({"hints": [{"code": "pasted_secret", "text": "…"}]}, (Mark("a secret was taken out"),)),
    ],
)
def test_marks_say_what_matters_at_once(changes: Json, said: tuple[Mark, ...], ticket: Make) -> None:
    """Urgency, scope, an unverified sender, reopenings and what was found in the text stand beside the number."""
    assert board.marks(ticket(**changes), "normal") == said


def test_the_policy_says_what_is_not_urgent(ticket: Make, policy: Json, reader: Reader) -> None:
    """Under a policy whose usual level has another name, what has that level bears no mark."""
    levels = {**policy, "urgency": {**policy["urgency"], "default": "minor"}}
    assert board.work(ticket(urgency="minor"), levels, None, reader).marks == ()
    assert board.work(ticket(urgency="normal"), levels, None, reader).marks == (Mark("normal urgency", strong=True),)


def test_a_provisional_urgency_waits_for_a_verdict(ticket: Make, reader: Reader, policy: Json) -> None:
    """It is offered for confirmation while triage is possible."""
    high = {"urgency": "high", "urgency_provisional": True}
    work = board.work(ticket(**high), policy, None, reader)
    assert "judge" in work.can
    assert (work.urgency, work.usual) == ("high", "normal")
    assert "judge" not in board.work(ticket(**high, allowed=["messages"]), policy, None, reader).can
    assert "judge" not in board.work(ticket(), policy, None, reader).can


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"status": "new"}, "new"),
        ({"status": "waiting", "waiting_cause": "third_party"}, "waiting for somebody else since 09:31 UTC"),
        ({"status": "resolved"}, "solved, not closed yet"),
        ({"status": "closed"}, "closed"),
    ],
)
def test_states_are_told_to_staff(changes: Json, words: str, ticket: Make, now: datetime) -> None:
    """Each state has its words."""
    assert board.state(ticket(**changes), now)[0] == words


def test_context_answers_what_a_specialist_asks(ticket: Make, policy: Json, clock: Make, now: datetime) -> None:
    """Clocks, client, scope, gaps and origin stand beside the request."""
    missing = [{"field": "backup", "question": "Is there a backup?"}]
    scope = {"verdict": "out", "support_mode": "none", "reason": None, "refer_to": "hosting"}
    clocks = [clock(state="met", due_at=None), clock(target="next_response"), clock(due_at="2026-11-24T11:00:00Z")]
    parts = {
        part.title: part
        for part in board.context(ticket(scope=scope, missing_information=missing), policy, clocks, "Shop Example", now)
    }
    assert parts["Clock"].facts == (
        Fact("First answer", "done"),
        Fact("Next answer", "52 min left · today 12:12 UTC"),
        Fact("First answer", "20 min over · today 11:00 UTC", "over"),
    )
    assert Fact("Organisation", "Shop Example") in parts["Client"].facts
    assert Fact("Licence", "active · ends in 9QPX") in parts["Client"].facts
    assert parts["Scope"].facts == (
        Fact("Topic", "Updates and maintenance of the product"),
        Fact("Verdict", "not covered"),
        Fact("Refer to", "Your hosting company"),
    )
    assert parts["Missing"].lines == ("Is there a backup?",)
    assert Fact("Received", "today 09:12 UTC") in parts["Request"].facts


def test_context_leaves_out_what_is_unknown(ticket: Make, policy: Json, now: datetime) -> None:
    """No clocks, no gaps, no topic: no empty sections."""
    bare = ticket(topic=None, licence_last4=None, product=None, product_version=None)
    parts = {part.title: part for part in board.context(bare, policy, [], "", now)}
    assert list(parts) == ["Client", "Scope", "Request"]
    assert Fact("Topic", "not named") in parts["Scope"].facts
    assert [fact.name for fact in parts["Client"].facts] == ["Name", "E-mail", "Licence"]


def test_choices_come_from_the_policy(policy: Json) -> None:
    """Waiting offers what delays by somebody's cause, closing what aborts; reasons are those of staff (clause 4.8)."""
    delays = {option.code: option.text for option in board.options(policy, "delay")}
    assert delays["hosting_company"] == "Somebody else: The hosting company has to act or answer first."
    assert "workload" not in delays
    assert [board.cause_of(policy, code) for code in ("release", "other_maker", "incomplete", "unheard_of")] == [
        "release",
        "third_party",
        "client",
        "client",
    ]
    assert "silence" in {option.code for option in board.options(policy, "abort")}
    assert {option.code for option in board.reasons(policy)} >= {"resolved", "spam", "duplicate"}

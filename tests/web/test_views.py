"""What the portal says of a request: state, next step, questions."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from firstline.web import catalogue, forms, stages, views
from firstline.web.forecasts import expectation
from firstline.web.stages import Place, Stage

Json = dict[str, Any]
Make = Callable[..., Json]


@pytest.fixture
def staged(ticket: Make, policy: Json, now: datetime) -> Callable[..., Stage]:
    """Return what says the stage of a request with some changes."""

    def say(place: Place | None = None, last_side: str | None = "client", **changes: Any) -> Stage:
        return stages.stage(ticket(**changes), policy, place, last_side, now)

    return say


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (Place(0, at_least=False, claimed=False), "Yours is the next one."),
        (Place(1, at_least=False, claimed=False), "1 request is ahead of yours."),
        (Place(3, at_least=False, claimed=False), "3 requests are ahead of yours."),
        (Place(1000, at_least=True, claimed=False), "At least 1,000 requests are ahead of yours."),
        (Place(0, at_least=False, claimed=True), "A specialist is working on it now."),
    ],
)
def test_a_place_is_told_by_who_is_served_before(place: Place, said: str, staged: Callable[..., Stage]) -> None:
    """The client reads how many requests are ahead, and that a specialist has the next step."""
    stage = staged(place, status="new")
    assert stage.next_step == said
    assert (stage.who, stage.tone) == ("a specialist", "waiting")


def test_a_place_comes_from_the_queue_or_not_at_all() -> None:
    """A request without an entry has no place."""
    given = {"ahead": 2, "at_least": False, "claimed": False}
    assert stages.place(given) == Place(2, at_least=False, claimed=False)
    assert stages.place(None) is None


def test_an_expected_answer_is_an_estimate(now: datetime) -> None:
    """A range is told while a request waits; nothing where nobody can tell, or somebody is at work on it."""
    told = {"state": "expected", "p50_at": "2026-11-24T09:30:00Z", "p90_at": "2026-11-24T15:00:00Z"}
    waits, taken = (Place(2, at_least=False, claimed=claimed) for claimed in (False, True))
    said = expectation(told, waits, now)
    assert "09:30" in said
    assert "15:00" in said
    assert said.endswith("an estimate, not a promise.")
    silent = [(None, waits), (told, taken), (told, None), ({**told, "state": "not_owed"}, waits)]
    assert [expectation(forecast, place, now) for forecast, place in silent] == [""] * len(silent)


def test_with_too_few_answers_the_hours_are_told_and_no_figure(now: datetime) -> None:
    """The client reads that nobody can tell, when support works next, and that it is no promise (2.3)."""
    waits = Place(2, at_least=False, claimed=False)
    told = {"state": "unsure", "p50_at": None, "as_of": "2026-11-23T16:30:00Z", "earliest_at": "2026-11-24T06:00:00Z"}
    said = expectation(told, waits, now)
    assert said.startswith("Too few such requests were answered lately to tell when. Support works next from ")
    assert "06:00 UTC; that is no promise" in said
    assert "Support works now; that is no promise" in expectation({**told, "as_of": told["earliest_at"]}, waits, now)
    assert not expectation(told, Place(2, at_least=False, claimed=True), now)


def test_an_answer_is_told_apart_from_work(staged: Callable[..., Stage]) -> None:
    """Out of the queue, the last message decides: after the specialist's it is the client's turn."""
    assert staged(last_side="staff").state == "Answered"
    assert staged(last_side="staff").who == "you"
    assert staged(last_side="client").state == "Waiting for a specialist"
    assert staged(status="new").state == "Received"


@pytest.mark.parametrize(
    ("cause", "circumstance", "state", "step", "who"),
    [
        ("client", "incomplete", "Waiting for your answer since 09:31 UTC", "Information that we asked for", "you"),
        ("third_party", "hosting_company", "Waiting for somebody else", "The hosting company has to act", "somebody"),
        ("release", None, "Waiting for a new version", "We tell you when it is out.", "our developers"),
    ],
)
def test_waiting_names_who_is_waited_for(
    cause: str, circumstance: str | None, state: str, step: str, who: str, staged: Callable[..., Stage]
) -> None:
    """The policy's circumstance is told, and who has the next step (clauses 2.3, 4.8)."""
    stage = staged(status="waiting", waiting_cause=cause, circumstance=circumstance)
    assert stage.state.startswith(state)
    assert stage.next_step.startswith(step)
    assert stage.who.startswith(who)


def test_a_solution_says_when_it_closes(staged: Callable[..., Stage]) -> None:
    """Seven days after the solution the request closes by itself, unless the client writes."""
    stage = staged(status="resolved", closes_at="2026-11-30T15:20:00Z")
    assert stage.next_step == "Not solved? Reply, and we go on. Otherwise it closes by itself on Mon 30 Nov, 15:20 UTC."
    assert staged(status="resolved", closes_at="2026-11-24T15:20:00Z").next_step.endswith("today 15:20 UTC.")
    waiting = staged(status="waiting", waiting_cause="client", closes_at="2026-11-25T15:20:00Z")
    assert waiting.next_step.endswith("Otherwise it closes by itself tomorrow 15:20 UTC.")
    assert staged(status="resolved").next_step == "Not solved? Reply, and we go on."


def test_a_closed_request_says_why_and_until_when_it_reopens(staged: Callable[..., Stage]) -> None:
    """The reason is the policy's; past the window a message starts a new request."""
    closed = {"status": "closed", "close_reason": "out_of_scope", "closed_at": "2026-11-16T09:00:00Z"}
    within = staged(**closed, allowed=["messages", "reopen"])
    assert within.state == "Closed: technical support does not cover it"
    assert within.next_step == "You can reopen it until Wed 16 Dec, 09:00 UTC: say what is left open."
    past = staged(**closed, allowed=["messages"])
    assert past.next_step == "A new message starts a new request that refers to this one."


@pytest.mark.parametrize(
    ("answer", "said", "change"),
    [
        (
            {"open": True, "next_opening": None, "next_closing": "2026-11-24T16:00:00Z"},
            "Open now · closes 16:00 UTC",
            "today 16:00 UTC",
        ),
        (
            {"open": False, "next_opening": "2026-11-25T06:00:00Z", "next_closing": "2026-11-25T16:00:00Z"},
            "Closed now · opens tomorrow 06:00 UTC",
            "tomorrow 06:00 UTC",
        ),
        ({"open": True, "next_opening": None, "next_closing": None}, "Open around the clock", ""),
        ({"open": False, "next_opening": None, "next_closing": None}, "Closed", ""),
    ],
)
def test_opening_hours_are_told_with_the_next_change(answer: Json, said: str, change: str, now: datetime) -> None:
    """The line at the top says whether somebody is there, and until or from when (clause 2.1)."""
    assert views.opening(answer, now) == views.Opening(answer["open"], said, change)


@pytest.mark.parametrize(
    ("changes", "state", "tone"),
    [
        ({"status": "new"}, "Received", "waiting"),
        ({"status": "open"}, "With us", "waiting"),
        ({"status": "waiting", "waiting_cause": "client"}, "Waits for you", "yours"),
        ({"status": "waiting", "waiting_cause": "release"}, "Waits for others", "waiting"),
        ({"status": "resolved"}, "Solved?", "yours"),
        ({"status": "closed"}, "Closed", "done"),
    ],
)
def test_the_list_tells_states_shortly(changes: Json, state: str, tone: str, ticket: Make, now: datetime) -> None:
    """Each state has two words at most, and a tone that says whose turn it is."""
    row = stages.row(ticket(**changes), now)
    assert (row.state, row.tone, row.changed) == (state, tone, "today 09:31 UTC")


def test_topics_say_what_they_cover(policy: Json) -> None:
    """Each topic lists what is covered and what is not, and what to know beforehand (clauses 1.3, 1.4, 2.1)."""
    topics = {topic["code"]: catalogue.topic(topic) for topic in policy["scope"]["topics"]}
    assert {line.covered for line in topics["installation"].items} == {True, False}
    assert topics["recovery"].note == "Taken out of turn once a specialist has confirmed it."
    assert topics["hosting"].note == "Answered by references to documentation."
    assert catalogue.topic({**policy["scope"]["topics"][0], "verdict": "out"}).note.startswith(
        "Technical support does not"
    )


def test_who_can_help_instead_is_told(ticket: Make, policy: Json) -> None:
    """Out of scope names whom to ask (clause 1.3); a licence that is not active has its notice (clause 1.1)."""
    scope = {"verdict": "out", "support_mode": "none", "reason": "Design.", "refer_to": "developer"}
    said = views.notices(ticket(scope=scope, entitlement="expired"), policy)
    assert said[0].startswith("Technical support does not cover this. Ask your web developer")
    assert said[1].startswith("The licence given is no longer active.")
    assert views.notices(ticket(scope={**scope, "refer_to": None}), policy) == [
        "Technical support does not cover this. Design."
    ]
    assert views.notices(ticket(), policy) == []


@pytest.mark.parametrize(
    ("status", "allowed", "reply", "close"),
    [
        ("open", ["messages"], "Send reply", False),
        ("resolved", ["messages", "close", "reopen"], "Send and reopen", True),
        ("closed", ["messages", "reopen"], "Send and reopen", False),
        ("closed", ["messages"], "Send as a new request", False),
        ("closed", [], "", False),
    ],
)
def test_buttons_say_what_they_do(status: str, allowed: list[str], reply: str, *, close: bool, ticket: Make) -> None:
    """The button's words tell whether a message is a reply, a reopening or a new request."""
    can = views.abilities(ticket(status=status, allowed=allowed))
    assert (can.reply, bool(can.close)) == (reply, close)


def test_answers_stand_below_what_was_written(ticket: Make) -> None:
    """A reply holds the free words and each answered question with its answer; unanswered ones are left out."""
    missing = [
        {"field": "version", "question": "Which version?"},
        {"field": "backup", "question": "Is there a backup?"},
    ]
    asked = views.questions(ticket(missing_information=missing))
    assert forms.with_answers("Hello.", asked, {"backup": "Yes."}) == "Hello.\n\nIs there a backup?\nYes."
    assert forms.with_answers("", asked, {"version": "24", "backup": "No."}) == (
        "Which version?\n24\n\nIs there a backup?\nNo."
    )
    assert forms.with_answers("", asked, {}) == ""


def test_a_request_that_goes_on_elsewhere_says_so(ticket: Make, policy: Json, now: datetime) -> None:
    """A merged request has no reopening to offer; what is written to it is sent there."""
    merged = ticket(status="closed", merged_into="0193-b", closed_at="2026-11-20T09:00:00Z", allowed=["messages"])
    stage = stages.stage(merged, policy, None, None, now)
    assert (stage.state, stage.next_step) == ("Goes on in another request", "What you write here is added there.")
    assert views.abilities(merged).reply == "Send it there"


def test_limits_of_support_and_a_judged_urgency_are_told(ticket: Make, policy: Json) -> None:
    """References only, and a specialist's word on the urgency, stand on the client's page; what is open doesn't."""
    scope = {"verdict": "in", "support_mode": "consult_only", "reason": None, "refer_to": None}
    (said,) = views.notices(ticket(scope=scope), policy)
    assert "by references" in said
    judged = {"urgency": "normal", "urgency_reason": "One page is\nslow."}
    assert views.notices(ticket(**judged), policy) == ["A specialist judged the urgency as normal: One page is slow."]
    assert views.notices(ticket(**judged, urgency_provisional=True), policy) == []


def test_the_public_catalogue_says_how_far_and_whom_to_ask(policy: Json) -> None:
    """A section parts what is covered from what isn't, and says of a line what there is to know."""
    item = {"text": "A line.", "verdict": "in", "support_mode": "full", "unless_product_error": False, "referral": None}
    advice = {"advice": "Ask them."}
    lines = [
        item,
        {**item, "support_mode": "consult_only"},
        {**item, "verdict": "out", "referral": advice},
        {**item, "verdict": "out", "referral": advice, "unless_product_error": True},
    ]
    given = {**policy["scope"]["topics"][0], "items": lines}
    section = catalogue.section(given)
    assert [line.more for line in section.covered] == ["", "Answered by references to documentation."]
    assert [line.more for line in section.left_out] == [
        "Ask them.",
        "Covered where a product error is behind it. Ask them.",
    ]


def test_claims_are_counted_in_words() -> None:
    """Of an organisation's claims the returned ones are told with their share; who belongs to none is named so."""
    found = {"confirmed": 3, "returned": 1, "returned_share": 0.25}
    assert views.claim_line(found, "Acme") == views.ClaimLine("Acme", "1 of 4 returned (25%)")
    assert views.claim_line(found, "").name == "Without an organisation"

"""Retries as pure functions: nothing is given up before 72 hours, nothing is tried for ever (P23, P26, P27)."""

from datetime import UTC, datetime, timedelta

import pytest
from firstline.notify.delivery import (
    LONGEST_WISH,
    MAIL_PLAN,
    WEBHOOK_PLAN,
    Judgement,
    Plan,
    Step,
    judge_answer,
    judge_refusal,
    next_step,
    reason_to_disable,
    wished_instant,
)
from hypothesis import given
from hypothesis import strategies as st

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
RETRY = Judgement("retry", "The endpoint answered 500.")
HOURS_72 = timedelta(hours=72)


def attempts(plan: Plan, chance: float) -> list[datetime]:
    """Return the instants of all attempts at an endpoint that stays down."""
    instants = [START]
    while True:
        now = instants[-1] + timedelta(seconds=1)
        step = next_step(RETRY, plan, attempt=len(instants), first_at=START, now=now, chance=chance)
        if step.state == "exhausted":
            return instants
        assert step.next_at is not None
        instants.append(step.next_at)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_success_is_any_2xx(status: int) -> None:
    """Every 2xx means that the endpoint took the delivery."""
    assert judge_answer(status, "60", START) == Judgement("delivered")


@pytest.mark.parametrize("status", [100, 301, 302, 307, 308, 400, 401, 403, 404, 409, 429, 500, 502, 503, 504, 599])
def test_everything_else_is_tried_again(status: int) -> None:
    """A redirect, a client error and a server error are all tried again, and the reason names the status."""
    judgement = judge_answer(status, None, START)
    assert judgement.verdict == "retry"
    assert str(status) in judgement.reason
    assert ("redirect" in judgement.reason) == (300 <= status < 400)


def test_410_ends_delivery_and_endpoint() -> None:
    """An endpoint that is gone gets this delivery never and no further one."""
    judgement = judge_answer(410, "60", START)
    step = next_step(judgement, WEBHOOK_PLAN, attempt=1, first_at=START, now=START, chance=0.5)
    assert (step.state, step.next_at) == ("gone", None)
    assert "410" in (reason_to_disable(step, first_at=START, last_success=START) or "")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        (" 120 ", 120),
        ("0", 0),
        ("Mon, 23 Nov 2026 09:10:00 GMT", 600),
        ("Mon, 23 Nov 2026 09:10:00 -0000", 600),
        ("Mon, 23 Nov 2026 08:00:00 GMT", -3600),
        ("999999999999", LONGEST_WISH.total_seconds()),
        ("99999999", LONGEST_WISH.total_seconds()),
        ("Wed, 01 Jan 2200 00:00:00 GMT", LONGEST_WISH.total_seconds()),
    ],
)
def test_retry_after_is_read(header: str, seconds: float) -> None:
    """Seconds and dates are read; a wish of more than a day counts as a day."""
    assert wished_instant(header, START) == START + timedelta(seconds=seconds)


@pytest.mark.parametrize("header", [None, "", "soon", "-5", "1.5", "\u0661\u0662", "Mon, 99 Foo 2026", ","])
def test_an_unreadable_retry_after_is_no_wish(header: str | None) -> None:
    """What is neither seconds nor a date changes nothing."""
    assert wished_instant(header, START) is None


@given(
    st.text(max_size=40)
    | st.from_regex(r"Mon, [0-9]{1,2} (Jan|Feb|Nov) [0-9]{1,25} [0-9]{1,12}:[0-9]{2}:[0-9]{2} ([+-][0-9]{1,25}|GMT)")
)
def test_any_retry_after_is_harmless(header: str) -> None:
    """Whatever an endpoint sends, the next attempt is never more than a day off by its wish."""
    wished = wished_instant(header, START)
    assert wished is None or wished <= START + LONGEST_WISH


def test_a_wish_is_a_lower_bound() -> None:
    """A longer wish is honoured; a shorter one doesn't bring the next attempt forward."""
    later = judge_answer(429, "3600", START)
    sooner = judge_answer(503, "1", START)
    steps = [
        next_step(judgement, WEBHOOK_PLAN, attempt=3, first_at=START, now=START, chance=0.5)
        for judgement in (later, sooner)
    ]
    assert [step.next_at for step in steps] == [START + timedelta(hours=1), START + timedelta(minutes=2)]


def test_pauses_grow_as_planned() -> None:
    """With middling chance the pauses are exactly the plan's, the last one again and again."""
    waits = [
        next_step(RETRY, WEBHOOK_PLAN, attempt=n, first_at=START, now=START, chance=0.5).next_at for n in range(1, 12)
    ]
    expected = [*WEBHOOK_PLAN.pauses, *[WEBHOOK_PLAN.pauses[-1]] * 3]
    assert waits == [START + pause for pause in expected]


@pytest.mark.parametrize("plan", [WEBHOOK_PLAN, MAIL_PLAN])
@given(chance=st.floats(0, 1, exclude_max=True))
def test_an_endpoint_down_for_72_hours_loses_nothing(plan: Plan, chance: float) -> None:
    """However chance falls, the last attempt comes after 72 hours and within one pause of them."""
    last = attempts(plan, chance)[-1]
    assert HOURS_72 < last - START <= HOURS_72 + plan.pauses[-1] * 1.2 + timedelta(seconds=1)


@pytest.mark.parametrize("plan", [WEBHOOK_PLAN, MAIL_PLAN])
def test_a_delivery_is_tried_a_few_dozen_times(plan: Plan) -> None:
    """72 hours cost neither hundreds of attempts nor only a handful."""
    assert 20 <= len(attempts(plan, 0.0)) <= 40
    assert 20 <= len(attempts(plan, 0.999)) <= 40


def test_an_endpoint_that_always_asks_for_a_day_is_given_up_too() -> None:
    """Wishes for later don't keep a delivery alive for ever."""
    instants = [START]
    step = Step("pending", next_at=START)
    while step.next_at is not None:
        now = step.next_at
        judgement = judge_answer(429, "9999999", now)
        step = next_step(judgement, WEBHOOK_PLAN, attempt=len(instants), first_at=START, now=now, chance=0.5)
        instants.append(now)
    assert step.state == "exhausted"
    assert HOURS_72 < instants[-1] - START <= HOURS_72 + timedelta(days=1)


@given(st.integers(1, 60), st.floats(0, 1, exclude_max=True), st.integers(0, 71 * 3600))
def test_the_next_attempt_is_always_later(attempt: int, chance: float, elapsed: int) -> None:
    """A pending delivery's next attempt lies after now, by at least four fifths of the pause."""
    now = START + timedelta(seconds=elapsed)
    step = next_step(RETRY, WEBHOOK_PLAN, attempt=attempt, first_at=START, now=now, chance=chance)
    pause = WEBHOOK_PLAN.pauses[min(attempt, len(WEBHOOK_PLAN.pauses)) - 1]
    assert step.state == "pending"
    assert step.next_at is not None
    assert pause * 0.79 < step.next_at - now < pause * 1.21


@pytest.mark.parametrize(("code", "state"), [(421, "pending"), (450, "pending"), (452, "pending"), (550, "failed")])
def test_mail_refusals(code: int, state: str) -> None:
    """4xx is tried again; 5xx is final at the first time, with the server's words as the reason."""
    judgement = judge_refusal(code, f"{code} mailbox says no")
    step = next_step(judgement, MAIL_PLAN, attempt=1, first_at=START, now=START, chance=0.5)
    assert step.state == state
    assert "mailbox says no" in step.reason


def test_delivered_is_final() -> None:
    """A success ends the delivery, even long after the plan's end."""
    late = START + timedelta(days=9)
    step = next_step(Judgement("delivered"), WEBHOOK_PLAN, attempt=30, first_at=START, now=late, chance=0.5)
    assert step == Step("delivered")


def test_an_endpoint_is_disabled_when_nothing_got_through() -> None:
    """Giving a delivery up disables the endpoint only if no other delivery got through meanwhile."""
    given_up = Step("exhausted", "The endpoint answered 500.")
    before, after = START - timedelta(hours=1), START + timedelta(hours=1)
    assert reason_to_disable(given_up, first_at=START, last_success=None) == (
        "Nothing was delivered since 2026-11-23 09:00 UTC. The endpoint answered 500."
    )
    assert reason_to_disable(given_up, first_at=START, last_success=before) is not None
    assert reason_to_disable(given_up, first_at=START, last_success=after) is None


@pytest.mark.parametrize("state", ["delivered", "pending", "failed"])
def test_other_steps_disable_nothing(state: str) -> None:
    """A single failure or a success leaves the endpoint as it is."""
    assert reason_to_disable(Step(state), first_at=START, last_success=None) is None  # type: ignore[arg-type]

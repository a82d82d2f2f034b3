"""When a delivery is tried again and when it ends: over 72 hours for webhooks and mail alike (P23, P26, P27).

Everything is a function of the attempts' outcome and the times given; chance comes in as a number.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Literal

# A redirect is no success: followed, it would lead a signed body to a host that nobody has checked.
OK_STATUS = range(200, 300)
REDIRECT_STATUS = range(300, 400)
GONE_STATUS = 410
PERMANENT_CODE = 500
SECONDS_DIGITS = 8
LONGEST_WISH = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Plan:
    """How often and how long a delivery is tried.

    Attributes:
        pauses: waits after the first, second ... attempt; the last one repeats.
        keep: after this long since the first attempt, one more attempt is owed and then no other.
        spread: the share of a pause that chance takes away or adds.

    """

    pauses: tuple[timedelta, ...]
    keep: timedelta = timedelta(hours=72)
    spread: float = 0.2


WEBHOOK_PLAN = Plan(
    (
        *(timedelta(seconds=5), timedelta(seconds=30), timedelta(minutes=2), timedelta(minutes=10)),
        *(timedelta(minutes=30), timedelta(hours=1), timedelta(hours=2), timedelta(hours=4)),
    )
)
# Greylisting servers want a pause of one to fifteen minutes and then the same sender again.
MAIL_PLAN = Plan(
    (
        *(timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=10), timedelta(minutes=20)),
        *(timedelta(minutes=40), timedelta(hours=1), timedelta(hours=2), timedelta(hours=4)),
    )
)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What an attempt came to.

    Attributes:
        verdict: `delivered`, `retry`, `failed` (never again), or `gone` (the endpoint wants nothing any more).
        reason: in words for an operator; empty when delivered.
        not_before: the earliest next attempt that the other side asked for.

    """

    verdict: Literal["delivered", "retry", "failed", "gone"]
    reason: str = ""
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """A delivery's state after an attempt: `pending` has the instant of the next one, all others are final."""

    state: Literal["delivered", "pending", "failed", "exhausted", "gone"]
    reason: str = ""
    next_at: datetime | None = None


def judge_answer(status: int, retry_after: str | None, now: datetime) -> Judgement:
    """Judge an endpoint's HTTP answer: 2xx took it, 410 wants no more, everything else is tried again."""
    if status in OK_STATUS:
        return Judgement("delivered")
    if status == GONE_STATUS:
        return Judgement("gone", "The endpoint answered 410: it wants no more deliveries.")
    followed = ", a redirect, which is not followed" if status in REDIRECT_STATUS else ""
    # Also 4xx: a receiver that is being deployed answers 404 or 401 for minutes, and its owner would lose these events.
    return Judgement("retry", f"The endpoint answered {status}{followed}.", wished_instant(retry_after, now))


def judge_refusal(code: int, text: str) -> Judgement:
    """Judge a mail server's refusal: 4xx is tried again, 5xx never (RFC 5321, 4.2.1)."""
    verdict: Literal["failed", "retry"] = "failed" if code >= PERMANENT_CODE else "retry"
    return Judgement(verdict, f"The mail server answered {text}.")


def wished_instant(retry_after: str | None, now: datetime) -> datetime | None:
    """Read a `Retry-After` header, seconds or an HTTP date (RFC 9110, 10.2.3); a wish ends within 24 hours."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        seconds = int(text) if len(text) <= SECONDS_DIGITS else LONGEST_WISH.total_seconds()
        return min(now + timedelta(seconds=seconds), now + LONGEST_WISH)
    try:
        wished = parsedate_to_datetime(text)
    except (ValueError, IndexError, OverflowError):
        return None
    return min(wished if wished.tzinfo else wished.replace(tzinfo=UTC), now + LONGEST_WISH)


def next_step(
    judgement: Judgement, plan: Plan, *, attempt: int, first_at: datetime, now: datetime, chance: float
) -> Step:
    """Return what follows an attempt.

    Args:
        judgement: what the attempt came to.
        plan: how often and how long.
        attempt: its number, from 1.
        first_at: instant of the first attempt: time that we were down ourselves uses nothing up.
        now: instant of this attempt's end.
        chance: from 0 up to, not including, 1; spreads the attempts of many deliveries.

    """
    if judgement.verdict != "retry":
        return Step(judgement.verdict, judgement.reason)
    if now - first_at > plan.keep:
        return Step("exhausted", judgement.reason)
    pause = plan.pauses[min(attempt, len(plan.pauses)) - 1]
    # Spread, or all deliveries of an endpoint that was away would come back in the same second.
    planned = now + pause * (1 - plan.spread + 2 * plan.spread * chance)
    return Step("pending", judgement.reason, max(planned, judgement.not_before or planned))


def reason_to_disable(step: Step, *, first_at: datetime, last_success: datetime | None) -> str | None:
    """Return why the endpoint gets nothing more after this step, or None: it is gone, or took nothing for 72 hours."""
    if step.state == "gone":
        return step.reason
    # Something else was delivered meanwhile: then one event is at fault and not the endpoint.
    if step.state == "exhausted" and (last_success is None or last_success < first_at):
        return f"Nothing was delivered since {first_at:%Y-%m-%d %H:%M} UTC. {step.reason}"
    return None

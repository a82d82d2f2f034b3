"""Silence: what comes of it while the desk waits for the client's word, and when (clauses 4.2, 4.8, closing paragraph).

Only the client's silence ends a request by itself, and never before they were told when it would.
"""

from datetime import datetime, timedelta
from typing import Literal

from firstline.common.policy.closing import Silence, SilenceRule
from firstline.intake.ticket import Ticket

Act = Literal["remind", "close"]


def rule_of(ticket: Ticket, silence: Silence) -> SilenceRule | None:
    """Return what silence does to a request now; None while nothing is for the client to say.

    Whoever waits for the supervisor's answer is not silent.
    """
    if ticket.supervisor_request is not None:
        return None
    if ticket.status == "resolved":
        return silence.resolved
    if (ticket.status, ticket.waiting_cause) == ("waiting", "client"):
        return silence.waiting_client
    return None


def closing_time(rule: SilenceRule, since: datetime) -> datetime:
    """Return when a silence that began then closes a request."""
    return since + timedelta(days=rule.close_after_days)


def closing_after_reminder(ticket: Ticket, rule: SilenceRule, reminded: datetime) -> datetime:
    """Return when a request closes that is reminded of: a late reminder takes nothing from the time that is left."""
    left = timedelta(days=rule.close_after_days - (rule.remind_after_days or 0))
    return max(reminded + left, ticket.closes_at or reminded)


def next_act(ticket: Ticket, rule: SilenceRule) -> tuple[Act, datetime]:
    """Return what silence does next to a request, and when.

    A closing of which the client was never told is told first, even where the policy has no reminder.
    """
    since = ticket.silent_since or ticket.updated_at
    due = ticket.reminded_at is None and (rule.remind_after_days is not None or ticket.closes_at is None)
    if due or ticket.closes_at is None:
        return "remind", since + timedelta(days=rule.remind_after_days or 0)
    return "close", ticket.closes_at

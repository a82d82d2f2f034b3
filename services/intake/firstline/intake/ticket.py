"""The ticket, its status machine and the guards of its verbs (clauses 2.1-2.3, 4.4, closing paragraph)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Literal

from firstline.common.errors import Conflict, Fault, IllegalTransition, Invalid

Status = Literal["new", "open", "waiting", "resolved", "closed"]
Side = Literal["client", "staff"]

SUBJECT_LIMIT = 300
BODY_LIMIT = 200_000
"""Characters of a subject and of a message."""
FREE_JSON_LIMIT = 16_384
"""Bytes of what a client may keep with a request as JSON: `fields` and `metadata`, each."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A technical support request as it stands now; `version` is that of its stream.

    Attributes:
        waiting_since: since when it waits for whom it waits for now.
        defect_ref: what development calls the defect.
        planned_release: `version`, `date` and `precision` of the release that is to hold the solution.
        awaited_release: the version whose release brings it back; only while it waits for that.
        released_in: the version with which it came back.
        silent_since: since when it is for the client to say something; None where it isn't.
        reminded_at: when they were reminded of that.
        closes_at: when silence closes it, as they were told.
        supervisor_request: `id`, `kind` and `asked_at` of the one that a supervisor has to answer.
        owed: the requests whose messages this one owes an answer to, itself or merged into it, with the receipt of the
            earliest of each (ISO text).
        rating: `mark`, `comment` and `rated_at` of what the client thinks of the handling.

    """

    id: str
    number: str
    version: int
    status: str
    waiting_cause: str | None
    circumstance: str | None
    close_reason: str | None
    subject: str
    topic: str | None
    tier: str
    urgency: str
    urgency_provisional: bool
    urgency_reason: str | None
    urgency_claim: str | None
    recovery: str
    complexity: str | None
    language: str
    scope: dict[str, Any]
    entitlement: str
    missing_information: list[dict[str, str]]
    hints: list[dict[str, str]]
    doc_required: bool
    policy_version: str
    requester_id: str | None
    requester_email: str
    requester_name: str | None
    organization_id: str | None
    product: str | None
    product_version: str | None
    licence_last4: str | None
    licence_id: str | None
    fields: dict[str, Any]
    doc_refs: list[Any]
    suggested_articles: list[dict[str, str]]
    external_ref: str | None
    metadata: dict[str, Any]
    channel: str
    verified: bool
    follows: str | None
    split_from: str | None
    merged_into: str | None
    reopen_count: int
    received_at: datetime
    created_at: datetime
    updated_at: datetime
    resolved_at: datetime | None
    closed_at: datetime | None
    waiting_since: datetime | None = None
    defect_ref: str | None = None
    planned_release: dict[str, Any] | None = None
    awaited_release: str | None = None
    released_in: str | None = None
    silent_since: datetime | None = None
    reminded_at: datetime | None = None
    closes_at: datetime | None = None
    supervisor_request: dict[str, Any] | None = None
    rating: dict[str, Any] | None = None
    owed: dict[str, str] = field(default_factory=dict)


# One table for what is possible: the guards, `allowed` in answers and the buttons on pages all come from it.
_VERBS: Mapping[str, Mapping[str, tuple[Side, ...]]] = MappingProxyType(
    {
        "messages": {
            "new": ("client", "staff"),
            "open": ("client", "staff"),
            "waiting": ("client", "staff"),
            "resolved": ("client", "staff"),
            "closed": ("client",),
        },
        "triage": dict.fromkeys(("new", "open", "waiting", "resolved"), ("staff",)),
        "wait": dict.fromkeys(("new", "open"), ("staff",)),
        "resume": {"waiting": ("staff",)},
        "handover": dict.fromkeys(("new", "open", "waiting"), ("staff",)),
        "release-plan": {"waiting": ("staff",)},
        "resolve": dict.fromkeys(("new", "open", "waiting"), ("staff",)),
        "close": {
            **dict.fromkeys(("new", "open", "waiting"), ("staff",)),
            "resolved": ("client", "staff"),
        },
        "reopen": dict.fromkeys(("resolved", "closed"), ("client", "staff")),
        "supervisor-requests": dict.fromkeys(("new", "open", "waiting", "resolved", "closed"), ("client",)),
        "access-requests": dict.fromkeys(("new", "open", "waiting"), ("staff",)),
        "rating": dict.fromkeys(("resolved", "closed"), ("client",)),
        "merge": dict.fromkeys(("new", "open", "waiting", "resolved", "closed"), ("staff",)),
        "unmerge": {"closed": ("staff",)},
        "split": dict.fromkeys(("new", "open", "waiting", "resolved", "closed"), ("staff",)),
    }
)
"""Verb → status in which it may be used → by whom."""


class PastTheWindow(Conflict):
    """The time within which a request can be reopened is over; send a new one that refers to it."""

    title = "Too late to reopen"


def ended_at(ticket: Ticket) -> datetime | None:
    """Return when it was resolved or closed, whichever came last; None while it is neither."""
    return ticket.closed_at or ticket.resolved_at


def within_window(ticket: Ticket, window: timedelta, now: datetime) -> bool:
    """Say whether a resolved or closed ticket may still be reopened (POLICY reading A9)."""
    ended = ended_at(ticket)
    return ended is not None and now <= ended + window


def allowed(ticket: Ticket, side: Side, window: timedelta, now: datetime) -> list[str]:
    """Return the verbs that this side may use on the ticket now, in the order of the verb table."""
    verbs = [verb for verb, statuses in _VERBS.items() if side in statuses.get(ticket.status, ())]
    late = "reopen" in verbs and not within_window(ticket, window, now)
    # What goes on elsewhere is taken up there, or comes back by taking the merge back.
    elsewhere = {"reopen", "merge", "supervisor-requests", "rating"}
    left_out = elsewhere if ticket.merged_into else {"unmerge", *(["reopen"] if late else [])}
    if ticket.supervisor_request is not None:
        left_out.add("supervisor-requests")
    if ticket.waiting_cause != "release":
        left_out.add("release-plan")
    return [verb for verb in verbs if verb not in left_out]


def demand(ticket: Ticket, verb: str, side: Side, window: timedelta, now: datetime) -> None:
    """Make sure that this side may use the verb on the ticket now.

    Raises:
        IllegalTransition: not in this status; `allowed` names the verbs that are possible.
        PastTheWindow: it can't be reopened any more.

    """
    verbs = allowed(ticket, side, window, now)
    if verb in verbs:
        return
    # Its own error, because there is something else that the client can do.
    if verb == "reopen" and ticket.status in _VERBS[verb] and not ticket.merged_into:
        raise PastTheWindow(
            f"It ended more than {window.days} days ago. Send a message instead: it becomes a new request that follows"
            " this one.",
            extra={"allowed": verbs},
        )
    more = "merged" if ticket.merged_into else ticket.waiting_cause
    state = f"{ticket.status} ({more})" if more else ticket.status
    names = ", ".join(verbs) or "none"
    raise IllegalTransition(
        f"{verb} is not possible while the request is {state}. Possible now: {names}.", extra={"allowed": verbs}
    )


def demand_text(body: str, pointer: str = "/body") -> str:
    """Return a message's text without surrounding blank lines.

    Raises:
        Invalid: nothing is written, or more than 200,000 characters.

    """
    text = body.strip()
    if not text or len(text) > BODY_LIMIT:
        said = "Write what you want to say." if not text else f"Write at most {BODY_LIMIT} characters; attach the rest."
        raise Invalid("The message can't be taken like this.", faults=(Fault(pointer, said),))
    return text


TOLD = tuple(name for name in Ticket.__slots__ if name not in ("id", "number", "version", "updated_at", "owed"))
"""What events tell of a ticket when it changes; the rest is in every event."""


def changes_between(before: Ticket, after: Ticket, names: tuple[str, ...]) -> dict[str, list[Any]]:
    """Return {field: [old, new]} of the named fields that differ."""
    pairs = {name: [getattr(before, name), getattr(after, name)] for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def values_not_told(ticket: Ticket, told: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return, as changes from nothing, those of a new ticket's values that are not told anyhow."""
    values = {name: getattr(ticket, name) for name in TOLD}
    return {name: [None, value] for name, value in values.items() if value and told.get(name) != value}

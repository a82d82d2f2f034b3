"""Answers that are owed to clients: since when, and to which request each was written (clauses 2.3, 2.4).

Queue reads the same of a request's events. Here it is kept apart by the request that was written to, because a
duplicate brings its unanswered messages along and takes them back when its merge is.
"""

from datetime import datetime

from firstline.common.events import (
    Author,
    Origin,
    TicketClosed,
    TicketDuplicateJoined,
    TicketDuplicateLeft,
    TicketEvent,
    TicketReleased,
    TicketReopened,
    TicketReplied,
    TicketResolved,
    TicketResumed,
)

Owed = dict[str, str]
"""ID of the request that was written to → receipt of its earliest unanswered message, as ISO text."""


def owed_after(owed: Owed, ticket_id: str, event: TicketEvent, now: datetime) -> Owed:
    """Return what is owed after an event of a request, which happens now."""
    match event:
        case TicketReplied(origin=Origin(automatic=True)):
            pass  # a robot asks nothing and answers nothing
        case TicketReplied(author=Author(side="client")):
            owed = asked(owed, ticket_id, event.received_at)
        case TicketReopened() if not _is_owed_since(owed, event.received_at):
            owed = asked(owed, ticket_id, event.received_at)
        case TicketReleased() | TicketResumed(cause="release"):
            owed = asked(owed, ticket_id, now)
        # A public answer answers all that is owed here, duplicates' messages too (ADR 17).
        case TicketReplied() | TicketResolved() | TicketClosed():
            owed = {}
        case TicketDuplicateJoined():
            owed = {**owed, **{one.ticket_id: one.since.isoformat() for one in event.owed}}
        case TicketDuplicateLeft():
            owed = without(owed, [one.ticket_id for one in event.owed])
    return owed


def _is_owed_since(owed: Owed, instant: datetime) -> bool:
    """Say whether something is owed since an instant or longer: then it is no more owed for being reopened."""
    since = owed_since(owed)
    return since is not None and since <= instant


def asked(owed: Owed, ticket_id: str, since: datetime) -> Owed:
    """Return what is owed once something was written to a request; what was received earlier counts."""
    known = owed.get(ticket_id)
    return owed if known and datetime.fromisoformat(known) <= since else {**owed, ticket_id: since.isoformat()}


def without(owed: Owed, ticket_ids: list[str]) -> Owed:
    """Return what is owed besides what was written to some requests."""
    return {ticket_id: since for ticket_id, since in owed.items() if ticket_id not in ticket_ids}


def owed_since(owed: Owed) -> datetime | None:
    """Return the earliest receipt of what is owed; None where nothing is."""
    return min((datetime.fromisoformat(since) for since in owed.values()), default=None)

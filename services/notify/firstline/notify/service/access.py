"""What the client's side hears of access data (clause 4.3).

These mails carry no link: whoever asks for passwords by a link in a mail is not us, and so readers can tell.
"""

from collections.abc import Sequence

from firstline.common.envelope import Envelope
from firstline.common.events import (
    TicketAccessChangeDue,
    TicketAccessPurged,
    TicketAccessRequested,
    TicketAccessRevealed,
)
from firstline.common.store.port import Unit
from firstline.notify.service.desk import Book, Desk
from firstline.notify.service.mails import tell_all
from firstline.notify.store.directory import Ticket
from firstline.notify.wording import Value


async def requested(desk: Desk, unit: Unit, event: Envelope, ticket: Ticket) -> Ticket:
    """Say what is asked for and why, and that the answer belongs on the support site."""
    data = event.payload(TicketAccessRequested)
    book = await desk.books.of(unit, ticket.policy_version)
    values: dict[str, Value] = {
        "kinds": kinds_of(book, [(kind, data.host) for kind in data.kinds]),
        "host": data.host,
        "reason": data.reason,
        "specialist": data.requested_by,
        "expires_at": book.instant(data.expires_at) if data.expires_at else None,
    }
    return await tell_all(desk, unit, event, ticket, data.recipients, "access_requested", values)


async def revealed(desk: Desk, unit: Unit, event: Envelope, ticket: Ticket) -> Ticket:
    """Say who read what, when and why; never what was read."""
    data = event.payload(TicketAccessRevealed)
    book = await desk.books.of(unit, ticket.policy_version)
    values: dict[str, Value] = {
        "kinds": kinds_of(book, [(kind, data.host) for kind in data.kinds]),
        "host": data.host,
        "reason": data.reason,
        "specialist": data.revealed_by,
        "at": book.instant(event.time),
    }
    return await tell_all(desk, unit, event, ticket, data.recipients, "access_revealed", values)


async def purged(desk: Desk, unit: Unit, event: Envelope, ticket: Ticket) -> Ticket:
    """Say that access data are deleted; where that comes with an end of the request, its own mail says so."""
    data = event.payload(TicketAccessPurged)
    if data.cause in ("resolved", "closed"):
        return ticket
    book = await desk.books.of(unit, ticket.policy_version)
    values: dict[str, Value] = {
        "kinds": kinds_of(book, [(kind, data.host) for kind in data.kinds]),
        "host": data.host,
        "withdrawn": data.cause == "revoked",
    }
    return await tell_all(desk, unit, event, ticket, data.recipients, "access_purged", values)


async def change_due(desk: Desk, unit: Unit, event: Envelope, ticket: Ticket) -> Ticket:
    """Say what the client has to change now."""
    data = event.payload(TicketAccessChangeDue)
    book = await desk.books.of(unit, ticket.policy_version)
    values: dict[str, Value] = {
        "kinds": kinds_of(book, [(one.kind, one.host) for one in data.access]),
        "again": data.occasion == "reminder",
        "closed": data.occasion == "closed",
    }
    return await tell_all(desk, unit, event, ticket, data.recipients, "access_change_due", values)


def kinds_of(book: Book, access: Sequence[tuple[str, str | None]]) -> tuple[str, ...]:
    """Return kinds of access data in the policy's words, each with its host where one is named."""
    rules = book.policy.access
    lines = []
    for code, host in access:
        known = rules.kind(code) if rules else None
        # A policy published since may have dropped the kind; what was given under it is still named.
        title = known.title if known else code
        lines.append(f"{title} ({host})" if host else title)
    return tuple(lines)

"""A request as it was at an instant, told anew from its events, and its history as one reader may see it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from firstline.common.errors import NotFound
from firstline.common.log import STREAM_EVENTS, LogRow
from firstline.common.permissions import STAFF, Principal
from firstline.common.store.port import Unit
from firstline.intake.ticket import TOLD, Ticket

PAGE = 1000
_ticket = TypeAdapter(Ticket)
EMPTY: Mapping[str, Any] = {
    **dict.fromkeys(TOLD),
    **dict.fromkeys(("subject", "requester_email", "language"), ""),
    **{name: [] for name in ("missing_information", "hints", "doc_refs", "suggested_articles")},
    **{name: {} for name in ("fields", "metadata", "scope")},
    **dict.fromkeys(("urgency_provisional", "doc_required", "verified"), False),
    "reopen_count": 0,
}
"""The values of a request that nobody told anything of."""

INSIDE = frozenset({"ticket.noted", "ticket.held_mail", "ticket.linked", "ticket.unlinked", "ticket.redacted"})
"""Events that clients don't see, beside those about access data, which has a history of its own."""

INSIDE_FIELDS = frozenset({"defect_ref", "awaited_release", "silent_since", "licence_id"})
INSIDE_MEMBERS = frozenset({"recipients", "supervisors", "note", "defect_ref"})
"""What clients don't see of an event: fields of theirs that are the desk's own, and who else was told."""


@dataclass(frozen=True, slots=True)
class Past:
    """A request as it was, and who took part then."""

    ticket: Ticket
    participants: list[str]


async def rows_until(unit: Unit, ticket_id: str, at: datetime) -> list[LogRow]:
    """Return a request's events up to an instant, along the index of its stream."""
    rows: list[LogRow] = []
    while True:
        after = rows[-1].version if rows else 0
        page = await unit.all(STREAM_EVENTS, stream=f"ticket/{ticket_id}", after=after, limit=PAGE)
        rows += [row for row in page if row.time <= at]
        if len(page) < PAGE or page[-1].time > at:
            return rows


def told_anew(ticket: Ticket, rows: Iterable[LogRow]) -> Past:
    """Return the request that its events tell; of one that was erased in part, what is left.

    Raises:
        NotFound: there is no event.

    """
    values: dict[str, Any] = dict(EMPTY)
    participants: list[str] = []
    last: LogRow | None = None
    for row in rows:
        data = json.loads(row.data or "{}")
        if last is None:
            values |= {name: data[name] for name in TOLD if name in data}
        # Each event has the values after it, so the last one that names a value is right, whatever came between.
        values |= {name: pair[1] for name, pair in data.get("changes", {}).items() if name in EMPTY}
        participants = [recipient["address"] for recipient in data.get("recipients", [])]
        last = row
    if last is None:
        raise NotFound("The request did not exist at that time. Name a later one.")
    facts = {"id": ticket.id, "number": ticket.number, "version": last.version, "updated_at": last.time}
    told = _ticket.validate_python(values | facts)
    return Past(told, sorted(participants))


def seen_by(reader: Principal, row: LogRow) -> dict[str, Any] | None:
    """Return an event's data as the reader may see it; None where it is nothing for them."""
    data: dict[str, Any] = json.loads(row.data or "{}")
    if reader.is_staff:
        return data
    if row.type in INSIDE or row.type.startswith("ticket.access_"):
        return None
    changes = {name: pair for name, pair in data.get("changes", {}).items() if name not in INSIDE_FIELDS}
    shown = {name: value for name, value in data.items() if name not in INSIDE_MEMBERS} | {"changes": changes}
    # Names stay, as they stand in the correspondence; IDs and addresses of staff are nobody's business outside.
    for name in ("actor", "author"):
        if shown.get(name, {}).get("role") in (*STAFF, "service"):
            shown[name] = {member: value for member, value in shown[name].items() if member not in ("id", "address")}
    return shown

"""What outsiders see of an event: its form in the feed and in webhooks, and which types clients may see at all.

The table says for each type whether clients and partners see it, which members of its data go along, and which more for
endpoints made with `content: true`. What it doesn't name stays inside: texts, addresses, names, notes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from firstline.common.envelope import Envelope, prefix_of
from firstline.common.permissions import STAFF

DERIVED = ("automatic",)
"""Members of the public form that stand deeper in an event."""

PERSONAL = ("address", "name")
"""Members of an author or actor that stay inside."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How a type is shown: to clients or to staff only, with these members, and with these where content is wanted."""

    public: bool
    members: tuple[str, ...] = ()
    content: tuple[str, ...] = ()


_SUBMITTED = (
    *("topic", "urgency", "urgency_provisional", "recovery", "tier", "scope", "entitlement", "missing_information"),
    *("hints", "language", "received_at", "policy_version", "message_id", "split_from", "follows", "external_ref"),
)
_ENTRY = ("key", "agent", "fence", "lease_expires_at", "reason")
_CLOCK = ("target", "due_at", "elapsed_minutes", "policy_version")
_DELIVERY = ("delivery_id", "channel", "reason")

# Named one by one, and not told by the events' own fields: a member that is added to an event stays inside until
# somebody has thought about who may see it.
SHAPES: Mapping[str, Shape] = MappingProxyType(
    {
        "ticket.submitted": Shape(True, _SUBMITTED, ("subject", "body", "attachments", "requester", "metadata")),
        "ticket.replied": Shape(True, ("message_id", "author", "automatic", "received_at"), ("body", "attachments")),
        "ticket.opened": Shape(True),
        "ticket.triaged": Shape(True, ("urgency", "urgency_provisional", "topic", "tier")),
        "ticket.waiting": Shape(True, ("cause", "circumstance", "closes_at")),
        "ticket.reminded": Shape(True, ("kind", "closes_at")),
        "ticket.resumed": Shape(True, ("cause",)),
        "ticket.handed_over": Shape(True, ("planned_release",)),
        "ticket.release_planned": Shape(True, ("planned_release", "before")),
        "ticket.released": Shape(True, ("version",), ("note",)),
        "ticket.resolved": Shape(True, ("closes_at",)),
        "ticket.closed": Shape(True, ("reason", "circumstance", "refer_to", "into_number")),
        "ticket.reopened": Shape(True, ("side", "received_at")),
        "ticket.split": Shape(True, ("message_id", "into", "into_number")),
        "ticket.merged": Shape(True, ("into", "into_number", "owed_since")),
        "ticket.unmerged": Shape(True),
        "ticket.duplicate_joined": Shape(False, ("duplicate", "duplicate_number", "owed_since")),
        "ticket.duplicate_left": Shape(False, ("duplicate", "duplicate_number", "owed_since")),
        "ticket.linked": Shape(False, ("to", "to_number")),
        "ticket.unlinked": Shape(False, ("to", "to_number")),
        "ticket.supervisor_requested": Shape(True, ("request_id", "kind"), ("body",)),
        "ticket.supervisor_answered": Shape(True, ("request_id",), ("body",)),
        "ticket.rated": Shape(True, ("mark",), ("comment",)),
        "ticket.participant_added": Shape(True),
        "ticket.redacted": Shape(False, ("person_id",)),
        "ticket.noted": Shape(False, ("message_id",)),
        "ticket.access_requested": Shape(False, ("request_id", "kinds", "expires_at")),
        "ticket.access_provided": Shape(False, ("request_id", "kinds", "moved_from")),
        "ticket.access_withdrawn": Shape(False, ("request_id", "cause")),
        "ticket.access_revealed": Shape(False, ("request_id", "kinds", "fence")),
        "ticket.access_purged": Shape(False, ("request_id", "kinds", "cause")),
        "ticket.access_change_due": Shape(False, ("occasion",)),
        "ticket.access_changed": Shape(False, ("request_id",)),
        "ticket.held_mail": Shape(False, ("mail_id", "reason", "outcome")),
        "ticket.incident_linked": Shape(False, ("incident_id", "title")),
        "ticket.incident_unlinked": Shape(False, ("incident_id", "title")),
        "incident.opened": Shape(False, ("title", "linked")),
        "incident.updated": Shape(False, ("title", "linked", "unlinked", "answer_id"), ("changes",)),
        "incident.resolved": Shape(False, ("title",)),
        "queue.entered": Shape(False, _ENTRY),
        "queue.claimed": Shape(False, _ENTRY),
        "queue.renewed": Shape(False, _ENTRY),
        "queue.released": Shape(False, _ENTRY),
        "queue.expired": Shape(False, _ENTRY),
        "queue.left": Shape(False, _ENTRY),
        "queue.moved": Shape(False, _ENTRY),
        "queue.transferred": Shape(False, _ENTRY),
        "queue.owner_changed": Shape(False, (*_ENTRY, "owner")),
        "clock.scheduled": Shape(False, _CLOCK),
        "clock.warned": Shape(False, _CLOCK),
        "clock.breached": Shape(False, _CLOCK),
        "clock.met": Shape(False, _CLOCK),
        "clock.cancelled": Shape(False, _CLOCK),
        "policy.published": Shape(False, ("version", "effective_from")),
        "delivery.failed": Shape(False, _DELIVERY),
        "delivery.exhausted": Shape(False, _DELIVERY),
        "endpoint.disabled": Shape(False, ("endpoint_id", "reason")),
        "account.person_changed": Shape(False, ("id", "role", "active")),
        "account.organization_changed": Shape(False, ("id", "kind")),
        "account.licence_changed": Shape(False, ("id", "product", "edition", "active_until")),
        "account.api_key_changed": Shape(False, ("id", "role", "revoked_at")),
        "person.erased": Shape(False, ("id",)),
        "erasure.applied": Shape(False, ("person_id", "service", "erased", "done")),
    }
)
"""Every event type that the feed knows."""

PUBLIC_TYPES = tuple(name for name, shape in SHAPES.items() if shape.public)
PREFIXES = tuple(dict.fromkeys(prefix_of(name) for name in SHAPES))
NEVER_PUSHED = ("delivery", "endpoint")
"""Only in the feed: an endpoint that fails would be told of its own failures for ever."""


def public_event(event: Envelope, position: int, public_url: str) -> dict[str, Any]:
    """Return the public form of an event at its position in the feed."""
    data = event.data
    # Clocks and deliveries have streams of their own and name their request inside.
    ticket_id = event.subject or data.get("ticket_id")
    number = data.get("number")
    links = {"request": f"{public_url}/v1/tickets/{ticket_id}", "page": f"{public_url}/requests/{number}"}
    return {
        "id": event.id,
        "type": event.type,
        "time": event.time.isoformat().replace("+00:00", "Z"),
        "position": position,
        "ticket_id": ticket_id,
        "number": number,
        "organization_id": data.get("organization_id"),
        "status": data.get("status"),
        "data": _shown(event),
        "links": links if ticket_id and number else {},
    }


def _shown(event: Envelope) -> dict[str, Any]:
    """Return what the type shows; who of the staff did it is nothing that clients learn."""
    shape, actor = SHAPES[event.type], _impersonal(event.data["actor"])
    shown = {"actor": actor, **_picked(event.data, shape.members)}
    for who in (actor, shown.get("author", {})):
        if shape.public and who.get("role") in STAFF:
            who.pop("id", None)
    return shown


def with_content(body: Mapping[str, Any], event: Envelope) -> dict[str, Any]:
    """Return the public form with the texts that go to endpoints made for them."""
    return {**body, "data": {**body["data"], **_picked(event.data, SHAPES[event.type].content)}}


def _picked(data: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Return those members of the data that the names ask for, and that the event has."""
    # A robot's message, and a remark of the desk itself, answer nothing; of its origin only that goes out.
    known = {**data, "automatic": data.get("origin", {}).get("automatic", False)}
    return {name: _impersonal(known[name]) if name == "author" else known[name] for name in names if name in known}


def _impersonal(who: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out name and address; an id that is a mail address, a stranger's, stays inside too."""
    return {name: value for name, value in who.items() if name not in PERSONAL and "@" not in str(value)}


def readers_of(event: Envelope) -> tuple[str, ...]:
    """Return who on the client's side may read an event: the participants by address, and the organisation.

    Decided when the event is applied, by who took part then: who joins later reads the request itself, not its past in
    the feed.
    """
    if not SHAPES[event.type].public:
        return ()
    organization = event.data.get("organization_id")
    addresses = (f"address:{recipient['address'].lower()}" for recipient in event.data.get("recipients", ()))
    return tuple(dict.fromkeys((*addresses, *([f"organization:{organization}"] if organization else ()))))


def named_types(wish: str) -> tuple[str, ...]:
    """Return the types that a name stands for: itself, or all of a prefix such as `ticket`; none if it is unknown."""
    return tuple(name for name in SHAPES if wish in (name, prefix_of(name)))


def is_pushed(event_type: str, wishes: Sequence[str], *, everything: bool) -> bool:
    """Say whether an endpoint that wishes for these types (none: all public ones) gets an event of this one.

    `everything` endpoints, the desk's own, may wish for types that clients don't see.
    """
    if prefix_of(event_type) in NEVER_PUSHED:
        return False
    if not wishes:
        return SHAPES[event_type].public
    allowed = everything or SHAPES[event_type].public
    return allowed and (event_type in wishes or prefix_of(event_type) in wishes)

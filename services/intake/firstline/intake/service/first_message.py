"""The first message of a request, as it is stored, and the event that says that it came in (clause 4.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firstline.common.events import Author, HintPart, MissingField, RequesterRef, TicketSubmitted
from firstline.common.events import Scope as ScopePart
from firstline.common.permissions import Role
from firstline.intake.service.attachments import attachment_refs
from firstline.intake.service.change import recipients_of

if TYPE_CHECKING:
    from firstline.common.store.port import Value
    from firstline.intake.service.holding import Cleaned
    from firstline.intake.service.submission import Judged, NewTicket
    from firstline.intake.store.tickets import Participant
    from firstline.intake.ticket import Ticket


def _author(new: NewTicket) -> Author:
    """Return who wrote the first message."""
    # Whoever let a mail in did not write it.
    by_mail = new.origin.channel == "email"
    author_id = new.requester.id if by_mail else new.actor.id
    role = Role.CLIENT.value if by_mail else new.actor.role
    name = new.author_name or new.requester.name
    return new.author or Author(id=author_id, name=name, role=role, side=new.side)


def first_message(new: NewTicket, ticket: Ticket, message_id: str) -> dict[str, Value]:
    """Return the row of a request's first message."""
    author = _author(new)
    return {
        "id": message_id,
        "ticket_id": ticket.id,
        "audience": "public",
        "side": author.side,
        "author_id": author.id,
        "author_name": author.name,
        "author_role": author.role,
        "body": new.body,
        "channel": new.origin.channel,
        "automatic": new.origin.automatic,
        "verified": new.origin.verified,
        "mail_id": new.origin.mail_id,
        "received_at": new.received_at,
        "created_at": ticket.created_at,
    }


def submitted(
    new: NewTicket,
    judged: Judged,
    ticket: Ticket,
    participants: list[Participant],
    message_id: str,
    body: Cleaned,
) -> TicketSubmitted:
    """Return the event that a request came in."""
    return TicketSubmitted(
        actor=new.actor,
        organization_id=ticket.organization_id,
        number=ticket.number,
        status=ticket.status,
        recipients=recipients_of(participants),
        subject=ticket.subject,
        body=new.body,
        masked=body.masks,
        attachments=attachment_refs(judged.attachments),
        requester=RequesterRef(
            id=new.requester.id, email=new.requester.email, name=new.requester.name, language=ticket.language
        ),
        language=ticket.language,
        topic=ticket.topic,
        urgency=ticket.urgency,
        urgency_provisional=ticket.urgency_provisional,
        urgency_claim=ticket.urgency_claim,
        recovery=ticket.recovery,
        tier=ticket.tier,
        scope=ScopePart(**ticket.scope),
        entitlement=ticket.entitlement,
        licence_id=ticket.licence_id,
        missing_information=[MissingField(**missing) for missing in ticket.missing_information],
        hints=[HintPart(**hint) for hint in ticket.hints],
        received_at=new.received_at,
        policy_version=ticket.policy_version,
        origin=new.origin,
        message_id=message_id,
        follows=new.follows,
        split_from=new.split_from.id if new.split_from else None,
        split_from_number=new.split_from.number if new.split_from else None,
        external_ref=new.external_ref,
        metadata=new.metadata,
    )

"""Whose request it is: clients send their own, partners their customers', staff anybody's (clauses 1.1, 4.1)."""

from dataclasses import dataclass
from typing import Any

from firstline.common.addresses import normal_address
from firstline.common.errors import Fault, Invalid
from firstline.common.events import Origin
from firstline.common.permissions import Principal, Role
from firstline.common.store.port import Unit
from firstline.intake.service.change import actor_of
from firstline.intake.service.desk import Desk
from firstline.intake.service.licences import without_key
from firstline.intake.service.submission import NewTicket, Requester
from firstline.intake.store.directory import PERSON_BY_EMAIL
from firstline.intake.ticket import demand_text


@dataclass(frozen=True, slots=True)
class Named:
    """The requester that a caller names."""

    email: str
    name: str | None = None
    language: str | None = None


async def new_ticket(
    desk: Desk,
    unit: Unit,
    principal: Principal,
    named: Named | None,
    channel: str,
    attachment_ids: tuple[str, ...],
    values: dict[str, Any],
) -> NewTicket:
    """Return what a caller of the API sends as a new request.

    Raises:
        Invalid: the caller may not send for that person, or not by that channel.

    """
    if channel == "email":
        fault = Fault("/channel", "Leave it out; mail is registered when it arrives by mail.")
        raise Invalid("A request through the API can't be one by mail.", faults=(fault,), clause="4.1")
    requester, organization_id = await _requester(unit, principal, named)
    fields, key = without_key(values["fields"])
    values = {**values, "fields": fields, "licence_key": values["licence_key"] or key}
    partner = principal.role is Role.PARTNER
    # A partner's person who sends for a customer hears of it, too; its program has no mailbox.
    takes_part = partner and not is_organization(principal) and principal.email != requester.email
    return NewTicket(
        **{**values, "body": demand_text(values["body"])},
        requester=requester,
        copied=(_self(principal),) if takes_part else (),
        organization_id=organization_id,
        origin=Origin(channel="partner_api" if partner and channel == "api" else channel),
        actor=actor_of(principal),
        author_name=principal.name,
        side="client",
        received_at=desk.now(),
        uploader=principal.id,
        attachment_ids=attachment_ids,
    )


def is_organization(principal: Principal) -> bool:
    """Say whether the caller is an organisation's own program, whose address receives no mail (RFC 2606)."""
    return principal.email.endswith(".invalid")


def _self(principal: Principal) -> Requester:
    """Return the caller as somebody who takes part."""
    return Requester(principal.email, principal.name, principal.id)


async def _requester(unit: Unit, principal: Principal, named: Named | None) -> tuple[Requester, str | None]:
    """Return whose request it is, and their organisation."""
    if named is None and is_organization(principal):
        fault = Fault("/requester", "Name the person whom the acknowledgement and the answers go to.")
        raise Invalid(
            "Your key acts for an organisation, which has no mail address. Say whose request it is.", faults=(fault,)
        )
    email = normal_address(named.email) if named else principal.email
    person = await unit.one(PERSON_BY_EMAIL, email=email)
    # A partner learns nothing of other organisations' people by naming their addresses.
    if person is not None and principal.role is Role.PARTNER and person.organization_id != principal.organization_id:
        person = None
    if email == principal.email:
        language = (named.language if named else None) or (person.language if person else None)
        name = (named.name if named else None) or principal.name or (person.name if person else None)
        return Requester(email, name, principal.id, language), principal.organization_id
    if principal.role is Role.CLIENT:
        fault = Fault("/requester/email", "Leave requester out, or ask the other person to send the request.")
        raise Invalid("You can send requests in your own name only.", faults=(fault,))
    requester = Requester(
        email,
        (named.name if named else None) or (person.name if person else None),
        person.id if person else None,
        (named.language if named else None) or (person.language if person else None),
    )
    own = principal.organization_id if principal.role is Role.PARTNER else None
    return requester, own or (person.organization_id if person else None)

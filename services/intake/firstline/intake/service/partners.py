"""What partners' webhooks do: the first with a reference makes a request, others are messages to it (clause 4.1)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from firstline.common.addresses import normal_address
from firstline.common.answers import Answer, Made, Retry, answer_once
from firstline.common.errors import NotFound
from firstline.common.events import Author, Origin
from firstline.common.permissions import Access, Relation
from firstline.common.ports import Clock
from firstline.common.store.port import Unit
from firstline.intake.partners import Source
from firstline.intake.service.change import Change, begin
from firstline.intake.service.correspondence import NewMessage, reply
from firstline.intake.service.desk import Desk
from firstline.intake.service.requester import Named, new_ticket
from firstline.intake.service.submission import ExternalRefTaken, NewTicket, submit
from firstline.intake.store.tickets import TICKET_BY_REF
from firstline.intake.ticket import Ticket

CREATED, ADDED = 201, 200


@dataclass(frozen=True, slots=True)
class Partners:
    """The sources that are configured, by their codes, and the wall clock that their signatures are checked by."""

    sources: Mapping[str, Source]
    wall: Clock

    def source(self, code: str) -> Source:
        """Return a source.

        Raises:
            NotFound: none is configured under this code.

        """
        found = self.sources.get(code)
        if found is None:
            raise NotFound("No source of webhooks is configured under this name. Check the address.")
        return found


@dataclass(frozen=True, slots=True)
class Taken:
    """What a webhook says, checked: the requester, and the members of a new request or of a message."""

    requester: Named
    values: Mapping[str, Any]

    @property
    def external_ref(self) -> str | None:
        """The partner's own name for the request."""
        ref: str | None = self.values["external_ref"]
        return ref


async def known_request(desk: Desk, source: Source, external_ref: str | None) -> Ticket | None:
    """Return the request of the source's organisation that has this reference."""
    if external_ref is None:
        return None
    given = {"external_ref": external_ref, "organization_id": source.terms.organization_id}
    return await desk.store.read(lambda unit: unit.one(TICKET_BY_REF, **given))


async def open_request(desk: Desk, source: Source, taken: Taken, retry: Retry) -> Answer | None:
    """Make a request of a webhook; None if somebody has made one under its reference at the same moment.

    Raises:
        Invalid: the policy can't take it; the faults say why.

    """
    principal = source.principal

    async def describe(unit: Unit) -> NewTicket:
        return await new_ticket(desk, unit, principal, taken.requester, "api", (), dict(taken.values))

    def render(_new: NewTicket, ticket: Ticket) -> str:
        return told(ticket, created=True)

    try:
        return await submit(desk, Access(principal, Relation.ORGANIZATION), describe, retry, render)
    except ExternalRefTaken:
        # The caller looks again, finds that one, and adds to it: a partner's system knows nothing of such races.
        return None


async def add_message(desk: Desk, source: Source, ticket_id: str, taken: Taken, retry: Retry) -> Answer:
    """Add what a webhook says to the request that has its reference, in the requester's name.

    One that ended too long ago is followed by a new request, which takes what comes after.

    Raises:
        Invalid: no text, or fields that are too large.

    """
    principal = source.principal
    access = Access(principal, Relation.ORGANIZATION)

    async def work(unit: Unit) -> Made:
        change = await begin(desk, unit, access, ticket_id)
        result = await reply(change, _message(change, source, taken), access)
        made = result.follows is not None
        return CREATED if made else ADDED, told(result.ticket, created=made), None

    return await answer_once(desk.store, desk.ports.clock, retry, work)


def _message(change: Change, source: Source, taken: Taken) -> NewMessage:
    """Return what a webhook says as a message in the requester's name."""
    who = taken.requester
    return NewMessage(
        body=taken.values["body"],
        author=Author(
            id=source.principal.id,
            address=normal_address(who.email),
            name=who.name or source.terms.title,
            # The words are the requester's, the proof is the partner's: its signature is all that vouches for them.
            role=source.principal.role.value,
            side="client",
        ),
        origin=Origin(channel="partner_api"),
        received_at=change.now,
        fields=taken.values["fields"],
    )


def told(ticket: Ticket, *, created: bool) -> str:
    """Return the answer to a webhook as JSON text: the request that it made or was added to."""
    known = {"ticket_id": ticket.id, "number": ticket.number, "external_ref": ticket.external_ref}
    return json.dumps({**known, "created": created})

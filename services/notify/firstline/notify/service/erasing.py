"""Erasing a person at notify: mails to them and about their requests, what was to be pushed of those, and the feed."""

from collections.abc import Sequence

from firstline.common.addresses import normal_address
from firstline.common.envelope import Envelope
from firstline.common.erasure import (
    PORTION,
    Portion,
    Stage,
    announce_redaction,
    begin_erasure,
    common_stages,
    mentions_stage,
)
from firstline.common.events import TicketRedacted
from firstline.common.redaction import Erased, redacted_text
from firstline.common.store.port import Unit
from firstline.notify.service.desk import Desk
from firstline.notify.service.erasing_mentions import Deliveries, erase_attempts
from firstline.notify.store.deliveries import ERASE_RECIPIENT, ERASE_TICKET_PAYLOADS
from firstline.notify.store.directory import ERASE_PERSON, ERASE_TICKET, PERSON, TICKETS_OF
from firstline.notify.store.erasure import (
    CHANGE_CONVERSATION,
    CHANGE_FEED,
    CONVERSATION,
    ENDPOINT_MENTIONS,
    ERASE_ATTEMPTS,
    ERASE_OTHERS,
    FEED_AFTER,
    MAILS_OF_TICKET,
    REASON_MENTIONS,
    TICKET_MENTIONS,
    TOLD_ABOUT,
)
from firstline.notify.store.feed import FORGET_READER

INCIDENT = "incident"


async def begin(unit: Unit, person_id: str) -> None:
    """Forget a person at once as far as they could still be told something, and begin to erase the rest."""
    person = await unit.one(PERSON, id=person_id)
    if person is None:
        return
    own = await unit.all(TICKETS_OF, email=person.email)
    about = await unit.all(TOLD_ABOUT, recipient=person.email)
    await begin_erasure(unit, person_id, person.email, [person.name], sorted({*own, *about}))
    for ticket_id in own:
        await unit.run(ERASE_TICKET_PAYLOADS, ticket_id=ticket_id)
        await unit.run(ERASE_TICKET, id=ticket_id)
    await unit.run(ERASE_RECIPIENT, recipient=person.email)
    await unit.run(FORGET_READER, reader=f"address:{person.email}")
    # Last: the address is what all the statements before it look for.
    await unit.run(ERASE_PERSON, id=person.id)


async def ticket_redacted(_desk: Desk, unit: Unit, event: Envelope) -> None:
    """Erase what events told of the person that were under way when notify heard of the erasure."""
    data, ticket_id = event.payload(TicketRedacted), event.stream.partition("/")[2]
    people = [normal_address(recipient.address) for recipient in data.recipients]
    await unit.run(ERASE_TICKET_PAYLOADS, ticket_id=ticket_id)
    await unit.run(ERASE_OTHERS, ticket_id=ticket_id, people=people)
    announce_redaction(unit)
    if data.requester:
        await unit.run(ERASE_TICKET, id=ticket_id)


class Erasure:
    """What notify erases of a person."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def stages(self) -> Sequence[Stage]:
        """Return the stages in their order."""
        mentioned = (
            Deliveries(self._desk).stage(),
            Stage(erase_attempts),
            mentions_stage("requests", TICKET_MENTIONS),
            mentions_stage("reasons", REASON_MENTIONS),
            mentions_stage("endpoints", ENDPOINT_MENTIONS),
        )
        return (Stage(self._ticket, self._kept_mails), *mentioned, Stage(self._feed), *common_stages())

    async def _kept_mails(self, who: Erased) -> None:
        """Remove mails about the next request that a desk without a mail server keeps as files."""
        ticket_id = _next(who)
        if ticket_id is not None:
            for message_id in await self._desk.store.read(lambda unit: unit.all(MAILS_OF_TICKET, ticket_id=ticket_id)):
                await self._desk.mail.discard(message_id)

    async def _ticket(self, unit: Unit, who: Erased) -> Portion:
        """Erase one request of theirs: what its mails and the answers to them said, and what is kept to thread them."""
        ticket_id = _next(who)
        if ticket_id is None:
            return Portion(None)
        count = await unit.run(ERASE_TICKET_PAYLOADS, ticket_id=ticket_id)
        await unit.run(ERASE_ATTEMPTS, ticket_id=ticket_id)
        kept = await unit.one(CONVERSATION, id=ticket_id)
        if kept is not None:
            await unit.run(
                CHANGE_CONVERSATION,
                id=ticket_id,
                subject=who.cleaned(kept.subject, near=True),
                conversation=redacted_text(who, kept.conversation, near=True),
                parting=kept.parting and redacted_text(who, kept.parting, near=True),
            )
        return Portion(str(int(who.place or 0) + 1), {"deliveries": count, "requests": 1})

    async def _feed(self, unit: Unit, who: Erased) -> Portion:
        """Take the person out of the feed's events, page by page along the primary key."""
        page = await unit.all(FEED_AFTER, after=int(who.place or 0), limit=PORTION)
        count = 0
        for row in page:
            # The title of an incident stands in events about all of its requests, and doesn't say whose they are.
            near = INCIDENT in row.body or any(ticket in row.body for ticket in who.tickets)
            left = redacted_text(who, row.body, near=near)
            if left != row.body:
                count += await unit.run(CHANGE_FEED, position=row.position, body=left)
        return Portion(str(page[-1].position) if page else None, {"feed events": count})


def _next(who: Erased) -> str | None:
    """Return the request whose turn it is."""
    index = int(who.place or 0)
    return who.tickets[index] if index < len(who.tickets) else None

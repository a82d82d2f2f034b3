"""One verb at work on one ticket: read, judge, note what happens, save it with its events in one transaction."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from firstline.common.addresses import read_number
from firstline.common.errors import NotFound
from firstline.common.events import Actor, Recipient, TicketEvent
from firstline.common.permissions import Access, Principal
from firstline.common.store.port import Unit
from firstline.intake import silence
from firstline.intake.owing import owed_after
from firstline.intake.service.access_ending import end_with
from firstline.intake.service.desk import Desk
from firstline.intake.service.holding import Holding
from firstline.intake.store.due import DROP_DUE, SAVE_DUE
from firstline.intake.store.held_texts import INSERT_HELD_TEXT
from firstline.intake.store.tickets import (
    PARTICIPANTS,
    TICKET,
    TICKET_BY_NUMBER,
    TICKET_TO_CHANGE,
    UPDATE_TICKET,
    Participant,
)
from firstline.intake.ticket import TOLD, Side, Ticket, demand

SILENCE_CHANNEL = "silence"
"""Announced when something is to be done after some silence."""


def side_of(principal: Principal) -> Side:
    """Return which side of the conversation the caller is on."""
    return "staff" if principal.is_staff else "client"


def actor_of(principal: Principal) -> Actor:
    """Return the caller as events name them."""
    return Actor(id=principal.id, role=principal.role.value, client_id=principal.client_id)


def row_of(ticket: Ticket) -> dict[str, Any]:
    """Return a ticket as the parameters of its statements."""
    return {name: getattr(ticket, name) for name in Ticket.__slots__}


async def find(unit: Unit, reference: str) -> Ticket:
    """Return the ticket with that ID or number.

    Raises:
        NotFound: there is none.

    """
    number = read_number(reference)
    ticket = await (unit.one(TICKET_BY_NUMBER, number=number) if number else unit.one(TICKET, id=reference))
    if ticket is None:
        raise NotFound("Nothing with this ID is here for you. Check the ID.")
    return ticket


async def find_for(unit: Unit, access: Access, reference: str) -> tuple[Ticket, list[Participant]]:
    """Return a ticket within the caller's reach, and its participants.

    Raises:
        NotFound: there is none that the caller may see.

    """
    ticket = await find(unit, reference)
    participants = await unit.all(PARTICIPANTS, ticket_id=ticket.id)
    access.demand(frozenset(person.address for person in participants), ticket.organization_id)
    return ticket, participants


HELD_CHANNEL = "held texts"
"""Announced when a text is kept sealed, to be deleted after its days."""


class Change:
    """A change of one ticket; events carry the ticket's status after all of it."""

    def __init__(self, desk: Desk, unit: Unit, ticket: Ticket, participants: list[Participant], actor: Actor) -> None:
        self.desk = desk
        self.unit = unit
        self.ticket = self._found = ticket
        self.participants = participants
        self.actor = actor
        self.now: datetime = desk.now()
        self.holding = Holding(desk, ticket.id)
        self._said: list[tuple[type[TicketEvent], dict[str, Any]]] = []

    def demand(self, verb: str, side: Side) -> None:
        """Make sure that the verb is possible now.

        Raises:
            IllegalTransition: not in this status.
            PastTheWindow: too late to reopen.

        """
        policy, _ = self.desk.policies.of(self.ticket.policy_version)
        demand(self.ticket, verb, side, policy.closing.reopen_window, self.now)

    def become(self, **values: Any) -> None:
        """Give the ticket new values."""
        self.ticket = replace(self.ticket, **values)

    def say(self, event: type[TicketEvent], **data: Any) -> None:
        """Note an event to be appended when the change is saved."""
        self._said.append((event, data))

    def clean(self, text: str | None, place: str) -> str | None:
        """Return a text without its secrets; what stood there is kept sealed (clause 4.3)."""
        return self.holding.text(text, place).text if text else text

    def wait_for(self, cause: str, circumstance: str | None) -> None:
        """Let it wait for the client, a third party or a release."""
        self.become(
            status="waiting",
            waiting_cause=cause,
            circumstance=circumstance,
            waiting_since=self.now,
            awaited_release=None,
        )
        self.listen()

    def _wait_no_more(self) -> None:
        """Forget whom it waited for and why."""
        self.become(waiting_cause=None, circumstance=None, waiting_since=None, awaited_release=None)

    def go_open(self) -> None:
        """Make it open, whatever it was."""
        self._wait_no_more()
        self.become(status="open", resolved_at=None, closed_at=None, close_reason=None, merged_into=None)
        self.listen()

    def end(self, status: str, **values: Any) -> None:
        """Resolve or close it, whatever it was."""
        self._wait_no_more()
        self.become(status=status, **values)
        self.listen()

    def listen(self, *, told: bool = True) -> None:
        """Count the client's silence from now on, where it is for them to say something (clause 4.8).

        Where they may never have been `told` when it closes, and no reminder would, one is sent at once.
        """
        policy, _ = self.desk.policies.of(self.ticket.policy_version)
        rule = silence.rule_of(self.ticket, policy.closing.silence)
        known = rule if rule and (told or rule.remind_after_days is not None) else None
        closes_at = silence.closing_time(known, self.now) if known else None
        self.become(silent_since=self.now if rule else None, reminded_at=None, closes_at=closes_at)

    async def save(self) -> Ticket:
        """Append the events and store the ticket; return it with its new version."""
        # First, so that what it says stands among this change's events, whichever verb ended the request (ADR 15).
        await self._end_access()
        facts = {
            "actor": self.actor,
            "organization_id": self.ticket.organization_id,
            "number": self.ticket.number,
            "status": self.ticket.status,
            "recipients": recipients_of(self.participants),
        }
        events = [event(**facts, **data) for event, data in self._told_whole()]
        # As the fold of the very events that others hear: intake's own account can't drift from queue's (ADR 17).
        for event in events:
            self.become(owed=owed_after(self.ticket.owed, self.ticket.id, event, self.now))
        version = await self.desk.log.append(self.unit, f"ticket/{self.ticket.id}", *events)
        self.become(version=version, updated_at=self.now)
        await self.unit.run(UPDATE_TICKET, **row_of(self.ticket))
        await self.unit.many(INSERT_HELD_TEXT, self.holding.rows)
        if self.holding.rows:
            self.unit.announce(HELD_CHANNEL)
        self.holding.rows = []
        await self._keep_due()
        return self.ticket

    async def _end_access(self) -> None:
        """Let nothing that a client entrusted to the desk outlive the work on the request (clause 4.3)."""
        if self.ticket.status != self._found.status and self.ticket.status in ("resolved", "closed"):
            await end_with(self, "closed" if self.ticket.status == "closed" else "resolved")

    def _told_whole(self) -> list[tuple[type[TicketEvent], dict[str, Any]]]:
        """Return the events; the last also tells whatever else changed, so that the past can be told from them."""
        known = {name: getattr(self._found, name) for name in TOLD}
        for _, data in self._said:
            known |= {name: pair[1] for name, pair in data.get("changes", {}).items()}
        rest = {name: [old, new] for name, old in known.items() if old != (new := getattr(self.ticket, name))}
        if not rest or not self._said:
            return self._said
        *others, (event, data) = self._said
        # What one event tells twice over went there and back again: only the whole way counts.
        told = data.get("changes", {})
        whole = {name: [told[name][0] if name in told else old, new] for name, (old, new) in rest.items()}
        return [*others, (event, data | {"changes": told | whole})]

    async def _keep_due(self) -> None:
        """Keep when silence acts next, where that has changed."""
        # Most changes move no day; the table is written where one does.
        if _silence_of(self.ticket) == _silence_of(self._found):
            return
        policy, _ = self.desk.policies.of(self.ticket.policy_version)
        rule = silence.rule_of(self.ticket, policy.closing.silence)
        if rule is None:
            await self.unit.run(DROP_DUE, ticket_id=self.ticket.id)
            return
        await self.unit.run(SAVE_DUE, ticket_id=self.ticket.id, due_at=silence.next_act(self.ticket, rule)[1])
        self.unit.announce(SILENCE_CHANNEL)


def _silence_of(ticket: Ticket) -> tuple[datetime | None, ...]:
    """Return what silence goes by."""
    return ticket.silent_since, ticket.reminded_at, ticket.closes_at


async def begin(desk: Desk, unit: Unit, access: Access, reference: str) -> Change:
    """Begin a change of a ticket within the caller's reach, locking it.

    Raises:
        NotFound: there is none that the caller may see.

    """
    found = await find(unit, reference)
    ticket = await unit.one(TICKET_TO_CHANGE, id=found.id) or found
    # Under the lock: while it was waited for, a merge may have brought somebody in, or its end shut somebody out.
    participants = await unit.all(PARTICIPANTS, ticket_id=ticket.id)
    access.demand(frozenset(person.address for person in participants), ticket.organization_id)
    return Change(desk, unit, ticket, participants, actor_of(access.principal))


def recipients_of(participants: list[Participant]) -> list[Recipient]:
    """Return the participants as events name them."""
    return [Recipient(address=p.address, name=p.name, language=p.language) for p in participants]

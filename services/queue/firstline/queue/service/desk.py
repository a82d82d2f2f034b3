"""What all verbs need: the instance, who acts, finding an entry, telling what became of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from firstline.common.addresses import read_number
from firstline.common.errors import NotFound
from firstline.common.events import Actor, EntryKey, QueueEvent
from firstline.common.paging import Cursors
from firstline.common.permissions import Access, Principal, Role
from firstline.common.runtime import Runtime
from firstline.common.store.port import Unit
from firstline.queue.entry import Entry, Rules
from firstline.queue.store import (
    ADDRESSES,
    ENTRY,
    ENTRY_BY_NUMBER,
    ENTRY_BY_NUMBER_TO_CHANGE,
    ENTRY_TO_CHANGE,
    RULES,
)

DESK = Actor(id="queue", role=Role.SERVICE.value)
"""Who acts when a lease runs out."""

E = TypeVar("E", bound=QueueEvent)


@dataclass(frozen=True, slots=True)
class Queue:
    """The service's instance.

    Attributes:
        runtime: store, log and ports.
        claim_key: seals claim tokens, which intake verifies.
        cursors: makes and reads cursors of the list.
        lease: how long a claim holds without being renewed.

    """

    runtime: Runtime
    claim_key: bytes
    cursors: Cursors
    lease: timedelta


@dataclass(frozen=True, slots=True)
class Hand:
    """Who claims or keeps, at which instant, and until when a lease begun now runs."""

    who: Principal
    now: datetime
    until: datetime

    @property
    def leads(self) -> bool:
        """Whether they may give up or hand on other people's claims."""
        return self.who.role in (Role.SUPERVISOR, Role.ADMIN)

    @property
    def actor(self) -> Actor:
        """Return them as events name them."""
        return Actor(id=self.who.id, role=self.who.role.value, client_id=self.who.client_id)


async def find(unit: Unit, reference: str, *, to_change: bool = False) -> Entry:
    """Return what is kept of the ticket with that ID or number, locked where it is to be changed.

    Raises:
        NotFound: nothing is known of it.

    """
    # An ID is a UUID and never reads as a number.
    number = read_number(reference)
    if number:
        entry = await unit.one(ENTRY_BY_NUMBER_TO_CHANGE if to_change else ENTRY_BY_NUMBER, number=number)
    else:
        entry = await unit.one(ENTRY_TO_CHANGE if to_change else ENTRY, ticket_id=reference)
    if entry is None:
        raise NotFound("Nothing with this ID is here for you. Check the ID.")
    return entry


async def find_for(unit: Unit, access: Access, reference: str) -> Entry:
    """Return what is kept of a ticket within the caller's reach.

    Raises:
        NotFound: there is none that the caller may see.

    """
    entry = await find(unit, reference)
    addresses = await unit.all(ADDRESSES, ticket_id=entry.ticket_id)
    # Out of reach and not there are one answer, or numbers could be tried for what exists.
    access.demand(frozenset(addresses), entry.organization_id)
    return entry


async def rules_at(unit: Unit, at: datetime) -> Rules:
    """Return the order that the policy in force at an instant sets.

    Without any policy heard of yet, urgent entries come first: events may reach queue before the policy does.
    """
    return await unit.one(RULES, at=at) or Rules()


def stream_of(ticket_id: str) -> str:
    """Return the stream that tells of a ticket's entry."""
    return f"entry/{ticket_id}"


def event_of(model: type[E], entry: Entry, actor: Actor, reason: str | None, **more: str) -> E:
    """Return a queue event about an entry as it stands.

    Raises:
        ValueError: the ticket has no entry.

    """
    if entry.key is None:
        raise ValueError(f"ticket {entry.ticket_id} has no entry")
    facts = {
        "actor": actor,
        "organization_id": entry.organization_id,
        "number": entry.number,
        "key": EntryKey(out_of_turn=entry.key.out_of_turn, since=entry.key.since, position=entry.key.position),
        "agent": entry.agent,
        "fence": entry.fence,
        "lease_expires_at": entry.lease_expires_at,
        "reason": reason,
    }
    return model.model_validate(facts | more)

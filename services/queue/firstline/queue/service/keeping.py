"""Keeping a claim, giving it up, handing it on, and what happens when nobody does: the lease runs out."""

from dataclasses import dataclass, replace
from datetime import datetime

from firstline.common.errors import Fault, Invalid, StaleClaim
from firstline.common.events import (
    Actor,
    QueueEvent,
    QueueExpired,
    QueueOwnerChanged,
    QueueReleased,
    QueueRenewed,
    QueueTransferred,
)
from firstline.common.log import Log
from firstline.common.secrets import unseal
from firstline.common.store.port import Unit
from firstline.queue.entry import Entry, check_holder, freed
from firstline.queue.service.desk import DESK, Hand, event_of, find, stream_of
from firstline.queue.store import EXPIRED, HELD_BY, LEASES, PERSON, SAVE_CLAIM, claim_row


@dataclass(frozen=True, slots=True)
class Proof:
    """What a caller shows to say which claim is meant; nothing means the one that is."""

    fence: int | None = None
    ticket_id: str | None = None


def read_proof(key: bytes, token: str | None, fence: int | None) -> Proof:
    """Return what a claim token, or else a bare fence, shows.

    Raises:
        StaleClaim: the token is none of ours.

    """
    if token is None:
        return Proof(fence)
    payload = unseal(key, token)
    if payload is None:
        raise StaleClaim("The Claim-Token is not one of this desk. Claim the request again.")
    # Its end is not looked at: the entry's own lease is what holds, and it may have been renewed since.
    return Proof(int(payload["fence"]), str(payload["ticket_id"]))


async def _hold(unit: Unit, hand: Hand, reference: str, proof: Proof, *, leader: bool) -> Entry:
    """Return the entry whose claim the caller may change, locked.

    Raises:
        NotFound: no such ticket.
        StaleClaim: the claim has ended, or is not theirs.

    """
    # Locked before the claim is looked at, so that it can't end between the look and the change.
    entry = await find(unit, reference, to_change=True)
    if proof.ticket_id not in (None, entry.ticket_id):
        raise StaleClaim("The Claim-Token belongs to another request. Send the one of this request.")
    check_holder(entry, hand.who.id, proof.fence, hand.now, leader=leader)
    return entry


async def renew(unit: Unit, log: Log, hand: Hand, reference: str, proof: Proof) -> Entry:
    """Prolong the caller's own claim; the fence stays.

    Raises:
        NotFound: no such ticket.
        StaleClaim: the claim has ended, or is not theirs.

    """
    entry = await _hold(unit, hand, reference, proof, leader=False)
    renewed = replace(entry, lease_expires_at=hand.until)
    await unit.run(SAVE_CLAIM, **claim_row(renewed))
    log.tell(unit, stream_of(entry.ticket_id), event_of(QueueRenewed, renewed, hand.actor, None))
    unit.announce(LEASES)
    return renewed


async def release(unit: Unit, log: Log, hand: Hand, reference: str, proof: Proof) -> None:
    """Give a claim up; the entry stands where it stood before.

    Raises:
        NotFound: no such ticket.
        StaleClaim: the claim has ended, or is neither theirs nor theirs to give up.

    """
    entry = await _hold(unit, hand, reference, proof, leader=hand.leads)
    # The log tells apart whether somebody gave it up or had it taken from them.
    reason = "released" if entry.agent == hand.who.id else "supervisor"
    await give_back(unit, log, entry, hand.actor, QueueReleased, reason)


async def give_back(
    unit: Unit, log: Log, entry: Entry, actor: Actor, model: type[QueueReleased | QueueExpired], reason: str
) -> None:
    """End a claim; its event names who held it until now."""
    event = event_of(model, entry, actor, reason)
    await unit.run(SAVE_CLAIM, **claim_row(freed(entry)))
    log.tell(unit, stream_of(entry.ticket_id), event)


async def transfer(
    unit: Unit, log: Log, hand: Hand, reference: str, proof: Proof, agent: str, note: str | None
) -> Entry:
    """Hand a claim to another specialist, who owns the ticket from then on; the former claim token is void.

    Raises:
        NotFound: no such ticket.
        StaleClaim: the claim has ended, or is neither theirs nor theirs to hand on.
        Invalid: the other one holds it already, or does not serve clients (any more).

    """
    entry = await _hold(unit, hand, reference, proof, leader=hand.leads)
    await _check_agent(unit, entry, agent)
    # A new fence, or the former holder's token would go on being good for writes.
    moved = replace(entry, agent=agent, owner=agent, fence=entry.fence + 1, lease_expires_at=hand.until)
    await unit.run(SAVE_CLAIM, **claim_row(moved))
    events: list[QueueEvent] = [event_of(QueueTransferred, moved, hand.actor, note)]
    if entry.owner != agent:
        events.append(event_of(QueueOwnerChanged, moved, hand.actor, None, owner=agent))
    log.tell(unit, stream_of(entry.ticket_id), *events)
    unit.announce(LEASES)
    return moved


async def _check_agent(unit: Unit, entry: Entry, agent: str) -> None:
    """Refuse whom accounts knows not to serve; tokens may also name specialists that accounts doesn't know."""
    person = await unit.one(PERSON, id=agent)
    if entry.agent == agent:
        detail = "This specialist holds it already; name another one."
    elif person is not None and not person.serves:
        detail = "This person does not answer requests (any more); name a specialist."
    else:
        return
    raise Invalid("The request can't be transferred to them.", faults=(Fault("/agent", detail),))


async def expire(unit: Unit, log: Log, now: datetime, limit: int) -> int:
    """End the claims whose leases are over, those over longest first; return how many."""
    expired = await unit.all(EXPIRED, now=now, limit=limit)
    # Of rows locked for this transaction: a claim that somebody
    # renews at this moment waits, and then finds itself ended.
    for entry in expired:
        await give_back(unit, log, entry, DESK, QueueExpired, "lease_over")
    return len(expired)


async def release_all(unit: Unit, log: Log, agent: str, actor: Actor, reason: str) -> None:
    """Give up every claim of somebody who does not serve any more."""
    # A handful at most, whatever the size of the queue: the index has the held ones of one specialist.
    for entry in await unit.all(HELD_BY, agent=agent):
        await give_back(unit, log, entry, actor, QueueReleased, reason)

"""Claiming an entry: the next one, or one that is named (clause 2.1)."""

from dataclasses import dataclass, replace

from firstline.common.events import QueueClaimed, QueueEvent, QueueExpired, QueueOwnerChanged
from firstline.common.log import Log
from firstline.common.secrets import seal
from firstline.common.store.port import Unit, Value
from firstline.queue.entry import Entry, Held, NothingToAnswer, Way, inversion, is_held, way_by_hand, why_no_place
from firstline.queue.service.desk import DESK, Hand, event_of, find, rules_at, stream_of
from firstline.queue.service.keeping import Proof, give_back, renew
from firstline.queue.store import (
    ADD_STREAK,
    FIRSTS,
    LEASES,
    SAVE_CLAIM,
    SAVE_STREAK,
    STREAK,
    TAKE,
    claim_row,
)


@dataclass(frozen=True, slots=True)
class Wish:
    """Which entries the next one is taken from: those of a tier, those whose topic the specialist is skilled in.

    An entry without a topic needs no skill.
    """

    tier: str | None = None
    skills: tuple[str, ...] | None = None

    @property
    def given(self) -> dict[str, Value]:
        """What is wished for, as parameters of the statements."""
        wishes = {"tier": self.tier, "skills": self.skills}
        return {name: value for name, value in wishes.items() if value is not None}

    @property
    def name(self) -> str:
        """The wish in one text, by which entries out of turn are counted: whoever has it is kept from none for ever."""
        # Sorted, since the same skills in another order are the same wish.
        return f"{self.tier or 'any'} {','.join(sorted(self.skills)) if self.skills else 'any'}"


async def take_next(unit: Unit, log: Log, hand: Hand, wish: Wish) -> Entry | None:
    """Claim the first entry that fits the wish; None when there is none."""
    rules = await rules_at(unit, hand.now)
    # Without a bound nothing is counted: the count is one row that all claims of a wish would wait for.
    streak = await _streak(unit, wish) if rules.max_in_a_row else 0
    bounded = 0 < rules.max_in_a_row <= streak
    taken = await _take_first(unit, hand, wish, in_turn=True) if bounded else None
    way: Way = "bounded" if taken else "filtered" if wish.given else "next"
    taken = taken or await _take_first(unit, hand, wish, in_turn=False)
    if taken is None:
        return None
    if rules.max_in_a_row:
        await unit.run(SAVE_STREAK, wish=wish.name, count=streak + 1 if taken.out_of_turn else 0)
    return await _claimed(unit, log, hand, taken, way)


async def _streak(unit: Unit, wish: Wish) -> int:
    """Return how many entries out of turn were claimed in a row; the row is locked, so that claims count one by one."""
    count = await unit.one(STREAK, wish=wish.name)
    if count is None:
        await unit.run(ADD_STREAK, wish=wish.name)
    return count or 0


async def _take_first(unit: Unit, hand: Hand, wish: Wish, *, in_turn: bool) -> Entry | None:
    """Claim the first free entry in one statement; None when there is none.

    Locked rows are skipped, so specialists who claim at once each get another entry and nobody waits; what the first of
    two gives back in a rollback is free again for the next claim.
    """
    statement = TAKE[wish.tier is not None, wish.skills is not None, in_turn]
    return await unit.one(statement, agent=hand.who.id, until=hand.until, **wish.given)


async def _claimed(unit: Unit, log: Log, hand: Hand, taken: Entry, way: Way) -> Entry:
    """Record a claim with what it passed over; the first who claims a ticket owns it from then on."""
    # The claimed entry is not free any more, so these are the first of those that it passed over, if of any.
    left = await unit.all(FIRSTS)
    reason = inversion(taken.key, left, way) if taken.key else None
    events: list[QueueEvent] = [event_of(QueueClaimed, taken, hand.actor, reason)]
    # Who answers first stays the client's person, also when others help out: claims change hands, owners seldom do.
    if taken.owner is None:
        taken = replace(taken, owner=hand.who.id)
        await unit.run(SAVE_CLAIM, **claim_row(taken))
        events.append(event_of(QueueOwnerChanged, taken, hand.actor, None, owner=hand.who.id))
    log.tell(unit, stream_of(taken.ticket_id), *events)
    unit.announce(LEASES)
    return taken


async def take_named(unit: Unit, log: Log, hand: Hand, reference: str) -> Entry:
    """Claim the entry of the ticket with that ID or number; who holds it already goes on with a new lease.

    Raises:
        NotFound: no such ticket.
        NothingToAnswer: it has no entry.
        Held: somebody else holds it.

    """
    entry = await find(unit, reference, to_change=True)
    if entry.key is None:
        raise NothingToAnswer(why_no_place(entry))
    # By the instant and not by whether a worker has noticed: a lease ends when it says.
    if is_held(entry, hand.now):
        if entry.agent != hand.who.id:
            raise _held(entry)
        return await renew(unit, log, hand, reference, Proof())
    if entry.agent is not None:  # over, and the worker hasn't come to it yet
        await give_back(unit, log, entry, DESK, QueueExpired, "lease_over")
    # The fence grows with each claim of a ticket, and intake refuses lower ones: a holder whose lease is over, and who
    # does not know it yet, can't write over the next one's answer.
    taken = replace(entry, agent=hand.who.id, fence=entry.fence + 1, lease_expires_at=hand.until)
    await unit.run(SAVE_CLAIM, **claim_row(taken))
    return await _claimed(unit, log, hand, taken, way_by_hand(entry, hand.who.id, leader=hand.leads))


def _held(entry: Entry) -> Held:
    """Return the error that names the holder, for staff; clients don't claim."""
    expires = entry.lease_expires_at.isoformat() if entry.lease_expires_at else None
    return Held(
        "Another specialist is working on this request. Take the next one, or ask them to release or transfer it.",
        extra={"claimed_by": entry.agent, "lease_expires_at": expires},
    )


def claim_token(key: bytes, entry: Entry) -> str:
    """Return the token that proves a claim to intake: ticket, agent, fence, and its end in ISO 8601.

    Intake verifies it without asking: same key, and what it has heard of the claim. It is signed and not secret; what
    it says, its holder may read.
    """
    expires = entry.lease_expires_at.isoformat() if entry.lease_expires_at else None
    payload = {"ticket_id": entry.ticket_id, "agent": entry.agent, "fence": entry.fence, "exp": expires}
    return seal(key, payload)

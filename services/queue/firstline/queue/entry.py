"""A place in the queue: when a ticket has one, by which key it stands, and which claims may jump (clauses 2.1, 2.3).

First come, first served. Only high urgency is served out of turn. A specialist's own tickets don't jump either: the
specialist takes one by naming it, and that is recorded.

Pure: what an event makes of an entry depends on the entry, the event and the policy's order alone, so a replay gives
the same queue, and tests walk through histories without a store.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Final, Literal, TypedDict

from firstline.common.errors import Conflict, NotFound, StaleClaim
from firstline.common.events import (
    Author,
    Origin,
    TicketClosed,
    TicketDuplicateJoined,
    TicketDuplicateLeft,
    TicketEvent,
    TicketRedacted,
    TicketReleased,
    TicketReopened,
    TicketReplied,
    TicketResolved,
    TicketResumed,
    TicketSubmitted,
    TicketTriaged,
)

Inversion = Literal["out_of_turn", "own_ticket", "tier_or_skill", "by_hand", "supervisor", "arrival_lag"]
"""Why a claim was permitted to pass over an entry that came before."""

Way = Literal["next", "filtered", "bounded", "own_ticket", "by_hand", "supervisor"]
"""How a claim chose its entry: the next of all, of those that fit a wish, of those in turn because the bound on entries
out of turn was reached; or by naming it."""

COUNTED: Final = 1000
"""Entries ahead are counted exactly up to this many."""

IN_PROGRESS: Final = frozenset({"new", "open"})
"""The statuses of a ticket in which somebody may wait for an answer."""


class Held(Conflict):
    """Another specialist works on it; take the next one, or ask for it to be released or transferred."""

    title = "Somebody is working on it"


class NothingToAnswer(Conflict):
    """The ticket has no entry, so there is nothing to claim."""

    title = "Nothing to answer"


class NoPlace(NotFound):
    """The ticket has no entry, so it has no place in the queue."""

    title = "Not in the queue"


class _Judged(TypedDict):
    """What a judgement says of an entry."""

    urgency: str
    urgency_provisional: bool
    topic: str | None
    tier: str
    out_of_turn: bool


@dataclass(frozen=True, slots=True)
class Rules:
    """What the policy says of the order: urgency levels served out of turn, and how many in a row (0: no bound)."""

    levels: tuple[str, ...] = ("high",)
    max_in_a_row: int = 0


@dataclass(frozen=True, slots=True)
class Key:
    """What an entry is ordered by; `position` is that of the event in intake's log.

    Two entries of the same microsecond stand in the order of intake's log, so that the order is total and every
    replica's the same.
    """

    out_of_turn: bool
    since: datetime
    position: int

    @property
    def receipt(self) -> tuple[datetime, int]:
        """The order of receipt alone."""
        return self.since, self.position

    @property
    def order(self) -> tuple[bool, datetime, int]:
        """The order in which entries are served: the least is next."""
        return not self.out_of_turn, self.since, self.position


@dataclass(frozen=True, slots=True)
class Entry:
    """All that queue keeps of a ticket, also while it has no entry: fences go on, and the owner stays.

    `since` and `position` are those of the earliest client message, reopening or return that staff have not answered;
    None when there is nothing to answer. The claim is the last three fields.

    A fence that began at 0 again would let a former holder's token be good for a later claim.

    Attributes:
        urgency_provisional: no specialist has confirmed the urgency yet.
        topic: what it is about, which skills are compared with.
        out_of_turn: the policy lets this urgency be served before others.
        since: receipt of what is to be answered: the key in the order of service.
        position: place of that event in intake's log, which decides between equals.
        owner: the specialist whose request it is, also while nobody works on it.
        agent: who holds the claim.
        fence: grows with each claim; a token with a lower one is refused.
        lease_expires_at: when the claim ends unless it is renewed.

    """

    ticket_id: str
    number: str
    subject: str
    organization_id: str | None
    status: str
    urgency: str
    urgency_provisional: bool
    topic: str | None
    tier: str
    out_of_turn: bool
    since: datetime | None = None
    position: int | None = None
    owner: str | None = None
    agent: str | None = None
    fence: int = 0
    lease_expires_at: datetime | None = None

    @property
    def key(self) -> Key | None:
        """The key of the entry; None while the ticket has no entry."""
        if self.since is None or self.position is None or self.status not in IN_PROGRESS:
            return None
        return Key(self.out_of_turn, self.since, self.position)


def fold(before: Entry | None, ticket_id: str, event: TicketEvent, at: datetime, position: int, rules: Rules) -> Entry:
    """Return what an event makes of a ticket's entry.

    Further messages never move an entry. A duplicate brings what it was owed, and takes it back with it when its merge
    is taken back before the answer. Automatic mail and internal notes do nothing. A public staff message, a
    resolution and a closing leave nothing to answer; waiting only hides what is left to answer.

    Args:
        before: the entry before; None before the ticket's first event.
        ticket_id: the ticket.
        event: what happened.
        at: when it happened.
        position: the event's position in intake's log.
        rules: the policy's order at that time.

    Raises:
        LookupError: the first event is not the submission.

    """
    if isinstance(event, TicketSubmitted):
        entry = _submitted(ticket_id, event, position, rules)
    elif before is None:
        raise LookupError(f"ticket {ticket_id} was never submitted")
    else:
        entry = replace(before, status=event.status, organization_id=event.organization_id)
        entry = _after(entry, event, at, position, rules)
    # Who leaves the queue has no claim any more, whatever took them out; one place sees to that.
    return entry if entry.key else freed(entry)


def _submitted(ticket_id: str, event: TicketSubmitted, position: int, rules: Rules) -> Entry:
    """Return the entry of a new request; automatic mail makes a ticket and asks for no answer (clause 2.3)."""
    entry = Entry(
        ticket_id=ticket_id,
        number=event.number,
        subject=event.subject,
        organization_id=event.organization_id,
        status=event.status,
        **_judged(event, rules),
    )
    return entry if event.origin.automatic else _asked(entry, event.received_at, position)


def _after(entry: Entry, event: TicketEvent, at: datetime, position: int, rules: Rules) -> Entry:
    """Return what any later event makes of an entry, before it is seen whether it still has a place."""
    match event:
        case TicketRedacted():
            entry = replace(entry, subject=event.subject)
        case TicketReplied(origin=Origin(automatic=True)):
            pass  # a robot asks nothing and answers nothing
        case TicketReplied(author=Author(side="client")) | TicketReopened():
            entry = _asked(entry, event.received_at, position)
        # Nobody has written: the news is ours to tell, and its place is that of the moment from which it can be told.
        case TicketReleased() | TicketResumed(cause="release"):
            entry = _asked(entry, at, position)
        case TicketReplied() | TicketResolved() | TicketClosed():
            # Who is reopened later asks anew from that instant: an ended request must not come back at its old place.
            entry = _answered(entry)
        # With the duplicate's own receipt: who wrote twice loses no place by the merge (ADR 17).
        case TicketDuplicateJoined(owed=[_, *_]):
            entry = _asked(entry, min(answer.since for answer in event.owed), position)
        case TicketDuplicateLeft(owed=[_, *_]):
            entry = _given_back(entry, event.owed_since, position)
        case TicketTriaged():
            entry = replace(entry, **_judged(event, rules))
    return entry


def _judged(event: TicketSubmitted | TicketTriaged, rules: Rules) -> _Judged:
    """Return what intake or staff judged, which both events tell in the same words."""
    return {
        "urgency": event.urgency,
        "urgency_provisional": event.urgency_provisional,
        "topic": event.topic,
        "tier": event.tier,
        "out_of_turn": event.urgency in rules.levels,
    }


def _asked(entry: Entry, since: datetime, position: int) -> Entry:
    """Note something to answer; what was received earlier keeps its place, even where it was let in later."""
    # The instant of receipt decides, not the order in which we hear of it: mail that was held keeps its place.
    if entry.since is not None and entry.since <= since:
        return entry
    return replace(entry, since=since, position=position)


def _given_back(entry: Entry, left_since: datetime | None, position: int) -> Entry:
    """Let what a duplicate brought go back with it; what is owed besides has the place that it would have had."""
    if left_since == entry.since:
        return entry
    return _answered(entry) if left_since is None else replace(entry, since=left_since, position=position)


def _answered(entry: Entry) -> Entry:
    """Return the entry with nothing left to answer."""
    return replace(entry, since=None, position=None)


def freed(entry: Entry) -> Entry:
    """Return the entry without its claim; the fence stays, so that no later claim gets the same."""
    return replace(entry, agent=None, lease_expires_at=None)


def is_held(entry: Entry, now: datetime) -> bool:
    """Say whether somebody's lease on the entry is running.

    By the clock and not by whether the worker has been there: a lease that is over protects nobody, even while no
    worker runs.
    """
    return entry.agent is not None and entry.lease_expires_at is not None and entry.lease_expires_at > now


def check_holder(entry: Entry, caller: str, fence: int | None, now: datetime, *, leader: bool = False) -> None:
    """Let the holder of the claim pass, and a leader whoever holds it.

    Raises:
        StaleClaim: the lease is over, the fence is not the claim's, or somebody else holds it.

    """
    # A fence can only be too low or ours: one that is too high was never given out, so it proves nothing either.
    right_fence = fence is None or fence == entry.fence
    if is_held(entry, now) and right_fence and (leader or entry.agent == caller):
        return
    raise StaleClaim(
        "This claim has ended or is not yours. Read the queue, and claim the request again if it is there."
    )


_WHEN_JUMPED: Final[Mapping[Way, Inversion]] = MappingProxyType(
    {
        "next": "arrival_lag",
        "filtered": "tier_or_skill",
        "bounded": "out_of_turn",
        "own_ticket": "own_ticket",
        "by_hand": "by_hand",
        "supervisor": "supervisor",
    }
)


def inversion(taken: Key, left: Sequence[Key], way: Way) -> Inversion | None:
    """Return why a claim passed over entries that are left, None where it passed over none.

    Args:
        taken: the key of the entry that was claimed.
        left: the first entry out of turn and the first in turn, of those that nobody holds.
        way: how the entry was chosen.

    """
    # Urgent entries stand before others in the order of service and still overtake those that came in before them.
    jumped = any(key.order < taken.order for key in left)
    overtook = any(key.receipt < taken.receipt for key in left)
    if jumped or (overtook and way in ("own_ticket", "by_hand", "supervisor")):
        return _WHEN_JUMPED[way]
    return "out_of_turn" if overtook else None


def way_by_hand(entry: Entry, caller: str, *, leader: bool) -> Way:
    """Return how a claim that names its ticket counts: as one's own, as a supervisor's, or as by hand."""
    if entry.owner == caller:
        return "own_ticket"
    return "supervisor" if leader else "by_hand"


def why_no_place(entry: Entry) -> str:
    """Say to the client's side or staff why a ticket has no entry."""
    if entry.status in IN_PROGRESS:
        return "Every message of this request has been answered, so it is not in the queue."
    if entry.status == "waiting":
        return "This request waits for somebody outside the Helpdesk, so it is not in the queue until that is over."
    return f"This request is {entry.status}, so it is not in the queue. A message that reopens it gives it a place."


def why(entry: Entry, ahead_out_of_turn: int, rules: Rules) -> list[str]:
    """Say in sentences fit for clients why an entry stands where it stands."""
    if entry.agent is not None:
        return ["A specialist is working on it now."]
    sentences = [
        "Requests are answered in the order in which they came in.",
        f"This one counts from {entry.since:%Y-%m-%d %H:%M} UTC; further messages do not move it.",
    ]
    if entry.out_of_turn:
        sentences.append(f"Its urgency is {entry.urgency}, so it is served out of turn, before the others.")
        if entry.urgency_provisional:
            sentences.append("A specialist has yet to confirm the urgency.")
    elif ahead_out_of_turn:
        served = "request ahead of it is" if ahead_out_of_turn == 1 else "requests ahead of it are"
        sentences.append(f"{_count(ahead_out_of_turn)} {served} served out of turn, being more urgent.")
    if rules.max_in_a_row and (entry.out_of_turn or ahead_out_of_turn):
        sentences.append(f"At most {rules.max_in_a_row} in a row are served out of turn.")
    return sentences


def _count(number: int) -> str:
    """Return a number of requests in words that don't promise more than was counted."""
    return str(number) if number <= COUNTED else f"More than {COUNTED}"

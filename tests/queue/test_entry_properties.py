"""Any history of a ticket, folded, against a model that keeps all that was asked in a plain list."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from firstline.common.events import EventData, TicketEvent
from firstline.queue.entry import Entry, Rules, fold
from hypothesis import given, settings
from hypothesis import strategies as st

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
Told = list[tuple[str, dict[str, Any]]]
Place = tuple[bool, datetime, int]


class Model:
    """A ticket by intake's rules, with everything unanswered in a plain list of (instant, position).

    Each verb takes the present, the instant at which a message was received, and the position of its first event; it
    returns its events, none where intake refuses it.
    """

    def __init__(self, received: datetime, *, urgent: bool) -> None:
        self.status, self.cause, self.urgent = "new", "", urgent
        self.unanswered = [(received, 1)]

    def place(self) -> Place | None:
        """Return the key, None when nobody waits."""
        if self.status not in ("new", "open") or not self.unanswered:
            return None
        since = min(instant for instant, _ in self.unanswered)
        return self.urgent, since, next(position for instant, position in self.unanswered if instant == since)

    def ask(self, _now: datetime, received: datetime, position: int) -> Told:
        """Let the client write."""
        self.unanswered.append((received, position))
        told: Told = [("ticket.replied", {"side": "client", "received_at": received})]
        if self.status in ("resolved", "closed"):
            self.status = "open"
            return [*told, ("ticket.reopened", {"received_at": received})]
        if self.status == "waiting" and self.cause == "client":
            self.status = "open"
            return [*told, ("ticket.resumed", {"cause": "client"})]
        return told

    def robot(self, _now: datetime, received: datetime, _position: int) -> Told:
        """Let a robot write."""
        return [("ticket.replied", {"side": "client", "received_at": received, "automatic": True})]

    def answer(self, now: datetime, _received: datetime, _position: int) -> Told:
        """Let staff answer."""
        if self.status == "closed":
            return []
        self.unanswered.clear()
        self.status = "open" if self.status == "new" else self.status
        return [("ticket.replied", {"side": "staff", "received_at": now})]

    def note(self, _now: datetime, _received: datetime, _position: int) -> Told:
        """Leave a note."""
        return [("ticket.noted", {})]

    def _wait(self, cause: str) -> Told:
        if self.status not in ("new", "open"):
            return []
        self.status, self.cause = "waiting", cause
        return [("ticket.waiting", {"cause": cause})]

    def wait_client(self, _now: datetime, _received: datetime, _position: int) -> Told:
        """Wait for the client."""
        return self._wait("client")

    def wait_third_party(self, _now: datetime, _received: datetime, _position: int) -> Told:
        """Wait for somebody else."""
        return self._wait("third_party")

    def wait_release(self, _now: datetime, _received: datetime, _position: int) -> Told:
        """Wait for a release."""
        return self._wait("release")

    def resume(self, now: datetime, _received: datetime, position: int) -> Told:
        """End waiting; a return from a release wants an answer."""
        if self.status != "waiting":
            return []
        self.status = "open"
        if self.cause == "release":
            self.unanswered.append((now, position))
        return [("ticket.resumed", {"cause": self.cause})]

    def _end(self, status: str, *before: str) -> Told:
        if self.status not in before:
            return []
        self.unanswered.clear()
        self.status = status
        return [(f"ticket.{status}", {})]

    def resolve(self, _now: datetime, _received: datetime, _position: int) -> Told:
        """Resolve it."""
        return self._end("resolved", "new", "open", "waiting")

    def close(self, _now: datetime, _received: datetime, _position: int) -> Told:
        """Close it."""
        return self._end("closed", "new", "open", "waiting", "resolved")

    def reopen(self, now: datetime, _received: datetime, position: int) -> Told:
        """Reopen it."""
        if self.status not in ("resolved", "closed"):
            return []
        self.status = "open"
        self.unanswered.append((now, position))
        return [("ticket.reopened", {"side": "staff", "received_at": now})]

    def _judge(self, urgency: str) -> Told:
        if self.status == "closed":
            return []
        self.urgent = urgency == "high"
        self.status = "open" if self.status == "new" else self.status
        return [("ticket.triaged", {"urgency": urgency})]

    def confirm(self, _now: datetime, _received: datetime, _position: int) -> Told:
        """Judge it to be urgent."""
        return self._judge("high")

    def put_back(self, _now: datetime, _received: datetime, _position: int) -> Told:
        """Judge it not to be urgent."""
        return self._judge("normal")


VERBS = sorted(name for name in vars(Model) if not name.startswith("_") and name != "place")


@settings(max_examples=300, deadline=None)
@given(
    urgent=st.booleans(),
    history=st.lists(st.tuples(st.sampled_from(VERBS), st.integers(0, 120)), max_size=25),
)
def test_a_fold_agrees_with_the_list(
    event: Callable[..., EventData], *, urgent: bool, history: list[tuple[str, int]]
) -> None:
    """After every event the key is the least of all that is unanswered, and there is none when nobody waits."""
    model, position = Model(NOON, urgent=urgent), 1
    entry = _folded(event, None, "ticket.submitted", NOON, 1, received_at=NOON, urgency="high" if urgent else "normal")
    for minute, (verb, late) in enumerate(history, 1):
        now = NOON + timedelta(minutes=minute)
        before = entry.key
        received = now - timedelta(minutes=min(late, minute))
        for event_type, data in getattr(model, verb)(now, received, position + 1):
            position += 1
            entry = _folded(event, entry, event_type, now, position, status=model.status, **data)
        assert (entry.key and (entry.key.out_of_turn, entry.key.since, entry.key.position)) == model.place()
        if verb == "ask" and before and entry.key:
            assert entry.key.order <= before.order


def _folded(
    event: Callable[..., EventData], entry: Entry | None, event_type: str, now: datetime, position: int, **data: Any
) -> Entry:
    told = event(event_type, **data)
    assert isinstance(told, TicketEvent)
    return fold(entry, "t", told, now, position, Rules())

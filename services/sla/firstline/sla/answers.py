"""Which runs one event has ended: a first answer ends two of them, and is one answer all the same (clause 2.3)."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Protocol, TypeVar


class EndedRun(Protocol):
    """What tells by which event a run has ended."""

    @property
    def ticket_id(self) -> str:
        """Whose it is."""

    @property
    def target(self) -> str:
        """What was timed."""

    @property
    def ended_at(self) -> datetime:
        """When it ended."""

    @property
    def outcome(self) -> str:
        """How it ended."""


R = TypeVar("R", bound=EndedRun)


def once(rows: Iterable[R]) -> Iterator[tuple[R, ...]]:
    """Yield runs by the events that ended them, in the order of their rows: by instant, ticket and target.

    The first response and the next one end by the same message, or by the same ending. A resolution is no answer to
    what the client wrote last, and stands by itself.
    """
    first: R | None = None
    for row in rows:
        if first is not None and _place(row) != _place(first):
            yield (first,)
            first = None
        if row.target == "first_response":
            first = row
        elif first is not None and row.target == "next_response" and row.outcome == first.outcome:
            yield first, row
            first = None
        else:
            yield (row,)
    if first is not None:
        yield (first,)


def uncut(portion: list[R]) -> list[R]:
    """Return a portion after which more may come without its last ticket's last instant, unless it has nothing else."""
    # What one event has ended is to be counted together, and stands one behind the other.
    last = _place(portion[-1])
    end = next((at for at in range(len(portion), 0, -1) if _place(portion[at - 1]) != last), 0)
    return portion[:end] or portion


def _place(row: EndedRun) -> tuple[datetime, str]:
    """Return what all runs that one event has ended have in common."""
    return row.ended_at, row.ticket_id

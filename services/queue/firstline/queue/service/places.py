"""Where an entry stands, and what the queue is like: bounded counts along an index, never a count of everything."""

from dataclasses import dataclass
from datetime import datetime

from firstline.common.store.port import Unit, Value
from firstline.queue.entry import COUNTED, Entry, Key, NoPlace, why, why_no_place
from firstline.queue.service.desk import rules_at
from firstline.queue.store import AHEAD, AHEAD_OF_TIER, FIRSTS, FIRSTS_OF_TIER, PAGE, PAGE_OF_TIER, turn_of

BEHIND_ALL = 2
"""A turn behind every entry."""

BEFORE_ALL: tuple[int, datetime, int] = (-1, datetime.fromisoformat("1970-01-01T00:00:00Z"), 0)
"""A place before every entry: (turn, since, position)."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How many free entries are served before an entry (up to 1,000, then `at_least`), and why it stands there."""

    ahead: int
    at_least: bool
    why: list[str]


@dataclass(frozen=True, slots=True)
class Summary:
    """Entries that nobody holds: how many (up to 1,000, then `at_least`), out of turn among them, the oldest."""

    waiting: int
    out_of_turn: int
    oldest_since: datetime | None
    at_least: bool


async def standing(unit: Unit, entry: Entry, now: datetime) -> Standing:
    """Say where an entry stands.

    Raises:
        NoPlace: the ticket has no entry.

    """
    if entry.key is None:
        raise NoPlace(why_no_place(entry))
    # One more than is counted tells "exactly 1,000" from "at least 1,000".
    turns = await _count(unit, turn_of(entry.key), entry.key.since, entry.key.position, None)
    rules = await rules_at(unit, now)
    ahead = sum(turns.values())
    return Standing(min(ahead, COUNTED), ahead > COUNTED, why(entry, turns.get(0, 0), rules))


async def _count(
    unit: Unit, turn: int, since: datetime, position: int, tier: str | None, most: int = COUNTED
) -> dict[int, int]:
    """Count free entries before a key by turn, one more than `most` at the utmost.

    A count of everything would grow with the queue, for a number that nobody reads beyond a thousand.
    """
    place: dict[str, Value] = {"turn": turn, "since": since, "position": position, "limit": most + 1}
    found = await (unit.all(AHEAD_OF_TIER, tier=tier, **place) if tier else unit.all(AHEAD, **place))
    return {tally.turn: tally.count for tally in found}


async def summary(unit: Unit, tier: str | None = None, most: int = COUNTED) -> Summary:
    """Sum up the entries that nobody holds, of a tier or of all; counting stops beyond `most`."""
    # The oldest is the first of one of the two turns, so nothing but these has to be looked at.
    firsts: list[Key] = await (unit.all(FIRSTS_OF_TIER, tier=tier) if tier else unit.all(FIRSTS))
    turns = await _count(unit, BEHIND_ALL, BEFORE_ALL[1], 0, tier, most)
    waiting = sum(turns.values())
    return Summary(
        waiting=min(waiting, most),
        out_of_turn=min(turns.get(0, 0), most),
        oldest_since=min((key.since for key in firsts), default=None),
        at_least=waiting > most,
    )


async def page(unit: Unit, tier: str | None, after: tuple[int, datetime, int], limit: int) -> list[Entry]:
    """Return entries in the order in which they are served, claimed ones too, after a place.

    By key and never by offset, so that entries which leave meanwhile shift nothing.
    """
    turn, since, position = after
    place: dict[str, Value] = {"turn": turn, "since": since, "position": position, "limit": limit}
    return await (unit.all(PAGE_OF_TIER, tier=tier, **place) if tier else unit.all(PAGE, **place))

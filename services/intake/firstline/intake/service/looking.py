"""Long texts are looked at for secrets beside the event loop, between two runs of a unit of work (clause 4.3, ADR 24).

A unit awaits nothing but its statements, so it can't wait for a thread. One that comes to a long text stops; the text
is looked at in a thread while nothing is locked, and the unit runs again, with what was found at hand.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Final, TypeVar

from firstline.common.ports import Offload
from firstline.common.store.port import Insertion, Store, Unit, Work
from firstline.intake.detector import Detector, Masked, masked

T = TypeVar("T")

LONG: Final = 4_000
"""Characters of a text that is looked at where it stands: about half a millisecond."""

_FOUND: ContextVar[Mapping[str, Masked] | None] = ContextVar("found", default=None)
"""What was found in the long texts of the unit at work; None where nobody looks at them beside it."""


class NotLookedAt(Exception):
    """A unit of work has come to a long text; it is run again when the text has been looked at."""

    def __init__(self, text: str) -> None:
        """Remember the text, in no message, for it may hold a secret."""
        super().__init__("a long text has to be looked at first")
        self.text = text


def looked_at(detector: Detector, text: str) -> Masked:
    """Return a text with masks in the places of its secrets, at once where it is short or was looked at before.

    Raises:
        NotLookedAt: a long one, which the store has looked at before it runs the unit again.

    """
    found = _FOUND.get()
    if found is None or len(text) <= LONG:
        return masked(detector, text)
    if text not in found:
        raise NotLookedAt(text)
    return found[text]


class LookingStore:
    """A store that has long texts looked at in a thread, for the units that come to them."""

    def __init__(self, store: Store, offload: Offload, detector: Detector) -> None:
        """Stand before a store."""
        self._store = store
        self._offload = offload
        self._detector = detector

    async def open(self) -> None:
        """Connect."""
        await self._store.open()

    async def close(self) -> None:
        """Disconnect."""
        await self._store.close()

    async def write(self, work: Work[T]) -> T:
        """Run `work` in one transaction, from its beginning again for each long text that it comes to."""
        return await self._looking(self._store.write, work)

    async def read(self, work: Work[T]) -> T:
        """Run `work`, which only reads, on one view, from its beginning again for each long text that it comes to."""
        return await self._looking(self._store.read, work)

    async def insert(self, insertion: Insertion) -> bool:
        """Insert rows."""
        return await self._store.insert(insertion)

    async def scrub(self) -> None:
        """Let nothing that was deleted stay readable."""
        await self._store.scrub()

    def listen(self, channel: str) -> asyncio.Event:
        """Return an event that is set after each commit that announced the channel."""
        return self._store.listen(channel)

    async def _looking(self, run: Callable[[Work[T]], Awaitable[T]], work: Work[T]) -> T:
        """Run a unit until it comes to no long text that wasn't looked at."""
        found: dict[str, Masked] = {}
        while True:
            try:
                return await run(lambda unit: _with(found, work, unit))
            except NotLookedAt as stopped:
                text = stopped.text
            found[text] = await self._offload(lambda: masked(self._detector, text))  # noqa: B023 (awaited here)


async def _with(found: Mapping[str, Masked], work: Work[T], unit: Unit) -> T:
    """Run a unit that has at hand what was found."""
    token = _FOUND.set(found)
    try:
        return await work(unit)
    finally:
        _FOUND.reset(token)

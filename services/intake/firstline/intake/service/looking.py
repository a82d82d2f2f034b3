"""Long texts are looked at for secrets beside the event loop, between two runs of a unit of work (clause 4.3, ADR 24).

A unit awaits nothing but its statements, so it can't wait for a thread. One that comes to a long text stops; the text
is looked at in a thread while nothing is locked, and the unit runs again, with what was found at hand.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final, TypeVar

from firstline.common.ports import Offload
from firstline.common.store.port import Insertion, Store, Unit, Work
from firstline.intake.detector import Detector, Masked, masked

T = TypeVar("T")

LONG: Final = 4_000
"""Characters of a text that is looked at where it stands: about half a millisecond."""

Tally = Counter[tuple[str, str]]
"""How many texts and files were held back, by the channel that they came by and by what they are."""


@dataclass(slots=True)
class Run:
    """One run of a unit of work: what was found in long texts before it, and the channels of what it holds back."""

    found: Mapping[str, Masked]
    held: list[str] = field(default_factory=list)


_RUN: ContextVar[Run | None] = ContextVar("run", default=None)
"""The run at work; None where no store looks at texts beside it."""


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
    run = _RUN.get()
    if run is None or len(text) <= LONG:
        return masked(detector, text)
    if text not in run.found:
        raise NotLookedAt(text)
    return run.found[text]


def note_held(channel: str) -> None:
    """Note that a text is held back, to be counted if what the unit does is stored."""
    run = _RUN.get()
    if run is not None:
        run.held.append(channel)


class LookingStore:
    """A store that has long texts looked at in a thread, for the units that come to them, and counts what was held."""

    def __init__(self, store: Store, offload: Offload, detector: Detector, tally: Tally) -> None:
        """Stand before a store."""
        self._store = store
        self._offload = offload
        self._detector = detector
        self._tally = tally

    async def open(self) -> None:
        """Connect."""
        await self._store.open()

    async def close(self) -> None:
        """Disconnect."""
        await self._store.close()

    async def write(self, work: Work[T]) -> T:
        """Run `work` in one transaction, from its beginning again for each long text that it comes to."""
        result, held = await self._looking(self._store.write, work)
        # Here and not in the unit, which may be run again, or leave nothing behind.
        self._tally.update((channel, "text") for channel in held)
        return result

    async def read(self, work: Work[T]) -> T:
        """Run `work`, which only reads, on one view, from its beginning again for each long text that it comes to."""
        return (await self._looking(self._store.read, work))[0]

    async def insert(self, insertion: Insertion) -> bool:
        """Insert rows."""
        return await self._store.insert(insertion)

    async def scrub(self) -> None:
        """Let nothing that was deleted stay readable."""
        await self._store.scrub()

    def listen(self, channel: str) -> asyncio.Event:
        """Return an event that is set after each commit that announced the channel."""
        return self._store.listen(channel)

    async def _looking(self, execute: Callable[[Work[T]], Awaitable[T]], work: Work[T]) -> tuple[T, list[str]]:
        """Run a unit until it comes to no long text that wasn't looked at; return also the channels of what it held."""
        found: dict[str, Masked] = {}
        while True:
            runs: list[Run] = []
            try:
                result = await execute(lambda unit: _as_run(Run(found), runs, work, unit))  # noqa: B023 (awaited here)
            except NotLookedAt as stopped:
                text = stopped.text
            else:
                return result, runs[-1].held
            found[text] = await self._offload(lambda: masked(self._detector, text))  # noqa: B023


async def _as_run(run: Run, runs: list[Run], work: Work[T], unit: Unit) -> T:
    """Execute a unit as a run, the last one of which counts: the store may need several."""
    runs.append(run)
    token = _RUN.set(run)
    try:
        return await work(unit)
    finally:
        _RUN.reset(token)

"""Files that nobody needs: those that a crash left without a row, and uploads that came into no message.

Whoever keeps a file's key in another table than `attachment` and `mail` adds it to `NAMED_FILES`.
"""

from datetime import datetime, timedelta
from functools import partial
from typing import Final
from uuid import UUID

import structlog

from firstline.common.store.port import Unit
from firstline.intake.service.desk import Desk
from firstline.intake.store.messages import DROP_UNUSED, NAMED_FILES, UNUSED_UPLOADS, Unused

SWEEP_SECONDS: Final = 3600.0
UPLOADS_A_STEP: Final = 200
RANDOM_BITS: Final = 80
"""Of a UUIDv7, behind its milliseconds since 1970 (RFC 9562)."""
KEPT_NAMELESS: Final = timedelta(days=7)
"""How long a file stays that no row names: after an older database is restored, its rows may still be found."""
KEPT_UNUSED: Final = timedelta(days=7)
"""How long an upload waits for the message that it is for."""

_log = structlog.get_logger(__name__)


class Sweeper:
    """Looks at all files from time to time; what no row names at two looks an hour apart, and is old, is nobody's.

    One look is not enough: a file is durable before its row is written. Two are not either: where an older database was
    restored, no row names the files that are newer than it.
    """

    def __init__(self, desk: Desk, kept: timedelta = KEPT_NAMELESS) -> None:
        """Begin with the files of a desk; `kept` is how long a nameless one stays in any case."""
        self._desk = desk
        self._kept = kept
        self._suspects: frozenset[str] = frozenset()
        self._looked_at: float | None = None
        self._after = ""

    async def step(self) -> int:
        """Sweep if the last time is long enough ago; return 0, as nothing waits for more."""
        now = self._desk.ports.clock.monotonic()
        if self._looked_at is None or now - self._looked_at >= SWEEP_SECONDS:
            await self.sweep()
            self._looked_at = now
        return 0

    async def sweep(self) -> int:
        """Remove unused uploads, and files that no row named at the last look either; return how many."""
        return await self._drop_unused() + await self._drop_nameless()

    async def _drop_nameless(self) -> int:
        """Remove the files that no row named at two looks; return how many."""
        desk, seen, dropped = self._desk, set[str](), 0
        async for keys in desk.files.listed():
            if not keys:
                continue
            named = set(await desk.store.read(partial(_named, keys)))
            for key in keys:
                if key in named:
                    continue
                seen.add(key)
                # In memory on purpose: after a restart an hour passes
                # before anything goes, and nothing is lost by that.
                if key in self._suspects and self._is_old(key):
                    await desk.files.delete(key)
                    _log.info("a file that nothing names was removed", file_key=key)
                    dropped += 1
        self._suspects = frozenset(seen)
        return dropped

    def _is_old(self, key: str) -> bool:
        """Say whether a file is older than nameless ones are kept, by the times in its key and in a new one."""
        try:
            made, now = UUID(key), UUID(self._desk.ports.ids.new())
        except ValueError:
            return True
        return timedelta(milliseconds=(now.int >> RANDOM_BITS) - (made.int >> RANDOM_BITS)) >= self._kept

    async def _drop_unused(self) -> int:
        """Go on behind the upload at which the last round ended: those before it belong to messages."""
        desk, dropped = self._desk, 0
        before = desk.now() - KEPT_UNUSED
        while unused := await desk.store.read(partial(_unused, self._after, before)):
            for upload in unused:
                # What is used is walked past, and not looked at again until a restart.
                if not upload.used:
                    await desk.store.write(lambda unit, upload=upload: unit.run(DROP_UNUSED, id=upload.id))  # type: ignore[misc]
                    dropped += 1
            self._after = unused[-1].id
        return dropped


async def _named(keys: list[str], unit: Unit) -> list[str]:
    """Return which of the keys some row names."""
    return await unit.all(NAMED_FILES, keys=keys)


async def _unused(after: str, before: datetime, unit: Unit) -> list[Unused]:
    """Return some older uploads after an ID, and whether each came with a message."""
    return await unit.all(UNUSED_UPLOADS, after=after, before=before, limit=UPLOADS_A_STEP)

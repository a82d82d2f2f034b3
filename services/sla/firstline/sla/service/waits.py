"""How long the last answers took, remembered for some seconds: many requests may come in at once."""

from collections.abc import Sequence

from firstline.common.ports import Clock
from firstline.common.store.port import Unit
from firstline.sla.forecast import Waited
from firstline.sla.store import LATELY

LOOKED_AT = 500
"""From so many of the last answers it is told how long the next ones take."""

REMEMBERED_SECONDS = 5.0
"""For so long what other replicas have recorded since may be left out."""


class LastWaits:
    """The last answers, newest first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: Sequence[Waited] | None = None
        self._good_until = 0.0

    async def read(self, unit: Unit) -> Sequence[Waited]:
        """Return them, as they are now or were some seconds ago."""
        now = self._clock.monotonic()
        # By the clock that never jumps: product time may stand still, and this would be remembered for ever.
        if self._known is None or now > self._good_until:
            self._known = await unit.all(LATELY, limit=LOOKED_AT)
            self._good_until = now + REMEMBERED_SECONDS
        return self._known

    def forget(self) -> None:
        """Look again next time, because one more was recorded here."""
        self._known = None

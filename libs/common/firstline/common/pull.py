"""The pull behind the push: each consumer pages through its producers' logs and applies what its inbox lacks.

The push is fast, the pull is what nothing gets past: it fills in what a purged queue, a service away for a day or a
publish without confirmation has left out (ADR 4).
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

import httpx
import structlog
from pydantic import BaseModel

from firstline.common.envelope import Envelope, bound_by
from firstline.common.errors import Unavailable
from firstline.common.inbox import MOVE_PLACE, PLACE, Inbox
from firstline.common.ports import Clock
from firstline.common.store.port import Store, Unit

PAGE_LIMIT = 500
AGAIN = timedelta(seconds=3)
"""After this a log is read again that could not be read."""


class LogPage(BaseModel):
    """A page of a producer's log: its id and the envelopes after the position asked for."""

    log: str | None
    items: list[Envelope]


ReadLog = Callable[[int, int], Awaitable[LogPage]]
"""Reads a producer's log: (after position, limit)."""


class RemoteLog:
    """A producer's log, read through its `/internal/log`."""

    def __init__(self, client: httpx.AsyncClient, token: Callable[[], str], url: str = "") -> None:
        self._client = client
        self._token = token
        self._url = url

    async def __call__(self, after: int, limit: int) -> LogPage:
        """Return the page after a position.

        Raises:
            httpx.HTTPError: the producer can't be reached or refuses.

        """
        answer = await self._client.get(
            f"{self._url}/internal/log",
            params={"after": after, "limit": limit},
            headers={"Authorization": f"Bearer {self._token()}"},
        )
        answer.raise_for_status()
        return LogPage.model_validate_json(answer.content)


_log = structlog.get_logger(__name__)


class Pull:
    """Reads on in every producer's log."""

    def __init__(
        self, store: Store, inbox: Inbox, prefixes: tuple[str, ...], sources: Mapping[str, ReadLog], clock: Clock
    ) -> None:
        self._store = store
        self._inbox = inbox
        self._takes = bound_by(prefixes)
        self._sources = sources
        self._clock = clock
        self._away: set[str] = set()

    async def once(self) -> int:
        """Read every log to its end and try waiting events again; return how many events were new to the place."""
        counts = [await self._try(source, read_log) for source, read_log in self._sources.items()]
        await self._inbox.retry_waiting()
        return sum(counts)

    async def next_due(self) -> datetime | None:
        """Return when to read again before the next poll: soon, while a producer or our store can't be reached."""
        return self._clock.now() + AGAIN if self._away else None

    async def _try(self, source: str, read_log: ReadLog) -> int:
        """Read a log; where its producer or our own store is away, say so once."""
        try:
            count = await self._read(source, read_log)
        except (httpx.HTTPError, Unavailable) as error:
            if source not in self._away:
                _log.warning(
                    "a log can't be read for the moment", source=source, reason=f"{type(error).__name__}: {error}"
                )
            self._away.add(source)
            return 0
        except Exception:
            # One producer's trouble must not keep the others' logs from being read.
            _log.exception("a log can't be read now", source=source)
            return 0
        if source in self._away:
            self._away.remove(source)
            _log.info("a log can be read again", source=source)
        return count

    async def _read(self, source: str, read_log: ReadLog) -> int:
        """Read a log to its end, page by page; return how many events it had after the place."""
        count = 0
        while True:
            place = await self._store.read(lambda unit: unit.one(PLACE, source=source))
            page = await read_log(place.position if place else 0, PAGE_LIMIT)
            # A restored producer may have lost events beyond its backup and written others in their places; so its new
            # log is read from the start, and the inbox compares by version and hash.
            if place and page.log not in (place.log, None):  # restored: the place is one of another log
                page = await read_log(0, PAGE_LIMIT)
            if not page.items or page.log is None:
                return count
            taken = [event for event in page.items if self._takes(event.type)]
            if taken:
                await self._inbox.receive(taken)
            # In a transaction after the inbox's: a crash in between has the page read again, and the inbox knows its
            # events. Over events of other prefixes too, or a quiet consumer would read them each time.
            await self._move(source, page.log, page.items[-1].position)
            count += len(page.items)

    async def _move(self, source: str, log: str, position: int) -> None:
        """Note how far a log was read."""

        async def move(unit: Unit) -> None:
            await unit.run(MOVE_PLACE, source=source, log=log, position=position)

        await self._store.write(move)

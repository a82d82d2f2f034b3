"""What is checked: the stores of a desk, and what is found wrong in them."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from firstline.common.chain import SALTED_PAGE, SaltedRow
from firstline.common.files import Files
from firstline.common.store.port import Sql, Store
from firstline.common.vault import Vault

R = TypeVar("R")
PAGE_ROWS = 500


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """A promise that is broken.

    Attributes:
        promise: its name in `run.PROMISES`, such as P9.
        service: in whose store.
        place: which row, stream or file, and in which state it is stuck.
        what: what is wrong with it; in numbers that may move on while the fault stays.

    """

    promise: str
    service: str
    place: str
    what: str = field(compare=False)


@dataclass(slots=True)
class Books:
    """The stores of a desk, by service, and its files.

    `now` is the instant of the look. What is younger than `settle` may still be under way and is nobody's fault.
    `looked` counts what was compared for each promise.
    """

    stores: Mapping[str, Store]
    files: Files
    vault: Vault
    now: datetime
    settle: timedelta
    looked: Counter[str] = field(default_factory=Counter)

    @property
    def settled_before(self) -> datetime:
        """The instant before which all that follows from an event has happened."""
        return self.now - self.settle

    async def log(self, service: str) -> AsyncIterator[SaltedRow]:
        """Return the numbered rows of a service's log."""
        store, after = self.stores[service], 0
        while True:
            page = await store.read(lambda unit, after=after: unit.all(SALTED_PAGE, after=after, limit=PAGE_ROWS))  # type: ignore[misc]
            for row in page:
                yield row
            if len(page) < PAGE_ROWS:
                return
            after = page[-1].position or 0

    async def rows(self, service: str, sql: Sql[R], key: Callable[[R], str], **given: Any) -> AsyncIterator[list[R]]:
        """Return the rows of a statement page by page; it takes `:after`, the last key, and `:limit`.

        By key: a look at a desk at work takes minutes, and rows come and go meanwhile; pages by offset would skip some.
        """
        store, after = self.stores[service], ""
        while True:
            page = await store.read(lambda unit, after=after: unit.all(sql, after=after, limit=PAGE_ROWS, **given))  # type: ignore[misc]
            if page:
                yield page
            if len(page) < PAGE_ROWS:
                return
            after = key(page[-1])

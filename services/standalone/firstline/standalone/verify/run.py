"""The walk along each log from its first row to its head, beside the heads that were kept."""

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from firstline.common.chain import SALTED_PAGE, Chain, SaltedRow, Wrong
from firstline.common.relay import HEAD, Head
from firstline.common.store.port import Store
from firstline.standalone.verify.heads import KeptHead, heads_of

PAGE_ROWS = 1000


class RowUnreadable(ValueError):
    """A row holds what none of ours holds, such as a time that is none."""

    def __init__(self, after: int) -> None:
        super().__init__("it can't be read")
        self.after = after


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a log: how many rows were read, how many kept heads it was held against, and what is wrong first."""

    service: str
    rows: int
    heads: int
    wrong: Wrong | None


async def rows_of(store: Store) -> AsyncIterator[SaltedRow]:
    """Return the numbered rows of a log, a page at a time.

    Raises:
        RowUnreadable: a value of the next row is not of its column's kind.

    """
    after, limit = 0, PAGE_ROWS
    while True:
        try:
            page = await store.read(lambda unit, a=after, n=limit: unit.all(SALTED_PAGE, after=a, limit=n))  # type: ignore[misc]
        except (ValueError, TypeError) as error:
            if limit == 1:
                raise RowUnreadable(after) from error
            limit = 1  # all rows before the bad one still count
            continue
        for row in page:
            yield row
        if len(page) < limit:
            return
        if not isinstance(page[-1].position, int):
            raise RowUnreadable(after)
        after = page[-1].position


class Beside:
    """The heads that were kept of one log, looked at while its rows go by."""

    def __init__(self, kept: Iterator[KeptHead]) -> None:
        self._kept = kept
        self._next: KeptHead | None = None
        self.count = 0
        self.advance()

    def advance(self) -> None:
        """Look at the next head."""
        self._next = next(self._kept, None)

    def read(self, log: str, position: int, row_hash: str | None) -> Iterator[Wrong]:
        """Hold a row against the heads of its position."""
        # Several may have been kept of one position: each start of the desk notes the heads anew.
        while (head := self._next) is not None and head.position <= position:
            if head.log != log:
                yield Wrong(head.position, f"head kept at {head.time}", f"the log was {head.log}, and is {log} now")
            elif head.position < position:
                yield Wrong(head.position, f"head kept at {head.time}", "the kept heads don't follow one another")
            elif head.hash != row_hash:
                yield Wrong(position, f"head kept at {head.time}", f"the row's hash was {head.hash}")
            self.count += 1
            self.advance()

    def missing(self, position: int) -> Iterator[Wrong]:
        """Return what is wrong if heads are left when the rows have ended."""
        if self._next is not None:
            head = self._next
            what = f"the log ends at position {position}, and had {head.position}"
            yield Wrong(position, f"head kept at {head.time}", what)


async def verify_log(service: str, store: Store, heads: Path | None) -> Verdict:
    """Walk along a service's log; stop at the first row that is wrong.

    Raises:
        HeadsUnreadable: the file of heads is damaged.
        OSError: it can't be read.

    """
    # Read before the rows: a desk at work adds some meanwhile, and those beyond the head are no fault.
    head = await store.read(lambda unit: unit.one(HEAD)) or Head("", 0, "", 0)
    chain = Chain(head.log)
    beside = Beside(heads_of(heads, service) if heads else iter(()))
    wrong: Wrong | None = None
    rows = 0
    try:
        async for row in rows_of(store):
            rows += 1
            found = [*chain.read(row), *_at_head(head, row), *beside.read(head.log, chain.position, row.hash)]
            if found:
                wrong = found[0]
                break
    except RowUnreadable as error:
        wrong = Wrong(error.after + 1, "the row after position " + str(error.after), str(error))
    if wrong is None:
        wrong = _at_the_end(head, chain, beside)
    return Verdict(service, rows, beside.count, wrong)


def _at_head(head: Head, row: SaltedRow) -> Iterator[Wrong]:
    """Yield what is wrong where the row at the head is not the one that the head names."""
    if row.position == head.position and row.hash != head.hash:
        yield Wrong(head.position, "the log's head", f"its hash is noted as {head.hash}")


def _at_the_end(head: Head, chain: Chain, beside: Beside) -> Wrong | None:
    """Return what shows only when all rows are read: a tail that is cut, and data that nobody erased."""
    found = chain.unattested()
    if chain.position < head.position:
        found.append(Wrong(chain.position, "the log's end", f"it had {head.position} rows: its tail is cut"))
    found += beside.missing(chain.position)
    return found[0] if found else None


async def verify(stores: Mapping[str, Store], heads: Path | None) -> AsyncIterator[Verdict]:
    """Verify one log after the other.

    Raises:
        HeadsUnreadable: the file of heads is damaged.
        OSError: it can't be read.

    """
    for service, store in stores.items():
        yield await verify_log(service, store, heads)

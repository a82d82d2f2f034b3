"""The chain of a log, told anew from its rows: what of a row, or of the whole, is not as it was written.

A row's hash covers its predecessor's hash, its position, the salted hash of its data, and all that it says beside: who
changes one byte of one of them breaks it. Data that names an erased person was replaced, and its salt is gone; what it
was replaced by is covered by a later event, `erasure.applied`, which is a row of the same chain.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import ValidationError

from firstline.common.events import ErasureApplied
from firstline.common.log import COLUMNS, LogRow, chained_hash, salted_hash
from firstline.common.store.port import Sql


@dataclass(frozen=True, slots=True)
class SaltedRow(LogRow):
    """A row of a log with the salt of its data's hash; None once something of it was erased."""

    salt: str | None


SALTED_PAGE = Sql(
    f"SELECT {COLUMNS}, salt FROM log_event WHERE position > :after ORDER BY position LIMIT :limit",  # noqa: S608
    SaltedRow,
)


@dataclass(frozen=True, slots=True)
class Wrong:
    """A row that is not as it was written: where it stands and what differs."""

    position: int
    place: str
    what: str


class Chain:
    """Follows a log row by row from its beginning, which is the log's own name.

    It remembers the last row, and of each row from which something was erased the hash of what is left.

    Memory grows with what was erased, not with the log.
    """

    def __init__(self, log: str) -> None:
        self.position = 0
        self.hash = log
        self._redacted: dict[tuple[str, int], tuple[int, str]] = {}

    def read(self, row: SaltedRow) -> Iterator[Wrong]:
        """Take the next row."""
        position = row.position if isinstance(row.position, int) else 0
        place = f"{row.stream} version {row.version}"
        if position != self.position + 1:
            yield Wrong(position, place, f"the position before it is {self.position}")
        # Told anew from what the row says now, with the predecessor's hash as stored: one changed row is one finding,
        # and those behind it are still looked at.
        if row.hash != chained_hash(self.hash, row, position):
            yield Wrong(position, place, "its hash is not that of its place, after its predecessor")
        # Whether that was rightful shows later in the log, if at all: the event that tells of it comes after the row.
        if row.salt is None:
            self._redacted[row.stream, row.version] = position, tombstone_hash(row.data or "")
        elif row.data is None or row.data_hash != salted_hash(row.salt, row.data):
            yield Wrong(position, place, "its data was changed")
        elif row.type == ErasureApplied.TYPE:
            yield from self._attest(row, position, place)
        self.position, self.hash = position, row.hash or ""

    def _attest(self, row: SaltedRow, position: int, place: str) -> Iterator[Wrong]:
        """Let an event answer for rows from which something was erased."""
        try:
            event = ErasureApplied.model_validate_json(row.data or "")
        except ValidationError:
            yield Wrong(position, place, "it can't be read")
            return
        for redacted in event.rows:
            found = self._redacted.get((redacted.stream, redacted.version))
            # Only what the event tells of: a row that was changed once more after its erasure stays unattested.
            if found is not None and found[1] == redacted.sha256:
                del self._redacted[redacted.stream, redacted.version]

    def unattested(self) -> list[Wrong]:
        """Return the rows whose data was replaced and for which no event answers, by position."""
        what = "its data was replaced, and no erasure tells of that"
        left = sorted((position, place) for place, (position, _) in self._redacted.items())
        return [Wrong(position, f"{stream} version {version}", what) for position, (stream, version) in left]


def tombstone_hash(data: str) -> str:
    """Return the hash of what is left of a row's data after something was erased from it."""
    return hashlib.sha256(data.encode()).hexdigest()

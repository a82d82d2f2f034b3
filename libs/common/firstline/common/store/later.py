"""Statements that are put off, so that those of one kind go to the database together."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence

from firstline.common.store.port import Sql, Value


class Later:
    """Statements with their parameters, in the order in which each statement first came.

    The order of statements is kept because rows may refer to rows of an earlier statement.
    """

    def __init__(self) -> None:
        self._rows: dict[Sql[None], list[Mapping[str, Value]]] = {}

    def add(self, sql: Sql[None], given: Mapping[str, Value]) -> None:
        """Put off one more."""
        self._rows.setdefault(sql, []).append(given)

    def taken(self) -> Iterator[tuple[Sql[None], Sequence[Mapping[str, Value]]]]:
        """Return each statement with all its parameters."""
        return iter(self._rows.items())


class PutOff(ABC):
    """What a unit of work leaves for its end: statements that go together, and whom the commit wakes.

    An event told to the log is put off so: nothing in a unit reads it again, and ten of them then cost one exchange
    with the database instead of ten.
    """

    def __init__(self) -> None:
        self._later = Later()
        self.channels: list[str] = []

    @abstractmethod
    async def many(self, sql: Sql[None], rows: Sequence[Mapping[str, Value]]) -> None:
        """Execute a statement once for each row of parameters."""

    def later(self, sql: Sql[None], **given: Value) -> None:
        """Put off a statement."""
        self._later.add(sql, given)

    def announce(self, channel: str) -> None:
        """Wake the channel's listeners after the commit."""
        self.channels.append(channel)

    async def finish(self) -> None:
        """Execute what was put off."""
        for sql, rows in self._later.taken():
            await self.many(sql, rows)

"""Statements that are put off, so that those of one kind go to the database together."""

from collections.abc import Iterator, Mapping, Sequence

from firstline.common.store.port import Sql, Value


class Later:
    """Statements with their parameters, in the order in which each statement first came."""

    def __init__(self) -> None:
        self._rows: dict[Sql[None], list[Mapping[str, Value]]] = {}

    def add(self, sql: Sql[None], given: Mapping[str, Value]) -> None:
        """Put off one more."""
        self._rows.setdefault(sql, []).append(given)

    def taken(self) -> Iterator[tuple[Sql[None], Sequence[Mapping[str, Value]]]]:
        """Return each statement with all its parameters."""
        return iter(self._rows.items())

"""The stores of simulated processes: what one commits is noticed by the others on the same file, as by NOTIFY."""

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from firstline.common.ports import Ports
from firstline.common.store.sqlite import SqliteStore
from loop import Loop, Owner
from ports import failed

T = TypeVar("T")
NOTICE_SECONDS = 0.001


class Notices:
    """Who works on which file."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._stores: dict[Path, list[NoticedStore]] = {}

    def join(self, store: "NoticedStore") -> None:
        """Let a store hear of the others' commits, and forget those that are dead."""
        others = [known for known in self._stores.get(store.path, ()) if known.owner.alive]
        self._stores[store.path] = [*others, store]

    def tell(self, sender: "NoticedStore", channels: list[str]) -> None:
        """Wake the listeners of the other processes."""
        for store in self._stores[sender.path]:
            if store is not sender and store.owner.alive:
                self._loop.call_later(NOTICE_SECONDS, store.wake, channels, context=store.owner.context())


class NoticedStore(SqliteStore):
    """A store on a file that other processes may share."""

    def __init__(self, path: Path, ports: Ports, notices: Notices, owner: Owner) -> None:
        super().__init__(path, replace(ports, offload=self._offload))
        self._disk = ports.offload
        self._is_broken_off = False
        self.path = path
        self.owner = owner
        self._notices = notices
        notices.join(self)

    def wake(self, channels: list[str]) -> None:
        """Wake the listeners of this process."""
        for channel in channels:
            for event in self._listeners.get(channel, ()):
                event.set()

    async def _offload(self, work: Callable[[], T]) -> T:
        def commit() -> T:
            if self._is_broken_off:
                self._is_broken_off = False
                raise failed(sqlite3.SQLITE_IOERR)
            return work()

        return await self._disk(commit)

    def _tell(self, job: Any) -> None:
        super()._tell(job)
        if job.channels:
            self._notices.tell(self, job.channels)

    def break_off(self) -> None:
        """Undo the open transaction, as a server does with one that its client has left lying for long.

        The client hears of it when it goes on.
        """
        connection = self._write_connection
        if connection is not None and connection.in_transaction:
            connection.rollback()
            self._is_broken_off = True

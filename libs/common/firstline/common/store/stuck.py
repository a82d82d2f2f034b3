"""Ending transactions whose process was stopped in the middle of an exchange with the server.

The server's own limit (`idle_in_transaction_session_timeout`) counts only between exchanges. A driver prepares a
statement in two of them, and a process that is stopped after the first leaves a session that the server thinks active:
it waits for its client for as long as that is stopped, with its rows and everybody's lease locked. No setting before
PostgreSQL 17 ends it, but any other session of the same role may.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import structlog

from firstline.common.errors import Unavailable
from firstline.common.ports import Ports

LOOK_SECONDS = 4.0

# Not those that copy, who hear nothing of their client for as long as that reads its file.
END = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()
AND state = 'active' AND wait_event = 'ClientRead' AND query !~* '^ *copy'
AND state_change < clock_timestamp() - make_interval(secs => $1)
"""

_log = structlog.get_logger(__name__)


class StuckSessions:
    """The look after this role's sessions that every process with a store takes."""

    def __init__(self, connection: Callable[[], AbstractAsyncContextManager[Any]], rest: float, ports: Ports) -> None:
        """Describe the look.

        Args:
            connection: lends a connection.
            rest: for how many seconds a session may wait for its client within an exchange.
            ports: time and tasks.

        """
        self._connection = connection
        self._rest = rest
        self._ports = ports
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look every few seconds."""
        self._task = self._ports.spawn(self._run(), name="store: stuck sessions")

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _run(self) -> None:
        """Look for ever: while the database is away there is nothing to end."""
        while True:
            await self._ports.clock.sleep(LOOK_SECONDS)
            try:
                async with self._connection() as connection:
                    ended = await connection.fetch(END, self._rest)
            except Unavailable:
                continue
            except Exception:
                _log.exception("stuck sessions can't be looked for; it is tried again")
                continue
            if ended:
                _log.warning("ended sessions of a process that has stopped", sessions=len(ended))

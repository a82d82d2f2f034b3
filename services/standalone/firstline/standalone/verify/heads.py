"""Heads of the logs, kept outside the stores: who cuts a log's tail or writes a whole log anew can't change them too.

The file grows by one line of JSON for each service and interval in which its log has grown.
"""

import json
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from firstline.common.errors import Unavailable
from firstline.common.ports import Ports
from firstline.common.relay import HEAD
from firstline.common.store.port import Store
from firstline.common.worker import Worker


@dataclass(frozen=True, slots=True)
class KeptHead:
    """Where a service's log stood: its name, the last position with its hash; `time` is when that was noted."""

    service: str
    log: str
    position: int
    hash: str
    time: str


class HeadsUnreadable(ValueError):
    """A line of the file is none of ours; the message says which."""


async def heads_now(stores: Mapping[str, Store], ports: Ports) -> list[KeptHead]:
    """Return where each log stands; none of a service that has written nothing."""
    heads = []
    for service, store in stores.items():
        head = await store.read(lambda unit: unit.one(HEAD))
        if head is not None and head.position:
            now = ports.clock.now().isoformat()
            heads.append(KeptHead(service, head.log, head.position, head.hash, now))
    return heads


def line_of(head: KeptHead) -> str:
    """Return a head as its line."""
    return json.dumps(asdict(head), separators=(",", ":"))


def heads_of(file: Path, service: str) -> Iterator[KeptHead]:
    """Return a service's heads in the order in which they were noted, read as they are asked for.

    Raises:
        HeadsUnreadable: a line is not what was written.
        OSError: the file can't be read.

    """
    with file.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            try:
                head = KeptHead(**json.loads(line))
                known = isinstance(head.position, int)
            except (ValueError, TypeError):
                known = False
            if not known:
                raise HeadsUnreadable(f"line {number} of {file} is not a head as it was written")
            if head.service == service:
                yield head


class HeadsFile:
    """The file that a running desk adds to."""

    def __init__(self, path: Path, stores: Mapping[str, Store], ports: Ports) -> None:
        self._path = path
        self._stores = stores
        self._ports = ports
        self._last: dict[str, tuple[str, int]] = {}

    async def note(self) -> int:
        """Add a line for each log that has grown; always returns 0, for nothing is left to do."""
        heads = await heads_now(self._stores, self._ports)
        grown = [head for head in heads if self._last.get(head.service) != (head.log, head.position)]
        # Nothing for a quiet log: the file grows with work, and not with time.
        if grown:
            await self._ports.offload(lambda: _append(self._path, [line_of(head) for head in grown]))
            self._last |= {head.service: (head.log, head.position) for head in grown}
        return 0


def _append(path: Path, lines: list[str]) -> None:
    """Add lines durably."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)
        file.flush()
        os.fsync(file.fileno())


@asynccontextmanager
async def heads_kept(path: Path, stores: Mapping[str, Store], ports: Ports, seconds: float) -> AsyncIterator[None]:
    """Note the heads every so many seconds for as long as the desk runs, and once more at its end."""
    file = HeadsFile(path, stores, ports)
    worker = Worker("heads", file.note, ports, poll_seconds=seconds)
    worker.start()
    try:
        yield
    finally:
        await worker.stop()
        with suppress(Unavailable):
            # Once more, for rows since the last look would else have no witness until the next start.
            await file.note()

"""How fast a log is verified, beside reading its rows and hashing their data, which is the least that one could do."""

import asyncio
import hashlib
import sqlite3
import tempfile
import time
from pathlib import Path
from statistics import median

from firstline.common.bus import LocalBus
from firstline.common.events import Actor, Author, Origin, TicketReplied
from firstline.common.log import Log
from firstline.common.ports import Ports, system_ports
from firstline.common.relay import Relay
from firstline.common.store.migrate import migrate_sqlite
from firstline.common.store.sqlite import SqliteStore
from firstline.standalone.verify.run import verify_log
from report import Figure, publish

ROWS, A_UNIT, ROUNDS = 40_000, 500, 5
FLOOR = 0.1
BODY = "The agent restarts every ten minutes since the update, and the log says nothing of why. " * 4


async def fill(store: SqliteStore, ports: Ports) -> None:
    """Write a log of replies and let the relay number it."""
    log, actor = Log(ports), Actor(id="somebody", role="client")
    author, now = Author(id="somebody", role="client", side="client"), ports.clock.now()
    for first in range(0, ROWS, A_UNIT):
        event = TicketReplied(
            actor=actor,
            number="FL-7K3M-9QPX",
            status="open",
            message_id=f"m{first}",
            author=author,
            body=BODY,
            received_at=now,
            origin=Origin(channel="api"),
        )
        await store.write(lambda unit, e=event, f=first: log.append(unit, f"ticket/{f}", *[e] * A_UNIT))  # type: ignore[misc]
    relay = Relay("intake", store, LocalBus(), ports)
    while await relay.step():
        pass


def plain(path: Path) -> float:
    """Return the seconds that reading all rows takes, with one SHA-256 over the data and one over the rest of each."""
    begun = time.perf_counter()
    connection = sqlite3.connect(path)
    rows = connection.execute(
        "SELECT id, stream, version, type, time, subject, data, data_hash, traceparent, position, hash, salt"
        " FROM log_event WHERE position > 0 ORDER BY position"
    )
    for row in rows:
        hashlib.sha256(row[6].encode()).hexdigest()
        hashlib.sha256(f"{row[10]}{row[9]}{row[7]}{row[:6]}".encode()).hexdigest()
    connection.close()
    return time.perf_counter() - begun


async def verified(store: SqliteStore) -> float:
    """Return the seconds that verifying takes."""
    begun = time.perf_counter()
    verdict = await verify_log("intake", store, None)
    assert (verdict.rows, verdict.wrong) == (ROWS, None)
    return time.perf_counter() - begun


async def measure() -> None:
    """Measure both in turn, and keep the medians."""
    with tempfile.TemporaryDirectory() as folder:
        path, ports = Path(folder) / "intake.db", system_ports()
        migrate_sqlite("intake", path)
        store = SqliteStore(path, ports)
        await store.open()
        await fill(store, ports)
        pairs = [(plain(path), await verified(store)) for _ in range(ROUNDS)]
        await store.close()
    note = f"against reading and hashing the same rows plainly, in turn, median of {ROUNDS}; {ROWS:,} rows of 500 bytes"
    rate, ratio = ROWS / median(ours for _, ours in pairs), median(least / ours for least, ours in pairs)
    publish("verify", [Figure("rows of a log verified", rate, "1/s", FLOOR, ratio, note)])


if __name__ == "__main__":
    asyncio.run(measure())

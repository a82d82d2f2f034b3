"""What-if over a year of 100,000 requests, and the reports over it, against reading and adding in a bare loop.

The store holds the requests as sla keeps them: their facts, and the runs that ended. The yardstick reads the same runs
and facts with plain SQL and looks for each run whether `Calendar.between` exceeds a number. Both are counted in CPU
seconds of one process, because other people's work on the machine costs wall time; the wall time stands beside it.
"""

import asyncio
import json
import sqlite3
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from time import monotonic, process_time
from typing import Any

from firstline.common.bus import LocalBus
from firstline.common.calendar import Calendar, parse_calendar
from firstline.common.lease import Alone
from firstline.common.paging import Cursors
from firstline.common.policy.loader import load_policy
from firstline.common.ports import ManualClock, SystemClock, system_ports
from firstline.common.runtime import Runtime
from firstline.common.store.migrate import migrate_sqlite
from firstline.common.store.sqlite import SqliteStore
from firstline.common.store.values import time_text
from firstline.common.tokens import Signer, Verifier, new_key
from firstline.sla.service.clocks import Sla
from firstline.sla.service.reports import make_report
from firstline.sla.service.simulations import Recounting, ask, find
from report import Figure, publish

REQUESTS = 100_000
YEAR = datetime(2025, 12, 1, tzinfo=UTC)
NOW = YEAR + timedelta(days=455)
"""When the last of them has been answered."""

DOCUMENT = load_policy(Path(__file__).parents[1] / "policies/bitrix24.yaml").document()
ROUNDS = (1, 1, 1, 2, 2, 3, 4)
"""Questions and answers of a request, one of these."""

TICKET = "INSERT INTO ticket (id, number, organization_id, policy_version, urgency) VALUES (?, ?, ?, ?, ?)"
FACT = "INSERT INTO fact (ticket_id, id, type, at, traits) VALUES (?, ?, ?, ?, ?)"
RUN = f"INSERT INTO run VALUES ({', '.join('?' * 22)})"
LIMIT_SECONDS = 60


def rows(calendar: Calendar) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield the statements and rows of a year: requests with one to four answers, a few of them late."""
    pick = Random(1)
    for number in range(REQUESTS):
        ticket = f"{number:032x}"
        at = YEAR + timedelta(minutes=number * 525_000 / REQUESTS)
        traits = json.dumps({"urgency": "normal", "topic": "updates", "tier": "helpdesk", "organization_id": "shop"})
        yield TICKET, (ticket, ticket, "shop", "year", "normal")
        taken = (ticket, time_text(at), f"{at:%Y-%m}", "shop", "updates", "helpdesk", "normal", "in", 0, 0, 0, None)
        yield f"INSERT INTO taken VALUES ({', '.join('?' * 16)})", (*taken, "updates", "none", None, 1)
        for round_ in range(pick.choice(ROUNDS)):
            kind = "client_message" if round_ else "created"
            yield FACT, (ticket, f"{ticket}-{round_}q", kind, time_text(at), None if round_ else traits)
            minutes = pick.expovariate(1 / 200)
            answered = calendar.add(at, minutes)
            yield FACT, (ticket, f"{ticket}-{round_}a", "staff_reply", time_text(answered), None)
            for target in ("first_response", "next_response")[bool(round_) :]:
                key = f"{ticket}-{round_}a" if target == "next_response" else ""
                when = (time_text(at), time_text(answered), f"{answered:%Y-%m}")
                figures = ("met", minutes > 600, 600.0, minutes, minutes, 0.0, 0.0, 0.0, 0.0)
                yield (
                    RUN,
                    (ticket, target, key, *when, *figures, "anna", "updates", "helpdesk", "shop", "normal", None, None),
                )
            at = answered + timedelta(minutes=pick.randrange(1, 3000))


def fill(path: Path) -> None:
    """Fill a new store."""
    migrate_sqlite("sla", path)
    with sqlite3.connect(path) as store:
        document = json.dumps(DOCUMENT)
        store.execute("INSERT INTO policy (seq, version, document) VALUES (1, 'year', ?)", (document,))
        store.execute("INSERT INTO in_force (id, version, position) VALUES (1, 'year', 1)")
        for statement, row in rows(parse_calendar(DOCUMENT["calendar"])):
            store.execute(statement, row)
    store.close()


def yardstick(path: Path) -> int:
    """Read every run and its request's facts, and look if the time between exceeds a number; count late answers."""
    calendar = parse_calendar(DOCUMENT["calendar"])
    late = set()
    with sqlite3.connect(path) as store:
        for ticket, start, end in store.execute("SELECT ticket_id, started_at, ended_at FROM run ORDER BY ended_at"):
            store.execute("SELECT type, at, traits FROM fact WHERE ticket_id = ? ORDER BY seq", (ticket,)).fetchall()
            if calendar.between(datetime.fromisoformat(start), datetime.fromisoformat(end)) > 240:
                late.add((ticket, end))
    store.close()
    return len(late)


def opened(path: Path) -> Sla:
    """Return the service on the store, with a clock that stands at the year's end."""
    ports = system_ports(ManualClock(NOW))
    verifier = Verifier(Signer(new_key("bench"), SystemClock()).public_keys(), SystemClock())
    store = SqliteStore(path, ports)
    runtime = Runtime("sla", ports=ports, store=store, bus=LocalBus(), verifier=verifier, read_logs={})
    return Sla(runtime, Cursors(b"bench" * 8))


async def recount(sla: Sla) -> tuple[int, int, float]:
    """Ask what if and work on it to its end; return answers, how many would be late, and the longest portion."""
    store = sla.runtime.store
    changes = {"targets.first_response": 240, "targets.next_response": 240}
    job = await store.write(lambda unit: ask(sla, unit, "bench", changes, YEAR, NOW))
    recounting, longest = Recounting(sla, Alone()), 0.0
    while True:
        begin = process_time()
        if not await recounting.step():
            break
        longest = max(longest, process_time() - begin)
    done = await store.read(lambda unit: find(unit, job.id))
    answers, both, newly, _ = done.tally["total"]
    return answers, both + newly, longest


async def measured(path: Path) -> list[Figure]:
    """Measure on a filled store."""
    sla = opened(path)
    await sla.runtime.store.open()
    begin = process_time()
    late = yardstick(path)
    bare = process_time() - begin
    begin, wall = process_time(), monotonic()
    answers, found, longest = await recount(sla)
    cost, wall = process_time() - begin, monotonic() - wall
    assert found == late, (found, late)
    begin = process_time()
    report = await make_report(sla, "response-times", "month", YEAR, NOW)
    reported = process_time() - begin
    await sla.runtime.store.close()
    return [
        Figure("yardstick: read and compare", bare, "CPU s", note=f"{answers:,} answers to {REQUESTS:,} requests"),
        Figure(
            "what-if, a year",
            cost,
            "CPU s",
            floor=0.2,
            ratio=bare / cost,
            note=f"must stay under {LIMIT_SECONDS} s; {wall:.0f} s by the wall clock; the same {late:,} late answers",
        ),
        Figure("what-if, longest portion", longest * 1000, "CPU ms", note="in which nobody else is served on SQLite"),
        Figure(
            "report response-times, a year",
            reported,
            "CPU s",
            floor=0.8,
            ratio=bare / reported,
            note=f"{report.total['answers']:,} answers, percentiles by month",
        ),
    ]


def main() -> None:
    """Fill a store, measure, publish."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sla.db"
        fill(path)
        publish("what_if", asyncio.run(measured(path)))


if __name__ == "__main__":
    main()

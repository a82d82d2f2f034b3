"""What the stores of a desk of separate services hold, read behind their backs, and whether it fits together.

Each log is whole and chained, each inbox has come to the end of what it takes, the queue holds what is unanswered, and
the clocks are those that a walk through the history minute by minute gives.
"""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import asyncpg
import httpx
from campaign import SETTLE_SECONDS, acknowledgements, everything, judged
from firstline.common.bus import BINDINGS, SOURCES
from firstline.common.log import COLUMNS, LogRow, chained_hash
from live_desk import eventually
from minute_calendar import MinuteCalendar
from split_desk import SplitDesk

T = TypeVar("T")
MINUTE = timedelta(minutes=1)
CLOCKS_AT_ONCE = 50
HEADS = (
    "SELECT DISTINCT ON (stream) stream, version, hash FROM log_event"
    " WHERE split_part(type, '.', 1) = ANY($1) ORDER BY stream, version DESC"
)
APPLIED = "SELECT stream, version, hash FROM inbox_stream WHERE source = $1"


def asked(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a thread of its own, whatever runs here."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


async def _rows(url: str, statement: str, *given: Any) -> list[Any]:
    connection = await asyncpg.connect(url)
    try:
        found: list[Any] = await connection.fetch(statement, *given)
        return found
    finally:
        await connection.close()


def url_of(desk: SplitDesk, service: str) -> str:
    """Return the address of a service's database."""
    return desk.environment["FIRSTLINE_DATABASE_URL"].replace("{service}", service)


def rows(desk: SplitDesk, service: str, statement: str, *given: Any) -> list[Any]:
    """Return what a statement finds in a service's database."""
    return asked(_rows(url_of(desk, service), statement, *given))


@contextmanager
def row_held(desk: SplitDesk, service: str, table: str, row_id: str) -> Iterator[None]:
    """Hold the lock of a row meanwhile, as a slow transaction would."""
    statement = f"SELECT 1 FROM {table} WHERE id = $1 FOR UPDATE"
    free = threading.Event()

    async def hold() -> None:
        connection = await asyncpg.connect(url_of(desk, service))
        async with connection.transaction():
            await connection.fetch(statement, row_id)
            held.set()
            while not free.is_set():
                await asyncio.sleep(0.02)
        await connection.close()

    held = threading.Event()
    with ThreadPoolExecutor(1) as thread:
        holding = thread.submit(lambda: asyncio.run(hold()))
        assert held.wait(10)
        try:
            yield
        finally:
            free.set()
        holding.result(10)


def unread(desk: SplitDesk) -> list[str]:
    """Return what is still under way: rows without a position, events that an inbox keeps, or has yet to apply."""
    return asked(_unread(desk))


async def _unread(desk: SplitDesk) -> list[str]:
    async with AsyncExitStack() as stack:
        stores: dict[str, Any] = {}
        for service in desk.databases:
            stores[service] = connection = await asyncpg.connect(url_of(desk, service))
            stack.push_async_callback(connection.close)
        found = [
            f"{service}: {count} events without a position"
            for service, store in stores.items()
            if (count := await store.fetchval("SELECT COUNT(*) FROM log_event WHERE position IS NULL"))
        ]
        for consumer, sources in SOURCES.items():
            kept = await stores[consumer].fetch("SELECT state, COUNT(*) FROM inbox_event GROUP BY state")
            found += [f"{consumer}: {count} events {state}" for state, count in kept]
            for source in sources:
                heads = await stores[source].fetch(HEADS, list(BINDINGS[consumer]))
                applied = await stores[consumer].fetch(APPLIED, source)
                missing = {tuple(row) for row in heads} ^ {tuple(row) for row in applied}
                like = f"{consumer}: {len(missing)} heads of {source} differ, such as"
                found += [f"{like} {min(missing, key=str)}"] if missing else []
        return found


def check_log(desk: SplitDesk, service: str) -> list[LogRow]:
    """Return a log up to its head, after a look whether each position is there once and the chain of hashes holds.

    Each stream's versions must follow one another too. What came while we looked is left out.
    """
    heads = rows(desk, service, "SELECT log, position, hash FROM log_relay")
    if not heads:
        return []
    ((before, position, last),) = heads
    found = rows(desk, service, f"SELECT {COLUMNS} FROM log_event WHERE position <= $1 ORDER BY position", position)
    log = [LogRow(**dict(row)) for row in found]
    assert [row.position for row in log] == list(range(1, position + 1)), service
    versions: Counter[str] = Counter()
    for row in log:
        versions[row.stream] += 1
        assert row.version == versions[row.stream], f"{service}: {row.stream} at {row.position}"
        before = chained_hash(before, row, row.position or 0)
        assert row.hash == before, f"{service}: the chain breaks at {row.position}"
    assert last == before, service
    return log


@dataclass(slots=True)
class Told:
    """A request as its history in intake's log tells it: what was asked and answered when.

    Nothing counts from before what the desk did earlier, nor what the desk does from before what it knew.
    """

    id: str
    opened: datetime
    asked: datetime
    latest: datetime
    acted: datetime | None = None
    answered: datetime | None = None
    ended: datetime | None = None
    settled: bool = False
    resolutions: int = 0
    messages: list[str] = field(default_factory=list)

    @property
    def awaits(self) -> bool:
        """Whether a client's message is unanswered."""
        return self.ended is None

    def take(self, kind: str, data: Mapping[str, Any], at: datetime) -> None:
        """Take the next event."""
        if "message_id" in data:
            self.messages.append(data["message_id"])
        if kind == "ticket.replied" and data["author"]["side"] == "client":
            self._client_wrote(max(at, self.acted or at))
        elif kind in ("ticket.replied", "ticket.resolved", "ticket.reopened"):
            self.latest = self.acted = at = max(at, self.latest)
            self._staff_acted(kind, at)
        else:
            assert kind in ("ticket.opened", "ticket.noted"), kind

    def _client_wrote(self, at: datetime) -> None:
        """Take a message; one to a request that is over counts with its reopening only."""
        self.latest = max(self.latest, at)
        if not self.awaits and not self.settled:
            self.asked, self.ended = at, None

    def _staff_acted(self, kind: str, at: datetime) -> None:
        if kind == "ticket.reopened":
            self.asked, self.ended, self.settled = at, None, False
            return
        self.ended = self.ended or at
        if kind == "ticket.replied":
            self.answered = self.answered or at
        else:
            self.settled, self.resolutions = True, self.resolutions + 1


def histories(log: Sequence[LogRow]) -> dict[str, Told]:
    """Return each request as intake's log tells it."""
    found: dict[str, Told] = {}
    for row in log:
        kind, _, ticket_id = row.stream.partition("/")
        if kind != "ticket":
            continue
        data = json.loads(row.data or "{}")
        at = datetime.fromisoformat(data["received_at"]) if data.get("received_at") else row.time
        if row.type == "ticket.submitted":
            found[ticket_id] = Told(ticket_id, at, at, at)
        else:
            found[ticket_id].take(row.type, data, at)
    return found


def check_queue(agent: httpx.Client, told: Mapping[str, Told]) -> None:
    """Make sure that exactly the requests with an unanswered message are in the queue, each once."""
    entries = Counter(entry["ticket_id"] for entry in everything(agent, "/v1/queue"))
    assert entries == Counter(ticket.id for ticket in told.values() if ticket.awaits)


def check_clocks(agent: httpx.Client, told: Mapping[str, Told], targets: Mapping[str, int], policy: Any) -> None:
    """Make sure that each request's clocks are what a walk along the calendar, minute by minute, gives."""
    first = min(ticket.opened for ticket in told.values()).replace(hour=0, minute=0, second=0, microsecond=0)
    calendar = MinuteCalendar(policy, first, (datetime.now(UTC) - first).days + 3)
    shown = list(_clocks(agent, list(told)))
    assert Counter(clock["ticket_id"] for clock in shown) == Counter({ticket: len(targets) for ticket in told})
    for clock in shown:
        as_of = datetime.fromisoformat(clock["as_of"])
        expected = _clock(told[clock["ticket_id"]], clock["target"], targets[clock["target"]], calendar, as_of)
        due = datetime.fromisoformat(clock["due_at"]) if clock["due_at"] else None
        seen = (clock["state"], due, clock["breached"], round(clock["elapsed_minutes"], 6))
        assert seen == expected, f"{clock} of {told[clock['ticket_id']]}"


def _clocks(agent: httpx.Client, ids: Sequence[str]) -> Iterator[dict[str, Any]]:
    for start in range(0, len(ids), CLOCKS_AT_ONCE):
        wanted = ",".join(ids[start : start + CLOCKS_AT_ONCE])
        yield from agent.get("/v1/clocks", params={"ticket_ids": wanted}).json()["items"]


def _clock(
    ticket: Told, target: str, minutes: int, calendar: MinuteCalendar, as_of: datetime
) -> tuple[str, datetime | None, bool, float]:
    """Return state, deadline, lateness and elapsed minutes of a response clock; every answer forgives lateness."""
    first = target == "first_response"
    start = ticket.opened if first else ticket.asked
    end = ticket.answered if first else ticket.ended
    elapsed = round(calendar.between(start, end or as_of) / MINUTE, 6)
    if end is not None:
        return ("idle" if ticket.settled and not first else "met"), None, False, elapsed
    due = calendar.add(start, minutes * MINUTE)
    assert due is not None
    return "running", due, due <= as_of, elapsed


def check_milestones(log: Sequence[LogRow]) -> None:
    """Make sure that no warning and no breach was told twice of one deadline, and no breach before it."""
    told: Counter[tuple[str, str, str]] = Counter()
    for row in log:
        if row.type not in ("clock.warned", "clock.breached"):
            continue
        data = json.loads(row.data or "{}")
        told[row.type, row.stream, data["due_at"]] += 1
        assert row.type == "clock.warned" or row.time >= datetime.fromisoformat(data["due_at"]), row
    assert {key: times for key, times in told.items() if times > 1} == {}


def settled(desk: SplitDesk, agent: httpx.Client, seconds: float = SETTLE_SECONDS) -> None:
    """Wait until nothing is under way any more: mails are judged, logs numbered and read, and mails sent."""
    eventually(lambda: judged(agent), seconds)
    eventually(lambda: quiet(desk), seconds)
    count = rows(desk, "intake", "SELECT COUNT(*) FROM ticket")[0][0]
    eventually(lambda: len(acknowledgements(desk)) >= count, seconds)


def quiet(desk: SplitDesk) -> bool:
    """Say whether nothing is under way.

    Raises:
        AssertionError: an event was parked.

    """
    left = unread(desk)
    assert not any("parked" in what for what in left), left
    return not left

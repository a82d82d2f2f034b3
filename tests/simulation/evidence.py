"""What is left when a world has settled: the stores read behind the product's back, and what people outside know."""

import json
import sqlite3
from bisect import bisect_left
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import Any

from faults import Faults, Window
from firstline.common.permissions import Principal
from firstline.standalone.wiring import SERVICES
from front import Front
from minute_calendar import MinuteCalendar
from world import World

MINUTE = timedelta(minutes=1)
SPAN_DAYS = 40


def when(text: str) -> datetime:
    """Return the instant that a text names."""
    return datetime.fromisoformat(text)


class Minutes:
    """Business time by counting the open minutes of a painted span; shares nothing with the product's calendar."""

    def __init__(self, data: dict[str, Any], first: datetime) -> None:
        self.first = first
        self.open = MinuteCalendar(data, first, SPAN_DAYS).open
        self.sums = [0, *accumulate(self.open)]

    def place(self, at: datetime) -> float:
        """Return the open minutes from the beginning of the span to an instant."""
        minutes = (at - self.first) / MINUTE
        whole = int(minutes)
        return self.sums[whole] + (minutes - whole) * self.open[whole]

    def between(self, start: datetime, end: datetime) -> float:
        """Return the open minutes between two instants."""
        return max(0.0, self.place(end) - self.place(start))

    def add(self, start: datetime, amount: float) -> datetime:
        """Return the first instant at which so many open minutes are used up."""
        wanted = self.place(start) + amount
        index = bisect_left(self.sums, wanted - 1e-9, lo=int((start - self.first) / MINUTE) + 1) - 1
        left = wanted - self.sums[index]
        return max(start, self.first + (index + left) * MINUTE)


@lru_cache(maxsize=64)
def minutes_of(calendar: str, first: datetime) -> Minutes:
    """Return the painted span of a calendar, given as JSON."""
    return Minutes(json.loads(calendar), first)


@dataclass(frozen=True)
class Event:
    """A row of a service's log."""

    id: str
    stream: str
    version: int
    type: str
    time: datetime
    data: dict[str, Any]
    position: int | None
    hash: str | None


@dataclass
class Evidence:
    """All that the oracles look at."""

    world: World
    front: Front
    faults: Faults
    hook: str
    clocks: list[dict[str, Any]] = field(default_factory=list)
    """The clocks of all requests, as a supervisor reads them at the end."""

    queue: list[dict[str, Any]] = field(default_factory=list)

    async def collect(self, supervisor: Principal) -> None:
        """Ask the desk for what it shows, then look into its stores."""
        ids = [ticket["id"] for ticket in self.rows("intake", "SELECT id FROM ticket ORDER BY id")]
        for start in range(0, len(ids), 50):
            target = f"/v1/clocks?ticket_ids={','.join(ids[start : start + 50])}"
            self.clocks += (await self.front.ask(supervisor, "GET", target)).json().get("items", [])
        cursor = ""
        while True:
            page = (await self.front.ask(supervisor, "GET", f"/v1/queue?limit=100{cursor}")).json()
            self.queue += page["items"]
            if page["next"] is None:
                break
            cursor = f"&cursor={page['next']}"
        for service in SERVICES:
            self.log(service)
        self.collect_rows()

    def rows(self, service: str, statement: str) -> list[dict[str, Any]]:
        """Return what a statement finds in a service's store."""
        connection = sqlite3.connect(self.world.folder / f"{service}.db")
        try:
            cursor = connection.execute(statement)
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        finally:
            connection.close()

    def collect_rows(self) -> None:
        """Read the tables that the oracles need, before the folder is removed."""
        self.tables: dict[str, dict[str, list[dict[str, Any]]]] = {}
        for service in SERVICES:
            names = [row["name"] for row in self.rows(service, "SELECT name FROM sqlite_master WHERE type = 'table'")]
            self.tables[service] = {
                name: self.rows(service, f"SELECT * FROM {name}") for name in names if not name.startswith("sqlite_")
            }
        folder = self.world.folder / "files"
        self.files = {path.name: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}

    def table(self, service: str, name: str) -> list[dict[str, Any]]:
        """Return the rows of a table."""
        return self.tables[service][name]

    def log(self, service: str) -> list[Event]:
        """Return a service's log in the order of its commits."""
        if service not in self._logs:
            found = self.rows(service, "SELECT * FROM log_event ORDER BY seq")
            self._logs[service] = [
                Event(
                    row["id"],
                    row["stream"],
                    row["version"],
                    row["type"],
                    when(row["time"]),
                    json.loads(row["data"] or "{}"),
                    row["position"],
                    row["hash"],
                )
                for row in found
            ]
        return self._logs[service]

    @cached_property
    def _logs(self) -> dict[str, list[Event]]:
        return {}

    @cached_property
    def tickets(self) -> dict[str, dict[str, Any]]:
        """The requests by ID."""
        return {ticket["id"]: ticket for ticket in self.table("intake", "ticket")}

    @cached_property
    def messages(self) -> list[dict[str, Any]]:
        """The messages as they were written; those that a split made of others are left out."""
        found: dict[str, str] = {}
        for message in self.table("intake", "message"):
            found.setdefault(message["ticket_id"], message["id"])
        copies = {found[ticket["id"]] for ticket in self.tickets.values() if ticket["split_from"]}
        return [message for message in self.table("intake", "message") if message["id"] not in copies]

    @cached_property
    def streams(self) -> dict[str, list[Event]]:
        """The events of each request, by its ID."""
        found: dict[str, list[Event]] = {}
        for event in self.log("intake"):
            kind, _, identity = event.stream.partition("/")
            if kind == "ticket":
                found.setdefault(identity, []).append(event)
        return found

    @cached_property
    def policies(self) -> dict[str, dict[str, Any]]:
        """The policy documents by version."""
        return {row["version"]: json.loads(row["document"]) for row in self.table("intake", "policy")}

    @cached_property
    def newest(self) -> str:
        """The policy version that was published last."""
        return str(
            max(self.table("intake", "policy"), key=lambda row: (when(row["published_at"]), row["version"]))["version"]
        )

    def minutes(self, version: str) -> Minutes:
        """Return the business time of a policy version around this world's days."""
        calendar = json.dumps(self.policies[version]["calendar"], sort_keys=True)
        first = self.world.scene.start.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=UTC)
        return minutes_of(calendar, first - timedelta(days=6 + first.day % 4))

    def impaired(self, begin: datetime, end: datetime, margin: float = 120.0) -> bool:
        """Say whether anything was out of order between two instants of the machine's clock (which never jumped)."""
        start = self.world.scene.start
        low, high = (begin - start).total_seconds() - margin, (end - start).total_seconds() + margin
        downs = [Window(begin, end) for begin, end, _ in self.world.downs]
        return any(window.begin < high and low < window.end for window in [*downs, *self.faults.windows])

    @cached_property
    def everything(self) -> str:
        """All texts of all stores, one after the other."""
        parts = [
            value if isinstance(value, str) else value.decode("utf-8", "replace")
            for tables in self.tables.values()
            for rows in tables.values()
            for row in rows
            for value in row.values()
            if isinstance(value, str | bytes)
        ]
        return "\n".join(parts)

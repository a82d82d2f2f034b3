"""What waited before an upgrade has a forecast after it, read from the logs once more (clause 2.3)."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from firstline.common.envelope import Envelope
from firstline.common.pull import LogPage
from firstline.common.store.port import Sql
from sla_world import MONDAY, Ticket, World, open_world

HOUR = timedelta(hours=1)
AS_BEFORE = [
    Sql("DELETE FROM participant", type(None)),
    Sql("DELETE FROM waiting", type(None)),
    Sql("INSERT INTO refill (source, position) VALUES ('intake', 0), ('queue', 0)", type(None)),
]
CLIENT = {"address": "client@firstline.example", "name": None, "language": "en"}
OTHER = {"address": "carl@shop.example", "name": None, "language": "en"}


class Logs:
    """The logs of intake and queue, as they are read."""

    def __init__(self) -> None:
        self.told: dict[str, list[Envelope]] = {"intake": [], "queue": []}

    async def tell(self, world: World, event: Envelope) -> None:
        """Write an event down and deliver it."""
        self.told[event.source].append(event)
        await world.deliver(event)

    def reader(self, source: str) -> Any:
        """Return what reads a log, two events a page."""

        async def read(after: int, _limit: int) -> LogPage:
            return LogPage(log=f"log of {source}", items=[e for e in self.told[source] if e.position > after][:2])

        return read


def place(world: World, ticket: Ticket, what: str, version: int, **more: Any) -> Envelope:
    """Return an event of queue's."""
    key = {"out_of_turn": False, "since": MONDAY, "position": 1}
    data = {"number": ticket.number, "organization_id": None, "key": key, **more}
    event = world.envelope(f"entry/{ticket.id}", f"queue.{what}", version, MONDAY + HOUR, data)
    return event.model_copy(update={"source": "queue", "log": "log of queue"})


async def played(path: Path, logs: Logs) -> dict[str, Ticket]:
    """Let three requests come in, two of which wait, and forget what an earlier release did not keep."""
    async with open_world(path) as world:
        await world.deliver(world.policy())
        tickets = {name: world.ticket() for name in ("waits", "held", "answered")}
        for ticket in tickets.values():
            await logs.tell(world, world.event(ticket, "ticket.submitted", recipients=[CLIENT, OTHER]))
            await logs.tell(world, place(world, ticket, "entered", 1))
        await logs.tell(world, place(world, tickets["held"], "claimed", 2, agent="anna"))
        await logs.tell(world, place(world, tickets["answered"], "left", 2, reason="answered"))
        await logs.tell(world, world.event(tickets["held"], "ticket.opened", recipients=[OTHER]))
        for sql in AS_BEFORE:
            await world.runtime.store.write(lambda unit, sql=sql: unit.run(sql))  # type: ignore[misc]
    return tickets


async def test_what_waited_before_an_upgrade_has_a_forecast(store_path: Path) -> None:
    """Once the logs are read again, who takes part now may ask, what waits is owed, and the logs are left alone."""
    logs = Logs()
    tickets = await played(store_path, logs)
    readers = {source: logs.reader(source) for source in logs.told}
    async with open_world(store_path, MONDAY + HOUR, readers) as world:
        await world.runtime.settle()
        answers = {name: await world.get(f"/v1/forecasts/{one.id}", "client") for name, one in tickets.items()}
        assert {name: answer.status_code for name, answer in answers.items()} == {
            "waits": 200,
            "held": 404,
            "answered": 200,
        }
        assert [answers[name].json()["state"] for name in ("waits", "answered")] == ["unsure", "not_owed"]
        assert (await world.get(f"/v1/forecasts/{tickets['held'].id}")).json()["ahead"] == 0
        assert await world.runtime.store.read(lambda unit: unit.all(Sql("SELECT source FROM refill", str))) == []


async def test_a_log_that_is_away_is_read_later(store_path: Path) -> None:
    """While a log can't be read nothing is lost: it is read from where that began."""
    logs = Logs()
    tickets = await played(store_path, logs)
    async with open_world(store_path, MONDAY + HOUR, {"intake": logs.reader("intake")}) as world:
        await world.runtime.settle()
        assert (await world.get(f"/v1/forecasts/{tickets['waits'].id}", "client")).json()["state"] == "not_owed"
        left = await world.runtime.store.read(lambda unit: unit.all(Sql("SELECT source FROM refill", str)))
        assert left == ["queue"]


async def test_newer_news_are_not_overwritten(store_path: Path) -> None:
    """What was told anew since the upgrade stays: an older event of the same request changes nothing."""
    logs = Logs()
    tickets = await played(store_path, logs)
    async with open_world(store_path, MONDAY + HOUR) as world:
        ticket, world.position = tickets["waits"], 99
        await world.deliver(world.event(ticket, "ticket.noted", recipients=[OTHER]))
        await world.deliver(place(world, ticket, "left", 2, reason="waiting"))
    readers = {source: logs.reader(source) for source in logs.told}
    async with open_world(store_path, MONDAY + HOUR, readers) as world:
        await world.runtime.settle()
        assert (await world.get(f"/v1/forecasts/{ticket.id}", "client")).status_code == 404
        assert (await world.get(f"/v1/forecasts/{ticket.id}")).json()["state"] == "not_owed"

"""Random days of a whole queue service against a model in plain Python: order, single holders, fences (P15-P18)."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest

AGENTS = ("anna", "boris", "carl")
LEASE = timedelta(minutes=30)
ACTIONS: tuple[str, ...] = (
    *["submit"] * 4,
    *["next"] * 6,
    *["answer", "pass_time", "named", "reopen"] * 2,
    *["ask", "wait", "resume", "triage", "release", "renew", "transfer", "steal"],
)


@dataclass(slots=True)
class Known:
    """What the model knows of a ticket."""

    ticket: Any
    urgent: bool
    unanswered: list[tuple[datetime, int]]
    status: str = "new"
    holder: str | None = None
    ends: datetime | None = None
    fence: int = 0
    fences: list[int] = field(default_factory=list)

    @property
    def key(self) -> tuple[bool, datetime, int] | None:
        """The key in the order of service, None without an entry."""
        waits = bool(self.unanswered) and self.status in ("new", "open")
        return (not self.urgent, *min(self.unanswered)) if waits else None


class Day:
    """A day of random work, each step checked against the model."""

    def __init__(self, world: Any, seed: int) -> None:
        self.world, self.random = world, Random(seed)
        self.known: list[Known] = []
        self.counts: dict[str, int] = {}

    def line(self) -> list[Known]:
        """Return the entries in the order of service."""
        return sorted((k for k in self.known if k.key), key=lambda k: k.key or ())

    async def step(self) -> None:
        """Do something and compare."""
        action = self.random.choice(ACTIONS)
        done = await getattr(self, action)()
        self.counts[action] = self.counts.get(action, 0) + bool(done)
        shown = [(item["ticket_id"], item["claimed_by"]) for item in await self.world.items("?limit=100")]
        assert shown == [(known.ticket.id, known.holder) for known in self.line()]

    def pick(self, *, held: bool | None = None, status: tuple[str, ...] = ()) -> Known | None:
        """Return any ticket that is as described."""
        fits = [k for k in self.known if held is None or (k.holder is not None) is held]
        fits = [k for k in fits if not status or k.status in status]
        return self.random.choice(fits) if fits else None

    def position(self) -> int:
        """Return the position of the event told last."""
        return int(self.world.producer.positions["intake"])

    async def submit(self) -> bool:
        """A request comes in, some of them a little late."""
        received = self.world.clock.now() - timedelta(seconds=self.random.choice([0, 0, 0, 90]))
        urgent = self.random.random() < 0.2
        ticket = await self.world.submit(received_at=received, urgency="high" if urgent else "normal")
        self.known.append(Known(ticket, urgent, [(received, self.position())]))
        return True

    def _took(self, known: Known, agent: str, claim: dict[str, Any]) -> None:
        assert known.holder is None
        assert claim["fence"] > max(known.fences, default=0)
        known.holder, known.ends, known.fence = agent, self.world.clock.now() + LEASE, claim["fence"]
        known.fences.append(claim["fence"])

    async def next(self) -> bool:
        """Somebody takes the next one: it is the least key that nobody holds."""
        agent = self.random.choice(AGENTS)
        free = [known for known in self.line() if known.holder is None]
        answer = await self.world.post("/v1/queue/claims", {}, f"agent:{agent}")
        if not free:
            assert answer.status_code == 204
            return False
        assert answer.json()["ticket_id"] == free[0].ticket.id
        self._took(free[0], agent, answer.json())
        return True

    async def named(self) -> bool:
        """Somebody names a ticket that is free."""
        known = self.pick(held=False)
        if known is None:
            return False
        agent = self.random.choice(AGENTS)
        answer = await self.world.post("/v1/queue/claims", {"ticket_id": known.ticket.number}, f"agent:{agent}")
        if known.key is None:
            assert answer.status_code == 409
            return False
        self._took(known, agent, answer.json())
        return True

    async def steal(self) -> bool:
        """Somebody wants what another one holds."""
        known = self.pick(held=True)
        if known is None:
            return False
        thief = next(agent for agent in AGENTS if agent != known.holder)
        answer = await self.world.post("/v1/queue/claims", {"ticket_id": known.ticket.id}, f"agent:{thief}")
        stale = await self.world.keep(known.ticket, "release", {"fence": known.fence}, f"agent:{thief}")
        assert (answer.status_code, stale.status_code) == (409, 409)
        return True

    async def _keep(self, verb: str, body: dict[str, Any]) -> Known | None:
        known = self.pick(held=True)
        if known is None or body.get("agent") == known.holder:
            return None
        if len(known.fences) > 1:
            old = await self.world.keep(known.ticket, verb, body | {"fence": known.fences[-2]}, f"agent:{known.holder}")
            assert old.status_code == 409
        answer = await self.world.keep(known.ticket, verb, body | {"fence": known.fence}, f"agent:{known.holder}")
        assert answer.is_success, answer.text
        return known

    async def release(self) -> bool:
        """A holder gives it back."""
        known = await self._keep("release", {})
        if known:
            known.holder = known.ends = None
        return known is not None

    async def renew(self) -> bool:
        """A holder goes on."""
        known = await self._keep("renew", {})
        if known:
            known.ends = self.world.clock.now() + LEASE
        return known is not None

    async def transfer(self) -> bool:
        """A holder hands it on."""
        agent = self.random.choice(AGENTS)
        known = await self._keep("transfer", {"agent": agent})
        if known:
            known.holder, known.ends, known.fence = agent, self.world.clock.now() + LEASE, known.fence + 1
            known.fences.append(known.fence)
        return known is not None

    def _gone(self, known: Known, status: str) -> None:
        known.status, known.holder, known.ends = status, None, None

    async def answer(self) -> bool:
        """Staff answer, some with the solution."""
        known = self.pick(status=("new", "open"))
        if known is None:
            return False
        status = self.random.choice(["open", "resolved"])
        await self.world.answer(known.ticket, status=status)
        if status == "resolved":
            await self.world.tell(known.ticket, "ticket.resolved")
        known.unanswered.clear()
        self._gone(known, status)
        return True

    async def ask(self) -> bool:
        """The client writes."""
        known = self.pick(status=("new", "open", "waiting"))
        if known is None:
            return False
        await self.world.ask(known.ticket, status=known.status)
        known.unanswered.append((self.world.clock.now(), self.position()))
        return True

    async def wait(self) -> bool:
        """Staff wait for somebody."""
        known = self.pick(status=("new", "open"))
        if known is None:
            return False
        await self.world.tell(known.ticket, "ticket.waiting", cause="third_party")
        self._gone(known, "waiting")
        return True

    async def resume(self) -> bool:
        """Waiting ends."""
        known = self.pick(status=("waiting",))
        if known is None:
            return False
        await self.world.tell(known.ticket, "ticket.resumed", cause="third_party")
        known.status = "open"
        return True

    async def reopen(self) -> bool:
        """The client reopens."""
        known = self.pick(status=("resolved",))
        if known is None:
            return False
        await self.world.tell(known.ticket, "ticket.reopened", received_at=self.world.clock.now())
        known.unanswered.append((self.world.clock.now(), self.position()))
        known.status = "open"
        return True

    async def triage(self) -> bool:
        """Staff judge the urgency."""
        known = self.pick(status=("new", "open"))
        if known is None:
            return False
        known.urgent, known.status = self.random.random() < 0.5, "open"
        await self.world.judge(known.ticket, "high" if known.urgent else "normal")
        return True

    async def pass_time(self) -> bool:
        """Time passes, and leases with it."""
        await self.world.move(timedelta(seconds=self.random.choice([1, 600, 1800])))
        now = self.world.clock.now()
        over = [known for known in self.known if known.ends is not None and known.ends <= now]
        for known in over:
            known.holder = known.ends = None
        return bool(over)


@pytest.mark.parametrize("seed", range(4))
def test_a_random_day_agrees_with_the_model(open_world: Any, seed: int) -> None:
    """After each of 200 random steps list, holders and refusals are the model's; every kind of step has happened."""

    async def play(folder: Path) -> dict[str, int]:
        async with open_world(folder) as world:
            day = Day(world, seed)
            for _ in range(200):
                await day.step()
            return day.counts

    with TemporaryDirectory() as folder:
        counts = asyncio.run(play(Path(folder)))
    assert {name for name in ACTIONS if not counts.get(name)} == set()

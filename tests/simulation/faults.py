"""What goes wrong in a seed: how often, when, for how long; all of it is healed before the oracles look."""

import asyncio
import json
from collections.abc import Callable, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any

from firstline.common.policy.model import Policy
from loop import Owner
from world import HOOK, TAKE_OVER_SECONDS, Process, Slot, World

HOUR = 3600.0
HOURS_OFTEN, AGAIN_SHARE = 1.0, 0.3
"""How often the hours change in a seed, on the whole, and in which share of cases once more within a minute."""

REST_SECONDS = 15.0
"""For how long a transaction may lie idle before the database ends it."""

ZOMBIE_FROM_SECONDS, ZOMBIE_FACTOR = 60.0, 10.0
"""Of a service with two replicas, a pause as long as this lasts so many times longer, so that its leases run out."""

ARMED_BY = ("commit", "published", "mail taken", "webhook taken", "answer", "file")
"""After these a process may be killed within a few steps: the windows between an effect and its record."""

SOMETIMES = (
    *("killed by a fuse", "killed after commit", "killed after published", "killed after mail taken"),
    *("killed after webhook taken", "killed after answer", "killed after file", "stopped", "paused"),
    *("request lost", "answer lost", "message lost", "message doubled", "message delayed", "bus away"),
    *("disk full", "store error", "disk slow", "clock set forward", "clock set back", "policy changed"),
    "hours changed",
    *("mail server away", "mail server slow", "mail refused for now", "mail in doubt", "mail refused for good"),
    *("receiver down", "receiver silent", "receiver failing", "webhook in doubt"),
    *("paused for longer than its leases", "poison sent", "unknown event sent", "message refused"),
)
"""Faults that a campaign has to have seen; one that never fires tests nothing."""


@dataclass(frozen=True)
class Window:
    """Virtual seconds in which something was out of order."""

    begin: float
    end: float


@dataclass
class Faults:
    """The troublemaker of one seed."""

    world: World
    chance: Random
    policies: list[Policy]
    calendars: Sequence[dict[str, Any]]
    seconds: float
    """How long trouble lasts."""

    windows: list[Window] = field(default_factory=list)
    poisoned: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    back: timedelta = timedelta()
    jumped: bool = False
    """Streams of events that no handler can take, and of types that nobody knows; how far the clock was set back."""

    _armed: dict[str, int] = field(default_factory=dict)
    _over: bool = False

    def start(self, *, hours: bool = True) -> None:
        """Draw the mix of this seed and let trouble begin, changed hours included if wanted."""
        self._draw_weather()
        self.world.listeners.append(self._effect)
        doings: list[tuple[float, Callable[[], None]]] = [
            (1.5, self._burn),
            (3.0, self._arm),
            (0.5, self._stop),
            (0.5, self._pause),
            (0.6, self._bus_away),
            (0.4, self._mail_away),
            (0.5, self._receiver_down),
            (0.4, self._fill_disk),
            (0.3, self._jump),
            (0.3, self._change_policy),
            (0.7, self._poison),
        ]
        for often, doing in doings:
            self._plan(self.chance, often, doing)
        if hours:
            # By a chance of its own: it came later, and must not reshuffle what was drawn before.
            chance = self.world.stream("hours")
            self._plan(chance, HOURS_OFTEN, lambda: self._change_hours(chance))

    def _plan(self, chance: Random, often: float, doing: Callable[[], None]) -> None:
        """Let something happen now and then, `often` times on the whole."""
        for _ in range(_count(chance, often)):
            self.world.loop.call_later(chance.random() * self.seconds, self._do, doing, context=Context())

    def _share(self, most: float, likely: float) -> float:
        return self.chance.random() * most if self.chance.random() < likely else 0.0

    def _draw_weather(self) -> None:
        world, share = self.world, self._share
        weather, broker, post, receiver, disk = world.net.weather, world.broker, world.post, world.receiver, world.disk
        weather.request_lost, weather.answer_lost = share(0.1, 0.5), share(0.15, 0.6)
        weather.latency = self.chance.choice([0.002, 0.05, 0.5])
        broker.lost, broker.doubled, broker.delayed = share(0.15, 0.4), share(0.3, 0.5), share(0.4, 0.5)
        broker.longest = self.chance.choice([0.05, 2.0, 60.0])
        post.refused, post.silent = share(0.4, 0.4), share(0.2, 0.3)
        post.doubtful, post.slow = share(0.3, 0.5), share(0.3, 0.3)
        receiver.failing, receiver.silent, receiver.doubtful = share(0.4, 0.4), share(0.2, 0.3), share(0.3, 0.5)
        disk.errors, disk.slow = share(0.04, 0.3), share(0.1, 0.4)

    def _do(self, doing: Callable[[], None]) -> None:
        if not self._over:
            doing()

    def _any(self) -> Process | None:
        found = [slot.process for slot in self.world.slots if slot.process is not None and slot.process.owner.alive]
        return found[int(self.chance.random() * len(found))] if found else None

    def _window(self, seconds: float, end: Callable[[], None]) -> None:
        now = self.world.loop.time()
        self.windows.append(Window(now, now + seconds))
        self.world.loop.call_later(seconds, end, context=Context())

    # -- processes

    def _burn(self) -> None:
        """Kill a process some steps from now, wherever it is then."""
        process = self._any()
        if process is not None:
            self._light(process.owner, int(self.chance.random() ** 2 * 200), "by a fuse")

    def _arm(self) -> None:
        """Kill the next process that has a certain effect, right after it."""
        what = ARMED_BY[int(self.chance.random() * len(ARMED_BY))]
        self._armed[what] = 1 + int(self.chance.random() * 6)

    def _effect(self, what: str, owner: Owner) -> None:
        if what in self._armed and owner.alive and owner.fuse is None:
            self._armed[what] -= 1
            if self._armed[what] <= 0:
                del self._armed[what]
                self._light(owner, int(self.chance.random() * 5), f"after {what}")

    def _light(self, owner: Owner, steps: int, how: str) -> None:
        slot = self._slot_of(owner)
        if slot is None:
            return
        process = slot.process
        assert process is not None

        def burnt() -> None:
            self.world.told(f"killed {how}", None)
            process.kill(how)

        slot.down_seconds = self.chance.choice([0.05, 1.0, 60.0, 900.0])
        owner.burnt, owner.fuse = burnt, steps

    def _slot_of(self, owner: Owner) -> Slot | None:
        return next((slot for slot in self.world.slots if slot.process and slot.process.owner is owner), None)

    def _stop(self) -> None:
        process = self._any()
        if process is not None and process.ready:
            self.world.told("stopped", None)
            self.world.loop.create_task(process.stop(), name="stop", context=Context())

    def _pause(self) -> None:
        process = self._any()
        if process is None or process.owner.paused:
            return
        owner = process.owner
        self.world.told("paused", None)
        owner.paused = True
        seconds = 5 + self.chance.random() * 115
        if process.slot.is_shared and seconds > ZOMBIE_FROM_SECONDS:
            seconds *= ZOMBIE_FACTOR
            self.world.told("paused for longer than its leases", None)
            now = self.world.loop.time()
            self.windows.append(Window(now, now + TAKE_OVER_SECONDS))
        self._window(seconds, lambda: self.world.loop.resume(owner))
        self.world.loop.call_later(REST_SECONDS, self._break_off, process, context=Context())

    def _break_off(self, process: Process) -> None:
        if process.owner.paused and process.owner.alive:
            for store in process.stores.values():
                store.break_off()

    # -- surroundings

    def _bus_away(self) -> None:
        self.world.broker.down = True
        self._window(self.chance.random() * HOUR, lambda: setattr(self.world.broker, "down", False))

    def _mail_away(self) -> None:
        self.world.post.down = True
        self._window(self.chance.random() * 6 * HOUR, lambda: setattr(self.world.post, "down", False))

    def _receiver_down(self) -> None:
        self.world.receiver.down.add(HOOK)
        self._window(self.chance.random() * 3 * HOUR, lambda: self.world.receiver.down.discard(HOOK))

    def _fill_disk(self) -> None:
        self.world.disk.full = True
        self._window(self.chance.random() * HOUR / 6, lambda: setattr(self.world.disk, "full", False))

    def _jump(self) -> None:
        """Set the clock forward or back, by minutes mostly and a day at most."""
        by = timedelta(seconds=round(self.chance.choice([5, 300, 3 * HOUR, 24 * HOUR]) * self.chance.random(), 3))
        self.jumped = True
        if self.chance.random() < 0.5:
            self.world.told("clock set forward", None)
            self.world.times.jump(by)
        else:
            self.world.told("clock set back", None)
            self.back += by
            self.world.times.jump(-by)

    def _change_policy(self) -> None:
        """Start again with another policy."""
        self.world.policy = self.policies[int(self.chance.random() * len(self.policies))]
        self.world.told("policy changed", None)
        for slot in self.world.slots:
            if slot.process is not None:
                slot.down_seconds = 1.0
                slot.process.kill("policy changed")

    def _change_hours(self, chance: Random) -> None:
        """Let intake start again with other hours in its policy, while all others work on; sometimes twice at once."""
        document = self.world.policy.document()
        document["calendar"] = self.calendars[int(chance.random() * len(self.calendars))]
        if document["calendar"] != self.world.policy.calendar:
            self.world.told("hours changed", None)
        self.world.policy = Policy.from_document(document)
        for process in self.world.processes():
            if "intake" in process.apps:
                process.slot.down_seconds = 1.0
                self.world.loop.create_task(process.stop(), name="stop", context=Context())
        if chance.random() < AGAIN_SHARE:
            self.world.loop.call_later(
                chance.random() * 60, self._do, partial(self._change_hours, chance), context=Context()
            )

    def _poison(self) -> None:
        """Put an event on the bus that no handler can take, or that is of a type of the next release."""
        number = len(self.poisoned) + len(self.unknown)
        known = self.chance.random() < 0.5
        stream = f"ticket/stray-{number}"
        (self.poisoned if known else self.unknown).append(stream)
        self.world.told("poison sent" if known else "unknown event sent", None)
        envelope = {
            "id": f"stray-{number}",
            "type": "ticket.replied" if known else "ticket.teleported",
            "source": "intake",
            "time": self.world.times.now().isoformat(),
            "subject": stream.partition("/")[2],
            "stream": stream,
            "version": 1,
            "log": "stray",
            "position": 1,
            "hash": "stray",
            "brought_by": "the next release",
            "data": {"body": f"stray {number}"},
        }
        self.world.broker.stray(json.dumps(envelope).encode())

    async def heal(self) -> None:
        """End all trouble and wait until every process runs."""
        self._over = True
        world = self.world
        self._armed.clear()
        weather, broker, post, receiver, disk = world.net.weather, world.broker, world.post, world.receiver, world.disk
        weather.request_lost = weather.answer_lost = broker.lost = broker.doubled = broker.delayed = 0.0
        post.refused = post.silent = post.doubtful = post.slow = 0.0
        receiver.failing = receiver.silent = receiver.doubtful = disk.errors = disk.slow = 0.0
        broker.down = post.down = disk.full = False
        receiver.down.clear()
        for slot in world.slots:
            slot.down_seconds = 1.0
            if slot.process is not None:
                slot.process.owner.fuse = None
                world.loop.resume(slot.process.owner)
        while len(world.processes()) < len(world.slots):
            await asyncio.sleep(1)
        self.windows.append(Window(world.loop.time(), world.loop.time() + 1))


def _count(chance: Random, often: float) -> int:
    """Draw a number whose mean is `often`."""
    count, left = 0, chance.expovariate(1.0)
    while left < often:
        count, left = count + 1, left + chance.expovariate(1.0)
    return count

"""The bus between the processes: it confirms what it has, delivers at least once, and may lose, double, delay, reorder.

What is lost here was on a queue that somebody purged; what is doubled came again because its consumer died or its
acknowledgement did. Consumers find the rest in the producers' logs.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from contextvars import Context
from random import Random

from firstline.common.bus import BINDINGS, BusDown, Receive
from firstline.common.envelope import Envelope, prefix_of
from loop import Loop, Owner

AGAIN_SECONDS = 1.0
Told = Callable[[str, Owner | None], None]


class Broker:
    """The queues of all consumers."""

    def __init__(self, loop: Loop, chance: Random, told: Told) -> None:
        self._loop = loop
        self._chance = chance
        self._told = told
        self.down = False
        self.lost = 0.0
        self.doubled = 0.0
        self.delayed = 0.0
        self.longest = 30.0
        """Shares of messages that are lost, come twice, come late and so in another order; seconds of delay at most."""

        self._subscribers: dict[str, dict[Owner, Receive]] = {service: {} for service in BINDINGS}
        self._waiting: dict[str, list[bytes]] = {service: [] for service in BINDINGS}
        self._strays: dict[str, list[bytes]] = {service: [] for service in BINDINGS}
        self._unconfirmed: dict[Owner, dict[int, tuple[str, list[bytes]]]] = {}
        self._tags = 0

    def publish(self, envelopes: Sequence[bytes]) -> None:
        """Take messages and send each on its way to every consumer that binds it."""
        kinds = [(text, prefix_of(json.loads(text)["type"])) for text in envelopes]
        for service, prefixes in BINDINGS.items():
            taken = [text for text, prefix in kinds if prefix in prefixes]
            on_time: list[bytes] = []
            for text in taken:
                self._sort(service, text, on_time)
            if on_time and self._strays[service]:
                on_time[0:0], self._strays[service] = self._strays[service], []
            if on_time:
                self._send(service, on_time, 0.0)

    def stray(self, text: bytes) -> None:
        """Put a message among the next ones to everybody who binds tickets; none of these is lost."""
        for service, prefixes in BINDINGS.items():
            if "ticket" in prefixes:
                self._strays[service].append(text)
                self._loop.call_later(self.longest, self._send_strays, service, context=Context())

    def _send_strays(self, service: str) -> None:
        texts, self._strays[service] = self._strays[service], []
        if texts:
            self._send(service, texts, 0.0)

    def _sort(self, service: str, text: bytes, on_time: list[bytes]) -> None:
        """Decide the fate of one message to one consumer."""
        chance = self._chance.random
        if chance() < self.lost:
            self._told("message lost", None)
            return
        if chance() < self.doubled:
            self._told("message doubled", None)
            self._send(service, [text], chance() * self.longest)
        if chance() < self.delayed:
            self._told("message delayed", None)
            self._send(service, [text], chance() * self.longest)
        else:
            on_time.append(text)

    def _send(self, service: str, texts: list[bytes], seconds: float) -> None:
        self._loop.call_later(seconds, self._deliver, service, texts, context=Context())

    def _deliver(self, service: str, texts: list[bytes]) -> None:
        living = [owner for owner in self._subscribers[service] if owner.alive]
        if not living:
            self._waiting[service] += texts
            return
        owner = living[int(self._chance.random() * len(living))]
        self._tags += 1
        self._unconfirmed.setdefault(owner, {})[self._tags] = (service, texts)
        work = self._hand_over(self._tags, owner, service, texts)
        self._loop.create_task(work, name=f"{service}: delivery", context=owner.context())

    async def _hand_over(self, tag: int, owner: Owner, service: str, texts: list[bytes]) -> None:
        try:
            await self._subscribers[service][owner](list(map(Envelope.model_validate_json, texts)))
        except Exception:
            self._told("message refused", None)
            self._send(service, texts, AGAIN_SECONDS)
        # Who has left meanwhile confirms nothing any more: it is delivered again already.
        self._unconfirmed.get(owner, {}).pop(tag, None)

    def subscribe(self, service: str, owner: Owner, receive: Receive) -> None:
        """Let a process take a service's messages, those first that waited for one."""
        self._subscribers[service][owner] = receive
        waiting, self._waiting[service] = self._waiting[service], []
        if waiting:
            self._send(service, waiting, 0.0)

    def leave(self, owner: Owner) -> None:
        """Deliver again what a process had not confirmed, since it is dead or has stopped."""
        for subscribers in self._subscribers.values():
            subscribers.pop(owner, None)
        for service, texts in self._unconfirmed.pop(owner, {}).values():
            self._send(service, texts, AGAIN_SECONDS)


class BusWay:
    """The bus port of one process."""

    connected = True

    def __init__(self, broker: Broker, owner: Owner, told: Told) -> None:
        self._broker = broker
        self._owner = owner
        self._told = told

    async def start(self) -> None:
        """Do nothing: there is nothing to connect to."""

    async def stop(self) -> None:
        """Take nothing more."""
        self._broker.leave(self._owner)

    def subscribe(self, service: str, receive: Receive) -> None:
        """Push events to a service of this process."""
        self._broker.subscribe(service, self._owner, receive)

    async def publish(self, envelopes: Sequence[bytes]) -> None:
        """Hand over events; return once the bus has confirmed them.

        Raises:
            BusDown: it is away.

        """
        await asyncio.sleep(0)
        if self._broker.down:
            self._told("bus away", None)
            raise BusDown("The bus is away.")
        self._broker.publish(envelopes)
        self._told("published", self._owner)
        await asyncio.sleep(0)

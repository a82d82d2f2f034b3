"""The bus: events pushed to every service that binds their prefix, as JSON bytes.

It is the fast path only. A consumer that misses an event finds it in the producer's log.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import structlog

from firstline.common.envelope import Envelope, bound_by
from firstline.common.errors import Unavailable

Receive = Callable[[Sequence[Envelope]], Awaitable[None]]
"""Takes events in the order of their log and returns when they are recorded: applied, waiting or parked."""

BINDINGS: dict[str, tuple[str, ...]] = {
    "intake": ("queue", "account", "person", "delivery"),
    "queue": ("ticket", "account", "person", "policy"),
    "sla": ("ticket", "account", "person", "policy", "queue"),
    "notify": (
        "ticket",
        "incident",
        "account",
        "person",
        "policy",
        "queue",
        "clock",
        "delivery",
        "endpoint",
        "erasure",
    ),
    "accounts": ("erasure",),
}
"""The prefixes that each service takes, whole or not at all."""

SOURCES: dict[str, tuple[str, ...]] = {
    "intake": ("queue", "accounts", "notify"),
    "queue": ("intake", "accounts"),
    "sla": ("intake", "accounts", "queue"),
    "notify": ("intake", "accounts", "queue", "sla", "notify"),
    "accounts": ("intake", "accounts", "queue", "sla", "notify"),
}
"""The services whose logs each service pulls from."""

_log = structlog.get_logger(__name__)


class BusDown(Unavailable):
    """The bus did not take the events, or not for sure; consumers find them in the producer's log."""

    title = "The bus is out of reach"


class Bus(Protocol):
    """Carries events from producers to consumers."""

    @property
    def connected(self) -> bool:
        """Whether the bus is within reach."""

    async def start(self) -> None:
        """Begin to carry; a bus that is out of reach is sought in the background."""

    async def stop(self) -> None:
        """Let deliveries at hand finish, then end."""

    async def publish(self, envelopes: Sequence[bytes]) -> None:
        """Hand over events in the order given; return once the bus, or every consumer, has them durably.

        Raises:
            BusDown: not all of them may have arrived.

        """

    def subscribe(self, service: str, receive: Receive) -> None:
        """Push events to a service, by its row in BINDINGS.

        Whole prefixes: a consumer that bound single types would see gaps in a stream's versions, and wait for ever.
        """


class LocalBus:
    """The bus inside one process: `publish` returns after each subscriber's inbox has committed."""

    connected = True

    def __init__(self) -> None:
        self._subscribers: dict[str, tuple[Callable[[str], bool], Receive]] = {}

    async def start(self) -> None:
        """Do nothing: there is nothing to connect to."""

    async def stop(self) -> None:
        """Do nothing: `publish` has delivered."""

    def subscribe(self, service: str, receive: Receive) -> None:
        """Push events to a service."""
        self._subscribers[service] = (bound_by(BINDINGS[service]), receive)

    async def publish(self, envelopes: Sequence[bytes]) -> None:
        """Deliver to every subscriber; one that fails does not hold up the others, its pull will catch up."""
        # Consumers side by side, each in order: a slow one delays the producer's next batch, but no other consumer.
        await asyncio.gather(
            *(self._deliver(name, takes, receive, envelopes) for name, (takes, receive) in self._subscribers.items())
        )

    async def _deliver(
        self, name: str, takes: Callable[[str], bool], receive: Receive, envelopes: Sequence[bytes]
    ) -> None:
        """Give events to one consumer; its failure is its own, and it pulls later."""
        try:
            # Parsed anew for each consumer, as between processes: no
            # object is shared through which one could change another's.
            events = [Envelope.model_validate_json(text) for text in envelopes]
            taken = [event for event in events if takes(event.type)]
            if taken:
                await receive(taken)
        except Exception:
            _log.exception("a consumer could not take events; it will pull them", consumer=name, events=len(envelopes))

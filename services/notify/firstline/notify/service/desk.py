"""What notify works with: store, log, ports, the ways out, keys, and the policy versions read so far."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from firstline.common.calendar import Calendar, parse_calendar
from firstline.common.events import Actor
from firstline.common.inbox import NotYet
from firstline.common.log import Log
from firstline.common.mail_out import MailPort
from firstline.common.outbound import HttpPort
from firstline.common.outbound_rules import OutboundRules
from firstline.common.paging import Cursors
from firstline.common.policy.model import Policy
from firstline.common.policy.wording import hours_in_words
from firstline.common.ports import Clock, Ports
from firstline.common.store.port import Store, Unit
from firstline.notify.store.directory import POLICY
from firstline.notify.wording import Writer

SYSTEM = Actor(id="notify", role="service")
MAIL, WEBHOOKS = "mail", "webhook"
"""The channels of deliveries; each is announced when there is something new to deliver by it."""


@dataclass(frozen=True, slots=True)
class Book:
    """A policy version, ready to write letters with."""

    policy: Policy
    writer: Writer
    calendar: Calendar

    def hours(self, now: datetime) -> str:
        """Say the weekly hours in force."""
        zone = ZoneInfo(str(self.policy.calendar["tz"]))
        return hours_in_words(self.policy.calendar, now.astimezone(zone).date())

    def next_opening(self, now: datetime) -> str | None:
        """Return when the Helpdesk opens next, in words with the zone; None while it is open or if it never does."""
        openness = self.calendar.open_at(now)
        if openness.open or openness.next_opening is None:
            return None
        return self.instant(openness.next_opening)

    def instant(self, at: datetime) -> str:
        """Say an instant in the calendar's zone."""
        zone = str(self.policy.calendar["tz"])
        return f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} ({zone})"


class Books:
    """Policy versions by name; those not read yet come from the store.

    A version never changes, so what was read is kept; a desk has a handful of versions in its life.
    """

    def __init__(self, current: Policy) -> None:
        self._books = {current.version: _book(current)}

    async def of(self, unit: Unit, version: str) -> Book:
        """Return the version that a request was taken under.

        Raises:
            NotYet: it has not been published here so far.

        """
        if version not in self._books:
            document: Mapping[str, Any] | None = await unit.one(POLICY, version=version)
            if document is None:
                # Intake's policy and its requests are different streams, so
                # a request may come first; its event waits for the policy.
                raise NotYet(f"the policy version {version} is not known yet")
            self._books[version] = _book(Policy.from_document(document))
        return self._books[version]


def _book(policy: Policy) -> Book:
    """Return a policy version with its texts and calendar read."""
    return Book(policy, Writer(policy.wording), parse_calendar(policy.calendar))


@dataclass(frozen=True, slots=True)
class Desk:
    """Notify's instance.

    Attributes:
        store: its database.
        log: its own events.
        ports: product time, chance, ids, tasks.
        wall: the machine's time, by which receivers judge signatures.
        mail: how mails leave.
        http: how webhooks leave.
        outbound: where webhooks may go.
        books: policy versions.
        cursors: makes and reads cursors.
        mail_key: signs Message-IDs and reply addresses; intake verifies with the same key.
        endpoint_key: encrypts the secrets of endpoints.
        address: the desk's mail address.
        public_url: what links begin with.

    """

    store: Store
    log: Log
    ports: Ports
    wall: Clock
    mail: MailPort
    http: HttpPort
    outbound: OutboundRules
    books: Books
    cursors: Cursors
    mail_key: bytes
    endpoint_key: bytes
    address: str
    public_url: str

    def now(self) -> datetime:
        """Return the instant of product time."""
        return self.ports.clock.now()

    def chance(self) -> float:
        """Return a number from 0 up to, not including, 1."""
        # From the port and not from the library's own generator, so that a simulation can repeat a run.
        return int.from_bytes(self.ports.random.bytes(4), "big") / 2**32

"""The clients' side of the desk: asking until there is a definite answer, and the record of what was promised.

Whoever gets no answer asks again with the same key or sends the same mail again. So the record says for sure what the
desk has accepted; it is kept outside the product and is what the oracles hold against it.
"""

import asyncio
import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from firstline.common.permissions import Principal
from net import Answer, Lost
from world import DESK_ADDRESS, World

AGAIN = frozenset({429, 502, 503, 504})
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0
MOST_TRIES = 400
KEY_LIFE = timedelta(days=6)
"""How long the same key is asked for the same answer; the desk promises seven days."""


@dataclass(frozen=True)
class Request:
    """A request that a client was told is taken; the website shows no ID but the number."""

    marker: str
    id: str | None
    number: str
    who: str
    at: datetime


@dataclass(frozen=True)
class Message:
    """A message that its author was told is taken."""

    marker: str
    id: str
    ticket_id: str
    staff: bool


@dataclass(frozen=True)
class Mailed:
    """A mail for which the desk said 250, and what its sender may expect of it.

    `expected` is `request`, `message`, `held` or `robot`; `number` is the one that stands in the subject.
    """

    marker: str
    sha256: str
    sender: str
    expected: str
    number: str | None
    copies: int


@dataclass(frozen=True)
class Asked:
    """A word to the supervisor that its author was told is taken."""

    marker: str
    id: str
    number: str


@dataclass(frozen=True)
class ClaimTold:
    """A claim that a specialist was told is theirs."""

    ticket_id: str
    agent: str
    fence: int
    begins: datetime
    expires: datetime


@dataclass(frozen=True)
class Write:
    """A staff write that was taken under a claim's token: virtual seconds between which it happened."""

    ticket_id: str
    agent: str
    fence: int
    expires: datetime
    asked: float
    told: float
    now: datetime
    """The desk's clock when the answer came."""


@dataclass(frozen=True)
class Reading:
    """A clock as it was read."""

    ticket_id: str
    target: str
    elapsed: float
    as_of: datetime
    state: str
    hours: str
    """The policy version by whose hours it was counted."""


@dataclass
class Record:
    """What people outside know for sure."""

    requests: dict[str, Request] = field(default_factory=dict)
    messages: dict[str, Message] = field(default_factory=dict)
    written: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Replies by the website: to which number they were written, and under which they are shown."""

    splits: dict[str, str] = field(default_factory=dict)
    """Markers of requests that were split off, and the ID of the message that each was made of."""

    asked: dict[str, Asked] = field(default_factory=dict)
    supervised: dict[str, str] = field(default_factory=dict)
    ratings: dict[str, str] = field(default_factory=dict)
    """Words to the supervisor; answers to them, by the ID of what was asked; ratings, by the number of the request."""

    mails: dict[str, Mailed] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    claims: list[ClaimTold] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    answers: dict[tuple[str, str, str], tuple[str, int, bytes, datetime]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    """What was seen to be wrong at once."""

    did: Counter[str] = field(default_factory=Counter)
    """What people did, by kind."""


class Front:
    """How people reach the desk."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.record = Record()
        self.closing = False
        self.busy = 0
        self._marks = 0
        self._chance = world.stream("front")

    def mark(self) -> str:
        """Return a new word that stands in nothing else."""
        self._marks += 1
        return f"mk{self._marks:05}x"

    def now(self) -> datetime:
        """Return the time on the wall."""
        return self.world.times.now()

    async def ask(
        self, who: Principal, method: str, target: str, body: dict[str, Any] | None = None, key: str = "", **more: str
    ) -> Answer:
        """Ask until there is a definite answer; one key must always get the same.

        Raises:
            AssertionError: the desk does not recover.

        """
        sent = b"" if body is None else json.dumps(body).encode()
        headers = {**({"Idempotency-Key": key} if key else {}), **more}
        pause = FIRST_PAUSE
        for _ in range(MOST_TRIES):
            try:
                answer = await self.world.call(who, method, target, sent, **headers)
            except Lost:
                self.record.did["asked again: no answer"] += 1
            else:
                if answer.status not in AGAIN:
                    self._judge(who, target, key, sent, answer)
                    return answer
                self.record.did["asked again: refused for the moment"] += 1
            await asyncio.sleep(pause * (0.5 + self._chance.random()))
            pause = min(pause * 2, LONGEST_PAUSE)
        raise AssertionError(f"the desk does not recover: {method} {target}")

    def _judge(self, who: Principal, target: str, key: str, sent: bytes, answer: Answer) -> None:
        self.world.note("answer", f"{who.name} {target} {answer.status} {hashlib.sha256(answer.body).hexdigest()[:12]}")
        if answer.status >= 500:
            self.record.faults.append(f"P6: {target} answered {answer.status}: {answer.body[:300]!r}")
        if not key or answer.status >= 400:
            return
        place, digest = (who.id, target, key), hashlib.sha256(sent).hexdigest()
        known = self.record.answers.setdefault(place, (digest, answer.status, answer.body, self.now()))
        same = known[:3] == (digest, answer.status, answer.body)
        if not same and abs(self.now() - known[3]) < KEY_LIFE:
            self.record.faults.append(f"P3: {target} with key {key} answered {known[2]!r} and then {answer.body!r}")

    async def send(self, raw: bytes, sender: str, to: str = DESK_ADDRESS) -> int:
        """Send a mail until the desk says 250; return how many copies may have arrived."""
        pause = FIRST_PAUSE
        for copies in range(1, MOST_TRIES):
            try:
                said = await self.world.mail(raw, sender, (to,))
            except Lost:
                said = "none"
            if said.startswith("250"):
                return copies
            self.record.did["mailed again"] += 1
            await asyncio.sleep(pause * (0.5 + self._chance.random()))
            pause = min(pause * 2, LONGEST_PAUSE * 5)
        raise AssertionError("the desk takes no mail any more")


def mail_text(sender: str, subject: str, body: str, mark: str, **headers: str) -> bytes:
    """Return a mail as bytes."""
    head = {
        "From": sender,
        "To": DESK_ADDRESS,
        "Subject": subject,
        "Message-ID": f"<{mark}@people.example>",
        "Date": "Mon, 02 Mar 2026 08:00:00 +0000",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    lines = [f"{name}: {value}" for name, value in head.items()]
    return ("\r\n".join([*lines, "", body, ""])).encode()


def between(chance: Random, least: float, most: float) -> float:
    """Return a number between two, nearer to the lesser: people are mostly quick and sometimes slow."""
    return least + (most - least) * chance.random() ** 2

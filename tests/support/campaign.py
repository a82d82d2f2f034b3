"""Load on a desk whose parts are killed meanwhile, and the record of what its clients were told.

Whoever gets no answer asks again with the same Idempotency-Key, or sends the same mail again, until there is one. So
the record says for sure what the desk has accepted.
"""

import asyncio
import email
import random
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import aiosmtplib
import httpx
from live_desk import AnyDesk, mail

PATIENCE_SECONDS = 5
MAIL_PAUSE_SECONDS = 0.1
"""Between two mails of one sender, who gets no more than 60 answers an hour."""

SETTLE_SECONDS = 120
AGAIN = frozenset({429, 502, 503})
Act = Callable[[], Coroutine[Any, Any, None]]


@dataclass
class Record:
    """What the clients' side knows for sure, and how often it had to ask again."""

    accepted: dict[str, str] = field(default_factory=dict)
    mailed: set[str] = field(default_factory=set)
    said: dict[str, str] = field(default_factory=dict)
    people: dict[str, str] = field(default_factory=dict)
    resolved: set[str] = field(default_factory=set)
    claims: int = 0
    pages: int = 0
    unknown: int = 0
    refused: int = 0
    """Subjects sent and their ids; subjects mailed; further messages and their requests; people; requests resolved;
    claims; pages read; answers that were lost, and those that asked to come again."""

    def __str__(self) -> str:
        return (
            f"{len(self.accepted)} answers 201, {len(self.mailed)} answers 250, {len(self.said)} further messages,"
            f" {self.claims} claims, {len(self.resolved)} resolved, {len(self.people)} people, {self.pages} pages;"
            f" {self.unknown} answers lost and {self.refused} refused for the moment, all asked for again"
        )


@dataclass
class Load:
    """Clients, mailers, specialists and others who use a desk until they are told to stop."""

    desk: AnyDesk
    record: Record
    name: str
    pause: float = 0.0
    """Seconds of rest of each sender between two acts."""

    smtp_ports: Sequence[int] = ()
    stop: threading.Event = field(default_factory=threading.Event)
    chance: random.Random = field(default_factory=random.Random)

    async def run(self, acts: Sequence[Act]) -> None:
        """Do all acts at once, until each has ended what it began."""
        async with asyncio.TaskGroup() as group:
            for act in acts:
                group.create_task(act())

    def _http(self, role: str, subject: str, **more: str) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {self.desk.token(role, subject, **more)}"}
        return httpx.AsyncClient(base_url=self.desk.url, headers=headers, timeout=PATIENCE_SECONDS)

    async def _insist(
        self, http: httpx.AsyncClient, path: str, key: str, body: dict[str, Any], **headers: str
    ) -> httpx.Response:
        """Post with one key until there is an answer that isn't to come again."""
        headers = {"Idempotency-Key": key, **{name.replace("_", "-"): value for name, value in headers.items()}}
        while True:
            try:
                answer = await http.post(path, json=body, headers=headers)
            except httpx.TransportError:
                self.record.unknown += 1
                await asyncio.sleep(0.05)
                continue
            if _broke_off(answer):
                self.record.unknown += 1
            elif answer.status_code in AGAIN:
                self.record.refused += 1
            else:
                return answer
            await asyncio.sleep(0.1)

    def client(self, index: int, *, writes_again: float = 0.0) -> Act:
        """Return somebody who sends one request after another, and to some of them another message at once."""

        async def act() -> None:
            async with self._http("client", "kill") as http:
                number = 0
                while not self.stop.is_set():
                    subject = f"{self.name}c{index}-{number}"
                    answer = await self._insist(http, "/v1/tickets", subject, {"subject": subject, "body": "x"})
                    assert answer.status_code == 201, answer.text
                    ticket_id = self.record.accepted[subject] = answer.json()["id"]
                    if self.chance.random() < writes_again:
                        await self._say(http, ticket_id, f"{subject}-again")
                    number += 1
                    await asyncio.sleep(self.pause)

        return act

    async def _say(self, http: httpx.AsyncClient, ticket_id: str, key: str, **headers: str) -> None:
        body = {"body": key}
        answer = await self._insist(http, f"/v1/tickets/{ticket_id}/messages", key, body, **headers)
        assert answer.status_code == 201, answer.text
        self.record.said[answer.json()["id"]] = ticket_id

    def mailer(self, index: int, senders: Sequence[str]) -> Act:
        """Return somebody who sends one mail after another, from each address in turn.

        A mail without a 250 is sent again, the same one.
        """

        async def act() -> None:
            number = 0
            ports = self.smtp_ports or [self.desk.smtp_port]
            while not self.stop.is_set():
                subject = f"{self.name}m{index}-{number}"
                sender = senders[number % len(senders)]
                message = mail(sender, subject, "It is broken.", Message_ID=f"<{subject}@mail.example>")
                port = self.chance.choice(ports)
                try:
                    await aiosmtplib.send(
                        message, hostname="127.0.0.1", port=port, start_tls=False, timeout=PATIENCE_SECONDS
                    )
                except (aiosmtplib.SMTPException, OSError):
                    self.record.unknown += 1
                    await asyncio.sleep(0.05)
                    continue
                self.record.mailed.add(subject)
                number += 1
                await asyncio.sleep(max(self.pause, MAIL_PAUSE_SECONDS))

        return act

    def specialist(self, name: str) -> Act:
        """Return somebody who claims the next request, and answers it, resolves it or gives it back."""

        async def act() -> None:
            async with self._http("agent", name) as http:
                number = 0
                while not self.stop.is_set():
                    key = f"{self.name}{name}-{number}"
                    number += 1
                    claim = await self._insist(http, "/v1/queue/claims", key, {})
                    if claim.status_code == 201:
                        await self._serve(http, key, claim.json())
                    else:
                        assert claim.status_code == 204, claim.text
                    await asyncio.sleep(max(self.pause, 0.02))

        return act

    async def _serve(self, http: httpx.AsyncClient, key: str, claim: dict[str, Any]) -> None:
        self.record.claims += 1
        ticket_id, token, choice = claim["ticket_id"], claim["claim_token"], self.chance.random()
        if choice < 0.6:
            await self._say(http, ticket_id, f"{key}-answer", Claim_Token=token)
        elif choice < 0.9:
            path, words = f"/v1/tickets/{ticket_id}/resolve", {"body": f"{key}-resolved"}
            answer = await self._insist(http, path, f"{key}-resolve", words, Claim_Token=token)
            assert answer.status_code == 200, answer.text
            self.record.resolved.add(ticket_id)
        else:
            path = f"/v1/queue/claims/{ticket_id}/release"
            answer = await self._insist(http, path, f"{key}-release", {"fence": claim["fence"]})
            assert answer.status_code in (204, 409), answer.text  # 409: done already, and the answer was lost

    def newcomer(self) -> Act:
        """Return a supervisor who enters one person after another."""

        async def act() -> None:
            async with self._http("supervisor", "kill-boss") as http:
                number = 0
                while not self.stop.is_set():
                    address = f"{self.name}p{number}@people.example"
                    number += 1
                    person = {"email": address, "name": "Newcomer", "role": "client"}
                    answer = await self._insist(http, "/v1/people", address, person)
                    assert answer.status_code == 201, answer.text
                    self.record.people[address] = answer.json()["id"]
                    await asyncio.sleep(max(self.pause, 0.2))

        return act

    def visitor(self) -> Act:
        """Return somebody who looks at the website again and again."""

        async def act() -> None:
            async with httpx.AsyncClient(base_url=self.desk.url, timeout=PATIENCE_SECONDS) as http:
                while not self.stop.is_set():
                    with suppress(httpx.TransportError):
                        answer = await http.get("/sign-in")
                        self.record.pages += answer.status_code == 200
                        assert answer.status_code == 200 or answer.status_code >= 500, answer.text
                    await asyncio.sleep(0.2)

        return act


def _broke_off(answer: httpx.Response) -> bool:
    """Say whether the door in front lost its replica in the middle: its own error is no problem document."""
    return answer.status_code == 500 and not answer.headers["content-type"].startswith("application/problem")


@contextmanager
def under_load(load: Load, acts: Sequence[Act]) -> Iterator[None]:
    """Let all act beside the test's own steps; at the end wait until each has ended what it began."""
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(lambda: asyncio.run(load.run(acts)))
        try:
            yield
        finally:
            load.stop.set()
        running.result(SETTLE_SECONDS)


def introduce(desk: AnyDesk, addresses: Sequence[str]) -> None:
    """Make people known who are to write mails, because acknowledgements to strangers are capped."""
    with desk.api("supervisor", "kill-boss") as http:
        for address in addresses:
            person = {"email": address, "name": "Mailer", "role": "client"}
            assert http.post("/v1/people", json=person).status_code == 201


def everything(http: httpx.Client, path: str) -> list[dict[str, Any]]:
    """Return all items of a list, page by page."""
    items: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = http.get(path, params={"limit": 100, **({"cursor": cursor} if cursor else {})}).json()
        items += page["items"]
        cursor = page["next"]
        if cursor is None:
            return items


def judged(agent: httpx.Client) -> bool:
    """Say whether every mail that came in has its outcome."""
    return all(item["outcome"] for item in everything(agent, "/v1/mails"))


@lru_cache(maxsize=100_000)
def _heading(path: Path) -> tuple[str, str, bool]:
    """Return a captured mail's subject, its Message-ID, and whether it is an acknowledgement; files never change."""
    found = email.message_from_bytes(path.read_bytes())
    return str(found["Subject"]), str(found["Message-ID"]), found["Auto-Submitted"] == "auto-replied"


def acknowledgements(desk: AnyDesk) -> Counter[str]:
    """Return how many distinct acknowledgements each request's number has got."""
    told = {_heading(path) for path in (desk.data / "mail").glob("*.eml")}
    return Counter(subject.partition("[")[2].partition("]")[0] for subject, _, automatic in told if automatic)


def compare(desk: AnyDesk, agent: httpx.Client, record: Record) -> list[dict[str, Any]]:
    """Return the requests of a settled desk: each that was accepted is there once, and each is acknowledged once."""
    tickets = everything(agent, "/v1/tickets")
    found = Counter(ticket["subject"] for ticket in tickets)
    assert {subject for subject in (*record.accepted, *record.mailed) if found[subject] != 1} == set()
    assert set(record.accepted.values()) <= {ticket["id"] for ticket in tickets}
    told = acknowledgements(desk)
    assert {number: times for number, times in told.items() if times != 1} == {}
    assert set(told) == {ticket["number"] for ticket in tickets}
    return tickets

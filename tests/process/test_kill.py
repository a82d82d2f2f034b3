"""The whole desk killed with SIGKILL under load, again and again: nothing that was accepted is lost or doubled."""

import asyncio
import os
import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiosmtplib
import httpx
import pytest
from live_desk import LiveDesk, eventually, live_desk, mail

ROUNDS = int(os.environ.get("FIRSTLINE_KILL_ROUNDS", "4"))
CLIENTS, MAILERS = 8, 3
PAUSE_SECONDS = 0.1
"""Between two mails of one sender, who gets no more than 60 answers an hour."""

SETTLE_SECONDS = 120


@dataclass
class Record:
    """What the clients' side knows: subjects that were accepted, and those whose fate is unknown and is asked again."""

    accepted: dict[str, str] = field(default_factory=dict)
    mailed: set[str] = field(default_factory=set)
    unknown: int = 0


async def send_requests(desk: LiveDesk, token: str, name: str, record: Record, stop: asyncio.Event) -> None:
    """Send one request after another; one whose answer did not come is sent again with its key until it did."""
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=desk.url, headers=headers, timeout=5) as http:
        number = 0
        while not stop.is_set():
            subject = f"{name}-{number}"
            try:
                answer = await http.post(
                    "/v1/tickets", json={"subject": subject, "body": "x"}, headers={"Idempotency-Key": subject}
                )
            except httpx.TransportError:
                record.unknown += 1
                await asyncio.sleep(0.05)
                continue
            assert answer.status_code in (201, 503), answer.text
            if answer.status_code == 201:
                record.accepted[subject] = answer.json()["id"]
                number += 1


async def send_mails(desk: LiveDesk, sender: str, name: str, record: Record, stop: asyncio.Event) -> None:
    """Send one mail after another by SMTP; one without a 250 is sent again, the same one."""
    number = 0
    while not stop.is_set():
        subject = f"{name}-{number}"
        message = mail(sender, subject, "It is broken.", Message_ID=f"<{subject}@mail.example>")
        try:
            await aiosmtplib.send(message, hostname="127.0.0.1", port=desk.smtp_port, start_tls=False, timeout=5)
        except (aiosmtplib.SMTPException, OSError):
            record.unknown += 1
            await asyncio.sleep(0.05)
            continue
        record.mailed.add(subject)
        number += 1
        await asyncio.sleep(PAUSE_SECONDS)


async def one_round(desk: LiveDesk, token: str, number: int, record: Record, chance: random.Random) -> None:
    """Load the desk, kill it in the middle, start it again, and let the clients end what they began."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for i in range(CLIENTS):
            group.create_task(send_requests(desk, token, f"r{number}c{i}", record, stop))
        for i in range(MAILERS):
            group.create_task(send_mails(desk, mailer(number, i), f"r{number}m{i}", record, stop))
        await asyncio.sleep(chance.uniform(0.2, 1.2))
        await asyncio.to_thread(desk.kill)
        await asyncio.to_thread(desk.start)
        await asyncio.sleep(0.2)
        stop.set()


def mailer(number: int, index: int) -> str:
    """Return the address of somebody who writes mails in a round."""
    return f"mailer{index}-{number}@mail.example"


def introduce_mailers(desk: LiveDesk) -> None:
    """Make the mailers known people, because acknowledgements to strangers are capped."""
    with desk.api("supervisor", "kill-boss") as http:
        for number in range(ROUNDS):
            for index in range(MAILERS):
                person = {"email": mailer(number, index), "name": "Mailer", "role": "client"}
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


def acknowledgements(desk: LiveDesk) -> Counter[str]:
    """Return how many distinct acknowledgements each request's number has got."""
    told = {(str(m["Subject"]), m["Message-ID"]) for m in desk.mails() if m["Auto-Submitted"] == "auto-replied"}
    return Counter(subject.partition("[")[2].partition("]")[0] for subject, _ in told)


@pytest.mark.process
@pytest.mark.slow
def test_kills_under_load_lose_and_double_nothing(tmp_path: Path) -> None:
    """Every 201 and every 250 is one request, in the queue once and acknowledged once, whatever was killed when."""
    seed = random.randrange(2**32)
    chance, record = random.Random(seed), Record()
    with live_desk(tmp_path / "desk") as desk:
        token = desk.token("client", "kill")
        introduce_mailers(desk)
        for number in range(ROUNDS):
            asyncio.run(one_round(desk, token, number, record, chance))
        with desk.api("agent", "counter") as agent:
            count(desk, agent, record, f"seed {seed}: {ROUNDS} kills")


def count(desk: LiveDesk, agent: httpx.Client, record: Record, title: str) -> None:
    """Compare what the desk holds, once it has settled, with what the clients know."""
    eventually(lambda: judged(agent), SETTLE_SECONDS)
    tickets = everything(agent, "/v1/tickets")
    numbers = {ticket["number"] for ticket in tickets}
    eventually(lambda: len(acknowledgements(desk)) == len(numbers), SETTLE_SECONDS)
    eventually(lambda: len(everything(agent, "/v1/queue")) == len(numbers), SETTLE_SECONDS)

    found = Counter(ticket["subject"] for ticket in tickets)
    print(f"{title}, {len(record.accepted)} answers 201, {len(record.mailed)} answers 250,")
    print(f"{record.unknown} answers lost and asked for again, {len(tickets)} requests")
    assert record.unknown > 0, "no kill hit a request: the load was too light"
    assert {subject for subject in (*record.accepted, *record.mailed) if found[subject] != 1} == set()
    assert set(record.accepted.values()) <= {ticket["id"] for ticket in tickets}
    assert {number: times for number, times in acknowledgements(desk).items() if times != 1} == {}
    assert Counter(entry["number"] for entry in everything(agent, "/v1/queue")) == Counter(numbers)


def judged(agent: httpx.Client) -> bool:
    """Say whether every mail that came in has its outcome."""
    return all(item["outcome"] for item in everything(agent, "/v1/mails"))

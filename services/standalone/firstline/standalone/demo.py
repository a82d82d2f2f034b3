"""A working day on a desk of its own: requests by API and mail, specialists at work, clients who reply and reopen.

Everything goes through the desk's own doors (HTTP, SMTP); only time is moved by hand.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage, Message
from pathlib import Path
from typing import Any

import aiosmtplib
import httpx

from firstline.common.permissions import Principal, Role
from firstline.common.ports import SystemClock
from firstline.common.settings import Settings
from firstline.standalone.server import Served, served_desk

DAY = datetime(2026, 3, 2, tzinfo=UTC)
"""A Monday."""

FIRST_TICK, LAST_TICK = timedelta(hours=5, minutes=30), timedelta(hours=16, minutes=30)
TICK = timedelta(minutes=15)
OPENING, CLOSING = timedelta(hours=6), timedelta(hours=16)
REQUESTS = 24
EVERY_THIRD_BY_MAIL = 3
URGENT = (4, 10, 13, 19)
REPLYING = (1, 3, 5, 6, 8, 9)
REOPENING = (2, 7)
SPECIALISTS = ("anna", "ben")
TOKEN_LIFE = timedelta(hours=1)

SUBJECTS = (
    ("White page after the update", "updates"),
    ("Reports load slowly since Friday", "performance"),
    ("Where is the licence key entered?", "installation"),
    ("Search finds no older orders", "usage"),
    ("Method returns other fields than documented", "development"),
    ("Mail from the site goes to spam", "hosting"),
)


@dataclass(slots=True)
class Request:
    """A request of the day and what has happened to it."""

    index: int
    subject: str
    address: str
    by_mail: bool
    urgent: bool
    at: datetime
    id: str = ""
    number: str = ""
    answered: list[datetime] = field(default_factory=list)
    replied_by_mail: bool = False
    reopened: bool = False
    status: str = ""


@dataclass(slots=True)
class Day:
    """The desk and its day so far."""

    served: Served
    http: httpx.AsyncClient
    tokens: dict[str, str]
    requests: list[Request]
    mail_folder: Path
    now: datetime = DAY
    out_of_turn: int = 0
    tell: Callable[[str], None] = print

    async def call(self, who: str, method: str, path: str, **more: Any) -> httpx.Response:
        """Call the API as somebody.

        Raises:
            httpx.HTTPStatusError: the desk refused.

        """
        headers = {"Authorization": f"Bearer {self.tokens[who]}", **more.pop("headers", {})}
        answer = await self.http.request(method, path, headers=headers, **more)
        answer.raise_for_status()
        return answer

    async def move(self, instant: datetime) -> None:
        """Move time and let everything that is due happen."""
        self.now = instant
        await self.call("anna", "PUT", "/v1/dev/clock", json={"now": instant.isoformat()})

    async def mail(self, mail: EmailMessage) -> None:
        """Send a mail to the desk and let it be judged."""
        await aiosmtplib.send(mail, hostname="127.0.0.1", port=self.served.smtp_port, start_tls=False)
        await self.move(self.now)

    def sent(self) -> list[Message]:
        """Return the mails that the desk has sent."""
        return [message_from_bytes(path.read_bytes()) for path in sorted(self.mail_folder.glob("*.eml"))]


async def play(data: Path, tell: Callable[[str], None]) -> None:
    """Play the day on a new desk in a folder, and tell what happened.

    Raises:
        httpx.HTTPStatusError: the desk refused something that it should take.

    """
    # Not from the environment: the demo must neither send real mail nor speak to another desk.
    settings = Settings.model_construct(data=data, port=0, smtp_port=0, clock="manual")
    async with served_desk(settings) as served, httpx.AsyncClient(base_url=served.url, timeout=30) as http:
        day = Day(served, http, _tokens(served), _plan(), data / "mail", tell=tell)
        tell(f"A desk runs at {served.url}. It is Monday, {DAY:%d %B %Y}; the day takes some seconds.")
        tick = FIRST_TICK
        # In product time, so that a day takes as long as its work and is the same each time.
        while tick <= LAST_TICK:
            await day.move(DAY + tick)
            await _arrivals(day)
            if OPENING <= tick < CLOSING:
                await _work(day)
            tick += TICK
        await _report(day)


def _tokens(served: Served) -> dict[str, str]:
    """Return tokens of the day's specialists and clients, whom accounts need not know."""
    # Signed by the desk's own key: services believe a token, so the day needs no accounts for its people.
    signer = served.desk.keys.signer(SystemClock())
    people = [Principal(name, Role.AGENT, f"{name}@firstline.example", name=name.title()) for name in SPECIALISTS]
    people += [Principal(f"client-{i}", Role.CLIENT, _address(i), name=f"Client {i}") for i in range(REQUESTS)]
    return {person.id: signer.token(person, TOKEN_LIFE) for person in people}


def _address(index: int) -> str:
    """Return a client's mail address."""
    return f"client{index}@shop.example"


def _plan() -> list[Request]:
    """Return the day's requests: a third by mail, four urgent, spread from before opening until the afternoon."""
    requests = []
    for index in range(REQUESTS):
        subject, _ = SUBJECTS[index % len(SUBJECTS)]
        urgent = index in URGENT
        at = DAY + FIRST_TICK + index * timedelta(minutes=22)
        by_mail = index % EVERY_THIRD_BY_MAIL == 0
        title = f"Shop {index} is down" if urgent else subject
        requests.append(Request(index, title, _address(index), by_mail, urgent, at))
    return requests


async def _arrivals(day: Day) -> None:
    """Let the requests come in whose time has come, each by its own way."""
    for request in day.requests:
        if request.number or request.at > day.now:
            continue
        if request.by_mail:
            await _arrive_by_mail(day, request)
        else:
            await _arrive_by_api(day, request)


async def _arrive_by_api(day: Day, request: Request) -> None:
    """Send a request by the API."""
    topic = SUBJECTS[request.index % len(SUBJECTS)][1]
    body = {"subject": request.subject, "body": "Please look into it.", "topic": topic}
    if request.urgent:
        body["recovery"] = "full"
    answer = await day.call(f"client-{request.index}", "POST", "/v1/tickets", json=body)
    request.id, request.number = answer.json()["id"], answer.json()["number"]


async def _arrive_by_mail(day: Day, request: Request) -> None:
    """Send a request by mail; one of them twice, and to one a stranger writes."""
    mail = _mail(request.address, request.subject, "Please look into it.", f"<first{request.index}@shop.example>")
    await day.mail(mail)
    if request.index == 0:
        await day.mail(mail)  # the same mail a second time: a duplicate
    found = await day.call("anna", "GET", "/v1/tickets", params={"requester": request.address})
    (ticket,) = found.json()["items"]
    request.id, request.number = ticket["id"], ticket["number"]
    if request.index == EVERY_THIRD_BY_MAIL:
        subject = f"Re: [{request.number}] {request.subject}"
        await day.mail(_mail("stranger@else.example", subject, "Tell me more.", "<stranger@else.example>"))


def _mail(sender: str, subject: str, body: str, message_id: str) -> EmailMessage:
    """Return a plain mail to the desk."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, "support@firstline.example", subject
    mail["Message-ID"] = message_id
    mail.set_content(body)
    return mail


async def _work(day: Day) -> None:
    """Let each specialist take the next request and answer it; clients react at once."""
    for who in SPECIALISTS:
        taken = await day.call(who, "POST", "/v1/queue/claims", json={})
        if taken.status_code == httpx.codes.NO_CONTENT:
            return
        claim = taken.json()
        request = next(r for r in day.requests if r.id == claim["ticket_id"])
        day.out_of_turn += request.urgent and not request.answered
        await _answer(day, who, request, claim["claim_token"])
        # Time stands, and moving it to where it is returns when
        # events have settled: the next one sees what this one did.
        await day.move(day.now)
        await _react(day, request)


async def _answer(day: Day, who: str, request: Request, token: str) -> None:
    """Answer a claimed request: ask back where the client is to reply, else solve it."""
    path, headers = f"/v1/tickets/{request.id}", {"Claim-Token": token}
    if request.urgent and not request.answered:
        urgency = {"urgency": "high", "reason": "The shop is down."}
        await day.call(who, "POST", f"{path}/triage", json=urgency, headers=headers)
    waits_for_reply = request.index in REPLYING and not request.replied_by_mail
    body = "Which version is it?" if waits_for_reply else "It is mended; please look."
    verb = "messages" if waits_for_reply else "resolve"
    await day.call(who, "POST", f"{path}/{verb}", json={"body": body}, headers=headers)
    if waits_for_reply:
        await day.call(who, "POST", f"{path}/wait", json={"cause": "client"}, headers=headers)
    request.answered.append(day.now)


async def _react(day: Day, request: Request) -> None:
    """Let the client reply by mail to a question, or reopen what was resolved too early."""
    if request.index in REPLYING and not request.replied_by_mail:
        asked = [mail for mail in day.sent() if request.number in str(mail["Subject"])][-1]
        reply = _mail(request.address, f"Re: {asked['Subject']}", "24.100", f"<reply{request.index}@shop.example>")
        reply["In-Reply-To"] = asked["Message-ID"]
        await day.mail(reply)
        request.replied_by_mail = True
    elif request.index in REOPENING and not request.reopened:
        text = {"body": "It came back after an hour."}
        await day.call(f"client-{request.index}", "POST", f"/v1/tickets/{request.id}/reopen", json=text)
        request.reopened = True
        await day.move(day.now)


async def _report(day: Day) -> None:
    """Print the day as a table, from what the desk itself says of it."""
    for request in day.requests:
        answer = await day.call("anna", "GET", f"/v1/tickets/{request.id}")
        request.status = answer.json()["status"]
    day.tell("")
    day.tell(f"{'ID':<13} {'came':<6} {'by':<5} {'urgency':<8} {'1st answer':<11} {'what happened':<38} status")
    for request in day.requests:
        day.tell(_line(request))
    mails = (await day.call("anna", "GET", "/v1/mails", params={"limit": 100})).json()["items"]
    outcomes = {o: sum(mail["outcome"] == o for mail in mails) for o in ("new_ticket", "appended", "quarantined")}
    acknowledged = [await _acknowledgements(day, request) for request in day.requests]
    rows = {
        "requests accepted": len(day.requests),
        "of them by mail": outcomes["new_ticket"],
        "acknowledged exactly once": sum(len(message_ids) == 1 for message_ids in acknowledged),
        "client replies by mail appended": outcomes["appended"],
        "strangers' mails held": outcomes["quarantined"],
        "duplicates recognised": sum(mail["outcome"] == "duplicate" for mail in mails),
        "urgent requests taken out of turn": day.out_of_turn,
        "reopened": sum(request.reopened for request in day.requests),
        "mails sent": len(day.sent()),
    }
    day.tell("")
    for title, count in rows.items():
        day.tell(f"{title:<42} {count:>4}")


async def _acknowledgements(day: Day, request: Request) -> set[str]:
    """Return the Message-IDs of a request's acknowledgements."""
    wanted = {"ticket_id": request.id, "channel": "mail", "state": "sent"}
    told = (await day.call("anna", "GET", "/v1/deliveries", params=wanted)).json()["items"]
    return {delivery["message_id"] for delivery in told if delivery["kind"].startswith("acknowledgement")}


def _line(request: Request) -> str:
    """Return a request's line in the report."""
    happened = []
    if request.replied_by_mail:
        happened.append("replied by mail")
    if request.reopened:
        happened.append("reopened")
    happened.append(f"{len(request.answered)} answer{'s' if len(request.answered) != 1 else ''}")
    first = f"{request.answered[0]:%H:%M}" if request.answered else "-"
    urgency = "high" if request.urgent else "normal"
    way = "mail" if request.by_mail else "API"
    story = ", ".join(happened)
    return f"{request.number:<13} {request.at:%H:%M}  {way:<5} {urgency:<8} {first:<11} {story:<38} {request.status}"

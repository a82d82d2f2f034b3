"""The people around the desk over days: clients who ask, answer, fall silent and come back; specialists; a supervisor.

Among them a robot that answers every mail, a stranger who knows a number, and software that sends what is refused.
"""

import asyncio
import hashlib
import math
import re
from collections.abc import Coroutine
from contextvars import Context
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from firstline.common.permissions import Principal
from front import ClaimTold, Front, Mailed, Message, Reading, Request, Write, between, mail_text
from net import Answer
from stage import Cast
from visitors import Visitors
from world import World

HOUR, DAY = 3600.0, 86_400.0
BY_HOUR = (1, 1, 1, 1, 2, 4, 8, 14, 20, 22, 20, 16, 14, 18, 20, 18, 12, 8, 6, 5, 4, 3, 2, 1)
"""How many requests come in at each hour of a day, in proportion."""

NUMBER = re.compile(rb"^Subject: .*\[(FL-\w{4}-\w{4})\]", re.MULTILINE)
ROBOT, STRANGER = "robot@machines.example", "stranger@elsewhere.example"
TOPICS = (None, None, "installation", "performance", "updates.failed_update", "recovery", "hosting", "other")
FIRST_REACTIONS = 3
MOST_OF_A_ROBOT = 16


@dataclass
class Habits:
    """How busy a seed's days are."""

    days: float
    requests_a_day: float
    mail_share: float = 0.35
    web_share: float = 0.2
    api_again: float = 0.15
    """Shares of requests that come by mail, of the others that come by the website, of those by the API sent again."""


@dataclass
class Case:
    """A client's request as the client knows it."""

    who: Principal
    number: str
    id: str | None
    reactions: int = FIRST_REACTIONS
    by_web: bool = False


@dataclass
class People:
    """Everybody outside, and what they do."""

    front: Front
    cast: Cast
    habits: Habits
    cases: dict[str, Case] = field(default_factory=dict)
    awaited: dict[str, Principal] = field(default_factory=dict)
    """Senders of mails whose number is not known yet, by address."""

    ended: list[str] = field(default_factory=list)
    """Numbers of requests that were resolved or closed, whatever came of them later."""

    def __post_init__(self) -> None:
        self.world: World = self.front.world
        self.world.post.arrived = self._arrived
        self._at_work = 0
        self._staff = [self.world.stream(f"staff {name}") for name in range(len(self.cast.specialists) + 1)]
        self._clients = self.world.stream("clients")
        self._browsing = self.world.stream("browsing")
        self._robot = self.world.stream("robot")
        self._visitors = Visitors(self.front)

    def start(self) -> None:
        """Let everybody begin."""
        for at in self._arrivals(self.world.stream("arrivals")):
            self.later(at, self._ask())
        for number, who in enumerate(self.cast.specialists):
            self.begin(self._serve(who, self._staff[number]))
        self.begin(self._supervise(self._staff[-1]))
        trouble = self.world.stream("trouble")
        for _ in range(max(1, round(self.habits.days * 2))):
            self.later(trouble.random() * self.habits.days * DAY, self._send_nonsense(trouble))
            self.later(trouble.random() * self.habits.days * DAY, self._send_as_stranger(trouble))
        if trouble.random() < 0.2:
            self.later(trouble.random() * self.habits.days * DAY, self._send_as_robot())

    def _arrivals(self, chance: Random) -> list[float]:
        """Draw the instants at which requests come in: more by day than by night, in virtual seconds."""
        found, place = [], 0.0
        rate = self.habits.requests_a_day / DAY * 24 * max(BY_HOUR) / sum(BY_HOUR)
        while (place := place - math.log(1 - chance.random()) / rate) < self.habits.days * DAY:
            hour = (self.world.scene.start + timedelta(seconds=place)).hour
            if chance.random() < BY_HOUR[hour] / max(BY_HOUR):
                found.append(place)
        return found

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Let somebody do something from now on."""

        async def counted() -> None:
            self._at_work += 1
            try:
                await work
            finally:
                self._at_work -= 1

        self.world.loop.create_task(counted(), name="person", context=Context())

    def later(self, seconds: float, work: Coroutine[Any, Any, None]) -> None:
        """Do something after a while, but for what would begin when all are about to go home."""
        self.world.loop.call_later(seconds, self._begin_unless_closing, work, context=Context())

    def _begin_unless_closing(self, work: Coroutine[Any, Any, None]) -> None:
        if self.front.closing:
            work.close()
        else:
            self.begin(work)

    async def finish(self) -> None:
        """Let everybody end what they have begun, and begin nothing new."""
        self.front.closing = True
        while self._at_work:
            await asyncio.sleep(30)

    # -- clients

    async def _ask(self) -> None:
        chance = self._clients
        who = self.cast.clients[int(chance.random() * len(self.cast.clients))]
        marker = self.front.mark()
        if chance.random() < self.habits.mail_share:
            await self._ask_by_mail(who, marker)
        elif self._browsing.random() < self.habits.web_share:
            await self._ask_by_web(who, marker)
        else:
            await self.ask_by_api(who, marker, chance)

    async def ask_by_api(self, who: Principal, marker: str, chance: Random) -> None:
        """Ask by the API: twice at once now and then, or again with the same key later."""
        body: dict[str, Any] = {"subject": f"Request {marker}", "body": f"It is broken. {marker}"}
        topic = TOPICS[int(chance.random() * len(TOPICS))]
        if topic:
            body["topic"] = topic
        if chance.random() < 0.15:
            body["recovery"] = "full"
        if chance.random() < 0.1:  # impatient: the same twice at once
            answer, _ = await asyncio.gather(
                self.front.ask(who, "POST", "/v1/tickets", body, marker),
                self.front.ask(who, "POST", "/v1/tickets", body, marker),
            )
            self.front.record.did["asked twice at once"] += 1
        else:
            answer = await self.front.ask(who, "POST", "/v1/tickets", body, marker)
        self._taken(who, marker, answer)
        if chance.random() < self.habits.api_again:
            self.later(between(chance, 60, 2 * DAY), self._ask_again(who, marker, body))

    def _taken(self, who: Principal, marker: str, answer: Answer) -> None:
        if answer.status != 201:
            self.front.record.faults.append(f"P1: {marker} was answered {answer.status}: {answer.body!r}")
            return
        made = answer.json()
        self.front.record.requests[marker] = Request(marker, made["id"], made["number"], who.email, self.front.now())
        self.front.record.did["requests by API"] += 1
        self.cases[made["number"]] = Case(who, made["number"], made["id"])

    async def _ask_again(self, who: Principal, marker: str, body: dict[str, Any]) -> None:
        """Send a request once more: the same gets the same answer, another one under the same key is refused."""
        await self.front.ask(who, "POST", "/v1/tickets", body, marker)
        other = self.front.mark()
        changed = {**body, "body": f"Something else. {other}"}
        answer = await self.front.ask(who, "POST", "/v1/tickets", changed, marker)
        self.front.record.did["asked again with the key"] += 1
        if answer.status != 422:
            self.front.record.faults.append(f"P3: another body with the key {marker} was answered {answer.status}")
        else:
            self.front.record.refused[other] = answer.status

    async def _ask_by_mail(self, who: Principal, marker: str) -> None:
        self.awaited[who.email] = who
        raw = mail_text(who.email, f"Request {marker}", f"It is broken. {marker}", marker)
        await self._mail(raw, who.email, marker, "request", None)
        self.front.record.did["requests by mail"] += 1

    async def _ask_by_web(self, who: Principal, marker: str) -> None:
        fields = {"subject": f"Request {marker}", "body": f"It is broken. {marker}", "recovery": "none"}
        number = await self._visitors.fill_in(who, "/requests/new", "/requests", **fields)
        self.front.record.requests[marker] = Request(marker, None, number, who.email, self.front.now())
        self.front.record.did["requests by web"] += 1
        self.cases[number] = Case(who, number, None, by_web=True)

    async def _answer_by_web(self, case: Case, marker: str) -> None:
        page = f"/requests/{case.number}"
        number = await self._visitors.fill_in(case.who, page, f"{page}/reply", body=f"I add this. {marker}")
        self.front.record.written[marker] = (case.number, number)
        self.front.record.did["replies by web"] += 1

    async def _mail(self, raw: bytes, sender: str, marker: str, expected: str, number: str | None) -> None:
        copies = await self.front.send(raw, sender)
        digest = hashlib.sha256(raw).hexdigest()
        self.front.record.mails[marker] = Mailed(marker, digest, sender, expected, number, copies)

    def _arrived(self, mail: bytes, mail_from: str, address: str) -> None:
        """Let whoever got a mail of the desk react to it after a while."""
        found = NUMBER.search(mail.partition(b"\r\n\r\n")[0].replace(b"\r\n ", b" "))
        if found is None or self.front.closing:
            return
        number = found[1].decode()
        chance = self._clients
        if address == ROBOT:
            if self.front.record.did["robots' mails"] > MOST_OF_A_ROBOT:
                return
            self.later(between(self._robot, 1, 60), self._answer_as_robot(number))
            return
        case = self.cases.get(number)
        if case is None and address in self.awaited:
            case = self.cases[number] = Case(self.awaited[address], number, None)
        if case is None or case.who.email != address or b"Auto-Submitted: auto-replied" in mail:
            return
        if case.reactions > 0 and chance.random() < 0.6:
            case.reactions -= 1
            self.later(between(chance, 120, 14 * HOUR), self._react(case, chance))

    async def _react(self, case: Case, chance: Random) -> None:
        """Answer by mail or API, come back to what was ended, close what was solved, or be away and say so."""
        marker, choice = self.front.mark(), chance.random()
        if case.by_web and choice < 0.7:
            await self._answer_by_web(case, marker)
        elif choice < 0.35 or case.id is None:
            raw = mail_text(case.who.email, f"Re: [{case.number}] Request", f"I add this. {marker}", marker)
            await self._mail(raw, case.who.email, marker, "message", case.number)
            self.front.record.did["replies by mail"] += 1
        elif choice < 0.45:
            raw = mail_text(
                case.who.email, f"Away: [{case.number}]", f"I am away. {marker}", marker, Auto_Submitted="auto-replied"
            )
            await self._mail(raw, case.who.email, marker, "message", case.number)
            self.front.record.did["vacation answers"] += 1
        elif choice < 0.9:
            await self.say(case.who, case.id, marker, "messages", {"body": f"I add this. {marker}"})
        else:
            body = {"reason": "resolved", "body": f"Thank you. {marker}"}
            await self.say(case.who, case.id, marker, "close", body)

    async def say(
        self, who: Principal, ticket_id: str, marker: str, verb: str, body: dict[str, Any], **headers: str
    ) -> Answer:
        """Use a verb of a request, given by its ID or number, and note what came of it."""
        answer = await self.front.ask(who, "POST", f"/v1/tickets/{ticket_id}/{verb}", body, marker, **headers)
        record, staff = self.front.record, who.is_staff
        record.did[f"{'staff' if staff else 'client'}: {verb} {answer.status}"] += 1
        if answer.status >= 400:
            record.refused[marker] = answer.status
        elif verb in ("resolve", "close"):
            self.ended.append(answer.json()["number"])
        elif verb == "messages":
            made = answer.json()
            record.messages[marker] = Message(marker, made["id"], made["ticket"]["id"], staff)
        return answer

    # -- trouble

    async def _send_nonsense(self, chance: Random) -> None:
        """Send what has to be refused and must leave no trace."""
        who = self.cast.clients[0]
        marker = self.front.mark()
        bodies: list[dict[str, Any]] = [
            {"subject": f"{marker}", "body": ""},
            {"subject": f"{marker}", "body": marker, "topic": "gardening"},
            {"subject": f"{marker}", "body": marker, "channel": "phone"},
            {"subject": f"{marker}", "body": marker, "attachment_ids": ["nothing"]},
        ]
        body = bodies[int(chance.random() * len(bodies))]
        answer = await self.front.ask(who, "POST", "/v1/tickets", body, marker)
        self.front.record.did["nonsense"] += 1
        if answer.status < 400:
            self.front.record.faults.append(f"P5: {body} was answered {answer.status}")
        else:
            self.front.record.refused[marker] = answer.status

    def _any_number(self, chance: Random) -> str | None:
        known = sorted(self.cases)
        return known[int(chance.random() * len(known))] if known else None

    async def _send_as_stranger(self, chance: Random) -> None:
        """Write to somebody else's request by its number."""
        number = self._any_number(chance)
        if number is None:
            return
        marker = self.front.mark()
        raw = mail_text(STRANGER, f"Re: [{number}] Request", f"Tell me more. {marker}", marker)
        await self._mail(raw, STRANGER, marker, "held", number)
        self.front.record.did["strangers' mails"] += 1

    async def _send_as_robot(self) -> None:
        """Be a machine that does not say so and answers whatever comes."""
        marker = self.front.mark()
        raw = mail_text(ROBOT, f"Request {marker}", f"Beep. {marker}", marker)
        await self._mail(raw, ROBOT, marker, "request", None)
        self.front.record.did["robots' mails"] += 1

    async def _answer_as_robot(self, number: str) -> None:
        """Answer, and lose the ID now and then, so that a new request comes of it."""
        marker = self.front.mark()
        subject = f"Re: [{number}] Request" if self._robot.random() < 0.2 else f"Request {marker}"
        raw = mail_text(ROBOT, subject, f"Beep. {marker}", marker)
        await self._mail(raw, ROBOT, marker, "robot", number)
        self.front.record.did["robots' mails"] += 1

    # -- staff

    async def sleep(self, seconds: float) -> bool:
        """Wait, in portions that let everybody go home; say whether there is more work to do."""
        while seconds > 0 and not self.front.closing:
            await asyncio.sleep(min(seconds, 1800))
            seconds -= 1800
        return not self.front.closing

    async def _serve(self, who: Principal, chance: Random) -> None:
        """Work in shifts; be away for a whole day now and then, with or without what one holds."""
        while not self.front.closing:
            begin = 6 * HOUR + chance.random() * 5 * HOUR
            now = self.front.now()
            today = now.hour * HOUR + now.minute * 60
            if not await self.sleep((begin - today) % DAY):
                return
            if chance.random() < 0.2:
                self.front.record.did["days of vacation"] += 1
                await self.sleep(12 * HOUR)
                continue
            await self._shift(who, chance, self.world.loop.time() + between(chance, 5 * HOUR, 9 * HOUR))

    async def _shift(self, who: Principal, chance: Random, end: float) -> None:
        while self.world.loop.time() < end and not self.front.closing:
            claim = await self._claim(who, chance)
            if claim is not None:
                await self._work(who, claim, chance)
            elif not await self.sleep(between(chance, 5 * 60, 70 * 60)):
                return

    async def _claim(self, who: Principal, chance: Random) -> dict[str, Any] | None:
        wish: dict[str, Any] = {}
        choice = chance.random()
        if choice < 0.1:
            wish = {"tier": "helpdesk"}
        elif choice < 0.2 and self.cases:
            wish = {"ticket_id": self._any_number(chance)}
        return await self.claim(who, wish)

    async def claim(self, who: Principal, wish: dict[str, Any]) -> dict[str, Any] | None:
        """Claim what is wished for; return the claim, None where there is none."""
        key = self.front.mark()
        answer = await self.front.ask(who, "POST", "/v1/queue/claims", wish, key)
        self.front.record.did[f"claims {answer.status}"] += 1
        if answer.status != 201:
            return None
        claim: dict[str, Any] = answer.json()
        self._note_claim(who, claim)
        return claim

    def _note_claim(self, who: Principal, claim: dict[str, Any]) -> None:
        expires = datetime.fromisoformat(claim["lease_expires_at"])
        told = ClaimTold(claim["ticket_id"], who.id, claim["fence"], self.front.now(), expires)
        self.front.record.claims.append(told)

    async def _work(self, who: Principal, claim: dict[str, Any], chance: Random) -> None:
        """Think about a request, then answer, ask, wait, solve, note, judge, give it back, or forget about it."""
        await asyncio.sleep(between(chance, 30, 45 * 60))
        if chance.random() < 0.15:
            claim = await self._renew(who, claim) or claim
        marker, choice = self.front.mark(), chance.random()
        ticket_id, token = claim["ticket_id"], claim["claim_token"]
        words = f"Do this. {marker}"
        if choice < 0.4:
            await self.act(who, claim, marker, "messages", {"body": words})
        elif choice < 0.6:
            await self.act(who, claim, marker, "resolve", {"body": words} if chance.random() < 0.7 else {})
        elif choice < 0.72:
            cause = ("client", "third_party", "release")[int(chance.random() * 3)]
            answer = await self.act(who, claim, marker, "wait", {"cause": cause})
            if answer.status == 200 and cause != "client":
                self.later(between(chance, HOUR, DAY), self._resume(who, ticket_id))
        elif choice < 0.8:
            urgency = "high" if chance.random() < 0.5 else "normal"
            await self.act(who, claim, marker, "triage", {"urgency": urgency, "reason": f"Seen. {marker}"})
            await self.release(who, claim)
        elif choice < 0.88:
            await self.say(who, ticket_id, marker, "messages", {"body": words, "audience": "internal"})
            await self.release(who, claim)
        elif choice < 0.93:
            await self.act(who, claim, marker, "close", {"reason": "no_licence", "body": words})
        else:
            self.front.record.did["claims forgotten"] += 1
            if chance.random() < 0.5:  # and remembered too late
                await asyncio.sleep(between(chance, 25 * 60, 2 * HOUR))
                await self.act(who, claim, marker, "messages", {"body": words}, token=token)

    async def act(
        self,
        who: Principal,
        claim: dict[str, Any],
        marker: str,
        verb: str,
        body: dict[str, Any],
        token: str | None = None,
    ) -> Answer:
        """Use a verb under a claim, and note when."""
        asked = self.world.loop.time()
        headers = {"Claim-Token": token or claim["claim_token"]}
        answer = await self.say(who, claim["ticket_id"], marker, verb, body, **headers)
        if answer.status < 400:
            expires = datetime.fromisoformat(claim["lease_expires_at"])
            write = Write(
                claim["ticket_id"],
                who.id,
                claim["fence"],
                expires,
                asked,
                self.world.loop.time(),
                self.front.now(),
            )
            self.front.record.writes.append(write)
        return answer

    async def _renew(self, who: Principal, claim: dict[str, Any]) -> dict[str, Any] | None:
        answer = await self.front.ask(who, "POST", f"/v1/queue/claims/{claim['ticket_id']}/renew", {})
        self.front.record.did[f"renewals {answer.status}"] += 1
        if answer.status != 200:
            return None
        renewed: dict[str, Any] = answer.json()
        self._note_claim(who, renewed)
        return renewed

    async def release(self, who: Principal, claim: dict[str, Any]) -> None:
        """Give a claim back."""
        path = f"/v1/queue/claims/{claim['ticket_id']}/release"
        answer = await self.front.ask(who, "POST", path, {"fence": claim["fence"]})
        self.front.record.did[f"releases {answer.status}"] += 1

    async def _resume(self, who: Principal, ticket_id: str) -> None:
        await self.say(who, ticket_id, self.front.mark(), "resume", {})

    async def _supervise(self, chance: Random) -> None:
        """Look at the queue and the clocks now and then, hand work to others, and send failed mails again."""
        who = self.cast.supervisor
        while await self.sleep(between(chance, HOUR, 8 * HOUR)):
            queue = (await self.front.ask(who, "GET", "/v1/queue?limit=20")).json()["items"]
            await self._read_clocks(who, chance)
            held = [entry for entry in queue if entry["claimed_by"]]
            if held and chance.random() < 0.5:
                entry = held[int(chance.random() * len(held))]
                other = self.cast.specialists[int(chance.random() * len(self.cast.specialists))]
                path = f"/v1/queue/claims/{entry['ticket_id']}/transfer"
                answer = await self.front.ask(who, "POST", path, {"agent": other.id})
                self.front.record.did[f"transfers {answer.status}"] += 1

    async def _read_clocks(self, who: Principal, chance: Random) -> None:
        known = sorted(request.id for request in self.front.record.requests.values() if request.id)
        if not known:
            return
        wanted = [known[int(chance.random() * len(known))] for _ in range(3)]
        answer = await self.front.ask(who, "GET", f"/v1/clocks?ticket_ids={','.join(dict.fromkeys(wanted))}")
        if answer.status != 200:
            return
        for clock in answer.json()["items"]:
            as_of, hours = datetime.fromisoformat(clock["as_of"]), clock["hours_version"]
            self.front.record.readings.append(
                Reading(clock["ticket_id"], clock["target"], clock["elapsed_minutes"], as_of, clock["state"], hours)
            )

"""What happens now and then in the days of a desk, beside its daily work; all drawn from a stream of its own.

Requests are split, merged and taken apart again; development gets some and ships releases; clients write to the
supervisor, who answers, and rate what was done.
"""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

from firstline.common.permissions import Principal
from front import Asked, Front, Request, between
from net import Answer
from people import DAY, HOUR, Case, People
from world import World

RELEASES = ("26.100", "26.200")
MARKS = ("good", "fair", "bad")
Doing = Callable[[], Coroutine[Any, Any, None]]

OCCASIONS = (
    *("staff: split 201", "staff: merge 200", "staff: unmerge 200", "staff: handover 200", "staff: release-plan 200"),
    *("releases shipped", "releases shipped again", "client: supervisor-requests 201", "client: rating 200"),
    *("supervisor's answers 200", "written to what was merged"),
)
"""What a campaign has to have seen people do; an oracle of what never happens proves nothing."""


class Occasions:
    """Who does what now and then."""

    def __init__(self, people: People) -> None:
        self._people = people
        self._front: Front = people.front
        self._world: World = people.world
        self._chance = people.world.stream("occasions")

    def start(self) -> None:
        """Draw how often each occasion arises: shares of the requests that come in."""
        habits = self._people.habits
        requests = habits.days * habits.requests_a_day
        doings: tuple[tuple[float, Doing], ...] = (
            (0.2, self._split),
            (0.3, self._merge),
            (0.2, self._hand_over),
            (0.2, self._ask_supervisor),
            (0.3, self._rate),
        )
        for share, doing in doings:
            for _ in range(int(requests * share + self._chance.random())):
                self._people.later(self._when(), doing())
        for version in RELEASES:
            if self._chance.random() < 0.7:
                self._people.later(self._when(), self._ship(version))
        self._people.begin(self._answer_clients())

    def _when(self) -> float:
        """Draw an instant, hardly ever at the very beginning, when there is nothing yet."""
        return (0.1 + 0.9 * self._chance.random()) * self._people.habits.days * DAY

    def _any(self, cases: list[Case]) -> Case | None:
        return cases[int(self._chance.random() * len(cases))] if cases else None

    def _case(self) -> Case | None:
        return self._any([self._people.cases[number] for number in sorted(self._people.cases)])

    def _specialist(self) -> Principal:
        specialists = self._people.cast.specialists
        return specialists[int(self._chance.random() * len(specialists))]

    async def _handle(self, number: str, marker: str, verb: str, body: dict[str, Any]) -> Answer:
        """Use a verb of the staff's, with a claim or without: then somebody else may hold it, and it is refused."""
        who = self._specialist()
        if self._chance.random() < 0.5:
            claim = await self._people.claim(who, {"ticket_id": number})
            if claim is not None:
                await asyncio.sleep(between(self._chance, 10, 600))
                answer = await self._people.act(who, claim, marker, verb, body)
                if verb == "split" or answer.status >= 400:
                    await self._people.release(who, claim)
                return answer
        return await self._people.say(who, number, marker, verb, body)

    # -- what belongs together

    async def _split(self) -> None:
        """Make a request of its own of something that a client wrote."""
        case = self._case()
        if case is None:
            return
        answer = await self._front.ask(self._specialist(), "GET", f"/v1/tickets/{case.number}/messages?limit=100")
        written = [message for message in answer.json()["items"] if message["author"]["side"] == "client"]
        if not written:
            return
        message = written[int(self._chance.random() * len(written))]
        marker = self._front.mark()
        body = {"message_id": message["id"], "subject": f"Request {marker}"}
        if self._chance.random() < 0.4:
            body["body"] = f"Only this part. {marker}"
        answer = await self._handle(case.number, marker, "split", body)
        if answer.status == 201:
            made = answer.json()
            request = Request(marker, made["id"], made["number"], case.who.email, self._front.now())
            self._front.record.requests[marker] = request
            self._front.record.splits[marker] = message["id"]
            self._people.cases[made["number"]] = Case(case.who, made["number"], made["id"])

    async def _merge(self) -> None:
        """Join two requests of one client, who asks twice for it where there is only one; take it back now and then."""
        case = self._case()
        if case is None:
            return
        other = self._any(self._others(case))
        if other is None:
            marker = self._front.mark()
            await self._people.ask_by_api(case.who, marker, self._chance)
            await asyncio.sleep(between(self._chance, 60, 6 * HOUR))
            made = self._front.record.requests.get(marker)
            if made is None:
                return
            other = self._people.cases[made.number]
        duplicate, into = (case, other) if self._chance.random() < 0.5 else (other, case)
        answer = await self._handle(duplicate.number, self._front.mark(), "merge", {"into": into.number})
        if answer.status != 200:
            return
        if self._chance.random() < 0.5:
            self._people.later(between(self._chance, 600, 8 * HOUR), self._write_to_merged(duplicate))
        if self._chance.random() < 0.6:
            self._people.later(between(self._chance, 600, 8 * HOUR), self._unmerge(duplicate))

    def _others(self, case: Case) -> list[Case]:
        known = self._people.cases
        return [known[number] for number in sorted(known) if known[number].who == case.who and number != case.number]

    async def _write_to_merged(self, case: Case) -> None:
        marker = self._front.mark()
        answer = await self._people.say(case.who, case.number, marker, "messages", {"body": f"And this. {marker}"})
        if answer.status == 201 and answer.json().get("merged_from"):
            self._front.record.did["written to what was merged"] += 1

    async def _unmerge(self, case: Case) -> None:
        await self._people.say(self._specialist(), case.number, self._front.mark(), "unmerge", {})

    # -- development

    def _plan(self) -> dict[str, Any]:
        plan: dict[str, Any] = {"version": RELEASES[int(self._chance.random() * len(RELEASES))]}
        if self._chance.random() < 0.5:
            plan |= {"date": (self._front.now() + timedelta(days=20)).date().isoformat(), "precision": "month"}
        return plan

    async def _hand_over(self) -> None:
        """Hand a request over to development, with the release that is planned for it or without."""
        case = self._case()
        if case is None:
            return
        marker = self._front.mark()
        body: dict[str, Any] = {"defect_ref": marker}
        if self._chance.random() < 0.7:
            body["planned_release"] = self._plan()
        answer = await self._handle(case.number, marker, "handover", body)
        if answer.status == 200 and self._chance.random() < 0.5:
            self._people.later(between(self._chance, 600, 6 * HOUR), self._plan_again(case))

    async def _plan_again(self, case: Case) -> None:
        body = {"planned_release": self._plan()}
        await self._people.say(self._specialist(), case.number, self._front.mark(), "release-plan", body)

    async def _ship(self, version: str) -> None:
        """Ship a release, twice at once now and then, and say so again later."""
        if self._chance.random() < 0.4:
            await asyncio.gather(self._say_shipped(version), self._say_shipped(version))
        else:
            await self._say_shipped(version)
        self._front.record.did["releases shipped"] += 1
        if self._chance.random() < 0.7:
            self._people.later(between(self._chance, 600, DAY), self._ship_again(version))

    async def _ship_again(self, version: str) -> None:
        await self._say_shipped(version)
        self._front.record.did["releases shipped again"] += 1

    async def _say_shipped(self, version: str) -> None:
        path, key = f"/v1/releases/{version}/ship", self._front.mark()
        answer = await self._front.ask(self._specialist(), "POST", path, {"note": "Take the update."}, key)
        if answer.status != 200:
            self._front.record.faults.append(f"P6: {path} answered {answer.status}: {answer.body[:300]!r}")

    # -- the supervisor, and what clients think

    async def _ask_supervisor(self) -> None:
        case = self._case()
        if case is None:
            return
        marker = self._front.mark()
        kind = "accelerate" if self._chance.random() < 0.5 else "comment"
        body = {"kind": kind, "body": f"It takes long. {marker}"}
        answer = await self._people.say(case.who, case.number, marker, "supervisor-requests", body)
        if answer.status == 201:
            self._front.record.asked[marker] = Asked(marker, answer.json()["id"], case.number)

    async def _answer_clients(self) -> None:
        """Be the supervisor who reads what clients ask now and then, and answers most of it."""
        who = self._people.cast.supervisor
        while await self._people.sleep(between(self._chance, HOUR, 8 * HOUR)):
            for asked in (await self._front.ask(who, "GET", "/v1/supervisor-requests")).json()["items"]:
                if self._chance.random() < 0.3:
                    continue
                marker = self._front.mark()
                path = f"/v1/tickets/{asked['ticket_id']}/supervisor-requests/{asked['id']}/answer"
                answer = await self._front.ask(who, "POST", path, {"body": f"I see to it. {marker}"}, marker)
                self._front.record.did[f"supervisor's answers {answer.status}"] += 1
                if answer.status == 200:
                    self._front.record.supervised[marker] = asked["id"]
                else:
                    self._front.record.refused[marker] = answer.status

    async def _rate(self) -> None:
        """Rate what has ended, if it is not taken up again; now and then what has not, which is refused."""
        ended = [self._people.cases[number] for number in self._people.ended if number in self._people.cases]
        case = self._any(ended) if self._chance.random() < 0.8 else self._case()
        if case is None:
            return
        marker = self._front.mark()
        mark = MARKS[int(self._chance.random() * len(MARKS))]
        body = {"mark": mark, "comment": f"So it was. {marker}"}
        answer = await self._people.say(case.who, case.number, marker, "rating", body)
        if answer.status == 200:
            self._front.record.ratings[marker] = case.number

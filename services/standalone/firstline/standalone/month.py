"""A month of requests to try reports and what-if on: hundreds of them, sent and answered through the desk's own API.

Only time is moved by hand, so that the month is over in well under a minute or two; it ends now. Chance is seeded: each
month is alike, and everything in it is made up.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final

import httpx

from firstline.accounts.service.organizations import ensure_organization
from firstline.accounts.service.people import ensure_person
from firstline.common.calendar import Calendar, parse_calendar
from firstline.common.permissions import Principal, Role
from firstline.common.ports import ManualClock, SystemClock
from firstline.common.settings import Settings
from firstline.common.store.port import Unit
from firstline.standalone.desk import StandaloneDesk, policy_of, running_desk, settle
from firstline.standalone.seed import seed

if TYPE_CHECKING:
    from firstline.accounts.service.desk import Desk as Accounts

DAYS: Final = 30
PER_DAY: Final = 14
"""Requests on a working day; a weekend's day has a fifth of them."""

DOWN, BUSY = 0.18, 0.15
"""How often an update or everyday use takes a site down, and how often somebody who is free does something else."""

NOT_COVERED, SOLVED, ASKED, REFERRED = 0.07, 0.55, 0.85, 0.94
"""Up to where on a die from 0 to 1 an answer is which; above all of them it goes to development."""

REOPENED, RATED = 0.08, 0.45
SATURDAY: Final = 5

TICK: Final = timedelta(minutes=15)
MINUTE: Final = timedelta(minutes=1)
TOKEN_LIFE: Final = timedelta(hours=12)
LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)
TOPICS: Final = (
    ("updates", 26, "White page after the update"),
    ("usage", 24, "Search finds no older orders"),
    ("installation", 16, "Where is the licence key entered?"),
    ("performance", 14, "Reports load slowly since Friday"),
    ("development", 12, "Method returns other fields than documented"),
    ("hosting", 8, "Mail from the site goes to spam"),
)
ORGANIZATIONS: Final = (("Shop Example", 9), ("Bank Example", 6), ("Bakery Example", 3), ("Clinic Example", 2))


@dataclass(slots=True)
class Specialist:
    """Somebody who answers.

    Attributes:
        name: theirs.
        minutes: what an answer takes them, half of the time less.
        free_at: when they have time for the next one.
        id: what accounts knows them by.

    """

    name: str
    minutes: float
    free_at: datetime = LONG_AGO
    id: str = ""


@dataclass(slots=True)
class Month:
    """The desk and its month so far."""

    desk: StandaloneDesk
    http: httpx.AsyncClient
    calendar: Calendar
    pick: Random
    specialists: Sequence[Specialist]
    organizations: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    due: list[tuple[datetime, int, Callable[[], Any]]] = field(default_factory=list)
    number: "count[int]" = field(default_factory=count)
    clients: dict[str, str] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)

    @property
    def clock(self) -> ManualClock:
        """Product time."""
        assert isinstance(self.desk.ports.clock, ManualClock)
        return self.desk.ports.clock

    def later(self, at: datetime, what: Callable[[], Any]) -> None:
        """Let something happen at an instant."""
        heapq.heappush(self.due, (at, next(self.number), what))

    async def call(self, who: str, method: str, path: str, **more: Any) -> httpx.Response:
        """Call the API as somebody.

        Raises:
            httpx.HTTPStatusError: the desk refused.

        """
        headers = {"Authorization": f"Bearer {self.tokens[who]}", **more.pop("headers", {})}
        answer = await self.http.request(method, path, headers=headers, **more)
        answer.raise_for_status()
        return answer


async def play_month(data: Path, tell: Callable[[str], None], days: int = DAYS) -> None:
    """Play a month (or so many days) that ends now on a new desk in a folder, and tell what happened.

    Raises:
        httpx.HTTPStatusError: the desk refused something that it should take.

    """
    # Not from the environment: nothing of this may be sent to real people.
    settings = Settings.model_construct(data=data, port=0, smtp_port=0, clock="manual")
    async with running_desk(settings, "http://127.0.0.1") as desk:
        transport = httpx.ASGITransport(desk.gateway)
        async with httpx.AsyncClient(transport=transport, base_url="http://desk", timeout=60) as http:
            month = await _opened(desk, http, settings)
            end = SystemClock().now().replace(second=0, microsecond=0)
            start = end - timedelta(days=days)
            month.clock.move(start)
            tell(f"A month of requests, from {start:%d %B} to {end:%d %B %Y}; this takes a minute or two.")
            _plan(month, start, end)
            await _live(month, start, end, tell)
            tell(_summary(month, data))


async def _opened(desk: StandaloneDesk, http: httpx.AsyncClient, settings: Settings) -> Month:
    """Return the month before its first day, with its people."""
    specialists = (Specialist("Anna Specialist", 46), Specialist("Ben Bergmann", 70), Specialist("Cleo Castro", 58))
    calendar = parse_calendar(policy_of(settings).document()["calendar"])
    month = Month(desk, http, calendar, Random(7), specialists)  # noqa: S311  nothing secret hangs on it
    accounts = desk.services["accounts"].state.accounts
    await seed(accounts)
    await accounts.store.write(lambda unit: _people(month, accounts, unit))
    return month


async def _people(month: Month, accounts: "Accounts", unit: Unit) -> None:
    """Make the organisations and specialists known, and sign the specialists in."""
    log, ports = accounts.log, accounts.ports
    for name, _ in ORGANIZATIONS:
        found = await ensure_organization(unit, log, ports, name=name, kind="customer")
        month.organizations[name] = found.id
    for one in month.specialists:
        email = f"{one.name.split()[0].lower()}@firstline.example"
        person = await ensure_person(unit, log, ports, email=email, role=Role.AGENT, name=one.name, tier="helpdesk")
        one.id = person.id
        _sign_in(month, one.name, Principal(person.id, Role.AGENT, email, tier="helpdesk", name=one.name))


def _sign_in(month: Month, who: str, principal: Principal) -> None:
    """Give somebody a token for the whole month."""
    month.tokens[who] = month.desk.keys.signer(SystemClock()).token(principal, TOKEN_LIFE)


def _plan(month: Month, start: datetime, end: datetime) -> None:
    """Let requests come in: most while people work, few at night and at weekends, more on Mondays."""
    day = start
    while day < end:
        weekend, monday = day.weekday() >= SATURDAY, day.weekday() == 0
        for _ in range(round(PER_DAY * (0.2 if weekend else 1.5 if monday else 1) * month.pick.uniform(0.7, 1.3))):
            hour = min(23.9, max(0, month.pick.gauss(11, 3.5)))
            at = day.replace(hour=0, minute=0) + timedelta(hours=hour)
            if start <= at < end:
                month.later(at, lambda: _arrive(month))
        day += timedelta(days=1)


async def _live(month: Month, start: datetime, end: datetime, tell: Callable[[str], None]) -> None:
    """Go through the month a quarter of an hour at a time: what is due happens, then specialists take what is next."""
    now, day = start, -1
    while now < end:
        if now.day != day and now.weekday() == 0:
            tell(f"  {now:%a %d %B}: {month.done['requests']} requests so far")
        day = now.day
        while month.due and month.due[0][0] <= now:
            at, _, what = heapq.heappop(month.due)
            month.clock.move(max(at, month.clock.now()))
            await what()
        month.clock.move(now)
        if month.calendar.open_at(now).open:
            await settle(month.desk.runtimes)
            await _work(month, now)
        now += TICK
    await settle(month.desk.runtimes)


async def _arrive(month: Month) -> None:
    """Let one client send a request."""
    topic, _, subject = month.pick.choices(TOPICS, [weight for _, weight, _ in TOPICS])[0]
    shop = month.pick.choices([name for name, _ in ORGANIZATIONS], [weight for _, weight in ORGANIZATIONS])[0]
    who = f"client {month.pick.randrange(5)} of {shop}"
    if who not in month.tokens:
        email = f"{who.replace(' ', '.').lower()}@example.com"
        _sign_in(month, who, Principal(who, Role.CLIENT, email, month.organizations[shop], name=who.title()))
    body: dict[str, Any] = {
        "subject": subject,
        "body": "Please look into it. What do you need from us?",
        "topic": topic,
    }
    if topic in ("updates", "usage") and month.pick.random() < DOWN:
        body |= {"recovery": month.pick.choice(["partial", "full"]), "subject": "The site is down"}
    made = (await month.call(who, "POST", "/v1/tickets", json=body)).json()
    month.clients[made["id"]] = who
    month.done["requests"] += 1


async def _work(month: Month, now: datetime) -> None:
    """Let everybody who has time take the next request and answer it; the answer is then what their time goes into."""
    for one in month.specialists:
        if one.free_at > now or month.pick.random() < BUSY:
            continue
        taken = await month.call(one.name, "POST", "/v1/queue/claims", json={})
        if taken.status_code == httpx.codes.NO_CONTENT:
            return
        claim = taken.json()
        one.free_at = now + month.pick.lognormvariate(0, 0.6) * one.minutes * MINUTE
        await _answer(month, one, claim["ticket_id"], {"Claim-Token": claim["claim_token"]})


async def _answer(month: Month, one: Specialist, ticket_id: str, held: dict[str, str]) -> None:
    """Answer: with a solution, a question, or the news that somebody else is asked; clients react in their own time."""
    path, chance, now = f"/v1/tickets/{ticket_id}", month.pick.random(), month.clock.now()
    month.answers[one.name] += 1

    async def verb(name: str, **body: Any) -> None:
        await month.call(one.name, "POST", f"{path}/{name}", json=body, headers=held)

    if chance < NOT_COVERED:
        await verb("close", reason="out_of_scope", body="This is a question for your hosting company.")
        return
    if chance < SOLVED:
        await verb("resolve", body="Reload the page after clearing the cache; then it works.")
        month.later(now + month.pick.expovariate(1 / 20) * 60 * MINUTE, lambda: _after(month, ticket_id))
        return
    await verb("messages", body="We are looking into it. Which version do you use?")
    if chance < ASKED:
        await verb("wait", cause="client")
        month.later(now + month.pick.expovariate(1 / 9) * 60 * MINUTE, lambda: _reply(month, ticket_id))
    elif chance < REFERRED:
        await verb("wait", cause="third_party")
        month.later(now + month.pick.uniform(6, 70) * 60 * MINUTE, lambda: _resume(month, one, ticket_id))
    else:
        await verb("handover", defect_ref=f"DEF-{month.pick.randrange(100, 999)}")
        month.later(now + month.pick.uniform(3, 12) * 1440 * MINUTE, lambda: _resume(month, one, ticket_id))


async def _reply(month: Month, ticket_id: str) -> None:
    """Let the client answer what was asked."""
    await month.call(month.clients[ticket_id], "POST", f"/v1/tickets/{ticket_id}/messages", json={"body": "24.100."})


async def _resume(month: Month, one: Specialist, ticket_id: str) -> None:
    """Let the specialist hear from whom they asked, and tell the client."""
    await month.call(one.name, "POST", f"/v1/tickets/{ticket_id}/resume", json={"note": "They have answered."})
    await month.call(one.name, "POST", f"/v1/tickets/{ticket_id}/resolve", json={"body": "It is mended now."})
    month.answers[one.name] += 1


async def _after(month: Month, ticket_id: str) -> None:
    """Let the client rate the solution, find that it did not help, or say nothing."""
    who, chance = month.clients[ticket_id], month.pick.random()
    if chance < REOPENED:
        await month.call(who, "POST", f"/v1/tickets/{ticket_id}/reopen", json={"body": "It came back."})
    elif chance < RATED:
        mark = month.pick.choices(["good", "fair", "bad"], [8, 3, 1])[0]
        await month.call(who, "POST", f"/v1/tickets/{ticket_id}/rating", json={"mark": mark})


def _summary(month: Month, data: Path) -> str:
    """Return what was played and what can be tried on it."""
    answered = ", ".join(f"{name} {number}" for name, number in month.answers.most_common())
    return f"""
{month.done["requests"]} requests, answers: {answered}.

Start the desk on it:   .venv/bin/firstline up --data {data}
Then ask, beside it:    .venv/bin/firstline policy simulate --set targets.first_response=240 --data {data}
and sign in as the supervisor for the reports."""

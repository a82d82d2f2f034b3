"""A play of random commands on a desk, and all that can be seen of it, without what differs between any two desks."""

import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
from campaign import SETTLE_SECONDS
from live_desk import AnyDesk, eventually, mail
from split_checks import quiet
from split_desk import SplitDesk

QUIET_SECONDS = 0.7
"""A desk that told nothing new for this long has done all that followed from a command."""

CLIENT, OTHER, AGENT, BOSS = "clara", "mia", "anna", "sven"
ROLES = {CLIENT: "client", OTHER: "client", AGENT: "agent", BOSS: "supervisor"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)|\d{4}-\d\d-\d\d \d\d:\d\d")
NAME = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|FL-[0-9A-Z]{4}-[0-9A-Z]{4}|http://127\.0\.0\.1:\d+"
)
LEFT_OUT = frozenset(
    {"claim_token", "position", "elapsed_minutes", "milliseconds", "trace_id", "policy_version", "next"}
)
"""Members that say when or where something was, and not what."""


@dataclass
class Labels:
    """Names for IDs and numbers, given in the order in which they come up."""

    known: dict[str, str] = field(default_factory=dict)

    def plain(self, value: Any) -> Any:
        """Return a document with labels for IDs and nothing for times."""
        if isinstance(value, dict):
            return {name: self.plain(member) for name, member in value.items() if name not in LEFT_OUT}
        if isinstance(value, list):
            return [self.plain(member) for member in value]
        if isinstance(value, str):
            return NAME.sub(lambda found: self._label(found[0]), TIME.sub("<time>", value))
        return value

    def _label(self, name: str) -> str:
        return self.known.setdefault(name, f"<{len(self.known) + 1}>")


@dataclass
class Player:
    """Plays commands on a desk and writes down what it answered."""

    desk: AnyDesk
    labels: Labels = field(default_factory=Labels)
    tickets: list[dict[str, Any]] = field(default_factory=list)
    claims: dict[str, str] = field(default_factory=dict)
    answers: list[Any] = field(default_factory=list)
    calls: dict[str, httpx.Client] = field(default_factory=dict)

    def by(self, who: str) -> httpx.Client:
        """Return the API as somebody."""
        if who not in self.calls:
            self.calls[who] = self.desk.api(ROLES[who], who, email=f"{who}@shop.example")
        return self.calls[who]

    def ask(self, who: str, path: str, body: Any, claim: str | None = None) -> httpx.Response:
        """Give a command and note the answer."""
        headers = {"Claim-Token": claim} if claim else {}
        answer = self.by(who).post(path, json=body, headers=headers)
        document = answer.json() if answer.content else None
        self.answers.append([who, self.labels.plain(path), answer.status_code, self.labels.plain(document)])
        self.settle()
        return answer

    def settle(self) -> None:
        """Wait until nothing new is told, and every service has read what the others told."""
        seen, since = -1, time.monotonic()
        while time.monotonic() - since < QUIET_SECONDS:
            count = len(self.feed()) + len(self.mails())
            if count != seen:
                seen, since = count, time.monotonic()
            time.sleep(0.1)
        if isinstance(self.desk, SplitDesk):
            desk = self.desk
            eventually(lambda: quiet(desk), SETTLE_SECONDS)

    def feed(self) -> list[dict[str, Any]]:
        """Return every event of the feed."""
        found: list[dict[str, Any]] = []
        while True:
            after = found[-1]["position"] if found else 0
            page = self.by(BOSS).get("/v1/events", params={"after": after, "limit": 100}).json()["items"]
            found += page
            if len(page) < 100:
                return found

    def mails(self) -> list[tuple[str, str]]:
        """Return recipient and subject of each mail that was sent."""
        return [(str(sent["To"]), str(sent["Subject"])) for sent in self.desk.mails()]

    def seen(self) -> dict[str, Any]:
        """Return all that can be seen now: each request with its history, clocks, place and deliveries, feed, mails."""
        plain = self.labels.plain
        return {
            "requests": [self._request(ticket["id"]) for ticket in self.tickets],
            "queue": plain(self.by(AGENT).get("/v1/queue").json()["items"]),
            "feed": _by_stream(plain(self.feed())),
            "mails": sorted(plain([list(sent) for sent in self.mails()])),
            "mails in": plain([_judged(one) for one in self.by(AGENT).get("/v1/mails").json()["items"]]),
        }

    def _request(self, ticket_id: str) -> Any:
        ways = {
            "request": f"/v1/tickets/{ticket_id}",
            "messages": f"/v1/tickets/{ticket_id}/messages",
            "history": f"/v1/tickets/{ticket_id}/history",
            "place": f"/v1/queue/{ticket_id}",
            "clocks": f"/v1/clocks?ticket_ids={ticket_id}",
        }
        shown = {name: self.by(BOSS).get(path).json() for name, path in ways.items()}
        told = self.by(BOSS).get("/v1/deliveries", params={"ticket_id": ticket_id}).json()["items"]
        kinds = sorted((one["channel"], one["kind"], str(one["recipient"]), one["state"]) for one in told)
        return self.labels.plain({**shown, "deliveries": kinds})


def _by_stream(events: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Return the types of the feed's events, in order, for each ticket and service: services overtake one another."""
    streams: dict[str, list[str]] = {}
    for event in events:
        streams.setdefault(f"{event['ticket_id']} {event['type'].partition('.')[0]}", []).append(event["type"])
    return dict(sorted(streams.items()))


def _judged(one: dict[str, Any]) -> dict[str, Any]:
    return {name: one[name] for name in ("outcome", "reason", "from", "subject", "ticket_id")}


Step = Callable[[Player, random.Random], None]


def _submit(player: Player, chance: random.Random) -> None:
    body: dict[str, Any] = {"subject": f"Request {len(player.tickets)}", "body": chance.choice(["Nothing.", "ä" * 300])}
    body |= chance.choice(
        [{}, {"topic": "updates", "version": "24.1"}, {"recovery": "full"}, {"urgency_claim": "high"}]
    )
    answer = player.ask(chance.choice([CLIENT, OTHER]), "/v1/tickets", body)
    if answer.status_code == 201:
        player.tickets.append(answer.json())


def _mail(player: Player, chance: random.Random) -> None:
    sender = f"{chance.choice([CLIENT, OTHER, 'stranger'])}@shop.example"
    number = chance.choice(player.tickets)["number"] if chance.random() < 0.7 else None
    subject = f"Re: [{number}]" if number else f"By mail {chance.random()}"
    player.desk.send(mail(sender, subject, "It is white.", Message_ID=f"<{chance.random()}@mail.example>"))
    judged = eventually(lambda: _all_judged(player))
    player.settle()
    new = judged[0]["ticket_id"]
    if judged[0]["outcome"] == "new_ticket" and new not in {ticket["id"] for ticket in player.tickets}:
        player.tickets.append(player.by(BOSS).get(f"/v1/tickets/{new}").json())


def _all_judged(player: Player) -> list[dict[str, Any]] | None:
    items: list[dict[str, Any]] = player.by(BOSS).get("/v1/mails").json()["items"]
    return items if items and all(item["outcome"] for item in items) else None


def _claim(player: Player, chance: random.Random) -> None:
    named = {"ticket_id": chance.choice(player.tickets)["id"]} if chance.random() < 0.5 else {}
    answer = player.ask(chance.choice([AGENT, BOSS]), "/v1/queue/claims", named)
    if answer.status_code == 201:
        player.claims[answer.json()["ticket_id"]] = answer.json()["claim_token"]


def _verb(verb: str, *bodies: Any) -> Step:
    """Return a step that uses a verb on some request, by somebody, possible or not."""

    def step(player: Player, chance: random.Random) -> None:
        ticket = chance.choice(player.tickets)["id"]
        who, body = chance.choice([CLIENT, AGENT, AGENT, BOSS]), chance.choice(bodies)
        claim = player.claims.get(ticket) if who in (AGENT, BOSS) and chance.random() < 0.7 else None
        player.ask(who, f"/v1/tickets/{ticket}/{verb}", body, claim)

    return step


def _release(player: Player, chance: random.Random) -> None:
    ticket = chance.choice(player.tickets)["id"]
    player.ask(AGENT, f"/v1/queue/claims/{ticket}/{chance.choice(['release', 'renew'])}", {})


STEPS: tuple[tuple[int, Step], ...] = (
    (5, _submit),
    (3, _mail),
    (5, _claim),
    (6, _verb("messages", {"body": "Which version?"}, {"body": "24.1", "fields": {"version": "24.1"}})),
    (2, _verb("messages", {"body": "Look at the log.", "audience": "internal"})),
    (3, _verb("triage", {"urgency": "high", "reason": "Down."}, {"tier": "development"}, {"urgency": "low"})),
    (2, _verb("wait", {"cause": "client"}, {"cause": "third_party", "note": "Bank."})),
    (2, _verb("resume", {})),
    (2, _verb("resolve", {"body": "Done."}, {})),
    (2, _verb("close", {"reason": "resolved"}, {"reason": "spam"})),
    (2, _verb("reopen", {"body": "Again."})),
    (1, _release),
)


def close(player: Player) -> None:
    """Hang up."""
    for call in player.calls.values():
        call.close()


def play(player: Player, seed: int, count: int) -> None:
    """Play so many steps, which follow from the seed and from what the desk answered."""
    chance = random.Random(seed)
    _submit(player, chance)
    steps, weights = [step for _, step in STEPS], [weight for weight, _ in STEPS]
    for step in chance.choices(steps, weights, k=count):
        step(player, chance)

"""What the console shows, made from the API's answers: the queue, the request in work and its context (clause 2.1)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from firstline.common.calendar import Calendar, parse_calendar
from firstline.web.stages import Tone
from firstline.web.supervision import rating
from firstline.web.words import count, instant, one_line, since, span, stamp

Json = Mapping[str, Any]
Pressure = Literal["", "warning", "over"]
"""How a deadline stands: time enough, the warning share is used up, missed."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads the console, when, and which request is open before them (its ID)."""

    person_id: str
    now: datetime
    reading: str | None = None


@dataclass(frozen=True, slots=True)
class Left:
    """Business time left until a clock falls due, or since it was missed.

    Attributes:
        short: for eyes, such as `48 min` or `12 min over`.
        text: the same in a sentence with the instant, for pointers and screen readers.
        tone: how pressing it is.

    """

    short: str
    text: str
    tone: Pressure


@dataclass(frozen=True, slots=True)
class QueueRow:
    """An entry of the queue: its place in a few words, and why it stands there in sentences."""

    number: str
    subject: str
    place: str
    why: str
    left: Left | None
    current: bool


@dataclass(frozen=True, slots=True)
class Queue:
    """The queue's pane.

    Attributes:
        size: how many wait, in words.
        figures: since when the first of them waits, and how many stand out of turn.
        rows: the beginning of the queue in the order of service, with what is in work.
        more: the queue is longer than that.

    """

    size: str
    figures: str
    rows: tuple[QueueRow, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class Mark:
    """A short remark beside a request's number."""

    text: str
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Fact:
    """A line of the context; `tone` is for deadlines only."""

    name: str
    text: str
    tone: Pressure = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A section of the context: facts by name, or plain lines."""

    title: str
    facts: tuple[Fact, ...] = ()
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Work:
    """The request in the middle.

    Attributes:
        urgency: the level it has.
        usual: the level that a request has which is not urgent.
        claim: who has taken it, or what taking it means.
        can: what its reader may do now: the API's verbs, and `note judge claim renew release`.

    """

    number: str
    subject: str
    state: str
    tone: Tone
    marks: tuple[Mark, ...]
    urgency: str
    usual: str
    claim: str
    can: frozenset[str]


@dataclass(frozen=True, slots=True)
class Option:
    """A choice in a list."""

    code: str
    text: str


_TARGETS: Final = {"first_response": "First answer", "next_response": "Next answer", "resolution": "Solution"}
_STANDS: Final = {"met": "done", "paused": "stands still", "idle": "nothing owed", "running": "runs"}
_CAUSES: Final = {"client": "the client", "third_party": "somebody else", "release": "a release"}
_HINTS: Final = {"several_issues": "perhaps several questions", "pasted_secret": "a secret was taken out"}
_RECOVERY: Final = {"partial": "site partly down", "full": "site down"}
PRECISIONS: Final = (
    Option("day", "this day"),
    Option("week", "that week"),
    Option("month", "that month"),
    Option("quarter", "that quarter"),
    Option("year", "that year"),
)
_VERDICTS: Final = {"in": "covered", "out": "not covered", "undetermined": "not decided"}
_MODES: Final = {"full": "in full", "consult_only": "by references only", "none": "not at all"}


def left(clock: Json, calendar: Calendar, now: datetime) -> Left | None:
    """Say how much business time a clock has left; None while nothing runs."""
    if clock["due_at"] is None:
        return None
    # Business time is worked out here, by the same calendar as the clock's: the API gives instants, and how much is
    # left changes by the minute.
    due = instant(clock["due_at"])
    when = stamp(due, now)
    if due <= now:
        over = span(timedelta(minutes=calendar.between(due, now)))
        return Left(f"{over} over", f"missed by {over} of business time, was due {when}", "over")
    rest = span(timedelta(minutes=calendar.between(now, due)))
    return Left(rest, f"{rest} of business time left, due {when}", "warning" if _warned(clock, now) else "")


def _warned(clock: Json, now: datetime) -> bool:
    """Say whether the warning share of a clock's time is used up."""
    return clock["warn_at"] is not None and instant(clock["warn_at"]) <= now


def nearest(clocks: Sequence[Json], ticket_id: str) -> Json | None:
    """Return the clock of a request that falls due first."""
    # A request has several clocks; the one that falls due first is what the row is coloured by.
    running = [clock for clock in clocks if clock["ticket_id"] == ticket_id and clock["due_at"] is not None]
    return min(running, key=lambda clock: instant(clock["due_at"]), default=None)


def options(policy: Json, effect: str) -> list[Option]:
    """Return the circumstances that delay (those with somebody to wait for) or abort (clause 4.8)."""
    known = [found for found in policy["circumstances"] if found["effect"] == effect]
    if effect == "abort":
        return [Option(found["code"], found["text"]) for found in known]
    named = [found for found in known if found["cause"]]
    return [Option(found["code"], f"{_CAUSES[found['cause']].capitalize()}: {found['text']}") for found in named]


def as_link(article: Json) -> str:
    """Return a page of the documentation as it stands below an answer (clause 4.7)."""
    return f"{one_line(article['title'])}:\n{article['url']}"


def reasons(policy: Json) -> list[Option]:
    """Return the policy's reasons for which staff may close a request."""
    return [Option(found["code"], found["title"]) for found in policy["closing"]["reasons"] if "staff" in found["by"]]


def cause_of(policy: Json, circumstance: str) -> str:
    """Return whom a circumstance waits for; the client, where the policy doesn't know it."""
    causes = {found["code"]: found["cause"] for found in policy["circumstances"]}
    return causes.get(circumstance) or "client"


def state(ticket: Json, now: datetime) -> tuple[str, Tone]:
    """Say the state of a request to staff."""
    if ticket["status"] == "waiting":
        lasting = since(instant(ticket["waiting_since"]), now)
        return f"waiting for {_CAUSES[ticket['waiting_cause']]} {lasting}", "done"
    words: dict[str, tuple[str, Tone]] = {
        "new": ("new", "waiting"),
        "open": ("open", "waiting"),
        "resolved": ("solved, not closed yet", "done"),
        "closed": ("closed", "done"),
    }
    return words[ticket["status"]]


def marks(ticket: Json, usual: str) -> tuple[Mark, ...]:
    """Return what a specialist has to see at once; `usual` is the level of what is not urgent."""
    found = []
    if ticket["urgency"] != usual:
        ground = _RECOVERY.get(ticket["recovery"], "")
        text = " · ".join(part for part in (f"{ticket['urgency']} urgency", ground) if part)
        found.append(Mark(f"{text} (provisional)" if ticket["urgency_provisional"] else text, strong=True))
    if ticket["scope"]["verdict"] == "out":
        found.append(Mark("out of scope", strong=True))
    if ticket["urgency_claim"] not in (None, ticket["urgency"]):
        found.append(Mark(f"client claims {ticket['urgency_claim']}"))
    found += [Mark(_HINTS[hint["code"]]) for hint in ticket["hints"] if hint["code"] in _HINTS]
    if not ticket["verified"]:
        found.append(Mark("sender not verified", strong=True))
    if ticket["supervisor_request"]:
        found.append(Mark("supervisor asked", strong=True))
    if ticket["reopen_count"]:
        found.append(Mark(f"reopened {count(ticket['reopen_count'], 'time', 'times')}"))
    return tuple(found)


def context(ticket: Json, policy: Json, clocks: Sequence[Json], organization: str, now: datetime) -> list[Part]:
    """Return what stands beside a request: clocks, client with the name of their organisation, scope, gaps, origin.

    Sections without anything to say are left out: a specialist reads this beside every request, and empty headings are
    noise.
    """
    calendar = parse_calendar(policy["calendar"])
    parts = [
        Part("Clock", tuple(_clock_fact(clock, calendar, now) for clock in clocks)),
        Part("Client", tuple(_client(ticket, organization))),
        Part("Scope", tuple(_scope(ticket, policy))),
        Part("Development", tuple(_development(ticket))),
        _missing(ticket),
        Part("Request", tuple(_origin(ticket, policy, now))),
    ]
    return [part for part in parts if part.facts or part.lines]


def _missing(ticket: Json) -> Part:
    """Return what is still asked for, and how much of what the policy asks for is there (clause 4.2)."""
    lines = tuple(one_line(missing["question"]) for missing in ticket["missing_information"])
    return Part("Missing", (Fact("Given so far", f"{ticket['completeness']:.0%}"),) if lines else (), lines)


def _clock_fact(clock: Json, calendar: Calendar, now: datetime) -> Fact:
    """Say how a clock stands: time left and due time while it runs, else why it doesn't."""
    name = _TARGETS[clock["target"]]
    rest = left(clock, calendar, now)
    if rest is None:
        return Fact(name, _STANDS[clock["state"]])
    when = stamp(instant(clock["due_at"]), now)
    return Fact(name, f"{rest.short} · {when}" if rest.tone == "over" else f"{rest.short} left · {when}", rest.tone)


def _client(ticket: Json, organization: str) -> list[Fact]:
    """Say whose request it is and what their licence covers (clause 1.1); what is unknown is left out."""
    requester = ticket["requester"]
    # Both states are named where they differ: the one decides what
    # was promised, the other what a renewal can still change.
    since = f", now {ticket['entitled']}" if ticket["entitled"] != ticket["entitlement"] else ""
    end = f" · ends in {ticket['licence_last4']}" if ticket["licence_last4"] else ""
    product = " ".join(part for part in (ticket["product"], ticket["product_version"]) if part)
    facts = [
        Fact("Name", one_line(requester["name"] or "")),
        Fact("E-mail", one_line(requester["email"])),
        Fact("Licence", f"{ticket['entitlement']}{since}{end}"),
        Fact("Product", one_line(product)),
        Fact("Organisation", one_line(organization)),
    ]
    return [fact for fact in facts if fact.text]


def _scope(ticket: Json, policy: Json) -> list[Fact]:
    """Say whether and how far the policy covers the request, and who helps instead (clauses 1.3, 1.4)."""
    # A topic may be `topic` or `topic.item`; the title of the topic says enough here.
    scope = ticket["scope"]
    titles = {topic["code"]: topic["title"] for topic in policy["scope"]["topics"]}
    topic = titles.get((ticket["topic"] or "").partition(".")[0], "not named")
    facts = [Fact("Topic", topic), Fact("Verdict", _VERDICTS[scope["verdict"]])]
    if scope["verdict"] != "out":
        facts.append(Fact("Support", _MODES[scope["support_mode"]]))
    referrals = {known["code"]: known["title"] for known in policy["scope"]["referrals"]}
    if scope["refer_to"]:
        facts.append(Fact("Refer to", referrals.get(scope["refer_to"], scope["refer_to"])))
    return facts


def _development(ticket: Json) -> list[Fact]:
    """Say what development calls the defect, and which release holds the solution or is to hold it (clause 2.2)."""
    plan = ticket["planned_release"]
    words = " · ".join(part for part in (plan["version"], plan["term"]) if part) if plan else ""
    facts = [
        Fact("Defect", one_line(ticket["defect_ref"] or "")),
        Fact("Planned", words),
        Fact("Came back with", ticket["released_in"] or ""),
    ]
    return [fact for fact in facts if fact.text]


def _origin(ticket: Json, policy: Json, now: datetime) -> list[Fact]:
    """Say when and how the request came in, and what was decided about it since."""
    facts = [
        Fact("Received", stamp(instant(ticket["received_at"]), now)),
        Fact("By", ticket["channel"]),
        Fact("Language", ticket["requester"]["language"] or ""),
        Fact("Tier", ticket["tier"].replace("_", " ")),
        Fact("Complexity", ticket["complexity"] or ""),
        Fact("Reason", one_line(ticket["urgency_reason"] or "")),
        Fact("Follows", ticket["follows"] or ""),
        Fact("Reminded", stamp(instant(ticket["reminded_at"]), now) if ticket["reminded_at"] else ""),
        Fact("Rated", rating(ticket, policy)),
        Fact("Closes by itself", stamp(instant(ticket["closes_at"]), now) if ticket["closes_at"] else ""),
    ]
    return [fact for fact in facts if fact.text]


def queue(page: Json, clocks: Sequence[Json], calendar: Calendar, reader: Reader) -> Queue:
    """Return the queue's pane from the beginning of the queue and the clocks of what stands there."""
    rows = tuple(_row(entry, nearest(clocks, entry["ticket_id"]), calendar, reader) for entry in page["items"])
    # Only what is there: a pane at the edge of the eye should be quiet while all is well.
    figures = []
    if page["oldest_since"] is not None:
        figures.append(f"oldest {span(reader.now - instant(page['oldest_since']))}")
    if page["out_of_turn"]:
        figures.append(f"{page['out_of_turn']} out of turn")
    size = f"{page['waiting']:,}{'+' if page['at_least'] else ''}"
    return Queue(size, " · ".join(figures), rows, page["next"] is not None)


def _row(entry: Json, clock: Json | None, calendar: Calendar, reader: Reader) -> QueueRow:
    """Return an entry as a row, with its place from the most to the least important reason."""
    # The age is always there; what changes the order goes before it.
    parts = [since(instant(entry["since"]), reader.now)]
    if entry["out_of_turn"]:
        parts.insert(0, "out of turn, to be confirmed" if entry["urgency_provisional"] else "out of turn")
    if entry["claimed_by"] is not None:
        parts.insert(0, f"in work: {_holder(entry, reader)}")
    return QueueRow(
        number=entry["number"],
        subject=one_line(entry["subject"]),
        place=" · ".join(parts),
        why=" ".join(entry["why"]),
        left=left(clock, calendar, reader.now) if clock else None,
        current=entry["ticket_id"] == reader.reading,
    )


def _holder(entry: Json, reader: Reader) -> str:
    """Say who holds a claim, seen by the reader."""
    # Not by name: the queue knows IDs alone, and a look-up for each row would cost more than it tells.
    return "you" if entry["claimed_by"] == reader.person_id else "another specialist"


def work(ticket: Json, policy: Json, entry: Json | None, reader: Reader) -> Work:
    """Return the request in the middle; `entry` is its place in the queue, where it has one."""
    words, tone = state(ticket, reader.now)
    mine = entry is not None and entry["claimed_by"] == reader.person_id
    # The page shows what the queue says, not what the cookie holds: a claim may have ended, or be from another device.
    free = entry is not None and not entry["claimed"]
    can = {"note", *ticket["allowed"], *(["claim"] if free else []), *(["renew", "release"] if mine else [])}
    if ticket["urgency_provisional"] and "triage" in can:
        can.add("judge")
    return Work(
        number=ticket["number"],
        subject=one_line(ticket["subject"]),
        state=words,
        tone=tone,
        marks=marks(ticket, policy["urgency"]["default"]),
        urgency=ticket["urgency"],
        usual=policy["urgency"]["default"],
        claim=_claim_text(entry, reader) if entry else "",
        can=frozenset(can),
    )


def _claim_text(entry: Json, reader: Reader) -> str:
    """Say who has taken a request and until when, or what taking it now would mean (clause 2.1)."""
    if entry["claimed"]:
        until = stamp(instant(entry["lease_expires_at"]), reader.now)
        who = _holder(entry, reader)
        return f"{who.capitalize()} took it, until {until}."
    if not entry["ahead"]:
        return "Nobody has taken it yet, and it is the next one."
    requests = count(entry["ahead"], "request is", "requests are")
    return f"Nobody has taken it yet. {requests} ahead of it: taking it out of its order is recorded."

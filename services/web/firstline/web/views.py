"""What the portal's pages show, made from the API's answers: state in words, next step, what is asked (clause 4.4)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from firstline.web.words import count, instant, one_line, since, stamp

Json = Mapping[str, Any]
Tone = Literal["waiting", "yours", "done"]
"""Who has the next step: us or somebody else, the reader, nobody."""

SPECIALIST: Final = "a specialist"


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a request stands: the state in words, what comes next, and who does it (empty: nobody has to)."""

    state: str
    next_step: str
    who: str
    tone: Tone


@dataclass(frozen=True, slots=True)
class Place:
    """A request's place in the queue (clause 2.1).

    Attributes:
        ahead: how many are served before it.
        at_least: there are more than were counted.
        claimed: a specialist works on it now.

    """

    ahead: int
    at_least: bool
    claimed: bool


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the list of one's requests; `changed` is in words, `iso` the same instant for machines."""

    number: str
    subject: str
    state: str
    tone: Tone
    changed: str
    iso: str


@dataclass(frozen=True, slots=True)
class TopicLine:
    """Whether something is covered, in a line of the scope catalogue; `more` says how, or whom to ask instead."""

    text: str
    covered: bool
    more: str = ""


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic to choose from, what it covers, and what to know beforehand (clauses 1.3, 1.4, 2.1)."""

    code: str
    title: str
    note: str
    items: tuple[TopicLine, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """A question for information that is lacking, and the field that its answer fills (clause 4.2)."""

    field: str
    text: str


@dataclass(frozen=True, slots=True)
class Abilities:
    """What the reader may do with a request: the words on the buttons, empty where it is not possible."""

    reply: str
    close: str
    ended: bool
    ask: bool = False
    rate: bool = False

    @property
    def verbs(self) -> list[str]:
        """The verbs whose forms are shown."""
        shown = {"messages": self.reply, "close": self.close, "supervisor-requests": self.ask, "rating": self.rate}
        return [verb for verb, label in shown.items() if label]


@dataclass(frozen=True, slots=True)
class Relation:
    """A request that another one belongs to: how, in words, its ID and subject, and the API's name for it."""

    kind: str
    text: str
    number: str
    subject: str


@dataclass(frozen=True, slots=True)
class Opening:
    """Whether the Helpdesk is open now, a line that says so, and when that changes, empty for never (clause 2.1)."""

    open: bool
    text: str
    change: str = ""


def opening(answer: Json, now: datetime) -> Opening:
    """Say the opening hours of this moment from an answer of `POST /v1/calendar/open`.

    An opening or closing that never comes is null there, and is not told here.
    """
    change = answer["next_closing"] if answer["open"] else answer["next_opening"]
    if change is None:
        return Opening(answer["open"], "Open around the clock" if answer["open"] else "Closed")
    when = stamp(instant(change), now)
    shortly = when.removeprefix("today ")
    line = f"Open now · closes {shortly}" if answer["open"] else f"Closed now · opens {shortly}"
    return Opening(answer["open"], line, when)


def place(entry: Json | None) -> Place | None:
    """Return a request's place from its entry in the queue, if it has one."""
    return Place(entry["ahead"], entry["at_least"], entry["claimed"]) if entry else None


def ahead(place: Place) -> str:
    """Say how many requests are served first."""
    if place.claimed:
        return "A specialist is working on it now."
    if place.ahead == 0:
        return "Yours is the next one."
    requests = count(place.ahead, "request is", "requests are")
    return f"{'At least ' if place.at_least else ''}{requests} ahead of yours."


def stage(request: Json, policy: Json, place: Place | None, last_side: str | None, now: datetime) -> Stage:
    """Say where a request stands.

    Args:
        request: the request as the API gives it.
        policy: the public policy document.
        place: its place in the queue, where it has one.
        last_side: who wrote the last public message, where that is known.
        now: the instant at which the page is read.

    """
    match request["status"]:
        case "waiting":
            return _waiting(request, policy, now)
        case "resolved":
            return _resolved(request, now)
        case "closed":
            return _closed(request, policy, now)
        case _:
            return _open(request, place, last_side)


def _open(request: Json, place: Place | None, last_side: str | None) -> Stage:
    """Say where a request in progress stands: in the queue, answered, or on its way into the queue."""
    if place is not None:
        state = "In work" if place.claimed else "Waiting for a specialist"
        return Stage(state, ahead(place), SPECIALIST, "waiting")
    if last_side == "staff":
        return Stage("Answered", "Read the answer below. Reply if something is left open.", "you", "yours")
    state = "Received" if request["status"] == "new" else "Waiting for a specialist"
    return Stage(state, "A specialist takes it when its turn comes.", SPECIALIST, "waiting")


def _waiting(request: Json, policy: Json, now: datetime) -> Stage:
    """Say for whom a request waits, and the policy's reason (clauses 2.3, 4.8)."""
    lasting = since(instant(request["waiting_since"]), now)
    reason = _circumstance(request, policy)
    if request["waiting_cause"] == "client":
        parts = [reason, "Answer below; we go on as soon as we have it.", *_closes(request, now)]
        step = " ".join(part for part in parts if part)
        return Stage(f"Waiting for your answer {lasting}", step, "you", "yours")
    if request["waiting_cause"] == "release":
        step = " ".join(part for part in (reason, planned(request), "We tell you when it is out.") if part)
        return Stage(f"Waiting for a new version {lasting}", step, "our developers", "waiting")
    step = f"{reason} We go on when they have answered.".strip()
    return Stage(f"Waiting for somebody else {lasting}", step, "somebody outside the Helpdesk", "waiting")


def planned(request: Json) -> str:
    """Say which release is to hold the solution, and when it is expected; empty where none is (clause 2.2)."""
    plan = request["planned_release"]
    if plan is None:
        return ""
    when = f", which is planned for {plan['term']}" if plan["term"] else ""
    return f"It is planned for version {plan['version']}{when}; plans can move."


def _resolved(request: Json, now: datetime) -> Stage:
    """Say that it counts as solved, and when it closes by itself (closing paragraph)."""
    step = " ".join(["Not solved? Reply, and we go on.", *_closes(request, now)])
    return Stage("Solved, as far as we know", step, "you, if something is left", "yours")


def _closes(request: Json, now: datetime) -> list[str]:
    """Say when silence closes a request, in one sentence or none (clause 4.8)."""
    if request["closes_at"] is None:
        return []
    return [f"Otherwise it closes by itself {_on(stamp(instant(request['closes_at']), now))}."]


def _closed(request: Json, policy: Json, now: datetime) -> Stage:
    """Say why it was closed, and what a further message does to it (closing paragraph)."""
    if request["merged_into"]:
        return Stage("Goes on in another request", "What you write here is added there.", "", "done")
    titles = {reason["code"]: reason["title"] for reason in policy["closing"]["reasons"]}
    why = titles.get(request["close_reason"], "")
    if "reopen" in request["allowed"]:
        window = timedelta(days=policy["closing"]["reopen_window_days"])
        until = stamp(instant(request["closed_at"]) + window, now)
        return Stage(_closed_state(why), f"You can reopen it until {until}: say what is left open.", "", "done")
    return Stage(_closed_state(why), "A new message starts a new request that refers to this one.", "", "done")


def _closed_state(why: str) -> str:
    """Return the state of a closed request with the policy's reason as the end of the sentence."""
    return f"Closed: {why[:1].lower()}{why[1:]}" if why else "Closed"


def _circumstance(request: Json, policy: Json) -> str:
    """Return the policy's sentence for what delays or ended the work, empty where none was named (clause 4.8)."""
    texts = {known["code"]: known["text"] for known in policy["circumstances"]}
    return str(texts.get(request["circumstance"], ""))


def _on(when: str) -> str:
    """Return an instant in words as it stands inside a sentence."""
    return when if when.startswith(("today", "tomorrow", "yesterday")) else f"on {when}"


def row(request: Json, now: datetime) -> Row:
    """Return a request's line in the list."""
    changed = instant(request["updated_at"])
    state, tone = _short_state(request)
    return Row(request["number"], one_line(request["subject"]), state, tone, stamp(changed, now), changed.isoformat())


def _short_state(request: Json) -> tuple[str, Tone]:
    """Say the state in as few words as a list has room for; the request's own page says more."""
    known: dict[str, tuple[str, Tone]] = {
        "new": ("Received", "waiting"),
        "open": ("With us", "waiting"),
        "resolved": ("Solved?", "yours"),
        "closed": ("Closed", "done"),
    }
    if request["status"] == "waiting":
        mine = request["waiting_cause"] == "client"
        return ("Waits for you", "yours") if mine else ("Waits for others", "waiting")
    return known[request["status"]]


def topic(given: Json) -> Topic:
    """Return a topic of the catalogue as the form for a new request offers it.

    What is not covered is said before the request is sent, but hinders nobody from sending it (clause 1.3).
    """
    note = ""
    if given["verdict"] == "out":
        note = "Technical support does not cover this; the answer says who can help."
    elif given["support_mode"] == "consult_only":
        note = "Answered by references to documentation."
    elif given["urgency"] is not None:
        note = "Taken out of turn once a specialist has confirmed it."
    items = tuple(TopicLine(item["text"], item["verdict"] == "in") for item in given["items"])
    return Topic(given["code"], given["title"], note, items)


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the public catalogue: its clause, what is covered and what is not (clauses 1.3, 1.4, 3.x)."""

    clause: str
    title: str
    note: str
    covered: tuple[TopicLine, ...]
    left_out: tuple[TopicLine, ...]


def section(given: Json) -> Section:
    """Return a topic of the catalogue as anybody may read it."""
    lines = [TopicLine(item["text"], item["verdict"] != "out", _more(item)) for item in given["items"]]
    return Section(
        given["clause"],
        given["title"],
        topic(given).note,
        tuple(line for line in lines if line.covered),
        tuple(line for line in lines if not line.covered),
    )


def _more(item: Json) -> str:
    """Say what there is to know about an item: how far it is covered, or who helps instead."""
    if item["verdict"] == "out":
        error = "Covered where a product error is behind it. " if item["unless_product_error"] else ""
        return error + (item["referral"]["advice"] if item["referral"] else "")
    return "Answered by references to documentation." if item["support_mode"] == "consult_only" else ""


def notices(request: Json, policy: Json) -> list[str]:
    """Say what the client has to know of release, urgency, scope and licence (1.1, 1.3, 2.1, 2.2)."""
    said = []
    if request["status"] == "open" and request["released_in"]:
        said.append(f"Version {request['released_in']} is out. Install it and tell us whether it solves the problem.")
    if request["urgency_reason"] and not request["urgency_provisional"]:
        titles = {level["code"]: level["title"] for level in policy["urgency"]["levels"]}
        level = str(titles.get(request["urgency"], request["urgency"])).lower()
        said.append(f"A specialist judged the urgency as {level}: {one_line(request['urgency_reason'])}")
    return said + coverage(request, policy)


def coverage(request: Json, policy: Json) -> list[str]:
    """Say what the client has to know of scope and licence, also of a request that wasn't sent yet (1.1, 1.3)."""
    said = []
    scope = request["scope"]
    if scope["verdict"] == "out":
        advice = {known["code"]: known["advice"] for known in policy["scope"]["referrals"]}
        said += [
            f"Technical support does not cover this. {advice.get(scope['refer_to'], scope['reason'] or '')}".strip()
        ]
    elif scope["support_mode"] == "consult_only":
        said.append("Technical support answers this by references to documentation and other sources.")
    entitlement = policy["entitlement"][request["entitlement"]]["notice"]
    return said + ([entitlement] if entitlement else [])


def relations(found: Sequence[Json]) -> list[Relation]:
    """Return the requests that one belongs to as lines (clause 2.4)."""
    return [Relation(r["kind"], _RELATIONS[r["kind"]], r["number"], one_line(r["subject"])) for r in found]


_RELATIONS: Final = {
    "merged_into": "Goes on in",
    "merged_from": "The same question",
    "split_from": "Came in with",
    "split_into": "Another question from here",
    "follows": "Follows",
    "followed_by": "Followed by",
    "linked": "See also",
}


@dataclass(frozen=True, slots=True)
class ClaimLine:
    """What became of an organisation's claims of urgency."""

    name: str
    text: str


def claim_line(found: Json, name: str) -> ClaimLine:
    """Say of how many claims how many were returned (clause 2.1)."""
    judged = found["confirmed"] + found["returned"]
    share = f"{found['returned_share']:.0%}"
    return ClaimLine(name or "Without an organisation", f"{found['returned']} of {judged} returned ({share})")


def questions(request: Json) -> list[Question]:
    """Return the questions whose answers would shorten the way to a solution (clause 4.2)."""
    return [Question(missing["field"], one_line(missing["question"])) for missing in request["missing_information"]]


def abilities(request: Json) -> Abilities:
    """Say what a client may do with a request now, and what the buttons are called."""
    ended = request["status"] in ("resolved", "closed")
    label = "Send reply"
    if ended:
        label = "Send and reopen" if "reopen" in request["allowed"] else "Send as a new request"
    if request["merged_into"]:
        label = "Send it there"
    return Abilities(
        reply=label if "messages" in request["allowed"] else "",
        close="You can reopen it later if something is left open." if "close" in request["allowed"] else "",
        ended=ended,
        ask="supervisor-requests" in request["allowed"],
        rate="rating" in request["allowed"],
    )

"""Where a request stands, for the client: state in words, next step, place in the queue (clauses 2.1, 4.4)."""

from collections.abc import Mapping
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


def place(entry: Json | None) -> Place | None:
    """Return a request's place from its entry in the queue, if it has one."""
    return Place(entry["ahead"], entry["at_least"], entry["claimed"]) if entry else None


def ahead(place: Place) -> str:
    """Say how many requests are served first."""
    # A number would mislead here: whoever is being served has nobody before them.
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
    # No place and the last word is ours: answered. No place and the client's: the queue has not heard of it yet.
    if last_side == "staff":
        return Stage("Answered", "Read the answer below. Reply if something is left open.", "you", "yours")
    state = "Received" if request["status"] == "new" else "Waiting for a specialist"
    return Stage(state, "A specialist takes it when its turn comes.", SPECIALIST, "waiting")


def _waiting(request: Json, policy: Json, now: datetime) -> Stage:
    """Say for whom a request waits, and the policy's reason (clauses 2.3, 4.8)."""
    lasting = since(instant(request["waiting_since"]), now)
    reason = _circumstance(request, policy)
    # What the reader has to do comes first, then what happens if they don't.
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
        # The window counts from the closing; the API says by `allowed`
        # whether it is still open, so no clock of ours decides.
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

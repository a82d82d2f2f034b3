"""What the portal's pages show beside a request's stage: hours, notices, questions, what may be done (clause 4.4)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from firstline.web.words import instant, one_line, stamp

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """A question for information that is lacking, and the field that its answer fills (clause 4.2)."""

    field: str
    text: str


@dataclass(frozen=True, slots=True)
class Abilities:
    """What the reader may do with a request: the words on the buttons, empty where it is not possible.

    Attributes:
        reply: on the button below a message.
        close: what is said beside the button that ends it.
        ended: the request has ended, so a message takes it up again.
        ask: the supervisor can be asked.
        rate: the handling can be rated.

    """

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
        # The referral's advice first: who helps is worth more to the client than why we don't.
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
        # The button says what will happen before it does: a reply that
        # starts a new request must not look like one that doesn't.
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

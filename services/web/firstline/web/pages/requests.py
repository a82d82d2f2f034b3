"""All requests in the console: searched, and one verb for those that are chosen."""

from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response

from firstline.web import forms, searching
from firstline.web.client import Json, Refusal
from firstline.web.forms import Draft
from firstline.web.visit import Posting, Visit, Visiting
from firstline.web.words import count

router = APIRouter(prefix="/console/requests")

Words = Annotated[str, Query(max_length=500)]
Status = Annotated[str, Query(pattern="^(|new|open|waiting|resolved|closed)$")]

STATUSES: Final = (
    ("", "Any state"),
    ("new", "New"),
    ("open", "Open"),
    ("waiting", "Waiting"),
    ("resolved", "Solved"),
    ("closed", "Closed"),
)
ACTS: Final[dict[str, tuple[str, str, Json, str | None]]] = {
    "reply": ("Reply to the clients", "messages", {"audience": "public"}, "body"),
    "note": ("Note for the desk", "messages", {"audience": "internal"}, "body"),
    "wait": ("Wait for the clients", "wait", {"cause": "client"}, "note"),
    "resume": ("Go on", "resume", {}, "note"),
    "resolve": ("Solved", "resolve", {}, "body"),
    "close": ("Close as solved", "close", {"reason": "resolved"}, "body"),
    "spam": ("Close as spam", "close", {"reason": "spam"}, None),
}
"""What can be done to many: its name, the verb, what goes with it, and as what the text goes."""
NEED_TEXT: Final = ("reply", "note")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one verb for many, in words; `refused` says why not, by number."""

    title: str
    refused: tuple[tuple[str, str], ...]


@router.get("")
async def list_all(
    visit: Visiting, q: Words = "", status: Status = "", cursor: Annotated[str | None, Query(max_length=1000)] = None
) -> Response:
    """Show all requests, or those that a search finds, newest first."""
    return await _page(visit, Draft(visit.new_key()), 200, {"q": q, "status": status, "cursor": cursor or ""})


async def _page(
    visit: Visit, draft: Draft, code: int, wish: dict[str, str], outcome: Outcome | None = None
) -> Response:
    """Show a page of the requests that are wished for, and what came of the last act on many."""
    found = await searching.found(visit.desk, wish)
    shown: dict[str, Any] = {
        "hits": [searching.hit(item, visit.now) for item in found.items],
        "older": found.older,
        "wish": wish,
        "statuses": STATUSES,
        "acts": [(code, act[0]) for code, act in ACTS.items()],
        "problem": found.problem,
        "outcome": outcome,
        "draft": draft,
        "chosen": draft.text("chosen").split(),
    }
    return await visit.page("console_requests.html", status=code, here="all", **shown)


@router.post("/act")
async def act_on_many(posted: Posting) -> Response:
    """Use one verb on the requests that are chosen, or see what would come of it; each has its own result."""
    visit = posted.visit
    chosen = [one for one in posted.form.getlist("chosen") if isinstance(one, str)]
    wish = {name: posted.text(name) for name in ("q", "status", "cursor")}
    act, text = posted.text("act"), posted.text("text")
    typed = {"act": act, "text": text, "chosen": " ".join(chosen)}
    lacks = {} if chosen else {"chosen": "Choose at least one request."}
    lacks |= {} if act in ACTS else {"act": "Choose what is to be done."}
    lacks |= {"text": "Write what you want to say."} if act in NEED_TEXT and not text else {}
    if lacks:
        return await _page(visit, Draft(visit.new_key(), typed, wrong=lacks), 422, wish)
    _, verb, given, member = ACTS[act]
    body = {**given, **({member: text} if member and text else {})}
    # Of those that the visitor has claimed: the others are changed as somebody without a claim may change them.
    tokens = {one: token for one in chosen if (token := visit.claim(one))}
    trying = posted.text("then") == "try"
    call = {"ids": chosen, "verb": verb, "body": body, "dry_run": trying, "claim_tokens": tokens}
    try:
        results = await visit.desk.act_on_many(call, forms.key_of(posted))
    except Refusal as refusal:
        return await _page(visit, Draft(visit.new_key(), typed, wrong={"text": refusal.detail}), refusal.status, wish)
    # A trial keeps what was typed, for the real act follows; it gets
    # a key of its own, or it would be given the trial's answer.
    draft = Draft(visit.new_key(), typed if trying else {})
    return await _page(visit, draft, 200, wish, _outcome(results))


def _outcome(results: Json) -> Outcome:
    """Say in words what one verb for many came to."""
    done = count(results["done"], "request", "requests")
    title = f"It would be done to {done}. Nothing was changed." if results["dry_run"] else f"Done to {done}."
    refused = tuple((item["given"], item["problem"]["detail"]) for item in results["items"] if not item["ok"])
    return Outcome(title, refused)

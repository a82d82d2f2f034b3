"""Incidents in the console: requests of one cause, what is like them, one answer to all, and the portal's banner."""

from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Response

from firstline.web import forms
from firstline.web.client import Json, Refusal
from firstline.web.forms import Draft
from firstline.web.stages import Row, row
from firstline.web.visit import Posted, Posting, Visit, Visiting
from firstline.web.words import count, instant, stamp

router = APIRouter(prefix="/console/incidents")

IncidentId = Annotated[str, Path(pattern=r"^[0-9A-Za-z-]{1,64}$")]
Cursor = Annotated[str | None, Query(max_length=1000)]
MOST_NAMED: Final = 200

NOTICES: Final = {
    "opened": "The incident is open. Link the requests that have its cause.",
    "linked": "The requests are linked; each says so in its history.",
    "unlinked": "The request is taken out; its history says so.",
    "answered": "The answer is on its way: each linked request gets it once.",
    "banner": "The portal shows the text while the incident is open.",
    "unbanner": "The portal shows nothing of this incident any more.",
    "resolved": "The incident is over. Its requests stay as they are.",
}


@dataclass(frozen=True, slots=True)
class Line:
    """An incident in the list: its title, whether it is open, how many requests it has, and since when."""

    id: str
    title: str
    open: bool
    requests: str
    iso: str
    since: str


@dataclass(frozen=True, slots=True)
class Sent:
    """An answer to all: its text, when it was given, and how far it has come, in words."""

    body: str
    at: str
    iso: str
    far: str


@dataclass(frozen=True, slots=True)
class Linked:
    """A request that is linked, or might be; `why` says for what reason it is proposed."""

    id: str
    line: Row
    why: str = ""


def line(given: Json, visit: Visit) -> Line:
    """Return an incident as the list shows it."""
    at = instant(given["opened_at"])
    requests = count(given["tickets"], "request", "requests")
    return Line(
        given["id"], given["title"], given["status"] == "open", requests, given["opened_at"], stamp(at, visit.now)
    )


def sent(given: Json, visit: Visit) -> Sent:
    """Return an answer to all as the page shows it."""
    far = f"{given['sent']} of {count(given['total'], 'request', 'requests')} answered"
    if given["refused"]:
        far += f", {given['refused']} closed before"
    return Sent(given["body"], stamp(instant(given["created_at"]), visit.now), given["created_at"], far)


@router.get("")
async def list_incidents(visit: Visiting, cursor: Cursor = None) -> Response:
    """Show all incidents, newest first, and the form that opens one."""
    return await _list(visit, Draft(visit.new_key()), 200, cursor)


async def _list(visit: Visit, draft: Draft, status: int, cursor: str | None = None) -> Response:
    """Show the list, with what was typed into the form that opens one."""
    page = await visit.desk.incidents(cursor)
    shown = {"incidents": [line(one, visit) for one in page["items"]], "older": page["next"], "draft": draft}
    return await visit.page("console_incidents.html", status=status, here="incidents", **shown)


@router.post("")
async def open_incident(posted: Posting) -> Response:
    """Open an incident, with the requests that are named."""
    body = {"title": posted.text("title"), "ticket_ids": _named(posted)}
    try:
        made = await posted.visit.desk.open_incident(body, forms.key_of(posted))
    except Refusal as refusal:
        draft = forms.refused(posted, refusal, fields={"ticket_ids": "named", "title": "title"})
        return await _list(posted.visit, draft, refusal.status)
    return posted.visit.go(f"/console/incidents/{made['id']}?done=opened")


@router.get("/{incident_id}")
async def show_incident(visit: Visiting, incident_id: IncidentId, cursor: Cursor = None, done: str = "") -> Response:
    """Show an incident with its requests and those that are like them."""
    return await _page(visit, incident_id, Draft(visit.new_key()), cursor=cursor, notice=NOTICES.get(done))


async def _page(
    visit: Visit,
    incident_id: str,
    draft: Draft,
    *,
    status: int = 200,
    cursor: str | None = None,
    notice: str | None = None,
) -> Response:
    """Show an incident, with what was typed into one of its forms."""
    given = await visit.desk.incident(incident_id)
    page = await visit.desk.incident_requests(incident_id, cursor)
    is_open = given["status"] == "open"
    proposed = await visit.desk.proposals(incident_id) if is_open else []
    shown: dict[str, Any] = {
        "incident": line(given, visit),
        "banner": given["banner"]["text"] if given["banner"] else "",
        "sent": [sent(one, visit) for one in given["answers"]],
        "linked": [Linked(one["id"], row(one, visit.now)) for one in page["items"]],
        "more": page["next"],
        "proposed": [Linked(one["ticket"]["id"], row(one["ticket"], visit.now), _why(one)) for one in proposed],
    }
    return await visit.page(
        "console_incident.html", status=status, here="incidents", draft=draft, notice=notice, **shown
    )


def _why(proposal: Json) -> str:
    """Say why a request is thought to have the same cause."""
    reasons = (["the same topic"] if proposal["same_topic"] else []) + [f"“{word}…”" for word in proposal["words"][:6]]
    return "shares " + ", ".join(reasons) if reasons else ""


@router.post("/{incident_id}/link")
async def link(posted: Posting, incident_id: IncidentId) -> Response:
    """Link the requests that are chosen or named."""
    chosen = [str(value) for name, value in posted.form.multi_items() if name == "chosen"]
    body = {"ticket_ids": [*chosen, *_named(posted)][:MOST_NAMED]}
    return await _act(posted, incident_id, "link", body, "linked", {"ticket_ids": "named"})


@router.post("/{incident_id}/unlink")
async def unlink(posted: Posting, incident_id: IncidentId) -> Response:
    """Take a request out."""
    return await _act(posted, incident_id, "unlink", {"ticket_ids": [posted.text("ticket")]}, "unlinked", {})


@router.post("/{incident_id}/answer")
async def answer(posted: Posting, incident_id: IncidentId) -> Response:
    """Give all linked requests one answer."""
    body = {"body": posted.text("answer"), "resolve": bool(posted.text("solves"))}
    return await _act(posted, incident_id, "answer", body, "answered", {"body": "answer"})


@router.post("/{incident_id}/banner")
async def set_banner(posted: Posting, incident_id: IncidentId) -> Response:
    """Show a text in the portal, or none any more."""
    text = posted.text("banner") or None
    return await _act(
        posted, incident_id, "banner", {"text": text}, "banner" if text else "unbanner", {"text": "banner"}
    )


@router.post("/{incident_id}/resolve")
async def resolve(posted: Posting, incident_id: IncidentId) -> Response:
    """Say that the trouble is over."""
    return await _act(posted, incident_id, "resolve", {}, "resolved", {})


async def _act(posted: Posted, incident_id: str, verb: str, body: Json, done: str, fields: dict[str, str]) -> Response:
    """Use a verb and show the incident; where it is refused, with why and what was typed."""
    visit = posted.visit
    try:
        await visit.desk.act_on_incident(incident_id, verb, body, forms.key_of(posted))
    except Refusal as refusal:
        draft = forms.refused(posted, refusal, opened=verb, fields=fields)
        return await _page(visit, incident_id, draft, status=refusal.status)
    return visit.go(f"/console/incidents/{incident_id}?done={done}")


def _named(posted: Posted) -> list[str]:
    """Return the IDs that somebody typed, apart by spaces or commas."""
    return posted.text("named").replace(",", " ").split()[:MOST_NAMED]

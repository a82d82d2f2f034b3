"""The portal: send a request, read the correspondence, answer, close, reopen (clauses 1.2, 4.2, 4.4, 4.6)."""

from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any, Final

import httpx
from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import StreamingResponse

from firstline.web import forms, views
from firstline.web.client import Refusal
from firstline.web.forms import BODY_LIMIT, Draft
from firstline.web.visit import Posted, Posting, Visit, Visiting
from firstline.web.words import one_line

router = APIRouter()

Reference = Annotated[str, Path(pattern=r"^[0-9A-Za-z-]{1,64}$")]
Cursor = Annotated[str | None, Query(max_length=1000)]

RECOVERIES: Final = (
    {"code": "none", "text": "No"},
    {"code": "partial", "text": "Yes, a part of it"},
    {"code": "full", "text": "Yes, all of it"},
)
NOTICES: Final = {
    "replied": "Your reply was added. You find it at the end.",
    "reopened": "The request is open again.",
    "closed": "The request is closed.",
}
OPTIONAL: Final = ("topic", "recovery", "product", "version", "licence_key")
HELD_HEADERS: Final = ("content-type", "content-length", "content-disposition")


@router.get("/requests")
async def list_own(visit: Visiting, cursor: Cursor = None) -> Response:
    """Show the visitor's requests, newest first."""
    if visit.session.is_staff:
        return visit.go(visit.session.start)
    page = await visit.desk.tickets(cursor)
    rows = [views.row(item, visit.now) for item in page["items"]]
    return await visit.page("requests.html", here="requests", rows=rows, older=page["next"])


@router.get("/requests/new")
async def ask(visit: Visiting) -> Response:
    """Show the form for a new request."""
    return await _form(visit, Draft(visit.new_key(), {"recovery": "none"}), 200)


async def _form(visit: Visit, draft: Draft, status: int) -> Response:
    topics = [views.topic(topic) for topic in (await visit.desk.scope())["topics"]]
    rules = forms.file_rules(await visit.desk.policy())
    shown = {"topics": topics, "recoveries": RECOVERIES, "rules": rules, "draft": draft}
    return await visit.page("new_request.html", status=status, here="new", **shown)


@router.post("/requests", max_body_size=BODY_LIMIT)
async def send(posted: Posting) -> Response:
    """Send a new request, or show the form again with what needs another look."""
    visit = posted.visit
    kept, wrong = await forms.take_files(posted, await visit.desk.policy())
    if wrong:
        refusal = Refusal(422, "files", "A file can't be taken", "", (("/files", wrong),))
        return await _form(visit, forms.refused(posted, refusal, kept), 422)
    body = {name: value for name in OPTIONAL if (value := posted.text(name))}
    body |= {"subject": posted.text("subject"), "body": posted.text("body"), "channel": "portal"}
    try:
        made = await visit.desk.submit({**body, "attachment_ids": [file.id for file in kept]}, forms.key_of(posted))
    except Refusal as refusal:
        return await _form(visit, forms.refused(posted, refusal, kept), refusal.status)
    return visit.go(f"/requests/{made['number']}/received")


@router.get("/requests/{reference}/received")
async def received(visit: Visiting, reference: Reference) -> Response:
    """Show the ID of a new request and what happens next (clause 4.4)."""
    item = await visit.desk.ticket(reference)
    policy = await visit.desk.policy()
    place = views.place(await visit.entry(item["id"]))
    shown = {
        "number": item["number"],
        "subject": item["subject"],
        "stage": views.stage(item, policy, place, None, visit.now),
        "notices": views.notices(item, policy),
        "questions": [missing["question"] for missing in item["missing_information"]],
    }
    return await visit.page("received.html", here="new", **shown)


@router.get("/requests/{reference}")
async def read(visit: Visiting, reference: Reference, done: str = "") -> Response:
    """Show one request with its full correspondence; a specialist works on it in the console."""
    if visit.session.is_staff:
        return visit.go(f"/console/{reference}")
    return await _request(visit, reference, Draft(visit.new_key()), 200, NOTICES.get(done))


async def _request(visit: Visit, reference: str, draft: Draft, status: int, notice: str | None = None) -> Response:
    item = await visit.desk.ticket(reference)
    messages = await visit.desk.messages(reference)
    policy = await visit.desk.policy()
    place = views.place(await visit.entry(item["id"]))
    last_side = next((m["author"]["side"] for m in reversed(messages) if m["audience"] == "public"), None)
    shown = {
        "number": item["number"],
        "subject": one_line(item["subject"]),
        "stage": views.stage(item, policy, place, last_side, visit.now),
        "notices": views.notices(item, policy),
        "questions": [missing["question"] for missing in item["missing_information"]],
        "letters": views.letters(messages, visit.now, staff=False),
        "can": views.abilities(item),
    }
    rules = forms.file_rules(policy)
    return await visit.page(
        "request.html", status=status, here="requests", notice=notice, draft=draft, rules=rules, **shown
    )


@router.post("/requests/{reference}/reply", max_body_size=BODY_LIMIT)
async def reply(posted: Posting, reference: Reference) -> Response:
    """Add a message with its files; one to an ended request opens it again, or starts a new one that follows it."""
    visit = posted.visit
    kept, wrong = await forms.take_files(posted, await visit.desk.policy())
    if wrong:
        refusal = Refusal(422, "files", "A file can't be taken", "", (("/files", wrong),))
        return await _request(visit, reference, forms.refused(posted, refusal, kept), 422)
    body = {"body": posted.text("body"), "attachment_ids": [file.id for file in kept]}
    try:
        told = await visit.desk.act(reference, "messages", body, key=forms.key_of(posted))
    except Refusal as refusal:
        return await _request(visit, reference, forms.refused(posted, refusal, kept), refusal.status)
    number = told["ticket"]["number"]
    return visit.go(f"/requests/{number}/received" if told["follows"] else f"/requests/{number}?done=replied")


@router.post("/requests/{reference}/close")
async def close(posted: Posting, reference: Reference) -> Response:
    """Close a request that was solved, with a last word where there is one."""
    body = {"reason": "resolved", "body": posted.text("last") or None}
    return await _act(posted, reference, "close", body, "closed")


@router.post("/requests/{reference}/reopen")
async def reopen(posted: Posting, reference: Reference) -> Response:
    """Open an ended request again and say what is left open."""
    return await _act(posted, reference, "reopen", {"body": posted.text("body")}, "reopened")


async def _act(posted: Posted, reference: str, verb: str, body: Mapping[str, Any], done: str) -> Response:
    try:
        await posted.visit.desk.act(reference, verb, dict(body), key=forms.key_of(posted))
    except Refusal as refusal:
        return await _request(posted.visit, reference, forms.refused(posted, refusal), refusal.status)
    return posted.visit.go(f"/requests/{reference}?done={done}")


@router.get("/files/{attachment_id}")
async def file(visit: Visiting, attachment_id: Reference) -> Response:
    """Hand on a file of a message; the browser may show it as a picture, and never runs it."""
    answer = await visit.desk.file(attachment_id)
    headers = {name: answer.headers[name] for name in HELD_HEADERS if name in answer.headers}
    policy = {"Content-Security-Policy": "default-src 'none'; sandbox", "Cache-Control": "private, max-age=86400"}
    return visit.finish(StreamingResponse(_chunks(answer), headers={**headers, **policy}))


async def _chunks(answer: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for chunk in answer.aiter_bytes():
            yield chunk
    finally:
        await answer.aclose()

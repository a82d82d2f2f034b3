"""The portal: send a request, read the correspondence, answer (which may reopen), close (clauses 4.2, 4.4, 4.6)."""

from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Final

import httpx
from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from firstline.web import access, catalogue, documents, forms, letters, searching, stages, supervision, views
from firstline.web.client import Desk, Json, Refusal
from firstline.web.forecasts import expectation
from firstline.web.forms import Draft
from firstline.web.visit import (
    CONTENT_POLICY,
    Posted,
    Posting,
    PostingFiles,
    Visit,
    Visiting,
    render,
    session_of,
    web_of,
)
from firstline.web.words import one_line

OWN_SCRIPTS: Final = "script-src 'self'; connect-src 'self'"
"""Added to the policy of a page with a script of ours; nothing inline, nothing of others."""

router = APIRouter()

Reference = Annotated[str, Path(pattern=r"^[0-9A-Za-z-]{1,64}$")]
Cursor = Annotated[str | None, Query(max_length=1000)]

RECOVERIES: Final = (
    {"code": "none", "text": "No"},
    {"code": "partial", "text": "Yes, a part of it"},
    {"code": "full", "text": "Yes, all of it"},
)
NOTICES: Final = {
    "before": "This form was sent before. What you changed in it since then was not added.",
    "replied": "Your reply was added. You find it at the end.",
    "moved": "Your reply was added here, where your request goes on.",
    "closed": "The request is closed.",
    "asked": "The supervisor reads it and answers you. Your request keeps its place meanwhile.",
    "rated": "Thank you. Your rating is kept.",
}
REQUIRED: Final = {"subject": "Say in a few words what is wrong.", "body": "Tell us what happened."}
OPTIONAL: Final = ("topic", "recovery", "product", "version", "licence_key")
ANSWER: Final = "field-"
"""Begins the names of form fields that answer questions; the field's code follows."""

ASK: Final = "supervisor-requests"
SENT_BEFORE: Final = "idempotency-key-reused"
PLACE_TRIES: Final = 5
PLACE_PAUSE_SECONDS: Final = 0.05
HELD_HEADERS: Final = ("content-type", "content-length", "content-disposition")


@router.get("/covered")
async def covered(request: Request) -> Response:
    """Show anybody what is covered, what is not, and who helps with that (clauses 1.3, 1.4, 3.1 to 3.6)."""
    web, session = web_of(request), session_of(request)
    # Anybody may read it, signed in or not, and the API asks for no token here.
    desk = Desk(web.api, None)
    scope, policy = await desk.scope(), await desk.policy()
    me = {"me": session, "csrf": session.csrf if session else "", "density": session.density if session else ""}
    shown = {"sections": [catalogue.section(topic) for topic in scope["topics"]], "title": policy["title"]}
    values = {**me, **shown, "opening": None, "here": "covered", "version": scope["version"]}
    return render(web, "covered.html", 200, values)


@router.get("/requests")
async def list_own(
    visit: Visiting, cursor: Cursor = None, done: str = "", q: Annotated[str, Query(max_length=500)] = ""
) -> Response:
    """Show the visitor's requests, newest first, or those that words find."""
    if visit.session.is_staff:
        return visit.go(visit.session.start)
    found, notice = await searching.found(visit.desk, {"q": q, "cursor": cursor or ""}), NOTICES.get(done)
    hits = [searching.hit(item, visit.now) for item in found.items]
    shown: Json = {"hits": hits, "older": found.older, "q": q, "problem": found.problem}
    return await visit.page("requests.html", here="requests", notice=notice, **shown)


@router.get("/requests/new")
async def ask(visit: Visiting) -> Response:
    """Show the form for a new request."""
    return await _form(visit, Draft(visit.new_key(), {"recovery": "none"}), 200)


async def _form(
    visit: Visit, draft: Draft, status: int, advice: documents.Advice | None = None, read: tuple[str, ...] = ()
) -> Response:
    """Show the form for a new request as it was typed and ticked so far, with what a check said of it.

    What was typed behind the questions of an earlier check is there again, whatever the form is shown for.
    """
    policy = await visit.desk.policy()
    answered = [name.removeprefix(ANSWER) for name, words in draft.values.items() if name.startswith(ANSWER) and words]
    shown = {
        "topics": [catalogue.topic(topic) for topic in (await visit.desk.scope())["topics"]],
        "recoveries": RECOVERIES,
        "rules": forms.file_rules(policy),
        "draft": draft,
        "advice": advice,
        "questions": advice.questions if advice else documents.asked(policy, answered),
        "read": read,
    }
    page = await visit.page("new_request.html", status=status, here="new", **shown)
    page.headers["Content-Security-Policy"] = f"{CONTENT_POLICY}; {OWN_SCRIPTS}"
    return page


@router.post("/requests")
async def send(posted: PostingFiles) -> Response:
    """Send a new request, or show the form again with what needs another look."""
    visit = posted.visit
    kept, wrong = await forms.take_files(posted, await visit.desk.policy())
    wrong = {**forms.empty(posted, REQUIRED), **wrong}
    if wrong:
        return await _again(posted, forms.refused(posted, forms.lacking(wrong), kept), 422)
    given = {name: posted.text(name) for name in (*REQUIRED, *OPTIONAL)}
    sent: Json = {name: value for name, value in given.items() if value} | {"channel": "portal"}
    sent["fields"] = _answers(posted)
    sent["doc_refs"] = [*_read(posted)]
    if posted.text("then") == "check":
        return await _checked(posted, sent, kept)
    body = {**sent, "attachment_ids": [file.id for file in kept]}
    # Once, before it is sent: a client who was told and sends all the same is not asked again (clause 2.4).
    hints = await _hints(posted, body)
    if hints:
        return await _again(posted, Draft(forms.key_of(posted), forms.typed(posted), kept, hints=hints), 200)
    try:
        made = await visit.desk.submit(body, forms.key_of(posted))
    except Refusal as refusal:
        # The files of a form that is sent twice were uploaded twice, so its key meets another body.
        if refusal.slug == SENT_BEFORE:
            return visit.go("/requests?done=before")
        return await _again(posted, forms.refused(posted, refusal, kept), refusal.status)
    return visit.go(f"/requests/{made['number']}/received")


async def _again(posted: Posted, draft: Draft, status: int, advice: documents.Advice | None = None) -> Response:
    """Show the form for a new request once more, with nothing lost."""
    return await _form(posted.visit, draft, status, advice, _read(posted))


def _read(posted: Posted) -> tuple[str, ...]:
    """Return the addresses of the pages that were ticked as read, each once."""
    ticked = [address for address in posted.form.getlist("read") if isinstance(address, str)]
    return tuple(dict.fromkeys(address for address in ticked if address.startswith(("https://", "http://"))))


async def _hints(posted: Posted, body: Json) -> tuple[str, ...]:
    """Return what the policy remarks about a request before it is sent, unless that was read (clause 2.4)."""
    if posted.text("read_hints"):
        return ()
    try:
        verdict = await posted.visit.desk.check(body)
    except Refusal:
        return ()  # sending it says what is wrong
    return tuple(hint["text"] for hint in verdict["hints"])


def _answers(posted: Posted) -> dict[str, str]:
    """Return what was typed behind the questions of a form, by field."""
    names = [name for name in posted.form if name.startswith(ANSWER)]
    return {name.removeprefix(ANSWER): words for name in names if (words := posted.text(name))}


async def _checked(posted: Posted, sent: Json, kept: tuple[forms.Kept, ...]) -> Response:
    """Show the form again with pages that may answer the request and what it lacks; nothing was sent."""
    visit = posted.visit
    try:
        verdict = await visit.desk.check(sent)
    except Refusal as refusal:
        return await _again(posted, forms.refused(posted, refusal, kept), refusal.status)
    draft = Draft(forms.key_of(posted), forms.typed(posted), kept)
    advice = documents.advice(verdict, await visit.desk.policy(), list(sent["fields"]))
    return await _again(posted, draft, 200, advice)


@router.get("/requests/{reference}/received")
async def received(visit: Visiting, reference: Reference) -> Response:
    """Show the ID of a new request and what happens next (clause 4.4)."""
    item = await visit.desk.ticket(reference)
    policy = await visit.desk.policy()
    shown = {
        "number": item["number"],
        "subject": one_line(item["subject"]),
        "stage": stages.stage(item, policy, await _first_place(visit, item["id"]), None, visit.now),
        "notices": views.notices(item, policy),
        "questions": views.questions(item),
        "links": documents.unread(item),
    }
    return await visit.page("received.html", here="new", **shown)


async def _first_place(visit: Visit, request_id: str) -> stages.Place | None:
    """Return the place of a new request; the queue hears of it a moment after it was accepted."""
    for _ in range(PLACE_TRIES):
        if entry := await visit.entry(request_id):
            return stages.place(entry)
        # The event reaches the queue some milliseconds later. A
        # quarter of a second at most, then the page does without.
        await visit.web.ports.clock.sleep(PLACE_PAUSE_SECONDS)
    return None


@router.get("/requests/{reference}")
async def read(visit: Visiting, reference: Reference, done: str = "") -> Response:
    """Show one request with its full correspondence; a specialist works on it in the console."""
    if visit.session.is_staff:
        return visit.go(f"/console/{reference}")
    return await _request(visit, reference, Draft(visit.new_key()), 200, NOTICES.get(done))


async def _request(visit: Visit, reference: str, draft: Draft, status: int, notice: str | None = None) -> Response:
    """Show one request as its client reads it, with what was typed where an act was refused."""
    item = await visit.desk.ticket(reference)
    entitled = (await visit.desk.entitlement(reference))["now"]
    messages = await visit.desk.messages(reference)
    policy = await visit.desk.policy()
    place = stages.place(await visit.entry(item["id"]))
    forecast = await visit.forecast(item["id"]) if place else None
    # The last word decides whose turn it is; a machine's message is nobody's word.
    said = [m["author"]["side"] for m in messages if m["audience"] == "public" and not m["automatic"]]
    shown = {
        "number": item["number"],
        "subject": one_line(item["subject"]),
        "stage": stages.stage(item, policy, place, said[-1] if said else None, visit.now),
        "expectation": expectation(forecast, place, visit.now),
        "notices": views.notices({**item, "entitlement": entitled}, policy),
        "questions": views.questions(item),
        "asks_licence": entitled != "active",
        "letters": letters.letters(messages, visit.now, staff=False),
        "can": views.abilities(item),
        "asked": supervision.asked(await visit.desk.supervisor_requests(reference), visit.now),
        "access": access.waiting(given := await visit.desk.access_requests(reference)),
        "access_known": bool(given),
        "kinds": supervision.KINDS,
        "marks": supervision.marks(policy),
        "rating": supervision.rating(item, policy),
        "relations": views.relations(await visit.desk.relations(reference)),
    }
    rules = forms.file_rules(policy)
    return await visit.page(
        "request.html", status=status, here="requests", notice=notice, draft=draft, rules=rules, **shown
    )


@router.post("/requests/{reference}/reply")
async def reply(posted: PostingFiles, reference: Reference) -> Response:
    """Add a message with its files and answers; one to an ended request reopens it, or starts one that follows it."""
    visit = posted.visit
    kept, wrong = await forms.take_files(posted, await visit.desk.policy())
    asked = views.questions(await visit.desk.ticket(reference))
    answers = _answers(posted)
    body = forms.with_answers(posted.text("body"), asked, answers)
    if not body and forms.LICENCE in answers:
        # A key goes into no message, but a message there has to be: it brings the request back to the queue.
        body = "The licence key is added."
    wrong = {**({} if body else {"body": "Write what you want to say."}), **wrong}
    if wrong:
        return await _request(visit, reference, forms.refused(posted, forms.lacking(wrong), kept), 422)
    sent = {"body": body, "attachment_ids": [file.id for file in kept], "fields": answers}
    try:
        told = await visit.desk.act(reference, "messages", sent, key=forms.key_of(posted))
    except Refusal as refusal:
        if refusal.slug == SENT_BEFORE:
            return visit.go(f"/requests/{reference}?done=before")
        return await _request(visit, reference, forms.refused(posted, refusal, kept, opened="messages"), refusal.status)
    number = told["ticket"]["number"]
    if told["follows"]:
        return visit.go(f"/requests/{number}/received")
    return visit.go(f"/requests/{number}?done={'moved' if told['merged_from'] else 'replied'}")


@router.post("/requests/{reference}/close")
async def close(posted: Posting, reference: Reference) -> Response:
    """Close a request that was solved, with a last word where there is one."""
    body = {"reason": "resolved", "body": posted.text("last") or None}
    try:
        await posted.visit.desk.act(reference, "close", body, key=forms.key_of(posted))
    except Refusal as refusal:
        draft = forms.refused(posted, refusal, opened="close")
        return await _request(posted.visit, reference, draft, refusal.status)
    return posted.visit.go(f"/requests/{reference}?done=closed")


@router.post("/requests/{reference}/supervisor")
async def ask_supervisor(posted: Posting, reference: Reference) -> Response:
    """Ask the supervisor to speed a request up, or to hear a comment."""
    if not posted.text("ask_body"):
        draft = forms.refused(posted, forms.lacking({"ask_body": "Write what you want to say."}), opened=ASK)
        return await _request(posted.visit, reference, draft, 422)
    body = {"kind": posted.text("ask_kind") or "comment", "body": posted.text("ask_body")}
    fields = {"kind": "ask_kind", "body": "ask_body"}
    return await _act(posted, reference, ASK, body, "asked", fields)


@router.post("/requests/{reference}/rating")
async def rate(posted: Posting, reference: Reference) -> Response:
    """Rate how a request was handled."""
    if not posted.text("mark"):
        draft = forms.refused(posted, forms.lacking({"mark": "Choose one."}), opened="rating")
        return await _request(posted.visit, reference, draft, 422)
    body = {"mark": posted.text("mark"), "comment": posted.text("rating_comment") or None}
    return await _act(posted, reference, "rating", body, "rated", {"comment": "rating_comment"})


async def _act(
    posted: Posted, reference: str, verb: str, body: Mapping[str, str | None], done: str, fields: Mapping[str, str]
) -> Response:
    """Use a verb and show the request; where it is refused, with what was typed."""
    try:
        await posted.visit.desk.act(reference, verb, dict(body), key=forms.key_of(posted))
    except Refusal as refusal:
        draft = forms.refused(posted, refusal, opened=verb, fields=fields)
        return await _request(posted.visit, reference, draft, refusal.status)
    return posted.visit.go(f"/requests/{reference}?done={done}")


@router.get("/files/{attachment_id}")
async def file(visit: Visiting, attachment_id: Reference) -> Response:
    """Hand on a file of a message; the browser may show it as a picture, and never runs it."""
    answer = await visit.desk.file(attachment_id)
    headers = {name: answer.headers[name] for name in HELD_HEADERS if name in answer.headers}
    # `sandbox`: even an HTML file that got through would have no origin, no scripts and no cookies here.
    policy = {"Content-Security-Policy": "default-src 'none'; sandbox", "Cache-Control": "no-store"}
    return visit.finish(StreamingResponse(_chunks(answer), headers={**headers, **policy}))


async def _chunks(answer: httpx.Response) -> AsyncIterator[bytes]:
    """Yield the API's answer as it comes in, and close it also when the browser leaves early."""
    try:
        async for chunk in answer.aiter_bytes():
            yield chunk
    finally:
        await answer.aclose()

"""Access data (clause 4.3): the client's own form for them, and what a specialist asks for and reads.

What is typed into the form is never shown again, also where it was refused; what is read is on one page for a minute.
"""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Response

from firstline.web import access, forms
from firstline.web.client import Json, Refusal
from firstline.web.forms import Draft
from firstline.web.visit import Posted, Posting, Visit, Visiting
from firstline.web.words import one_line

router = APIRouter()

Reference = Annotated[str, Path(pattern=r"^[0-9A-Za-z-]{1,64}$")]

SHOWN_SECONDS: Final = 60
ASK: Final = "access-requests"
NOTICES: Final = {
    "given": "It is given. Only the specialist who works on your request can read it.",
    "declined": "The specialist knows that you give nothing.",
    "revoked": "It is taken back, and what was given is deleted here.",
    "confirmed": "Thank you. It is noted that you have changed it.",
    "moved": "It lies with the access data now. The text stays as it is shown.",
    "restored": "The text is put back as it came.",
    "asked": "The client is told what you ask for, and answers in a form of its own.",
}


@router.get("/requests/{reference}/access")
async def show_to_client(visit: Visiting, reference: Reference, done: str = "") -> Response:
    """Show a client what is asked for, the form for it, and who read what was given."""
    if visit.session.is_staff:
        return visit.go(f"/console/{reference}/access")
    return await _page(visit, reference, Draft(visit.new_key()), 200, NOTICES.get(done))


@router.get("/console/{reference}/access")
async def show_to_staff(visit: Visiting, reference: Reference, done: str = "") -> Response:
    """Show a specialist what was asked for, and the forms to ask and to read."""
    return await _page(visit, reference, Draft(visit.new_key()), 200, NOTICES.get(done))


async def _page(visit: Visit, reference: str, draft: Draft, status: int, notice: str | None = None) -> Response:
    """Show what was asked for on a request, with the forms that fit its reader."""
    item = await visit.desk.ticket(reference)
    shown = {
        "number": item["number"],
        "subject": one_line(item["subject"]),
        "access_asked": access.asked(await visit.desk.access_requests(reference), visit.now),
        "staff": visit.session.is_staff,
        "access_kinds": access.kinds(await visit.desk.policy()) if ASK in item["allowed"] else [],
        "holds": visit.claim(item["id"]) is not None,
        "seconds": SHOWN_SECONDS,
        "taken_out": access.taken_out(await visit.desk.held_texts(reference), visit.now)
        if visit.session.is_staff
        else [],
        "all_kinds": access.kinds(await visit.desk.policy()),
    }
    return await visit.page("access.html", status=status, draft=draft, notice=notice, here="requests", **shown)


@router.post("/requests/{reference}/access/{request_id}/provide")
async def provide(posted: Posting, reference: Reference, request_id: Reference) -> Response:
    """Hand over what was typed; it is not shown again."""
    values: dict[str, dict[str, str]] = {}
    for name, given in posted.form.multi_items():
        kind, dot, code = name.partition(".")
        if dot and isinstance(given, str) and given.strip():
            # Line ends as browsers send them (CRLF) would break a private
            # key; spaces inside a value stay, for they may be part of it.
            values.setdefault(kind, {})[code] = given.strip("\r\n").replace("\r\n", "\n")
    return await _act(posted, reference, request_id, "provide", {"values": values}, "given")


@router.post("/requests/{reference}/access/{request_id}/decline")
async def decline(posted: Posting, reference: Reference, request_id: Reference) -> Response:
    """Give nothing."""
    return await _act(posted, reference, request_id, "decline", {}, "declined")


@router.post("/requests/{reference}/access/{request_id}/confirm")
async def confirm(posted: Posting, reference: Reference, request_id: Reference) -> Response:
    """Confirm that what was given is changed."""
    return await _act(posted, reference, request_id, "confirm", {}, "confirmed")


@router.post("/requests/{reference}/access/{request_id}/revoke")
async def revoke(posted: Posting, reference: Reference, request_id: Reference) -> Response:
    """Take it back, as the client."""
    return await _act(posted, reference, request_id, "revoke", {}, "revoked")


@router.post("/console/{reference}/access/{request_id}/revoke")
async def withdraw(posted: Posting, reference: Reference, request_id: Reference) -> Response:
    """Take it back, as a specialist."""
    return await _act(posted, reference, request_id, "revoke", {}, "revoked")


@router.post("/console/{reference}/access")
async def ask(posted: Posting, reference: Reference) -> Response:
    """Ask the client for access data."""
    visit = posted.visit
    chosen = [kind for kind in posted.form.getlist("kind") if isinstance(kind, str)]
    needed = {"ask_reason": "Say what you need it for; the client reads it."}
    wrong = forms.empty(posted, needed) | ({} if chosen else {"kind": "Choose what you need."})
    ticket = await visit.desk.ticket(reference)
    body: Json = {"kinds": chosen, "reason": posted.text("ask_reason"), "host": posted.text("host") or None}
    try:
        if wrong:
            raise forms.lacking(wrong)
        await visit.desk.act(reference, ASK, body, key=forms.key_of(posted), claim=visit.claim(ticket["id"]))
    except Refusal as refusal:
        fields = {"reason": "ask_reason", "kinds": "kind"}
        return await _refused(posted, reference, forms.refused(posted, refusal, opened="ask", fields=fields), refusal)
    return visit.go(f"/console/{reference}/access?done=asked")


@router.post("/console/{reference}/access/{request_id}/reveal")
async def reveal(posted: Posting, reference: Reference, request_id: Reference) -> Response:
    """Show what was given, on a page that leaves by itself and that no browser keeps."""
    visit = posted.visit
    ticket = await visit.desk.ticket(reference)
    verb, body = f"{ASK}/{request_id}/reveal", {"reason": posted.text("read_reason")}
    try:
        if not body["reason"]:
            raise forms.lacking({"read_reason": "Say why you read it; the client reads it."})
        # Without a key: each reading is noted and told to the client, a repeated one too (ADR 15).
        read = await visit.desk.act(reference, verb, body, claim=visit.claim(ticket["id"]))
    except Refusal as refusal:
        draft = forms.refused(posted, refusal, opened=request_id, fields={"reason": "read_reason"})
        return await _refused(posted, reference, draft, refusal)
    (request,) = [one for one in await visit.desk.access_requests(reference) if one["id"] == request_id]
    shown = {
        "number": ticket["number"],
        "host": one_line(request["host"] or ""),
        "revealed": access.revealed(read["values"], request),
        "seconds": SHOWN_SECONDS,
    }
    page = await visit.page("access_revealed.html", here="requests", **shown)
    # The browser itself leaves the page, so that nothing needs a script; going back to it would have to send the form.
    page.headers["Refresh"] = f"{SHOWN_SECONDS}; url=/console/{ticket['number']}/access"
    return page


@router.post("/console/{reference}/held-texts/{held_id}/vault")
async def move(posted: Posting, reference: Reference, held_id: Reference) -> Response:
    """Keep what was taken out of a text with the access data, unread."""
    needed = {"move_kind": "Choose what it is.", "move_reason": "Say why it is kept; the client reads it."}
    body = {
        "kind": posted.text("move_kind"),
        "reason": posted.text("move_reason"),
        "host": posted.text("move_host") or None,
    }
    return await _decide(posted, reference, held_id, "vault", body, "moved", forms.empty(posted, needed))


@router.post("/console/{reference}/held-texts/{held_id}/release")
async def put_back(posted: Posting, reference: Reference, held_id: Reference) -> Response:
    """Put a text back that holds no secret."""
    return await _decide(posted, reference, held_id, "release", {}, "restored")


async def _decide(
    posted: Posted,
    reference: str,
    held_id: str,
    verb: str,
    body: Json,
    done: str,
    wrong: dict[str, str] | None = None,
) -> Response:
    """Use a verb of a text that was held back, for who holds the claim."""
    visit = posted.visit
    ticket = await visit.desk.ticket(reference)
    try:
        if wrong:
            raise forms.lacking(wrong)
        claim = visit.claim(ticket["id"])
        await visit.desk.act(reference, f"held-texts/{held_id}/{verb}", body, key=forms.key_of(posted), claim=claim)
    except Refusal as refusal:
        fields = {"kind": "move_kind", "reason": "move_reason", "host": "move_host"}
        draft = forms.refused(posted, refusal, opened=held_id, fields=fields)
        return await _refused(posted, reference, draft, refusal)
    return visit.go(f"/console/{reference}/access?done={done}")


async def _act(posted: Posted, reference: str, request_id: str, verb: str, body: Json, done: str) -> Response:
    """Use a verb of an access request and show them all; what was typed is not shown again where it is refused."""
    visit = posted.visit
    try:
        await visit.desk.act(reference, f"{ASK}/{request_id}/{verb}", body)
    except Refusal as refusal:
        wrong = dict.fromkeys((advice for _, advice in refusal.faults), "")
        told = {"": " ".join(wrong) or refusal.detail}
        # A draft without values: what was typed is a secret, and a page with it would lie in the browser's history.
        return await _refused(posted, reference, Draft(visit.new_key(), wrong=told, title=refusal.title), refusal)
    side = "console" if visit.session.is_staff else "requests"
    return visit.go(f"/{side}/{reference}/access?done={done}")


async def _refused(posted: Posted, reference: str, draft: Draft, refusal: Refusal) -> Response:
    """Show the page again with why something was refused; a claim that has ended is forgotten."""
    visit = posted.visit
    if refusal.slug == "stale-claim":
        visit.keep_claim((await visit.desk.ticket(reference))["id"], None)
    return await _page(visit, reference, draft, refusal.status)

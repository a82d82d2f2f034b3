"""Held mail: what may not come into a request by itself, and a specialist's judgement on it (clause 4.4)."""

from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Response

from firstline.web import forms, letters
from firstline.web.client import Json, Refusal
from firstline.web.forms import Draft
from firstline.web.visit import Posted, Posting, Visit, Visiting

router = APIRouter(prefix="/console/mails")

MailId = Annotated[str, Path(pattern=r"^[0-9A-Za-z-]{1,64}$")]
Request = Annotated[str, Query(alias="request", pattern=r"^[0-9A-Za-z-]{0,64}$")]
Cursor = Annotated[str | None, Query(max_length=1000)]

NOTICES: Final = {
    "accepted": "The mail is in the correspondence; it counts from its receipt.",
    "opened": "The mail is a request of its own; it counts from its receipt.",
    "rejected": "The mail was let into nothing. Its sender was not told.",
}


@router.get("")
async def list_held(visit: Visiting, cursor: Cursor = None, request: Request = "", done: str = "") -> Response:
    """Show the mails that are held: all, or those that name one request."""
    return await _page(visit, Draft(visit.new_key()), cursor=cursor, request=request, notice=NOTICES.get(done))


async def _page(
    visit: Visit,
    draft: Draft,
    *,
    status: int = 200,
    cursor: str | None = None,
    request: str = "",
    notice: str | None = None,
    problem: Mapping[str, str] | None = None,
) -> Response:
    """Show held mails, with what was typed into the form of one of them where its judgement was refused."""
    page = await visit.desk.held_mails(cursor, request or None)
    mails = [letters.held_mail(mail, visit.now) for mail in page["items"]]
    shown = {"mails": mails, "older": page["next"], "about": request, "notice": notice, "problem": problem}
    return await visit.page("console_mails.html", status=status, here="mails", draft=draft, **shown)


@router.post("/{mail_id}/accept")
async def accept(posted: Posting, mail_id: MailId) -> Response:
    """Let a mail into the request that it names, or into another."""
    body = {"ticket_id": posted.text(f"into-{mail_id}") or None, "participant": bool(posted.text("participant"))}
    return await _judge(posted, mail_id, "accept", body, "accepted", {"ticket_id": f"into-{mail_id}"})


@router.post("/{mail_id}/open")
async def open_new(posted: Posting, mail_id: MailId) -> Response:
    """Open a request of a mail, for its sender or for whoever is named."""
    address = posted.text(f"whose-{mail_id}")
    body = {"requester": {"email": address} if address else None}
    return await _judge(posted, mail_id, "open", body, "opened", {"requester": f"whose-{mail_id}"})


@router.post("/{mail_id}/reject")
async def reject(posted: Posting, mail_id: MailId) -> Response:
    """Let a mail into nothing, with the reason."""
    body = {"reason": posted.text(f"why-{mail_id}")}
    return await _judge(posted, mail_id, "reject", body, "rejected", {"reason": f"why-{mail_id}"})


async def _judge(posted: Posted, mail_id: str, verb: str, body: Json, done: str, fields: Mapping[str, str]) -> Response:
    """Judge a mail and show those that are left; where it is refused, with why and what was typed."""
    visit = posted.visit
    try:
        await visit.desk.judge_mail(mail_id, verb, body, forms.key_of(posted))
    except Refusal as refusal:
        # Nothing that was typed is at fault: the mail was judged by somebody else meanwhile, say, and its form is gone.
        if not refusal.faults:
            problem = {"title": refusal.title, "text": refusal.detail}
            return await _page(visit, Draft(visit.new_key()), status=refusal.status, problem=problem)
        draft = forms.refused(posted, refusal, opened=f"{verb}-{mail_id}", fields=fields)
        return await _page(visit, draft, status=refusal.status)
    return visit.go(f"/console/mails?done={done}")

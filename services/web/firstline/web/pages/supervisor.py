"""What clients ask the supervisor, for supervisors to answer (closing paragraph)."""

from typing import Annotated, Final

from fastapi import APIRouter, Path, Response

from firstline.web import forms, supervision
from firstline.web.client import Refusal
from firstline.web.forms import Draft
from firstline.web.visit import Posting, Visit, Visiting

router = APIRouter(prefix="/console/supervisor-requests")

Reference = Annotated[str, Path(pattern=r"^[0-9A-Za-z-]{1,64}$")]

NOTICES: Final = {"answered": "The client gets your answer by mail and finds it on the request."}


@router.get("")
async def list_asked(visit: Visiting, done: str = "") -> Response:
    """Show what clients ask, oldest first."""
    return await _asked(visit, Draft(visit.new_key()), 200, NOTICES.get(done))


async def _asked(visit: Visit, draft: Draft, status: int, notice: str | None = None) -> Response:
    """Show what waits for a supervisor, with what was typed where an answer was refused."""
    shown = {"asked": supervision.asked(await visit.desk.unanswered(), visit.now), "draft": draft, "notice": notice}
    return await visit.page("supervisor_requests.html", status=status, here="supervisor", **shown)


@router.post("/{reference}/{request_id}")
async def answer(posted: Posting, reference: Reference, request_id: Reference) -> Response:
    """Answer a client."""
    body = {"body": posted.text("answer")}
    verb = f"supervisor-requests/{request_id}/answer"
    try:
        await posted.visit.desk.act(reference, verb, body, key=forms.key_of(posted))
    except Refusal as refusal:
        draft = forms.refused(posted, refusal, opened=request_id, fields={"body": "answer"})
        return await _asked(posted.visit, draft, refusal.status)
    return posted.visit.go("/console/supervisor-requests?done=answered")

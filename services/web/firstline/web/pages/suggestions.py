"""Pages of the documentation that may answer a request, asked for while it is being written (clause 1.2)."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse

from firstline.web import documents
from firstline.web.client import Refusal
from firstline.web.visit import Visiting

router = APIRouter(prefix="/requests/new")


@router.get("/suggestions")
async def suggest(visit: Visiting, q: Annotated[str, Query(max_length=2000)], topic: str = "") -> Response:
    """Return the likeliest pages as JSON; none where the desk can't say."""
    try:
        found = await visit.desk.find_articles(q, topic or None)
    except Refusal:
        # A hint that is missing stops nobody from writing; an error would.
        found = []
    pages = [{"title": link.title, "url": link.url} for link in documents.linked(found)]
    return visit.finish(JSONResponse({"pages": pages}, headers={"Cache-Control": "no-store"}))

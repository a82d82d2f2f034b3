"""Which pages of the documentation did not help, for supervisors (clause 1.2)."""

from fastapi import APIRouter, Response

from firstline.web import documents
from firstline.web.visit import Visiting

router = APIRouter(prefix="/console/documentation")


@router.get("")
async def report(visit: Visiting) -> Response:
    """Show the pages in spite of which requests were sent, the most frequent first."""
    uses = documents.uses(await visit.desk.article_uses())
    return await visit.page("console_documentation.html", here="documentation", uses=uses)

"""The releases that requests wait for, and that one has shipped (clause 2.2)."""

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Path, Response

from firstline.web import forms
from firstline.web.client import Json, Refusal
from firstline.web.forms import Draft
from firstline.web.visit import Posting, Visit, Visiting
from firstline.web.words import count

router = APIRouter(prefix="/console/releases")

Version = Annotated[str, Path(pattern=r"^[0-9A-Za-z][0-9A-Za-z._+-]{0,63}$")]

NOTICES: Final = {"shipped": "The release is out. Its requests come back into the queue, and their clients are told."}


@dataclass(frozen=True, slots=True)
class Release:
    """A version that requests wait for, and how many, in words."""

    version: str
    waiting: str


@router.get("")
async def list_releases(visit: Visiting, done: str = "") -> Response:
    """Show the releases that requests wait for."""
    return await _releases(visit, Draft(visit.new_key()), 200, NOTICES.get(done))


async def _releases(visit: Visit, draft: Draft, status: int, notice: str | None = None) -> Response:
    """Show the releases that requests wait for, with what was typed where shipping one was refused."""
    rows = [_line(release) for release in await visit.desk.releases()]
    shown = {"releases": rows, "draft": draft, "notice": notice}
    return await visit.page("releases.html", status=status, here="releases", **shown)


@router.post("/{version}/ship")
async def ship(posted: Posting, version: Version) -> Response:
    """Say that a release is out."""
    try:
        await posted.visit.desk.ship(version, posted.text("ship_note"), forms.key_of(posted))
    except Refusal as refusal:
        draft = forms.refused(posted, refusal, opened=version, fields={"note": "ship_note"})
        return await _releases(posted.visit, draft, refusal.status)
    return posted.visit.go("/console/releases?done=shipped")


def _line(given: Json) -> Release:
    """Return a planned release as its line shows it."""
    return Release(given["version"], count(given["waiting"], "request waits", "requests wait"))

"""Signing in by a link and out again, and how the pages are shown."""

from contextlib import suppress
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from firstline.web.client import Desk, Refusal
from firstline.web.session import Session
from firstline.web.visit import Posting, render, session_of, web_of
from firstline.web.words import one_line

router = APIRouter()


@router.get("/")
async def start(request: Request) -> Response:
    """Lead everybody to the page where their work begins."""
    session = session_of(request)
    return RedirectResponse(session.start if session else "/sign-in", 303)


@router.get("/sign-in")
async def sign_in(request: Request, code: Annotated[str, Query(max_length=400)] = "") -> Response:
    """Sign in by the secret of a link, or ask for it."""
    if not code:
        return signed_out_page(request)
    web = web_of(request)
    desk = Desk(web.api, None)
    try:
        person = await desk.sign_in(code.strip())
    except Refusal as refusal:
        return signed_out_page(request, refusal)
    assert desk.tokens is not None
    name = one_line(person["name"] or person["email"])
    # A form secret of its own for each sign-in: pages of an earlier one are of no use any more.
    session = Session(
        person["id"], desk.tokens.access, desk.tokens.refresh, web.cookie.new_secret(), name, person["role"]
    )
    response = RedirectResponse(session.start, 303)
    web.cookie.write(response, session)
    return response


def signed_out_page(request: Request, refusal: Refusal | None = None, status: int = 200) -> Response:
    """Return the page that asks to sign in, and says why it failed where it did."""
    wrong = refusal and {"title": refusal.title, "text": refusal.detail}
    values = {"me": None, "opening": None, "density": "", "wrong": wrong}
    return render(web_of(request), "sign_in.html", refusal.status if refusal else status, values)


@router.post("/sign-out")
async def sign_out(posted: Posting) -> Response:
    """Forget the visitor here, and end the session at the desk where it can be reached."""
    with suppress(Refusal):
        await posted.visit.desk.sign_out()
    # Whether the desk was reached or not: who signs out on a stranger's machine must be signed out there.
    response = RedirectResponse("/sign-in", 303)
    posted.visit.web.cookie.clear(response)
    return response


@router.post("/density")
async def choose_density(posted: Posting) -> Response:
    """Show lines closer together or further apart from now on."""
    chosen = posted.text("density")
    if chosen in ("compact", "comfortable"):
        posted.visit.session = replace(posted.visit.session, density=chosen)
    # One of two fixed pages: a free address would let another site lead visitors on from here.
    return posted.visit.go("/console" if posted.text("back") == "console" else "/requests")

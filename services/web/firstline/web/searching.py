"""Lists of requests that were searched: a line each, with the places where the words stand."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import httpx

from firstline.web.client import Desk, Refusal
from firstline.web.stages import Row, row

Json = Mapping[str, Any]


NOTHING_TO_SEARCH: Final = "Use words of at least three letters, an ID such as FL-7K3M-9QPX, or an address."


@dataclass(frozen=True, slots=True)
class Found:
    """A page of requests as the API gives it, where the next page begins, and what is wrong with the search."""

    items: tuple[Json, ...]
    older: str | None
    problem: str | None = None


async def found(desk: Desk, wish: Mapping[str, str]) -> Found:
    """Return the requests that a search finds.

    Raises:
        Refusal: the API serves nothing, for another reason than the words.

    """
    try:
        page = await desk.search(wish)
    except Refusal as refusal:
        if refusal.status != httpx.codes.UNPROCESSABLE_ENTITY:
            raise
        # The words, and not the page, are at fault; the list stays and says so.
        return Found((), None, NOTHING_TO_SEARCH)
    return Found(tuple(page["items"]), page["next"])


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text, and whether it is what was searched for."""

    text: str
    marked: bool


@dataclass(frozen=True, slots=True)
class Hit:
    """A request's line; `places` are excerpts of its subject and correspondence with what was found in them."""

    id: str
    line: Row
    places: tuple[tuple[Piece, ...], ...]


def hit(request: Json, now: datetime) -> Hit:
    """Return a request's line."""
    return Hit(request["id"], row(request, now), tuple(pieces(one["text"], one["marks"]) for one in request["found"]))


def pieces(text: str, marks: list[list[int]]) -> tuple[Piece, ...]:
    """Return a text in pieces, those that are marked and those between them."""
    found: list[Piece] = []
    at = 0
    for begin, end in marks:
        # The API gives places and no markup, so that the page's own escaping covers all of the text.
        found += [Piece(text[at:begin], marked=False), Piece(text[begin:end], marked=True)]
        at = end
    return tuple(piece for piece in (*found, Piece(text[at:], marked=False)) if piece.text)

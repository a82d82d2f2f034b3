"""Reading documentation to import (clause 1.2): JSON, CSV, a folder of Markdown, a sitemap or a plain list."""

import csv
import html
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import httpx

from firstline.common.errors import Invalid, Unavailable

Page = dict[str, Any]
"""A page as `POST /v1/articles` takes it."""

SECONDS: Final = 30.0
MEMBERS: Final = ("url", "title", "text", "topic", "language")
_HEAD: Final = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
# By pattern and not by an XML parser: a file from elsewhere could hold entities that grow (billion laughs), and nothing
# but addresses is wanted.
_PLACE: Final = re.compile(r"<(?:\w+:)?loc>\s*([^<\s]+)\s*</")
_HEADING: Final = re.compile(r"^# (.+)$", re.MULTILINE)


class NotReadable(Invalid):
    """The file is not one of those that can be read; the detail says which can."""

    title = "The documentation can't be read"


def read_pages(source: Path) -> list[Page]:
    """Return the pages that a file or a folder describes, in its order.

    Raises:
        NotReadable: it has another form, or a page lacks its address.
        OSError: it can't be read at all.

    """
    if source.is_dir():
        found = [_markdown(path) for path in sorted(source.rglob("*.md"))]
    else:
        read = READERS.get(source.suffix.lower())
        if read is None:
            raise NotReadable(f"{source} is none of {', '.join(READERS)}, nor a folder of .md files.")
        try:
            found = list(read(source.read_text("utf-8-sig")))
        except ValueError as error:
            raise NotReadable(f"{source} is no proper {source.suffix} file: {error}") from error
    return [_whole(at, page) for at, page in enumerate(found, 1)]


async def send_pages(desk: str, token: str, pages: Sequence[Page]) -> tuple[int, int]:
    """Bring pages into a desk at work by its API; return how many are new, and how many were there.

    Raises:
        Unavailable: the desk does not answer.
        NotReadable: it refuses a page; those before it are in.

    """
    made: Counter[int] = Counter()
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=desk, headers=headers, timeout=SECONDS) as http:
        for page in pages:
            try:
                # One by one and in order: an import that breaks off can be repeated, and pages that are there are
                # brought up to date.
                answer = await http.post("/v1/articles", json=page)
            except httpx.HTTPError as error:
                raise Unavailable(f"The desk at {desk} does not answer: {error}") from error
            if answer.is_error:
                raise NotReadable(f"{page['url']} was refused: {answer.text:.500}")
            made[answer.status_code] += 1
    return made[httpx.codes.CREATED], made[httpx.codes.OK]


def _whole(at: int, given: Mapping[str, Any]) -> Page:
    """Return a page with what it has to have: an address, and a title made of the address where it has none."""
    page = {name: given[name] for name in MEMBERS if given.get(name)}
    if not page.get("url"):
        raise NotReadable(f"Page {at} has no url: {dict(given)!r:.100}")
    return {"title": _title_of(str(page["url"])), **page}


def _title_of(url: str) -> str:
    """Return a page's title as its address says it: `Restore after update` for `…/restore-after-update.html`."""
    parts = urlsplit(url)
    name = unquote(parts.path.rstrip("/").rpartition("/")[2]).partition(".")[0]
    words = " ".join(name.replace("-", " ").replace("_", " ").split())
    return (words[:1].upper() + words[1:]) or parts.netloc


def _json(text: str) -> Iterator[Mapping[str, Any]]:
    """Yield the objects of a list."""
    pages = json.loads(text)
    if not isinstance(pages, list) or not all(isinstance(page, dict) for page in pages):
        raise ValueError("a list of objects is expected")
    yield from pages


def _csv(text: str) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of a table whose first line names its columns."""
    yield from csv.DictReader(io.StringIO(text))


def _sitemap(text: str) -> Iterator[Mapping[str, Any]]:
    """Yield the addresses of a sitemap (the protocol of sitemaps)."""
    found = _PLACE.findall(text)
    if not found:
        raise ValueError("a sitemap with <loc> elements is expected")
    for place in found:
        yield {"url": html.unescape(place)}


def _list(text: str) -> Iterator[Mapping[str, Any]]:
    """Yield lines of an address, with a title behind a space where there is one."""
    for line in filter(None, map(str.strip, text.splitlines())):
        url, _, title = line.partition("\t" if "\t" in line else " ")
        yield {"url": url, "title": title.strip()}


def _markdown(path: Path) -> Mapping[str, Any]:
    """Return a Markdown file as a page: `url: …` and the like between `---` at its head, its first heading as title."""
    text = path.read_text("utf-8-sig").replace("\r\n", "\n")
    head = _HEAD.match(text)
    given = dict(line.partition(":")[::2] for line in head[1].split("\n")) if head else {}
    body = text[head.end() :] if head else text
    heading = _HEADING.search(body)
    members = {name.strip(): value.strip().strip("\"'") for name, value in given.items()}
    return {"title": heading[1].strip() if heading else "", **members, "text": body.strip()}


READERS: Final[Mapping[str, Callable[[str], Iterator[Mapping[str, Any]]]]] = {
    ".json": _json,
    ".csv": _csv,
    ".xml": _sitemap,
    ".txt": _list,
}

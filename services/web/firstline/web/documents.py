"""Documentation on the pages: what may answer a request, what is known before it is sent, what did not help (1.2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from firstline.web import views
from firstline.web.words import count, one_line

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Link:
    """A page of the documentation."""

    id: str
    title: str
    url: str


@dataclass(frozen=True, slots=True)
class ReadyMade:
    """A ready-made answer in the list; `links` says how many pages it links, empty for none."""

    code: str
    title: str
    links: str


@dataclass(frozen=True, slots=True)
class Use:
    """A page of the documentation, and in spite of it how many requests were sent, in words."""

    title: str
    url: str
    text: str


@dataclass(frozen=True, slots=True)
class Advice:
    """What is known of a request before it is sent: pages that may answer it, what it lacks, what to know."""

    links: tuple[Link, ...]
    questions: tuple[views.Question, ...]
    notices: tuple[str, ...]


def links(request: Json) -> tuple[Link, ...]:
    """Return the pages that may answer a request (clause 1.2)."""
    return linked(request["suggested_articles"])


def unread(request: Json) -> tuple[Link, ...]:
    """Return those of them that the client doesn't say to have read."""
    # Clients by the API may name a page by its address alone, the form sends what it knows of it.
    read = [given["url"] if isinstance(given, Mapping) and "url" in given else given for given in request["doc_refs"]]
    return tuple(link for link in links(request) if link.url not in read)


def linked(found: Sequence[Json]) -> tuple[Link, ...]:
    """Return pages of the documentation as links."""
    return tuple(Link(page["id"], one_line(page["title"]), page["url"]) for page in found)


def ready_made(found: Sequence[Json]) -> list[ReadyMade]:
    """Return the ready-made answers as the list shows them (clause 4.7)."""
    told = []
    for one in found:
        pages = len(one["article_ids"])
        told.append(ReadyMade(one["code"], one_line(one["title"]), count(pages, "page", "pages") if pages else ""))
    return told


def uses(found: Sequence[Json]) -> list[Use]:
    """Return the pages that did not help, the most frequent first, those without any request left out."""
    # Sorted here: the service pages by age, and an order by counts that move would skip pages between two answers.
    told = [use for use in found if use["suggested"] + use["read"]]
    told.sort(key=lambda use: (-use["suggested"] - use["read"], use["title"]))
    return [
        Use(one_line(use["title"]), use["url"], f"suggested {use['suggested']:,}, read {use['read']:,}") for use in told
    ]


def advice(verdict: Json, policy: Json, answered: Sequence[str] = ()) -> Advice:
    """Return what a check says of a request; what was answered already is asked again, so that it can be changed."""
    # What a check was told already is no longer missing, and its field would vanish with the words in it.
    again = asked(policy, answered)
    return Advice(links(verdict), (*again, *views.questions(verdict)), tuple(views.coverage(verdict, policy)))


def asked(policy: Json, fields: Sequence[str]) -> tuple[views.Question, ...]:
    """Return the questions for some fields, as far as the policy knows them."""
    known = {field["code"]: field["question"] for field in policy["information"]["fields"]}
    return tuple(views.Question(field, one_line(known[field])) for field in fields if field in known)

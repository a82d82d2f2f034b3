"""What technical support covers, as the pages tell it (clauses 1.3, 1.4, 3.x)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TopicLine:
    """Whether something is covered, in a line of the scope catalogue; `more` says how, or whom to ask instead."""

    text: str
    covered: bool
    more: str = ""


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic to choose from, what it covers, and what to know beforehand (clauses 1.3, 1.4, 2.1)."""

    code: str
    title: str
    note: str
    items: tuple[TopicLine, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the public catalogue: its clause, what is covered and what is not (clauses 1.3, 1.4, 3.x)."""

    clause: str
    title: str
    note: str
    covered: tuple[TopicLine, ...]
    left_out: tuple[TopicLine, ...]


def topic(given: Json) -> Topic:
    """Return a topic of the catalogue as the form for a new request offers it.

    What is not covered is said before the request is sent, but hinders nobody from sending it (clause 1.3).
    """
    note = ""
    if given["verdict"] == "out":
        note = "Technical support does not cover this; the answer says who can help."
    elif given["support_mode"] == "consult_only":
        note = "Answered by references to documentation."
    elif given["urgency"] is not None:
        note = "Taken out of turn once a specialist has confirmed it."
    items = tuple(TopicLine(item["text"], item["verdict"] == "in") for item in given["items"])
    return Topic(given["code"], given["title"], note, items)


def section(given: Json) -> Section:
    """Return a topic of the catalogue as anybody may read it."""
    # "Not decided" is listed with what is covered: nobody is to be turned away by a list.
    lines = [TopicLine(item["text"], item["verdict"] != "out", _more(item)) for item in given["items"]]
    return Section(
        given["clause"],
        given["title"],
        topic(given).note,
        tuple(line for line in lines if line.covered),
        tuple(line for line in lines if not line.covered),
    )


def _more(item: Json) -> str:
    """Say what there is to know about an item: how far it is covered, or who helps instead."""
    if item["verdict"] == "out":
        error = "Covered where a product error is behind it. " if item["unless_product_error"] else ""
        return error + (item["referral"]["advice"] if item["referral"] else "")
    return "Answered by references to documentation." if item["support_mode"] == "consult_only" else ""

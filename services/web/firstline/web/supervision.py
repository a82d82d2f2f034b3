"""What clients ask the supervisor and think of the handling, as pages show it (closing paragraph)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from firstline.web.words import instant, one_line, stamp

Json = Mapping[str, Any]

ASKED_TITLES: Final = {"accelerate": "Please speed it up", "comment": "A comment on the handling"}
KINDS: Final = tuple({"code": code, "text": text} for code, text in ASKED_TITLES.items())


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client asked the supervisor, when, and the answer (empty: none yet).

    Attributes:
        id: the API's name for it.
        title: what was asked for, in a few words.
        when: when it was asked.
        body: what the client wrote.
        answer: what the supervisor wrote.
        answered_by: who that was.
        answered: when it was answered.
        asked_by: the client's name.
        number: the ID of the request, in the list of all.
        subject: the subject of the request, in the list of all.

    """

    id: str
    title: str
    when: str
    body: str
    answer: str
    answered_by: str
    answered: str
    asked_by: str
    number: str
    subject: str


def asked(given: Sequence[Json], now: datetime) -> list[Asked]:
    """Return what the supervisor was asked and answered, oldest first (closing paragraph)."""
    return [
        Asked(
            id=one["id"],
            title=ASKED_TITLES[one["kind"]],
            when=stamp(instant(one["asked_at"]), now),
            body=one["body"],
            answer=one.get("answer") or "",
            answered_by=one_line(one.get("answered_by") or ""),
            answered=stamp(instant(one["answered_at"]), now) if one.get("answered_at") else "",
            asked_by=one_line(one["asked_by"]),
            number=one.get("number", ""),
            subject=one_line(one.get("subject", "")),
        )
        for one in given
    ]


def marks(policy: Json) -> list[dict[str, str]]:
    """Return the marks that a client may choose from."""
    return [{"code": mark["code"], "text": mark["title"]} for mark in policy["closing"]["marks"]]


def rating(request: Json, policy: Json) -> str:
    """Say how the handling was rated, empty where it was not."""
    given = request["rating"]
    if given is None:
        return ""
    titles = {mark["code"]: mark["title"] for mark in policy["closing"]["marks"]}
    # By its code where a later policy has dropped the mark.
    title = titles.get(given["mark"], given["mark"])
    return f"{title}: {one_line(given['comment'])}" if given["comment"] else str(title)

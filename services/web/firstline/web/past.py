"""The history of a request as the console shows it: what happened when, who did it, which values it changed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from firstline.web.words import instant, one_line, stamp

Json = Mapping[str, Any]

SHORT: Final = 160
HAPPENED: Final = {
    "submitted": "The request came in",
    "replied": "A message",
    "noted": "An internal note",
    "opened": "Somebody began to work on it",
    "triaged": "It was judged",
    "waiting": "It waits",
    "reminded": "The client was reminded",
    "resumed": "It goes on",
    "handed_over": "It went to development",
    "release_planned": "A release was planned",
    "released": "The release is out",
    "resolved": "It was solved",
    "closed": "It was closed",
    "reopened": "It was reopened",
    "split": "A part became a request of its own",
    "merged": "It was joined to another",
    "unmerged": "It was taken apart again",
    "linked": "It was linked",
    "unlinked": "A link was taken back",
    "supervisor_requested": "The client asked the supervisor",
    "supervisor_answered": "The supervisor answered",
    "rated": "The client rated the handling",
    "participant_added": "Somebody takes part from now on",
    "held_mail": "A mail that names it was held",
    "redacted": "A person was erased",
}
"""What each event means to a reader; one that isn't here is shown by its name."""

QUIET: Final = frozenset({"silent_since", "closes_at", "reminded_at", "waiting_since", "created_at", "received_at"})
"""Values that move with nearly everything and tell nobody anything."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A value that changed, in words."""

    name: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Happened:
    """Something that happened to a request."""

    what: str
    who: str
    when: str
    changes: list[Changed]


def history(events: Sequence[Json], now: datetime) -> list[Happened]:
    """Return what happened, oldest first."""
    return [
        Happened(
            what=HAPPENED.get(kind := event["type"].partition(".")[2], kind.replace("_", " ")),
            who=_who(event),
            when=stamp(instant(event["time"]), now),
            changes=[
                Changed(name.replace("_", " "), _said(old), _said(new))
                for name, (old, new) in sorted(event["changes"].items())
                if name not in QUIET and (old or new)
            ],
        )
        for event in events
    ]


def _who(event: Json) -> str:
    """Say who did it: the author of a message, else whoever used the verb; the desk itself by its name."""
    author = event["data"].get("author") or {}
    actor = event["actor"]
    if actor.get("role") == "service":
        return one_line(author.get("name") or author.get("address") or "Firstline")
    return one_line(author.get("name") or actor.get("id") or actor.get("role", ""))


def _said(value: object) -> str:
    """Return a value on one line, shortened."""
    if value is None or value in ("", [], {}):
        return "nothing"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    line = one_line(text)
    return line if len(line) <= SHORT else f"{line[: SHORT - 1]}…"

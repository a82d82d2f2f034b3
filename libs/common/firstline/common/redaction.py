"""What is left of texts and documents when everything that names an erased person, or that they wrote, is taken out."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from firstline.common.permissions import STAFF

ERASED = "[erased]"
"""Stands where a person's words, name or address stood."""

# A name of one or two letters stands in too many words of others, and one of three or four in many: as a part of
# "email" or of a hash, Mai or Ada is nobody's name.
SHORTEST_NAME, LONG_NAME = 3, 5
_LETTERS = "0-9A-Za-z\u00c0-\u024f\u0370-\u052f\u1e00-\u1fff"
"""Letters of scripts that part words by spaces; in others a name may stand right beside another word."""

TEXTS = frozenset({"body", "subject", "comment", "external_ref", "asked_by", "text"})
WHOLE = frozenset({"metadata", "fields", "doc_refs"})
"""Members of what a person wrote: texts of theirs, and whole values."""

CHOSEN = frozenset(
    {
        *("agent", "audience", "cause", "channel", "circumstance", "close_reason", "code", "complexity", "duplicate"),
        *(
            "entitlement",
            "follows",
            "id",
            "into",
            "kind",
            "kinds",
            "language",
            "linked",
            "mark",
            "moved_from",
            "number",
        ),
        *("duplicate_number", "into_number", "split_from_number", "to_number", "occasion", "outcome", "owner"),
        *("policy_version", "precision", "recovery", "refer_to", "restored", "role", "rule", "service", "sha256"),
        *("side", "split_from", "state", "status", "stream", "support_mode", "target", "tier", "to", "topic", "type"),
        *("unlinked", "urgency", "verdict", "waiting_cause"),
    }
)
"""Members whose values are IDs, hashes or words that the product chooses, beside all that are called `…_id`."""

OWN_CHANGES = frozenset({*WHOLE, "subject", "external_ref", "rating", "supervisor_request", "requester_name"})
"""Fields of a request whose values are its requester's words."""


@dataclass(frozen=True, slots=True)
class Erased:
    """Somebody who is being erased: ID, address in lower case, the names they went by, the requests they took part in.

    `stage` and `place` say how far a service has come, `erased` how much of which kind is gone.
    """

    person_id: str
    address: str
    names: list[str]
    tickets: list[str]
    stage: int
    place: str
    erased: dict[str, int] = field(default_factory=dict)

    def named_in(self, text: str) -> bool:
        """Say whether the address or the ID stands in a text."""
        return self.address in text.lower() or self.person_id in text

    def cleaned(self, text: str, *, near: bool) -> str:
        """Return a text without the address, and without the names where it is about a request of theirs (`near`)."""
        known = [name for name in self.names if len(name) >= SHORTEST_NAME] if near else []
        # The longest first: an expression takes the first alternative
        # that fits, and "Ann" would leave the rest of "Ann Lee".
        words = "|".join(_pattern(word) for word in sorted({self.address, *known}, key=len, reverse=True))
        return re.sub(words, ERASED, text, flags=re.IGNORECASE)

    def is_author(self, who: Mapping[str, Any]) -> bool:
        """Say whether an actor, author or requester in a document is this person on the client's side."""
        # What staff wrote belongs to the case and stays, also if they are erased as clients.
        if who.get("role") in STAFF or who.get("side") == "staff":
            return False
        address = str(who.get("address") or who.get("email") or "").lower()
        return who.get("id") in (self.person_id, self.address) or address == self.address


def _pattern(word: str) -> str:
    """Return the expression that finds an address or a name: a short one only as a word, or with the genitive's s."""
    found = re.escape(word)
    if len(word) >= LONG_NAME or word.lower() == word.upper():
        return found
    return rf"(?<![{_LETTERS}]){found}(?=(?:['\u2019]?s)?(?![{_LETTERS}]))"


def redacted(who: Erased, document: Any, *, near: bool = False) -> Any:
    """Return a document without the person: their own words go, others' words lose the name and address.

    The document keeps its members and their types, since it is read again: by consumers as an event, by pages as a
    message.
    """
    close = near or who.address in json.dumps(document, ensure_ascii=False).lower()
    return _walk(who, document, near=close, own=False, key="")


def redacted_text(who: Erased, text: str, *, near: bool = False) -> str:
    """Return a JSON document, or a plain text, without the person; unchanged where it has nothing of them."""
    if not near and not who.named_in(text):
        return text
    try:
        # As a document where it is one: in plain text, "written by"
        # has no meaning, and a name may stand where it is a key.
        document = json.loads(text)
    except ValueError:
        return who.cleaned(text, near=True)
    left = redacted(who, document, near=near)
    return text if left == document else json.dumps(left, ensure_ascii=False, separators=(",", ":"))


def _walk(who: Erased, value: Any, *, near: bool, own: bool, key: str) -> Any:
    """Return a value without the person.

    `own` says that what is around the value was written by them, `key` is the member's name under which it stands.
    """
    if isinstance(value, str):
        # Somebody may be called Open or Ada: a state or a hash stays what it is, or the event is none any more.
        chosen = key in CHOSEN or key.endswith("_id")
        return ERASED if own and value and key in TEXTS else who.cleaned(value, near=near and not chosen)
    if isinstance(value, list):
        kept = [] if own and key in WHOLE else value
        return [_walk(who, item, near=near, own=own, key=key) for item in kept]
    if not isinstance(value, dict):
        return value
    if own and key in WHOLE:
        return {}
    if key in WHOLE:
        return {name: _given(who, item, near=near) for name, item in value.items()}
    # Decided for each object on its way down: the author of a message inside a request counts, not the request's.
    mine = _written_by(who, value, own)
    members = {name: item for name, item in value.items() if not (key == "changes" and near and name in OWN_CHANGES)}
    left = {name: _walk(who, item, near=near, own=mine, key=name) for name, item in members.items()}
    if who.is_author(value) and left.get("name"):
        left["name"] = None
    if mine and key == "" and isinstance(left.get("attachments"), list):
        # Names of files tell as much as words do.
        left["attachments"] = [_unnamed(one) for one in left["attachments"]]
    return left


def _given(who: Erased, value: Any, *, near: bool) -> Any:
    """Return what somebody else gave, of whatever members, without the person."""
    if isinstance(value, str):
        return who.cleaned(value, near=near)
    if isinstance(value, list):
        return [_given(who, item, near=near) for item in value]
    return {name: _given(who, item, near=near) for name, item in value.items()} if isinstance(value, dict) else value


def _unnamed(attachment: Any) -> Any:
    """Return an attachment without its name."""
    return attachment | {"name": ERASED} if isinstance(attachment, dict) and "name" in attachment else attachment


def _written_by(who: Erased, document: Mapping[str, Any], inherited: bool) -> bool:
    """Say whose words a document holds: its author's, else its requester's, else its actor's, else as around it."""
    for name in ("author", "requester", "actor"):
        person = document.get(name)
        if isinstance(person, dict):
            return who.is_author(person)
    return inherited

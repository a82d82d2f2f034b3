"""What the groups of reports are called: topics as the policy says, people and organisations as accounts says."""

from collections.abc import Mapping, Sequence
from typing import Any

from firstline.common.store.port import Unit
from firstline.sla.reports import By
from firstline.sla.store.policies import NEWEST_VERSION, POLICY
from firstline.sla.store.records import NAMES

WORDS: Mapping[str, Mapping[str, str]] = {
    "target": {"first_response": "First response", "next_response": "Next response", "resolution": "Resolution"},
    "tier": {"helpdesk": "Helpdesk", "technical_support": "Technical support", "development": "Development"},
}
NOTHING: Mapping[str, str] = {
    "topic": "No topic named",
    "agent": "Nobody of the desk",
    "organization": "No organisation",
}


async def labels_of(unit: Unit, by: By, keys: Sequence[str | None]) -> dict[str | None, str]:
    """Return the labels of groups by their keys; what has no name is called by its key."""
    known = await _known(unit, by, [key for key in keys if key is not None])
    return {key: NOTHING.get(by, "None") if key is None else known.get(key, key) for key in keys}


async def _known(unit: Unit, by: str, keys: list[str]) -> Mapping[str, str]:
    """Return the names that are known for keys."""
    if by in ("agent", "organization"):
        return {found.id: found.name for found in await unit.all(NAMES, ids=keys)}
    if by in ("topic", "urgency"):
        version = await unit.one(NEWEST_VERSION)
        document = await unit.one(POLICY, version=version) if version else None
        return _titles(document, by) if document else {}
    return WORDS.get(by, {})


def _titles(document: Mapping[str, Any], by: str) -> dict[str, str]:
    """Return what a policy calls its topics, or its urgencies."""
    if by == "urgency":
        return {level["code"]: level["title"] for level in document["urgency"]["levels"]}
    return {topic["code"]: topic["title"] for topic in document["scope"]["topics"]}

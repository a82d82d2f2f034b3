"""Entitlement (clause 1.1 and the closing paragraph): which licence covers a request, at intake and now.

Keys are looked up by their hash and kept nowhere; of one that is given, the last four characters are.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from firstline.common.policy.model import EntitlementState
from firstline.common.store.port import Unit
from firstline.intake.store.directory import LICENCE, LICENCE_BY_KEY, LICENCE_OF_ORGANIZATION, Licence
from firstline.intake.ticket import Ticket

KEY_FIELD = "licence_key"
SHOWN, LEAST_HIDDEN = 4, 8
"""Characters of a key that are shown, and how many more it has to have for that."""


async def licence_for(
    unit: Unit, *, key: str | None, licence_id: str | None = None, organization_id: str | None
) -> Licence | None:
    """Return the licence by its key or ID, else the organisation's that holds longest."""
    if key:
        return await unit.one(LICENCE_BY_KEY, key_sha256=hashlib.sha256(key.strip().encode()).hexdigest())
    if licence_id:
        return await unit.one(LICENCE, id=licence_id)
    if organization_id:
        return await unit.one(LICENCE_OF_ORGANIZATION, organization_id=organization_id)
    return None


def state_of(licence: Licence | None, now: datetime) -> EntitlementState:
    """Return what a licence entitles to at an instant."""
    if licence is None:
        return "unknown"
    return "active" if licence.active_until is None or licence.active_until > now else "expired"


async def licence_now(unit: Unit, ticket: Ticket) -> Licence | None:
    """Return the licence that covers a request as it is now: the one it came with, else its organisation's."""
    return await licence_for(unit, key=None, licence_id=ticket.licence_id, organization_id=ticket.organization_id)


def last_four(key: str | None) -> str | None:
    """Return the end of a key, None where that would tell too much of it."""
    given = (key or "").strip()
    return given[-SHOWN:] if len(given) >= SHOWN + LEAST_HIDDEN else None


def without_key(fields: Mapping[str, Any]) -> tuple[dict[str, Any], str | None]:
    """Return fields in which a licence key is replaced by its end, and the key itself, to be looked up and let go."""
    key = fields.get(KEY_FIELD)
    if not isinstance(key, str) or not key.strip():
        return {name: value for name, value in fields.items() if name != KEY_FIELD or not key}, None
    return {**fields, KEY_FIELD: f"…{last_four(key) or ''}"}, key.strip()

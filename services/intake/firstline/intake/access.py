"""Access requests: what may be done with one, when it is looked at next, what its client has to change (clause 4.3)."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from firstline.common.policy.access import AccessData

Status = Literal["asked", "provided", "declined", "revoked", "expired", "purged"]
End = Literal["resolved", "closed", "age", "revoked"]
"""Why what was given is deleted."""


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """What staff asked a client for.

    Attributes:
        given: the kinds that the client answered with.
        reveals: who read them: `by`, `at`, `kinds`, `reason`.
        cause: why it has ended.
        told_at: when the client was told to change what they gave.
        reminded: how often they were told again since.
        changed_by: who confirmed that it is changed.
        due_at: when it is looked at next: it expires, is purged, or its client is reminded.

    """

    id: str
    ticket_id: str
    kinds: list[str]
    host: str | None
    reason: str
    status: str
    requested_by: str
    requested_at: datetime
    expires_at: datetime
    given: list[str]
    provided_by: str | None
    provided_at: datetime | None
    reveals: list[dict[str, Any]]
    ended_at: datetime | None
    cause: str | None
    told_at: datetime | None
    reminded: int
    changed_by: str | None
    changed_at: datetime | None
    due_at: datetime | None


def to_change(request: AccessRequest, rules: AccessData | None) -> list[str]:
    """Return the kinds that its client gave, has to change by the policy, and hasn't confirmed as changed."""
    if request.changed_at is not None:
        return []
    kinds = {code: rules.kind(code) if rules else None for code in request.given}
    # A kind that the policy no longer has is to be changed all the same: forgetting is the dangerous side.
    return [code for code, kind in kinds.items() if kind is None or kind.change_after]


def purge_at(request: AccessRequest, rules: AccessData | None) -> datetime | None:
    """Return when what was given is deleted at the latest; None while nothing is kept."""
    if request.status != "provided" or request.provided_at is None:
        return None
    return request.provided_at + (rules.kept_for if rules else timedelta())


def next_due(request: AccessRequest, rules: AccessData | None) -> datetime | None:
    """Return when it has to be looked at next; None where nothing more happens by itself."""
    # One instant a request and not one for each thing that may
    # happen: the worker's index stays as small as what is open.
    if request.status == "asked":
        return request.expires_at
    if request.status == "provided":
        return purge_at(request, rules)
    hours = rules.remind_after_hours if rules else ()
    if request.told_at is None or request.reminded >= len(hours) or not to_change(request, rules):
        return None
    return request.told_at + timedelta(hours=hours[request.reminded])


def scheduled(request: AccessRequest, rules: AccessData | None) -> AccessRequest:
    """Return the request with the instant at which it is looked at next."""
    return replace(request, due_at=next_due(request, rules))

"""How access requests end: with their request, by their days, by being taken back; and telling clients what to change.

What was given is shredded in the transaction that ends it (clause 4.3). Nothing here needs the vault's keys.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from firstline.common.events import (
    AccessToChange,
    TicketAccessChangeDue,
    TicketAccessPurged,
    TicketAccessWithdrawn,
)
from firstline.common.redaction import ERASED
from firstline.intake.access import AccessRequest, End, scheduled, to_change
from firstline.intake.service.vault import shred
from firstline.intake.store.access import ACCESS_OF_TICKET, CHANGE_ACCESS_WORDS, UPDATE_ACCESS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from firstline.common.policy.access import AccessData
    from firstline.common.redaction import Erased
    from firstline.common.store.port import Unit
    from firstline.intake.service.change import Change

ACCESS_CHANNEL = "access"
"""Announced when an access request has to be looked at at another time than before."""

Withdrawal = Literal["declined", "revoked", "expired", "ended"]


def rules_of(change: Change) -> AccessData | None:
    """Return what the policy that the request was taken under says of access data."""
    policy, _ = change.desk.policies.of(change.ticket.policy_version)
    return policy.access


async def store(unit: Unit, request: AccessRequest, rules: AccessData | None) -> AccessRequest:
    """Store what has become of an access request, with when it is looked at next."""
    kept = scheduled(request, rules)
    changing = {name: getattr(kept, name) for name in AccessRequest.__slots__ if name not in _FIXED}
    await unit.run(UPDATE_ACCESS, **changing)
    unit.announce(ACCESS_CHANNEL)
    return kept


_FIXED = frozenset({"ticket_id", "kinds", "host", "reason", "requested_by", "requested_at", "expires_at"})


async def withdraw(change: Change, request: AccessRequest, cause: Withdrawal) -> AccessRequest:
    """End an access request that nobody has answered."""
    status = {"declined": "declined", "expired": "expired"}.get(cause, "revoked")
    change.say(TicketAccessWithdrawn, request_id=request.id, cause=cause)
    ended = replace(request, status=status, ended_at=change.now, cause=cause)
    return await store(change.unit, ended, rules_of(change))


async def purge(change: Change, request: AccessRequest, cause: End) -> AccessRequest:
    """Shred what was given, and say so."""
    # In the transaction that says so: the event can't be there while the values still are.
    await shred(change.unit, request.id)
    change.say(TicketAccessPurged, request_id=request.id, kinds=request.given, host=request.host, cause=cause)
    status = "revoked" if cause == "revoked" else "purged"
    purged = replace(request, status=status, ended_at=change.now, cause=cause)
    return await store(change.unit, purged, rules_of(change))


async def end_with(change: Change, status: Literal["resolved", "closed"]) -> None:
    """End every access request of a request that is resolved or closed, and tell the client what to change now.

    What has not been confirmed as changed when it was resolved is told again when it is closed (reading A19).
    """
    requests = await change.unit.all(ACCESS_OF_TICKET, ticket_id=change.ticket.id)
    ended = [await _ended(change, request, status) for request in requests]
    await tell(change, ended, status)


async def _ended(change: Change, request: AccessRequest, status: Literal["resolved", "closed"]) -> AccessRequest:
    """End one access request with its request: shred what was given, withdraw what was only asked for."""
    if request.status == "provided":
        return await purge(change, request, status)
    return await withdraw(change, request, "ended") if request.status == "asked" else request


async def tell(
    change: Change, requests: Sequence[AccessRequest], occasion: Literal["resolved", "reminder", "closed"]
) -> None:
    """Tell the client what is still to be changed of these access requests, in one event."""
    rules = rules_of(change)
    left = [request for request in requests if to_change(request, rules)]
    if not left:
        return
    for request in left:
        # The first telling counts: reminders come so many hours after it.
        told = replace(request, told_at=request.told_at or change.now)
        if occasion == "reminder":
            told = replace(told, reminded=request.reminded + 1)
        await store(change.unit, told, rules)
    access = [AccessToChange(kind=kind, host=one.host) for one in left for kind in to_change(one, rules)]
    change.say(TicketAccessChangeDue, occasion=occasion, access=access)


async def act_on_due(change: Change) -> bool:
    """Do what is due by now on a request's access requests: they expire, are purged, their client is reminded.

    Returns:
        Whether anything was done.

    """
    requests = await change.unit.all(ACCESS_OF_TICKET, ticket_id=change.ticket.id)
    # All of a request at once: one change, one version, one mail.
    due = [one for one in requests if one.due_at is not None and one.due_at <= change.now]
    for one in due:
        if one.status == "asked":
            await withdraw(change, one, "expired")
        elif one.status == "provided":
            await purge(change, one, "age")
    await tell(change, [one for one in due if one.status not in ("asked", "provided")], "reminder")
    if due:
        await change.save()
    return bool(due)


async def forget(change: Change, who: Erased) -> int:
    """Take an erased person out of a request's access requests; what was given is shredded.

    Returns:
        How many access requests named them.

    """
    count = 0
    for request in await change.unit.all(ACCESS_OF_TICKET, ticket_id=change.ticket.id):
        theirs = change.ticket.requester_email == who.address or _is(who, request.provided_by)
        ended = request.status == "provided" and theirs
        left = _without(who, await purge(change, request, "revoked") if ended else request)
        if left != request:
            words = {name: getattr(left, name) for name in ("host", "reason", "provided_by", "changed_by", "reveals")}
            count += await change.unit.run(CHANGE_ACCESS_WORDS, id=request.id, **words)
    return count


def _without(who: Erased, request: AccessRequest) -> AccessRequest:
    """Return what is left of an access request; the names of its readers are those of staff, and stay."""

    def named(name: str | None) -> str | None:
        return ERASED if _is(who, name) else name and who.cleaned(name, near=True)

    return replace(
        request,
        host=request.host and who.cleaned(request.host, near=True),
        reason=who.cleaned(request.reason, near=True),
        provided_by=named(request.provided_by),
        changed_by=named(request.changed_by),
        reveals=[note | {"reason": who.cleaned(note["reason"], near=True)} for note in request.reveals],
    )


def _is(who: Erased, name: str | None) -> bool:
    """Say whether a name is the person's: their address, or a name that they went by."""
    return name is not None and name.lower() in (who.address, *map(str.lower, who.names))

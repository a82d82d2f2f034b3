"""Access data: asked for by staff, given by the client outside the correspondence, read under a claim (clause 4.3)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pydantic import SecretStr

from firstline.common.errors import Conflict, Fault, Invalid, NotFound
from firstline.common.events import (
    Origin,
    TicketAccessChanged,
    TicketAccessProvided,
    TicketAccessRequested,
    TicketAccessRevealed,
)
from firstline.common.permissions import Principal
from firstline.common.policy.access import AccessData, AccessKind
from firstline.common.vault import SealBroken, VaultLocked
from firstline.intake.access import AccessRequest, next_due, scheduled, to_change
from firstline.intake.service import vault
from firstline.intake.service.access_ending import ACCESS_CHANNEL, purge, rules_of, store, withdraw
from firstline.intake.service.change import Change, side_of
from firstline.intake.service.claims import demand_claim
from firstline.intake.service.correspondence import NewMessage, author_of, take_client_message
from firstline.intake.store.access import ACCESS_REQUEST, INSERT_ACCESS

KINDS = "{{ kinds }}"
"""Where the kinds stand in the policy's sentences for the correspondence."""


class AccessNotOpen(Conflict):
    """The access request has been answered, taken back, has expired or ended with its request."""

    title = "Nothing can be done with this access request any more"


@dataclass(frozen=True, slots=True)
class Revealed:
    """What a specialist reads, once; the values mask themselves wherever they are printed."""

    request: AccessRequest
    values: Mapping[str, Mapping[str, SecretStr]]
    at: datetime


async def ask(
    change: Change, asker: Principal, kinds: Sequence[str], reason: str, host: str | None, expires_at: datetime | None
) -> AccessRequest:
    """Ask the client for access data of some kinds.

    Raises:
        IllegalTransition: not in this status.
        Invalid: the policy has no such kind, or the day is past or later than the policy allows.

    """
    change.demand("access-requests", "staff")
    rules = rules_for(change)
    for at, code in enumerate(kinds):
        if rules.kind(code) is None:
            known = ", ".join(kind.code for kind in rules.kinds)
            raise Invalid("There is no such kind.", faults=(Fault(f"/kinds/{at}", f"Use one of: {known}."),))
    latest = change.now + rules.open_for
    if expires_at is not None and not change.now < expires_at <= latest:
        fault = Fault("/expires_at", f"Name a time after now and up to {latest:%Y-%m-%dT%H:%M:%SZ}.")
        raise Invalid("It can't be open until then.", faults=(fault,), clause="4.3")
    asked = AccessRequest(
        id=change.desk.ports.ids.new(),
        ticket_id=change.ticket.id,
        kinds=list(dict.fromkeys(kinds)),
        host=change.clean(host, "access_host"),
        reason=change.clean(reason, "access_reason") or "",
        status="asked",
        requested_by=asker.name or "Support",
        requested_at=change.now,
        expires_at=expires_at or latest,
        given=[],
        provided_by=None,
        provided_at=None,
        reveals=[],
        ended_at=None,
        cause=None,
        told_at=None,
        reminded=0,
        changed_by=None,
        changed_at=None,
        due_at=None,
    )
    asked = scheduled(asked, rules)
    await change.unit.run(INSERT_ACCESS, **{name: getattr(asked, name) for name in AccessRequest.__slots__})
    change.unit.announce(ACCESS_CHANNEL)
    told = {name: getattr(asked, name) for name in ("kinds", "host", "reason", "requested_by", "expires_at")}
    change.say(TicketAccessRequested, request_id=asked.id, **told)
    await change.save()
    return asked


async def provide(
    change: Change, giver: Principal, request_id: str, values: Mapping[str, Mapping[str, SecretStr]]
) -> AccessRequest:
    """Take what the client gives; a later answer takes the place of an earlier one.

    The correspondence says that it was given and of which kinds, which brings the request back to the queue.

    Raises:
        NotFound: this request has no such access request.
        AccessNotOpen: it can't be answered any more.
        Invalid: a kind that was not asked for, a field that is unknown, missing or empty.
        VaultLocked: the vault has no key; nothing is kept.

    """
    # As it has to be by now: a late worker must not lengthen the days in which something may be given.
    request = _by_now(change, await _find(change, request_id))
    if request.status not in ("asked", "provided"):
        raise _not_open(request)
    change.demand("messages", "client")
    rules = rules_for(change)
    given = _checked(rules, request, values)
    # A retry has no key here (ADR 15): the same values again are the same answer, and are told to nobody a second time.
    if request.status == "provided" and await _is_kept(change, request, given):
        return request
    await vault.keep(change.desk, change.unit, change.ticket, request.id, given)
    provided = replace(
        request,
        status="provided",
        given=list(given),
        provided_by=giver.name or giver.email,
        provided_at=change.now,
    )
    provided = await store(change.unit, provided, rules)
    change.say(TicketAccessProvided, request_id=request.id, kinds=provided.given)
    await _say(change, giver, rules.provided, _titles(rules, provided.given))
    return provided


async def decline(change: Change, client: Principal, request_id: str) -> AccessRequest:
    """Answer that nothing is given; support may then be unable to find the cause.

    Raises:
        NotFound: this request has no such access request.
        AccessNotOpen: it was answered, or has ended.

    """
    request = await _find(change, request_id)
    if request.status != "asked":
        raise _not_open(request)
    change.demand("messages", "client")
    declined = await withdraw(change, request, "declined")
    rules = rules_for(change)
    await _say(change, client, rules.declined, _titles(rules, request.kinds))
    return declined


async def revoke(change: Change, request_id: str) -> AccessRequest:
    """Take it back, by either side: what was given is shredded at once.

    Raises:
        NotFound: this request has no such access request.
        AccessNotOpen: it has ended.

    """
    request = await _find(change, request_id)
    if request.status not in ("asked", "provided"):
        raise _not_open(request)
    if request.status == "asked":
        revoked = await withdraw(change, request, "revoked")
    else:
        revoked = await purge(change, request, "revoked")
    await change.save()
    return revoked


async def reveal(
    change: Change, reader: Principal, token: str | None, request_id: str, reason: str, kinds: Sequence[str]
) -> Revealed:
    """Let the holder of the claim read what was given, after who reads it and why is in the log.

    Raises:
        NotFound: this request has no such access request.
        StaleClaim: the reader doesn't hold the claim now.
        AccessNotOpen: nothing is kept.
        Invalid: a kind that was not given.
        VaultLocked: the key is not here.
        SealBroken: what is kept was changed or moved.

    """
    # First of all, and demanded, not checked: reading is for whoever works on the request at this moment (clause 4.3).
    fence = await demand_claim(change, reader, token)
    request = _by_now(change, await _find(change, request_id))
    if request.status != "provided":
        raise _not_open(request)
    for at, code in enumerate(kinds):
        if code not in request.given:
            fault = Fault(f"/kinds/{at}", f"Use one of: {', '.join(request.given)}.")
            raise Invalid("This kind was not given.", faults=(fault,))
    wanted = [code for code in request.given if not kinds or code in kinds]
    # What is read leaves only after this transaction is durable:
    # no value is shown of whose reading the log doesn't tell.
    values = await vault.read(change.desk, change.unit, change.ticket, request.id, frozenset(wanted))
    who, reason = reader.name or "Specialist", change.clean(reason, "access_reason") or ""
    note = {"by": who, "at": change.now.isoformat(), "kinds": wanted, "reason": reason}
    read = await store(change.unit, replace(request, reveals=[*request.reveals, note]), rules_of(change))
    change.say(
        TicketAccessRevealed,
        request_id=request.id,
        kinds=wanted,
        host=request.host,
        reason=reason,
        revealed_by=who,
        fence=fence,
    )
    await change.save()
    return Revealed(read, values, change.now)


async def confirm(change: Change, client: Principal, request_id: str) -> AccessRequest:
    """Note that the client has changed what they gave; a second time changes nothing.

    Raises:
        NotFound: this request has no such access request.
        AccessNotOpen: nothing that was given is to be changed now.

    """
    request = await _find(change, request_id)
    if request.changed_at is not None:
        return request
    rules = rules_of(change)
    if request.status in ("asked", "provided") or not to_change(request, rules):
        raise AccessNotOpen(
            "There is nothing to confirm: what was given is still in use, or nothing was given that has to be changed.",
            clause="4.3",
        )
    changed = replace(request, changed_by=client.name or client.email, changed_at=change.now)
    changed = await store(change.unit, changed, rules)
    change.say(TicketAccessChanged, request_id=request.id)
    await change.save()
    return changed


def rules_for(change: Change) -> AccessData:
    """Return what the policy that the request was taken under says of access data.

    Raises:
        Invalid: it names none.

    """
    rules = rules_of(change)
    if rules is None:
        raise Invalid("The policy that this request was taken under names no kinds of access data.", clause="4.3")
    return rules


async def _find(change: Change, request_id: str) -> AccessRequest:
    """Return an access request of this request; one of another request is not there either."""
    request = await change.unit.one(ACCESS_REQUEST, id=request_id)
    if request is None or request.ticket_id != change.ticket.id:
        raise NotFound("Nothing with this ID is here for you. Check the ID.")
    return request


def _by_now(change: Change, request: AccessRequest) -> AccessRequest:
    """Return it as it has to be by now, also where the worker that ends it is late."""
    due_at = next_due(request, rules_of(change))
    ended = {"asked": "expired", "provided": "purged"}.get(request.status)
    return replace(request, status=ended) if ended and due_at and due_at <= change.now else request


def _not_open(request: AccessRequest) -> AccessNotOpen:
    """Return the error that says in which state it is, and what to do."""
    said = {
        "asked": "The client has not answered it yet.",
        "provided": "It has been answered; it can be taken back.",
    }.get(request.status, f"It is {request.status}. What is still needed has to be asked for anew.")
    return AccessNotOpen(said, extra={"access_status": request.status}, clause="4.3")


async def _is_kept(change: Change, request: AccessRequest, given: Mapping[str, Mapping[str, SecretStr]]) -> bool:
    """Tell whether these very values are kept already: a retry changes nothing."""
    try:
        kept = await vault.read(change.desk, change.unit, change.ticket, request.id, frozenset(request.given))
    except (SealBroken, VaultLocked):  # what is given now takes its place, unless the vault can't seal either
        return False
    return kept == given


def _checked(
    rules: AccessData, request: AccessRequest, values: Mapping[str, Mapping[str, SecretStr]]
) -> dict[str, dict[str, SecretStr]]:
    """Return what was given by kind and field, without what is empty; a fault never quotes a value."""
    faults: list[Fault] = []
    given: dict[str, dict[str, SecretStr]] = {}
    for code, fields in values.items():
        kind = rules.kind(code) if code in request.kinds else None
        if kind is None:
            asked = ", ".join(request.kinds)
            faults.append(Fault("/values", f"Give only what was asked for: {asked}."))
            continue
        filled = {name: value for name, value in fields.items() if value.get_secret_value().strip()}
        faults += _faults(kind, filled)
        given[code] = filled
    if not given and not faults:
        faults.append(Fault("/values", f"Fill in what was asked for ({', '.join(request.kinds)}), or decline."))
    if faults:
        raise Invalid("The access data can't be taken like this; nothing was kept.", faults=tuple(faults))
    return given


def _faults(kind: AccessKind, filled: Mapping[str, SecretStr]) -> list[Fault]:
    """Return what is wrong with what was given of one kind; values are never quoted."""
    known = {field.code for field in kind.fields}
    faults = [
        Fault(f"/values/{kind.code}/{field.code}", f"Fill in: {field.title}.")
        for field in kind.fields
        if not field.optional and field.code not in filled
    ]
    if not known.issuperset(filled):
        faults.append(Fault(f"/values/{kind.code}", f"Use only these members: {', '.join(sorted(known))}."))
    if not filled:
        faults.append(Fault(f"/values/{kind.code}", "Fill it in, or leave this kind out."))
    return faults


def _titles(rules: AccessData, codes: Sequence[str]) -> str:
    """Return kinds in the policy's words."""
    kinds = {code: rules.kind(code) for code in codes}
    return ", ".join(kind.title if kind else code for code, kind in kinds.items())


async def _say(change: Change, client: Principal, words: str, kinds: str) -> None:
    """Let the correspondence say what the client did, which counts as their message."""
    message = NewMessage(
        body=words.replace(KINDS, kinds),
        author=author_of(client, side_of(client)),
        origin=Origin(channel="api"),
        received_at=change.now,
        uploader=client.id,
    )
    await take_client_message(change, message)

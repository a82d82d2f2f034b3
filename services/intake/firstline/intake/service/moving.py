"""Moving what was pasted into a text to the vault (clause 4.3): it lies there like what was given in its own form.

Nobody reads it on the way. The text keeps its mask, and the original is overwritten.
"""

from collections.abc import Mapping, Sequence

from pydantic import SecretStr

from firstline.common.errors import Fault, Invalid
from firstline.common.events import TicketAccessProvided
from firstline.common.permissions import Principal
from firstline.common.policy.access import AccessData, AccessField, AccessKind
from firstline.common.policy.pasted import SecretKind
from firstline.intake.access import AccessRequest, scheduled
from firstline.intake.service import vault
from firstline.intake.service.access import rules_for
from firstline.intake.service.access_ending import ACCESS_CHANNEL
from firstline.intake.service.change import Change
from firstline.intake.service.claims import demand_claim
from firstline.intake.service.held_texts import end, find_held, opened
from firstline.intake.service.looking import looked_at
from firstline.intake.store.access import INSERT_ACCESS
from firstline.intake.store.held_texts import HeldText
from firstline.intake.store.messages import MESSAGE

FIELDS: Mapping[str, tuple[str, ...]] = {
    "password": ("password",),
    "private_key": ("private_key",),
    "token": ("token", "password"),
    "licence_key": ("key", "licence_key"),
}
"""The fields of a kind of access that a secret goes into, the best one first."""

OPEN_FIELDS = ("address", "login")
"""Fields that hold no secret, so that none is put there."""

Found = Sequence[tuple[SecretKind, str]]


async def move(
    change: Change, mover: Principal, token: str | None, held_id: str, code: str, reason: str, host: str | None
) -> AccessRequest:
    """Put the secrets of a text that was held back into the vault, as access data of a kind; return their request.

    Raises:
        NotFound: this request has no such text.
        StaleClaim: whoever moves it doesn't hold the claim now.
        TextNotHeld: it is not held any more.
        IllegalTransition: not in this status.
        Invalid: the policy has no such kind, or the kind has no field for what was found.
        VaultLocked: the key is not here.

    """
    await demand_claim(change, mover, token)
    held = await find_held(change, held_id)
    change.demand("access-requests", "staff")
    rules = rules_for(change)
    given = {code: fitted(rules, code, _secrets(change, held))}
    moved = await _request(change, mover, held, rules, code, reason, host)
    await change.unit.run(INSERT_ACCESS, **{name: getattr(moved, name) for name in AccessRequest.__slots__})
    await vault.keep(change.desk, change.unit, change.ticket, moved.id, given)
    await end(change, held, "moved", mover)
    change.unit.announce(ACCESS_CHANNEL)
    change.say(TicketAccessProvided, request_id=moved.id, kinds=moved.given, moved_from=held.id)
    await change.save()
    return moved


def fitted(rules: AccessData, code: str, found: Found) -> dict[str, SecretStr]:
    """Return secrets by the fields of a kind; several for one field stand below one another.

    Raises:
        Invalid: there is no such kind, or it has no field for one of them.

    """
    kind = rules.kind(code)
    fields = [(_field(kind, what), secret) for what, secret in found] if kind else []
    if kind is None or not all(field for field, _ in fields):
        fitting = [one.code for one in rules.kinds if all(_field(one, what) for what, _ in found)]
        what = ", ".join(dict.fromkeys(what for what, _ in found))
        advice = f"Use one of: {', '.join(fitting)}." if fitting else "Ask the client to give it in its own form."
        raise Invalid(f"This kind has no place for what was found ({what}).", faults=(Fault("/kind", advice),))
    values: dict[str, list[str]] = {}
    for field, secret in fields:
        if field is not None and secret not in values.setdefault(field.code, []):
            values[field.code].append(secret)
    return {name: SecretStr("\n".join(secrets)) for name, secrets in values.items()}


def _field(kind: AccessKind, what: str) -> AccessField | None:
    """Return the field of a kind that a secret goes into: by its name, else the first that is for a secret."""
    by_name = {field.code: field for field in kind.fields}
    named = next((by_name[name] for name in FIELDS[what] if name in by_name), None)
    if named is not None or any(name in by_name for names in FIELDS.values() for name in names):
        return named
    return next((field for field in kind.fields if field.code not in OPEN_FIELDS), None)


def _secrets(change: Change, held: HeldText) -> Found:
    """Return what the detector finds in the original; all of it where only the field's name gave it away."""
    text = opened(change, held)
    found = looked_at(change.desk.policies.detector, text)
    if not found.marks:
        return [(held.kinds[0], text)]
    return [(mark.kind, secret) for mark, secret in zip(found.marks, found.secrets, strict=True)]


async def _request(
    change: Change, mover: Principal, held: HeldText, rules: AccessData, code: str, reason: str, host: str | None
) -> AccessRequest:
    """Return the access request that holds what was moved, as given by whoever wrote the text."""
    message = await change.unit.one(MESSAGE, id=held.message_id) if held.message_id else None
    writer = (message.author_name if message else None) or change.ticket.requester_name or change.ticket.requester_email
    moved = AccessRequest(
        id=change.desk.ports.ids.new(),
        ticket_id=change.ticket.id,
        kinds=[code],
        host=change.clean(host, "access_host"),
        reason=change.clean(reason, "access_reason") or "",
        status="provided",
        requested_by=mover.name or "Support",
        requested_at=change.now,
        expires_at=change.now,
        given=[code],
        provided_by=writer,
        provided_at=change.now,
        reveals=[],
        ended_at=None,
        cause=None,
        told_at=None,
        reminded=0,
        changed_by=None,
        changed_at=None,
        due_at=None,
    )
    return scheduled(moved, rules)

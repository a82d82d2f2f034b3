"""What the vault keeps of a request: put in, read, shredded, re-wrapped under a new key (clause 4.3).

A value is bound to its organisation, request, row and version: copied elsewhere, it does not open.
"""

import json
from collections.abc import Mapping

import structlog
from pydantic import SecretStr

from firstline.common.store.port import Unit
from firstline.common.vault import SealBroken, Sealed
from firstline.intake.service.desk import Desk
from firstline.intake.store.access import (
    DELETE_SECRETS,
    INSERT_SECRET,
    OVERWRITE_SECRET,
    REWRAP_SECRET,
    SECRET_SIZES,
    SECRETS,
    SECRETS_UNDER,
    VAULT_KEYS,
    SecretPlace,
)
from firstline.intake.ticket import Ticket

SECRETS_A_STEP = 50
Fields = Mapping[str, SecretStr]
"""The values of one kind: field → value."""

_log = structlog.get_logger(__name__)


def place_of(ticket_id: str, organization_id: str | None, secret_id: str, kind: str, version: int) -> tuple[str, ...]:
    """Return what a value is bound to."""
    return (organization_id or "", ticket_id, secret_id, kind, str(version))


async def keep(desk: Desk, unit: Unit, ticket: Ticket, request_id: str, values: Mapping[str, Fields]) -> None:
    """Seal the values of each kind; what was kept for the access request before is shredded.

    Raises:
        VaultLocked: there is no key; nothing is kept.

    """
    before = await unit.all(SECRETS, request_id=request_id)
    version = max((secret.version for secret in before), default=0) + 1
    await shred(unit, request_id)
    for kind, fields in values.items():
        secret_id = desk.ports.ids.new()
        place = place_of(ticket.id, ticket.organization_id, secret_id, kind, version)
        plain = json.dumps({code: value.get_secret_value() for code, value in fields.items()}).encode()
        sealed = desk.vault.seal(plain, place)
        row = {"key_id": sealed.key_id, "data_key": sealed.data_key, "content": sealed.content}
        await unit.run(INSERT_SECRET, id=secret_id, request_id=request_id, kind=kind, version=version, **row)


async def read(
    desk: Desk, unit: Unit, ticket: Ticket, request_id: str, wanted: frozenset[str]
) -> dict[str, dict[str, SecretStr]]:
    """Return what is kept for an access request, of the wanted kinds; each value masks itself.

    Raises:
        VaultLocked: the key that sealed it is not here.
        SealBroken: it was changed, or belongs to another place.

    """
    found = {}
    for secret in await unit.all(SECRETS, request_id=request_id):
        if secret.kind in wanted:
            place = place_of(ticket.id, ticket.organization_id, secret.id, secret.kind, secret.version)
            plain: dict[str, str] = json.loads(desk.vault.open(secret.sealed, place).get_secret_value())
            found[secret.kind] = {code: SecretStr(value) for code, value in plain.items()}
    return found


async def shred(unit: Unit, request_id: str) -> None:
    """Delete what is kept for an access request: each row is overwritten before it goes, its own key first of all."""
    for size in await unit.all(SECRET_SIZES, request_id=request_id):
        await unit.run(OVERWRITE_SECRET, id=size.id, data_key=bytes(size.data_key), content=bytes(size.content))
    await unit.run(DELETE_SECRETS, request_id=request_id)


async def missing_keys(desk: Desk) -> list[str]:
    """Return the names of keys that something is sealed with and that are not here."""
    used = await desk.store.read(lambda unit: unit.all(VAULT_KEYS))
    return [key_id for key_id in used if not desk.vault.knows(key_id)]


async def rewrap_some(desk: Desk) -> int:
    """Put what is sealed with an older key under the newest one; return how many values that was, some at a time."""
    newest = desk.vault.newest
    used = await desk.store.read(lambda unit: unit.all(VAULT_KEYS)) if newest else []
    count = 0
    for key_id in used:
        if key_id != newest and desk.vault.knows(key_id):
            count += await _rewrap(desk, key_id)
    return count


async def _rewrap(desk: Desk, key_id: str) -> int:
    count, after = 0, ""
    while page := await desk.store.read(
        lambda unit: unit.all(SECRETS_UNDER, key_id=key_id, after=after, limit=SECRETS_A_STEP)  # noqa: B023
    ):
        for one in page:
            count += await _rewrap_one(desk, one)
        after = page[-1].id
    if count:
        _log.info("the vault is re-wrapped", key_id=key_id, count=count)
    return count


async def _rewrap_one(desk: Desk, one: SecretPlace) -> int:
    place = place_of(one.ticket_id, one.organization_id, one.id, one.kind, one.version)
    try:
        new = desk.vault.rewrap(Sealed(one.key_id, one.data_key, b""), place)
    except SealBroken:
        _log.error("a secret can't be re-wrapped: it was changed or moved", secret_id=one.id)
        return 0
    row = {"id": one.id, "before": one.key_id, "key_id": new.key_id, "data_key": new.data_key}
    return await desk.store.write(lambda unit: unit.run(REWRAP_SECRET, **row))

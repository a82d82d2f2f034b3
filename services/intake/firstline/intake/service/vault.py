"""What the vault keeps of a request: put in, read, shredded (clause 4.3).

A value is bound to its organisation, request, row and version: copied elsewhere, it does not open.
"""

import json
from collections.abc import Mapping

from pydantic import SecretStr

from firstline.common.store.port import Unit
from firstline.intake.service.desk import Desk
from firstline.intake.store.access import (
    DELETE_SECRETS,
    INSERT_SECRET,
    OVERWRITE_SECRET,
    SECRET_SIZES,
    SECRETS,
)
from firstline.intake.ticket import Ticket

Fields = Mapping[str, SecretStr]
"""The values of one kind: field → value."""


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

"""Changing the vault's key (clause 4.3): what an older key sealed comes under the newest one, so that the old can go.

Only the sealed data keys are made anew; contents stay as they are, and nothing is opened.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol, TypeVar

import structlog

from firstline.common.errors import NotFound, OutcomeUnknown
from firstline.common.raw_mail import MAIL_BYTES, rewrapped, sealed_with
from firstline.common.store.port import Sql, Unit
from firstline.common.vault import SealBroken, Sealed
from firstline.intake.service import holding, vault
from firstline.intake.service.desk import Desk
from firstline.intake.store.sealed import (
    MAILS_UNDER,
    MAILS_UNKNOWN,
    MARK_MAIL,
    NEXT_MAIL_KEY,
    NEXT_SECRET_KEY,
    NEXT_TEXT_KEY,
    REWRAP_MAIL,
    REWRAP_SECRET,
    REWRAP_TEXT,
    SECRETS_UNDER,
    TEXTS_UNDER,
    MailPlace,
    SecretPlace,
    TextPlace,
)

ROWS_A_STEP = 50
NEXT_KEYS = (NEXT_SECRET_KEY, NEXT_TEXT_KEY, NEXT_MAIL_KEY)

_log = structlog.get_logger(__name__)


class _Row(Protocol):
    """A row of a page."""

    @property
    def id(self) -> str:
        """Its place in the order of the page."""


R = TypeVar("R", bound=_Row)


async def keys_in_use(desk: Desk) -> list[str]:
    """Return the names of the keys that something is sealed with."""
    found: set[str] = set()
    for sql in NEXT_KEYS:
        after: str | None = ""
        while after := await desk.store.read(partial(_next, sql, after or "")):
            found.add(after)
    return sorted(found)


async def missing_keys(desk: Desk) -> list[str]:
    """Return the names of keys that something is sealed with and that are not here."""
    return [key_id for key_id in await keys_in_use(desk) if not desk.vault.knows(key_id)]


async def rewrap_some(desk: Desk) -> int:
    """Put what is sealed with an older key under the newest one; return how much that was. A locked vault does nothing.

    Mails that wait to be judged come later: their file must not change its name meanwhile.
    """
    newest = desk.vault.newest
    if newest is None:
        return 0
    await _mark_mails(desk)
    counts = [
        await _rewrap(desk, key_id)
        for key_id in await keys_in_use(desk)
        if key_id != newest and desk.vault.knows(key_id)
    ]
    return sum(counts)


async def _next(sql: Sql[str], after: str, unit: Unit) -> str | None:
    """Return the name of the next key that something is sealed with, in the order of names."""
    return await unit.one(sql, after=after)


async def _rewrap(desk: Desk, key_id: str) -> int:
    """Re-wrap all that one key sealed, and tell when nothing needs it any more."""
    count = await _each(desk, SECRETS_UNDER, _rewrap_secret, key_id=key_id)
    count += await _each(desk, TEXTS_UNDER, _rewrap_text, key_id=key_id)
    count += await _each(desk, MAILS_UNDER, _rewrap_mail, key_id=key_id)
    if count:
        left = key_id in await keys_in_use(desk)
        _log.info("the vault is re-wrapped", key_id=key_id, count=count, needs_the_key_still=left)
    return count


async def _each(desk: Desk, sql: Sql[R], work: Callable[[Desk, R], Awaitable[int]], **given: str) -> int:
    """Work on all rows that a statement finds, page by page; return the sum of what the work returned."""
    count, after = 0, ""
    while page := await desk.store.read(partial(_page, sql, after, given)):
        count += sum([await work(desk, one) for one in page])
        after = page[-1].id
    return count


async def _page(sql: Sql[R], after: str, given: dict[str, str], unit: Unit) -> list[R]:
    """Return the next values that an old key seals, some at a time."""
    return await unit.all(sql, **given, after=after, limit=ROWS_A_STEP)


async def _rewrap_secret(desk: Desk, one: SecretPlace) -> int:
    """Seal the data key of access data anew; return 1, or 0 where it could not be."""
    place = vault.place_of(one.ticket_id, one.organization_id, one.id, one.kind, one.version)
    return await _rewrap_row(desk, one, place, REWRAP_SECRET)


async def _rewrap_text(desk: Desk, one: TextPlace) -> int:
    """Seal the data key of a text that was held back anew; return 1, or 0 where it could not be."""
    return await _rewrap_row(desk, one, holding.place_of(one.ticket_id, one.id), REWRAP_TEXT)


async def _rewrap_row(desk: Desk, one: SecretPlace | TextPlace, place: Sequence[str], sql: Sql[None]) -> int:
    """Seal the data key of a row anew, unless somebody has done it meanwhile; return how many rows that changed."""
    try:
        new = desk.vault.rewrap(Sealed(one.key_id, one.data_key, b""), place)
    except SealBroken:
        _log.error("what is sealed can't be re-wrapped: it was changed or moved", secret_id=one.id)
        return 0
    row = {"id": one.id, "before": one.key_id, "key_id": new.key_id, "data_key": new.data_key}
    return await desk.store.write(lambda unit: unit.run(sql, **row))


async def _rewrap_mail(desk: Desk, mail: MailPlace) -> int:
    """Write a raw mail's file anew with its key re-wrapped; the row names one of both at every instant."""
    try:
        kept = rewrapped(desk.vault, mail.id, await desk.files.open(mail.file_key))
        new = await desk.files.put(kept, MAIL_BYTES)
    except (NotFound, SealBroken) as error:
        _log.error("a raw mail can't be re-wrapped", mail_id=mail.id, reason=str(error))
        return 0
    row = {"id": mail.id, "before": mail.file_key, "file_key": new.key, "key_id": desk.vault.newest}
    try:
        changed = await desk.store.write(lambda unit: unit.run(REWRAP_MAIL, **row))
    except OutcomeUnknown:  # either file may be the one that is named; the other is swept away
        raise
    except Exception:
        await desk.files.delete(new.key)
        raise
    await desk.files.delete(mail.file_key if changed else new.key)
    return changed


async def _mark_mails(desk: Desk) -> None:
    """Note of mails from before their rows said it with which key they are sealed; '' stands for none."""
    await _each(desk, MAILS_UNKNOWN, _mark_mail)


async def _mark_mail(desk: Desk, mail: MailPlace) -> int:
    """Note which key seals a mail whose row does not say so; return how many rows that changed."""
    key_id = await _key_of(desk, mail)
    return await desk.store.write(lambda unit: unit.run(MARK_MAIL, id=mail.id, key_id=key_id))


async def _key_of(desk: Desk, mail: MailPlace) -> str:
    """Return the name of the key that seals a mail's file; empty where there is none."""
    if not mail.file_key:
        return ""
    try:
        return await sealed_with(await desk.files.open(mail.file_key)) or ""
    except (NotFound, SealBroken):
        return ""

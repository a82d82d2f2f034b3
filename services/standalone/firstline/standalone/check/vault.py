"""Whether what clients entrusted to the desk is kept no longer than the policy says (clause 4.3)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from firstline.common.store.port import Sql
from firstline.standalone.check.books import Books, Finding


@dataclass(frozen=True, slots=True)
class Kept:
    """A value in the vault, with the states of what it was given for."""

    id: str
    request_id: str
    ticket_id: str
    ticket_status: str
    access_status: str
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class KeptText:
    """A text that was held back, what was decided on it, and its own key, which is overwritten then."""

    id: str
    ticket_id: str
    status: str
    purge_at: datetime
    data_key: bytes


TEXTS = Sql(
    "SELECT id, ticket_id, status, purge_at, data_key FROM held_text WHERE id > :after ORDER BY id LIMIT :limit",
    KeptText,
)
KEPT = Sql(
    "SELECT s.id, s.request_id, r.ticket_id, t.status AS ticket_status, r.status AS access_status, r.due_at"
    " FROM access_secret s JOIN access_request r ON r.id = s.request_id JOIN ticket t ON t.id = r.ticket_id"
    " WHERE s.id > :after ORDER BY s.id LIMIT :limit",
    Kept,
)


async def kept_too_long(books: Books) -> AsyncIterator[Finding]:
    """Find values that should have been shredded: their request has ended, or their days are over."""
    async for page in books.rows("intake", KEPT, lambda row: row.id):
        books.looked["4.3"] += len(page)
        for row in page:
            why = _why_gone(row, books.settled_before)
            if why:
                yield Finding("4.3", "intake", f"access request {row.request_id} of ticket {row.ticket_id}", why)


def _why_gone(row: Kept, before: datetime) -> str | None:
    """Say why a value should be gone by now; None where it may be kept."""
    if row.ticket_status in ("resolved", "closed"):
        return f"the request is {row.ticket_status}, and what was given is still kept"
    if row.access_status != "provided":
        return f"it is {row.access_status}, and what was given is still kept"
    # No day at all would be for ever, and is as wrong as one that has passed.
    if row.due_at is None or row.due_at < before:
        return "what was given should have been deleted by now"
    return None


async def held_too_long(books: Books) -> AsyncIterator[Finding]:
    """Find texts that were held back and are kept past their days, or past what was decided on them."""
    async for page in books.rows("intake", TEXTS, lambda row: row.id):
        books.looked["4.3"] += len(page)
        for row in page:
            what = _why_unreadable(row, books.settled_before)
            if what:
                yield Finding("4.3", "intake", f"held text {row.id} of ticket {row.ticket_id}", what)


def _why_unreadable(row: KeptText, before: datetime) -> str | None:
    """Return why nobody should be able to read it any more."""
    if row.status == "held":
        return "the original should have been deleted by now" if row.purge_at < before else None
    return f"it is {row.status}, and the original can still be read" if any(row.data_key) else None

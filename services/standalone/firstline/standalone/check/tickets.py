"""Whether each request is whole (P4) and acknowledged once (P12), and each mail kept and judged (P2)."""

import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from firstline.common.errors import NotFound, Unavailable
from firstline.common.log import LogRow
from firstline.common.raw_mail import read_raw_mail
from firstline.common.store.port import Sql
from firstline.common.vault import SealBroken
from firstline.standalone.check.books import Books, Finding

ACKNOWLEDGEMENTS = ("acknowledgement", "acknowledgement_unknown_sender")
OUTCOMES = frozenset({"new_ticket", "appended", "quarantined", "refused", "duplicate"})
BYTES_GONE = "its bytes are gone"
WITH_TICKET = frozenset({"new_ticket", "appended"})


@dataclass(frozen=True, slots=True)
class Row:
    """A request as intake's table has it."""

    id: str
    version: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Count:
    """How many rows belong to a request."""

    ticket_id: str
    count: int


@dataclass(frozen=True, slots=True)
class KeptMail:
    """A raw mail and what became of it."""

    id: str
    sha256: str
    file_key: str
    received_at: datetime
    outcome: str | None
    ticket_id: str | None


TICKETS = Sql("SELECT id, version, created_at FROM ticket WHERE id > :after ORDER BY id LIMIT :limit", Row)
MESSAGES = Sql(
    "SELECT ticket_id, COUNT(*) FROM message WHERE ticket_id = ANY(:ids) GROUP BY ticket_id ORDER BY ticket_id", Count
)
TOLD = Sql(
    "SELECT ticket_id, COUNT(*) FROM delivery WHERE ticket_id = ANY(:ids) AND kind = ANY(:kinds)"
    " GROUP BY ticket_id ORDER BY ticket_id",
    Count,
)
FILE_NOW = Sql("SELECT file_key FROM mail WHERE id = :id", str)
MAILS = Sql(
    "SELECT id, sha256, file_key, received_at, outcome, ticket_id FROM mail WHERE id > :after ORDER BY id LIMIT :limit",
    KeptMail,
)
KNOWN = Sql("SELECT id FROM ticket WHERE id = ANY(:ids) ORDER BY id", str)
LATE = Sql(
    "SELECT ticket_id FROM delivery WHERE ticket_id = ANY(:ids) AND kind = ANY(:kinds) AND state = 'pending'"
    " AND next_at < :before ORDER BY ticket_id",
    str,
)
WITH_MESSAGE = frozenset({"ticket.submitted", "ticket.replied", "ticket.noted"})


class Told:
    """What intake's log tells of each request: its last version, and how many messages it speaks of."""

    def __init__(self) -> None:
        self.versions: dict[str, int] = {}
        self.messages: Counter[str] = Counter()
        self.erased: set[str] = set()

    def read(self, row: LogRow) -> None:
        """Take the next row."""
        kind, _, ticket_id = row.stream.partition("/")
        if kind == "ticket":
            self.versions[ticket_id] = row.version
            if row.data is None:
                self.erased.add(ticket_id)
            elif row.type in WITH_MESSAGE:
                # A look into the text instead of a parse: it is asked of every event of the log.
                self.messages[ticket_id] += '"message_id":"' in row.data


async def half_written(books: Books, told: Told) -> AsyncIterator[Finding]:
    """Yield the requests whose row, messages and events don't belong together, and those of which one is missing."""
    left = dict(told.versions)
    async for page in books.rows("intake", TICKETS, lambda row: row.id):
        counts = await _counts(books, "intake", MESSAGES, page)
        for row in page:
            books.looked["P4"] += 1
            version = left.pop(row.id, 0)
            if row.version != version and row.created_at < books.settled_before:
                yield Finding("P4", "intake", f"ticket {row.id}, version {row.version}", f"its log ends at {version}")
            # What was erased can't be counted any more, and what has another version may be under way.
            if row.id in told.erased or row.version != version:
                continue
            if counts.get(row.id, 0) != told.messages[row.id]:
                what = f"{counts.get(row.id, 0)} messages, and its log tells of {told.messages[row.id]}"
                yield Finding("P4", "intake", f"ticket {row.id}", what)
    for ticket_id in left:
        yield Finding("P4", "intake", f"ticket {ticket_id}", "its log tells of it, and it is not there")


async def not_acknowledged(books: Books) -> AsyncIterator[Finding]:
    """Yield the requests without exactly one acknowledgement, sent or left out for a reason."""
    async for page in books.rows("intake", TICKETS, lambda row: row.id):
        # Younger ones may still wait for their event, or for the mail server.
        old = [row for row in page if row.created_at < books.settled_before]
        counts = await _counts(books, "notify", TOLD, old, kinds=ACKNOWLEDGEMENTS)
        for ticket_id in await _late(books, [row.id for row in old]):
            yield Finding("P12", "notify", f"ticket {ticket_id}", "its acknowledgement is due and is not being sent")
        for row in old:
            books.looked["P12"] += 1
            if counts.get(row.id, 0) != 1:
                yield Finding("P12", "notify", f"ticket {row.id}", f"acknowledged {counts.get(row.id, 0)} times")


async def _counts(
    books: Books, service: str, sql: Sql[Count], rows: list[Row], **given: tuple[str, ...]
) -> Mapping[str, int]:
    """Return how many rows of a statement belong to each of a page's requests."""
    ids = [row.id for row in rows]
    found = await books.stores[service].read(lambda unit: unit.all(sql, ids=ids, **given))
    return {count.ticket_id: count.count for count in found}


async def _late(books: Books, ids: list[str]) -> list[str]:
    """Return the requests whose acknowledgement is due and still waits."""
    given: dict[str, Any] = {"ids": ids, "kinds": ACKNOWLEDGEMENTS, "before": books.settled_before}
    return await books.stores["notify"].read(lambda unit: unit.all(LATE, **given))


async def lost_mails(books: Books) -> AsyncIterator[Finding]:
    """Yield the mails whose bytes are gone or others, which were not judged in time, or whose request is missing."""
    async for page in books.rows("intake", MAILS, lambda mail: mail.id):
        ids = [mail.ticket_id for mail in page if mail.ticket_id]
        known = set(await books.stores["intake"].read(lambda unit, ids=ids: unit.all(KNOWN, ids=ids)))  # type: ignore[misc]
        for mail in page:
            books.looked["P2"] += 1
            what = _judged(mail, known, books.settled_before) or await _kept(books, mail)
            if what:
                yield Finding("P2", "intake", f"mail {mail.id}", what)


def _judged(mail: KeptMail, known: set[str], settled_before: datetime) -> str | None:
    """Say what is wrong with what became of a mail; None where nothing is."""
    if mail.outcome is None:
        return "it was not judged in time" if mail.received_at < settled_before else None
    if mail.outcome not in OUTCOMES:
        return f"its outcome {mail.outcome} is none of the five"
    if mail.outcome in WITH_TICKET and mail.ticket_id not in known:
        return f"its outcome is {mail.outcome}, and there is no such request"
    return None


async def _kept(books: Books, mail: KeptMail) -> str | None:
    """Say what is wrong with a mail's bytes; None where they are those that came, or were erased."""
    if not mail.file_key:
        return None  # a person was erased, and this mail with them
    try:
        raw = await read_raw_mail(books.files, books.vault, mail.id, mail.file_key)
    except NotFound:
        # Under a new key of the vault it lies in a new file, perhaps since its row was read.
        now = await books.stores["intake"].read(lambda unit: unit.one(FILE_NOW, id=mail.id))
        return await _kept(books, replace(mail, file_key=now)) if now not in (None, mail.file_key) else BYTES_GONE
    except Unavailable as error:
        return f"its bytes can't be read: {error}"
    except SealBroken:
        return "its bytes are not those that came"
    return None if hashlib.sha256(raw).hexdigest() == mail.sha256 else "its bytes are not those that came"

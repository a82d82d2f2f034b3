"""A look at the whole desk, and a second one where the first found something that may only have been under way."""

from collections.abc import Awaitable, Callable, Iterator

from pydantic import ValidationError

from firstline.common.bus import SOURCES
from firstline.common.chain import SaltedRow
from firstline.standalone.check import attached, clocks, folds, logs, tickets, vault
from firstline.standalone.check.books import Books, Finding

Reader = Callable[[SaltedRow], Iterator[Finding]]
PROMISES = {
    "P2": "every mail is kept as it came and has one of five outcomes",
    "P4": "no request is half written",
    "P7": "every event was applied, once, by everybody who takes it",
    "P8": "every event is published",
    "P9": "the logs have no gap and no repeat, and their chains of hashes hold",
    "P10": "no event is parked or waits in vain",
    "P12": "every request was acknowledged once, or not for a recorded reason",
    "P15": "each claim has a higher fence than those before it",
    "P18": "the queue holds what waits for an answer, each in its place",
    "P19": "the clocks are what their history gives",
    "P20": "each milestone was told once, and none too early",
    "P22": "what runs is timed by the newest policy version's hours",
    "4.3": "access data of clients, and texts that were held back, are kept no longer than they may be",
    "4.6": "the files of messages are kept as they came",
}
"""What is checked, in words."""


async def look(books: Books) -> set[Finding]:
    """Return everything that is wrong now; on a desk at work some of it may be under way."""
    found: set[Finding] = set()
    heads: dict[str, logs.Heads] = {}
    told, entries = tickets.Told(), folds.Entries(await folds.orders(books))
    fences, milestones = folds.Fences(), folds.Milestones()
    readers: dict[str, Reader] = {"intake": entries.read, "queue": fences.read, "sla": milestones.read}
    # Each log is read once, for all that is looked for in it: on a desk of years that is most of the work.
    for service in books.stores:
        chain = logs.Chain(service, await logs.name_of(books, service))
        async for row in books.log(service):
            if service == "intake":
                told.read(row)
            found |= set(chain.read(row))
            if service in readers:
                found |= set(_read(readers[service], service, row))
        found |= set(chain.unattested())
        heads[service] = chain.heads
        books.looked |= {"P8": books.looked["P8"] + chain.rows, "P9": books.looked["P9"] + chain.rows}
        found |= {finding async for finding in logs.unpublished(books, service)}
    books.looked |= {"P15": fences.count, "P20": milestones.count}
    for consumer in SOURCES:
        found |= {finding async for finding in logs.unapplied(books, consumer, heads)}
        found |= {finding async for finding in logs.put_aside(books, consumer)}
    for findings in (
        tickets.half_written(books, told),
        tickets.not_acknowledged(books),
        tickets.lost_mails(books),
        folds.queue_differs(books, entries),
        clocks.clocks_differ(books, told.versions),
        vault.kept_too_long(books),
        vault.held_too_long(books),
        attached.lost_files(books),
    ):
        found |= {finding async for finding in findings}
    return found


def _read(reader: Reader, service: str, row: SaltedRow) -> list[Finding]:
    """Return what a reader finds in a row; a row that can't be read is found too."""
    try:
        return list(reader(row))
    # Found like any other fault: one bad row must not hide what else is wrong.
    except (ValidationError, LookupError) as error:
        what = f"it can't be read: {type(error).__name__}"
        return [Finding("P9", service, f"position {row.position}, {row.stream} version {row.version}", what)]


async def check(books: Callable[[], Books], pause: Callable[[], Awaitable[None]]) -> tuple[Books, list[Finding]]:
    """Return what stays wrong when one looks again after a pause, and what was looked at."""
    first = books()
    found = await look(first)
    if not found:
        return first, []
    await pause()
    second = books()
    # What two looks have in common, a pause apart, was not under way. Findings are equal by place and not by their
    # words, whose numbers may move on.
    return second, sorted(found & await look(second))

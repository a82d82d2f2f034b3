"""Documentation of 3,000 pages: how long suggestions for a request take on SQLite and on PostgreSQL.

Pages of 300 words are drawn from words as frequent as those of a language (Zipf); requests are sentences of theirs. The
yardstick is what does without an index: looking for one word through all pages, on the same store in the same run. Both
take turns. FIRSTLINE_BENCH_PAGES sets another number of pages.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))

from firstline.common.ports import system_ports
from firstline.common.store.migrate import migrate_postgres, migrate_sqlite
from firstline.common.store.port import Sql, Store, Unit, Value
from firstline.common.store.postgres import PostgresStore
from firstline.common.store.sqlite import SqliteStore
from firstline.intake.service.articles import suggestions
from firstline.intake.store.articles import ARTICLE_USES, COUNT_USES, COUNT_WORDS, NOTE_USE, SAVE_ARTICLE
from firstline.intake.suggestions import words_of
from report import Figure, publish
from servers_here import private_postgres

PAGES = int(os.environ.get("FIRSTLINE_BENCH_PAGES", "3000"))
WORDS = 20_000
PAGE_WORDS = 300
QUERIES = 100
PORTION = 100
USES = 1_000
LEAST = 2.0
"""Searching by the index is at least this much faster than reading every page for one word."""

_READ_ALL = Sql("SELECT COUNT(*) FROM article WHERE lower(title || ' ' || text) LIKE :pattern", int)
NOW = datetime(2026, 11, 23, tzinfo=UTC)


class Language:
    """Words that are as frequent as those of a language."""

    def __init__(self, chance: Random) -> None:
        letters = "abcdefghiklmnoprstuvwz"
        self._chance = chance
        self._words = ["".join(chance.choices(letters, k=chance.randint(3, 11))) for _ in range(WORDS)]
        self._weights = list(accumulate(1 / rank for rank in range(1, WORDS + 1)))

    def text(self, words: int) -> str:
        """Return a text."""
        return " ".join(self._chance.choices(self._words, cum_weights=self._weights, k=words))


async def fill(store: Store, language: Language) -> None:
    """Keep the pages with the count of their words."""
    counted: dict[str, int] = {}
    rows: list[dict[str, Value]] = []
    for number in range(PAGES):
        title, text = language.text(6), language.text(PAGE_WORDS)
        given = {"title": title, "text": text, "topic": None, "language": None, "now": NOW}
        rows.append({"id": f"a{number:05}", "url": f"https://docs.example/{number}", **given})
        for word in words_of(title, text):
            counted[word] = counted.get(word, 0) + 1
    by_count: dict[int, list[str]] = {}
    for word, articles in counted.items():
        by_count.setdefault(articles, []).append(word)
    uses: list[dict[str, Value]] = [
        {"article_id": f"a{number % PAGES:05}", "kind": "suggested", "ticket_id": f"t{number}"}
        for number in range(USES)
    ]

    for begin in range(0, PAGES, PORTION):  # a statement has seconds, not minutes
        await store.write(lambda unit, at=begin: unit.many(SAVE_ARTICLE, rows[at : at + PORTION]))  # type: ignore[misc]

    async def work(unit: Unit) -> None:
        for articles, words in by_count.items():
            await unit.run(COUNT_WORDS, words=words, more=articles)
        await unit.many(NOTE_USE, uses)

    await store.write(work)


async def timed(work: Callable[[], Awaitable[object]]) -> float:
    """Return how many milliseconds something takes."""
    begun = time.perf_counter()
    await work()
    return 1000 * (time.perf_counter() - begun)


async def measure(name: str, store: Store) -> list[Figure]:
    """Fill a store and measure both ways on it in turns."""
    language = Language(Random(7))
    await store.open()
    try:
        await fill(store, language)
        ours, plain = [], []
        for _ in range(QUERIES):
            subject, body = language.text(6), language.text(60)
            pattern = f"%{body.split()[0]}%"
            ours.append(
                await timed(lambda s=subject, b=body: store.read(lambda unit: suggestions(unit, s, b)))  # type: ignore[misc]
            )
            plain.append(
                await timed(lambda p=pattern: store.read(lambda unit: unit.all(_READ_ALL, pattern=p)))  # type: ignore[misc]
            )
        counted = await store.write(lambda unit: unit.all(COUNT_USES, limit=USES))
        assert len(counted) == USES
        report = await timed(lambda: store.read(lambda unit: unit.all(ARTICLE_USES, after=0, limit=100)))
    finally:
        await store.close()
    median, slow = statistics.median(ours), sorted(ours)[int(0.95 * QUERIES)]
    ratio = statistics.median(plain) / median
    note = f"p95 {slow:.1f} ms; against reading all {PAGES:,} pages for one word ({statistics.median(plain):.1f} ms)"
    return [
        Figure(f"suggestions, {name}", median, "ms", LEAST, ratio, note),
        Figure(f"report of uses, {name}", report, "ms", note=f"100 pages, after {USES:,} uses were counted"),
    ]


async def main(folder: Path, url: str) -> list[Figure]:
    """Measure both stores."""
    ports = system_ports()
    await asyncio.to_thread(migrate_sqlite, "intake", folder / "intake.db")
    await asyncio.to_thread(migrate_postgres, "intake", url)
    on_sqlite = await measure("SQLite", SqliteStore(folder / "intake.db", ports))
    return on_sqlite + await measure("PostgreSQL", PostgresStore(url, ports))


if __name__ == "__main__":
    with (
        tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as place,
        private_postgres(Path(place)) as server,
    ):
        publish("articles", asyncio.run(main(Path(place), server.create("articles"))))

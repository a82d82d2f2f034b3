"""What a page of requests costs at a thousand, a hundred thousand and a million of them, over HTTP.

A process of `firstline serve intake` for each size serves pages to one caller at a time. The yardstick is an
application that reads the bare page of the same million by its key and answers with it. All take turns; figures are
medians. The databases go with the server when it is over. `FIRSTLINE_BENCH_REQUESTS` sets another number than 1 M.
"""

import asyncio
import os
import time
from collections import defaultdict
from statistics import median
from urllib.parse import quote

import asyncpg
import uvloop
from firstline.common.paging import Cursors
from firstline.common.secrets import derive
from firstline.standalone.keys import service_keys
from load import drive, get
from report import Figure, publish
from request_rows import FREQUENT, MIDDLING, RARE, fill
from servers_here import Place, free_port, place
from yardsticks import served

MANY = int(os.environ.get("FIRSTLINE_BENCH_REQUESTS", "1000000"))
SIZES = {"1 k": 1_000, "100 k": 100_000, "1 M": MANY}
ROUNDS, PAGES = 9, 60
SIZE_MOST, BARE_MOST, DEEP_MOST = 1.5, 4.0, 1.5
FILTERS = {
    "status": "status=waiting",
    "two filters": "status=open&urgency=high",
    "tier and topic": "tier=development&topic=updates",
    "organisation": "organization_id=organization-3",
    "requester": "requester=c7@shop.example",
    "updated lately": "updated_after=2099-01-01T00:00:00Z",
}
WORDS = {"frequent word": FREQUENT, "middling word": MIDDLING, "rare word": RARE, "two words": f"{FREQUENT} {MIDDLING}"}
BARE = "SELECT * FROM ticket WHERE id < $1 ORDER BY id DESC LIMIT 26"

Paths = dict[str, tuple[int, bytes]]


def measure(here: Place) -> None:
    """Fill the databases, let all kinds of pages take turns, and report."""
    token = here.token("agent", "bench")
    databases, ports, seconds = {}, {}, {}
    for name, count in SIZES.items():
        here.environment["FIRSTLINE_SMTP_PORT"] = str(free_port())
        databases[name] = here.migrated(f"lists_{name}".replace(" ", "").lower(), "intake")
        ports[name] = here.serve("intake", databases[name], free_port()).port
        began = time.perf_counter()
        asyncio.run(fill(databases[name], count))
        seconds[name] = time.perf_counter() - began
    middle = asyncio.run(value(databases["1 M"], f"SELECT id FROM ticket ORDER BY id OFFSET {MANY // 2} LIMIT 1"))
    key = derive(service_keys(here.folder / "data" / "keys", signing=False).secret, "intake cursors")
    cursor = quote(Cursors(key).write("tickets", [middle]))
    with served(databases["1 M"]) as (_, bare):
        kinds = {"bare page": (bare, get("/requests")), **pages(ports, token, cursor)}
        found = take_turns(kinds)
    found["statement"] = asyncio.run(statement(databases["1 M"], middle))
    publish("lists", figures(found, seconds))


def pages(ports: dict[str, int], token: str, cursor: str) -> Paths:
    """Return the pages to be measured: at which port, and the request."""

    def page(query: str) -> bytes:
        return get(f"/v1/tickets?{query}", Authorization=f"Bearer {token}")

    kinds = {f"first page, {size}": (port, page("limit=25")) for size, port in ports.items()}
    kinds["deep page, 1 M"] = (ports["1 M"], page(f"limit=25&cursor={cursor}"))
    for size in ("100 k", "1 M"):
        kinds |= {f"{name}, {size}": (ports[size], page(f"q={quote(words)}")) for name, words in WORDS.items()}
    deep = f"q={FREQUENT}&cursor={cursor}"
    kinds["frequent word, deep page, 1 M"] = (ports["1 M"], page(deep))
    return kinds | {f"{name}, 1 M": (ports["1 M"], page(query)) for name, query in FILTERS.items()}


def take_turns(kinds: Paths) -> dict[str, float]:
    """Return the median of what a page of each kind takes, in milliseconds."""
    measured: defaultdict[str, list[float]] = defaultdict(list)
    for number in range(-1, ROUNDS):
        for name, (port, request) in kinds.items():
            load = uvloop.run(drive(port, lambda _, sent=request: sent, PAGES, 1))  # type: ignore[misc]
            assert not load.failed, f"{name}: {load.failed} of {PAGES} pages were refused"
            if number >= 0:  # the first turn warms up
                measured[name].append(load.p50)
    return {name: median(values) for name, values in measured.items()}


async def statement(database: str, middle: str) -> float:
    """Return what the bare statement takes without any application, in milliseconds."""
    connection = await asyncpg.connect(database)
    times = []
    for _ in range(ROUNDS * PAGES):
        began = time.perf_counter()
        await connection.fetch(BARE, middle)
        times.append(time.perf_counter() - began)
    await connection.close()
    return median(times) * 1000


async def value(database: str, sql: str) -> str:
    """Return the one value that a query gives."""
    connection = await asyncpg.connect(database)
    found = await connection.fetchval(sql)
    await connection.close()
    return str(found)


def figures(found: dict[str, float], seconds: dict[str, float]) -> list[Figure]:
    """Return the figures with their ratios."""
    how, most = "p50 of one caller, over HTTP", "floor: at most"
    bare, few, many, hundred = (
        found[n] for n in ("bare page", "first page, 1 k", "first page, 1 M", "first page, 100 k")
    )
    result = [
        Figure("statement alone", found.pop("statement"), "ms", note="the bare page by the driver, no application"),
        Figure("bare page", found.pop("bare page"), "ms", note=f"FastAPI and asyncpg, 25 of 1 M by the key; {how}"),
        Figure("first page, 1 M", many, "ms", SIZE_MOST, many / few, f"of the page at 1 k; {most}; aim 1.15"),
        Figure("first page, 1 M", many, "ms", BARE_MOST, many / bare, f"of the bare page; {most}; aim 2"),
    ]
    deep = found.pop("deep page, 1 M")
    result.append(
        Figure("deep page, 1 M", deep, "ms", DEEP_MOST, deep / many, f"half a million in; of the first; {most}")
    )
    for name, took in found.items():
        first = hundred if name.endswith("100 k") else many
        result.append(Figure(name, took, "ms", None, took / first, "of the first page at that size"))
    return result + [
        Figure(f"filling {size}", took, "s", note="in PostgreSQL, with all indexes") for size, took in seconds.items()
    ]


if __name__ == "__main__":
    with place(max_parallel_maintenance_workers="1") as here:
        measure(here)

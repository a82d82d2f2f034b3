"""The books of a desk as its settings describe it: SQLite files in its folder, or databases of separate services."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta

from firstline.common.errors import NotFound
from firstline.common.ports import Ports
from firstline.common.settings import Settings
from firstline.common.store.port import Store
from firstline.common.store.sqlite import SqliteStore
from firstline.standalone.check.books import Books
from firstline.standalone.kept import bucket_files, local_files
from firstline.standalone.keys import vault_of
from firstline.standalone.role import postgres_store
from firstline.standalone.time import kept_time
from firstline.standalone.wiring import SERVICES


class NoDesk(NotFound):
    """There is nothing to check."""

    title = "There is no desk"


@asynccontextmanager
async def opened_books(settings: Settings, ports: Ports, settle: timedelta) -> AsyncIterator[Callable[[], Books]]:
    """Open the stores of a desk that runs or has stopped; what comes is called for each look.

    Raises:
        NoDesk: there is none in the folder.
        Unavailable: a store can't be reached.

    """
    folder = settings.data / "files"
    if not settings.bucket and not folder.is_dir():
        raise NoDesk(f"There is no desk in {settings.data}: {folder} is missing. Name its folder with --data.")
    files = bucket_files(settings, ports) if settings.bucket else local_files(settings, ports)
    vault = vault_of(settings, ports.random)
    async with opened_stores(settings, ports) as stores:
        yield lambda: Books(stores, files, vault, _now(settings, ports), settle)


@asynccontextmanager
async def opened_stores(settings: Settings, ports: Ports) -> AsyncIterator[dict[str, Store]]:
    """Open the stores of all services of a desk that runs or has stopped.

    Raises:
        NoDesk: there is none in the folder.
        Unavailable: a store can't be reached.

    """
    async with AsyncExitStack() as stack:
        stores: dict[str, Store] = {}
        for service in SERVICES:
            stores[service] = store = _store(service, settings, ports)
            await store.open()
            stack.push_async_callback(store.close)
        yield stores


def _now(settings: Settings, ports: Ports) -> datetime:
    """Return the desk's time: the machine's, unless it is moved by hand."""
    moved = kept_time(settings.data / "clock.json") if settings.clock == "manual" else None
    return moved or ports.clock.now()


def _store(service: str, settings: Settings, ports: Ports) -> Store:
    """Return a service's store as the settings name it."""
    if settings.database_url.get_secret_value():
        return postgres_store(service, settings, ports)
    path = settings.data / "stores" / f"{service}.db"
    # Looked at first: SQLite would make an empty file, and a mistyped folder would pass for a desk without a fault.
    if not path.exists():
        raise NoDesk(f"There is no desk in {settings.data}: {path} is missing. Name its folder with --data.")
    return SqliteStore(path, ports)

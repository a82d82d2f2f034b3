"""Migrations: one Alembic history per service, for SQLite and PostgreSQL.

The desk in one process brings its files up to date at each start; separate services wait until somebody has run
`firstline migrate`, so that of many replicas none changes the schema under the others by surprise.
"""

import asyncio
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from alembic import command, context
from alembic.autogenerate.api import AutogenContext
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import create_async_engine

from firstline.common.store.port import Sql, Store
from firstline.common.store.tables import JsonText, UtcTime

LOCK = 0x46697273746C696E
"""Of PostgreSQL's advisory locks the one under which schemas are changed: two who migrate at once take turns."""


def configuration(service: str, url: str) -> Config:
    """Return Alembic's settings for a service's history on the database at `url`.

    The version table carries the service's name, so that several histories can share a database.
    """
    config = Config()
    config.set_main_option("script_location", str(files(f"firstline.{service}") / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["url"] = url
    config.attributes["version_table"] = f"alembic_version_{service}"
    return config


def migrate_sqlite(service: str, path: Path) -> None:
    """Bring a service's SQLite file to the newest schema, making it where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    command.upgrade(configuration(service, f"sqlite:///{path}"), "head")


def migrate_postgres(service: str, url: str) -> None:
    """Bring a service's PostgreSQL database (postgresql://...) to the newest schema, all of it or nothing.

    Raises:
        OSError: the server can't be reached.
        sqlalchemy.exc.DBAPIError: it refuses.

    """
    command.upgrade(configuration(service, f"postgresql+asyncpg://{url.partition('://')[2]}"), "head")


async def is_migrated(service: str, store: Store) -> bool:
    """Say whether a service's schema is the one that this code knows, or a later one.

    Raises:
        Unavailable: the database can't be reached.

    """
    found = Sql(f"SELECT version_num FROM alembic_version_{service}", str)  # noqa: S608 (the service's own name)
    # Asked first, because a SELECT from a table that is not there is an error that nobody could tell from others.
    there = Sql("SELECT COUNT(*) FROM information_schema.tables WHERE table_name = :name", int)
    name = f"alembic_version_{service}"
    if not await store.read(lambda unit: unit.one(there, name=name)):
        return False
    revision = await store.read(lambda unit: unit.one(found))
    script = ScriptDirectory.from_config(configuration(service, ""))
    # A revision that this code has never heard of is taken for a
    # later one: old replicas run on during an upgrade (ADR 6).
    known = {one.revision for one in script.walk_revisions()}
    return revision is not None and (revision == script.get_current_head() or revision not in known)


def run_environment(metadata: sa.MetaData) -> None:
    """Do what Alembic's env.py of a service is for: connect and run the revisions."""
    url = str(context.config.attributes["url"])
    if url.startswith("postgresql"):
        asyncio.run(_run_on_postgres(url, metadata))
        return
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        _run_revisions(connection, metadata)
    engine.dispose()


async def _run_on_postgres(url: str, metadata: sa.MetaData) -> None:
    """Run the revisions over the driver that the product uses anyway; Alembic itself is synchronous."""
    engine = create_async_engine(url, poolclass=sa.pool.NullPool)
    try:
        async with engine.connect() as connection:
            # Held until the transaction that all revisions share is over, whichever way it ends; a lock of the session
            # would have to be given back.
            await connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({LOCK})"))
            await connection.run_sync(_run_revisions, metadata)
    finally:
        await engine.dispose()


def _run_revisions(connection: sa.Connection, metadata: sa.MetaData) -> None:
    """Run all revisions in one transaction, so that a failure in the last of them leaves the old schema."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        version_table=context.config.attributes["version_table"],
        # SQLite can alter hardly anything in place: Alembic makes the table anew and copies its rows.
        render_as_batch=True,
        render_item=_render,
        include_name=_is_ours,
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()


def _is_ours(name: str | None, kind: str, _parents: Any) -> bool:
    """Look past the tables that SQLite makes for a full-text index, which no definition names."""
    return kind != "table" or "_fts" not in (name or "")


def _render(kind: str, item: Any, autogen_context: AutogenContext) -> str | Literal[False]:
    """Write our own column types by name, and SQLModel's strings as plain ones."""
    if kind != "type":
        return False
    if isinstance(item, UtcTime | JsonText):
        autogen_context.imports.add(f"from firstline.common.store.tables import {type(item).__name__}")
        return f"{type(item).__name__}()"
    if type(item).__module__.startswith("sqlmodel"):
        return "sa.Text()"
    return False

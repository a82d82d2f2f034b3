"""Migrations: one Alembic history per service, run at start and by hand, for SQLite and PostgreSQL."""

from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from alembic import command, context
from alembic.autogenerate.api import AutogenContext
from alembic.config import Config

from firstline.common.store.tables import JsonText, UtcTime


def configuration(service: str, url: str) -> Config:
    """Return Alembic's settings for a service's history on the database at `url`."""
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


def run_environment(metadata: sa.MetaData) -> None:
    """Do what Alembic's env.py of a service is for: connect and run the revisions."""
    attributes = context.config.attributes
    engine = sa.create_engine(attributes["url"], poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=metadata,
            version_table=attributes["version_table"],
            render_as_batch=True,
            render_item=_render,
            compare_type=True,
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()
    engine.dispose()


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

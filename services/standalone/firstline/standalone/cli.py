"""The command line: `firstline up`, `serve`, `migrate`, `keys`, `token`, `articles`, `demo`, `check`, `verify`, ..."""

import asyncio
import os
import signal
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from asyncpg import PostgresError
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError

from firstline.common import telemetry
from firstline.common.application import VERSION
from firstline.common.errors import FirstlineError, Unavailable
from firstline.common.permissions import Principal, Role
from firstline.common.policy.loader import PolicyNotValid
from firstline.common.ports import SystemClock, SystemRandom, system_ports
from firstline.common.settings import Settings
from firstline.common.store.migrate import migrate_postgres
from firstline.common.vault import KeysNotReadable
from firstline.standalone import policies
from firstline.standalone.command_line import address_of, bearer, refuse, settings_of
from firstline.standalone.demo import play
from firstline.standalone.documentation import read_pages, send_pages
from firstline.standalone.folder import held_folder, unusable
from firstline.standalone.keys import add_vault_key, desk_keys, make_vault_key
from firstline.standalone.role import ROLES, database_url, serve_role
from firstline.standalone.seed import Seeded, seed
from firstline.standalone.server import Served, keep_what_is_loaded, served_desk, stop_on_signals
from firstline.standalone.wiring import SERVICES

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Firstline, a technical-support desk.",
)
app.add_typer(policies.app, name="policy")
articles = typer.Typer(no_args_is_help=True, help="The documentation that is suggested to clients.")
app.add_typer(articles, name="articles")
Data = Annotated[Path | None, typer.Option(help="Folder of the desk; FIRSTLINE_DATA, or data.")]
TOKEN_DAYS = 30
IMPORT_TIME = timedelta(hours=1)
MIGRATE_PAUSE = 2.0
PRIVATE = 0o077
"""Takes all rights on new files from everybody else: they hold what clients wrote."""


@app.command()
def up(
    port: Annotated[int | None, typer.Option(help="HTTP port, 0 for a free one.")] = None,
    smtp_port: Annotated[int | None, typer.Option(help="Port for mail, 0 for a free one.")] = None,
    data: Data = None,
) -> None:
    """Run the whole desk in this process."""
    settings = settings_of(port=port, smtp_port=smtp_port, data=data)
    try:
        with _at_work(settings.data, settings.log_level):
            telemetry.configure_traces("firstline", settings.trace_share, settings.otlp_endpoint or None)
            print("Starting the desk ...", flush=True)
            with suppress(KeyboardInterrupt):
                _run(_serve(settings))
    except PolicyNotValid as error:
        refuse(f"The desk can't start. The policy file {settings.policy} has mistakes:\n{error}", error)
    except FirstlineError as error:
        refuse(f"The desk can't start. {error}", error)
    print("The desk has stopped; everything is kept in", settings.data, flush=True)


@contextmanager
def _at_work(folder: Path, level: str = "INFO") -> Iterator[None]:
    """Hold the data folder and write the log into it; what is made there is for this user's eyes only."""
    os.umask(PRIVATE)
    with held_folder(folder), (folder / "firstline.log").open("a", encoding="utf-8") as log:
        telemetry.configure_logs(log, level)
        yield


async def _serve(settings: Settings) -> None:
    """Serve a desk until it is told to stop; in development say who may sign in, and how."""
    async with served_desk(settings) as served:
        stop_on_signals(served.server)
        keep_what_is_loaded()
        people = await seed(served.desk.services["accounts"].state.accounts) if settings.mode == "development" else []
        _announce(served, settings, people)
        await served.serving


def _announce(served: Served, settings: Settings, people: list[Seeded]) -> None:
    """Print where the desk is to be found."""
    print(f"""
Firstline {VERSION} is running.

  Website   {served.url}/
  API       {served.url}/openapi.json
  Mail in   {settings.mail_from}, by SMTP to {settings.host}:{served.smtp_port}
  Mail out  {settings.mail_smtp or f"kept as files in {settings.data / 'mail'}"}
  Log       {settings.data / "firstline.log"}
""")
    if people:
        print("Sign in (links hold for 12 hours; do not pass them on):\n")
        for person in people:
            print(f"  {person.title:<11} {served.url}/sign-in?code={person.code}")
        print(f"\nA token for the API:  .venv/bin/firstline token --role agent --subject anna --data {settings.data}")
    print("\nCtrl-C stops the desk.", flush=True)


def _run(work: Any) -> None:
    """Run the desk on the fastest event loop that is installed."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(work)
    else:
        uvloop.run(work)


@app.command()
def serve(
    role: Annotated[str, typer.Argument(help=f"One of {', '.join(ROLES)}.")],
    port: Annotated[int | None, typer.Option(help="HTTP port.")] = None,
) -> None:
    """Run one service in this process, on PostgreSQL and RabbitMQ, until Ctrl-C or SIGTERM."""
    if role not in ROLES:
        print(f"There is no service {role}. Choose one of: {', '.join(ROLES)}.", file=sys.stderr)
        raise typer.Exit(2)
    settings = settings_of(port=port)
    _end_on_sigterm()
    os.umask(PRIVATE)
    telemetry.configure_logs(sys.stderr, settings.log_level, human=sys.stderr.isatty())
    telemetry.configure_traces(f"firstline-{role}", settings.trace_share, settings.otlp_endpoint or None)
    try:
        settings.data.mkdir(parents=True, exist_ok=True)
        with suppress(KeyboardInterrupt):
            _run(serve_role(role, settings))
    except PolicyNotValid as error:
        refuse(f"{role} can't start. The policy file {settings.policy} has mistakes:\n{error}", error)
    except FirstlineError as error:
        refuse(f"{role} can't start. {error}", error)
    except OSError as error:
        refuse(f"{role} can't start. {unusable(settings.data, error)}", error)


@app.command()
def migrate(
    services: Annotated[
        list[str] | None, typer.Argument(help="Which services; all of them unless some are named.")
    ] = None,
    wait_seconds: Annotated[int, typer.Option(help="How long to wait for the database.")] = 300,
) -> None:
    """Bring the PostgreSQL databases of separate services to the newest schema."""
    settings = settings_of()
    _end_on_sigterm()
    for service in services or SERVICES:
        if service not in SERVICES:
            print(f"There is no service {service} with a database: {', '.join(SERVICES)}.", file=sys.stderr)
            raise typer.Exit(2)
        try:
            _migrate(service, database_url(service, settings, direct=True), wait_seconds)
        except FirstlineError as error:
            refuse(f"{service} can't be migrated. {error}", error)
        print(f"{service}: the schema is up to date", flush=True)


def _end_on_sigterm() -> None:
    """Let SIGTERM end what still waits as Ctrl-C would; the first process of a container ignores it otherwise."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def _migrate(service: str, url: str, wait_seconds: int) -> None:
    """Migrate a database as soon as it can be reached.

    Raises:
        Unavailable: it couldn't for that long.

    """
    clock = SystemClock()
    # By the clock that never jumps: a machine that has just started may set the other one.
    end = clock.monotonic() + wait_seconds
    while True:
        try:
            return migrate_postgres(service, url)
        except (ProgrammingError, IntegrityError, DataError):
            raise  # a mistake of the revision: nothing gets better by waiting
        except (OSError, PostgresError, DBAPIError) as error:
            if clock.monotonic() > end:
                raise Unavailable(f"The database did not answer for {wait_seconds} s: {error}") from error
            print(f"{service}: waiting for the database ({type(error).__name__})", flush=True)
            asyncio.run(clock.sleep(MIGRATE_PAUSE))


@app.command()
def keys(
    folder: Annotated[Path | None, typer.Option(help="Default: FIRSTLINE_KEYS.")] = None,
    new_vault_key: Annotated[bool, typer.Option(help="Put a new key before the vault's; the old ones stay.")] = False,
) -> None:
    """Make the desk's keys, unless they are there."""
    settings = settings_of(keys=folder)
    where, vault = settings.keys_folder, settings.vault_file
    try:
        desk_keys(where, SystemRandom())
        make_vault_key(settings, SystemRandom())
        if new_vault_key:
            add_vault_key(vault, SystemRandom())
            print(f"{vault} begins with a new key. Start intake again: it seals with that one, and re-wraps the rest.")
    except KeysNotReadable as error:
        refuse(f"The vault's file holds something else than keys: {error}.", error)
    except OSError as error:
        refuse(f"The folder {where} can't be used: {error.strerror}. Make it writable or name another one.", error)
    print(f"The keys are in {where}. Keep them secret; only accounts needs signing.json, and only intake vault.")


@app.command()
def token(
    role: Annotated[Role, typer.Option(help="client, partner, agent, supervisor or admin.")],
    subject: Annotated[str, typer.Option(help="Who it speaks for.")],
    email: Annotated[str | None, typer.Option(help="Default: <subject>@firstline.example.")] = None,
    organization: Annotated[str | None, typer.Option(help="ID of the organisation.")] = None,
    tier: Annotated[str | None, typer.Option(help="helpdesk, technical_support or development.")] = None,
    data: Data = None,
) -> None:
    """Print a bearer token for this desk, and nothing else."""
    settings = settings_of(data=data)
    try:
        # Signed by whoever may read the desk's keys; who that is, the system's own rights say.
        keys = desk_keys(settings.keys_folder, SystemRandom())
    except OSError as error:
        refuse(str(unusable(settings.data, error)), error)
    principal = Principal(
        id=subject,
        role=role,
        email=(email or f"{subject}@firstline.example").lower(),
        organization_id=organization,
        tier=tier,
        name=subject,
    )
    print(keys.signer(SystemClock()).token(principal, timedelta(days=TOKEN_DAYS)))


@articles.command("import")
def import_articles(
    source: Annotated[
        Path, typer.Argument(help="A .json, .csv, .xml (sitemap) or .txt file, or a folder of .md files.")
    ],
    url: Annotated[str | None, typer.Option(help="Address of the desk; its public address, or this machine.")] = None,
    data: Data = None,
) -> None:
    """Bring documentation into a desk at work; a page that is there already is brought up to date."""
    settings = settings_of(data=data)
    desk = address_of(settings, url)
    try:
        pages = read_pages(source)
        added, changed = asyncio.run(send_pages(desk, bearer(settings, "articles-import"), pages))
    except FirstlineError as error:
        refuse(f"Nothing more was imported. {error.detail}", error)
    except OSError as error:
        refuse(f"{source} or the desk's keys can't be read: {error}", error)
    print(f"{added} pages are new, {changed} were brought up to date.")


@app.command()
def demo(
    data: Annotated[Path | None, typer.Option(help="Keep the desk in this folder (it must be empty).")] = None,
    month: Annotated[bool, typer.Option("--month", help="A month, for reports and what-if; needs --data.")] = False,
) -> None:
    """Play a working day of 24 requests on a desk of its own and show what happened."""
    if month and data is None:
        print("A month is made to be looked at. Say where to keep it: --data folder.", file=sys.stderr)
        raise typer.Exit(2)
    # A desk of somebody's own is not played with.
    from firstline.standalone.month import play_month

    if data is not None and data.exists() and any(data.iterdir()):
        print(f"{data} is not empty. Name another folder for the demo.", file=sys.stderr)
        raise typer.Exit(2)
    with tempfile.TemporaryDirectory(prefix="firstline-demo-") as scratch:
        folder = data or Path(scratch)
        try:
            with _at_work(folder):
                _run(play_month(folder, print) if month else play(folder, print))
        except FirstlineError as error:
            refuse(f"The demo can't start. {error}", error)


@app.command()
def check(
    data: Data = None,
    settle: Annotated[int, typer.Option(help="Seconds within which all that follows from an event has happened.")] = 30,
) -> None:
    """Look whether a desk, at work or stopped, keeps its promises, and say where it doesn't."""
    # Only this command reads the stores of several services.
    from firstline.standalone.check.books import Books, Finding
    from firstline.standalone.check.desk import opened_books
    from firstline.standalone.check.run import PROMISES
    from firstline.standalone.check.run import check as run_check

    settings = settings_of(data=data)
    ports = system_ports()

    async def look() -> tuple[Books, list[Finding]]:
        async with opened_books(settings, ports, timedelta(seconds=settle)) as books:
            return await run_check(books, lambda: ports.clock.sleep(settle))

    try:
        books, findings = asyncio.run(look())
    except (FirstlineError, sqlite3.Error, PostgresError) as error:
        refuse(f"The desk can't be checked. {error}", error, 2)
    wrong = Counter(finding.promise for finding in findings)
    for promise, words in PROMISES.items():
        print(f"{promise:<4} {words:<72} {books.looked[promise]:>8} looked at {wrong[promise]:>6} wrong")
    for finding in findings:
        print(f"\n{finding.promise} {finding.service}: {finding.place}\n    {finding.what}")
    if findings:
        raise typer.Exit(1)


@app.command()
def verify(
    data: Data = None,
    url: Annotated[
        str | None, typer.Option(help="PostgreSQL instead, {service} standing for its name; FIRSTLINE_DATABASE_URL.")
    ] = None,
    heads: Annotated[
        Path | None, typer.Option(help="File of heads that were kept; heads.jsonl in the folder if it is there.")
    ] = None,
) -> None:
    """Tell whether every row of the services' logs is as it was written, and none is missing."""
    from firstline.standalone.check.desk import opened_stores
    from firstline.standalone.verify.run import Verdict
    from firstline.standalone.verify.run import verify as run_verify

    settings = settings_of(data=data, database_url=url)
    kept = heads or (settings.heads_file if settings.heads_file.is_file() else None)

    async def walk() -> list[Verdict]:
        async with opened_stores(settings, system_ports()) as stores:
            return [verdict async for verdict in run_verify(stores, kept)]

    try:
        verdicts = asyncio.run(walk())
    except (FirstlineError, sqlite3.Error, PostgresError, ValueError, OSError) as error:
        refuse(f"The logs can't be verified. {error}", error, 2)
    for verdict in verdicts:
        state = "wrong" if verdict.wrong else "as it was written"
        print(f"{verdict.service:<9} {verdict.rows:>9} rows {verdict.heads:>6} kept heads  {state}")
    for verdict in verdicts:
        if verdict.wrong:
            wrong = verdict.wrong
            print(f"\n{verdict.service}: position {wrong.position}, {wrong.place}\n    {wrong.what}")
    if kept is None:
        print("\nNo kept heads were given: a log that was written anew as a whole can't be told from the true one.")
    if any(verdict.wrong for verdict in verdicts):
        raise typer.Exit(1)


@app.command()
def heads(data: Data = None) -> None:
    """Print where each service's log stands, a line of JSON each, to be kept somewhere else."""
    from firstline.standalone.check.desk import opened_stores
    from firstline.standalone.verify.heads import KeptHead, heads_now, line_of

    settings, ports = settings_of(data=data), system_ports()

    async def look() -> list[KeptHead]:
        async with opened_stores(settings, ports) as stores:
            return await heads_now(stores, ports)

    try:
        found = asyncio.run(look())
    except (FirstlineError, sqlite3.Error, PostgresError) as error:
        refuse(f"The logs can't be read. {error}", error, 2)
    for head in found:
        print(line_of(head))


@app.command()
def version() -> None:
    """Print the version."""
    print(VERSION)


if __name__ == "__main__":
    app()

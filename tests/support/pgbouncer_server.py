"""PgBouncer for tests: a pooler in transaction mode in front of a PostgreSQL server."""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
from owned_process import OwnFolder, OwnProcess, answers, free_port, unprivileged, without
from postgres_server import PASSWORD, PostgresServer, run_apart

START_SECONDS, STOP_SECONDS = 30, 10
CONSOLE = "pgbouncer"
"""The pooler's own database, and the user who gives orders there."""

SYSTEM_FOLDERS = ("/usr/sbin", "/usr/local/sbin")
"""Where programs of administrators lie, which users don't search."""

CONFIGURATION = """
[databases]
{databases}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
pool_mode = transaction
default_pool_size = 20
max_client_conn = 1000
auth_type = any
admin_users = {console}
"""


def why_no_pgbouncer() -> str | None:
    """Return why no PgBouncer can be had here, or None."""
    return None if _binary() else "no PgBouncer: the program pgbouncer is not here"


def _binary() -> str | None:
    return shutil.which("pgbouncer", path=os.pathsep.join([os.environ.get("PATH", ""), *SYSTEM_FOLDERS]))


@dataclass
class PgBouncer:
    """A running pooler; each database is served as soon as its URL was asked for, as the role of the same name."""

    postgres: PostgresServer
    folder: OwnFolder
    log: Path
    port: int = field(default_factory=free_port)
    _databases: list[str] = field(default_factory=list)
    _process: OwnProcess | None = None

    @property
    def _file(self) -> Path:
        return self.folder.path / "pgbouncer.ini"

    def start(self) -> None:
        """Start the pooler and wait until it takes connections."""
        self._configure()
        command = [str(_binary()), str(self._file)]
        self._process = self.folder.launch("pgbouncer", command, self.log, without("PG"))
        self._process.wait_until(lambda: answers(self.port), START_SECONDS)

    def stop(self) -> None:
        """Stop the pooler; its clients are cut off."""
        if self._process:
            self._process.end(signal.SIGTERM, STOP_SECONDS)

    def url(self, database: str) -> str:
        """Return the URL of a database, and of the role of its name, by way of the pooler."""
        if database not in self._databases:
            self._databases.append(database)
            self._configure()
            self._reload()
        return f"postgresql://{database}:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def _configure(self) -> None:
        place = urlsplit(self.postgres.url())
        lines = [
            f"{name} = host={place.hostname} port={place.port or 5432} dbname={name} user={name} password={PASSWORD}"
            for name in self._databases
        ]
        self._file.write_text(CONFIGURATION.format(databases="\n".join(lines), port=self.port, console=CONSOLE))
        self._file.chmod(0o644)  # whatever the umask is: the pooler is another user

    def _reload(self) -> None:
        async def reload() -> None:
            console = await asyncpg.connect(f"postgresql://{CONSOLE}@127.0.0.1:{self.port}/{CONSOLE}")
            try:
                await console.execute("RELOAD")
            finally:
                await console.close()

        run_apart(reload)


@contextmanager
def pgbouncer_server(folder: Path, postgres: PostgresServer) -> Iterator[PgBouncer]:
    """Run a pooler in front of a server; its log goes into the folder, and is all that is left afterwards."""
    if reason := why_no_pgbouncer():
        raise RuntimeError(reason)
    folder.mkdir(parents=True, exist_ok=True)
    own = OwnFolder.make("pool", unprivileged())
    pooler = PgBouncer(postgres, own, folder / "pgbouncer.log")
    try:
        pooler.start()
        yield pooler
    finally:
        pooler.stop()
        own.close()

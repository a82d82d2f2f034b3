"""The product's services in processes of their own, on a PostgreSQL and a RabbitMQ that nobody else uses.

Servers and processes are the tests' own. Their folder is put on the path here, so import this module first.
"""

import asyncio
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))

from firstline.standalone.role import ROLES
from live_desk import eventually
from servers import PostgresServer, RabbitServer, free_port, postgres_server, rabbit_server
from split_desk import Replica, run_command

__all__ = [
    "Place",
    "PostgresServer",
    "Replica",
    "eventually",
    "family_cpu",
    "free_port",
    "place",
    "private_postgres",
    "server_cpu",
]

SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "4GB"}
"""The memory and the WAL that a small server of one's own has."""


@dataclass
class Place:
    """Servers, keys and addresses for services, which are started one by one."""

    folder: Path
    postgres: PostgresServer
    rabbit: RabbitServer
    environment: dict[str, str]
    ports: dict[str, int]
    stack: ExitStack
    started: int = 0

    def migrated(self, name: str, service: str) -> str:
        """Make a database with a service's newest schema; return its address."""
        url = self.postgres.create(name)
        run_command("migrate", service, environment={**self.environment, "FIRSTLINE_DATABASE_URL": url})
        return url

    def serve(self, role: str, database: str, port: int = 0) -> Replica:
        """Start a service on a database and wait until it takes work; it is ended with all the others."""
        self.started += 1
        log = self.folder / f"{role}-{self.started}.log"
        environment = {**self.environment, "FIRSTLINE_DATABASE_URL": database}
        replica = Replica(role, port or self.ports[role], log, environment)
        self.stack.callback(_end, replica)
        replica.start()
        eventually(replica.ready, 180)
        return replica

    def token(self, role: str, subject: str) -> str:
        """Return a token made by the product's own command."""
        return run_command("token", "--role", role, "--subject", subject, environment=self.environment).strip()


@contextmanager
def place(**settings: str) -> Iterator[Place]:
    """Run the servers, PostgreSQL with these settings beside the usual ones; end all at the end."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR"))))
        postgres = stack.enter_context(private_postgres(folder, **settings))
        rabbit = stack.enter_context(rabbit_server(folder))
        ports = {role: free_port() for role in ROLES}
        environment = {
            "FIRSTLINE_DATA": str(folder / "data"),
            "FIRSTLINE_SMTP_PORT": str(free_port()),
            "FIRSTLINE_AMQP_URL": rabbit.url,
            **{f"FIRSTLINE_{role.upper()}_URL": f"http://127.0.0.1:{port}" for role, port in ports.items()},
        }
        run_command("keys", environment=environment)
        yield Place(folder, postgres, rabbit, environment, ports, stack)


def _end(replica: Replica) -> None:
    if replica.running:
        replica.stop()


@contextmanager
def private_postgres(folder: Path, **settings: str) -> Iterator[PostgresServer]:
    """Run PostgreSQL with settings beside the usual ones."""

    async def alter() -> None:
        connection = await asyncpg.connect(server.url())
        for name, value in {**SETTINGS, **settings}.items():
            await connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        await connection.close()

    with postgres_server(folder) as server:
        asyncio.run(alter())
        server.stop()
        server.start()
        yield server


def server_cpu(word: str) -> float:
    """Return the CPU seconds of a server that this process started, found by a word of its command."""
    return sum(family_cpu(pid) for pid in _children(os.getpid()) if word in _read(Path(f"/proc/{pid}/cmdline")))


def family_cpu(pid: int) -> float:
    """Return the CPU seconds of a process, of the children that it collected, and of those that live."""
    status = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    own = sum(map(int, status[11:15])) / os.sysconf("SC_CLK_TCK")
    return own + sum(family_cpu(child) for child in _children(pid))


def _children(pid: int) -> list[int]:
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return []
    return [int(child) for thread in threads for child in _read(thread / "children").split()]


def _read(path: Path) -> str:
    """Return what the system says of a process; nothing when it has ended meanwhile."""
    try:
        return path.read_text()
    except OSError:
        return ""

"""A desk as separate services, each in processes of its own, on the tests' PostgreSQL and RabbitMQ."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from weakref import WeakKeyDictionary

import httpx
from aio_pika.exceptions import AMQPException
from door import open_door
from firstline.common.amqp_topology import all_queues
from firstline.common.ports import SystemRandom
from firstline.common.settings import Settings
from firstline.standalone.keys import desk_keys, make_vault_key
from firstline.standalone.role import ROLES
from firstline.standalone.wiring import SERVICES
from live_desk import COMMAND, AnyDesk, eventually
from servers import PostgresServer, RabbitServer, free_port

_migrated: WeakKeyDictionary[PostgresServer, str] = WeakKeyDictionary()
"""By server, what the names of migrated databases begin with: to copy them takes a tenth of making them."""

START_SECONDS = 180
STOP_SECONDS = 30


@dataclass
class Replica:
    """One process of a service; its port stays the same over restarts, and its log goes on in one file."""

    role: str
    port: int
    log: Path
    environment: dict[str, str]
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the process; it needn't be ready yet."""
        command = [*COMMAND, "serve", self.role, "--port", str(self.port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **self.environment})

    def kill(self) -> None:
        """End it as a crash would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """End it as an operator would; return its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal, such as SIGSTOP."""
        assert self.process is not None
        self.process.send_signal(number)

    @property
    def running(self) -> bool:
        """Whether its process lives."""
        return self.process is not None and self.process.poll() is None

    def ready(self) -> bool:
        """Say whether it takes work; web is ready when it answers, whatever the others do.

        Raises:
            RuntimeError: it does not run (any more).

        """
        if not self.running:
            raise RuntimeError(f"{self.role} does not run:\n{self.log.read_text()[-2000:]}")
        path = "/healthz" if self.role == "web" else "/readyz"
        try:
            return httpx.get(self.url + path, timeout=5).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def on_the_bus(self) -> bool:
        """Say whether events reach it and leave it; web has none."""
        text = "" if self.role == "web" else httpx.get(f"{self.url}/metrics", timeout=10).text
        return self.role == "web" or re.search(r"(?m)^firstline_bus_connected(\{.*\})? 1\.0$", text) is not None


@dataclass
class SplitDesk(AnyDesk):
    """A desk of separate services behind one origin."""

    replicas: dict[str, list[Replica]] = field(default_factory=dict)
    databases: dict[str, str] = field(default_factory=dict)
    broker: RabbitServer | None = None
    """The room at the broker that is this desk's own."""

    def all(self) -> list[Replica]:
        """Return every process."""
        return [replica for group in self.replicas.values() for replica in group]

    def until_ready(self, seconds: float = START_SECONDS) -> None:
        """Wait until every process that runs takes work."""
        for replica in self.all():
            eventually(lambda replica=replica: replica.ready(), seconds)  # type: ignore[misc]

    def said(self, role: str) -> str:
        """Return what the processes of a service have logged."""
        return "\n".join(replica.log.read_text() for replica in self.replicas[role])


def run_command(*words: str, environment: dict[str, str]) -> str:
    """Run one of the product's own commands to its end and return what it printed."""
    done = subprocess.run(
        [*COMMAND, *words], capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def split_desk(
    data: Path, postgres: PostgresServer, rabbit: RabbitServer, *, replicas: int = 1, **environment: str
) -> Iterator[SplitDesk]:
    """Run a desk whose services have so many processes each; end them all at the end."""
    data.mkdir(parents=True, exist_ok=True)
    name = f"desk_{token_hex(4)}"
    with ExitStack() as stack:
        desk = SplitDesk(data, smtp_port=free_port())
        desk.databases = stack.enter_context(_databases(postgres, name))
        desk.broker = stack.enter_context(_room(rabbit))
        desk.environment = {
            **_settings(data, desk, postgres.url(f"{name}_{{service}}"), desk.broker.url),
            **environment,
        }
        _prepare(desk, postgres, name)
        _make_replicas(desk, replicas)
        desk.url = stack.enter_context(
            open_door({role: [r.url for r in group] for role, group in desk.replicas.items()})
        )
        stack.callback(_end, desk)
        for replica in desk.all():
            replica.environment |= {"FIRSTLINE_PUBLIC_URL": desk.url}
            replica.start()
        desk.until_ready()
        # Ready services work without the broker; what is published before all are connected comes by the pull, late.
        eventually(lambda: all(replica.on_the_bus() for replica in desk.all()), START_SECONDS)
        yield desk


@contextmanager
def _databases(postgres: PostgresServer, name: str) -> Iterator[dict[str, str]]:
    """Give each service a database: an empty one, or a copy of one that an earlier desk has migrated."""
    copied = _migrated.get(postgres)
    with ExitStack() as stack:
        made = {}
        for role in SERVICES:
            made[role] = postgres.create(f"{name}_{role}", f"{copied}_{role}" if copied else "template0")
            stack.callback(postgres.drop, f"{name}_{role}")
        yield made


def _prepare(desk: SplitDesk, postgres: PostgresServer, name: str) -> None:
    """Make keys and schemas by the product's commands; of the first desk's databases copies are kept for the next.

    A server that isn't ours gets no such copies.
    """
    if postgres in _migrated:
        settings = Settings(data=desk.data)
        desk_keys(settings.keys_folder, SystemRandom())
        make_vault_key(settings, SystemRandom())
        return
    run_command("keys", environment=desk.environment)
    run_command("migrate", environment=desk.environment)
    if not postgres.external:
        for role in SERVICES:
            postgres.create(f"migrated_{name}_{role}", f"{name}_{role}")
        _migrated[postgres] = f"migrated_{name}"


def _settings(data: Path, desk: SplitDesk, database: str, broker: str) -> dict[str, str]:
    return {
        "FIRSTLINE_DATA": str(data),
        "FIRSTLINE_HOST": "127.0.0.1",
        "FIRSTLINE_SMTP_PORT": str(desk.smtp_port),
        "FIRSTLINE_DATABASE_URL": database,
        "FIRSTLINE_AMQP_URL": broker,
    }


def _make_replicas(desk: SplitDesk, count: int) -> None:
    for role in ROLES:
        desk.replicas[role] = [
            Replica(role, free_port(), desk.data / f"{role}-{index}.log", {**desk.environment})
            for index in range(count)
        ]
    urls = {f"FIRSTLINE_{role.upper()}_URL": group[0].url for role, group in desk.replicas.items() if role != "web"}
    for replica in desk.all():
        replica.environment |= urls
    for extra in desk.replicas["intake"][1:]:
        extra.environment["FIRSTLINE_SMTP_PORT"] = str(free_port())


@contextmanager
def _room(rabbit: RabbitServer) -> Iterator[RabbitServer]:
    """Give the desk a room of its own; where that can't be, remove its queues, so that the next desk hears nothing."""
    with rabbit.room() as room:
        yield room
    for queue in all_queues() if rabbit.external else ():
        with suppress(AMQPException):
            rabbit.delete(queue)


def _end(desk: SplitDesk) -> None:
    for replica in desk.all():
        if replica.running:
            replica.send_signal(signal.SIGCONT)
            replica.send_signal(signal.SIGTERM)
    for replica in desk.all():
        if replica.running:
            replica.stop()

"""RabbitMQ for tests: a private node that can be killed and started again, or a server named to us."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

import aio_pika
from aio_pika.abc import AbstractQueue
from owned_process import OwnFolder, OwnProcess, answers, free_port, without
from postgres_server import run_apart

OVERRIDE = "FIRSTLINE_TEST_AMQP"
START_SECONDS, STOP_SECONDS = 90, 30
AMQP_GREETING = b"AMQP\x00\x00\x09\x01"
USUAL_DISK_LIMIT, UNREACHABLE_DISK_LIMIT = 50_000_000, 10**18
CONFIGURATION = """
listeners.tcp.1 = 127.0.0.1:{port}
disk_free_limit.absolute = {limit}
"""
ERLANG_ARGUMENTS = (
    "-kernel inet_dist_use_interface {127,0,0,1} "
    "-start_epmd false "  # the one that Erlang starts stays for ever
    "-rabbit quorum_tick_interval 100"  # milliseconds; usually five seconds, and the counts are as old
)

MAKE_ROOM = (
    'ok = rabbit_vhost:add(<<"{name}">>, <<"tests">>),'
    " rabbit_auth_backend_internal:set_permissions("
    '<<"guest">>, <<"{name}">>, <<".*">>, <<".*">>, <<".*">>, <<"tests">>).'
)


def why_no_rabbit() -> str | None:
    """Return why no RabbitMQ server can be had here, or None."""
    if os.environ.get(OVERRIDE):
        return None
    missing = [name for name, path in (("rabbitmq-server", _script()), ("epmd", _port_mapper())) if path is None]
    return f"no RabbitMQ server: neither {OVERRIDE} nor {' and '.join(missing)} is here" if missing else None


def _script() -> Path | None:
    """Return the server's own script; the one that Debian puts on the PATH runs as Debian's user only."""
    on_path = shutil.which("rabbitmq-server")
    packaged = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    return packaged if packaged.exists() else Path(on_path) if on_path else None


def _port_mapper() -> Path | None:
    """Return the program by which Erlang's processes find one another."""
    on_path = shutil.which("epmd")
    return Path(on_path) if on_path else next(Path("/usr/lib/erlang/bin").glob("epmd"), None)


@dataclass(frozen=True, slots=True)
class _Node:
    """What belongs to a private server alone."""

    folder: OwnFolder
    script: Path
    port_mapper: Path
    log: Path
    port: int
    distribution_port: int
    port_mapper_port: int

    def environment(self) -> dict[str, str]:
        """Return the variables that keep the node and its tools apart from every other of this machine."""
        path = self.folder.path
        return without(
            "RABBITMQ_",
            "ERL_",
            HOME=str(path),  # Erlang keeps the cookie there
            ERL_EPMD_ADDRESS="127.0.0.1",
            ERL_EPMD_PORT=str(self.port_mapper_port),
            RABBITMQ_NODENAME=f"firstline{self.port}@localhost",
            RABBITMQ_DIST_PORT=str(self.distribution_port),
            RABBITMQ_CONF_ENV_FILE=str(path / "none"),
            RABBITMQ_CONFIG_FILE=str(path / "rabbitmq.conf"),
            RABBITMQ_ADVANCED_CONFIG_FILE=str(path / "none.config"),
            RABBITMQ_ENABLED_PLUGINS_FILE=str(path / "plugins"),
            RABBITMQ_MNESIA_BASE=str(path / "data"),
            RABBITMQ_LOG_BASE=str(path),
            RABBITMQ_LOGS="-",
            RABBITMQ_PID_FILE=str(path / "node"),
            RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=ERLANG_ARGUMENTS,
        )

    def control(self, *command: str) -> str:
        """Run a command of rabbitmqctl and return what it says; half a second."""
        tool = self.script.parent / "rabbitmqctl"
        asked = [str(tool), "--quiet", *command]
        return subprocess.run(asked, env=self.environment(), check=True, capture_output=True, text=True).stdout


class RabbitServer:
    """A running RabbitMQ; `external` says that it isn't the tests' own, and must be left alone."""

    def __init__(self, url: str, node: _Node | None = None, room: str = "") -> None:
        self.url = url + room
        self._room = room or "/"
        self._node = node
        self._port_mapper: OwnProcess | None = None
        self._process: OwnProcess | None = None

    @property
    def external(self) -> bool:
        """Whether the server was named from outside, and can't be stopped."""
        return self._node is None

    def start(self) -> None:
        """Start the node and wait until it takes connections; a running one is left as it is."""
        node = self._own()
        if self._port_mapper is None:
            self._port_mapper = self._start_port_mapper(node)
        if self._process is None or not self._process.running:
            self._process = node.folder.launch("rabbitmq", [str(node.script)], node.log, node.environment())
        self._process.wait_until(lambda: answers(node.port, AMQP_GREETING), START_SECONDS)

    def _start_port_mapper(self, node: _Node) -> OwnProcess:
        command = [str(node.port_mapper), "-address", "127.0.0.1", "-port", str(node.port_mapper_port)]
        process = node.folder.launch("epmd", command, node.log, node.environment())
        process.wait_until(lambda: answers(node.port_mapper_port), START_SECONDS)
        return process

    def stop(self) -> None:
        """Stop the node in order."""
        self._own()
        if self._process:
            self._process.end(signal.SIGTERM, STOP_SECONDS)

    def kill(self) -> None:
        """End the node and every process of it at once, as a power cut would.

        RabbitMQ writes down that it has a quorum queue only half a second after its declaration. A queue that was
        declared later than that before the kill loses even what was confirmed, and gets no leader any more.
        """
        self._own()
        if self._process:
            self._process.kill()

    def pause(self) -> None:
        """Let the node hang: its connections stay open, and nothing is answered."""
        self._own()
        if self._process:
            self._process.signal_group(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a node that hangs go on."""
        self._own()
        if self._process:
            self._process.signal_group(signal.SIGCONT)

    def _own(self) -> _Node:
        if self._node is None:
            raise RuntimeError(f"the server that {OVERRIDE} names is not the tests' own to start, stop or look into")
        return self._node

    @property
    def folder(self) -> Path:
        """Where a private node keeps everything: queues, messages, its own database, its settings."""
        return self._own().folder.path

    def queues(self) -> dict[str, int]:
        """Return every queue with the number of its messages, those under way to consumers included."""
        listed = self._own().control("list_queues", "-p", self._room, "name", "messages", "--formatter", "json")
        return {queue["name"]: queue["messages"] for queue in json.loads(listed)}

    @contextmanager
    def room(self) -> Iterator["RabbitServer"]:
        """Give a part of the broker where nothing is heard of what goes on elsewhere; on a named server, all of it."""
        if self._node is None:
            yield self
            return
        name = f"room-{token_hex(4)}"
        self._node.control("eval", MAKE_ROOM.format(name=name))  # each command is half a second's work
        try:
            yield RabbitServer(self.url, self._node, name)
        finally:
            with suppress(subprocess.CalledProcessError):  # the node may be down, and goes with all its rooms
                self._node.control("delete_vhost", name)

    def set_disk_alarm(self, on: bool) -> None:
        """Let the node believe that its disk is full, so that it blocks all publishers, or that it isn't."""
        self._own().control("set_disk_free_limit", str(UNREACHABLE_DISK_LIMIT if on else USUAL_DISK_LIMIT))

    def purge(self, queue: str) -> None:
        """Throw away the messages that wait in a queue."""

        async def purge(found: AbstractQueue) -> None:
            await found.purge()

        self._with_queue(queue, purge)

    def delete(self, queue: str) -> None:
        """Remove a queue, whatever is in it."""

        async def delete(found: AbstractQueue) -> None:
            # quorum queues know neither condition
            await found.delete(if_unused=False, if_empty=False)

        self._with_queue(queue, delete)

    def _with_queue(self, name: str, work: Callable[[AbstractQueue], Awaitable[None]]) -> None:
        async def run() -> None:
            async with await aio_pika.connect(self.url) as connection:
                channel = await connection.channel()
                await work(await channel.get_queue(name, ensure=False))

        run_apart(run)


def named_rabbit() -> RabbitServer | None:
    """Return the server that the environment names, if it does."""
    url = os.environ.get(OVERRIDE)
    return RabbitServer(url) if url else None


@contextmanager
def rabbit_server(folder: Path) -> Iterator[RabbitServer]:
    """Run a private node, whose log goes into the folder; afterwards only that log is left."""
    script, port_mapper = _script(), _port_mapper()
    if script is None or port_mapper is None:
        raise RuntimeError(why_no_rabbit())
    folder.mkdir(parents=True, exist_ok=True)
    own = OwnFolder.make("amqp")
    node = _Node(own, script, port_mapper, folder / "rabbitmq.log", free_port(), free_port(), free_port())
    (own.path / "plugins").write_text("[].\n")
    (own.path / "rabbitmq.conf").write_text(CONFIGURATION.format(port=node.port, limit=USUAL_DISK_LIMIT))
    server = RabbitServer(f"amqp://guest:guest@127.0.0.1:{node.port}/", node)
    try:
        server.start()
        yield server
    finally:
        own.close()

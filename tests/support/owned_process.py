"""Server processes that tests own: they end with the tests, whatever ends those, and leave nothing behind."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import SystemRandom

LOWEST_PORT, USUAL_FIRST_PORT_OF_CLIENTS = 10_000, 32_768
SIDE_BY_SIDE = 8
"""How many runs of tests share the ports at most, each taking every eighth one."""

POLL_SECONDS = 0.02
LONGEST_TEMPORARY_FOLDER = 40
"""Unix sockets lie below it, and their paths hold about a hundred characters."""

GUARD = """
read -r _
for file in "$1"/*.pid; do [ -f "$file" ] && kill -s QUIT -- "-$(cat "$file")"; done
[ -d "$1" ] && sleep 2
for file in "$1"/*.pid; do [ -f "$file" ] && kill -s KILL -- "-$(cat "$file")"; done
rm -rf -- "$1"
"""
"""Waits until this process has closed the pipe, by will or by dying; then ends what is left and removes the folder."""


_given: set[int] = set()


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this machine that a server runs as."""

    uid: int
    gid: int


def unprivileged() -> Account | None:
    """Return whom servers run as that refuse root; None: the user who runs the tests will do."""
    if os.getuid() != 0:
        return None
    users = {user.pw_name: user for user in pwd.getpwall()}
    user = users.get("postgres") or users["nobody"]
    return Account(user.pw_uid, user.pw_gid)


def free_port() -> int:
    """Return a loopback port that nobody listens on, and that the system gives to no client.

    A client that tries a port of the clients' range again and again, while the server is down, may connect to itself.
    No port is given twice, and test runs side by side have ports of their own: whoever asked may be long in binding it.
    """
    first = max(_first_port_of_clients(), LOWEST_PORT + 1000)
    side = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % SIDE_BY_SIDE
    for _ in range(1000):
        port = SystemRandom().randrange(LOWEST_PORT + side, first, SIDE_BY_SIDE)
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            _given.add(port)
            return port
    raise RuntimeError("no free port was found")


def _first_port_of_clients() -> int:
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except OSError:
        return USUAL_FIRST_PORT_OF_CLIENTS


def answers(port: int, greeting: bytes = b"") -> bool:
    """Say whether a server takes a connection on a loopback port, and answers when a greeting is sent."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(greeting)
            return not greeting or connection.recv(1) != b""
    except OSError:
        return False


@dataclass
class OwnProcess:
    """A server process, the leader of a group of its own."""

    process: "subprocess.Popen[bytes]"
    log: Path
    pid_file: Path

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until it is ready; raise with the end of its log when it ends first, or takes too long."""
        deadline = time.monotonic() + seconds
        while not ready():
            if not self.running or time.monotonic() > deadline:
                said = "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])
                raise RuntimeError(f"{self.process.args!r} is not ready:\n{said}")
            time.sleep(POLL_SECONDS)

    def end(self, number: signal.Signals, seconds: float) -> None:
        """Ask the process to end, by a signal; kill it when it doesn't in time."""
        if self.running:
            self.process.send_signal(number)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()
        self.pid_file.unlink(missing_ok=True)

    def kill(self) -> None:
        """End the process and all its children at once, as a power cut would, and wait until they are gone."""
        if self.running:
            self.process.send_signal(signal.SIGSTOP)  # so that no child is born meanwhile
            family = [self.process.pid, *_descendants(self.process.pid)]
            for pid in family:
                _kill(pid)
            self.process.wait()
            _wait_for_end(family)
        self.pid_file.unlink(missing_ok=True)

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to the process and those of its children that stayed in its group."""
        os.killpg(self.process.pid, number)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # ended by itself, as children do whose parent is gone


def _status(pid: int) -> tuple[str, int] | None:
    """Return a process's state and its parent, or None when there is no such process."""
    try:
        state, parent, *_ = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return state, int(parent)


def alive(pid: int) -> bool:
    """Say whether a process runs; one that has ended, and that nobody collected, doesn't."""
    status = _status(pid)
    return status is not None and status[0] not in "ZX"


def _descendants(pid: int) -> list[int]:
    """Return a process's children, and theirs; on a system without /proc none, who then end when they notice."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        if status := _status(int(entry.name)):
            children.setdefault(status[1], []).append(int(entry.name))
    found = [pid]
    for member in found:
        found += children.get(member, [])
    return found[1:]


def _wait_for_end(pids: Sequence[int], seconds: float = 10) -> None:
    """Wait until processes have ended, and hold no port and no memory any more."""
    deadline = time.monotonic() + seconds
    while any(alive(pid) for pid in pids):
        if time.monotonic() > deadline:
            raise RuntimeError(f"some of the processes {pids} were killed and still run")
        time.sleep(POLL_SECONDS)


@dataclass
class OwnFolder:
    """A temporary folder and the processes that work in it; both go with `close`, or when this process dies."""

    path: Path
    guard: "subprocess.Popen[bytes]"
    account: Account | None = None
    _processes: list[OwnProcess] = field(default_factory=list)

    @classmethod
    def make(cls, name: str, account: Account | None = None) -> "OwnFolder":
        """Make the folder; with an account, it belongs to that user, and what is launched runs as that user.

        pytest's own temporary folders won't do: other users can't reach them, and their paths are long.
        """
        path = Path(tempfile.mkdtemp(prefix=f"firstline-{name}-", dir=_temporary()))
        path.chmod(0o755)
        if account:
            os.chown(path, account.uid, account.gid)
        command = ["/bin/sh", "-c", GUARD, "guard", str(path)]
        nowhere = subprocess.DEVNULL
        guard = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=nowhere, stderr=nowhere, cwd="/", start_new_session=True
        )
        return cls(path, guard, account)

    def run(self, command: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        """Run a command in the folder to its end; raise with the end of its log when it fails."""
        own = self.launch("command", command, log, environment)
        own.process.wait(120)
        own.wait_until(lambda: own.process.returncode == 0, 0)
        own.end(signal.SIGKILL, 0)

    def launch(self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str]) -> OwnProcess:
        """Start a process in the folder, away from the terminal's Ctrl-C; its output goes to the end of a log."""
        account = self.account
        with log.open("ab") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.path,
                env=environment,
                start_new_session=True,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
            )
        own = OwnProcess(process, log, self.path / f"{name}.pid")
        own.pid_file.write_text(str(process.pid))
        self._processes.append(own)
        return own

    def close(self) -> None:
        """Kill what still runs, and remove the folder."""
        for process in self._processes:
            process.kill()
        shutil.rmtree(self.path, ignore_errors=True)
        self.guard.communicate()


def _temporary() -> str:
    usual = tempfile.gettempdir()
    return usual if len(usual) <= LONGEST_TEMPORARY_FOLDER else "/tmp"


def without(*prefixes: str, **given: str) -> dict[str, str]:
    """Return this process's environment without the variables of a server, and with those given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}
    return {**kept, **given}

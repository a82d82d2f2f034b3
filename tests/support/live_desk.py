"""A desk in a process of its own, started by the product's own command, and what tests ask of it."""

import email
import os
import signal
import smtplib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from email.message import EmailMessage, Message
from pathlib import Path
from typing import Any

import httpx
from firstline.common.permissions import Principal, Role
from firstline.common.ports import SystemClock, SystemRandom
from firstline.standalone.keys import desk_keys

START_SECONDS = 180
PATIENCE_SECONDS = 75
"""Longer than two looks into another service's log, which bring what the bus did not."""
DESK_ADDRESS = "support@firstline.example"


@dataclass
class AnyDesk:
    """A desk that runs somewhere, and what tests ask of it by HTTP, and by mail."""

    data: Path
    url: str = ""
    smtp_port: int = 0
    environment: dict[str, str] = field(default_factory=dict)

    def token(
        self, role: str, subject: str, *, email: str = "", organization: str | None = None, tier: str | None = None
    ) -> str:
        """Return a token like those of `firstline token`, signed with the desk's keys: a process would take seconds."""
        folder = Path(self.environment.get("FIRSTLINE_KEYS", self.data / "keys"))
        address = email or f"{subject}@firstline.example"
        who = Principal(subject, Role(role), address, organization, tier=tier, name=subject)
        return desk_keys(folder, SystemRandom()).signer(SystemClock()).token(who, timedelta(days=1))

    def api(self, role: str, subject: str, **more: str) -> httpx.Client:
        """Return a client of the API as somebody."""
        headers = {"Authorization": f"Bearer {self.token(role, subject, **more)}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30)

    def send(self, mail: EmailMessage) -> None:
        """Send a mail to the desk by SMTP."""
        with smtplib.SMTP("127.0.0.1", self.smtp_port, timeout=30) as smtp:
            smtp.send_message(mail)

    def mails(self, to: str | None = None) -> list[Message]:
        """Return the mails that the desk has sent, oldest first, to one address or to anybody."""
        folder = self.data / "mail"
        found = [email.message_from_bytes(path.read_bytes()) for path in sorted(folder.glob("*.eml"))]
        return [mail for mail in found if to is None or to in str(mail["To"])]


@dataclass
class LiveDesk(AnyDesk):
    """A desk in one process."""

    process: "subprocess.Popen[str] | None" = None

    def start(self) -> None:
        """Start the process and wait until it is ready; the ports stay the same after a restart."""
        port = self.url.rpartition(":")[2] or "0"
        self.process = subprocess.Popen(
            [*COMMAND, "up", "--port", port, "--smtp-port", str(self.smtp_port), "--data", str(self.data)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **self.environment},
        )
        self._read_addresses(self.process)
        eventually(lambda: httpx.get(f"{self.url}/readyz").status_code == 200)

    def _read_addresses(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            words = line.split()
            if words[:1] == ["Website"]:
                self.url = words[1].rstrip("/")
            if words[:2] == ["Mail", "in"]:
                self.smtp_port = int(words[-1].rpartition(":")[2])
            if line.startswith("Ctrl-C"):
                return
        raise AssertionError(f"the desk did not start: {''.join(said)}")

    def kill(self) -> None:
        """End the process as a crash would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self._hang_up()

    def _hang_up(self) -> None:
        assert self.process is not None
        if self.process.stdout is not None:
            self.process.stdout.close()

    def stop(self) -> int:
        """Interrupt the process as Ctrl-C would; return its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(START_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            self._hang_up()


COMMAND = (sys.executable, "-m", "firstline.standalone.cli")


@contextmanager
def live_desk(data: Path, **environment: str) -> Iterator[LiveDesk]:
    """Run a desk on a folder, killing it at the end if it still runs."""
    desk = LiveDesk(data, environment=environment)
    desk.start()
    try:
        yield desk
    finally:
        if desk.process is not None and desk.process.poll() is None:
            desk.stop()


def eventually(truth: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
    """Return what `truth` returns as soon as that is true.

    Raises:
        AssertionError: it did not become true in time.

    """
    end = time.monotonic() + seconds
    last: object = None
    while time.monotonic() < end:
        try:
            if last := truth():
                return last
        except httpx.TransportError as error:
            last = error
        time.sleep(0.05)
    raise AssertionError(f"did not become true within {seconds} s, last: {last!r}")


def mail(sender: str, subject: str, body: str, **headers: str) -> EmailMessage:
    """Return a mail to the desk."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = headers.pop("To", DESK_ADDRESS)
    message["Subject"] = subject
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(body)
    return message

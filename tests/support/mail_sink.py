"""A mail relay that keeps what it is handed as files, and counts how often it was handed each mail."""

import asyncio
import email
import hashlib
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP


@dataclass
class MailSink:
    """The relay at work; `times` counts by Message-ID."""

    folder: Path
    port: int = 0
    times: Counter[str] = field(default_factory=Counter)

    async def handle_DATA(self, _: Any, __: Any, envelope: Any) -> str:  # noqa: N802 (aiosmtpd's name)
        """Keep a mail under a name that follows its Message-ID."""
        message_id = str(email.message_from_bytes(envelope.content)["Message-ID"])
        self.times[message_id] += 1
        name = hashlib.sha256(message_id.encode()).hexdigest()
        (self.folder / f"{name}.part").write_bytes(envelope.content)
        (self.folder / f"{name}.part").replace(self.folder / f"{name}.eml")
        return "250 kept"


@contextmanager
def mail_sink(folder: Path) -> Iterator[MailSink]:
    """Take mails on a free port, in a thread of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    listening = socket.create_server(("127.0.0.1", 0))
    sink = MailSink(folder, listening.getsockname()[1])
    stopping = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(sink, listening, stopping)), daemon=True)
    thread.start()
    try:
        yield sink
    finally:
        stopping.set()
        thread.join(10)


async def _serve(sink: MailSink, listening: socket.socket, stopping: threading.Event) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(sink, hostname="relay.example"), sock=listening)
    async with server:
        while not stopping.is_set():
            await asyncio.sleep(0.05)

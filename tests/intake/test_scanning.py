"""A virus scanner looks at files before anybody gets them; while it is away they wait (clause 4.6)."""

import asyncio
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from firstline.common.errors import Unavailable
from firstline.intake.scanner import Clamd
from firstline.intake.service.scanning import scan_held
from intake_world import OpenWorld, World, picture, raw_mail

EVIL = b"an ordinary text with EVIL in it\n"


@dataclass(slots=True)
class Daemon:
    """A scripted clamd on a port of this machine; `answer` replaces what it would say."""

    port: int = 0
    answer: bytes | None = None
    seen: list[int] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one INSTREAM."""
        assert await reader.readexactly(10) == b"zINSTREAM\0"
        content = b""
        while (length := struct.unpack(">I", await reader.readexactly(4))[0]) > 0:
            content += await reader.readexactly(length)
        self.seen.append(len(content))
        verdict = b"stream: Eicar-Test FOUND\0" if b"EVIL" in content else b"stream: OK\0"
        writer.write(verdict if self.answer is None else self.answer)
        await writer.drain()
        writer.close()


@pytest.fixture
async def daemon() -> AsyncIterator[Daemon]:
    """Return a daemon at work."""
    running = Daemon()
    server = await asyncio.start_server(running.serve, "127.0.0.1", 0)
    running.port = server.sockets[0].getsockname()[1]
    yield running
    server.close()


@pytest.fixture
async def world(opened: OpenWorld, tmp_path: Path, daemon: Daemon) -> AsyncIterator[World]:
    """Return a service whose files go through that daemon."""
    async with opened(tmp_path, scanner=Clamd("127.0.0.1", daemon.port, seconds=5)) as running:
        yield running


async def content(data: bytes) -> AsyncIterator[bytes]:
    """Yield a file in pieces."""
    for start in range(0, len(data), 1000):
        yield data[start : start + 1000]


async def test_clean_and_infected_files_are_told_apart(daemon: Daemon) -> None:
    """The whole file is streamed; what is found has a name."""
    clamd = Clamd("127.0.0.1", daemon.port)

    async def clean() -> AsyncIterator[bytes]:
        return content(b"x" * 123_456)

    async def infected() -> AsyncIterator[bytes]:
        return content(EVIL)

    assert await clamd.scan(clean) is None
    assert await clamd.scan(infected) == "Eicar-Test"
    assert daemon.seen == [123_456, len(EVIL)]


@pytest.mark.parametrize(
    "answer", [b"", b"INSTREAM size limit exceeded. ERROR\0", b"stream: OK", b"x" * 9000, b"UNKNOWN\0"]
)
async def test_anything_but_a_verdict_is_none(daemon: Daemon, answer: bytes) -> None:
    """Errors, nonsense and broken connections let nothing through."""
    daemon.answer = answer

    async def opened() -> AsyncIterator[bytes]:
        return content(b"x")

    with pytest.raises(Unavailable):
        await Clamd("127.0.0.1", daemon.port, seconds=2).scan(opened)


async def test_an_infected_upload_is_refused_and_leaves_nothing(world: World) -> None:
    """What the scanner finds something in is refused with advice; a mail is taken without it."""
    before = world.stored()
    files = {"file": ("a.txt", EVIL, "text/plain")}
    answer = await world.client.post("/v1/attachments", files=files, headers=world.headers("client:clara"))
    assert (answer.status_code, answer.json()["reason"]) == (422, "infected")
    assert world.stored() == before
    judged = await world.mail(raw_mail(files={"a.txt": EVIL, "b.png": picture()}))
    assert judged["outcome"] == "new_ticket"
    assert [file["status"] for file in judged["attachments"]] == ["rejected", "ok"]


async def test_files_wait_while_the_scanner_is_away(world: World, daemon: Daemon) -> None:
    """Taken, sent and shown as waiting, read by nobody; once the scanner is back the clean are given, the others go."""
    daemon.answer = b""
    clean = await world.upload(content=picture())
    evil = await world.upload(name="a.txt", content=EVIL)
    ticket = await world.submit(attachment_ids=[clean, evil])
    mailed = await world.mail(raw_mail(files={"c.txt": EVIL}))
    assert [file["status"] for file in mailed["attachments"]] == ["held"]
    for attachment in (clean, evil):
        answer = await world.get(f"/v1/attachments/{attachment}", "client:clara")
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/file-held")
    assert (await world.get(f"/v1/attachments/{clean}", "client:mallory")).status_code == 404
    assert await scan_held(world.desk) == 0
    daemon.answer = None
    assert await scan_held(world.desk) == 3
    assert await scan_held(world.desk) == 0
    assert (await world.get(f"/v1/attachments/{clean}", "client:clara")).content == picture()
    assert (await world.get(f"/v1/attachments/{evil}", "client:clara")).status_code == 404
    shown = {file["id"]: file for file in (await world.messages(ticket))[0]["attachments"]}
    assert (shown[clean]["status"], shown[evil]["status"]) == ("ok", "rejected")
    assert "virus" in shown[evil]["reason"]
    assert len(world.files()) == 2  # the clean file, and the raw mail


async def test_a_split_request_shares_the_fate_of_its_files(world: World, daemon: Daemon) -> None:
    """A file that two requests share is judged once for both."""
    daemon.answer = b""
    held = await world.upload(name="a.txt", content=EVIL)
    ticket = await world.submit(attachment_ids=[held])
    (message,) = await world.messages(ticket)
    await world.must(ticket, "split", {"message_id": message["id"], "subject": "Another"})
    daemon.answer = None
    await scan_held(world.desk)
    rows = world.rows("SELECT status, file_key FROM attachment")
    assert rows == [("rejected", None), ("rejected", None)]


async def test_a_desk_without_a_scanner_looks_for_no_waiting_files(
    opened: OpenWorld, tmp_path: Path, daemon: Daemon
) -> None:
    """What waited for a scanner that was taken away is given out at the start; no worker asks for such files then."""
    daemon.answer = b""
    async with opened(tmp_path, scanner=Clamd("127.0.0.1", daemon.port, seconds=5)) as world:
        waiting = await world.upload(content=picture())
        assert "intake: files" in [worker.name for worker in world.runtime.workers]
    async with opened(tmp_path) as world:
        assert (await world.get(f"/v1/attachments/{waiting}", "client:clara")).content == picture()
        assert "intake: files" not in [worker.name for worker in world.runtime.workers]

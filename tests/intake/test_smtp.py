"""The SMTP listener over real sockets: 250 only after the mail is durable, and no peer can hurt the others."""

import asyncio
import smtplib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from email.message import EmailMessage

import aiosmtplib
import pytest
from firstline.common.addresses import reply_address
from firstline.common.errors import Unavailable
from firstline.common.ports import SystemClock, spawn
from firstline.intake.smtp import InboundSmtp, SmtpLimits

DESK = "support@desk.example"
LIMITS = SmtpLimits(data_bytes=1024 * 1024, connections=5, recipients=3, commands=20, drain_seconds=2)


@dataclass
class Taken:
    """What the listener handed over, and how the store behaves."""

    mails: list[tuple[bytes, str, tuple[str, ...], str]] = field(default_factory=list)
    before: Callable[[], Awaitable[object]] | None = None

    async def accept(self, raw: bytes, mail_from: str, rcpt_to: tuple[str, ...], peer: str) -> None:
        """Keep a mail."""
        if self.before:
            await self.before()
        self.mails.append((raw, mail_from, rcpt_to, peer))


class Peer:
    """A peer that speaks SMTP by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def answer(self) -> str:
        """Read one answer, of several lines where it has them; empty when the listener hung up."""
        lines = []
        while line := await asyncio.wait_for(self.reader.readline(), 20):
            lines.append(line.decode().rstrip())
            if line[3:4] != b"-":
                break
        return "\n".join(lines)

    async def say(self, line: bytes | str) -> str:
        """Send a line and return the answer."""
        self.writer.write((line.encode() if isinstance(line, str) else line) + b"\r\n")
        return await self.answer()

    async def greet(self, recipient: str = DESK, sender: str = "anna@shop.example") -> None:
        """Go as far as the recipient."""
        await self.answer()
        for line in ("EHLO shop.example", f"MAIL FROM:<{sender}>", f"RCPT TO:<{recipient}>"):
            assert (await self.say(line)).startswith("250")

    async def send(self, content: bytes) -> str:
        """Send a mail's content, dots included as they are, and return the answer."""
        assert (await self.say("DATA")).startswith("354")
        return await self.say(content + b".")


class Desk:
    """A listener with its store, and peers to connect to it."""

    def __init__(self, limits: SmtpLimits) -> None:
        self.taken = Taken()
        self.peers: list[Peer] = []
        addresses = (DESK, "Help@desk.example")
        self.smtp = InboundSmtp("127.0.0.1", 0, addresses, self.taken.accept, SystemClock(), spawn, limits=limits)

    async def peer(self) -> Peer:
        """Connect a peer by hand."""
        peer = Peer(*await asyncio.open_connection("127.0.0.1", self.smtp.port))
        self.peers.append(peer)
        return peer

    async def close(self) -> None:
        """End the listener and all peers."""
        await self.smtp.stop()
        for peer in self.peers:
            peer.writer.close()
            try:
                await peer.writer.wait_closed()
            except ConnectionError:
                continue


@pytest.fixture
def limits() -> SmtpLimits:
    """Return limits that tests can reach."""
    return LIMITS


@pytest.fixture
async def desk(limits: SmtpLimits) -> AsyncIterator[Desk]:
    """Return a listening desk."""
    desk = Desk(limits)
    await desk.smtp.start()
    yield desk
    await desk.close()


def letter(subject: str = "Site is down") -> EmailMessage:
    """Return an ordinary mail."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"], mail["Message-ID"] = (
        "anna@shop.example",
        DESK,
        subject,
        "<1@shop.example>",
    )
    mail.set_content("Hello,\n.\n..two dots\nGrüße\n")
    return mail


async def test_mail_of_a_real_client_is_taken(desk: Desk) -> None:
    """A mail sent by an asynchronous client arrives with its envelope, every line of it as it was sent."""
    await aiosmtplib.send(letter(), hostname="127.0.0.1", port=desk.smtp.port)
    ((raw, mail_from, rcpt_to, peer),) = desk.taken.mails
    assert (mail_from, rcpt_to, peer) == ("anna@shop.example", (DESK,), "127.0.0.1")
    assert raw.startswith(b"From: anna@shop.example\r\n")
    assert b"Hello,\r\n.\r\n..two dots\r\nGr" in raw


async def test_mail_of_the_standard_client_is_taken(desk: Desk) -> None:
    """The standard library's client, in a thread, gets its mails through one connection."""

    def send() -> None:
        with smtplib.SMTP("127.0.0.1", desk.smtp.port) as client:
            for number in range(3):
                client.send_message(letter(f"number {number}"))

    await asyncio.to_thread(send)
    assert [b"Subject: number %d" % number in mail[0] for number, mail in enumerate(desk.taken.mails)] == [True] * 3


async def test_answer_comes_after_the_store(desk: Desk) -> None:
    """While the store works the peer has no answer; 250 follows it."""
    stored = asyncio.Event()
    desk.taken.before = stored.wait
    peer = await desk.peer()
    await peer.greet()
    waiting = asyncio.create_task(peer.send(b"Subject: x\r\n\r\n"))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    assert desk.taken.mails == []
    stored.set()
    assert await waiting == "250 2.0.0 Taken"
    assert len(desk.taken.mails) == 1


@pytest.mark.parametrize(
    ("error", "answer"),
    [(Unavailable("disk full"), "452 4.3.1"), (RuntimeError("bug"), "451 4.3.0"), (OSError("disk"), "451 4.3.0")],
)
async def test_trouble_means_try_again(desk: Desk, error: Exception, answer: str) -> None:
    """Whatever goes wrong in the store, the peer keeps the mail and learns nothing of the trouble."""

    async def fail() -> None:
        raise error

    desk.taken.before = fail
    peer = await desk.peer()
    await peer.greet()
    said = await peer.send(b"Subject: x\r\n\r\n")
    assert said.startswith(answer)
    assert str(error) not in said
    desk.taken.before = None
    assert (await peer.say("MAIL FROM:<a@b.example>")).startswith("250")
    assert (await peer.say(f"RCPT TO:<{DESK}>")).startswith("250")
    assert (await peer.send(b"again\r\n")).startswith("250")
    assert [mail[0] for mail in desk.taken.mails] == [b"again\r\n"]


@pytest.mark.parametrize(
    "recipient",
    [
        DESK,
        "SUPPORT@DESK.EXAMPLE",
        "help@desk.example",
        "support+anything@desk.example",
        reply_address(b"k" * 32, "FL-7K3M-9QPX", DESK),
    ],
)
async def test_mail_for_the_desk_is_taken(desk: Desk, recipient: str) -> None:
    """The desk's addresses are taken in any case and with any tag, and handed over as they came."""
    peer = await desk.peer()
    await peer.greet(recipient)
    assert (await peer.send(b"x\r\n")).startswith("250")
    assert desk.taken.mails[0][2] == (recipient,)


@pytest.mark.parametrize(
    "recipient",
    [
        "other@desk.example",
        "support@other.example",
        "xsupport@desk.example",
        "support",
        "+x@desk.example",
        "s@d@desk.example",
    ],
)
async def test_mail_for_others_is_refused(desk: Desk, recipient: str) -> None:
    """The listener is no relay: any other recipient is refused, and nothing is taken without one."""
    peer = await desk.peer()
    await peer.answer()
    await peer.say("EHLO x")
    await peer.say("MAIL FROM:<a@b.example>")
    assert (await peer.say(f"RCPT TO:<{recipient}>"))[0] == "5"
    assert (await peer.say("DATA")).startswith("503")


async def test_bounce_has_an_empty_return_path(desk: Desk) -> None:
    """`MAIL FROM:<>` arrives as an empty return path."""
    peer = await desk.peer()
    await peer.greet(sender="")
    await peer.send(b"x\r\n")
    assert desk.taken.mails[0][1] == ""


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        (b"", b""),
        (b"a\r\n", b"a\r\n"),
        (b"..\r\n", b".\r\n"),
        (b"...\r\n.x\r\n", b"..\r\nx\r\n"),
        (b"a\r\n..\r\nb\r\n", b"a\r\n.\r\nb\r\n"),
        (b"a\n.\nb\r\n", b"a\n.\nb\r\n"),
        (b"a\r.\rb\r\n", b"a\r.\rb\r\n"),
        (b"a\n.\r\nb\r\n", b"a\n.\r\nb\r\n"),
        (b"a\r\n.\nb\r\n", b"a\r\n\nb\r\n"),
        (b"\0\xff\r\n", b"\0\xff\r\n"),
        (b"\r\n\r\n", b"\r\n\r\n"),
    ],
)
async def test_content_is_taken_as_sent(desk: Desk, sent: bytes, received: bytes) -> None:
    """Only dots at line starts are undone, and only CRLF.CRLF ends a mail: nothing can be smuggled behind it."""
    peer = await desk.peer()
    await peer.greet()
    assert (await peer.send(sent)).startswith("250")
    assert desk.taken.mails[0][0] == received
    assert len(desk.taken.mails) == 1


async def test_end_may_come_in_pieces(desk: Desk) -> None:
    """Every way of cutting the end into packets is understood."""
    for cut in range(1, 5):
        peer = await desk.peer()
        await peer.greet()
        await peer.say("DATA")
        peer.writer.write(b"body" + b"\r\n.\r\n"[:cut])
        await peer.writer.drain()
        await asyncio.sleep(0.02)
        peer.writer.write(b"\r\n.\r\n"[cut:])
        assert (await peer.answer()).startswith("250")
    assert [mail[0] for mail in desk.taken.mails] == [b"body\r\n"] * 4


async def test_commands_sent_ahead_are_answered(desk: Desk) -> None:
    """What a peer sends behind a mail without waiting is not lost (pipelining)."""
    peer = await desk.peer()
    await peer.greet()
    assert (await peer.say("DATA")).startswith("354")
    peer.writer.write(b"one\r\n.\r\nMAIL FROM:<b@b.example>\r\nRCPT TO:<" + DESK.encode() + b">\r\nDATA\r\n")
    assert [(await peer.answer())[:3] for _ in range(4)] == ["250", "250", "250", "354"]
    peer.writer.write(b"two\r\n.\r\nQUIT\r\n")
    assert [(await peer.answer())[:3] for _ in range(2)] == ["250", "221"]
    assert [mail[:2] for mail in desk.taken.mails] == [(b"one\r\n", "anna@shop.example"), (b"two\r\n", "b@b.example")]


async def test_size_is_announced_and_held(desk: Desk) -> None:
    """SIZE is announced; a mail that declares more is refused at once, one that sends more at its end."""
    peer = await desk.peer()
    await peer.answer()
    assert f"250-SIZE {LIMITS.data_bytes}" in await peer.say("EHLO x")
    assert (await peer.say(f"MAIL FROM:<a@b.example> SIZE={LIMITS.data_bytes + 1}")).startswith("552")
    for size, answer in ((LIMITS.data_bytes, "250"), (LIMITS.data_bytes + 1, "552"), (9 * LIMITS.data_bytes, "552")):
        assert (await peer.say("MAIL FROM:<a@b.example>")).startswith("250")
        assert (await peer.say(f"RCPT TO:<{DESK}>")).startswith("250")
        assert (await peer.send(b"x" * (size - 2) + b"\r\n")).startswith(answer)
    assert [len(mail[0]) for mail in desk.taken.mails] == [LIMITS.data_bytes]


async def test_long_lines_are_taken(desk: Desk) -> None:
    """A line of a megabyte breaks no rule of ours: refusing it would lose a client's mail."""
    peer = await desk.peer()
    await peer.greet()
    assert (await peer.send(b"x" * 1_000_000 + b"\r\n")).startswith("250")


@pytest.mark.parametrize("limits", [SmtpLimits()])
@pytest.mark.parametrize("line", [b"x" * 76 + b"\r\n", b"x\r\n", b"\r\n", b"..\r\n"])
async def test_large_mail_of_any_lines_is_cheap(desk: Desk, line: bytes) -> None:
    """25 MB cost less than two seconds of CPU time, client included, and others are served meanwhile."""
    content = line * (25_000_000 // len(line))
    other = await desk.peer()
    await other.answer()
    peer = await desk.peer()
    await peer.greet()
    started = time.process_time()
    sending = asyncio.create_task(peer.send(content))
    waits = []
    while not sending.done():
        asked = time.monotonic()
        assert (await other.say("NOOP")).startswith(("250", "421"))
        waits.append(time.monotonic() - asked)
        if len(waits) == 150:
            break
    assert (await sending).startswith("250")
    assert time.process_time() - started < 2
    assert max(waits) < 3


async def test_recipients_are_limited(desk: Desk) -> None:
    """More recipients than allowed are put off, the others keep theirs."""
    peer = await desk.peer()
    await peer.greet()
    answers = [await peer.say(f"RCPT TO:<support+{number}@desk.example>") for number in range(4)]
    assert [answer[:3] for answer in answers] == ["250", "250", "452", "452"]
    await peer.send(b"x\r\n")
    assert len(desk.taken.mails[0][2]) == 3


async def test_connections_are_limited(desk: Desk) -> None:
    """One connection too many is turned away politely; when another ends there is room again."""
    peers = [await desk.peer() for _ in range(LIMITS.connections)]
    assert [(await peer.answer())[:3] for peer in peers] == ["220"] * LIMITS.connections
    late = await desk.peer()
    assert (await late.answer()).startswith("421")
    assert await late.answer() == ""
    await peers[0].say("QUIT")
    await asyncio.sleep(0.05)
    assert (await (await desk.peer()).answer()).startswith("220")


async def test_endless_commands_end(desk: Desk) -> None:
    """A peer that only chatters is sent away."""
    peer = await desk.peer()
    await peer.answer()
    answers = [await peer.say("NOOP") for _ in range(LIMITS.commands + 1)]
    assert [answer[:3] for answer in answers] == ["250"] * LIMITS.commands + ["421"]


@pytest.mark.parametrize("limits", [replace(LIMITS, idle_seconds=0.3)])
@pytest.mark.parametrize("lines", [[], ["EHLO x"], ["EHLO x", "MAIL FROM:<a@b.example>", f"RCPT TO:<{DESK}>", "DATA"]])
async def test_silent_peer_is_dropped(desk: Desk, lines: list[str]) -> None:
    """Whoever says nothing, before or within a mail, loses the connection."""
    peer = await desk.peer()
    await peer.answer()
    for line in lines:
        await peer.say(line)
    assert await asyncio.wait_for(peer.reader.read(), 5) == b""


@pytest.mark.parametrize("limits", [replace(LIMITS, idle_seconds=0.7)])
async def test_slow_but_steady_mail_is_taken(desk: Desk) -> None:
    """A sender on a thin line, who never stops for long, gets the mail through."""
    peer = await desk.peer()
    await peer.greet()
    await peer.say("DATA")
    for _ in range(9):
        peer.writer.write(b"piece\r\n")
        await asyncio.sleep(0.1)
    assert (await peer.say(b".")).startswith("250")


@pytest.mark.parametrize("limits", [replace(LIMITS, session_seconds=0.5)])
async def test_session_has_an_end(desk: Desk) -> None:
    """A peer that keeps a mail open for ever, a few bytes at a time, is cut off."""
    peer = await desk.peer()
    await peer.greet()
    await peer.say("DATA")
    started = time.monotonic()
    while not peer.reader.at_eof() and peer.reader.exception() is None:
        peer.writer.write(b"drip\r\n")
        await asyncio.sleep(0.05)
    assert time.monotonic() - started < 10
    assert desk.taken.mails == []


@pytest.mark.parametrize(
    "line",
    [
        b"MAIL FROM:<",
        b"MAIL FROM:<" + b"(" * 400 + b">",
        b"MAIL FROM:<a@b.example> SIZE=x",
        b"MAIL FROM:<a@b.example> BODY=9BIT",
        b"RCPT TO:<>",
        b"DATA x",
        b"\xff\xfe",
        b"\0",
        b"X" * 3000,
        b"HELO",
        b"AUTH PLAIN AGEAYg==",
        b"STARTTLS",
        b"",
        b"VRFY",
    ],
)
async def test_nonsense_is_answered(desk: Desk, line: bytes) -> None:
    """Every malformed command gets an error that reveals nothing, and the session goes on."""
    peer = await desk.peer()
    await peer.answer()
    await peer.say("EHLO x")
    answer = await peer.say(line)
    assert answer[0] in "45"
    assert "Error: (" not in answer
    assert "Traceback" not in answer
    assert (await peer.say("NOOP")).startswith("250")


@pytest.mark.parametrize("content", [b"", b"Subject: x\r\n\r\nhalf a mail", b"x\r\n."])
async def test_broken_connection_delivers_nothing(desk: Desk, content: bytes) -> None:
    """A mail without its end is none, however the connection breaks."""
    for hard in (False, True):
        peer = await desk.peer()
        await peer.greet()
        await peer.say("DATA")
        peer.writer.write(content)
        if hard:
            peer.writer.transport.abort()
        else:
            peer.writer.write_eof()
        await asyncio.sleep(0.05)
    assert desk.taken.mails == []


async def test_peer_that_hangs_up_does_not_interrupt_the_store(desk: Desk) -> None:
    """A mail that is being stored when its sender leaves is stored to the end."""
    stored = asyncio.Event()
    desk.taken.before = stored.wait
    peer = await desk.peer()
    await peer.greet()
    await peer.say("DATA")
    peer.writer.write(b"x\r\n.\r\n")
    await asyncio.sleep(0.1)
    peer.writer.transport.abort()
    await asyncio.sleep(0.05)
    stored.set()
    await asyncio.sleep(0.05)
    assert len(desk.taken.mails) == 1


async def test_stop_waits_for_mail_being_stored(desk: Desk) -> None:
    """A listener that stops takes no new peer, lets the mail in hand get its 250, and tells idle peers."""
    stored = asyncio.Event()
    desk.taken.before = stored.wait
    busy, idle = await desk.peer(), await desk.peer()
    await busy.greet()
    await idle.answer()
    waiting = asyncio.create_task(busy.send(b"x\r\n"))
    await asyncio.sleep(0.1)
    port = desk.smtp.port
    stopping = asyncio.create_task(desk.smtp.stop())
    await asyncio.sleep(0.1)
    assert not stopping.done()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    stored.set()
    assert await waiting == "250 2.0.0 Taken"
    await stopping
    assert (await busy.answer()).startswith("421 4.3.2")
    assert (await idle.answer()).startswith("421 4.3.2")
    assert await idle.answer() == ""


async def test_stop_does_not_wait_for_ever(desk: Desk) -> None:
    """A store that hangs, or a sender in the middle of a mail, can't keep the process from ending."""
    desk.taken.before = asyncio.Event().wait
    stuck, sending = await desk.peer(), await desk.peer()
    await stuck.greet()
    await sending.greet()
    await sending.say("DATA")
    waiting = asyncio.create_task(stuck.send(b"x\r\n"))
    await asyncio.sleep(0.1)
    started = time.monotonic()
    await desk.smtp.stop()
    assert LIMITS.drain_seconds <= time.monotonic() - started < LIMITS.drain_seconds + 10
    (answer,) = await asyncio.gather(waiting, return_exceptions=True)
    assert not str(answer).startswith("250")


async def test_stopped_listener_starts_again() -> None:
    """Stop before start and stop twice are fine; a port is found anew with each start."""
    desk = Desk(LIMITS)
    await desk.smtp.stop()
    for _ in range(2):
        await desk.smtp.start()
        assert (await (await desk.peer()).answer()).startswith("220 firstline")
        await desk.smtp.stop()
    await desk.close()


async def test_many_peers_at_once(desk: Desk) -> None:
    """Mails of concurrent peers don't mix."""

    async def send(number: int) -> str:
        peer = await desk.peer()
        await peer.greet(f"support+{number}@desk.example")
        return await peer.send(b"mail %d\r\n" % number * 1000)

    assert set(await asyncio.gather(*(send(number) for number in range(LIMITS.connections)))) == {"250 2.0.0 Taken"}
    for raw, _, (recipient,), _ in desk.taken.mails:
        number = int(recipient.partition("+")[2].partition("@")[0])
        assert raw == b"mail %d\r\n" % number * 1000

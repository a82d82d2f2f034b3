"""Mails leaving: as files that survive a crash and never double, and to real SMTP servers that misbehave (P27, F20)."""

import asyncio
import email
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from aiosmtpd.smtp import SMTP
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from firstline.common.mail import BadAddress, Mailbox, OutgoingMail, compose
from firstline.common.mail_out import CapturedMail, MailRefused, MailUnreachable, SmtpMail
from firstline.common.ports import offload

MAIL = OutgoingMail(
    message_id="<0193a1b2-ack@desk.example>",
    date=datetime(2026, 11, 23, 9, 30, tzinfo=UTC),
    sender=Mailbox("support@desk.example"),
    to=(Mailbox("anna@shop.example"),),
    subject="[FL-7K3M-9QPX] Grüße",
    text=".\n..\nHello\n.\n",
)
BYTES = compose(MAIL)
ENVELOPE = ("support@desk.example", ("anna@shop.example",))
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
STAGES = ("connect", "ehlo", "mail", "rcpt", "data", "end")


def names(folder: Path) -> list[str]:
    """Return the names of what a folder holds, sorted."""
    return sorted(path.name for path in folder.iterdir())


def again(message_id: str) -> bytes:
    """Return the mail under another Message-ID."""
    return compose(replace(MAIL, message_id=message_id))


async def test_captured_mail_is_a_readable_file(tmp_path: Path) -> None:
    """Each mail is one .eml file with exactly its bytes, and nothing else is left in the folder."""
    await CapturedMail(tmp_path, offload).send(BYTES, *ENVELOPE)
    (name,) = names(tmp_path)
    assert name.endswith(".eml")
    assert (tmp_path / name).read_bytes() == BYTES


async def test_a_mail_sent_again_is_still_one_file(tmp_path: Path) -> None:
    """The same Message-ID replaces its file, also when sent many times at once; another one is another file."""
    captured = CapturedMail(tmp_path, offload)
    await asyncio.gather(*(captured.send(BYTES, *ENVELOPE) for _ in range(20)))
    (name,) = names(tmp_path)
    assert (tmp_path / name).read_bytes() == BYTES
    await captured.send(again("<0193a1b3-reply@desk.example>"), *ENVELOPE)
    assert len(names(tmp_path)) == 2


async def test_files_sort_by_delivery(tmp_path: Path) -> None:
    """Names begin with the delivery's id, which follows the request's number in our Message-IDs and grows."""
    captured = CapturedMail(tmp_path, offload)
    sent = [f"<fl-{ticket}.0193a1b{delivery}.mac@desk.example>" for delivery, ticket in enumerate("zaybx")]
    for message_id in reversed(sent):
        await captured.send(again(message_id), *ENVELOPE)
    stored = [email.message_from_bytes((tmp_path / name).read_bytes())["Message-ID"] for name in names(tmp_path)]
    assert stored == sent


async def test_message_ids_never_leave_the_folder(tmp_path: Path) -> None:
    """Slashes, dots and length of a Message-ID stay inside a file name, and ids that clean up alike stay apart."""
    (folder := tmp_path / "mail").mkdir()
    captured = CapturedMail(folder, offload)
    for left in ("../../evil", "..evil", "a/b", "a_b", "a!b", "x" * 500):
        await captured.send(again(f"<{left}@desk.example>"), *ENVELOPE)
    assert len([name for name in names(folder) if name.endswith(".eml") and not name.startswith(".")]) == 6
    assert names(tmp_path) == ["mail"]


async def test_a_folder_that_fails_keeps_no_half_file(tmp_path: Path) -> None:
    """When the file can't be put in place the error is told and no half-written one stays behind."""
    captured = CapturedMail(tmp_path, offload)
    await captured.send(BYTES, *ENVELOPE)
    (name,) = names(tmp_path)
    (tmp_path / name).unlink()
    (tmp_path / name).mkdir()
    with pytest.raises(OSError, match="irectory"):
        await captured.send(BYTES, *ENVELOPE)
    assert names(tmp_path) == [name]


@asynccontextmanager
async def listening(connected: Handler) -> AsyncIterator[int]:
    """Serve a connection handler on loopback and give its port; wait at the end until all its calls are through."""
    talks: list[asyncio.Task[Any]] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.append(cast("asyncio.Task[Any]", asyncio.current_task()))
        await connected(reader, writer)

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.wait_for(asyncio.gather(*talks), 2)


def smtp(port: int, **more: Any) -> SmtpMail:
    """Return a sender to loopback that gives up quickly."""
    return SmtpMail("127.0.0.1", port, hello="desk.example", **({"deadline": 1.0} | more))


class Sink:
    """What an aiosmtpd server was handed."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, list[str], bytes]] = []

    async def handle_DATA(self, _: Any, __: Any, envelope: Any) -> str:  # noqa: N802 (aiosmtpd's name)
        """Keep envelope and bytes."""
        self.mails.append((envelope.mail_from, list(envelope.rcpt_tos), envelope.content))
        return "250 kept"


async def test_a_mail_arrives_byte_for_byte() -> None:
    """A real SMTP server gets envelope and bytes as given, lines with single dots included."""
    sink = Sink()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(sink, hostname="relay.example"), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        await smtp(port).send(BYTES, *ENVELOPE)
        await smtp(port).send(BYTES, "", ("a@b.example", "c@d.example"))
    assert sink.mails == [
        ("support@desk.example", ["anna@shop.example"], BYTES),
        ("<>", ["a@b.example", "c@d.example"], BYTES),
    ]


class Script:
    """An SMTP server that answers one stage as told: a reply line, or None to hang up instead."""

    def __init__(self, stage: str, reply: str | None) -> None:
        self.accepted: list[bytes] = []
        self.commands: list[str] = []
        self._told = {stage: reply}

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hold one conversation."""
        try:
            await self._answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        usual = {
            "connect": "220 relay",
            "ehlo": "250 relay",
            "helo": "250 relay",
            "data": "354 go on",
            "end": "250 kept",
        }
        stage, content = "connect", b""
        while True:
            reply = self._told.get(stage, usual.get(stage, "250 ok"))
            if reply is None:
                return
            if stage == "end" and reply.startswith("2"):
                self.accepted.append(content)
            writer.write(reply.encode() + b"\r\n")
            await writer.drain()
            if stage == "data" and reply.startswith("354"):
                content, stage = await reader.readuntil(b"\r\n.\r\n"), "end"
                continue
            line = (await reader.readline()).decode("latin-1").strip()
            if not line:
                return
            self.commands.append(line)
            stage = line.split()[0].lower()


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("code", [421, 450, 451, 452, 550, 552, 554])
async def test_a_refusal_is_for_now_or_for_good(stage: str, code: int) -> None:
    """4xx at any stage may be tried again, 5xx never; the code and the server's words are told."""
    script = Script("helo" if stage == "ehlo" else stage, f"{code} no thanks")
    if stage == "ehlo":
        script._told["ehlo"] = f"{code} no thanks"
    async with listening(script.talk) as port:
        with pytest.raises(MailRefused, match=f"{code} no thanks") as refusal:
            await smtp(port).send(BYTES, *ENVELOPE)
    assert (refusal.value.code, refusal.value.permanent) == (code, code >= 500)
    assert script.accepted == []


@pytest.mark.parametrize("stage", STAGES)
async def test_a_lost_connection_is_unknown(stage: str) -> None:
    """A server that hangs up at any stage, also after the final dot, leaves the outcome unknown."""
    script = Script(stage, None)
    async with listening(script.talk) as port:
        with pytest.raises(MailUnreachable):
            await smtp(port).send(BYTES, *ENVELOPE)


@pytest.mark.parametrize("reply", ["hello there", "999", "250 what", "x" * 9_000, "220-never\r\n220-ending"])
async def test_a_server_that_talks_nonsense_is_unreachable_or_refuses(reply: str) -> None:
    """What isn't SMTP never counts as sent, and never as a refusal for good unless it says 5xx or more."""
    async with listening(Script("connect", reply).talk) as port:
        with pytest.raises((MailUnreachable, MailRefused)):
            await smtp(port, deadline=0.3).send(BYTES, *ENVELOPE)


async def test_one_refused_recipient_stops_the_mail() -> None:
    """A mail to two of which one is refused goes to nobody, so that trying again doubles nothing."""
    script = Script("rcpt", "550 unknown")
    async with listening(script.talk) as port:
        with pytest.raises(MailRefused):
            await smtp(port).send(BYTES, "support@desk.example", ("a@b.example", "c@d.example"))
    assert script.accepted == []
    assert not any(command.upper().startswith("DATA") for command in script.commands)


@pytest.mark.parametrize("quit_reply", [None, "421 bye", "500 what", "nonsense"])
async def test_a_rude_goodbye_changes_nothing(quit_reply: str | None) -> None:
    """Once the server has taken the mail it is sent, however the conversation ends."""
    script = Script("quit", quit_reply)
    async with listening(script.talk) as port:
        await smtp(port).send(BYTES, *ENVELOPE)
    assert len(script.accepted) == 1


async def test_a_tarpit_ends_at_the_deadline() -> None:
    """A server that says nothing, or one more line at each moment, costs the deadline and no more."""

    async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not writer.is_closing():
                writer.write(b"220-wait\r\n")
                await writer.drain()
                await asyncio.sleep(0.05)
        except ConnectionError:
            pass

    async with listening(endless) as port:
        started = asyncio.get_running_loop().time()
        with pytest.raises(MailUnreachable):
            await smtp(port, deadline=0.4).send(BYTES, *ENVELOPE)
        assert 0.3 < asyncio.get_running_loop().time() - started < 1.0


async def test_nobody_listening_is_unreachable() -> None:
    """A closed port is out of reach."""
    async with listening(Script("connect", None).talk) as port:
        pass
    with pytest.raises(MailUnreachable):
        await smtp(port).send(BYTES, *ENVELOPE)


async def test_demanded_encryption_is_never_left_out() -> None:
    """With STARTTLS demanded, a server that lacks it gets no mail; the same when TLS from the start fails."""
    script = Script("", "")
    async with listening(script.talk) as port:
        for security in ("starttls", "tls"):
            with pytest.raises((MailUnreachable, MailRefused)):
                await smtp(port, security=security).send(BYTES, *ENVELOPE)
    assert not any(command.upper().startswith("MAIL") for command in script.commands)


def certified(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return a server's context with a certificate for `localhost`, and a client's that trusts it."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    today = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 7, today - timedelta(days=1), today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=True)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "relay.pem").write_bytes(secret + certificate)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "relay.pem")
    return server, ssl.create_default_context(cadata=certificate.decode())


async def test_encryption_is_used_and_verified(tmp_path: Path) -> None:
    """With STARTTLS the mail goes over TLS to the relay whose certificate fits, and to no other."""
    server_tls, trusting = certified(tmp_path)
    sink = Sink()

    def connected() -> SMTP:
        return SMTP(sink, hostname="relay.example", tls_context=server_tls, require_starttls=True)

    server = await asyncio.get_running_loop().create_server(connected, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        relay = SmtpMail("localhost", port, hello="desk.example", security="starttls", deadline=1.0, tls=trusting)
        await relay.send(BYTES, *ENVELOPE)
        with pytest.raises(MailUnreachable):
            await smtp(port, security="starttls", tls=trusting).send(BYTES, *ENVELOPE)
        with pytest.raises(MailUnreachable):
            await smtp(port, security="starttls").send(BYTES, *ENVELOPE)
    assert [content for _, _, content in sink.mails] == [BYTES]


async def test_a_refused_sign_in_is_not_the_mails_fault() -> None:
    """A wrong password at the relay keeps mails waiting instead of failing each for good."""
    script = Script("ehlo", "250-relay\r\n250 AUTH PLAIN")
    script._told["auth"] = "535 wrong"
    async with listening(script.talk) as port:
        with pytest.raises(MailUnreachable, match="user name or password"):
            await smtp(port, username="desk", password="word").send(BYTES, *ENVELOPE)


@pytest.mark.parametrize("address", ["", "a@b.example> SIZE=1", "a@b.example\r\nDATA", "nobody"])
async def test_bad_recipients_never_reach_a_server(address: str, tmp_path: Path) -> None:
    """An envelope address that isn't one is refused before anything is said or written."""
    script = Script("", "")
    async with listening(script.talk) as port:
        for way in (smtp(port), CapturedMail(tmp_path, offload)):
            with pytest.raises(BadAddress):
                await way.send(BYTES, "support@desk.example", (address,))
    assert script.commands == []
    assert names(tmp_path) == []

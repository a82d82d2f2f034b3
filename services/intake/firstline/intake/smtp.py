"""Mail in by SMTP: a listener that says 250 only when the mail is durable (clause 4.4; RFC 5321)."""

import asyncio
from asyncio import BaseTransport, Transport
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, cast

import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session

from firstline.common.addresses import normal_address
from firstline.common.errors import Unavailable
from firstline.common.ports import Clock, Spawn

Accept = Callable[[bytes, str, tuple[str, ...], str], Coroutine[Any, Any, None]]
"""Takes (raw mail, return path or empty, recipients, peer's address); returns once the mail is durable.

Raises `Unavailable` when the store is out of reach.
"""

END: Final = b"\r\n.\r\n"
READ_BYTES: Final = 1024 * 1024
DRAIN_STEP_SECONDS: Final = 0.02
FAREWELL_SECONDS: Final = 2
"""How long peers have to take leave once the listener has closed."""
LATER: Final = "452 4.3.1 Out of reach for the moment, try again later"
FAILED: Final = "451 4.3.0 Something went wrong here, try again later"
TOO_BIG: Final = "552 5.3.4 The message is too big"
NO_SUCH_ADDRESS: Final = "550 5.1.1 There is no such address here"
TOO_MANY_RECIPIENTS: Final = "452 4.5.3 Too many recipients"
BAD_SYNTAX: Final = "500 5.5.2 This can't be understood"
TAKEN: Final = "250 2.0.0 Taken"
FULL: Final = b"421 4.7.0 Too many connections, try again later\r\n"
CLOSING: Final = b"421 4.3.2 Closing down, try again later\r\n"


@dataclass(frozen=True, slots=True)
class SmtpLimits:
    """What a peer may use up.

    Attributes:
        data_bytes: size of a mail, announced as SIZE.
        connections: open at a time.
        recipients: of a mail.
        commands: of one kind in a session, but for RCPT.
        idle_seconds: without a command or a piece of a mail.
        session_seconds: of a whole session, however busy.
        drain_seconds: for mails being stored when the listener stops.

    """

    data_bytes: int = 25 * 1024 * 1024
    connections: int = 100
    recipients: int = 100
    commands: int = 200
    idle_seconds: float = 120
    session_seconds: float = 1800
    drain_seconds: float = 20


class InboundSmtp:
    """Listens for mail to the desk's addresses, in the running event loop."""

    def __init__(
        self,
        host: str,
        port: int,
        addresses: tuple[str, ...],
        accept: Accept,
        clock: Clock,
        spawn: Spawn,
        *,
        limits: SmtpLimits | None = None,
        hostname: str = "firstline",
    ) -> None:
        """Set up the listener; `start` opens it.

        Args:
            host: address to listen at.
            port: TCP port; 0 lets the system choose.
            addresses: those that mail is taken for, alone or with a tag (`support+tag@...`).
            accept: makes a mail durable.
            clock: measures the drain.
            spawn: runs `accept`, which goes on when the peer hangs up.
            limits: what a peer may use up.
            hostname: how the listener names itself.

        """
        self.limits = limits or SmtpLimits()
        self.hostname = hostname
        self._listen = (host, port)
        self._addresses = frozenset(normal_address(address) for address in addresses)
        self._accept = accept
        self._clock = clock
        self._spawn = spawn
        self._sessions: dict[_Session, None] = {}
        self._server: asyncio.Server | None = None
        self._log = structlog.get_logger()

    @property
    def port(self) -> int:
        """The port that is listened at."""
        return int(self._server.sockets[0].getsockname()[1]) if self._server else self._listen[1]

    async def start(self) -> None:
        """Open the listener."""
        self._server = await asyncio.get_running_loop().create_server(self._protocol, *self._listen)

    async def stop(self) -> None:
        """Close the listener, let mails that are being stored get their answer, then end the sessions."""
        if self._server is None:
            return
        self._server.close()
        end = self._clock.monotonic() + self.limits.drain_seconds
        # Polled, since no event says that the last of many sessions is through; a stop is rare and lasts some
        # hundredths longer.
        while any(session.storing for session in self._sessions) and self._clock.monotonic() < end:
            await self._clock.sleep(DRAIN_STEP_SECONDS)
        # Sessions between two mails lose nothing: what was answered is stored, what wasn't will be sent again.
        for session in tuple(self._sessions):
            session.dismiss()
        end = self._clock.monotonic() + FAREWELL_SECONDS
        while self._sessions and self._clock.monotonic() < end:
            await self._clock.sleep(DRAIN_STEP_SECONDS)
        for session in tuple(self._sessions):
            session.cut()
        self._server = None

    def _protocol(self) -> asyncio.Protocol:
        """Make what talks to a new peer."""
        return _TurnedAway() if len(self._sessions) >= self.limits.connections else _Session(self)

    def opened(self, session: "_Session") -> None:
        """Count a session."""
        self._sessions[session] = None

    def closed(self, session: "_Session") -> None:
        """Forget a session."""
        self._sessions.pop(session, None)

    def is_ours(self, address: str) -> bool:
        """Tell whether mail to this address is taken."""
        local, _, domain = normal_address(address).rpartition("@")
        return f"{local}@{domain}" in self._addresses or f"{local.partition('+')[0]}@{domain}" in self._addresses

    async def take(self, raw: bytes, mail_from: str, rcpt_to: tuple[str, ...], peer: str) -> str:
        """Make a mail durable; return the answer for the peer.

        A peer that hangs up meanwhile doesn't interrupt the store; the mail is then there without an answer, and its
        second copy will be recognised.
        """
        # A task of its own: the library cancels a session's task when the peer hangs up.
        work = self._spawn(self._accept(raw, mail_from, rcpt_to, peer), name="smtp-accept")
        work.add_done_callback(_retrieve)
        try:
            await asyncio.shield(work)
        except Unavailable as error:
            self._log.warning("inbound mail not stored, peer told to try later", reason=error.detail, peer=peer)
            return LATER
        except Exception:
            self._log.exception("inbound mail not stored, peer told to try later", peer=peer)
            return FAILED
        return TAKEN


def _retrieve(work: "asyncio.Task[None]") -> None:
    """Look at the task's end, so that nobody complains that no one did."""
    if not work.cancelled():
        work.exception()


class _TurnedAway(asyncio.Protocol):
    """Tells a peer that there are too many."""

    def connection_made(self, transport: BaseTransport) -> None:
        """Say so and hang up."""
        cast("Transport", transport).write(FULL)  # other event loops have a class of their own
        transport.close()


class _Handler:
    """Decides about recipients; everything else of the dialogue is the library's."""

    def __init__(self, listener: InboundSmtp) -> None:
        self._listener = listener

    async def handle_RCPT(  # noqa: N802  # the library's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take a recipient of ours."""
        if not self._listener.is_ours(address):
            return NO_SUCH_ADDRESS
        if len(envelope.rcpt_tos) >= self._listener.limits.recipients:
            return TOO_MANY_RECIPIENTS
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_exception(self, _error: Exception) -> str:
        """Answer a command on which the library's parsers failed."""
        return BAD_SYNTAX


class _Session(SMTP):
    """One peer. DATA is read in large pieces: line by line, as the library does, short lines cost seconds."""

    def __init__(self, listener: InboundSmtp) -> None:
        limits = listener.limits
        super().__init__(
            _Handler(listener),
            data_size_limit=limits.data_bytes,
            enable_SMTPUTF8=True,
            hostname=listener.hostname,
            ident="Firstline",
            timeout=limits.idle_seconds,
            command_call_limit={"*": limits.commands, "RCPT": limits.commands * limits.recipients},
            loop=asyncio.get_running_loop(),
        )
        self._listener = listener
        self._deadline: asyncio.TimerHandle | None = None
        self.storing = False

    def connection_made(self, transport: BaseTransport) -> None:
        """Begin, with an end in sight."""
        abort = cast("Transport", transport).abort  # other event loops have a class of their own
        self._deadline = self.loop.call_later(self._listener.limits.session_seconds, abort)
        self._listener.opened(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """End."""
        assert self._deadline is not None
        self._deadline.cancel()
        super().connection_lost(error)
        self._listener.closed(self)

    def dismiss(self) -> None:
        """Tell the peer that the listener closes, and hang up."""
        if self.transport is None:
            return
        transport = cast("Transport", self.transport)  # other event loops have a class of their own
        transport.write(CLOSING)
        transport.abort() if self.storing else transport.close()

    def cut(self) -> None:
        """Hang up without a word."""
        if self.transport is not None:
            cast("Transport", self.transport).abort()

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802  # the library's name
        """Receive a mail and have it stored."""
        assert self.envelope is not None
        assert self.session is not None
        if not self.envelope.rcpt_tos:
            await self.push("503 5.5.1 RCPT first")
            return
        if arg:
            await self.push("501 5.5.4 DATA takes nothing")
            return
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        raw = await self._receive()
        self.storing = True
        try:
            answer = TOO_BIG if raw is None else await self._listener.take(raw, *self._came_from())
            self.envelope = self._create_envelope()
            await self.push(answer)
        finally:
            self.storing = False

    def _came_from(self) -> tuple[str, tuple[str, ...], str]:
        """Return the return path (empty for a bounce's `<>`), the recipients and the peer's address."""
        assert self.envelope is not None
        assert self.session is not None
        mail_from = self.envelope.mail_from or ""
        peer = self.session.peer or ("",)
        return "" if mail_from == "<>" else mail_from, tuple(self.envelope.rcpt_tos), str(peer[0])

    async def _receive(self) -> bytes | None:
        """Read up to the lone dot, and undo the doubling of dots; None when the mail is too big, which is read away.

        The line end before the first line is added here, so that a dot standing there is like any other.
        """
        data = bytearray(b"\r\n")
        limit, searched, size = self._listener.limits.data_bytes, 0, 0
        while (end := data.find(END, searched)) < 0:
            # Too big already: the rest is only read to find its end, and is not kept.
            if len(data) > limit:
                size += len(data)
                del data[: -len(END)]
            searched = max(0, len(data) - len(END))
            piece = await self._reader.read(READ_BYTES)
            if not piece:
                raise ConnectionResetError
            data += piece
            self._reset_timeout()
        # The reader has given all it had, so what the peer sent ahead of time goes back to its front.
        self._reader.feed_data(bytes(data[end + len(END) :]))
        if size + end > limit:
            return None
        return bytes(data[: end + 2]).replace(b"\r\n.", b"\r\n")[2:]

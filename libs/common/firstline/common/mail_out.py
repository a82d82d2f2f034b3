"""Ways for a composed mail to leave: files in a folder (a desk without a mail server), or an SMTP relay."""

import asyncio
import hashlib
import os
import re
import ssl
import tempfile
from collections.abc import Callable
from contextlib import suppress
from email import message_from_bytes
from functools import partial
from pathlib import Path
from typing import Literal, Protocol

import aiosmtplib

from firstline.common.errors import Unavailable
from firstline.common.mail import checked_address, one_line
from firstline.common.ports import Offload

PERMANENT = 500
TEMPORARY = 400
REASON_CHARS = 300
QUIT_SECONDS = 2.0


class MailRefused(Unavailable):
    """The mail server said no to this mail: for good (5xx) or for now (4xx)."""

    title = "The mail was refused"

    def __init__(self, code: int, text: str) -> None:
        """Keep the SMTP code and what the server said."""
        super().__init__(f"{code} {one_line(text)}"[:REASON_CHARS])
        self.code = code
        self.permanent = code >= PERMANENT


class MailUnreachable(Unavailable):
    """No mail server took the mail; whether it has it already is unknown, and the same mail may be sent again."""

    title = "The mail server is out of reach"


class MailPort(Protocol):
    """Sends a composed mail."""

    async def send(self, mail: bytes, mail_from: str, to: tuple[str, ...]) -> None:
        """Return when the mail is in safe hands for all of `to`; `mail_from` is empty for the null sender.

        Raises:
            BadAddress: an envelope address isn't one.
            MailRefused: the server refused the sender, a recipient or the mail; nobody gets it.
            MailUnreachable: no connection, or it broke; trying again with the same Message-ID is safe.

        """

    async def discard(self, message_id: str, holds: Callable[[bytes], bool] | None = None) -> bool:
        """Remove what is kept of a mail that was sent, if `holds` says so of it; return whether it was removed."""


def _check_envelope(mail_from: str, to: tuple[str, ...]) -> None:
    """Raise BadAddress for an envelope address that isn't one; the null sender is fine."""
    for address in (*filter(None, [mail_from]), *to):
        checked_address(address)


class CapturedMail:
    """Keeps each mail as a file. The name follows the Message-ID, so sending a mail again replaces its file."""

    def __init__(self, folder: Path, offload: Offload) -> None:
        """Take an existing folder."""
        self._folder = folder
        self._offload = offload

    async def send(self, mail: bytes, mail_from: str, to: tuple[str, ...]) -> None:
        """Write the mail; it is on disk when this returns (see `MailPort`)."""
        _check_envelope(mail_from, to)
        name = _file_name(str(message_from_bytes(mail)["Message-ID"]))
        await self._offload(lambda: _replace(self._folder / name, mail))

    async def discard(self, message_id: str, holds: Callable[[bytes], bool] | None = None) -> bool:
        """Remove the mail's file; one that is gone already is fine (see `MailPort`)."""
        return await self._offload(partial(_remove, self._folder / _file_name(message_id), holds))


def _file_name(message_id: str) -> str:
    """Name the file after the Message-ID's left part with its first label last: the delivery's id, which grows, leads.

    The digest keeps apart what the clean form confuses.
    """
    first, _, rest = message_id.strip("<>").partition("@")[0].partition(".")
    clean = re.sub(r"[^A-Za-z0-9-]+", "_", f"{rest}_{first}" if rest else first)[:100]
    return f"{clean}-{hashlib.sha256(message_id.encode()).hexdigest()[:8]}.eml"


def _remove(path: Path, holds: Callable[[bytes], bool] | None) -> bool:
    """Delete a file that holds what is looked for, or whatever it holds; say whether it was there and did."""
    try:
        wanted = holds is None or holds(path.read_bytes())
    except FileNotFoundError:
        return False
    if wanted:
        path.unlink(missing_ok=True)
    return wanted


def _replace(path: Path, content: bytes) -> None:
    """Put a file in place whole and durably: readers see the old one or the new one."""
    # In the same folder, because a rename is atomic within one file system only; the dot hides it from readers.
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class SmtpMail:
    """Hands mails to one SMTP relay, each over a connection of its own."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        hello: str,
        security: Literal["none", "starttls", "tls"] = "none",
        username: str | None = None,
        password: str | None = None,
        deadline: float = 60.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Take the relay's address, the name to greet it with, and seconds for a whole conversation."""
        self._host, self._port, self._hello = host, port, hello
        self._security = security
        self._username, self._password = username, password
        self._deadline = deadline
        self._tls = tls or (None if security == "none" else ssl.create_default_context())

    async def send(self, mail: bytes, mail_from: str, to: tuple[str, ...]) -> None:
        """Send the mail to all or to nobody (see `MailPort`). A refused sign-in is our fault, not the mail's."""
        _check_envelope(mail_from, to)
        client = self._client()
        try:
            async with asyncio.timeout(self._deadline):
                await client.connect()
                await client.mail(mail_from)
                # A recipient that is refused raises before the mail goes out, so nobody has it, and a later attempt to
                # all makes no doubles.
                for address in to:
                    await client.rcpt(address)
                await client.data(mail)
            # After the mail was accepted it is the server's, however badly it says goodbye.
            with suppress(aiosmtplib.SMTPException, TimeoutError):
                await client.execute_command(b"QUIT", timeout=QUIT_SECONDS)
        except aiosmtplib.SMTPAuthenticationError as error:
            raise MailUnreachable(f"{self._host} refused the user name or password ({error.code}).") from error
        except aiosmtplib.SMTPResponseException as error:
            raise _refusal(self._host, error) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise MailUnreachable(f"{self._host}:{self._port} broke off or could not be reached.") from error
        finally:
            client.close()

    async def discard(self, message_id: str, holds: Callable[[bytes], bool] | None = None) -> bool:  # noqa: ARG002
        """Do nothing: a mail that was sent is in other hands."""
        return False

    def _client(self) -> aiosmtplib.SMTP:
        """Return a client for one conversation, not connected yet."""
        return aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            local_hostname=self._hello,
            username=self._username,
            password=self._password,
            timeout=self._deadline,
            use_tls=self._security == "tls",
            start_tls=self._security == "starttls",
            tls_context=self._tls,
        )


def _refusal(host: str, error: aiosmtplib.SMTPResponseException) -> MailRefused | MailUnreachable:
    """Return what a server's answer means for the mail; codes below 400 are no refusal and here no SMTP."""
    if error.code < TEMPORARY:
        return MailUnreachable(f"{host} gave an answer that is not SMTP.")
    return MailRefused(error.code, error.message)

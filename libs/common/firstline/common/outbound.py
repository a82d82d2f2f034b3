"""The one client for outgoing HTTP (webhooks): it reaches public addresses only and takes little from the other side.

A host is resolved, each address is checked, and the connection goes to the checked address itself, so that a name
which changes between check and connect gains nothing. No redirect, cookie, proxy or content coding is followed.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncGenerator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import dataclass
from typing import Protocol, cast

import httpx

from firstline.common.errors import Unavailable
from firstline.common.outbound_rules import Address, OutboundRules, Target, admitted, not_allowed

# All that a delivery goes by and its owner is shown; a stranger's other headers are not kept.
KEPT_HEADERS = ("content-type", "retry-after")
HEADER_CHARS = 200
MOST_ADDRESSES = 4


class PeerUnreachable(Unavailable):
    """The other side was not found, refused the connection, or didn't speak HTTP."""

    title = "The other side could not be reached"


class PeerTimeout(PeerUnreachable):
    """The other side didn't answer in time; whether it got the request is unknown."""

    title = "The other side did not answer in time"


class PeerUntrusted(PeerUnreachable):
    """The other side's TLS certificate doesn't prove that it is the host of the URL."""

    title = "The other side's certificate is not trusted"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side said: HTTP status, the headers that matter (lower case), the body's beginning."""

    status: int
    headers: Mapping[str, str]
    excerpt: str


class HttpPort(Protocol):
    """Sends one HTTP request to the outside."""

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send `body`, byte for byte, and return the answer, whatever its status.

        Raises:
            UnusableUrl: the URL isn't plain http or https.
            NotAllowedAddress: the URL leads, now, to an address or port that is not allowed.
            PeerTimeout: no answer in time.
            PeerUntrusted: the certificate isn't the host's.
            PeerUnreachable: no connection, or no HTTP.

        """


class Resolver(Protocol):
    """Finds the addresses of a host name."""

    async def __call__(self, host: str, /) -> tuple[str, ...]:
        """Return the host's addresses as text, best first; raise OSError when there are none."""


class SystemResolver:
    """The operating system's resolver, in threads of its own: a slow name server must not hold up file work."""

    def __init__(self, threads: int = 32) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="resolve")

    async def __call__(self, host: str) -> tuple[str, ...]:
        """Ask the system; hosts files and search lists count."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._pool, lambda: socket.getaddrinfo(host, None, type=socket.SOCK_STREAM))
        return tuple(str(address[0]) for *_, address in found)

    def close(self) -> None:
        """Give the threads back without waiting for questions under way."""
        self._pool.shutdown(wait=False, cancel_futures=True)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one request.

    Attributes:
        connect: seconds for one address's connection, and again for its TLS handshake.
        answer: seconds from the start until status and headers are there.
        body: seconds spent on the body after that.
        excerpt: bytes of the body that are read.

    """

    connect: float = 5.0
    answer: float = 15.0
    body: float = 2.0
    excerpt: int = 1024


class GuardedHttp:
    """The HTTP port for the real world; safe to share between tasks."""

    def __init__(
        self,
        rules: OutboundRules,
        resolver: Resolver,
        *,
        limits: Limits | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Take what may be reached and how names are found; `tls` replaces the usual certificate authorities."""
        self._rules = rules
        self._resolver = resolver
        self._limits = limits or Limits()
        self._tls = tls or httpx.create_ssl_context()

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send one request. The answer counts once its status is there, even if its body stalls (see `HttpPort`)."""
        target = admitted(url, self._rules)
        async with AsyncExitStack() as opened:
            try:
                async with asyncio.timeout(self._limits.answer):
                    response = await self._ask(target, headers, body, opened)
            except TimeoutError:
                raise PeerTimeout(f"{target.host} did not answer within {self._limits.answer:g} s.") from None
            kept = {name: _printable(response.headers.get(name, ""))[:HEADER_CHARS] for name in KEPT_HEADERS}
            excerpt = await self._excerpt(response)
        return Answer(response.status_code, {name: value for name, value in kept.items() if value}, excerpt)

    async def _ask(
        self, target: Target, headers: Mapping[str, str], body: bytes, opened: AsyncExitStack
    ) -> httpx.Response:
        """Send the request to the first address that takes a connection; the caller closes what is `opened`."""
        failure = PeerUnreachable(f"{target.host} has no address.")
        for address in await self._addresses(target):
            # One transport a request: a kept connection was verified for another host's name.
            # `trust_env`: a proxy of the environment would resolve names itself, past the check.
            transport = httpx.AsyncHTTPTransport(verify=self._tls, trust_env=False)
            opened.push_async_callback(transport.aclose)
            try:
                response = await transport.handle_async_request(self._request(target, address, headers, body))
            # Nothing was sent yet, so the next address may be tried. After that it may not: the other side could have
            # the request already, and whoever retries does so knowing that (`PeerTimeout`).
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = _failure(target, error)
                continue
            except httpx.TransportError as error:
                raise _failure(target, error) from error
            opened.push_async_callback(response.aclose)
            return response
        raise failure

    async def _addresses(self, target: Target) -> tuple[Address, ...]:
        """Return the addresses that may be connected to, in the resolver's order.

        Raises PeerUnreachable where there are none, and NotAllowedAddress where there are, but none that is allowed.
        """
        try:
            found = target.known or tuple(map(ipaddress.ip_address, await self._resolver(target.host)))
        except (OSError, UnicodeError, ValueError):
            raise PeerUnreachable(f"No address was found for {target.host}.") from None
        allowed = tuple(dict.fromkeys(a for a in found if self._rules.admits(target.host, a)))
        # Some allowed is enough, those that are not are left out:
        # a name may have a private address beside its public one.
        if found and not allowed:
            raise not_allowed(f"{target.host} leads to an address that is not public.")
        return allowed[:MOST_ADDRESSES]

    def _request(self, target: Target, address: Address, headers: Mapping[str, str], body: bytes) -> httpx.Request:
        """Return the request for one address: the connection goes there, header and handshake name the host."""
        limits = self._limits
        extensions: dict[str, object] = {
            "timeout": {"connect": limits.connect, "read": limits.answer, "write": limits.answer, "pool": None}
        }
        if target.address is None:
            # The URL holds the address, the handshake the name: so the certificate is checked against the host that was
            # asked for. An address has no place in SNI (RFC 6066, 3).
            extensions["sni_hostname"] = target.host
        return httpx.Request(
            "POST",
            httpx.URL(scheme=target.scheme, host=str(address), port=target.port, raw_path=target.path.encode()),
            headers={
                "user-agent": "Firstline",
                **headers,
                "host": target.authority,
                # A compressed answer could be a bomb, and only its beginning is read anyway.
                "accept-encoding": "identity",
                "connection": "close",
            },
            content=body,
            extensions=extensions,
        )

    async def _excerpt(self, response: httpx.Response) -> str:
        """Return the beginning of the body; a body that stalls or breaks off takes nothing from the status."""
        kept = bytearray()
        with suppress(TimeoutError, httpx.TransportError):
            chunks = cast("AsyncGenerator[bytes, None]", response.aiter_raw())
            async with asyncio.timeout(self._limits.body), aclosing(chunks):
                async for chunk in chunks:
                    kept += chunk
                    if len(kept) >= self._limits.excerpt:
                        break
        return _printable(kept[: self._limits.excerpt].decode("utf-8", "replace"))


def _failure(target: Target, error: httpx.TransportError) -> PeerUnreachable:
    """Return what went wrong, in words for the endpoint's owner; the address may be private and is not told."""
    if isinstance(error, httpx.TimeoutException):
        return PeerTimeout(f"{target.host} did not answer in time.")
    # The library wraps the TLS error in its own, as context and not as cause.
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__context__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return PeerUntrusted(f"The certificate of {target.host} is not trusted: {cause.verify_message}.")
    if isinstance(error, httpx.ConnectError):
        return PeerUnreachable(f"{target.host} refused the {'TLS handshake' if cause else 'connection'}.")
    return PeerUnreachable(f"{target.host} broke off or did not answer in HTTP.")


def _printable(text: str) -> str:
    """Return text without control characters: people read it in pages and logs."""
    return "".join(char if char.isprintable() or char in "\n\t" else "�" for char in text)

"""TLS of the guarded client: certificates are verified for the URL's host although an address is dialled (check 43)."""

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from firstline.common.outbound import GuardedHttp, Limits, PeerUnreachable, PeerUntrusted
from firstline.common.outbound_rules import OutboundRules


class Peer:
    """A TLS (or plain) HTTP server on loopback that answers every request with 200; `requests` are what it read."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one request from a connection, answer, and hang up."""
        if request := await reader.read(65536):
            self.requests.append(request)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        writer.close()


@asynccontextmanager
async def peer(tls: ssl.SSLContext | None) -> AsyncIterator[Peer]:
    """Run a peer with this certificate."""
    there = Peer()
    server = await asyncio.start_server(there.serve, "127.0.0.1", 0, ssl=tls)
    there.port = server.sockets[0].getsockname()[1]
    try:
        yield there
    finally:
        server.close()


def client(tls: ssl.SSLContext | None) -> GuardedHttp:
    """Return a client for which every name is loopback, and which trusts what the context trusts."""

    async def everywhere(_: str) -> tuple[str, ...]:
        return ("127.0.0.1",)

    rules = OutboundRules.allowing(["127.0.0.0/8"])
    return GuardedHttp(rules, everywhere, tls=tls, limits=Limits(connect=0.5, answer=0.6, body=0.3))


class Authority:
    """A certificate authority made for one test run, in the folder given."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        self._own = self._issue(self._name, self._key.public_key(), x509.BasicConstraints(ca=True, path_length=None))

    def _issue(self, name: x509.Name, key: Any, extension: Any, *, ended: bool = False) -> x509.Certificate:
        today = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(today - timedelta(days=9))
            .not_valid_after(today + timedelta(days=-1 if ended else 1))
            .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
            .sign(self._key, hashes.SHA256())
        )

    def trusted(self) -> ssl.SSLContext:
        """Return a client's context that trusts this authority only."""
        return ssl.create_default_context(cadata=self._own.public_bytes(serialization.Encoding.PEM).decode())

    def server(self, host: str, *, ended: bool = False) -> ssl.SSLContext:
        """Return a server's context with a certificate for one host, expired if asked."""
        key = ec.generate_private_key(ec.SECP256R1())
        try:
            name: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            name = x509.DNSName(host)
        issued = self._issue(
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)]),
            key.public_key(),
            x509.SubjectAlternativeName([name]),
            ended=ended,
        )
        held = self._folder / f"{host}.pem"
        held.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + issued.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(held)
        return context


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Return an authority that lives for one test."""
    return Authority(tmp_path)


async def test_tls_asks_for_and_verifies_the_urls_host(authority: Authority) -> None:
    """Although the connection goes to an address, name indication and verification use the URL's host."""
    asked: list[str | None] = []
    server = authority.server("hooks.example")
    server.sni_callback = lambda _, name, __: asked.append(name)
    async with peer(server) as there:
        one = client(authority.trusted())
        answer = await one.post(f"https://hooks.example:{there.port}/", {}, b"x")
    assert answer.excerpt == "ok"
    assert asked == ["hooks.example"]


async def test_tls_verifies_a_literal_address(authority: Authority) -> None:
    """An https URL with an address wants a certificate for that address."""
    async with peer(authority.server("127.0.0.1")) as there:
        one = client(authority.trusted())
        assert (await one.post(f"https://127.0.0.1:{there.port}/", {}, b"")).status == 200


async def test_a_wrong_certificate_gets_nothing(authority: Authority) -> None:
    """Another host's, an expired or an unknown authority's certificate: nothing is sent, the reason is told."""
    for server, trust, reason in (
        (authority.server("other.example"), authority.trusted(), "mismatch"),
        (authority.server("hooks.example", ended=True), authority.trusted(), "expired"),
        (authority.server("hooks.example"), None, "unable to get local issuer"),
    ):
        async with peer(server) as there:
            with pytest.raises(PeerUntrusted, match=reason):
                await client(trust).post(f"https://hooks.example:{there.port}/", {}, b"x")
        assert there.requests == []


async def test_plain_http_on_a_tls_port_is_unreachable(authority: Authority) -> None:
    """Plain and encrypted HTTP that meet fail within the deadline, either way round."""
    async with peer(authority.server("127.0.0.1")) as encrypted, peer(None) as plain:
        for url in (f"http://127.0.0.1:{encrypted.port}/", f"https://127.0.0.1:{plain.port}/"):
            with pytest.raises(PeerUnreachable):
                await client(None).post(url, {}, b"")


async def test_a_connection_is_never_shared_between_names(authority: Authority) -> None:
    """Two names at one address are verified each: the second isn't served over the first one's connection."""
    async with peer(authority.server("hooks.example")) as there:
        one = client(authority.trusted())
        await one.post(f"https://hooks.example:{there.port}/", {}, b"")
        with pytest.raises(PeerUntrusted):
            await one.post(f"https://other.example:{there.port}/", {}, b"")
    assert len(there.requests) == 1

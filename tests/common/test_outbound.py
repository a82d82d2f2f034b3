"""The guarded client over real sockets: where it connects, what it verifies, how little it takes (checks 42, 43)."""

import asyncio
import gzip
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from firstline.common.outbound import (
    GuardedHttp,
    Limits,
    PeerTimeout,
    PeerUnreachable,
    SystemResolver,
)
from firstline.common.outbound_rules import NotAllowedAddress, OutboundRules, UnusableUrl

Reply = Callable[[bytes, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

LOOPBACK = OutboundRules.allowing(["127.0.0.0/8"])
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: text/plain\r\n\r\nok"
QUICK = Limits(connect=0.5, answer=0.6, body=0.3)

connections: list[tuple[str, int]] = []


def _watch(event: str, args: tuple[Any, ...]) -> None:
    if event == "socket.connect" and isinstance(args[1], tuple):
        connections.append(args[1][:2])


sys.addaudithook(_watch)


class Peer:
    """A scripted HTTP server on loopback; `requests` holds the head and body of each request as it came."""

    def __init__(self, reply: Reply) -> None:
        self.requests: list[bytes] = []
        self.port = 0
        self.sent = 0
        self.talks: list[asyncio.Task[Any]] = []
        self._reply = reply

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one request from a connection, reply, and hang up."""
        self.talks.append(cast("asyncio.Task[Any]", asyncio.current_task()))
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            self.requests.append(head + await reader.readexactly(length))
            await self._reply(self.requests[-1], reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def peer(reply: Reply | bytes) -> AsyncIterator[Peer]:
    """Run a peer that answers each request with these bytes, or as the function does."""

    async def fixed(_: bytes, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(reply if isinstance(reply, bytes) else b"")
        await writer.drain()

    server = Peer(fixed if isinstance(reply, bytes) else reply)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        await asyncio.wait_for(asyncio.gather(*server.talks), 2)


class Names:
    """A resolver with answers of its own: each question takes the name's next answer, the last one for ever."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self.answers = {name.replace("_", "."): list(each) for name, each in answers.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str) -> tuple[str, ...]:
        """Answer for one name and remember the question."""
        self.asked.append(host)
        if host not in self.answers:
            raise OSError(-2, "Name or service not known")
        left = self.answers[host]
        return tuple(left.pop(0) if len(left) > 1 else left[0])


def client(names: Names | None = None, rules: OutboundRules = LOOPBACK, **more: Any) -> GuardedHttp:
    """Return a client that may reach loopback and gives up quickly."""
    return GuardedHttp(rules, names or Names(), **({"limits": QUICK} | more))


async def test_bytes_and_headers_arrive_as_given() -> None:
    """The body arrives byte for byte with the caller's headers; the answer brings status, few headers and the text."""
    async with peer(OK) as there:
        answer = await client().post(f"http://127.0.0.1:{there.port}/a?b=c", {"webhook-id": "m1"}, b'{"\xc3\xa9": 1}\n')
    head, _, body = there.requests[0].partition(b"\r\n\r\n")
    assert body == b'{"\xc3\xa9": 1}\n'
    assert head.startswith(b"POST /a?b=c HTTP/1.1\r\n")
    assert b"webhook-id: m1" in head
    assert f"host: 127.0.0.1:{there.port}".encode() in head
    assert (answer.status, dict(answer.headers), answer.excerpt) == (200, {"content-type": "text/plain"}, "ok")


async def test_loopback_is_refused_by_default() -> None:
    """With no settings nothing private is reached, and no socket is opened for it."""
    async with peer(OK) as there:
        connections.clear()
        for host in ("127.0.0.1", "localhost", "inside.example"):
            with pytest.raises(NotAllowedAddress):
                await client(Names(inside_example=[["127.0.0.1"]]), OutboundRules()).post(
                    f"http://{host}:{there.port}/", {}, b""
                )
    assert connections == []
    assert there.requests == []


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "fe80::1%lo", "0.0.0.0"]
)
async def test_a_name_that_leads_inside_is_refused(address: str) -> None:
    """A public name with a private address is refused at connect, whatever was checked before."""
    connections.clear()
    with pytest.raises(NotAllowedAddress):
        await client(Names(hooks_example=[[address]]), OutboundRules()).post("http://hooks.example:8080/", {}, b"")
    assert connections == []


async def test_a_rebinding_name_gains_nothing() -> None:
    """The connection goes to the address that was checked; the next request asks and checks anew."""
    names = Names(hooks_example=[["127.0.0.1"], ["127.0.0.2"], ["10.0.0.1"]])
    rules = OutboundRules.allowing(["127.0.0.1/32"])
    async with peer(OK) as there:
        connections.clear()
        await client(names, rules).post(f"http://hooks.example:{there.port}/", {}, b"")
        assert connections == [("127.0.0.1", there.port)]
        for _ in range(2):
            with pytest.raises(NotAllowedAddress):
                await client(names, rules).post(f"http://hooks.example:{there.port}/", {}, b"")
    assert connections == [("127.0.0.1", there.port)]
    assert names.asked == ["hooks.example"] * 3


async def test_only_allowed_ones_of_mixed_addresses_are_tried() -> None:
    """Of a name's addresses only the allowed ones are connected to, each at most once, until one answers."""
    names = Names(hooks_example=[["::1", "10.0.0.1", "127.0.0.9", "127.0.0.9", "127.0.0.1"]])
    async with peer(OK) as there:
        connections.clear()
        answer = await client(names).post(f"http://hooks.example:{there.port}/", {}, b"x")
    assert answer.status == 200
    assert connections == [("127.0.0.9", there.port), ("127.0.0.1", there.port)]
    assert len(there.requests) == 1


async def test_an_allowed_host_may_lead_inside() -> None:
    """A host that the settings name is reached at whatever address it has; others at the same address are not."""
    names = Names(hooks_internal=[["127.0.0.1"]], other_internal=[["127.0.0.1"]])
    rules = OutboundRules.allowing(["hooks.internal"])
    async with peer(OK) as there:
        assert (await client(names, rules).post(f"http://hooks.internal:{there.port}/", {}, b"")).status == 200
        with pytest.raises(NotAllowedAddress):
            await client(names, rules).post(f"http://other.internal:{there.port}/", {}, b"")
    assert f"host: hooks.internal:{there.port}".encode() in there.requests[0]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_answers(status: int) -> None:
    """A redirect is returned as it is; nothing is sent to where it points."""
    location = b"HTTP/1.1 %d X\r\nlocation: http://127.0.0.1:%%d/\r\ncontent-length: 0\r\n\r\n" % status
    async with peer(OK) as elsewhere, peer(location % elsewhere.port) as there:
        connections.clear()
        answer = await client().post(f"http://127.0.0.1:{there.port}/", {}, b"")
    assert answer.status == status
    assert connections == [("127.0.0.1", there.port)]
    assert elsewhere.requests == []


async def test_no_proxy_cookie_or_credential_is_taken_from_around(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Proxy variables and netrc change nothing, and a cookie that was set isn't sent back."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login a password b\n")
    cookie = b"HTTP/1.1 200 OK\r\nset-cookie: a=b; Path=/\r\ncontent-length: 0\r\n\r\n"
    async with peer(OK) as proxy, peer(cookie) as there:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        one = client()
        for _ in range(2):
            await one.post(f"http://127.0.0.1:{there.port}/", {}, b"")
    assert proxy.requests == []
    assert len(there.requests) == 2
    assert b"cookie" not in there.requests[1].lower()
    assert b"authorization" not in there.requests[1].lower()


async def test_a_huge_body_is_left_unread() -> None:
    """Of an endless body one kilobyte is taken, then the connection is closed."""
    sent = 0

    async def flood(_: bytes, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x" * 65536)
            sent += 65536
            await writer.drain()

    async with peer(flood) as there:
        answer = await client().post(f"http://127.0.0.1:{there.port}/", {}, b"")
        await asyncio.sleep(0.05)
    assert answer.excerpt == "x" * 1024
    assert sent < 20_000_000


async def test_compressed_answers_are_not_unpacked() -> None:
    """A gzip bomb stays packed: its bytes count as they came."""
    bomb = gzip.compress(b"\0" * 10_000_000)
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(bomb)
    async with peer(head + bomb) as there:
        answer = await client().post(f"http://127.0.0.1:{there.port}/", {}, b"")
    assert answer.status == 200
    assert len(answer.excerpt) <= 1024
    assert "\0" not in answer.excerpt
    assert b"accept-encoding: identity" in there.requests[0].lower()


async def test_a_dripping_body_does_not_hold_the_answer_back() -> None:
    """The status counts at once it is there; a body that drips is cut off by its own deadline."""

    async def drip(_: bytes, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 202 Accepted\r\ncontent-length: 500\r\n\r\n")
        while not writer.is_closing():
            writer.write(b".")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with peer(drip) as there:
        started = time.monotonic()
        answer = await client().post(f"http://127.0.0.1:{there.port}/", {}, b"")
    assert answer.status == 202
    assert set(answer.excerpt) == {"."}
    assert time.monotonic() - started < 0.6


@pytest.mark.parametrize("part", [b"H", b"HTTP/1.1 200 OK\r\nx: y", b"HTTP/1.1 100 Continue\r\n\r\n"])
async def test_dripping_headers_end_at_the_deadline(part: bytes) -> None:
    """Headers that never end, or endless interim answers, are a time-out after the total deadline."""

    async def drip(_: bytes, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(part)
        while not writer.is_closing():
            writer.write(part if part.endswith(b"\r\n\r\n") else b"z")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with peer(drip) as there:
        started = time.monotonic()
        with pytest.raises(PeerTimeout):
            await client().post(f"http://127.0.0.1:{there.port}/", {}, b"")
    assert 0.5 < time.monotonic() - started < 1.5


async def test_a_resolver_that_hangs_is_a_time_out() -> None:
    """Waiting for a name counts towards the deadline."""

    async def never(_: str) -> tuple[str, ...]:
        await asyncio.Event().wait()
        return ()

    with pytest.raises(PeerTimeout):
        await GuardedHttp(LOOPBACK, never, limits=QUICK).post("http://hooks.example/", {}, b"")


@pytest.mark.parametrize(
    "answer", [b"", b"hello\r\n\r\n", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 abc\r\n\r\n", b"x: " + b"y" * 200_000]
)
async def test_no_http_is_unreachable(answer: bytes) -> None:
    """A peer that hangs up or speaks something else counts as not reached."""
    async with peer(answer) as there:
        with pytest.raises(PeerUnreachable) as failure:
            await client().post(f"http://127.0.0.1:{there.port}/", {}, b"")
    assert not isinstance(failure.value, PeerTimeout)


async def test_closed_ports_and_unknown_names_are_unreachable() -> None:
    """A refused connection and a name without addresses count as not reached."""
    async with peer(OK) as there:
        pass
    for host in (f"127.0.0.1:{there.port}", "nowhere.example", "empty.example"):
        with pytest.raises(PeerUnreachable):
            await client(Names(empty_example=[[]])).post(f"http://{host}/", {}, b"")


async def test_a_bad_url_reaches_no_resolver() -> None:
    """A URL that is not plain is refused before anything is asked."""
    names = Names()
    with pytest.raises(UnusableUrl):
        await client(names).post("http://hooks.example@127.0.0.1/", {}, b"")
    assert names.asked == []


async def test_the_systems_resolver_knows_loopback() -> None:
    """The system's resolver finds addresses and says when there are none."""
    resolver = SystemResolver(threads=1)
    assert "127.0.0.1" in await resolver("127.0.0.1")
    with pytest.raises((OSError, UnicodeError)):
        await resolver("a" * 70 + ".invalid")
    resolver.close()


async def test_many_at_once_do_not_hold_one_another_up() -> None:
    """Stalled peers don't delay a request to a healthy one."""

    async def stall(_: bytes, __: asyncio.StreamReader, ___: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.5)

    async with peer(stall) as slow, peer(OK) as fast:
        one = client()
        stalled = [asyncio.create_task(one.post(f"http://127.0.0.1:{slow.port}/", {}, b"")) for _ in range(50)]
        await asyncio.sleep(0.1)
        started = time.monotonic()
        assert (await one.post(f"http://127.0.0.1:{fast.port}/", {}, b"")).status == 200
        assert time.monotonic() - started < 0.3
        results = await asyncio.gather(*stalled, return_exceptions=True)
    assert all(isinstance(result, PeerUnreachable) for result in results)

"""HTTP between the people, peers and processes of the world, without sockets: latency, loss, reset and time-out.

The application runs in a task of its process. Its answer leaves when its last byte is sent, whatever the application
does afterwards, and `send` fails once the client has gone.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx
from firstline.common.telemetry import App
from loop import Owner

PATIENCE_SECONDS = 10.0


class Lost(Exception):
    """No answer came; whether the request had an effect is unknown."""


@dataclass(frozen=True)
class Answer:
    """An answer as it arrived."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body's document."""
        return json.loads(self.body)


@dataclass
class Weather:
    """How bad the lines are: shares of requests and answers that get lost, and seconds of latency at most."""

    request_lost: float = 0.0
    answer_lost: float = 0.0
    latency: float = 0.02


@dataclass(eq=False)
class Exchange:
    """A request on its way."""

    done: "asyncio.Future[Answer]"
    left: bool = False
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)


class Net:
    """The lines between everybody."""

    def __init__(self, chance: Random, weather: Weather, told: Callable[[str, Owner | None], None]) -> None:
        """Take chance, the weather, and who is told of answers given and messages lost."""
        self._chance = chance
        self.weather = weather
        self._told = told
        self._open: dict[Owner, dict[Exchange, None]] = {}

    async def _travel(self) -> None:
        await asyncio.sleep(self._chance.random() * self.weather.latency)

    async def call(
        self,
        server: Owner | None,
        app: App | None,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        """Send a request to an application in a process, or to nobody; return the answer.

        Raises:
            Lost: the process is down or dies, the request or the answer is lost, or it takes too long.

        """
        await self._travel()
        if server is None or app is None or not server.alive:
            raise Lost("refused")
        if self._chance.random() < self.weather.request_lost:
            self._told("request lost", None)
            raise Lost("the request was lost")
        loop = asyncio.get_running_loop()
        exchange = Exchange(loop.create_future())
        self._open.setdefault(server, {})[exchange] = None
        serving = self._serve(server, app, exchange, _scope(method, target, headers or {}, body), body)
        loop.create_task(serving, name=f"{method} {target}", context=server.context())  # noqa: RUF006 (our loop keeps it)
        timer = loop.call_later(PATIENCE_SECONDS, _fail, exchange, "no answer in time")
        try:
            answer = await exchange.done
        finally:
            timer.cancel()
            exchange.left = True
            self._open.get(server, {}).pop(exchange, None)
        if self._chance.random() < self.weather.answer_lost:
            self._told("answer lost", None)
            raise Lost("the answer was lost")
        await self._travel()
        return answer

    async def _serve(self, server: Owner, app: App, exchange: Exchange, scope: dict[str, Any], body: bytes) -> None:
        sent = False

        async def receive() -> dict[str, Any]:
            nonlocal sent
            await asyncio.sleep(0)
            if not sent:
                sent = True
                return {"type": "http.request", "body": body, "more_body": False}
            await asyncio.get_running_loop().create_future()  # the client stays to the end
            raise AssertionError

        async def send(message: Any) -> None:
            await asyncio.sleep(0)
            if exchange.left:
                raise OSError("the client has left")
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                exchange.headers = {name.decode(): value.decode() for name, value in message.get("headers", ())}
                return
            exchange.body += message.get("body", b"")
            if not message.get("more_body", False) and not exchange.done.done():
                exchange.done.set_result(Answer(exchange.status, exchange.headers, bytes(exchange.body)))
                self._told("answer", server)
            await asyncio.sleep(0)

        try:
            await app(scope, receive, send)
        except Exception as error:
            _fail(exchange, f"the server broke off: {error!r}")

    def reset(self, server: Owner) -> None:
        """Break all exchanges with a process that has died."""
        for exchange in self._open.pop(server, {}):
            _fail(exchange, "reset")


def _fail(exchange: Exchange, reason: str) -> None:
    exchange.left = True
    if not exchange.done.done():
        exchange.done.set_exception(Lost(reason))
        exchange.done.exception()  # whoever asked may be dead too, and then nobody looks at it


def _scope(method: str, target: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    path, _, query = target.partition("?")
    sent = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    if body and not any(name == b"content-length" for name, _ in sent):
        sent.append((b"content-length", str(len(body)).encode()))
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": sent,
        "client": ("192.0.2.1", 4711),
        "server": ("desk.example", 80),
        "state": {},
    }


Route = Callable[[str, str], tuple[Owner | None, App | None]]
"""Finds who serves a path at a host now."""


class Line(httpx.AsyncBaseTransport):
    """The same lines for those who speak through httpx."""

    def __init__(self, net: Net, route: Route) -> None:
        self._net = net
        self._route = route

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; what is lost is a broken connection."""
        server, app = self._route(request.url.host, request.url.path)
        target = request.url.raw_path.decode()
        body = await request.aread()
        try:
            answer = await self._net.call(server, app, request.method, target, headers=request.headers, body=body)
        except Lost as lost:
            raise httpx.ReadError(str(lost), request=request) from lost
        headers = [(name, value) for name, value in answer.headers.items() if name != "content-encoding"]
        return httpx.Response(answer.status, headers=headers, content=answer.body, request=request)

"""One origin for services that run apart: each path goes to a replica of its service, as a proxy in front does it."""

import asyncio
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle
from typing import Any

import httpx
import uvicorn
from firstline.common.telemetry import Receive, Scope, Send
from firstline.standalone.gateway import Gateway

HOP_BY_HOP = frozenset({b"connection", b"keep-alive", b"transfer-encoding", b"upgrade"})
NOBODY = b'{"type": "/problems/unavailable", "title": "Out of reach", "status": 503, "detail": "No replica answers."}'


class Passage:
    """The way to the replicas of one service, taken in turn; one that can't be connected to is passed over."""

    def __init__(self, urls: Sequence[str], http: httpx.AsyncClient) -> None:
        self._urls = cycle(urls)
        self._count = len(urls)
        self._http = http

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on and its answer back."""
        body = await _whole(receive)
        for _ in range(self._count):
            try:
                await self._pass(next(self._urls), scope, body, send)
            except httpx.ConnectError:
                continue
            return
        headers = [(b"content-type", b"application/problem+json"), (b"retry-after", b"1")]
        await send({"type": "http.response.start", "status": 503, "headers": headers})
        await send({"type": "http.response.body", "body": NOBODY})

    async def _pass(self, url: str, scope: Scope, body: bytes, send: Send) -> None:
        target = f"{url}{scope['raw_path'].decode()}?{scope['query_string'].decode()}"
        request = self._http.build_request(scope["method"], target, headers=scope["headers"], content=body)
        answer = await self._http.send(request)
        headers = [(name.lower(), value) for name, value in answer.headers.raw if name.lower() not in HOP_BY_HOP]
        await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": answer.content})


async def _whole(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)


class _Quiet(uvicorn.Server):
    """A server in a thread, where no signals come."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


@contextmanager
def open_door(replicas: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Serve the services' replicas as one origin on a free port; yield its address.

    Args:
        replicas: the addresses of each service and of web, which serves the desk's own paths too.

    """
    listening = socket.create_server(("127.0.0.1", 0))
    stopping = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(replicas, listening, stopping)), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        stopping.set()
        thread.join(20)


async def _serve(replicas: Mapping[str, Sequence[str]], listening: socket.socket, stopping: threading.Event) -> None:
    async with httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_connections=200)) as http:
        passages: dict[str, Any] = {name: Passage(urls, http) for name, urls in replicas.items()}
        app = Gateway({**passages, "desk": passages["web"]})
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=2)
        server = _Quiet(config)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        while not stopping.is_set() and not serving.done():
            await asyncio.sleep(0.05)
        server.should_exit = True
        await serving

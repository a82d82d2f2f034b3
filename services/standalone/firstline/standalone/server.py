"""Serving on real sockets: HTTP by uvicorn, mail by SMTP, until somebody says stop."""

import asyncio
import errno
import gc
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import uvicorn

from firstline.common.errors import Unavailable
from firstline.common.settings import Settings
from firstline.common.telemetry import App
from firstline.standalone.desk import StandaloneDesk, running_desk

BACKLOG = 1024
DRAIN_SECONDS = 10
STEP_SECONDS = 0.02
LISTEN_ERRORS = frozenset({errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL})


class CannotListen(Unavailable):
    """The port is taken, or the address is not this machine's, or not for us; the message says what to do."""

    title = "The desk can't listen there"


class _Server(uvicorn.Server):
    """Leaves signals to whoever serves: the library would end the process by SIGTERM before the stores are closed."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


@dataclass(frozen=True, slots=True)
class Served:
    """A desk that answers on its sockets."""

    desk: StandaloneDesk
    url: str
    smtp_port: int
    server: uvicorn.Server
    serving: "asyncio.Task[None]"


@asynccontextmanager
async def served_desk(settings: Settings) -> AsyncIterator[Served]:
    """Start a desk and serve it; stop both cleanly at the end.

    Raises:
        CannotListen: the HTTP or the SMTP port is in use, or can't be had.

    """
    async with AsyncExitStack() as stack:
        # Opened before the desk, so that links can name the port that the system chose.
        listening = stack.enter_context(listen(settings.host, settings.port))
        port = listening.getsockname()[1]
        url = settings.public_url.rstrip("/") or f"http://{_shown(settings.host)}:{port}"
        try:
            desk = await stack.enter_async_context(running_desk(settings, url))
        except OSError as error:
            if error.errno not in LISTEN_ERRORS or error.filename is not None:
                raise
            raise _refused(error, settings.host, settings.smtp_port, "SMTP_PORT") from error
        async with served(desk.gateway, listening, url) as (server, serving):
            yield Served(desk, url, desk.smtp_port, server, serving)


@asynccontextmanager
async def served(
    app: App, listening: socket.socket, url: str
) -> AsyncIterator[tuple[uvicorn.Server, "asyncio.Task[None]"]]:
    """Answer HTTP on a socket; at the end answer what has begun, then stop."""
    server = _Server(_config(app, url))
    serving = asyncio.create_task(server.serve(sockets=[listening]), name="http")
    # The library sets a flag and no event.
    while not server.started and not serving.done():
        await asyncio.sleep(STEP_SECONDS)
    try:
        yield server, serving
    finally:
        server.should_exit = True
        await serving


def stop_on_signals(server: uvicorn.Server) -> None:
    """Let Ctrl-C and SIGTERM end the server."""
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, server.handle_exit, number, None)


def keep_what_is_loaded() -> None:
    """Let garbage collections pass over modules, routes and models, which stay as long as the process.

    A full collection would look at several hundred thousand of them and find nothing, each time in the middle of work.
    """
    gc.freeze()


def _config(app: App, url: str) -> uvicorn.Config:
    """Return uvicorn's settings: it serves and nothing else; logs, life and signals are ours."""
    return uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        backlog=BACKLOG,
        # Believed only behind a proxy that ends TLS; straight from
        # the network anybody could name any address as theirs.
        proxy_headers=urlsplit(url).scheme == "https",
    )


def listen(host: str, port: int) -> socket.socket:
    """Return a socket for HTTP.

    Raises:
        CannotListen: the port is in use, or can't be had.

    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Without its protocol named, asyncio doesn't switch Nagle's algorithm off, and each answer waits for 40 ms.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    # A desk that is started again needn't wait for the system to forget the connections of the last one.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise _refused(error, host, port, "PORT") from error
    return listening


def _refused(error: OSError, host: str, port: int, name: str) -> CannotListen:
    """Return the error for a port that can't be had, with what to change."""
    if error.errno == errno.EADDRINUSE:
        return CannotListen(
            f"Port {port} is in use by another program. Choose another one, such as: make up {name}={port + 1}"
        )
    return CannotListen(f"{host} port {port} can't be used: {error.strerror}. Change FIRSTLINE_HOST or {name}.")


def _shown(host: str) -> str:
    """Return a host that a browser on this machine can open."""
    return "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 (compared, not bound)

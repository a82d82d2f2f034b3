"""Serving the desk on real sockets: HTTP by uvicorn, mail by SMTP, until somebody says stop."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import uvicorn

from firstline.common.settings import Settings
from firstline.standalone.desk import StandaloneDesk, running_desk

BACKLOG = 1024
DRAIN_SECONDS = 10
STEP_SECONDS = 0.02


class PortTaken(Exception):
    """Another program listens on the port; the message says what to do."""


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
        PortTaken: the HTTP or the SMTP port is in use.

    """
    listening = _listen(settings.host, settings.port)
    port = listening.getsockname()[1]
    url = settings.public_url or f"http://{_shown(settings.host)}:{port}"
    try:
        async with running_desk(settings, url) as desk:
            server = uvicorn.Server(_config(desk, url))
            serving = asyncio.create_task(server.serve(sockets=[listening]), name="http")
            while not server.started and not serving.done():
                await asyncio.sleep(STEP_SECONDS)
            try:
                yield Served(desk, url, desk.smtp_port, server, serving)
            finally:
                server.should_exit = True
                await serving
    except OSError as error:
        if error.errno is None or "address already in use" not in str(error).lower():
            raise
        raise PortTaken(_advice(settings.smtp_port, "SMTP_PORT")) from error
    finally:
        listening.close()


def _config(desk: StandaloneDesk, url: str) -> uvicorn.Config:
    return uvicorn.Config(
        desk.gateway,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        backlog=BACKLOG,
        proxy_headers=urlsplit(url).scheme == "https",
    )


def _listen(host: str, port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise PortTaken(_advice(port, "PORT")) from error
    return listening


def _advice(port: int, name: str) -> str:
    return f"Port {port} is in use by another program. Choose another one, such as: make up {name}={port + 1}"


def _shown(host: str) -> str:
    return "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 (compared, not bound)

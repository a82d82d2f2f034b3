"""The desk on real sockets: which ports it takes, and what it says when it can't have them."""

import asyncio
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from firstline.common.settings import Settings
from firstline.standalone.server import CannotListen, served_desk


@pytest.fixture
def taken() -> Iterator[int]:
    """Return a port that another program listens on."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def settings(folder: Path, **more: Any) -> Settings:
    """Return the settings of a desk on free ports."""
    given: dict[str, Any] = {"data": folder, "port": 0, "smtp_port": 0, **more}
    return Settings(**given)


async def test_a_desk_answers_on_its_ports(folder: Path) -> None:
    """A served desk answers by HTTP at the address that it tells, greets on its SMTP port, and then lets go of both."""
    async with served_desk(settings(folder)) as served:
        async with httpx.AsyncClient(base_url=served.url) as http:
            assert (await http.get("/readyz")).json() == {"status": "ready"}
        reader, writer = await asyncio.open_connection("127.0.0.1", served.smtp_port)
        assert (await reader.readline()).startswith(b"220 ")
        writer.close()
    for port in (int(served.url.rpartition(":")[2]), served.smtp_port):
        with socket.create_server(("127.0.0.1", port)):
            pass


async def test_answers_do_not_wait_for_acknowledgements(folder: Path) -> None:
    """Small answers on a kept connection leave at once, not after the 40 ms of a delayed acknowledgement."""
    async with served_desk(settings(folder)) as served, httpx.AsyncClient(base_url=served.url) as http:
        took = []
        for _ in range(20):
            began = time.perf_counter()
            await http.get("/healthz")
            took.append(time.perf_counter() - began)
    assert min(took) < 0.03


async def test_links_begin_with_the_public_address(folder: Path) -> None:
    """A public address is taken as it is, without a slash at its end."""
    async with served_desk(settings(folder, public_url="https://help.example.com/")) as served:
        assert served.url == "https://help.example.com"


@pytest.mark.parametrize(("setting", "variable"), [("port", "PORT"), ("smtp_port", "SMTP_PORT")])
async def test_a_port_that_is_taken_is_named(folder: Path, taken: int, setting: str, variable: str) -> None:
    """The message names the port and the variable to change; nothing of the desk goes on running."""
    advice = re.escape(f"Port {taken} is in use by another program. Choose another one, such as: make up {variable}=")
    with pytest.raises(CannotListen, match=advice):
        async with served_desk(settings(folder, **{setting: taken})):
            pass
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert list(folder.rglob("*-wal")) == []


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host"])
async def test_an_address_of_others_is_named(folder: Path, host: str) -> None:
    """An address that isn't this machine's, or a name that isn't one, is told with the variable to change."""
    with pytest.raises(CannotListen, match=f"{host} port 0 can't be used: .* Change FIRSTLINE_HOST or PORT."):
        async with served_desk(settings(folder, host=host)):
            pass

"""Where a path goes: as the gateway of the desk in one process has it, which proxies must agree with."""

import asyncio
from collections.abc import Callable
from typing import Any

from firstline.standalone.gateway import PATHS, Gateway

SERVED_BY_WEB = "desk"
"""In separate services the website's process also serves what concerns the desk as a whole."""

SAMPLES = sorted(
    {
        path + ending
        for paths in PATHS.values()
        for path in paths
        for ending in ("", "/", "/01972c", "/01972c/messages", "x", ".txt")
    }
    | {"/", "/sign-in", "/requests/new", "/static/style.css", "/v1x", "/v1/", "/v1/unknown", "/.well-known/other"}
)
"""Every beginning of a path, and what comes near to it."""


def by_gateway(path: str) -> str:
    """Return the service that the gateway hands a path to."""
    asked: list[str] = []

    def application(name: str) -> Callable[..., Any]:
        async def serve(*_: Any) -> None:
            asked.append("web" if name == SERVED_BY_WEB else name)

        return serve

    gateway = Gateway({name: application(name) for name in (*PATHS, "web")})
    asyncio.run(gateway({"type": "http", "path": path}, _nothing, _nothing))
    return asked[0]


async def _nothing(*_: Any) -> Any:
    raise AssertionError("the gateway neither reads nor answers by itself")

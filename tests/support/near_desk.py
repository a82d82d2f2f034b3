"""A whole desk in the test's own process, asked through its gateway without sockets."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from firstline.common.permissions import Principal, Role
from firstline.common.ports import SystemClock
from firstline.common.settings import Settings
from firstline.standalone.desk import StandaloneDesk, running_desk

URL = "http://desk.example"


@asynccontextmanager
async def near_desk(data: Path, **settings: Any) -> AsyncIterator[StandaloneDesk]:
    """Run a desk on a folder; its clock is moved by hand unless the settings say otherwise."""
    async with running_desk(Settings(**{"data": data, "smtp_port": 0, "clock": "manual", **settings}), URL) as desk:
        yield desk


def api(desk: StandaloneDesk, role: str | None = None, subject: str = "somebody") -> httpx.AsyncClient:
    """Return a client of the desk as somebody, or as nobody in particular."""
    headers = {}
    if role is not None:
        principal = Principal(subject, Role(role), f"{subject}@firstline.example", name=subject)
        token = desk.keys.signer(SystemClock()).token(principal, timedelta(hours=1))
        headers["Authorization"] = f"Bearer {token}"
    transport = httpx.ASGITransport(desk.gateway)
    return httpx.AsyncClient(transport=transport, base_url=URL, headers=headers)

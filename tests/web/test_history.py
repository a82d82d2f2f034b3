"""The history of a request in the console."""

from collections.abc import Awaitable, Callable
from typing import Any

Visit = Callable[[str], Awaitable[Any]]


async def test_the_console_tells_what_happened(visitor: Visit) -> None:
    """The page of a request leads to its history, which says what, who, and the old and new values."""
    client = await visitor("client")
    await client.open("/requests/new")
    await client.send("/requests", subject="White page after an update", body="It failed.")
    number = client.path.split("/")[2]
    specialist = await visitor("specialist")
    await specialist.open(f"/console/{number}")
    page = await specialist.open(f"/console/{number}")
    assert f"/console/{number}/history" in {given["href"] for given in page.all("a")}
    await specialist.send(f"/console/{number}/reply", body="We look at it.", then="")
    shown = (await specialist.open(f"/console/{number}/history")).text
    expected = ("The request came in", "A message", "new → open")
    assert [words for words in expected if words not in shown] == []

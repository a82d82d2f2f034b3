"""Searching requests in portal and console, and one verb for many, on a whole desk."""

from collections.abc import Awaitable, Callable
from typing import Any

Visit = Callable[[str], Awaitable[Any]]


async def _sent(client: Any, subject: str, body: str) -> str:
    await client.open("/requests/new")
    await client.send("/requests", subject=subject, body=body, topic="updates")
    return str(client.path.split("/")[2])


async def test_words_are_found_and_marked(visitor: Visit) -> None:
    """A client finds their own requests by words, sees where these stand, and is told how where there is nothing."""
    client = await visitor("client")
    number = await _sent(client, "White page", "The shop shows <b>nothing</b> since the update.")
    other = await _sent(client, "Slow reports", "They take minutes.")
    page = await client.open("/requests?q=NOTHING")
    assert number in page.text
    assert other not in page.text
    assert "<mark>nothing</mark>" in client.answer.text
    assert "<b>" not in client.answer.text
    assert page.misnested == []
    assert "Nothing was found" in (await client.open("/requests?q=zebra")).text
    assert "at least three letters" in (await client.open("/requests?q=!")).text


async def test_one_verb_for_those_that_are_chosen(visitor: Visit) -> None:
    """A specialist searches, tries, then does it to the chosen ones; what can't be done is told by number."""
    client, agent = await visitor("client"), await visitor("specialist")
    numbers = [await _sent(client, f"White page {index}", "Nothing to see.") for index in range(3)]
    page = await agent.open("/console/requests?q=white")
    ids = [given["value"] for given in page.all("input") if given.get("name") == "chosen"]
    assert len(ids) == 3
    lacking = await agent.send("/console/requests/act")
    assert "Choose at least one request." in lacking.text
    wish: dict[str, Any] = {"chosen": ids[:2], "act": "resolve", "text": "The cache was old."}
    tried = await agent.send("/console/requests/act", **wish, then="try")
    assert "It would be done to 2 requests. Nothing was changed." in tried.text
    done = await agent.send("/console/requests/act", **wish, then="act")
    assert "Done to 2 requests." in done.text
    again = await agent.send("/console/requests/act", **wish | {"chosen": ids}, then="act")
    assert "Done to 1 request." in again.text
    assert "Not done:" in again.text
    for number in numbers:
        assert "The cache was old." in (await client.open(f"/requests/{number}")).text

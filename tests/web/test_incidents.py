"""Incidents in the console: opened, linked, answered once for all, and told on each page of the portal."""

from collections.abc import Awaitable, Callable
from typing import Any

Visit = Callable[[str], Awaitable[Any]]


async def _ask(client: Any, *subjects: str) -> list[str]:
    """Send requests as the client; return their numbers."""
    numbers = []
    for subject in subjects:
        await client.open("/requests/new")
        await client.send("/requests", subject=subject, body="The portal refuses my sign-in since nine.")
        numbers.append(client.path.split("/")[2])
    return numbers


async def test_an_incident_from_beginning_to_end(visitor: Visit) -> None:
    """Opened with one request, linked with what is like it, answered for all, told in the portal, and over."""
    client, specialist = await visitor("client"), await visitor("specialist")
    first, second = await _ask(client, "Sign-in fails", "Sign-in is refused")
    await specialist.open("/console/incidents")
    assert "There was no incident so far." in specialist.page.text
    page = await specialist.send("/console/incidents", title="Sign-in fails for all", named=first)
    assert "The incident is open." in page.text
    path = specialist.path
    assert (first in page.text, second in page.text, "shares" in page.text) == (True, True, True)
    (chosen,) = [given["value"] for given in page.all("input") if given.get("name") == "chosen"]
    page = await specialist.send(f"{path}/link", chosen=chosen)
    assert "2 requests" in page.text
    page = await specialist.send(f"{path}/banner", banner="Sign-in fails. We work on it.")
    assert "The portal shows: Sign-in fails. We work on it." in " ".join(page.text.split())
    for shown in ("/requests", "/requests/new", f"/requests/{first}"):
        assert "Sign-in fails. We work on it." in (await client.open(shown)).text
    assert "We work on it" not in (await specialist.open("/console/requests")).text
    await specialist.open(path)
    page = await specialist.send(f"{path}/answer", answer="It works again.", solves="yes")
    assert "The answer is on its way" in page.text
    assert "2 of 2 requests answered" in (await specialist.open(path)).text
    for number in (first, second):
        assert "It works again." in (await client.open(f"/requests/{number}")).text
    page = await specialist.send(f"{path}/resolve")
    assert "The incident is over." in page.text
    assert "Over" in (await specialist.open("/console/incidents")).text
    assert "We work on it" not in (await client.open("/requests")).text


async def test_what_is_refused_comes_back(visitor: Visit) -> None:
    """A title is needed and IDs must be there; what was typed stays, and a request is taken out again."""
    client, specialist = await visitor("client"), await visitor("specialist")
    (number,) = await _ask(client, "Sign-in fails")
    await specialist.open("/console/incidents")
    page = await specialist.send("/console/incidents", title="", named=number)
    assert (specialist.answer.status_code, page.form("/console/incidents")["named"]) == (422, number)
    page = await specialist.send("/console/incidents", title="Sign-in fails", named=f"{number} FL-0000-0000")
    assert specialist.answer.status_code == 422
    assert page.form("/console/incidents")["title"] == "Sign-in fails"
    await specialist.send("/console/incidents", title="Sign-in fails", named=number)
    path = specialist.path
    page = await specialist.send(f"{path}/answer", answer="")
    assert specialist.answer.status_code == 422
    secret = "Sign in again. Password: Zq7!kanarie-Vx3"
    page = await specialist.send(f"{path}/answer", answer=secret)
    assert (specialist.answer.status_code, secret in page.text) == (422, True)
    assert "This looks like a password or a key. Take it out" in page.text
    page = await specialist.send(f"{path}/unlink")
    assert "No request is linked." in page.text
    assert (await client.open(path)).text.count("Answer all") == 0

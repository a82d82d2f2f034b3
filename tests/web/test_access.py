"""Access data on the pages (clause 4.3): asked for in the console, given in the portal, read for a minute."""

from collections.abc import Awaitable, Callable
from typing import Any

Visit = Callable[[str], Awaitable[Any]]
CANARY = 'canary "Xy7" <b>'


async def asked(visitor: Visit, *, take: bool = True) -> tuple[Any, Any, str, str]:
    """Let a specialist ask a client for FTP; return both, the number, and the access request's ID."""
    client, specialist = await visitor("client"), await visitor("specialist")
    await client.open("/requests/new")
    await client.send("/requests", subject="White page", body="Since 08:40.", topic="updates")
    number = str(client.path.split("/")[2])
    if take:
        await specialist.open(f"/console/{number}")
        await specialist.send(f"/console/{number}/claim")
    await specialist.open(f"/console/{number}/access")
    given = {"kind": "ftp", "host": "shop.example", "ask_reason": "To read the log."}
    await specialist.send(f"/console/{number}/access", **given)
    assert "The client is told what you ask for" in specialist.page.text
    page = await client.open(f"/requests/{number}/access")
    action = next(a for a in page.values("action") if a.endswith("/provide"))
    return client, specialist, number, action.split("/")[-2]


async def test_access_data_from_the_question_to_the_change(visitor: Visit) -> None:
    """Each side sees what is asked, given and read; the value stands on one page, which leaves by itself."""
    client, specialist, number, one = await asked(visitor)
    page = await client.open(f"/requests/{number}")
    assert "A specialist needs access data to go on." in page.text
    await client.open(f"/requests/{number}/access")
    assert "To read the log." in client.page.text
    assert ("password", "new-password") in [(i.get("type"), i.get("autocomplete")) for i in client.page.all("input")]
    await client.send(f"/requests/{number}/access/{one}/provide", **{"ftp.login": "clara", "ftp.password": CANARY})
    assert "It is given." in client.page.text
    assert "canary" not in client.answer.text
    page = await specialist.open(f"/console/{number}/access")
    assert "canary" not in specialist.answer.text
    await specialist.send(f"/console/{number}/access/{one}/reveal", read_reason="Compare the files.")
    assert CANARY in specialist.page.text
    assert specialist.page.misnested == []
    assert specialist.answer.headers["cache-control"] == "no-store"
    assert specialist.answer.headers["refresh"] == f"60; url=/console/{number}/access"
    page = await client.open(f"/requests/{number}/access")
    assert "Compare the files." in page.text
    assert page.misnested == []
    await specialist.open(f"/console/{number}")
    assert "canary" not in specialist.answer.text
    await specialist.send(f"/console/{number}/resolve")
    page = await client.open(f"/requests/{number}")
    assert "Change the access data that you gave us now" in page.text
    await client.open(f"/requests/{number}/access")
    await client.send(f"/requests/{number}/access/{one}/confirm")
    assert "It is noted that you have changed it." in client.page.text
    assert "Confirmed as changed" in (await specialist.open(f"/console/{number}/access")).text


async def test_refused_forms_say_why_and_show_no_value(visitor: Visit) -> None:
    """A form that lacks something comes back without what was typed into it; reading needs the claim and a reason."""
    client, specialist, number, one = await asked(visitor, take=False)
    await client.send(f"/requests/{number}/access/{one}/provide", **{"ftp.password": CANARY})
    assert client.answer.status_code == 422
    assert "Fill in: Login." in client.page.text
    assert "canary" not in client.answer.text
    await client.send(f"/requests/{number}/access/{one}/provide", **{"ftp.login": "c", "ftp.password": CANARY})
    page = await specialist.open(f"/console/{number}/access")
    assert "Take the request first" in page.text
    await specialist.open(f"/console/{number}")
    await specialist.send(f"/console/{number}/claim")
    await specialist.open(f"/console/{number}/access")
    await specialist.send(f"/console/{number}/access/{one}/reveal", read_reason=" ")
    assert specialist.answer.status_code == 422
    assert "Say why you read it" in specialist.page.text
    await specialist.send(f"/console/{number}/access", ask_reason="x")
    assert "Choose what you need." in specialist.page.text
    await client.open(f"/requests/{number}/access")
    await client.send(f"/requests/{number}/access/{one}/revoke")
    assert "what was given is deleted here" in client.page.text


async def sent(client: Any, body: str) -> str:
    """Send a request in spite of the remark on it; return its number."""
    await client.open("/requests/new")
    for _ in range(2):
        await client.send("/requests", subject="White page", body=body, topic="updates")
    return str(client.path.split("/")[2])


async def test_what_was_pasted_is_moved_to_the_vault(visitor: Visit) -> None:
    """The console marks the message, and moves or restores what was taken out of it; the client sees where it lies."""
    client, specialist = await visitor("client"), await visitor("specialist")
    number = await sent(client, "Login: admin\nPassword: Zq7!kanarie-Vx3")
    page = await specialist.open(f"/console/{number}")
    (link,) = [to for to in page.values("href") if to.startswith(f"/console/{number}/access#t-")]
    held = link.partition("#t-")[2]
    assert "Password taken out" in page.text
    page = await specialist.open(f"/console/{number}/access")
    assert "Take the request first" in page.text
    await specialist.open(f"/console/{number}")
    await specialist.send(f"/console/{number}/claim")
    await specialist.open(f"/console/{number}/access")
    move = f"/console/{number}/held-texts/{held}/vault"
    page = await specialist.send(move, move_kind="licence_key")
    assert specialist.answer.status_code == 422
    assert "Use one of: web_admin, ftp, ssh, control_panel." in page.text
    page = await specialist.send(move, move_kind="ftp", move_host="shop.example")
    assert "It lies with the access data now." in page.text
    assert "Password moved to the access data" in page.text
    assert page.misnested == []
    one = next(a for a in page.values("action") if a.endswith("/reveal")).split("/")[-2]
    await specialist.send(f"/console/{number}/access/{one}/reveal", read_reason="Compare the files.")
    assert "Zq7!kanarie-Vx3" in specialist.page.text
    page = await client.open(f"/requests/{number}/access")
    assert "You wrote it into a text; here it is sealed" in page.text
    assert "Taken out of texts" not in page.text
    assert page.misnested == []


async def test_what_is_no_secret_is_put_back(visitor: Visit) -> None:
    """The holder of the claim puts a text back, and the mark is gone."""
    client, specialist = await visitor("client"), await visitor("specialist")
    number = await sent(client, "Password: Zq7!kanarie-Vx3")
    await specialist.open(f"/console/{number}")
    await specialist.send(f"/console/{number}/claim")
    page = await specialist.open(f"/console/{number}/access")
    page = await specialist.send(next(a for a in page.values("action") if a.endswith("/release")))
    assert "The text is put back as it came." in page.text
    assert "Taken out of texts" not in page.text
    assert "Zq7!kanarie-Vx3" in (await specialist.open(f"/console/{number}")).text

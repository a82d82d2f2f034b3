"""Held mail in the console: who sees it, and what its three buttons do."""

from collections.abc import Awaitable, Callable
from typing import Any

from firstline.intake.service.inbound import keep_mail
from firstline.standalone.desk import StandaloneDesk, settle

Visit = Callable[[str], Awaitable[Any]]
SECRET = "the harbour at midnight"


async def _held(desk: StandaloneDesk, number: str = "", sender: str = "eve@else.example") -> None:
    """Let a mail come in that is held."""
    subject = f"[{number}] Hello" if number else "Hello"
    raw = f"From: {sender}\r\nSubject: {subject}\r\n\r\nMeet me: {SECRET}.\r\n".encode()
    intake = desk.services["intake"].state.intake
    await keep_mail(intake, raw, "eve@else.example", ("support@firstline.example",))
    await settle(desk.runtimes)


async def _ask(visitor: Visit) -> tuple[Any, str]:
    """Send a request as the client; return the client and the number."""
    client = await visitor("client")
    await client.open("/requests/new")
    await client.send("/requests", subject="White page", body="It fails.")
    return client, client.path.split("/")[2]


async def test_a_mail_is_let_in(desk: StandaloneDesk, visitor: Visit) -> None:
    """A held mail is shown to staff only, beside its request; let in, the client reads it and it is held no more."""
    client, number = await _ask(visitor)
    await _held(desk, number)
    assert SECRET not in (await client.open(f"/requests/{number}")).text
    specialist = await visitor("specialist")
    assert "is held and in no correspondence yet" in (await specialist.open(f"/console/{number}")).text
    page = await specialist.open(f"/console/mails?request={number}")
    assert SECRET in page.text
    assert "The sender doesn't take part in the request." in page.text
    (action,) = [given["action"] for given in page.all("form") if (given["action"] or "").endswith("/accept")]
    await specialist.send(action, participant="yes")
    assert "The mail is in the correspondence" in specialist.page.text
    assert "No mail is held." in specialist.page.text
    assert SECRET in (await client.open(f"/requests/{number}")).text


async def test_a_request_is_opened_of_a_mail(desk: StandaloneDesk, visitor: Visit) -> None:
    """A mail without a sender asks whose request it is; with an address it becomes one."""
    await _held(desk, sender="")
    specialist = await visitor("specialist")
    page = await specialist.open("/console/mails")
    (action,) = [given["action"] for given in page.all("form") if (given["action"] or "").endswith("/open")]
    await specialist.send(action)
    assert specialist.answer.status_code == 422
    assert "Name the person whom the acknowledgement and the answers go to." in specialist.page.text
    await specialist.send(action, **{f"whose-{action.split('/')[3]}": "clara@shop.example"})
    assert "The mail is a request of its own" in specialist.page.text
    assert "Queue 1" in (await specialist.open("/console")).text


async def test_a_mail_is_rejected_with_a_reason(desk: StandaloneDesk, visitor: Visit) -> None:
    """Rejecting takes a reason; judged meanwhile, the page says what has become of it."""
    _, number = await _ask(visitor)
    await _held(desk, number)
    specialist = await visitor("specialist")
    page = await specialist.open("/console/mails")
    (action,) = [given["action"] for given in page.all("form") if (given["action"] or "").endswith("/reject")]
    stale = page.form(action.replace("/reject", "/accept"))
    await specialist.send(action)
    assert specialist.answer.status_code == 422
    await specialist.send(action, **{f"why-{action.split('/')[3]}": "Not ours."})
    assert "The mail was let into nothing." in specialist.page.text
    answer = await specialist.browser.post(action.replace("/reject", "/accept"), data=stale)
    assert (answer.status_code, "It is refused (rejected)" in answer.text) == (409, True)


async def test_clients_are_kept_away(desk: StandaloneDesk, visitor: Visit) -> None:
    """A client who opens the page sees no mail."""
    client, number = await _ask(visitor)
    await _held(desk, number)
    page = await client.open("/console/mails")
    assert (client.answer.status_code, SECRET in page.text) == (403, False)

"""A person who is erased is found in no file of the desk; their requests, the others' view and the logs stay whole."""

import asyncio
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import aiosmtplib
import httpx
import pytest
from firstline.common.permissions import Principal, Role
from firstline.common.ports import SystemClock, system_ports
from firstline.common.settings import Settings
from firstline.standalone.check.desk import opened_books, opened_stores
from firstline.standalone.check.run import check
from firstline.standalone.desk import StandaloneDesk, settle
from firstline.standalone.verify.run import verify
from near_desk import URL, api, near_desk

ADDRESS, NAME, WORD = "zeisig@vogel.example", "Zeisig Vogelsang", "Gezwitscher"
CANARIES = (b"zeisig", b"vogelsang", b"gezwitscher")
COLLEAGUE = "amsel@wald.example"
MAIL = f"""From: {NAME} <{ADDRESS}>
To: support@firstline.example
Cc: {COLLEAGUE}
Subject: {WORD} by mail
Message-ID: <one@vogel.example>
Content-Type: text/plain; charset=utf-8

{WORD}, {WORD}: it does not start.
"""


def of_person(desk: StandaloneDesk, person_id: str, role: Role, address: str) -> httpx.AsyncClient:
    """Return a client of the desk as somebody of the organisation."""
    principal = Principal(person_id, role, address, "org", name=NAME if address == ADDRESS else None)
    token = desk.keys.signer(SystemClock()).token(principal, timedelta(hours=1))
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(desk.gateway), base_url=URL, headers={"Authorization": f"Bearer {token}"}
    )


async def done(http: httpx.AsyncClient, method: str, path: str, code: int = 200, **body: Any) -> Any:
    """Make a call that must be answered with this code; return what it says."""
    answer = await http.request(method, path, **body)
    assert answer.status_code == code, answer.text
    return answer.json()


async def a_life(desk: StandaloneDesk, client: httpx.AsyncClient, agent: httpx.AsyncClient) -> tuple[str, str]:
    """Let a person write in every way there is; return the requests by API and by mail."""
    upload = {"file": (f"{WORD}.txt", WORD.encode(), "text/plain")}
    file = await done(client, "POST", "/v1/attachments", 201, files=upload)
    body: dict[str, Any] = {
        "subject": f"{WORD} fails",
        "body": f"{WORD}!",
        "attachment_ids": [file["id"]],
        "external_ref": WORD,
    }
    body |= {"metadata": {"who": NAME}}
    first = await done(client, "POST", "/v1/tickets", 201, json=body, headers={"Idempotency-Key": "once"})
    one = f"/v1/tickets/{first['id']}"
    await done(client, "POST", f"{one}/supervisor-requests", 201, json={"kind": "comment", "body": f"{WORD}?"})
    hello = f"Dear {NAME}, we look into it and write to {ADDRESS}."
    await done(agent, "POST", f"{one}/messages", 201, json={"body": hello, "audience": "public"})
    note = {"body": f"{NAME} called.", "audience": "internal"}
    await done(agent, "POST", f"{one}/messages", 201, json=note)
    await done(agent, "POST", f"{one}/resolve", json={"body": "Solved."})
    await done(client, "POST", f"{one}/rating", json={"mark": "good", "comment": WORD})
    await aiosmtplib.send(
        MAIL.encode(),
        sender=ADDRESS,
        recipients=["support@firstline.example"],
        hostname="127.0.0.1",
        port=desk.smtp_port,
        start_tls=False,
    )
    await settle(desk.runtimes)
    (mailed,) = (await done(agent, "GET", f"/v1/tickets?requester={ADDRESS}&status=new"))["items"]
    await done(agent, "POST", f"/v1/tickets/{mailed['id']}/messages", 201, json={"body": hello, "audience": "public"})
    await settle(desk.runtimes)
    return first["id"], mailed["id"]


def found_in(folder: Path) -> list[str]:
    """Return the files in which the person is found, in whatever mails are encoded."""
    found = []
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = file.read_bytes()
        if file.suffix == ".eml":
            content += str(message_from_bytes(content, policy=policy.default).get_body()).encode()
        found += [f"{file.relative_to(folder)}: {word!r}" for word in CANARIES if word in content.lower()]
    return found


async def erased(desk: StandaloneDesk, admin: httpx.AsyncClient, person_id: str) -> Any:
    """Erase a person and return the certificate once it is complete."""
    await done(admin, "DELETE", f"/v1/people/{person_id}", 202)
    for _ in range(200):
        await settle(desk.runtimes)
        certificate = await done(admin, "GET", f"/v1/people/{person_id}/erasure")
        if certificate["completed_at"]:
            return certificate
        await asyncio.sleep(0.05)
    raise AssertionError(certificate)


@pytest.mark.slow
async def test_an_erased_person_is_found_nowhere(folder: Path) -> None:
    """No file of the desk has their name, address or words; the requests stay, and check and verify find nothing."""
    async with near_desk(folder) as desk, api(desk, "admin", "root") as admin, api(desk, "agent", "anna") as agent:
        known = {"email": ADDRESS, "name": NAME, "role": "client"}
        person = (await done(admin, "POST", "/v1/people", 201, json=known, headers={"Idempotency-Key": "p"}))["id"]
        hook = {"url": "https://hooks.invalid/x", "content": True, "types": ["ticket"]}
        await done(admin, "POST", "/v1/webhook-endpoints", 201, json=hook)
        async with of_person(desk, person, Role.CLIENT, ADDRESS) as client:
            own, mailed = await a_life(desk, client, agent)
        before = await done(agent, "GET", f"/v1/tickets/{own}")
        assert found_in(folder) != []
        certificate = await erased(desk, admin, person)
        assert await done(admin, "DELETE", f"/v1/people/{person}", 202) == certificate
        assert {report["service"] for report in certificate["services"]} == {
            *("accounts", "intake", "notify", "queue", "sla")
        }
        after = await done(agent, "GET", f"/v1/tickets/{own}")
        kept = ("number", "status", "topic", "created_at", "resolved_at")
        assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
        async with of_person(desk, "amsel", Role.PARTNER, COLLEAGUE) as colleague:
            seen = await done(colleague, "GET", f"/v1/tickets/{own}/messages")
        assert [message["body"] for message in seen["items"]] == [
            "[erased]",
            "Dear [erased], we look into it and write to [erased].",
            "Solved.",
        ]
        assert (await done(agent, "GET", f"/v1/tickets/{mailed}"))["subject"] == "[erased]"
        await settle(desk.runtimes)
    assert found_in(folder) == []
    settings = Settings(data=folder, clock="manual")
    async with opened_stores(settings, system_ports()) as stores:
        assert [verdict.wrong async for verdict in verify(stores, folder / "heads.jsonl")] == [None] * len(stores)
    async with opened_books(settings, system_ports(), timedelta(seconds=30)) as books:
        assert (await check(books, _no_pause))[1] == []


async def _no_pause() -> None:
    """Look again at once."""

"""A person erased by HTTP, in one process and in six: no dump and no file has a word of them, the logs are whole."""

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit
from zipfile import ZipFile

import httpx
import pytest
from firstline.common.raw_mail import mail_names
from live_desk import AnyDesk, LiveDesk, eventually
from servers import PostgresServer
from split_desk import SplitDesk, run_command
from walking import done, submit

ADDRESS, NAME, WORD = "rohrdommel@schilf.example", "Rohrdommel Schilfer", "Dommelruf"
CANARIES = ("rohrdommel", "schilfer", "dommelruf")
CLARA = "clara.dump@shop.example"
HEX = re.compile(rb"\\\\?x([0-9a-f]{16,})")


def of_person(desk: AnyDesk, person_id: str) -> httpx.Client:
    """Return a client of the API as the person."""
    return desk.api("client", person_id, email=ADDRESS)


def a_mail(cte: str, subject: str, sender: str, text: str) -> EmailMessage:
    """Return a mail in an encoding in which no word can be read by eye."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, "support@firstline.example", subject
    mail.set_content(text * 3, cte=cte)
    return mail


def packed(http: httpx.Client, word: str = WORD) -> str:
    """Upload an archive in which a word stands; return its ID."""
    file = BytesIO()
    with ZipFile(file, "w") as archive:
        archive.writestr("a.txt", f"{word} in an archive.")
    return str(done(http.post("/v1/attachments", files={"file": ("a.zip", file.getvalue(), "application/zip")}))["id"])


def a_life(desk: AnyDesk, admin: httpx.Client, agent: httpx.Client, clara: httpx.Client) -> tuple[str, dict[str, Any]]:
    """Let a person write, and others write to and of them; return the person's ID and a request of somebody else's."""
    known = {"email": ADDRESS, "name": NAME, "role": "client"}
    key = {"Idempotency-Key": "a life"}
    person = str(done(admin.post("/v1/people", json=known, headers=key))["id"])
    with of_person(desk, person) as client:
        own = submit(client, subject=f"{WORD} fails", body=f"{WORD}!", metadata={"who": NAME}, external_ref=WORD)
        done(
            client.post(
                f"/v1/tickets/{own['id']}/messages", json={"body": "In it.", "attachment_ids": [packed(client)]}
            )
        )
    one = f"/v1/tickets/{own['id']}"
    done(
        agent.post(
            f"{one}/messages", json={"body": "Ours.", "audience": "public", "attachment_ids": [packed(agent, "x")]}
        )
    )
    hello = {"body": f"Dear {NAME}, we write to {ADDRESS}.", "audience": "public"}
    done(agent.post(f"{one}/messages", json=hello))
    other = submit(clara, subject=f"About {ADDRESS}", body=f"Ask {NAME} at {ADDRESS}.")
    incident = {"title": f"{NAME} can't sign in", "ticket_ids": [own["id"], other["id"]]}
    made = done(agent.post("/v1/incidents", json=incident))
    done(agent.post(f"/v1/incidents/{made['id']}/answer", json={"body": f"It was {NAME}, {ADDRESS}."}))
    canned = {"title": "Whom to ask", "text": f"Ask {ADDRESS}."}
    done(admin.put("/v1/canned-answers/dump-ask", json=canned))
    desk.send(a_mail("base64", f"{WORD} by mail", f"{NAME} <{ADDRESS}>", f"{WORD}, says {NAME}. "))
    desk.send(a_mail("quoted-printable", f"Re: [{other['number']}] x", CLARA, f"That is {NAME}, {ADDRESS}. "))
    eventually(lambda: len(agent.get("/v1/tickets", params={"requester": ADDRESS}).json()["items"]) == 2)
    eventually(lambda: len(agent.get(f"/v1/tickets/{other['id']}/messages").json()["items"]) >= 3)
    told = {"ticket.incident_linked": 1, "ticket.replied": 2}
    for kind, count in told.items():  # so that notify has all of it
        eventually(lambda kind=kind, count=count: len(_events(admin, kind, other["id"])) >= count, 60)  # type: ignore[misc]
    return person, other


def _events(admin: httpx.Client, kind: str, ticket_id: str) -> list[dict[str, Any]]:
    page = admin.get("/v1/events", params={"type": kind, "limit": 100}).json()
    return [event for event in page["items"] if event["ticket_id"] == ticket_id]


def dumps(desk: AnyDesk, postgres: PostgresServer | None) -> Iterator[tuple[str, bytes]]:
    """Yield what each PostgreSQL database and each file of the desk holds, logs and bytes of columns included."""
    databases = desk.databases if isinstance(desk, SplitDesk) else {}
    for role, url in databases.items():
        assert postgres is not None
        whole = postgres.url(urlsplit(url).path.strip("/"))
        run = subprocess.run(["pg_dump", "--inserts", whole], capture_output=True, check=False)
        assert run.returncode == 0, run.stderr
        dump = run.stdout
        yield f"dump of {role}", dump
        for found in HEX.findall(dump):
            yield f"bytes in {role}", bytes.fromhex(found[: len(found) // 2 * 2].decode())
    for path in sorted(desk.data.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(desk.data)), path.read_bytes()


def found_in(desk: AnyDesk, postgres: PostgresServer | None) -> list[str]:
    """Return where a word of the person is found, and in which lines, where it can be read by eye."""
    found = {place: content for place, content in dumps(desk, postgres) if mail_names(content, CANARIES)}
    return [f"{place}: {_lines(content)}" for place, content in found.items()]


def _lines(content: bytes) -> list[str]:
    lines = content.decode("latin-1").splitlines()
    return [line[:2000] for line in lines if any(word in line.lower() for word in CANARIES)][:3]


def test_an_erased_person_is_in_no_dump_and_in_no_file(request: pytest.FixtureRequest, desk: AnyDesk) -> None:
    """What others wrote stays without the name; the certificate is complete, and nothing holds a word of the person."""
    if isinstance(desk, SplitDesk) and shutil.which("pg_dump") is None:
        pytest.skip("no pg_dump here")
    postgres = request.getfixturevalue("postgres") if isinstance(desk, SplitDesk) else None
    with (
        desk.api("admin", "root-dump") as admin,
        desk.api("agent", "anna-dump") as agent,
        desk.api("client", "clara-dump", email=CLARA) as clara,
    ):
        person, other = a_life(desk, admin, agent, clara)
        eventually(lambda: len(found_in(desk, postgres)) > 1)
        # Two who ask at the same moment hear of one and the same erasure.
        with ThreadPoolExecutor() as both:
            asked = list(both.map(done, both.map(admin.delete, [f"/v1/people/{person}"] * 2)))
        assert len({one["asked_at"] for one in asked}) == 1
        certificate = eventually(
            lambda: (c := admin.get(f"/v1/people/{person}/erasure").json())["completed_at"] and c, 90
        )
        assert {report["service"] for report in certificate["services"]} == {
            *("accounts", "intake", "notify", "queue", "sla")
        }
        reports = {report["service"]: report for report in certificate["services"]}
        assert reports["intake"]["erased"]["files"] == 1
        assert reports["intake"]["not_looked_into"]["application/zip"] == 1
        left = found_in(desk, postgres)
        for _ in range(20):  # what was under way when the last report came
            if not left:
                break
            time.sleep(1)
            left = found_in(desk, postgres)
        assert left == []
        if isinstance(desk, SplitDesk | LiveDesk):  # of one that somebody else runs the stores are not known
            run_command("verify", "--data", str(desk.data), environment=desk.environment)
        assert agent.get(f"/v1/tickets/{other['id']}").json()["subject"] == "About [erased]"

"""Erasing a person at notify where they have no part: other people's requests, mails and webhooks that name them."""

import json
import sqlite3
from datetime import timedelta
from typing import Any

from firstline.common.events import AccountPersonChanged, Actor, PersonErased, TicketRedacted
from firstline.common.mail import reworded
from firstline.common.raw_mail import mail_names

EVE, NAME = "eve@else.example", "Eve Else"
HANGING = b"500 Broken"
KNOWN = AccountPersonChanged(
    actor=Actor(id="root", role="admin"), id="eve", email=EVE, name=NAME, role="client", active=True
)


def tables_naming(world: Any) -> list[str]:
    """Return the tables in which Eve is named, and the mails kept as files that name her."""
    connection = sqlite3.connect(world.path)
    found = []
    for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        rows = connection.execute(f'SELECT * FROM "{table}"').fetchall()
        cells = [cell.encode() if isinstance(cell, str) else cell for row in rows for cell in row]
        found += [table] if any(isinstance(cell, bytes) and mail_names(cell, [EVE]) for cell in cells) else []
    connection.close()
    return found + [file.name for file in world.folder.glob("*.eml") if mail_names(file.read_bytes(), [EVE])]


async def erase_eve(world: Any) -> None:
    """Let accounts tell that Eve is to be erased, and do it."""
    await world.tell(PersonErased(actor=KNOWN.actor, id="eve"), stream="person/eve", source="accounts")
    await world.settle()


async def test_deliveries_about_others_requests_lose_the_name(world: Any, sinks: Any) -> None:
    """What was kept goes, what still goes out goes without the address, and what a receiver repeated is cleaned."""
    sink = await sinks()
    sink.answers = [HANGING] * 50
    await world.tell(KNOWN, stream="person/eve", source="accounts")
    body = {"url": sink.url, "content": True, "types": ["ticket"], "description": f"for {EVE}"}
    assert (await world.call("POST", "/v1/webhook-endpoints", body=body)).status_code == 201
    await world.tell(world.submitted(subject=f"About {EVE}"), world.replied(body=f"Ask {EVE.upper()}, that is {NAME}."))
    await world.settle()
    before = tables_naming(world)
    assert {"delivery", "ticket", "endpoint", "person"} <= set(before)
    assert [name for name in before if name.endswith(".eml")] != []
    await erase_eve(world)
    assert tables_naming(world) == []
    sink.answers, sink.got = [], []
    await world.pass_time(timedelta(hours=2))
    told = {json.loads(body)["type"]: json.loads(body)["data"] for _, body in sink.got}
    assert told["ticket.submitted"]["subject"] == "About [erased]"
    assert told["ticket.replied"]["body"] == "Ask [erased], that is [erased]."


async def test_an_event_that_was_under_way_keeps_nobody(world: Any, sinks: Any) -> None:
    """An old event that arrives behind the erasure is forgotten with the redaction that its request told behind it."""
    sink = await sinks()
    sink.answers = [HANGING] * 50
    await world.tell(KNOWN, stream="person/eve", source="accounts")
    body = {"url": sink.url, "content": True, "types": ["ticket"]}
    await world.call("POST", "/v1/webhook-endpoints", body=body)
    await world.tell(world.submitted())
    await erase_eve(world)
    await world.tell(world.replied(body=f"Ask {EVE}."))
    await world.settle()
    assert "delivery" in tables_naming(world)
    facts = {name: getattr(world.replied(), name) for name in ("actor", "number", "status", "recipients")}
    await world.tell(TicketRedacted(**facts, person_id="eve", subject="Site white after the update"))
    await world.settle()
    assert [name for name in tables_naming(world) if not name.endswith(".eml")] == []


def test_a_mail_is_reworded_and_stays_a_mail(world: Any) -> None:
    """Subject and text lose the name; Message-ID, recipients and encoding stay."""
    mail = (
        b"From: desk@x.example\r\nTo: clara@shop.example\r\nSubject: About =?utf-8?q?Eve=40else=2Eexample?=\r\n"
        b'Message-ID: <a@x>\r\nContent-Type: text/plain; charset="utf-8"\r\n'
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\nAsk eve=40else.example.\r\n"
    )
    left = reworded(mail, lambda text: text.lower().replace(EVE, "[erased]"))
    assert not mail_names(left, [EVE])
    assert b"Message-ID: <a@x>" in left
    assert b"Subject: about [erased]\r\n" in left
    assert left.endswith(b"ask [erased].\r\n")

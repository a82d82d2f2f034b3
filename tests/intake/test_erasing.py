"""Erasing a person who takes part in somebody else's request: what names them goes, the request stays its owner's."""

import json
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from archive_builder import plain_zip
from firstline.common.erasure import NEXT, Erasing
from firstline.common.permissions import Principal, Role
from firstline.intake.service.erasing import Erasure, begin
from firstline.intake.service.sweeping import Sweeper
from intake_world import World, picture, raw_mail

EVE = "eve@else.example"


async def test_the_request_of_somebody_else_forgets_who_took_part(world: World) -> None:
    """The subject loses the name, and no text that is kept sealed can be put back; the owner's words stay."""
    await world.person("eve", name="Eve Else", email=EVE)
    ticket = await world.submit(subject="Eve Else can't sign in", body="She asks for help.")
    mail = await world.mail(raw_mail(f"Re: [{ticket['number']}] x", "Login: eve\nPassword: Zq7!kanarie-Vx3", EVE), EVE)
    let_in = await world.post(f"/v1/mails/{mail['id']}/accept", {"participant": True})
    assert let_in.status_code == 200, let_in.text
    await world.tell("person.erased", "person/eve", id="eve")
    await world.runtime.settle()
    after = await world.ticket(ticket["id"])
    assert (after["subject"], after["participants"]) == ("[erased] can't sign in", ["clara@shop.example"])
    bodies = [message["body"] for message in await world.messages(ticket)]
    assert bodies[:2] == ["She asks for help.", "[erased]"]
    (held,) = (await world.get(f"/v1/tickets/{ticket['id']}/held-texts")).json()["items"]
    assert held["status"] == "purged"
    ((content,),) = world.rows("SELECT content FROM held_text")
    assert not any(content)


async def mentioned(world: World) -> dict[str, str]:
    """Let others name Eve in every text there is, in requests that are not hers; return the IDs of what they wrote."""
    await world.person("eve", name="Eve Else", email=EVE)
    own = await world.submit(Principal("eve", Role.CLIENT, EVE, name="Eve Else"), subject="Hello", body="I am here.")
    world.change(f"INSERT INTO participant_merge VALUES ('{own['id']}', '{EVE}', '{own['id']}')")
    file = await world.upload("agent:anna", f"log of {EVE}.txt", f"login {EVE.upper()}\nEve Else\n".encode())
    other = await world.submit(
        subject=f"What {EVE} did", body=f"Ask {EVE}.", metadata={"by": EVE}, external_ref=f"of {EVE}"
    )
    await world.must(other, "messages", {"body": f"{EVE} called.", "audience": "internal"})
    await world.must(other, "messages", {"body": "See the log.", "audience": "public", "attachment_ids": [file]})
    asked = await world.verb(other, "supervisor-requests", {"kind": "comment", "body": f"{EVE}?"}, "client:clara")
    assert asked.status_code == 201, asked.text
    incident = await world.post("/v1/incidents", {"title": "Eve Else is out", "ticket_ids": [own["id"], other["id"]]})
    await world.post(f"/v1/incidents/{incident.json()['id']}/answer", {"body": f"Solved for Eve Else and {EVE}."})
    canned = {"title": "Whom to ask", "text": f"Ask {EVE}."}
    put = await world.client.put("/v1/canned-answers/ask", json=canned, headers=world.headers("admin:root"))
    assert put.is_success, put.text
    hidden = raw_mail(f"Re: [{other['number']}] x", f"Give it to {EVE}, please." * 3)
    mail = await world.mail(with_base64(hidden))
    await world.runtime.settle()
    return {"own": own["id"], "other": other["id"], "mail": mail["id"], "file": file}


def with_base64(raw: bytes) -> bytes:
    """Return a mail with its text in base64."""
    message = message_from_bytes(raw, EmailMessage, policy=policy.SMTP)
    message.set_content(message.get_content(), cte="base64")
    return message.as_bytes()


def left_of_eve(world: World) -> list[str]:
    """Return the tables in which Eve is named, and the files of others that name her."""
    found = []
    for (table,) in world.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '%_fts%'"):
        text = repr(world.rows(f'SELECT * FROM "{table}"')).lower()
        found += [table] if EVE in text or "eve else" in text else []
    return found + [name for name in world.files() if EVE in str(content_of(world, name)).lower()]


def content_of(world: World, name: str) -> bytes:
    """Return what a file holds."""
    return next((world.folder / "files").rglob(name)).read_bytes()


async def erase_eve(world: World) -> None:
    """Erase Eve, to the end."""
    await world.tell("person.erased", "person/eve", id="eve")
    await world.runtime.settle()


async def test_what_others_wrote_loses_the_name(world: World) -> None:
    """Requests, notes, files, mails, incidents and ready-made answers of others stay, and name nobody any more."""
    made = await mentioned(world)
    assert {"ticket", "message", "incident", "incident_answer", "canned_answer", "attachment"} <= set(
        left_of_eve(world)
    )
    await erase_eve(world)
    assert left_of_eve(world) == []
    other = await world.ticket(made["other"])
    assert (other["subject"], other["metadata"]) == ("What [erased] did", {"by": "[erased]"})
    assert (await world.get(f"/v1/mails/{made['mail']}")).json()["outcome"] == "appended"
    ((file_key, size, name),) = world.rows("SELECT file_key, size, name FROM attachment")
    assert (content_of(world, file_key), size) == (b"login [erased]\nEve Else\n", len(b"login [erased]\nEve Else\n"))
    assert name == "log of [erased].txt"
    assert world.rows("SELECT file_key, sha256 FROM mail") == [("", "")]
    assert [kind for kind, _ in await world.events(made["other"])][-1] == "ticket.redacted"
    assert world.files() == [file_key]
    found = (await world.get("/v1/tickets", q="erased did")).json()["items"]
    assert [ticket["id"] for ticket in found] == [made["other"]]
    assert (await world.get("/v1/tickets", q="else")).json()["items"] == []


async def test_files_of_the_person_go_whole_and_those_of_others_are_counted(world: World) -> None:
    """Whatever is in them, their own files go; what can't be looked into of others' files and texts is reported."""
    await world.person("eve", name="Eve Else", email=EVE)
    eve = Principal("eve", Role.CLIENT, EVE, name="Eve Else")
    packed = plain_zip({"notes.txt": b"Eve Else was here."})
    own = [await world.upload(eve, name, content) for name, content in (("a.png", picture()), ("b.zip", packed))]
    unsent = await world.upload(eve, "c.zip", packed)
    ticket = await world.submit(eve, attachment_ids=own)
    others = [await world.upload("agent:anna", name, content) for name, content in (("d.zip", packed), ("e.txt", b"x"))]
    await world.must(ticket, "messages", {"body": "See.", "attachment_ids": others})
    await world.submit(body="Login: clara\nPassword: Zq7!kanarie-Vx3")
    await erase_eve(world)
    gone = world.rows("SELECT id, file_key, name, sha256, uploader FROM attachment WHERE status = 'erased' ORDER BY id")
    assert gone == [(one, None, "[erased]", "", "") for one in sorted([*own, unsent])]
    kept = [key for (key,) in world.rows("SELECT file_key FROM attachment WHERE status = 'ok'")]
    assert (world.files(), len(kept)) == (sorted(kept), 2)
    shown = [file for message in await world.messages(ticket) for file in message["attachments"]]
    assert [(file["name"], file["status"]) for file in shown] == [("[erased]", "erased")] * 2 + [
        ("d.zip", "ok"),
        ("e.txt", "ok"),
    ]
    ((data,),) = world.rows("SELECT data FROM log_event WHERE type = 'erasure.applied' AND data LIKE '%\"done\":true%'")
    report = json.loads(data)
    assert report["erased"]["files"] == 3
    assert report["not_looked_into"] == {"application/zip": 1, "held texts": 1}


async def test_an_erasure_goes_on_where_a_crash_ended_it(world: World, crashed_at: int) -> None:
    """Files that were deleted or written anew before a crash do not keep the next start from ending the erasure."""
    await mentioned(world)
    desk = world.desk
    await desk.store.write(lambda unit: begin(unit, "eve"))
    steps = 0
    while True:
        stages = Erasure(desk).stages()  # as after a start: nothing is known but what is stored
        who = await desk.store.read(lambda unit: unit.one(NEXT))
        if who is None:
            break
        outside = stages[who.stage].outside
        if outside is not None and steps % 2 == crashed_at:
            await outside(who)  # and here the process ends
            stages = Erasure(desk).stages()
        await Erasing("intake", desk.store, desk.log, desk.ports, stages).step()
        steps += 1
    assert left_of_eve(world) == ["person"]  # which the event itself takes
    swept = Sweeper(desk, timedelta(0))
    world.move(days=30)
    await swept.sweep()
    await swept.sweep()
    kept = {key for (key,) in world.rows("SELECT file_key FROM attachment UNION SELECT file_key FROM mail") if key}
    assert set(world.files()) == kept


@pytest.fixture(params=[0, 1], ids=["even", "odd"])
def crashed_at(request: pytest.FixtureRequest) -> int:
    """Return in which steps the process ends."""
    number: int = request.param
    return number

"""Files as they come by HTTP and by mail: taken, packed, refused with advice, given to those who may read (4.6)."""

from email.message import EmailMessage
from typing import Any

import httpx
import pytest
from archive_builder import Packed
from hostile_files import BMP, GIF, JPG, MAKERS, PDF, PNG, PROGRAM, TEXT, WEBP
from live_desk import AnyDesk, eventually, mail
from walking import letters, submit

CLARA = "clara.files@shop.example"
PACKED = "BMP picture can be taken when it is packed in a ZIP or RAR archive"
SAVED = "Pictures can be taken as PNG, GIF or JPG"
TAKEN = {"a.png": PNG, "a.gif": GIF, "a.jpg": JPG, "a.log": TEXT, "a.pdf": PDF}
REFUSED = {
    "a.bmp": (BMP, PACKED),
    "really-a-bitmap.png": (BMP, PACKED),
    "a.webp": (WEBP, SAVED),
    "a.exe": (PROGRAM, "Files of this type can't be taken"),
    "broken.png": (PNG[: len(PNG) // 2], SAVED),
}


def upload(http: httpx.Client, name: str, content: bytes) -> httpx.Response:
    """Upload a file as a form sends it."""
    return http.post("/v1/attachments", files={"file": (name, content, "application/octet-stream")})


def with_files(message: EmailMessage, files: dict[str, bytes]) -> EmailMessage:
    """Attach files to a mail."""
    for name, content in files.items():
        message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return message


def by_name(http: httpx.Client, ticket_id: str) -> dict[str, Any]:
    """Return the files of a request's last message."""
    messages = http.get(f"/v1/tickets/{ticket_id}/messages").json()["items"]
    return {file["name"]: file for file in messages[-1]["attachments"]}


def test_files_that_are_taken_come_back_as_they_were(desk: AnyDesk) -> None:
    """Pictures, texts and documents go with a request and are given, byte for byte, to its readers and nobody else."""
    with (
        desk.api("client", "clara-files", email=CLARA) as client,
        desk.api("client", "eve-files", email="eve.files@else.example") as other,
    ):
        kept = {name: upload(client, name, content).json()["id"] for name, content in TAKEN.items()}
        stolen = other.post("/v1/tickets", json={"subject": "x", "body": "x", "attachment_ids": [kept["a.log"]]})
        assert (stolen.status_code, stolen.json()["errors"][0]["pointer"]) == (422, "/attachment_ids/0")
        ticket = submit(client, attachment_ids=list(kept.values()))
        assert {name: file["status"] for name, file in by_name(client, ticket["id"]).items()} == dict.fromkeys(
            TAKEN, "ok"
        )
        for name, content in TAKEN.items():
            answer = client.get(f"/v1/attachments/{kept[name]}")
            assert answer.content == content
            assert answer.headers["Content-Disposition"].startswith("attachment;")
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert other.get(f"/v1/attachments/{kept[name]}").status_code == 404


def test_what_is_not_taken_is_refused_with_advice(desk: AnyDesk) -> None:
    """The content decides, whatever the name says; the refusal names the clause and what to do instead."""
    with desk.api("client", "clara-files", email=CLARA) as client:
        for name, (content, advice) in REFUSED.items():
            answer = upload(client, name, content)
            problem = answer.json()
            assert (answer.status_code, problem["type"], problem["clause"]) == (422, "/problems/file-refused", "4.6")
            assert advice in problem["detail"], name


@pytest.mark.parametrize("kind", MAKERS)
def test_a_bitmap_is_taken_packed(desk: AnyDesk, kind: str) -> None:
    """Packed in a ZIP or a RAR archive a BMP is taken; a locked, nested or misleading archive isn't."""
    name, make = MAKERS[kind]
    with desk.api("client", "clara-files", email=CLARA) as client:
        assert upload(client, name, make([Packed("screen.bmp", BMP)])).status_code == 201
        nested = upload(client, name, make([Packed(name, make([Packed("screen.bmp", BMP)]))]))
        assert (nested.status_code, nested.json()["reason"]) == (422, "archive_nested")
        outside = upload(client, name, make([Packed("../screen.bmp", BMP)]))
        assert (outside.status_code, outside.json()["reason"]) == (422, "archive_name")


def test_a_mail_is_taken_without_the_file_that_is_not(desk: AnyDesk) -> None:
    """A mail is never refused for a file: its sender hears once which one, why, and what to do; so says the thread."""
    sender = "kim.files@shop.example"
    with desk.api("agent", "anna-files") as agent, desk.api("client", "kim-files", email=sender) as client:
        ticket = submit(client)
        answer = mail(sender, f"Re: [{ticket['number']}] x", "See the pictures.", Message_ID="<f1@shop.example>")
        desk.send(with_files(answer, {"screen.bmp": BMP, "photo.webp": WEBP, "shot.png": PNG}))
        eventually(lambda: len(client.get(f"/v1/tickets/{ticket['id']}/messages").json()["items"]) > 1)
        for reader in (client, agent):
            shown = by_name(reader, ticket["id"])
            assert {name: file["status"] for name, file in shown.items()} == {
                "screen.bmp": "rejected",
                "photo.webp": "rejected",
                "shot.png": "ok",
            }
            assert PACKED in shown["screen.bmp"]["reason"]
        (told,) = eventually(lambda: letters(desk, sender, ticket["number"], "could not be taken"))
        assert "screen.bmp: A BMP picture" in told
        assert f"photo.webp: {SAVED}" in told
        assert "shot.png" not in told
        packed = mail(sender, f"Re: [{ticket['number']}] x", "Packed.", Message_ID="<f2@shop.example>")
        desk.send(with_files(packed, {"screen.zip": MAKERS["zip"][1]([Packed("screen.bmp", BMP)])}))
        eventually(lambda: by_name(client, ticket["id"]).get("screen.zip", {}).get("status") == "ok")
        assert len(letters(desk, sender, ticket["number"], "could not be taken")) == 1


def test_a_new_request_by_mail_is_acknowledged_with_what_was_refused(desk: AnyDesk) -> None:
    """One mail says that the request arrived and that a file did not; a machine gets neither."""
    sender, robot = "lea.files@shop.example", "robot.files@shop.example"
    first = mail(sender, "White page", "See the picture.", Message_ID="<f3@shop.example>")
    desk.send(with_files(first, {"screen.bmp": BMP}))
    machine = mail(robot, "Away", "I am away.", Message_ID="<f4@shop.example>", Auto_Submitted="auto-replied")
    desk.send(with_files(machine, {"screen.bmp": BMP}))
    with desk.api("agent", "anna-files") as agent:
        (ticket,) = eventually(lambda: agent.get("/v1/tickets", params={"requester": sender}).json()["items"])
        (told,) = eventually(lambda: letters(desk, sender, ticket["number"]))
        assert PACKED in told
        (kept,) = eventually(
            lambda: [one for one in agent.get("/v1/mails?outcome=refused").json()["items"] if one["automatic"]]
        )
        assert kept["reason"] == "automatic"
    assert desk.mails(robot) == []

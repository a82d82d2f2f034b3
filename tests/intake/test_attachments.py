"""Uploads: kept and judged before they are referenced, and nothing left of those that are refused or fail."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from firstline.common.errors import Unavailable
from firstline.common.store.port import Sql
from intake_world import OpenWorld, World, picture, raw_mail

_BREAK: Sql[None] = Sql("UPDATE ticket SET policy_version = 'lost' WHERE id = :id", type(None))


async def send(world: World, name: str, content: bytes, who: str = "client:clara") -> httpx.Response:
    """Upload a file."""
    files = {"file": (name, content, "application/octet-stream")}
    return await world.client.post("/v1/attachments", files=files, headers=world.headers(who))


async def test_an_upload_comes_back_as_it_was(world: World) -> None:
    """A file is described by its content and given back byte for byte, to be saved and not run."""
    answer = await send(world, "../../sh öt\r\n.png", picture())
    assert answer.status_code == 201
    document = answer.json()
    assert (document["type"], document["status"], document["size"]) == ("image/png", "ok", len(picture()))
    assert "/" not in document["name"]
    download = await world.get(f"/v1/attachments/{document['id']}", "client:clara")
    assert download.content == picture()
    assert (download.headers["Content-Type"], download.headers["Content-Length"]) == ("image/png", str(len(picture())))
    assert "\n" not in download.headers["Content-Disposition"]
    assert "filename*=UTF-8''" in download.headers["Content-Disposition"]


@pytest.mark.parametrize(
    ("name", "content", "advice"),
    [
        ("a.bmp", picture("BMP"), "ZIP"),
        ("a.webp", picture("WEBP"), "PNG"),
        ("a.png", picture("JPEG"), "PNG"),
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>", "type"),
        ("a.exe", b"MZ" + bytes(200), "type"),
    ],
)
async def test_a_refused_file_leaves_nothing(world: World, name: str, content: bytes, advice: str) -> None:
    """A file that the policy doesn't take is refused with what to send instead; no row and no byte of it stay."""
    before = world.stored()
    answer = await send(world, name, content)
    problem = answer.json()
    assert (answer.status_code, problem["type"], problem["clause"]) == (422, "/problems/file-refused", "4.6")
    assert problem["errors"][0]["pointer"] == "/file"
    assert advice in problem["detail"]
    assert world.stored() == before


async def test_a_file_too_large_leaves_nothing(world: World) -> None:
    """A file beyond the policy's size is refused whole."""
    before = world.stored()
    answer = await send(world, "a.txt", b"a" * (25 * 1024 * 1024 + 1))
    assert (answer.status_code, answer.json()["type"]) == (413, "/problems/too-large")
    assert world.stored() == before


async def test_a_missing_file_is_asked_for(world: World) -> None:
    """A form without the file names the member that is missing."""
    for sent in ({"files": {"other": ("a.png", picture())}}, {"json": {"file": "x"}}):
        answer = await world.client.post("/v1/attachments", headers=world.headers("client:clara"), **sent)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/file")
    assert world.files() == []


async def test_a_file_goes_with_one_message(world: World) -> None:
    """A file that came with a message can't come with another; named twice in one message it comes once."""
    ticket, upload = await world.submit(), await world.upload()
    await world.must(ticket, "messages", {"body": "1", "attachment_ids": [upload, upload]}, "client:clara")
    before = world.stored()
    answer = await world.verb(ticket, "messages", {"body": "2", "attachment_ids": [upload]}, "client:clara")
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/attachment-used")
    assert world.stored() == before
    (attached,) = (await world.messages(ticket))[-1]["attachments"]
    assert attached["id"] == upload


async def test_uploads_that_can_not_be_recorded_leave_no_file(world: World) -> None:
    """Where the store is out of reach after the bytes were written, they are removed, for uploads and for mails."""
    await world.runtime.store.close()
    answer = await send(world, "a.png", picture())
    assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
    with pytest.raises(Unavailable):
        await world.keep(raw_mail())
    assert world.files() == []
    await world.runtime.store.open()
    await world.upload()
    assert len(world.files()) == 1


async def test_a_mail_that_fails_after_its_files_leaves_none(opened: OpenWorld, tmp_path: Path) -> None:
    """Where judging fails once the files are kept, they go, and the mail is held with its raw bytes."""
    async with opened(tmp_path) as world:
        ticket = await world.submit()
        await world.runtime.store.write(lambda unit: unit.run(_BREAK, id=ticket["id"]))
        judged = await world.mail(raw_mail(f"[{ticket['number']}]", files={"a.png": picture()}))
        assert (judged["outcome"], judged["reason"]) == ("quarantined", "unreadable")
        assert world.files() == [key for (key,) in world.rows("SELECT file_key FROM mail")]
        assert world.rows("SELECT count(*) FROM attachment") == [(0,)]


async def test_a_file_is_kept_once_a_key(world: World) -> None:
    """The same file with the same key, at once or later, is kept once; another file with that key is refused."""

    async def again(name: str = "a.png", key: str = "k") -> Any:
        files = {"file": (name, picture(), "image/png")}
        headers = world.headers("client:clara") | {"Idempotency-Key": key}
        return await world.client.post("/v1/attachments", files=files, headers=headers)

    answers = [*await asyncio.gather(*(again() for _ in range(8))), await again()]
    assert len({(answer.status_code, answer.content) for answer in answers}) == 1
    assert answers[0].status_code == 201
    assert len(world.files()) == 1
    assert [(await again("b.png")).status_code, (await again(key=" ")).status_code] == [422, 422]
    assert (len(world.files()), world.rows("SELECT count(*) FROM attachment")) == (1, [(1,)])


async def test_a_form_is_read_as_it_comes(world: World) -> None:
    """Whatever the pieces in which a form arrives, and whatever fields stand beside the file, the file is the same."""
    boundary, text = "x" * 30, b"line\r\n--" * 2_000
    form = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="note"\r\n\r\nhello\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.log"\r\n'
        "Content-Type: text/plain\r\n\r\n"
    ).encode()
    whole = form + text + f"\r\n--{boundary}--\r\n".encode()
    headers = world.headers("client:clara") | {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    for size in (7, 1_000, len(whole)):

        async def pieces(size: int = size) -> AsyncIterator[bytes]:
            for start in range(0, len(whole), size):
                yield whole[start : start + size]

        answer = await world.client.post("/v1/attachments", content=pieces(), headers=headers)
        assert (answer.status_code, answer.json()["size"]) == (201, len(text))
    before = world.stored()
    for broken in (whole[:-40], whole[: len(form) + 5], b"nonsense", form[:60]):
        answer = await world.client.post("/v1/attachments", content=broken, headers=headers)
        assert answer.status_code == 422
    assert world.stored() == before


async def test_one_upload_takes_one_file(world: World) -> None:
    """A second file in the form is said to be one too many, and nothing is kept."""
    files = [("file", ("a.png", picture())), ("file", ("b.png", picture()))]
    answer = await world.client.post("/v1/attachments", files=files, headers=world.headers("client:clara"))
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/file")
    assert world.files() == []


async def test_a_download_runs_nowhere(world: World) -> None:
    """A page kept as text is handed out for saving, as text, with nothing allowed to it."""
    upload = await world.upload(name='ä "b".txt', content=b"<script>alert(1)</script>")
    headers = (await world.get(f"/v1/attachments/{upload}", "client:clara")).headers
    assert headers["Content-Type"].partition(";")[0] == "text/plain"
    assert headers["Content-Disposition"].startswith("attachment; filename=\"a_ b.txt\"; filename*=UTF-8''")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == "sandbox; default-src 'none'"


async def test_somebody_elses_upload_can_not_be_sent(world: World) -> None:
    """An upload is referred to by its uploader only; for all others it is as unknown as any other ID."""
    upload = await world.upload()
    for who, wanted in (("client:mallory", upload), ("agent:anna", upload), ("client:clara", "0" * 36)):
        body = {"subject": "a", "body": "b", "attachment_ids": [wanted]}
        answer = await world.post("/v1/tickets", body, who)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/attachment_ids/0"), who
        assert (await world.get(f"/v1/attachments/{upload}", "client:mallory")).status_code == 404

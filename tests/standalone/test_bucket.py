"""A whole desk with its files in a bucket: uploads, mails, downloads and an erasure, and a bucket that is away."""

from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import httpx
import pytest
from firstline.standalone.desk import StandaloneDesk, settle
from near_desk import api, near_desk
from s3_server import Bucket, s3_server

pytestmark = pytest.mark.process
ADDRESS = "zeisig@vogel.example"
LOG = b"It does not start.\n"


@pytest.fixture
async def bucket() -> AsyncIterator[Bucket]:
    """Return a bucket on a server of this test's own."""
    async with s3_server("desk-files") as running:
        yield running


@pytest.fixture
async def desk(folder: Path, bucket: Bucket) -> AsyncIterator[StandaloneDesk]:
    """Return a desk at work whose settings name the bucket."""
    named = {"bucket": "s3://desk-files/ours", "bucket_endpoint": bucket.url, "bucket_key_id": "id"}
    async with near_desk(folder, **named, bucket_secret="secret") as running:
        yield running


async def upload(http: httpx.AsyncClient, content: bytes = LOG) -> httpx.Response:
    """Upload a text file."""
    return await http.post("/v1/attachments", files={"file": ("a.txt", content, "text/plain")})


async def post(desk: StandaloneDesk) -> None:
    """Send a mail with a file."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = ADDRESS, "support@firstline.example", "By mail"
    mail.set_content("See the file.")
    mail.add_attachment(LOG, maintype="text", subtype="plain", filename="b.txt")
    await aiosmtplib.send(mail, hostname="127.0.0.1", port=desk.smtp_port, start_tls=False)


async def test_files_lie_in_the_bucket_and_go_from_it(desk: StandaloneDesk, bucket: Bucket, folder: Path) -> None:
    """Files sent by upload or mail are read back from the bucket; those of an erased person leave it, others stay."""
    async with api(desk, "agent", "anna") as agent, api(desk, "admin", "root") as admin:
        file = (await upload(agent)).json()["id"]
        assert (await agent.get(f"/v1/attachments/{file}")).content == LOG
        known = {"email": ADDRESS, "name": "Zeisig", "role": "client"}
        made = await admin.post("/v1/people", json=known, headers={"Idempotency-Key": "once"})
        await post(desk)
        await settle(desk.runtimes)
        (ticket,) = (await agent.get("/v1/tickets")).json()["items"]
        (message,) = (await agent.get(f"/v1/tickets/{ticket['id']}/messages")).json()["items"]
        (sent,) = message["attachments"]
        assert (await agent.get(f"/v1/attachments/{sent['id']}")).content == LOG
        assert len(bucket.objects) == 3
        assert {name.partition("/")[0] for name in bucket.objects} == {"ours"}
        assert not [path for path in (folder / "files").rglob("*") if path.is_file()]
        assert (await admin.delete(f"/v1/people/{made.json()['id']}")).status_code == 202
        await settle(desk.runtimes)
        assert list(bucket.objects.values()) == [LOG]
        assert (await agent.get(f"/v1/attachments/{sent['id']}")).status_code == 404


async def test_a_bucket_that_is_away_loses_nothing(desk: StandaloneDesk, bucket: Bucket) -> None:
    """Uploads and mails are told to come again while the bucket refuses, and are taken once it is back."""
    async with api(desk, "agent", "anna") as agent:
        bucket.broken = True
        refused = await upload(agent)
        assert (refused.status_code, "Retry-After" in refused.headers) == (503, True)
        with pytest.raises(aiosmtplib.SMTPDataError) as told:
            await post(desk)
        assert 400 <= told.value.code < 500
        assert (await agent.get("/v1/tickets")).json()["items"] == []
        bucket.broken = False
        assert (await upload(agent)).status_code == 201
        await post(desk)
        await settle(desk.runtimes)
        assert len((await agent.get("/v1/tickets")).json()["items"]) == 1
